//! A private key as it is encoded: PKCS #8 of both versions, PKCS #1, SEC 1, and what OpenSSL writes for DSA.
//! (RFC 5958; RFC 8017, appendix A.1.2; RFC 5915.)

use super::{
    curve::{Curve, is_same_point},
    der::{
        BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, element, elements, field, magnitude, optional,
        whole_bytes,
    },
    pem,
    x509::SubjectKey,
};

/// What a key is for, as the type of a certificate's key. (Kong calls them types, too.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA, for every use.
    Rsa,
    /// RSA, for signatures of the kind PSS alone.
    RsaPss,
    /// Elliptic curves.
    Ec,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA.
    Dsa,
    /// What else there is.
    Other,
}

/// The bytes of a private key.
pub(super) struct PrivateKey {
    pub(super) kind: KeyType,
    /// Of a curve what names it, of RSA for PSS what limits it; with its tag.
    pub(super) parameters: Vec<u8>,
    /// What the type says.
    pub(super) numbers: Numbers,
}

/// The numbers of a private key.
pub(super) enum Numbers {
    /// An `RSAPrivateKey`.
    Rsa(Vec<u8>),
    /// The number of a curve, and the point of the public key if it stands there.
    Ec(Vec<u8>, Option<Vec<u8>>),
    /// The seed of Ed25519.
    Seed(Vec<u8>),
    /// The public number of DSA, if it stands there.
    Dsa(Option<Vec<u8>>),
    /// What nothing is known of.
    Unknown,
}

/// Object identifiers of keys. (RFC 3279, section 2.3; RFC 4055, section 1.2; RFC 5480; RFC 8410.)
#[rustfmt::skip]
const TYPES: [(KeyType, &[u8]); 6] = [
    (KeyType::Rsa, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
    (KeyType::RsaPss, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]),
    (KeyType::Ec, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
    (KeyType::Ed25519, &[0x2b, 0x65, 0x70]),
    (KeyType::Ed448, &[0x2b, 0x65, 0x71]),
    (KeyType::Dsa, &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1]),
];

impl KeyType {
    /// The type of the algorithm of a key, and its parameters.
    pub(super) fn read(algorithm: &[u8]) -> Option<(Self, &[u8])> {
        let (id, parameters) = element(OID, algorithm)?;
        let known = TYPES.iter().find(|it| it.1 == id);
        Some((known.map_or(Self::Other, |it| it.0), parameters))
    }

    /// Its name in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::RsaPss => "RSA-PSS",
            Self::Ec => "an elliptic curve",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Dsa => "DSA",
            Self::Other => "another type",
        }
    }
}

const BROKEN: &str = "what it encodes is no private key";

impl PrivateKey {
    /// Reads the first private key of a PEM text, as OpenSSL does.
    ///
    /// # Errors
    /// There is none, it is encrypted, or it cannot be read.
    pub(super) fn from_pem(text: &str) -> Result<Self, String> {
        let blocks = pem::blocks(text);
        let Some(block) = blocks.iter().find(|it| it.label.ends_with("PRIVATE KEY")) else {
            return Err("there is no `-----BEGIN ... PRIVATE KEY-----` in it".to_owned());
        };
        if block.encrypted || block.label == "ENCRYPTED PRIVATE KEY" {
            let message = "it is encrypted, and there is no setting for its passphrase: write it without one, by \
                           `openssl pkey -in key.pem -out plain.pem`";
            return Err(message.to_owned());
        }
        let bytes = block.bytes.as_ref().map_err(|why| (*why).to_owned())?;
        Self::read(bytes).ok_or_else(|| BROKEN.to_owned())
    }

    /// Reads a key; which of the forms it has follows from what stands behind its version.
    fn read(der: &[u8]) -> Option<Self> {
        let (content, _) = element(SEQUENCE, der)?;
        let (_version, rest) = element(INTEGER, content)?;
        match *rest.first()? {
            SEQUENCE => {
                let (algorithm, rest) = element(SEQUENCE, rest)?;
                let (key, rest) = element(OCTET_STRING, rest)?;
                let (_attributes, rest) = optional(field(0), rest)?;
                let (point, _) = optional(0x81, rest)?;
                Self::of_type(algorithm, key, point.and_then(whole_bytes))
            }
            OCTET_STRING => Self::of_curve(der, &[], None),
            _ => match elements(INTEGER, rest) {
                // p, q, g, and the public and the private number.
                Some(numbers) if numbers.len() == 5 => {
                    let public = numbers.get(3).map(|it| magnitude(it).to_vec());
                    Some(Self::new(KeyType::Dsa, &[], Numbers::Dsa(public)))
                }
                // A key of more than two primes has their list behind its numbers.
                _ => Self::of_rsa(KeyType::Rsa, der, &[]),
            },
        }
    }

    fn new(kind: KeyType, parameters: &[u8], numbers: Numbers) -> Self {
        Self { kind, parameters: parameters.to_vec(), numbers }
    }

    /// The key of an algorithm that is named beside it.
    fn of_type(algorithm: &[u8], key: &[u8], public: Option<&[u8]>) -> Option<Self> {
        let (kind, parameters) = KeyType::read(algorithm)?;
        match kind {
            KeyType::Rsa | KeyType::RsaPss => Self::of_rsa(kind, key, parameters),
            KeyType::Ec => Self::of_curve(key, parameters, public),
            KeyType::Ed25519 => {
                let (seed, _) = element(OCTET_STRING, key)?;
                (seed.len() == 32).then(|| Self::new(kind, &[], Numbers::Seed(seed.to_vec())))
            }
            KeyType::Dsa => Some(Self::new(kind, parameters, Numbers::Dsa(None))),
            KeyType::Ed448 | KeyType::Other => Some(Self::new(kind, parameters, Numbers::Unknown)),
        }
    }

    fn of_rsa(kind: KeyType, der: &[u8], parameters: &[u8]) -> Option<Self> {
        rsa_numbers(der)?;
        Some(Self::new(kind, parameters, Numbers::Rsa(der.to_vec())))
    }

    fn of_curve(der: &[u8], parameters: &[u8], public: Option<&[u8]>) -> Option<Self> {
        let (content, _) = element(SEQUENCE, der)?;
        let (_version, rest) = element(INTEGER, content)?;
        let (number, rest) = element(OCTET_STRING, rest)?;
        let (own, rest) = optional(field(0), rest)?;
        let (point, _) = optional(field(1), rest)?;
        let point = match point {
            Some(bits) => Some(whole_bytes(element(BIT_STRING, bits)?.0)?),
            None => public,
        };
        let parameters = if parameters.is_empty() { own? } else { parameters };
        Some(Self::new(KeyType::Ec, parameters, Numbers::Ec(number.to_vec(), point.map(<[u8]>::to_vec))))
    }

    /// Whether it can be told, without signing, that it is not the key of this certificate. OpenSSL compares types and
    /// public numbers, too.
    pub(super) fn is_of_another(&self, certified: &SubjectKey<'_>) -> bool {
        let Some((kind, parameters)) = KeyType::read(certified.algorithm) else { return true };
        if kind != self.kind {
            return true;
        }
        match &self.numbers {
            Numbers::Rsa(der) => {
                rsa_numbers(der).map(|it| (it.modulus, it.exponent)) != modulus(certified.bits)
            }
            Numbers::Ec(_, point) => {
                Curve::read(parameters) != Curve::read(&self.parameters)
                    || point.as_ref().is_some_and(|point| !is_same_point(point, certified.bits))
            }
            Numbers::Dsa(public) => {
                let own = element(INTEGER, certified.bits).map(|(it, _)| magnitude(it));
                public.as_ref().is_some_and(|it| Some(&**it) != own)
            }
            Numbers::Seed(_) | Numbers::Unknown => false,
        }
    }
}

/// The numbers of an `RSAPrivateKey`, without zeros before them.
pub(super) struct RsaNumbers<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
    pub(super) private_exponent: &'a [u8],
    /// Two of them, or more.
    pub(super) primes: Vec<&'a [u8]>,
}

/// Reads an `RSAPrivateKey`.
pub(super) fn rsa_numbers(der: &[u8]) -> Option<RsaNumbers<'_>> {
    let (content, _) = element(SEQUENCE, der)?;
    let (_version, mut rest) = element(INTEGER, content)?;
    let mut next = || {
        let (number, after) = element(INTEGER, rest)?;
        rest = after;
        Some(magnitude(number)).filter(|number| !number.is_empty())
    };
    let (modulus, exponent, private_exponent) = (next()?, next()?, next()?);
    let mut primes = vec![next()?, next()?];
    // What speeds up computing with them follows.
    for _ in 0..3 {
        next()?;
    }
    if let (Some(others), _) = optional(SEQUENCE, rest)? {
        for other in elements(SEQUENCE, others)? {
            primes.push(magnitude(element(INTEGER, other)?.0));
        }
    }
    Some(RsaNumbers { modulus, exponent, private_exponent, primes })
}

/// Modulus and exponent of an `RSAPublicKey`.
pub(super) fn modulus(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, _) = element(SEQUENCE, der)?;
    let (modulus, rest) = element(INTEGER, content)?;
    let (exponent, _) = element(INTEGER, rest)?;
    Some((magnitude(modulus), magnitude(exponent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{der::write, generated::signed_by_itself, pem, signing::prepare, x509::Certificate},
        *,
    };

    /// The bytes of the first key of a text.
    fn bytes(text: &str) -> Vec<u8> {
        let mut blocks = pem::blocks(text);
        blocks.remove(0).bytes.unwrap()
    }

    /// A key of RSA of these numbers, and the public key that belongs to the first two.
    fn rsa(numbers: &[Vec<u8>]) -> (PrivateKey, Vec<u8>, Vec<u8>) {
        let numbers: Vec<Vec<u8>> = numbers.iter().map(|it| write(INTEGER, &[&[0], it])).collect();
        let all = [&write(INTEGER, &[&[0]]), &numbers.concat()[..]].concat();
        let private = PrivateKey::of_rsa(KeyType::Rsa, &write(SEQUENCE, &[&all]), &[]);
        let public = write(SEQUENCE, &[&numbers[0], &numbers[1]]);
        let algorithm = [write(OID, &[TYPES[0].1]), vec![5, 0]].concat();
        (private.unwrap(), algorithm, public)
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_key_are_refused(bytes: Vec<u8>) {
            drop(PrivateKey::read(&bytes));
            drop(PrivateKey::read(&write(SEQUENCE, &[&write(INTEGER, &[&[0]]), &bytes])));
        }

        #[test]
        fn a_key_with_a_wrong_byte_signs_nothing(place: prop::sample::Index, bit in 0..8_u8) {
            let (certificate, key) = signed_by_itself(&["a.example"]);
            let certificate = pem::certificates(&certificate).remove(0).unwrap();
            let certificate = Certificate::read(&certificate).unwrap();
            let mut der = bytes(&key);
            let place = place.index(der.len());
            der[place] ^= 1 << bit;
            // It is read, refused, or told to be another's; a byte that does not count changes nothing.
            if let Some(key) = PrivateKey::read(&der) {
                drop(prepare(&key, &certificate.key));
            }
        }
    }

    #[test]
    fn numbers_of_rsa_that_do_not_belong_together_are_refused() {
        let text = include_str!("../../tests/end_to_end/rsa-8192.key.pem");
        let whole = bytes(text);
        let (content, _) = element(SEQUENCE, &whole).unwrap();
        let numbers: Vec<Vec<u8>> =
            elements(INTEGER, content).unwrap().iter().skip(1).map(|it| magnitude(it).to_vec()).collect();
        let is_ready = |numbers: &[Vec<u8>]| {
            let (key, algorithm, bits) = rsa(numbers);
            prepare(&key, &SubjectKey { algorithm: &algorithm, bits: &bits, content: &[] }).is_ok()
        };
        assert!(is_ready(&numbers));
        for n in 0..5 {
            for wrong in [&[1][..], &[2], &[3], &[0xff; 1024], &[0xfe; 1024], &[0xff; 1025], &[0xff; 512]] {
                let mut numbers = numbers.clone();
                numbers[n] = wrong.to_vec();
                assert!(!is_ready(&numbers), "{n} {wrong:?}");
            }
            let mut numbers = numbers.clone();
            *numbers[n].last_mut().unwrap() ^= 1;
            assert!(!is_ready(&numbers), "{n}");
        }
    }
}
