//! A certificate as it is encoded, of any version. (X.509; RFC 5280, section 4.1.)

use super::der::{
    BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, element, elements, field, first, magnitude,
    optional, whole_bytes,
};
use crate::calendar::days_from_1970;

/// A certificate. What is in it borrows from its bytes.
#[derive(Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// What is signed, as it is encoded.
    pub(super) signed: &'a [u8],
    /// The algorithm of the signature, without its tag, as it stands beside what is signed and in it, and the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signed_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) key: SubjectKey<'a>,
    /// The seconds since 1970 between which it is valid.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    extensions: &'a [u8],
}

/// The public key of a certificate.
#[derive(Clone, Copy)]
pub(super) struct SubjectKey<'a> {
    /// Object identifier and parameters, without the tag around them.
    pub(super) algorithm: &'a [u8],
    pub(super) bits: &'a [u8],
    /// All of it, without the tag around it.
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

impl<'a> Certificate<'a> {
    /// Reads a certificate; none if the bytes are no certificate.
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
        let (not_before, not_after) = period(validity)?;
        // Unique identifiers come before extensions. (Fields 1 and 2, which nothing uses.)
        let (_, body) = optional(0x81, body)?;
        let (_, body) = optional(0x82, body)?;
        let (extensions, _) = optional(field(3), body)?;
        let extensions = match extensions {
            Some(extensions) => element(SEQUENCE, extensions)?.0,
            None => &[],
        };
        let (key, signature) = (SubjectKey::read(content)?, whole_bytes(signature)?);
        let it = Self {
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
        it.extensions().map(|_| it)
    }

    /// Its extensions; a certificate of version 1 has none.
    fn extensions(&self) -> Option<Vec<Extension<'a>>> {
        let read = |content| {
            let (id, rest) = element(OID, content)?;
            let (critical, rest) = optional(BOOLEAN, rest)?;
            let (value, _) = element(OCTET_STRING, rest)?;
            Some(Extension { id, critical: critical.is_some_and(|it| it != [0]), value })
        };
        elements(SEQUENCE, self.extensions)?.into_iter().map(read).collect()
    }

    /// All of its extensions.
    pub(super) fn all_extensions(&self) -> Vec<Extension<'a>> {
        // They were read when the certificate was.
        self.extensions().unwrap_or_default()
    }

    /// The value of an extension.
    pub(super) fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        self.all_extensions().into_iter().find(|it| it.id == id).map(|it| it.value)
    }

    /// Whether it says that it is an authority's.
    pub(super) fn is_authority(&self) -> bool {
        self.constraints().is_some()
    }

    /// Of an authority, the most certificates that may stand between it and the last one; none for any number.
    pub(super) fn most_below(&self) -> Option<usize> {
        let length = self.constraints()?;
        let (length, _) = element(INTEGER, length)?;
        match magnitude(length) {
            [] => Some(0),
            [length] => Some(usize::from(*length)),
            // What is longer than a byte is more than any chain.
            _ => None,
        }
    }

    /// Of an authority, what follows that in its basic constraints. (RFC 5280, section 4.2.1.9.)
    fn constraints(&self) -> Option<&'a [u8]> {
        let (content, _) = element(SEQUENCE, self.extension(BASIC_CONSTRAINTS)?)?;
        let (authority, rest) = element(BOOLEAN, content)?;
        (authority != [0]).then_some(rest)
    }

    /// The first bits of its key usage; none if it may be used for everything. (RFC 5280, section 4.2.1.3.)
    pub(super) fn key_usage(&self) -> Option<u8> {
        let (bits, _) = element(BIT_STRING, self.extension(KEY_USAGE)?)?;
        Some(bits.get(1).copied().unwrap_or(0))
    }

    /// The object identifiers of its extended key usage; none if it may be used for everything.
    pub(super) fn purposes(&self) -> Option<Vec<&'a [u8]>> {
        let value = self.extension(EXTENDED_KEY_USAGE)?;
        Some(element(SEQUENCE, value).and_then(|(content, _)| elements(OID, content)).unwrap_or_default())
    }

    /// Whether it has an alternative name of this tag, or alternative names that cannot be read.
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

    /// The common names of its subject that are plain ASCII.
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
    /// Reads the content of a `SubjectPublicKeyInfo`.
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = element(SEQUENCE, content)?;
        let (bits, _) = element(BIT_STRING, rest)?;
        Some(Self { algorithm, bits: whole_bytes(bits)?, content })
    }
}

/// When a certificate is valid; one whose times cannot be read never is.
fn period(validity: &[u8]) -> Option<(i64, i64)> {
    let (before, after) = validity.split_at_checked(first(validity)?.len())?;
    let after = first(after)?;
    Some((time(before).unwrap_or(i64::MAX), time(after).unwrap_or(i64::MIN)))
}

/// A time in seconds since 1970. (RFC 5280, section 4.1.2.5.)
fn time(der: &[u8]) -> Option<i64> {
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
    if !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| text.get(at..at + 2).map_or(Some(0), |it| it.parse::<i64>().ok());
    let (month, day) = (two(0)?, two(2)?);
    let seconds = two(4)? * 3600 + two(6)? * 60 + two(8)?;
    Some(days_from_1970(year, month, day)? * 86400 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks when a time is.
    #[track_caller]
    fn check(tag: u8, text: &str, expected: Option<i64>) {
        let der = super::super::der::write(tag, &[text.as_bytes()]);
        assert_eq!(time(&der), expected, "{text}");
    }

    #[test]
    fn times_are_read() {
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
    fn bytes_that_are_no_certificate_are_refused() {
        let (text, _) = super::super::generated::signed_by_itself(&["a.example"]);
        let der = super::super::pem::certificates(&text).remove(0).unwrap();
        assert!(Certificate::read(&der).is_some());
        for length in 0..der.len() {
            assert!(Certificate::read(&der[..length]).is_none(), "{length}");
        }
    }
}
