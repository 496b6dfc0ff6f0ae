//! `basic-auth`: authentication by user name and password. (Kong: Basic Authentication plugin; RFC 7617.)

use std::sync::Arc;

use http::header::{AUTHORIZATION, PROXY_AUTHORIZATION};

use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, RequestIdentity,
    identity::{ANONYMOUS, Authenticator, HIDE_CREDENTIALS, authenticate},
    setting_values,
};
use crate::{
    base64_codec::decode_lenient,
    document::Mapping,
    openapi::api::SecurityKind,
    schema::{Field, FieldKind},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("basic-auth", 1100, FIELDS, compile).enforces(basic_scheme_settings);

const FIELDS: &[Field] =
    &[ANONYMOUS, HIDE_CREDENTIALS, Field::new("realm", FieldKind::String).required().default("\"service\"")];

/// Settings for a scheme of the type `http` with the scheme `basic`.
fn basic_scheme_settings(scheme: &SecurityKind) -> Option<Mapping> {
    let is_basic = matches!(scheme, SecurityKind::Http { scheme } if scheme == "basic");
    is_basic.then(Mapping::default)
}

struct BasicAuth {
    hide_credentials: bool,
    authenticator: Authenticator,
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let hide_credentials = setting_values::boolean(setup.config, "hide_credentials");
    Ok(Arc::new(BasicAuth { hide_credentials, authenticator: Authenticator::new(setup, "Basic") }))
}

impl Plugin for BasicAuth {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        if self.hide_credentials {
            exchange.upstream.remove_field(PROXY_AUTHORIZATION);
            exchange.upstream.remove_field(AUTHORIZATION);
        }
        if self.authenticator.is_satisfied(exchange) {
            return Flow::Continue;
        }
        let identity = find_identity(exchange);
        match identity {
            Some(identity) => authenticate(exchange, identity),
            None => self.authenticator.refuse(exchange, "Unauthorized"),
        }
    }
}

/// The Consumer whose user name and password a request carries, if they are right.
fn find_identity(exchange: &Exchange) -> Option<RequestIdentity> {
    let consumers = exchange.consumers()?;
    [PROXY_AUTHORIZATION, AUTHORIZATION].iter().find_map(|name| {
        let (username, password) = parse_credentials(exchange.head().field(name)?.as_bytes())?;
        consumers.find_by_password(&username, &password).cloned()
    })
}

/// The user name and the password in the value of a header. The user name must not be empty, as at Kong.
fn parse_credentials(value: &[u8]) -> Option<(String, Vec<u8>)> {
    let (scheme, rest) = value.trim_ascii().split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let decoded = decode_lenient(rest.trim_ascii())?;
    let colon = decoded.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
    let username = String::from_utf8(decoded.get(..colon)?.to_vec()).ok()?;
    Some((username, decoded.get(colon + 1..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_parsed() {
        let read = |value: &str| parse_credentials(value.as_bytes());
        let aladdin = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        for (value, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", aladdin.clone()),
            ("basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ", aladdin.clone()),
            ("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==  ", aladdin),
            ("Basic YTpiOmM=", Some(("a".to_owned(), b"b:c".to_vec()))),
            ("Basic YTo=", Some(("a".to_owned(), Vec::new()))),
            ("Basic OmI=", None),
            ("Basic YWI=", None),
            ("Basic Y", None),
            ("Basic !!!!", None),
            ("Basic", None),
            ("Bas", None),
            ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }
}
