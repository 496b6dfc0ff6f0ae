//! Tests of tokens. Those of other algorithms than HMAC were signed by another implementation (pyca/cryptography);
//! `fixtures` has them, and the public keys.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

use super::{DEF, Jwt, JwtKey, JwtRefusal, KeyFault};
use crate::plugin::{ConsumerRecord, Consumers, Exchange, MatchedRoute, setting_values, test_support};

const RSA: &str = include_str!("fixtures/rsa.pem");
const RSA_1024: &str = include_str!("fixtures/rsa-1024.pem");
const P256: &str = include_str!("fixtures/p256.pem");
const P384: &str = include_str!("fixtures/p384.pem");
const P521: &str = include_str!("fixtures/p521.pem");
const ED25519: &str = include_str!("fixtures/ed25519.pem");
const TOKENS: &str = include_str!("fixtures/tokens.txt");
const NOW: f64 = 1_000_000.0;

/// `alice` (id `a1`) with a key for each algorithm, named like it, and further keys; `guest` without keys.
fn consumers() -> Consumers {
    let mut all = Consumers::default();
    let named = |id: &str, name: &str| ConsumerRecord {
        id: id.to_owned(),
        username: Some(name.to_owned()),
        ..ConsumerRecord::default()
    };
    let alice = all.add(named("a1", "alice"));
    let mut add = |name: &str, algorithm: &str, secret: &str, pem: Option<&str>| {
        all.add_jwt(&alice, name, name, JwtKey::new(algorithm, secret, pem).unwrap());
    };
    for name in ["HS256", "HS384", "HS512"] {
        add(name, name, "secret", None);
    }
    add("no-base64", "HS256", "~", None);
    // "secret" in Base64, in both alphabets and without padding where there is any.
    add("base64", "HS256", "c2VjcmV0", None);
    add("base64-url", "HS256", "-_8", None);
    add("base64-padded", "HS256", "+/8=", None);
    for (algorithm, pem) in public_keys() {
        add(algorithm, algorithm, "secret", Some(pem));
    }
    all.add_jwt(&alice, "ES512", "ES512", JwtKey::reject_all("ES512"));
    all.add(named("g1", "guest"));
    all
}

fn public_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map(|algorithm| (algorithm, RSA));
    of_rsa.into_iter().chain([("ES256", P256), ("ES384", P384), ("EdDSA", ED25519)])
}

fn exchange(request: &str) -> Exchange {
    let mut exchange = test_support::request(request);
    let matched = test_support::matched();
    let matched = MatchedRoute {
        consumers: Arc::new(consumers()),
        route: matched.route,
        route_record: matched.route_record.clone(),
        service: None,
        service_record: matched.service_record.clone(),
    };
    exchange.matched = Some(Arc::new(matched));
    exchange
}

/// A token signed with this secret.
fn signed_token(secret: &[u8], algorithm: &str, claims: &str) -> String {
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let header = format!("{{\"alg\":\"{algorithm}\"}}");
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes());
    format!("{signed}.{}", encode(signature.as_ref()))
}

fn token(algorithm: &str, claims: &str) -> String {
    signed_token(b"secret", algorithm, claims)
}

/// The result of a request at [`NOW`]: the key that authenticates it, or the message of the refusal.
#[track_caller]
fn outcome(config: &str, request: &str) -> String {
    let config = test_support::config(&DEF, config);
    let jwt = Jwt::new(&config.setup()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    match jwt.identify(&exchange(request), NOW) {
        Ok(identity) => identity.credential.unwrap().identifier.to_str().unwrap().to_owned(),
        Err(JwtRefusal::NoToken) => "no token".to_owned(),
        Err(JwtRefusal::Token(message)) => message.into_owned(),
        Err(JwtRefusal::Quarantined(message)) => message,
        Err(JwtRefusal::Claims(wrong)) => {
            wrong.iter().map(|(claim, message)| format!("{claim}: {message}")).collect::<Vec<_>>().join(", ")
        }
    }
}

#[track_caller]
fn check(config: &str, token: &str, expected: &str) {
    let request = format!("GET /\nauthorization: Bearer {token}");
    assert_eq!(outcome(config, &request), expected, "{config} {token}");
}

#[test]
fn every_algorithm_accepts_its_signatures_and_no_others() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        check("{}", &token(algorithm, &format!("{{\"iss\":\"{algorithm}\"}}")), algorithm);
        check(
            "{}",
            &signed_token(b"other", algorithm, &format!("{{\"iss\":\"{algorithm}\"}}")),
            "Invalid signature",
        );
    }
    let tokens: Vec<_> = TOKENS.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(tokens.len(), public_keys().count());
    for (algorithm, token) in tokens {
        check("{}", token, algorithm);
        // Any other signature, and the same one on other claims.
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        check("{}", &format!("{signed}.{first}{}", &signature[1..]), "Invalid signature");
        let (header, _) = signed.split_once('.').unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"iss\":\"{algorithm}\",\"admin\":true}}"));
        check("{}", &format!("{header}.{claims}.{signature}"), "Invalid signature");
        check("{}", &format!("{signed}."), "Invalid signature");
    }
}

#[test]
fn only_the_algorithm_of_the_key_counts() {
    // A public key is public: it must not pass for a secret. Nor does `none`.
    let rs256 = "{\"iss\":\"RS256\"}";
    check("{}", &signed_token(RSA.as_bytes(), "HS256", rs256), "Invalid algorithm");
    check("{}", &token("none", rs256), "Invalid algorithm");
    check("{}", &token("none", "{\"iss\":\"HS256\"}"), "Invalid algorithm");
    check("{}", &token("HS512", "{\"iss\":\"HS256\"}"), "Invalid algorithm");
    check("{}", &token("ES512", "{\"iss\":\"ES512\"}"), "Invalid key/secret");
}

#[test]
fn secrets_may_be_base64() {
    let base64 = "{secret_is_base64: true}";
    let claims = |key: &str| format!("{{\"iss\":\"{key}\"}}");
    check(base64, &token("HS256", &claims("base64")), "base64");
    check(base64, &signed_token(b"c2VjcmV0", "HS256", &claims("base64")), "Invalid signature");
    check("{}", &signed_token(b"c2VjcmV0", "HS256", &claims("base64")), "base64");
    for key in ["base64-url", "base64-padded"] {
        check(base64, &signed_token(&[0xfb, 0xff], "HS256", &claims(key)), key);
    }
    check(base64, &signed_token(b"~", "HS256", &claims("no-base64")), "Invalid key/secret");
    // Public keys are what they are.
    let (name, token) = TOKENS.lines().next().and_then(|line| line.split_once(' ')).unwrap();
    check(base64, token, name);
}

#[test]
fn the_claim_names_the_key() {
    let hs256 = |claims: &str| token("HS256", claims);
    check("{}", &hs256("{}"), "No mandatory 'iss' in claims");
    check("{}", &hs256("{\"iss\":\"\"}"), "Invalid 'iss' in claims");
    check("{}", &hs256("{\"iss\":1}"), "Invalid 'iss' in claims");
    check("{}", &hs256("{\"iss\":\"nobody\"}"), "No credentials found for given 'iss'");
    check("{key_claim_name: kid}", &hs256("{\"kid\":\"HS256\"}"), "HS256");
    check("{key_claim_name: alg}", &hs256("{}"), "HS256");
    check("{}", "a.b", "Bad token; it has not three parts");
}

#[test]
fn the_validity_of_tokens_is_limited() {
    let at = |claims: &str| token("HS256", &format!("{{\"iss\":\"HS256\"{claims}}}"));
    let both = "{claims_to_verify: [exp, nbf]}";
    for (config, claims, expected) in [
        ("{}", ",\"exp\":1", "HS256"),
        ("{claims_to_verify: [exp]}", ",\"exp\":1000001", "HS256"),
        ("{claims_to_verify: [exp]}", ",\"exp\":1000000", "exp: token expired"),
        ("{claims_to_verify: [exp]}", ",\"exp\":999999.5", "exp: token expired"),
        ("{claims_to_verify: [exp]}", "", "exp: must be a number"),
        ("{claims_to_verify: [exp]}", ",\"exp\":\"1000001\"", "exp: must be a number"),
        ("{claims_to_verify: [nbf]}", ",\"nbf\":1000000", "HS256"),
        ("{claims_to_verify: [nbf]}", ",\"nbf\":1000001", "nbf: token not valid yet"),
        (both, ",\"exp\":1,\"nbf\":2000000", "exp: token expired, nbf: token not valid yet"),
        ("{claims_to_verify: [exp], maximum_expiration: 60}", ",\"exp\":1000060", "HS256"),
        (
            "{claims_to_verify: [exp], maximum_expiration: 60}",
            ",\"exp\":1000061",
            "exp: is more than 60 seconds ahead",
        ),
    ] {
        check(config, &at(claims), expected);
    }
}

#[test]
fn tokens_are_found_wherever_they_may_be() {
    let (one, other) = (token("HS256", "{\"iss\":\"HS256\"}"), token("HS512", "{\"iss\":\"HS512\"}"));
    let several = "Multiple tokens provided";
    let cookies = "{cookie_names: [session, sso]}";
    let headers = "{header_names: [X-Token, authorization]}";
    for (config, request, expected) in [
        ("{}", "GET /".to_owned(), "no token"),
        ("{}", format!("GET /?jwt={one}"), "HS256"),
        ("{}", format!("GET /?jwt=&jwt={one}"), "HS256"),
        ("{}", format!("GET /?token={one}"), "no token"),
        ("{uri_param_names: [token, t]}", format!("GET /?t={one}"), "HS256"),
        ("{}", format!("GET /\ncookie: session={one}"), "no token"),
        (cookies, format!("GET /\ncookie: a=b; session={one}; c"), "HS256"),
        (cookies, format!("GET /\ncookie: a=b\ncookie: sso={one}"), "HS256"),
        ("{}", format!("GET /\nauthorization: bearer {one}"), "HS256"),
        ("{}", format!("GET /\nauthorization: Bearer   {one}"), "HS256"),
        ("{}", format!("GET /\nauthorization: {one}"), "no token"),
        ("{}", format!("GET /\nauthorization: Basic {one}"), "no token"),
        ("{}", "GET /\nauthorization: Bearer".to_owned(), "no token"),
        ("{}", format!("GET /\nx-token: Bearer {one}"), "no token"),
        (headers, format!("GET /\nx-token: Bearer {one}"), "HS256"),
        (headers, format!("GET /\nauthorization: Basic YTpi\nx-token: Bearer {one}"), "HS256"),
        (headers, format!("GET /\nauthorization: Bearer {one}\nx-token: Bearer {one}"), "HS256"),
        (headers, format!("GET /\nauthorization: Bearer {other}\nx-token: Bearer {one}"), several),
        ("{}", format!("GET /?jwt={one}\nauthorization: Bearer {one}"), "HS256"),
        ("{}", format!("GET /?jwt={one}\nauthorization: Bearer {other}"), several),
        ("{}", format!("GET /?jwt={one}&jwt={other}"), several),
    ] {
        assert_eq!(outcome(config, &request), expected, "{config} {request}");
    }
}

/// The refusal, or the headers for the upstream.
#[track_caller]
fn answer(config: &str, request: &str) -> String {
    let plugin = test_support::plugin(&DEF, config);
    let mut exchange = exchange(request);
    let Some(response) = test_support::access(&*plugin, &mut exchange) else {
        let value = |name: &'static str| {
            let field = exchange.upstream_field(&http::HeaderName::from_static(name));
            field.map_or("-", |value| value.to_str().unwrap())
        };
        return ["x-consumer-username", "x-credential-identifier", "x-anonymous-consumer"]
            .map(value)
            .join(" ");
    };
    let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    format!("{status} {challenge} {}", test_support::text(response.into_body()))
}

#[test]
fn refusals_are_kongs() {
    let bearer = |token: &str| format!("GET /\nauthorization: Bearer {token}\nx-anonymous-consumer: true");
    let expired = bearer(&token("HS256", "{\"iss\":\"HS256\",\"exp\":1}"));
    for (config, request, expected) in [
        ("{}", "GET /".to_owned(), "401 Bearer {\"message\":\"Unauthorized\"}"),
        ("{realm: shop}", "GET /".to_owned(), "401 Bearer realm=\"shop\" {\"message\":\"Unauthorized\"}"),
        (
            "{}",
            bearer("a"),
            "401 Bearer error=\"invalid_token\" {\"message\":\"Bad token; it has not three parts\"}",
        ),
        (
            "{realm: shop, claims_to_verify: [exp]}",
            expired.clone(),
            "401 Bearer realm=\"shop\", error=\"invalid_token\" {\"exp\":\"token expired\"}",
        ),
        ("{claims_to_verify: [exp], anonymous: guest}", expired.clone(), "guest - true"),
        ("{anonymous: g1}", "GET /".to_owned(), "guest - true"),
        ("{}", expired, "alice HS256 -"),
        ("{run_on_preflight: false}", "OPTIONS /".to_owned(), "- - -"),
        ("{}", "OPTIONS /".to_owned(), "401 Bearer {\"message\":\"Unauthorized\"}"),
    ] {
        assert_eq!(answer(config, &request), expected, "{config} {request}");
    }
}

#[test]
fn keys_are_parsed_at_load() {
    let why = |algorithm: &str, pem: Option<&str>| match JwtKey::new(algorithm, "secret", pem) {
        Ok(_) => "-".to_owned(),
        Err(KeyFault::PublicKey(message)) => format!("key: {message}"),
        Err(KeyFault::Algorithm(message)) => format!("algorithm: {message}"),
    };
    for (algorithm, pem, expected) in [
        ("RS256", Some(RSA), "-"),
        ("ES256", None, "algorithm: there is no public key to verify ES256 with"),
        ("ES512", Some(P521), "algorithm: signatures of ES512 cannot be verified by this version of mynah"),
        ("RS256", Some(P256), "key: invalid key: it is one of P-256, and RS256 needs one of RSA"),
        ("ES384", Some(P256), "key: invalid key: it is one of P-256, and ES384 needs one of P-384"),
        ("ES256", Some(P521), "key: invalid key: it is of another kind than RSA, P-256, P-384 and Ed25519"),
        (
            "PS256",
            Some(RSA_1024),
            "key: invalid key: it is an RSA key of 1024 bits; 2048 to 8192 are allowed",
        ),
        ("EdDSA", Some("secret"), "key: invalid key: there is no `-----BEGIN PUBLIC KEY-----` in it"),
    ] {
        assert_eq!(why(algorithm, pem), expected, "{algorithm}");
    }
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{claims_to_verify: [aud]}", "config.claims_to_verify[0]: expected one of: exp, nbf"),
        ("{maximum_expiration: -1}", "config.maximum_expiration: value should be between 0 and 31536000"),
        ("{maximum_expiration: 1}", "config.claims_to_verify: expected to contain: exp"),
        ("{header_names: ['a b']}", "config.header_names[0]: bad header name 'a b'"),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
    let config = test_support::config(&DEF, "{uri_param_names: [a, a]}");
    assert_eq!(setting_values::strings(config.setup().config, "uri_param_names").count(), 1);
}
