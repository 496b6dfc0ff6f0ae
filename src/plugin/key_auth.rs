//! `key-auth`: authentication by an API key. (Kong: Key Authentication plugin.)

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Method, header::CONTENT_TYPE};

use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, PresentedCredential, RequestIdentity,
    identity::{ANONYMOUS, Authenticator, HIDE_CREDENTIALS, authenticate, refuse_quarantined},
    setting_values, whole_body,
};
use crate::{
    body::{Body, BodyBuffers, BodyError},
    document::{Mapping, Value},
    openapi::api::{ParameterLocation, SecurityKind},
    schema::{self, Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef =
    PluginDef::new("key-auth", 1250, FIELDS, compile).enforces(api_key_settings);

const NAMES: FieldKind =
    FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(schema::check_header_name)]));

const FIELDS: &[Field] = &[
    Field::new("key_names", NAMES)
        .describe("the headers or query parameters that hold the key")
        .required()
        .default("[\"apikey\"]")
        .rules(&[FieldRule::NotEmpty]),
    HIDE_CREDENTIALS,
    ANONYMOUS,
    Field::new("key_in_header", FieldKind::Boolean)
        .describe("whether a header may hold the key")
        .required()
        .default("true"),
    Field::new("key_in_query", FieldKind::Boolean)
        .describe("whether a query parameter may hold the key")
        .required()
        .default("true"),
    Field::new("key_in_body", FieldKind::Boolean)
        .describe("whether the body may hold the key")
        .required()
        .default("false"),
    Field::new("run_on_preflight", FieldKind::Boolean)
        .describe("whether preflights need a key")
        .required()
        .default("true"),
    Field::new("realm", FieldKind::String).describe("the realm of the challenge"),
];

/// The size limit of a body that is searched for a key, in bytes.
const MAX_BODY_BYTES: u64 = 8 << 20;

/// Settings for a scheme of the type `apiKey`. The plugin does not read cookies.
fn api_key_settings(scheme: &SecurityKind) -> Option<Mapping> {
    let SecurityKind::ApiKey { location, name } = scheme else { return None };
    if *location == ParameterLocation::Cookie {
        return None;
    }
    let mut settings = Mapping::default();
    settings.insert("key_names", vec![Value::from(&**name)]);
    settings.insert("key_in_header", *location == ParameterLocation::Header);
    settings.insert("key_in_query", *location == ParameterLocation::Query);
    Some(settings)
}

struct KeyAuth {
    names: Vec<(String, Option<HeaderName>)>,
    hide_credentials: bool,
    locations: KeyLocations,
    run_on_preflight: bool,
    authenticator: Authenticator,
    buffers: BodyBuffers,
}

/// The parts of a request that are searched for a key.
#[derive(Clone, Copy)]
struct KeyLocations {
    header: bool,
    query: bool,
    body: bool,
}

/// The key of a request under one name.
enum PresentedKey<'a> {
    Nothing,
    One(Cow<'a, str>),
    Several,
}

/// Why a request is not authenticated.
enum KeyRefusal {
    /// It has no valid key.
    Unauthenticated(&'static str),
    /// Its key is in quarantine.
    Quarantined(String),
}

#[expect(clippy::unnecessary_wraps, reason = "the contract lets plugins reject their settings")]
fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let truth = |field| setting_values::boolean(setup.config, field);
    let names = setting_values::strings(setup.config, "key_names");
    Ok(Arc::new(KeyAuth {
        names: names.map(|(_, name)| (name.to_owned(), HeaderName::try_from(name).ok())).collect(),
        hide_credentials: truth("hide_credentials"),
        locations: KeyLocations {
            header: truth("key_in_header"),
            query: truth("key_in_query"),
            body: truth("key_in_body"),
        },
        run_on_preflight: truth("run_on_preflight"),
        authenticator: Authenticator::new(setup, "Key"),
        buffers: setup.resources.buffers.clone(),
    }))
}

impl Plugin for KeyAuth {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let is_skipped = !self.run_on_preflight && *exchange.head().method() == Method::OPTIONS;
        if is_skipped || self.authenticator.is_satisfied(exchange) {
            if self.hide_credentials {
                self.hide_keys(exchange);
            }
            return Flow::Continue;
        }
        let kind = if self.locations.body { BodyContent::kind(exchange) } else { None };
        let Some(kind) = kind else { return self.decide(exchange, None) };
        Flow::Later(Box::pin(self.decide_with_body(exchange, kind)))
    }
}

impl KeyAuth {
    async fn decide_with_body<'a>(&'a self, exchange: &'a mut Exchange, kind: BodyContentKind) -> Flow<'a> {
        let body = std::mem::replace(&mut exchange.body, Body::Empty);
        match self.buffers.read_whole(body, MAX_BODY_BYTES).await {
            Ok(bytes) => {
                let _room = match kind {
                    BodyContentKind::Json => match whole_body::reserve_for_json(&self.buffers, &bytes) {
                        Ok(room) => Some(room),
                        Err(error) => return Flow::Respond(whole_body::refusal(exchange, &error)),
                    },
                    BodyContentKind::Form => None,
                };
                let content = BodyContent::new(kind, &bytes);
                exchange.set_body(bytes);
                self.decide(exchange, content)
            }
            Err(error) => Flow::Respond(whole_body::refusal(exchange, &error)),
        }
    }

    fn decide<'a>(&self, exchange: &mut Exchange, content: Option<BodyContent>) -> Flow<'a> {
        let decision = self.identify(exchange, content.as_ref());
        if self.hide_credentials {
            self.hide_keys(exchange);
            if let Err(error) = self.hide_keys_in_body(exchange, content) {
                return Flow::Respond(whole_body::refusal(exchange, &error));
            }
        }
        match decision {
            Ok(identity) => authenticate(exchange, identity),
            Err(KeyRefusal::Unauthenticated(message)) => self.authenticator.refuse(exchange, message),
            Err(KeyRefusal::Quarantined(message)) => refuse_quarantined(exchange, &message),
        }
    }

    /// The identity of the request's key, or the message of the refusal.
    fn identify(
        &self,
        exchange: &Exchange,
        content: Option<&BodyContent>,
    ) -> Result<RequestIdentity, KeyRefusal> {
        let unauthenticated = |message| Err(KeyRefusal::Unauthenticated(message));
        for (name, header) in &self.names {
            match self.find_key(exchange, content, name, header.as_ref()) {
                PresentedKey::Nothing => (),
                PresentedKey::Several => return unauthenticated("Duplicate API key found"),
                PresentedKey::One(key) if key.is_empty() => break,
                PresentedKey::One(key) => {
                    let Some(all) = exchange.consumers() else { return unauthenticated("Unauthorized") };
                    let identity = all.find_by_key(&key);
                    let (kind, is_known) = (PresentedCredential::Key, identity.is_some());
                    if let Some(why) = self.authenticator.quarantine_message(all, kind, &key, is_known) {
                        return Err(KeyRefusal::Quarantined(why.to_owned()));
                    }
                    return identity.cloned().ok_or(KeyRefusal::Unauthenticated("Unauthorized"));
                }
            }
        }
        unauthenticated("No API key found in request")
    }

    /// Removes keys from the upstream request, under every name and in every part, also if the request was accepted
    /// without a key.
    fn hide_keys(&self, exchange: &mut Exchange) {
        let query = exchange.head().query().unwrap_or_default();
        let has_key = |name: &String| parameter_values(query, name).next().is_some();
        if self.names.iter().any(|(name, _)| has_key(name)) {
            let query =
                self.names.iter().fold(query.to_owned(), |query, (name, _)| remove_parameter(&query, name));
            exchange.upstream.set_query(&query);
        }
        for header in self.names.iter().filter_map(|(_, header)| header.as_ref()) {
            exchange.upstream.remove_field(header.clone());
        }
    }

    /// Removes keys from a body that was searched.
    fn hide_keys_in_body(
        &self,
        exchange: &mut Exchange,
        content: Option<BodyContent>,
    ) -> Result<(), BodyError> {
        let names = self.names.iter().map(|(name, _)| name.as_str());
        if let Some(bytes) = content.and_then(|content| content.without(names)) {
            exchange.set_body(self.buffers.hold(bytes)?);
        }
        Ok(())
    }

    /// The key under a name: of the header, else of the query, else of the body.
    fn find_key<'a>(
        &self,
        exchange: &'a Exchange,
        content: Option<&'a BodyContent>,
        name: &str,
        header: Option<&HeaderName>,
    ) -> PresentedKey<'a> {
        let mut found = PresentedKey::Nothing;
        if let Some(header) = header.filter(|_| self.locations.header) {
            let values = exchange.head().fields().get_all(header).iter();
            found = PresentedKey::of(values.map(|value| String::from_utf8_lossy(value.as_bytes())));
        }
        if self.locations.query && matches!(found, PresentedKey::Nothing) {
            let query = exchange.head().query().unwrap_or_default();
            found = PresentedKey::of(parameter_values(query, name));
        }
        if let (PresentedKey::Nothing, Some(content)) = (&found, content) {
            found = content.find_key(name);
        }
        found
    }
}

impl<'a> PresentedKey<'a> {
    fn of(mut values: impl Iterator<Item = Cow<'a, str>>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// The values of a parameter of a query or a form; a parameter without `=` has no value.
fn parameter_values<'a>(text: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let parts = text.split('&').filter(|part| part.contains('='));
    let pairs = parts.filter_map(|part| form_urlencoded::parse(part.as_bytes()).next());
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

/// A query or a form without a parameter; other parameters keep their bytes.
fn remove_parameter(text: &str, name: &str) -> String {
    let is_other = |part: &&str| {
        let pair = form_urlencoded::parse(part.as_bytes()).next();
        !part.is_empty() && pair.is_none_or(|(key, _)| key != name)
    };
    text.split('&').filter(is_other).collect::<Vec<_>>().join("&")
}

/// A form as a string.
fn form_text(form: &[u8]) -> &str {
    std::str::from_utf8(form).unwrap_or_default()
}

/// A body that is searched for keys.
enum BodyContent {
    Json(serde_json::Map<String, serde_json::Value>),
    /// Valid UTF-8.
    Form(Bytes),
}

#[derive(Clone, Copy)]
enum BodyContentKind {
    Json,
    Form,
}

impl BodyContent {
    /// The kind of a request's body by its media type; `None` if it is not searched.
    fn kind(exchange: &Exchange) -> Option<BodyContentKind> {
        let media_type = exchange.head().field(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Some(BodyContentKind::Json);
        }
        let form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        form.then_some(BodyContentKind::Form)
    }

    fn new(kind: BodyContentKind, bytes: &Bytes) -> Option<Self> {
        match kind {
            BodyContentKind::Json => serde_json::from_slice(bytes).ok().map(Self::Json),
            BodyContentKind::Form => std::str::from_utf8(bytes).ok().map(|_| Self::Form(bytes.clone())),
        }
    }

    fn find_key(&self, name: &str) -> PresentedKey<'_> {
        match self {
            Self::Form(bytes) => PresentedKey::of(parameter_values(form_text(bytes), name)),
            Self::Json(members) => match members.get(name) {
                Some(serde_json::Value::String(text)) => PresentedKey::One(Cow::Borrowed(text)),
                Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => PresentedKey::Several,
                _ => PresentedKey::Nothing,
            },
        }
    }

    /// The body without these names; `None` if it has none of them.
    fn without<'a>(self, names: impl Iterator<Item = &'a str> + Clone) -> Option<Vec<u8>> {
        match self {
            Self::Form(bytes) => {
                let form = form_text(&bytes);
                names.clone().find(|name| parameter_values(form, name).next().is_some())?;
                Some(names.fold(form.to_owned(), |form, name| remove_parameter(&form, name)).into_bytes())
            }
            Self::Json(mut members) => {
                names.clone().find(|name| members.contains_key(*name))?;
                names.for_each(|name| drop(members.shift_remove(name)));
                serde_json::to_vec(&members).ok()
            }
        }
    }
}
