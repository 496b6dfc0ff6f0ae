//! `jwt`: authentication by a signed token. (Kong: JWT plugin; RFC 7519.)

mod key;
#[cfg(test)]
mod tests;
mod token;

pub use key::{JwtKey, KeyFault};

use std::{borrow::Cow, sync::Arc, time::UNIX_EPOCH};

use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{COOKIE, WWW_AUTHENTICATE},
};

use self::{
    key::TokenError,
    token::{UnverifiedToken, read},
};
use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, PresentedCredential, RequestIdentity,
    identity::{ANONYMOUS, Authenticator, authenticate, refuse_quarantined},
    setting_values,
};
use crate::{
    diag::Diagnostic,
    document::Value,
    reply::{self, ExitBody},
    schema::{EntityFault, Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("jwt", 1450, FIELDS, compile).checks(&[expiration_needs_exp]);

const TEXTS: FieldKind = FieldKind::Set(&Field::item(FieldKind::String));
const CLAIMS: FieldKind =
    FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(&["exp", "nbf"])]));

/// The maximum of `maximum_expiration`: a year, in seconds.
const MAX_EXPIRATION: f64 = 31_536_000.0;

const FIELDS: &[Field] = &[
    Field::new("uri_param_names", TEXTS)
        .describe("query parameters that may hold the token")
        .default("[\"jwt\"]"),
    Field::new("cookie_names", TEXTS).describe("cookies that may hold the token").default("[]"),
    Field::new("key_claim_name", FieldKind::String)
        .describe("the claim that names the credential")
        .default("\"iss\""),
    Field::new("secret_is_base64", FieldKind::Boolean)
        .describe("whether secrets of credentials are Base64")
        .required()
        .default("false"),
    Field::new("claims_to_verify", CLAIMS).describe("registered claims that are verified"),
    ANONYMOUS,
    Field::new("run_on_preflight", FieldKind::Boolean)
        .describe("whether preflights need a token")
        .required()
        .default("true"),
    Field::new("maximum_expiration", FieldKind::Number)
        .describe("the longest validity of a token in seconds; 0 for no limit")
        .default("0")
        .rules(&[FieldRule::Between(0.0, MAX_EXPIRATION)]),
    Field::new("header_names", TEXTS)
        .describe("header fields that may hold the token")
        .default("[\"authorization\"]"),
    Field::new("realm", FieldKind::String).describe("the realm of the challenge"),
];

fn expiration_needs_exp(config: &Value) -> Option<EntityFault> {
    let limited =
        config.get("maximum_expiration").and_then(Value::as_f64).is_some_and(|seconds| seconds > 0.0);
    let verified = setting_values::strings(config, "claims_to_verify").any(|(_, claim)| claim == "exp");
    (limited && !verified).then(|| {
        EntityFault::field("claims_to_verify", "expected to contain: exp")
            .help("`maximum_expiration` limits the claim `exp`, so that has to be verified")
    })
}

struct Jwt {
    parameters: Vec<String>,
    cookies: Vec<String>,
    headers: Vec<HeaderName>,
    key_claim: String,
    secret_is_base64: bool,
    /// The claims that are verified.
    claims: Vec<TimeClaim>,
    /// The maximum time until a token expires, in seconds; `None` for no limit.
    max_expiration: Option<f64>,
    run_on_preflight: bool,
    authenticator: Authenticator,
    /// The challenge for an invalid token.
    invalid_token_challenge: HeaderValue,
}

/// A claim that limits the validity of a token.
#[derive(Clone, Copy)]
enum TimeClaim {
    Expiry,
    Start,
}

/// Why a request is not authenticated.
#[derive(Debug)]
enum JwtRefusal {
    /// It has no token.
    NoToken,
    /// The message about its token.
    Token(Cow<'static, str>),
    /// The message about its credential in quarantine.
    Quarantined(String),
    /// The invalid claims of its token, each with its message.
    Claims(Vec<(&'static str, Cow<'static, str>)>),
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(Jwt::new(setup)?))
}

impl Plugin for Jwt {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let is_skipped = !self.run_on_preflight && *exchange.head().method() == Method::OPTIONS;
        if is_skipped || self.authenticator.is_satisfied(exchange) {
            return Flow::Continue;
        }
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
        match self.identify(exchange, now) {
            Ok(identity) => authenticate(exchange, identity),
            Err(refusal) => self.refuse(exchange, &refusal),
        }
    }
}

impl Jwt {
    fn new(setup: &PluginSetup<'_>) -> Result<Self, Vec<Diagnostic>> {
        let texts =
            |field| setting_values::strings(setup.config, field).map(|(_, text)| text.to_owned()).collect();
        let claims = setting_values::strings(setup.config, "claims_to_verify");
        let claims = claims
            .map(|(_, claim)| if claim == "exp" { TimeClaim::Expiry } else { TimeClaim::Start })
            .collect();
        let mut invalid = Vec::new();
        let headers = setting_values::strings(setup.config, "header_names").filter_map(|(n, name)| {
            let read = HeaderName::try_from(name);
            let record_invalid = |_| {
                let at = setup.at.key("header_names").index(n);
                invalid.push(Diagnostic::error(at, format!("bad header name '{name}'")));
            };
            read.map_err(record_invalid).ok()
        });
        let headers = headers.collect();
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let authenticator = Authenticator::new(setup, "Bearer");
        let separator = if setting_values::string(setup.config, "realm").is_some() { "," } else { "" };
        let challenge =
            [authenticator.challenge().as_bytes(), separator.as_bytes(), b" error=\"invalid_token\""]
                .concat();
        Ok(Self {
            parameters: texts("uri_param_names"),
            cookies: texts("cookie_names"),
            headers,
            key_claim: setting_values::string(setup.config, "key_claim_name").unwrap_or_default(),
            secret_is_base64: setting_values::boolean(setup.config, "secret_is_base64"),
            claims,
            max_expiration: setup
                .config
                .get("maximum_expiration")
                .and_then(Value::as_f64)
                .filter(|seconds| *seconds > 0.0),
            run_on_preflight: setting_values::boolean(setup.config, "run_on_preflight"),
            invalid_token_challenge: HeaderValue::try_from(challenge)
                .unwrap_or_else(|_| HeaderValue::from_static("Bearer")),
            authenticator,
        })
    }

    /// The identity of the request's token at `now`, Unix time in seconds.
    fn identify(&self, exchange: &Exchange, now: f64) -> Result<RequestIdentity, JwtRefusal> {
        let text = self.find_token(exchange)?.ok_or(JwtRefusal::NoToken)?;
        let token = read(&text).map_err(|why| JwtRefusal::Token(format!("Bad token; {why}").into()))?;
        let claim = &*self.key_claim;
        let refused = |message: String| JwtRefusal::Token(message.into());
        let key = token.member(claim).ok_or_else(|| refused(format!("No mandatory '{claim}' in claims")))?;
        let key = key.as_str().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| refused(format!("Invalid '{claim}' in claims")))?;
        let all = exchange.consumers();
        let found = all.and_then(|all| all.find_by_jwt_key(key));
        let (kind, is_known) = (PresentedCredential::TokenKey, found.is_some());
        let quarantined = all.and_then(|all| self.authenticator.quarantine_message(all, kind, key, is_known));
        if let Some(message) = quarantined {
            return Err(JwtRefusal::Quarantined(message.to_owned()));
        }
        let (key, identity) =
            found.ok_or_else(|| refused(format!("No credentials found for given '{claim}'")))?;
        if token.algorithm() != Some(key.algorithm()) {
            return Err(JwtRefusal::Token("Invalid algorithm".into()));
        }
        let verified = key.verify(token.signed.as_bytes(), &token.signature, self.secret_is_base64);
        verified.map_err(|why| match why {
            TokenError::Key => JwtRefusal::Token("Invalid key/secret".into()),
            TokenError::Signature => JwtRefusal::Token("Invalid signature".into()),
        })?;
        let invalid = self.invalid_claims(&token, now);
        if invalid.is_empty() { Ok(identity.clone()) } else { Err(JwtRefusal::Claims(invalid)) }
    }

    /// The token of a request, from its query, cookies or headers. Several different tokens are an error.
    fn find_token<'a>(&self, exchange: &'a Exchange) -> Result<Option<Cow<'a, str>>, JwtRefusal> {
        let query = exchange.head().query().filter(|_| !self.parameters.is_empty()).unwrap_or_default();
        let arguments = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| self.parameters.iter().any(|parameter| parameter == name))
            .map(|(_, value)| value);
        let fields =
            |name| exchange.head().fields().get_all(name).iter().filter_map(|value| value.to_str().ok());
        let cookies = fields(&COOKIE)
            .filter(|_| !self.cookies.is_empty())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| self.cookies.iter().any(|cookie| cookie == name))
            .map(|(_, value)| Cow::Borrowed(value));
        let headers = self.headers.iter().flat_map(fields).filter_map(bearer_token).map(Cow::Borrowed);
        let mut found: Option<Cow<'a, str>> = None;
        for text in arguments.chain(cookies).chain(headers).filter(|text| !text.is_empty()) {
            match &found {
                Some(other) if *other != text => {
                    return Err(JwtRefusal::Token("Multiple tokens provided".into()));
                }
                Some(_) => (),
                None => found = Some(text),
            }
        }
        Ok(found)
    }

    /// The invalid claims among those that are verified. (RFC 7519, sections 4.1.4 and 4.1.5.)
    fn invalid_claims(
        &self,
        token: &UnverifiedToken<'_>,
        now: f64,
    ) -> Vec<(&'static str, Cow<'static, str>)> {
        let invalid = self.claims.iter().filter_map(|claim| {
            let name = claim.name();
            let message: Cow<'static, str> = match (claim, token.time(name)) {
                (_, None) => "must be a number".into(),
                (TimeClaim::Expiry, Some(end)) if end <= now => "token expired".into(),
                (TimeClaim::Expiry, Some(end)) => {
                    let max_expiration =
                        self.max_expiration.filter(|max_expiration| end - now > *max_expiration)?;
                    format!("is more than {max_expiration} seconds ahead").into()
                }
                (TimeClaim::Start, Some(start)) if start > now => "token not valid yet".into(),
                (TimeClaim::Start, Some(_)) => return None,
            };
            Some((name, message))
        });
        invalid.collect()
    }

    fn refuse<'a>(&self, exchange: &mut Exchange, refusal: &JwtRefusal) -> Flow<'a> {
        if let JwtRefusal::Quarantined(message) = refusal {
            return refuse_quarantined(exchange, message);
        }
        if let Some(flow) = self.authenticator.apply_anonymous(exchange) {
            return flow;
        }
        let text;
        let (challenge, body) = match refusal {
            JwtRefusal::NoToken => (self.authenticator.challenge(), ExitBody::Message("Unauthorized")),
            JwtRefusal::Quarantined(message) => (&self.invalid_token_challenge, ExitBody::Message(message)),
            JwtRefusal::Token(message) => (&self.invalid_token_challenge, ExitBody::Message(message)),
            JwtRefusal::Claims(invalid) => {
                let members: Vec<String> =
                    invalid.iter().map(|(claim, message)| format!("\"{claim}\":\"{message}\"")).collect();
                text = format!("{{{}}}", members.join(","));
                let json = HeaderValue::from_static(reply::JSON_UTF8);
                (&self.invalid_token_challenge, ExitBody::Raw(Some(json), text.into()))
            }
        };
        let mut response = reply::exit(&exchange.error_request(), StatusCode::UNAUTHORIZED, body);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        Flow::Respond(response)
    }
}

impl TimeClaim {
    const fn name(self) -> &'static str {
        match self {
            Self::Expiry => "exp",
            Self::Start => "nbf",
        }
    }
}

/// The token of `Bearer <token>`. (RFC 6750, section 2.1.)
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
