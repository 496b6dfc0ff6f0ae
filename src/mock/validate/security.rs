//! Validation of security requirements. Credentials are not verified: any key or token is accepted.

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

/// Returns a violation if no security requirement is met. It has the challenges of all that failed.
pub(super) fn validate(
    api: &Api,
    operation: &Operation,
    request: &ValidatedRequest<'_>,
) -> Option<Violation> {
    let mut challenges = Vec::new();
    let mut has_requirements = false;
    for requirement in operation.security.iter() {
        let mut is_met = true;
        if requirement.schemes.is_empty() && request.headers.contains_key(AUTHORIZATION) {
            // As in Prism, a request with credentials does not meet the requirement of no credentials.
            challenges.push("None".to_owned());
            is_met = false;
        }
        for (name, _) in &requirement.schemes {
            let scheme = api.security_schemes.iter().find(|scheme| scheme.name == *name);
            if let Some(Err(challenge)) = scheme.map(|scheme| check_credentials(&scheme.kind, request)) {
                challenges.extend(challenge.map(str::to_owned));
                is_met = false;
            }
        }
        if is_met {
            return None;
        }
        has_requirements = true;
    }
    has_requirements.then(|| {
        let violation = Violation::with_status(Vec::new(), 401, "Invalid security scheme used");
        Violation { challenges, ..violation }
    })
}

/// Checks that the credentials of a scheme are present. The error is the challenge for the client, if there is one.
fn check_credentials(
    kind: &SecurityKind,
    request: &ValidatedRequest<'_>,
) -> Result<(), Option<&'static str>> {
    const BASIC: &str = "Basic realm=\"*\"";
    const DIGEST: &str = "Digest realm=\"*\", nonce=\"abc123\"";
    let authorization = header_text(request.headers, &AUTHORIZATION).unwrap_or_default();
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let is_scheme = |name: &str| scheme.eq_ignore_ascii_case(name);
    let (is_present, challenge) = match kind {
        SecurityKind::ApiKey { location, name } => (has_key(*location, name, request), None),
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
        // Unsupported schemes count as met.
        SecurityKind::Http { .. } | SecurityKind::MutualTls | SecurityKind::Unknown => (true, None),
    };
    if is_present { Ok(()) } else { Err(challenge) }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn has_key(location: ParameterLocation, name: &str, request: &ValidatedRequest<'_>) -> bool {
    match location {
        ParameterLocation::Query => form_urlencoded::parse(request.query.unwrap_or_default().as_bytes())
            .any(|(key, value)| key == name && !value.is_empty()),
        ParameterLocation::Cookie => {
            request.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).any(|line| {
                line.split(';')
                    .filter_map(|pair| pair.trim().split_once('='))
                    .any(|(key, value)| key == name && !value.is_empty())
            })
        }
        ParameterLocation::Header | ParameterLocation::Path => {
            request.headers.get(name).is_some_and(|value| !value.is_empty())
        }
    }
}

/// Whether a token is base64 of a name, a colon and a password (RFC 7617, section 2).
fn is_basic(token: &str) -> bool {
    base64_codec::decode_any_padding(token.trim()).is_some_and(|credentials| credentials.contains(&b':'))
}

/// Whether a token has the parameters of digest credentials (RFC 7616, section 3.4).
fn is_digest(token: &str) -> bool {
    ["username=", "realm=", "nonce=", "uri=", "response="].iter().all(|field| token.contains(field))
}
