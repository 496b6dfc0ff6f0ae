//! Parser of tokens: JSON Web Signatures in compact form. (RFC 7515, section 7.1; RFC 7519.)

use serde_json::{Map, Value};

use crate::base64_codec;

/// A parsed token whose signature is not verified.
#[derive(Debug, PartialEq)]
pub(super) struct UnverifiedToken<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// The signed part: header and claims as they were sent.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

/// Parses a token.
///
/// # Errors
/// Why the text is not a token.
pub(super) fn read(text: &str) -> Result<UnverifiedToken<'_>, &'static str> {
    let (signed, signature) = text.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
    let (header, claims) =
        signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(NOT_THREE_PARTS)?;
    let decode = |part: &str| base64_codec::decode_url(part.trim_end_matches('='));
    let object = |part: &str| serde_json::from_slice(&decode(part)?).ok();
    let header: Map<String, Value> = object(header).ok_or("its header is no JSON object in Base64")?;
    let claims = object(claims).ok_or("its claims are no JSON object in Base64")?;
    let signature = decode(signature).ok_or("its signature is no Base64")?;
    // Tokens with unsupported critical members must be rejected. (RFC 7515, section 4.1.11.)
    if header.contains_key("crit") {
        return Err("its header has critical members, and none is understood");
    }
    Ok(UnverifiedToken { header, claims, signed, signature })
}

const NOT_THREE_PARTS: &str = "it has not three parts";

impl UnverifiedToken<'_> {
    /// The algorithm in the header.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.header.get("alg").and_then(Value::as_str)
    }

    /// A member of the claims, else of the header.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        let is_given = |all: &'_ Map<String, Value>| all.get(name).is_some_and(|value| !value.is_null());
        let all = if is_given(&self.claims) { &self.claims } else { &self.header };
        all.get(name).filter(|value| !value.is_null())
    }

    /// A claim with a time, in seconds since 1970. (RFC 7519, section 2, `NumericDate`.)
    pub(super) fn time(&self, claim: &str) -> Option<f64> {
        self.claims.get(claim)?.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        base64_codec::encode_url(text)
    }

    #[test]
    fn malformed_tokens_are_rejected_with_a_reason() {
        let (header, claims) = (encode("{\"alg\":\"HS256\"}"), encode("{\"iss\":\"a\"}"));
        let critical = encode("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}");
        let header_is_none = "its header is no JSON object in Base64";
        let claims_are_none = "its claims are no JSON object in Base64";
        for (text, expected) in [
            (format!("{header}.{claims}.AAAA"), ""),
            (format!("{header}.{claims}.AAA="), ""),
            (format!("{header}.{claims}."), ""),
            (String::new(), NOT_THREE_PARTS),
            ("a".to_owned(), NOT_THREE_PARTS),
            (format!("{header}.{claims}"), NOT_THREE_PARTS),
            (format!("{header}.{claims}.AAAA.AAAA"), NOT_THREE_PARTS),
            (format!("?.{claims}.AAAA"), header_is_none),
            (format!("{}.{claims}.AAAA", encode("[1]")), header_is_none),
            (format!("{header}.{}.AAAA", encode("{")), claims_are_none),
            (format!("{header}.{}.AAAA", encode("1")), claims_are_none),
            (format!("{header}.{claims}.A*"), "its signature is no Base64"),
            (format!("{critical}.{claims}.AAAA"), "its header has critical members, and none is understood"),
        ] {
            assert_eq!(read(&text).err().unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn claims_come_before_the_header() {
        let text = |header: &str, claims: &str| format!("{}.{}.", encode(header), encode(claims));
        for (header, claims, expected) in [
            ("{\"iss\":\"h\"}", "{\"iss\":\"c\"}", Some("c")),
            ("{\"iss\":\"h\"}", "{}", Some("h")),
            ("{\"iss\":\"h\"}", "{\"iss\":null}", Some("h")),
            ("{}", "{\"iss\":\"\"}", Some("")),
            ("{}", "{}", None),
        ] {
            let text = text(header, claims);
            let token = read(&text).unwrap();
            assert_eq!(token.member("iss").and_then(Value::as_str), expected, "{header} {claims}");
        }
    }
}
