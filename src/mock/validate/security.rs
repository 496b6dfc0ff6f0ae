//! Whether a request brings the proofs that its operation asks for. They are not verified: any key will do.

use http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

use super::{ValidatedRequest, Violation};
use crate::{
    base64_codec,
    openapi::{
        Api, Operation,
        api::{ParameterLocation, SecurityKind},
    },
};

/// The violation, if none of the ways in is open. It carries the challenges of all that failed.
pub(super) fn check(api: &Api, operation: &Operation, sent: &ValidatedRequest<'_>) -> Option<Violation> {
    let mut challenges = Vec::new();
    let mut closed = false;
    for way in operation.security.iter() {
        let mut open = true;
        if way.schemes.is_empty() && sent.headers.contains_key(AUTHORIZATION) {
            // Who shows a proof wants it to be looked at; without one this way is open.
            challenges.push("None".to_owned());
            open = false;
        }
        for (name, _) in &way.schemes {
            let scheme = api.security_schemes.iter().find(|it| it.name == *name);
            if let Some(Err(challenge)) = scheme.map(|it| prove(&it.kind, sent)) {
                challenges.extend(challenge.map(str::to_owned));
                open = false;
            }
        }
        if open {
            return None;
        }
        closed = true;
    }
    closed.then(|| {
        let violation = Violation::with_status(Vec::new(), 401, "Invalid security scheme used");
        Violation { challenges, ..violation }
    })
}

/// Whether the proof is there; else what to challenge the client with, if there is something to say.
fn prove(kind: &SecurityKind, sent: &ValidatedRequest<'_>) -> Result<(), Option<&'static str>> {
    const BASIC: &str = "Basic realm=\"*\"";
    const DIGEST: &str = "Digest realm=\"*\", nonce=\"abc123\"";
    let authorization = text(sent.headers, &AUTHORIZATION).unwrap_or_default();
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let is_scheme = |name: &str| scheme.eq_ignore_ascii_case(name);
    let (proven, challenge) = match kind {
        SecurityKind::ApiKey { location, name } => (has_key(*location, name, sent), None),
        SecurityKind::Http { scheme } if scheme == "basic" => {
            (is_scheme("basic") && is_basic(token), (!is_scheme("basic")).then_some(BASIC))
        }
        SecurityKind::Http { scheme } if scheme == "digest" => {
            (is_scheme("digest") && is_digest(token), (!is_scheme("digest")).then_some(DIGEST))
        }
        SecurityKind::Http { scheme } if scheme == "bearer" => {
            (is_scheme("bearer") && !token.trim().is_empty(), Some("Bearer"))
        }
        SecurityKind::OAuth2 => (is_scheme("bearer") && !token.trim().is_empty(), Some("OAuth2")),
        SecurityKind::OpenIdConnect => (is_scheme("bearer") && !token.trim().is_empty(), Some("OpenID")),
        // What is not known here cannot be missed.
        SecurityKind::Http { .. } | SecurityKind::MutualTls | SecurityKind::Unknown => (true, None),
    };
    if proven { Ok(()) } else { Err(challenge) }
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|it| it.to_str().ok())
}

fn has_key(location: ParameterLocation, name: &str, sent: &ValidatedRequest<'_>) -> bool {
    match location {
        ParameterLocation::Query => form_urlencoded::parse(sent.query.unwrap_or_default().as_bytes())
            .any(|(key, value)| key == name && !value.is_empty()),
        ParameterLocation::Cookie => {
            sent.headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok()).any(|line| {
                line.split(';')
                    .filter_map(|pair| pair.trim().split_once('='))
                    .any(|(key, value)| key == name && !value.is_empty())
            })
        }
        ParameterLocation::Header | ParameterLocation::Path => {
            sent.headers.get(name).is_some_and(|it| !it.is_empty())
        }
    }
}

/// RFC 7617, section 2: a name, a colon and a password.
fn is_basic(token: &str) -> bool {
    base64_codec::decode_any_padding(token.trim()).is_some_and(|bytes| bytes.contains(&b':'))
}

/// RFC 7616, section 3.4.
fn is_digest(token: &str) -> bool {
    ["username=", "realm=", "nonce=", "uri=", "response="].iter().all(|it| token.contains(it))
}
