//! Parser of certificates, of any version. (X.509; RFC 5280, section 4.1.)

use super::der::{
    BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, element, elements, field, first, magnitude,
    optional, whole_bytes,
};
use crate::calendar::days_from_1970;

/// A certificate, which borrows its encoding.
#[derive(Clone, Copy)]
pub(super) struct X509Certificate<'a> {
    /// The signed part, encoded.
    pub(super) signed: &'a [u8],
    /// The algorithm of the signature, without its tag, outside of the signed part and inside of it; the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signed_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) key: SubjectKey<'a>,
    /// Begin and end of the validity, in seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    extensions: &'a [u8],
}

/// The public key of a certificate.
#[derive(Clone, Copy)]
pub(super) struct SubjectKey<'a> {
    /// Object identifier and parameters, without the outer tag.
    pub(super) algorithm: &'a [u8],
    pub(super) bits: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`, without the outer tag.
    pub(super) content: &'a [u8],
}

/// An extension of a certificate.
#[derive(Clone, Copy)]
pub(super) struct Extension<'a> {
    pub(super) id: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Object identifiers of extensions. (RFC 5280, section 4.2.1.)
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub(super) const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];

/// The object identifier of a common name. (RFC 4519, section 2.3.)
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

impl<'a> X509Certificate<'a> {
    /// Parses a certificate; `None` if the bytes are not a certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (whole, _) = element(SEQUENCE, der)?;
        let signed = first(whole)?;
        let (body, rest) = element(SEQUENCE, whole)?;
        let (algorithm, rest) = element(SEQUENCE, rest)?;
        let (signature, _) = element(BIT_STRING, rest)?;
        let (_version, body) = optional(field(0), body)?;
        let (_serial, body) = element(INTEGER, body)?;
        let (signed_algorithm, body) = element(SEQUENCE, body)?;
        let (issuer, body) = element(SEQUENCE, body)?;
        let (validity, body) = element(SEQUENCE, body)?;
        let (subject, body) = element(SEQUENCE, body)?;
        let (content, body) = element(SEQUENCE, body)?;
        let (not_before, not_after) = parse_validity(validity)?;
        // Unique identifiers, fields 1 and 2, precede extensions, and are not used.
        let (_, body) = optional(0x81, body)?;
        let (_, body) = optional(0x82, body)?;
        let (extensions, _) = optional(field(3), body)?;
        let extensions = match extensions {
            Some(extensions) => element(SEQUENCE, extensions)?.0,
            None => &[],
        };
        let (key, signature) = (SubjectKey::read(content)?, whole_bytes(signature)?);
        let certificate = Self {
            signed,
            algorithm,
            signed_algorithm,
            signature,
            issuer,
            subject,
            key,
            not_before,
            not_after,
            extensions,
        };
        certificate.extensions().map(|_| certificate)
    }

    /// Parses the extensions; a certificate of version 1 has none.
    fn extensions(&self) -> Option<Vec<Extension<'a>>> {
        let read = |content| {
            let (id, rest) = element(OID, content)?;
            let (critical, rest) = optional(BOOLEAN, rest)?;
            let (value, _) = element(OCTET_STRING, rest)?;
            Some(Extension { id, critical: critical.is_some_and(|value| value != [0]), value })
        };
        elements(SEQUENCE, self.extensions)?.into_iter().map(read).collect()
    }

    /// All extensions.
    pub(super) fn all_extensions(&self) -> Vec<Extension<'a>> {
        // They were parsed together with the certificate.
        self.extensions().unwrap_or_default()
    }

    /// The value of an extension.
    pub(super) fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        self.all_extensions()
            .into_iter()
            .find(|extension| extension.id == id)
            .map(|extension| extension.value)
    }

    /// Whether the basic constraints declare an authority.
    pub(super) fn is_authority(&self) -> bool {
        self.constraints().is_some()
    }

    /// The largest number of intermediate certificates below an authority; `None` for any number.
    pub(super) fn max_path_length(&self) -> Option<usize> {
        let length = self.constraints()?;
        let (length, _) = element(INTEGER, length)?;
        match magnitude(length) {
            [] => Some(0),
            [length] => Some(usize::from(*length)),
            // A longer number exceeds the length of any chain.
            _ => None,
        }
    }

    /// The part of the basic constraints of an authority after `cA`. (RFC 5280, section 4.2.1.9.)
    fn constraints(&self) -> Option<&'a [u8]> {
        let (content, _) = element(SEQUENCE, self.extension(BASIC_CONSTRAINTS)?)?;
        let (authority, rest) = element(BOOLEAN, content)?;
        (authority != [0]).then_some(rest)
    }

    /// The first bits of the key usage; `None` if the key may be used for everything. (RFC 5280, section 4.2.1.3.)
    pub(super) fn key_usage(&self) -> Option<u8> {
        let (bits, _) = element(BIT_STRING, self.extension(KEY_USAGE)?)?;
        Some(bits.get(1).copied().unwrap_or(0))
    }

    /// The object identifiers of the extended key usage; `None` if the key may be used for everything.
    pub(super) fn purposes(&self) -> Option<Vec<&'a [u8]>> {
        let value = self.extension(EXTENDED_KEY_USAGE)?;
        Some(element(SEQUENCE, value).and_then(|(content, _)| elements(OID, content)).unwrap_or_default())
    }

    /// Whether there is an alternative name of this tag, or alternative names that cannot be parsed.
    pub(super) fn has_alternative_name(&self, tag: u8) -> bool {
        let Some(value) = self.extension(ALTERNATIVE_NAMES) else { return false };
        let Some((mut names, _)) = element(SEQUENCE, value) else { return true };
        while let Some(found) = names.first() {
            let Some((_, rest)) = element(*found, names) else { return true };
            if *found == tag {
                return true;
            }
            names = rest;
        }
        false
    }

    /// The common names of the subject that are printable ASCII.
    pub(super) fn common_names(&self) -> Vec<&'a str> {
        let names = elements(SET, self.subject).unwrap_or_default().into_iter();
        let names = names.filter_map(|set| elements(SEQUENCE, set)).flatten();
        names
            .filter_map(|name| {
                let (id, value) = element(OID, name)?;
                let (text, _) = element(*value.first()?, value)?;
                let printable = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
                (id == COMMON_NAME && printable).then(|| std::str::from_utf8(text).ok()).flatten()
            })
            .collect()
    }
}

impl<'a> SubjectKey<'a> {
    /// Parses the content of a `SubjectPublicKeyInfo`.
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = element(SEQUENCE, content)?;
        let (bits, _) = element(BIT_STRING, rest)?;
        Some(Self { algorithm, bits: whole_bytes(bits)?, content })
    }
}

/// The validity of a certificate; it is never valid if its times cannot be parsed.
fn parse_validity(validity: &[u8]) -> Option<(i64, i64)> {
    let (before, after) = validity.split_at_checked(first(validity)?.len())?;
    let after = first(after)?;
    Some((parse_time(before).unwrap_or(i64::MAX), parse_time(after).unwrap_or(i64::MIN)))
}

/// Parses a time, in seconds since 1970. (RFC 5280, section 4.1.2.5.)
fn parse_time(der: &[u8]) -> Option<i64> {
    let tag = *der.first()?;
    let (text, _) = element(tag, der)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (year.parse().ok()?, text)
        }
        _ => return None,
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two_digits = |at: usize| text.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i64>().ok());
    let (month, day) = (two_digits(0)?, two_digits(2)?);
    let seconds = two_digits(4)? * 3600 + two_digits(6)? * 60 + two_digits(8)?;
    Some(days_from_1970(year, month, day)? * 86400 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the seconds of a time.
    #[track_caller]
    fn check(tag: u8, text: &str, expected: Option<i64>) {
        let der = super::super::der::write(tag, &[text.as_bytes()]);
        assert_eq!(parse_time(&der), expected, "{text}");
    }

    #[test]
    fn times_are_parsed() {
        check(UTC_TIME, "700101000000Z", Some(0));
        check(UTC_TIME, "000229120000Z", Some(951_825_600));
        check(UTC_TIME, "491231235959Z", Some(2_524_607_999));
        check(UTC_TIME, "500101000000Z", Some(-631_152_000));
        check(GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000));
        check(GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799));
        check(UTC_TIME, "7001010000Z", Some(0));
        check(UTC_TIME, "701301000000Z", None);
        check(UTC_TIME, "70010a000000Z", None);
        check(UTC_TIME, "700101000000", None);
        check(UTC_TIME, "Z", None);
        check(GENERALIZED_TIME, "€", None);
    }

    #[test]
    fn bytes_that_are_not_a_certificate_are_refused() {
        let (text, _) = super::super::generated::self_signed_pem(&["a.example"]);
        let der = super::super::pem::certificates(&text).remove(0).unwrap();
        assert!(X509Certificate::read(&der).is_some());
        for length in 0..der.len() {
            assert!(X509Certificate::read(&der[..length]).is_none(), "{length}");
        }
    }
}
