//! Keys and key sets: what a file, `POST /config` and the Admin API accept, in Kong's words. (Kong: Key object.)

use serde_json::{Value, json};

use crate::gateway::Setup;

/// RFC 7517, appendix A.1, with an id of its own.
const POINT: &str = r#"{"kid":"1","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

/// Records, and what is wrong with each, as Kong's `fields`.
fn cases() -> Vec<(Value, Value)> {
    let entity = |message: &str| json!({ "@entity": [message] });
    let none = entity("at least one of these fields must be non-empty: 'jwk', 'pem'");
    let half = entity("at least one of these fields must be non-empty: 'private_key', 'public_key'");
    let both = entity("only one or none of these fields must be set: 'jwk', 'pem'");
    let other_id = entity("kid in jwk.kid must be equal to keys.kid");
    let unloadable = entity("could not load JWK, likely not a valid key");
    let broken = "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----";
    vec![
        (json!({ "kid": "1", "jwk": POINT }), Value::Null),
        (json!({ "kid": "1", "jwk": "{vault://env/key}" }), Value::Null),
        (json!({ "kid": "1", "pem": { "public_key": "{vault://env/key}" } }), Value::Null),
        (json!({ "jwk": POINT }), json!({ "kid": "required field missing" })),
        (json!({ "kid": "1" }), none),
        (json!({ "kid": "2", "jwk": POINT }), other_id.clone()),
        (json!({ "kid": "1", "jwk": "[]" }), other_id),
        (json!({ "kid": "1", "jwk": "{" }), entity("could not json decode jwk string")),
        (json!({ "kid": "1", "jwk": r#"{"kid":"1"}"# }), unloadable.clone()),
        (json!({ "kid": "1", "jwk": r#"{"kid":"1","kty":"oct","k":"AQAB"}"# }), unloadable.clone()),
        (json!({ "kid": "1", "jwk": POINT.replace("4Etl", "4Etm") }), unloadable),
        (
            json!({ "kid": "1", "jwk": POINT.replace("\"kty\"", "\"ext\":true,\"kty\"") }),
            entity("schema violation (ext: unknown field)"),
        ),
        (json!({ "kid": "1", "pem": {} }), json!({ "pem": half })),
        (json!({ "kid": "1", "pem": "x" }), json!({ "pem": "expected a record" })),
        (json!({ "kid": "1", "pem": { "key": "x" } }), json!({ "pem": { "key": "unknown field" } })),
        (json!({ "kid": "1", "pem": { "public_key": "x" } }), json!({ "pem": "could not load public key" })),
        (
            json!({ "kid": "1", "pem": { "public_key": broken } }),
            json!({ "pem": "could not load public key" }),
        ),
        (
            json!({ "kid": "1", "pem": { "private_key": broken } }),
            json!({ "pem": "could not load private key" }),
        ),
        (json!({ "kid": "1", "jwk": POINT, "pem": { "public_key": "{vault://env/key}" } }), both),
    ]
}

#[test]
fn the_admin_api_checks_keys_as_kong_does() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (record, expected) in cases() {
        let answer = gateway.admin_json("POST", "/schemas/keys/validate", record.clone());
        if expected.is_null() {
            assert_eq!(answer.status, 200, "{record} {answer:?}");
        } else {
            assert_eq!((answer.status, &answer.json()["fields"]), (400, &expected), "{record}");
        }
    }
}

#[test]
fn a_configuration_checks_keys_as_kong_does() {
    let gateway = Setup::with("_format_version: \"3.0\"\n").run();
    for (record, expected) in cases() {
        // Two keys of the same name follow: what is wrong with the first one comes before.
        let mut keys = vec![record.clone()];
        if !expected.is_null() {
            let same = json!({ "kid": "1", "name": "a", "jwk": POINT });
            keys.extend([same.clone(), same]);
        }
        let answer = gateway.admin_json("POST", "/config", json!({ "_format_version": "3.0", "keys": keys }));
        if expected.is_null() {
            assert_eq!(answer.status, 201, "{record} {answer:?}");
        } else {
            assert_eq!(
                (answer.status, &answer.json()["fields"]["keys"]),
                (400, &json!([expected])),
                "{record}"
            );
        }
    }
}
