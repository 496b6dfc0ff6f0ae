//! `basic-auth`: authentication by user name and password. (Kong: Basic Authentication plugin; RFC 7617.)

use std::sync::Arc;

use http::{
    HeaderValue,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};

use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, PresentedCredential, RequestIdentity,
    identity::{ANONYMOUS, Authenticator, HIDE_CREDENTIALS, authenticate, refuse_quarantined},
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

const FIELDS: &[Field] = &[
    ANONYMOUS,
    HIDE_CREDENTIALS,
    Field::new("realm", FieldKind::String)
        .describe("the realm of the challenge")
        .required()
        .default("\"service\""),
];

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
        match self.find_identity(exchange) {
            Ok(Some(identity)) => authenticate(exchange, identity),
            Ok(None) => self.authenticator.refuse(exchange, "Unauthorized"),
            Err(message) => refuse_quarantined(exchange, &message),
        }
    }
}

impl BasicAuth {
    /// The Consumer whose user name and password a request carries, if they are right; or the message for one whose credential
    /// is in quarantine.
    fn find_identity(&self, exchange: &Exchange) -> Result<Option<RequestIdentity>, String> {
        let Some(consumers) = exchange.consumers() else { return Ok(None) };
        let kind = PresentedCredential::Username;
        for name in [PROXY_AUTHORIZATION, AUTHORIZATION] {
            let value = exchange.head().field(&name).map(HeaderValue::as_bytes);
            let Some((username, password)) = value.and_then(parse_credentials) else { continue };
            let identity = consumers.find_by_password(&username, &password);
            let message =
                self.authenticator.quarantine_message(consumers, kind, &username, identity.is_some());
            if let Some(message) = message {
                return Err(message.to_owned());
            }
            if let Some(identity) = identity {
                return Ok(Some(identity.clone()));
            }
        }
        Ok(None)
    }
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
