//! Parser of private keys: PKCS #8 of both versions, PKCS #1, SEC 1, and OpenSSL's format for DSA.
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

/// Type of a private key. (The term is Kong's.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA, for every use.
    Rsa,
    /// RSA, for PSS signatures alone.
    RsaPss,
    /// Elliptic curves.
    Ec,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA.
    Dsa,
    /// Any other type.
    Other,
}

/// A parsed private key.
pub(super) struct PrivateKey {
    pub(super) kind: KeyType,
    /// For a curve its name, for RSA-PSS the restrictions; with the tag.
    pub(super) parameters: Vec<u8>,
    /// The numbers of the key.
    pub(super) numbers: KeyNumbers,
}

/// The numbers of a private key.
pub(super) enum KeyNumbers {
    /// An `RSAPrivateKey`.
    Rsa(Vec<u8>),
    /// The private number of a curve, and the point of the public key if it is included.
    Ec(Vec<u8>, Option<Vec<u8>>),
    /// The seed of Ed25519.
    Seed(Vec<u8>),
    /// The public number of DSA, if it is included.
    Dsa(Option<Vec<u8>>),
    /// `KeyNumbers` of an unknown format.
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
    /// Parses the algorithm of a key: its type and its parameters.
    pub(super) fn read(algorithm: &[u8]) -> Option<(Self, &[u8])> {
        let (id, parameters) = element(OID, algorithm)?;
        let known = TYPES.iter().find(|row| row.1 == id);
        Some((known.map_or(Self::Other, |row| row.0), parameters))
    }

    /// The name for messages.
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

const NOT_A_KEY: &str = "what it encodes is no private key";

impl PrivateKey {
    /// Reads the first private key of a PEM text, as OpenSSL does.
    ///
    /// # Errors
    /// If there is none, it is encrypted, or it cannot be parsed.
    pub(super) fn from_pem(text: &str) -> Result<Self, String> {
        let blocks = pem::blocks(text);
        let Some(block) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) else {
            return Err("there is no `-----BEGIN ... PRIVATE KEY-----` in it".to_owned());
        };
        if block.encrypted || block.label == "ENCRYPTED PRIVATE KEY" {
            let message = "it is encrypted, and there is no setting for its passphrase: write it without one, by \
                           `openssl pkey -in key.pem -out plain.pem`";
            return Err(message.to_owned());
        }
        let bytes = block.bytes.as_ref().map_err(|why| (*why).to_owned())?;
        Self::read(bytes).ok_or_else(|| NOT_A_KEY.to_owned())
    }

    /// Parses a key. The element after the version determines the format.
    fn read(der: &[u8]) -> Option<Self> {
        let (content, _) = element(SEQUENCE, der)?;
        let (_version, rest) = element(INTEGER, content)?;
        match *rest.first()? {
            SEQUENCE => {
                let (algorithm, rest) = element(SEQUENCE, rest)?;
                let (key, rest) = element(OCTET_STRING, rest)?;
                let (_attributes, rest) = optional(field(0), rest)?;
                let (point, _) = optional(0x81, rest)?;
                Self::from_pkcs8(algorithm, key, point.and_then(whole_bytes))
            }
            OCTET_STRING => Self::from_sec1(der, &[], None),
            _ => match elements(INTEGER, rest) {
                // p, q, g, the public and the private number.
                Some(numbers) if numbers.len() == 5 => {
                    let public = numbers.get(3).map(|number| magnitude(number).to_vec());
                    Some(Self::new(KeyType::Dsa, &[], KeyNumbers::Dsa(public)))
                }
                // A key of more than two primes has a list of them after its numbers.
                _ => Self::from_pkcs1(KeyType::Rsa, der, &[]),
            },
        }
    }

    fn new(kind: KeyType, parameters: &[u8], numbers: KeyNumbers) -> Self {
        Self { kind, parameters: parameters.to_vec(), numbers }
    }

    /// Parses the key of a named algorithm.
    fn from_pkcs8(algorithm: &[u8], key: &[u8], public: Option<&[u8]>) -> Option<Self> {
        let (kind, parameters) = KeyType::read(algorithm)?;
        match kind {
            KeyType::Rsa | KeyType::RsaPss => Self::from_pkcs1(kind, key, parameters),
            KeyType::Ec => Self::from_sec1(key, parameters, public),
            KeyType::Ed25519 => {
                let (seed, _) = element(OCTET_STRING, key)?;
                (seed.len() == 32).then(|| Self::new(kind, &[], KeyNumbers::Seed(seed.to_vec())))
            }
            KeyType::Dsa => Some(Self::new(kind, parameters, KeyNumbers::Dsa(None))),
            KeyType::Ed448 | KeyType::Other => Some(Self::new(kind, parameters, KeyNumbers::Unknown)),
        }
    }

    fn from_pkcs1(kind: KeyType, der: &[u8], parameters: &[u8]) -> Option<Self> {
        rsa_numbers(der)?;
        Some(Self::new(kind, parameters, KeyNumbers::Rsa(der.to_vec())))
    }

    fn from_sec1(der: &[u8], parameters: &[u8], public: Option<&[u8]>) -> Option<Self> {
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
        Some(Self::new(KeyType::Ec, parameters, KeyNumbers::Ec(number.to_vec(), point.map(<[u8]>::to_vec))))
    }

    /// Whether the type or the public numbers differ from those of a certificate, as OpenSSL compares them. A key that does
    /// not differ may still not match, which only a signature shows.
    pub(super) fn differs_from(&self, certified: &SubjectKey<'_>) -> bool {
        let Some((kind, parameters)) = KeyType::read(certified.algorithm) else { return true };
        if kind != self.kind {
            return true;
        }
        match &self.numbers {
            KeyNumbers::Rsa(der) => {
                rsa_numbers(der).map(|numbers| (numbers.modulus, numbers.exponent)) != modulus(certified.bits)
            }
            KeyNumbers::Ec(_, point) => {
                Curve::read(parameters) != Curve::read(&self.parameters)
                    || point.as_ref().is_some_and(|point| !is_same_point(point, certified.bits))
            }
            KeyNumbers::Dsa(public) => {
                let own = element(INTEGER, certified.bits).map(|(number, _)| magnitude(number));
                public.as_ref().is_some_and(|public| Some(&**public) != own)
            }
            KeyNumbers::Seed(_) | KeyNumbers::Unknown => false,
        }
    }
}

/// The numbers of an `RSAPrivateKey`, without leading zeros.
pub(super) struct RsaNumbers<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
    pub(super) private_exponent: &'a [u8],
    /// Two or more primes.
    pub(super) primes: Vec<&'a [u8]>,
}

/// Parses an `RSAPrivateKey`.
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
    // The exponents and the coefficient of the Chinese remainder theorem follow, and are not used.
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
        super::{der::write, generated::self_signed_pem, pem, signing::prepare, x509::X509Certificate},
        *,
    };

    /// The bytes of the first block of a text.
    fn bytes(text: &str) -> Vec<u8> {
        let mut blocks = pem::blocks(text);
        blocks.remove(0).bytes.unwrap()
    }

    /// An RSA key of these numbers, and the algorithm and public key of the first two.
    fn rsa(numbers: &[Vec<u8>]) -> (PrivateKey, Vec<u8>, Vec<u8>) {
        let numbers: Vec<Vec<u8>> = numbers.iter().map(|number| write(INTEGER, &[&[0], number])).collect();
        let all = [&write(INTEGER, &[&[0]]), &numbers.concat()[..]].concat();
        let private = PrivateKey::from_pkcs1(KeyType::Rsa, &write(SEQUENCE, &[&all]), &[]);
        let public = write(SEQUENCE, &[&numbers[0], &numbers[1]]);
        let algorithm = [write(OID, &[TYPES[0].1]), vec![5, 0]].concat();
        (private.unwrap(), algorithm, public)
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(bytes: Vec<u8>) {
            drop(PrivateKey::read(&bytes));
            drop(PrivateKey::read(&write(SEQUENCE, &[&write(INTEGER, &[&[0]]), &bytes])));
        }

        #[test]
        fn a_key_with_a_wrong_bit_is_handled_without_a_panic(place: prop::sample::Index, bit in 0..8_u8) {
            let (certificate, key) = self_signed_pem(&["a.example"]);
            let certificate = pem::certificates(&certificate).remove(0).unwrap();
            let certificate = X509Certificate::read(&certificate).unwrap();
            let mut der = bytes(&key);
            let place = place.index(der.len());
            der[place] ^= 1 << bit;
            // It is parsed, refused, or does not match; a byte that is not used changes nothing.
            if let Some(key) = PrivateKey::read(&der) {
                drop(prepare(&key, &certificate.key));
            }
        }
    }

    #[test]
    fn rsa_numbers_that_do_not_match_are_refused() {
        let text = include_str!("../../tests/end_to_end/rsa-8192.key.pem");
        let whole = bytes(text);
        let (content, _) = element(SEQUENCE, &whole).unwrap();
        let numbers: Vec<Vec<u8>> = elements(INTEGER, content)
            .unwrap()
            .iter()
            .skip(1)
            .map(|number| magnitude(number).to_vec())
            .collect();
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
