//! JWT: lets in who shows a token that a Consumer's key has signed. (Kong: JWT plugin; RFC 7519.)

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
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, RequestIdentity,
    identity::{Authenticator, authenticate},
    setting_values,
};
use crate::{
    diag::Diagnostic,
    document::Value,
    reply::{self, ExitBody},
    schema::{EntityFault, Field, FieldKind, FieldRule},
};

/// The plugin in the table.
pub(super) const DEF: PluginDef =
    PluginDef::new("jwt", 1450, FIELDS, compile).checks(&[limited_lives_are_verified]);

const TEXTS: FieldKind = FieldKind::Set(&Field::item(FieldKind::String));
const CLAIMS: FieldKind =
    FieldKind::Set(&Field::item(FieldKind::String).rules(&[FieldRule::OneOf(&["exp", "nbf"])]));

/// A year, in seconds.
const LONGEST: f64 = 31_536_000.0;

const FIELDS: &[Field] = &[
    Field::new("uri_param_names", TEXTS).default("[\"jwt\"]"),
    Field::new("cookie_names", TEXTS).default("[]"),
    Field::new("key_claim_name", FieldKind::String).default("\"iss\""),
    Field::new("secret_is_base64", FieldKind::Boolean).required().default("false"),
    Field::new("claims_to_verify", CLAIMS),
    Field::new("anonymous", FieldKind::String)
        .describe("the id or username of the consumer that a request without credentials counts as"),
    Field::new("run_on_preflight", FieldKind::Boolean).required().default("true"),
    Field::new("maximum_expiration", FieldKind::Number)
        .default("0")
        .rules(&[FieldRule::Between(0.0, LONGEST)]),
    Field::new("header_names", TEXTS).default("[\"authorization\"]"),
    Field::new("realm", FieldKind::String),
];

fn limited_lives_are_verified(config: &Value) -> Option<EntityFault> {
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
    /// The longest time that a token may live, in seconds; none for any.
    longest: Option<f64>,
    run_on_preflight: bool,
    authenticator: Authenticator,
    /// What a client is told whose token is refused.
    invalid: HeaderValue,
}

/// A claim that limits the life of a token.
#[derive(Clone, Copy)]
enum TimeClaim {
    Expiry,
    Start,
}

/// Why a request is not let in.
#[derive(Debug)]
enum JwtRefusal {
    /// It shows no token.
    Nothing,
    /// What is wrong with its token.
    Token(Cow<'static, str>),
    /// What is wrong with the claims of its token, each with its message.
    Claims(Vec<(&'static str, Cow<'static, str>)>),
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    Ok(Arc::new(Jwt::new(setup)?))
}

impl Plugin for Jwt {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let passes = !self.run_on_preflight && *exchange.head().method() == Method::OPTIONS;
        if passes || self.authenticator.is_satisfied(exchange) {
            return Flow::Continue;
        }
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
        match self.identity(exchange, now) {
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
        let mut wrong = Vec::new();
        let headers = setting_values::strings(setup.config, "header_names").filter_map(|(n, name)| {
            let read = HeaderName::try_from(name);
            let complain = |_| {
                let at = setup.at.key("header_names").index(n);
                wrong.push(Diagnostic::error(at, format!("bad header name '{name}'")));
            };
            read.map_err(complain).ok()
        });
        let headers = headers.collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let authenticator = Authenticator::new(setup, "Bearer");
        let separator = if setting_values::string(setup.config, "realm").is_some() { "," } else { "" };
        let invalid =
            [authenticator.challenge().as_bytes(), separator.as_bytes(), b" error=\"invalid_token\""]
                .concat();
        Ok(Self {
            parameters: texts("uri_param_names"),
            cookies: texts("cookie_names"),
            headers,
            key_claim: setting_values::string(setup.config, "key_claim_name").unwrap_or_default(),
            secret_is_base64: setting_values::boolean(setup.config, "secret_is_base64"),
            claims,
            longest: setup
                .config
                .get("maximum_expiration")
                .and_then(Value::as_f64)
                .filter(|seconds| *seconds > 0.0),
            run_on_preflight: setting_values::boolean(setup.config, "run_on_preflight"),
            invalid: HeaderValue::try_from(invalid).unwrap_or_else(|_| HeaderValue::from_static("Bearer")),
            authenticator,
        })
    }

    /// Who the request says it comes from, if that is true at `now`, Unix time in seconds.
    fn identity(&self, exchange: &Exchange, now: f64) -> Result<RequestIdentity, JwtRefusal> {
        let text = self.shown(exchange)?.ok_or(JwtRefusal::Nothing)?;
        let token = read(&text).map_err(|why| JwtRefusal::Token(format!("Bad token; {why}").into()))?;
        let claim = &*self.key_claim;
        let refused = |message: String| JwtRefusal::Token(message.into());
        let key = token.member(claim).ok_or_else(|| refused(format!("No mandatory '{claim}' in claims")))?;
        let key = key.as_str().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| refused(format!("Invalid '{claim}' in claims")))?;
        let found = exchange.consumers().and_then(|all| all.find_by_jwt_key(key));
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
        let wrong = self.wrong_claims(&token, now);
        if wrong.is_empty() { Ok(identity.clone()) } else { Err(JwtRefusal::Claims(wrong)) }
    }

    /// The token that a request shows, in its query, its cookies or its headers; where it is does not matter, but
    /// there may be no other.
    fn shown<'a>(&self, exchange: &'a Exchange) -> Result<Option<Cow<'a, str>>, JwtRefusal> {
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
        let headers = self.headers.iter().flat_map(fields).filter_map(bearer).map(Cow::Borrowed);
        let mut shown: Option<Cow<'a, str>> = None;
        for text in arguments.chain(cookies).chain(headers).filter(|text| !text.is_empty()) {
            match &shown {
                Some(other) if *other != text => {
                    return Err(JwtRefusal::Token("Multiple tokens provided".into()));
                }
                Some(_) => (),
                None => shown = Some(text),
            }
        }
        Ok(shown)
    }

    /// What is wrong with the claims that are to be verified. (RFC 7519, sections 4.1.4 and 4.1.5.)
    fn wrong_claims(&self, token: &UnverifiedToken<'_>, now: f64) -> Vec<(&'static str, Cow<'static, str>)> {
        let wrong = self.claims.iter().filter_map(|claim| {
            let name = claim.name();
            let message: Cow<'static, str> = match (claim, token.time(name)) {
                (_, None) => "must be a number".into(),
                (TimeClaim::Expiry, Some(end)) if end <= now => "token expired".into(),
                (TimeClaim::Expiry, Some(end)) => {
                    let longest = self.longest.filter(|longest| end - now > *longest)?;
                    format!("is more than {longest} seconds ahead").into()
                }
                (TimeClaim::Start, Some(start)) if start > now => "token not valid yet".into(),
                (TimeClaim::Start, Some(_)) => return None,
            };
            Some((name, message))
        });
        wrong.collect()
    }

    fn refuse<'a>(&self, exchange: &mut Exchange, refusal: &JwtRefusal) -> Flow<'a> {
        if let Some(flow) = self.authenticator.apply_anonymous(exchange) {
            return flow;
        }
        let text;
        let (challenge, body) = match refusal {
            JwtRefusal::Nothing => (self.authenticator.challenge(), ExitBody::Message("Unauthorized")),
            JwtRefusal::Token(message) => (&self.invalid, ExitBody::Message(message)),
            JwtRefusal::Claims(wrong) => {
                let members: Vec<String> =
                    wrong.iter().map(|(claim, message)| format!("\"{claim}\":\"{message}\"")).collect();
                text = format!("{{{}}}", members.join(","));
                let json = HeaderValue::from_static("application/json; charset=utf-8");
                (&self.invalid, ExitBody::Raw(Some(json), text.into()))
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
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
