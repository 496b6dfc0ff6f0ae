//! JSON Web Keys of the types that Kong loads. (RFC 7517; RFC 7518, section 6; RFC 8037.)

use serde_json::{Map, Value as Json};

use crate::{base64_codec, tls};

/// Members of a key that are texts. (Kong: Key object, `jwk`.)
const TEXTS: [&str; 22] = [
    "issuer", "kty", "use", "alg", "kid", "x5u", "x5t", "x5t#S256", "k", "x", "y", "crv", "n", "e", "d", "p",
    "q", "dp", "dq", "qi", "r", "t",
];

/// Members of a key that are lists of texts.
const LISTS: [&str; 2] = ["key_ops", "x5c"];

/// A member that Kong takes for a text, though it is a list of records. (RFC 7518, section 6.3.2.7.)
const OTHER_PRIMES: &str = "oth";

/// Checks the text of a key that has this id, with Kong's messages.
///
/// # Errors
/// If it is no JSON, has another id, cannot be loaded, or has members of wrong types.
pub(super) fn check_jwk(text: &str, kid: &str) -> Result<(), String> {
    let key: Json = serde_json::from_str(text).map_err(|_| "could not json decode jwk string".to_owned())?;
    if key.get("kid").and_then(Json::as_str) != Some(kid) {
        return Err("kid in jwk.kid must be equal to keys.kid".to_owned());
    }
    let members = key.as_object().filter(|members| is_loadable(members));
    let members = members.ok_or("could not load JWK, likely not a valid key")?;
    let faults: Vec<String> = members.iter().filter_map(|(name, value)| member_fault(name, value)).collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("schema violation ({})", faults.join("; "))) }
}

/// Whether the members that its type requires are there, and are such numbers.
fn is_loadable(members: &Map<String, Json>) -> bool {
    let text = |name: &str| members.get(name).and_then(Json::as_str);
    let number =
        |name: &str| text(name).and_then(base64_codec::decode_any_alphabet).filter(|bytes| !bytes.is_empty());
    // A private key lacks no number, and each that is there must be one.
    let are_numbers =
        |names: &[&str]| names.iter().all(|name| absent(members.get(*name)) || number(name).is_some());
    match text("kty") {
        Some("RSA") => {
            number("n").is_some() && number("e").is_some() && are_numbers(&["d", "p", "q", "dp", "dq", "qi"])
        }
        Some("EC") => match (text("crv"), number("x"), number("y")) {
            (Some(curve), Some(x), Some(y)) => are_numbers(&["d"]) && tls::is_point_of(curve, &x, &y),
            _ => false,
        },
        Some("OKP") => {
            let length = match text("crv") {
                Some("Ed25519" | "X25519") => 32,
                Some("Ed448") => 57,
                Some("X448") => 56,
                _ => return false,
            };
            let name = if absent(members.get("d")) { "x" } else { "d" };
            number(name).is_some_and(|bytes| bytes.len() == length)
        }
        _ => false,
    }
}

fn absent(member: Option<&Json>) -> bool {
    member.is_none_or(Json::is_null)
}

fn member_fault(name: &str, value: &Json) -> Option<String> {
    let is_list = LISTS.contains(&name);
    let message = match value {
        _ if !is_list && !TEXTS.contains(&name) && name != OTHER_PRIMES => "unknown field",
        Json::Null => return None,
        Json::String(text) if text.is_empty() && !is_list => "length must be at least 1",
        Json::String(_) if !is_list => return None,
        Json::Array(items) if is_list => {
            if items.iter().all(Json::is_string) {
                return None;
            }
            "expected a string"
        }
        _ if is_list => "expected an array",
        _ => "expected a string",
    };
    Some(format!("{name}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSA: &str = r#""kid":"1","kty":"RSA","n":"sXchDaQebHnPiGvyDOAT","e":"AQAB""#;
    // RFC 7517, appendix A.1.
    const EC: &str = r#""kid":"1","kty":"EC","crv":"P-256",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#;
    // RFC 8037, appendix A.2.
    const OKP: &str =
        r#""kid":"1","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    #[test]
    fn a_key_is_checked_in_kongs_order() {
        let broken = Err("could not load JWK, likely not a valid key");
        let other_id = Err("kid in jwk.kid must be equal to keys.kid");
        for (text, expected) in [
            (format!("{{{RSA}}}"), Ok(())),
            (format!("{{{EC}}}"), Ok(())),
            (format!("{{{OKP}}}"), Ok(())),
            (format!(r#"{{{RSA},"use":"sig","key_ops":["verify"],"x5c":["a"],"alg":null}}"#), Ok(())),
            ("{".to_owned(), Err("could not json decode jwk string")),
            (String::from("kid"), Err("could not json decode jwk string")),
            ("[]".to_owned(), other_id),
            ("7".to_owned(), other_id),
            (r#"{"kid":"2","kty":"RSA"}"#.to_owned(), other_id),
            (r#"{"kid":1}"#.to_owned(), other_id),
            (r#"{"kid":"1"}"#.to_owned(), broken),
            (r#"{"kid":"1","kty":"RSA","n":"AQAB"}"#.to_owned(), broken),
            (r#"{"kid":"1","kty":"RSA","n":"*","e":"AQAB"}"#.to_owned(), broken),
            (r#"{"kid":"1","kty":"RSA","n":7,"e":"AQAB"}"#.to_owned(), broken),
            (r#"{"kid":"1","kty":"oct","k":"AQAB"}"#.to_owned(), broken),
            (format!("{{{RSA},\"d\":\"*\"}}"), broken),
            (format!("{{{}}}", EC.replace("P-256", "P-384")), broken),
            (format!("{{{}}}", EC.replace("4Etl", "4Etm")), broken),
            (format!("{{{}}}", OKP.replace("Ed25519", "X448")), broken),
            (format!(r#"{{{OKP},"d":"AQAB"}}"#), broken),
            (
                format!(r#"{{{RSA},"use":"","key_ops":"a"}}"#),
                Err("schema violation (use: length must be at least 1; key_ops: expected an array)"),
            ),
            (format!(r#"{{{RSA},"ext":true}}"#), Err("schema violation (ext: unknown field)")),
            (
                format!(r#"{{{RSA},"x5c":[1],"alg":1}}"#),
                Err("schema violation (x5c: expected a string; alg: expected a string)"),
            ),
        ] {
            assert_eq!(check_jwk(&text, "1"), expected.map_err(str::to_owned), "{text}");
        }
    }
}
