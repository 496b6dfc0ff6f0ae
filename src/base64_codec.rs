//! Base64: the alphabets and the degrees of strictness that the gateway uses. (RFC 4648, sections 4 and 5.)

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Encodes with the standard alphabet and padding.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// Encodes with the alphabet for URLs, without padding.
#[must_use]
pub fn encode_url(bytes: impl AsRef<[u8]>) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the standard alphabet with padding.
#[must_use]
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    general_purpose::STANDARD.decode(text).ok()
}

/// Decodes the standard alphabet; padding may be missing.
#[must_use]
pub fn decode_any_padding(text: &str) -> Option<Vec<u8>> {
    STANDARD_ANY_PADDING.decode(text).ok()
}

/// Decodes either alphabet; padding may be missing.
#[must_use]
pub fn decode_any_alphabet(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { &URL_ANY_PADDING } else { &STANDARD_ANY_PADDING };
    engine.decode(text).ok()
}

/// Decodes the standard alphabet as clients write it: up to two padding characters, needed or not, and any bits after
/// the last whole byte.
#[must_use]
pub fn decode_lenient(text: &[u8]) -> Option<Vec<u8>> {
    let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    LENIENT.decode(unpadded).ok()
}

/// Decodes the alphabet for URLs without padding.
#[must_use]
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_decoded() {
        for (text, expected) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            let expected = expected.as_bytes();
            assert_eq!(encode(expected), text);
            assert_eq!(decode(text).as_deref(), Some(expected), "{text}");
            assert_eq!(decode_lenient(text.as_bytes()).as_deref(), Some(expected), "{text}");
            let unpadded = text.trim_end_matches('=');
            assert_eq!(encode_url(expected), unpadded);
            assert_eq!(decode_any_padding(text).as_deref(), Some(expected), "{text}");
            assert_eq!(decode_any_padding(unpadded).as_deref(), Some(expected), "{text}");
            assert_eq!(decode_url(unpadded).as_deref(), Some(expected), "{text}");
            assert_eq!(decode_lenient(unpadded.as_bytes()).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(decode_lenient(b"+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(decode_any_alphabet("-_-_"), decode_any_alphabet("+/+/"));
    }

    #[test]
    fn only_the_lenient_decoder_takes_what_is_not_canonical() {
        for text in ["Zh==", "Zm9v=", "Zm9vYg="] {
            assert_eq!(decode(text), None, "{text}");
            assert!(decode_lenient(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["Z", "Zg===", "!!!!", "Zm 9v"] {
            assert_eq!(decode_lenient(text.as_bytes()), None, "{text}");
        }
    }
}
