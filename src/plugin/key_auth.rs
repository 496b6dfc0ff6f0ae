//! KEY AUTH: lets in who shows a key. (Kong: Key Authentication plugin.)

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, Method, header::CONTENT_TYPE};

use super::{
    Def, Exchange, Flow, Identity, Plugin, Setup,
    identity::{Gate, admit},
    rules, whole_body,
};
use crate::{
    body::{Body, BodyBuffers, BodyError},
    diag::Diagnostic,
    schema::{Field, Kind, Rule, Settings},
};

/// The plugin in the table.
pub(super) const DEF: Def = Def {
    name: "key-auth",
    priority: 1250,
    per_consumer: false,
    settings: Settings { fields: FIELDS, checks: &[] },
    compile,
};

const NAMES: Kind = Kind::Array(&Field::item(Kind::String).rules(&[Rule::Holds(rules::header_name)]));

const FIELDS: &[Field] = &[
    Field::new("key_names", NAMES).required().default("[\"apikey\"]").rules(&[Rule::NotEmpty]),
    Field::new("hide_credentials", Kind::Boolean).required().default("false"),
    Field::new("anonymous", Kind::String),
    Field::new("key_in_header", Kind::Boolean).required().default("true"),
    Field::new("key_in_query", Kind::Boolean).required().default("true"),
    Field::new("key_in_body", Kind::Boolean).required().default("false"),
    Field::new("run_on_preflight", Kind::Boolean).required().default("true"),
    Field::new("realm", Kind::String),
];

/// A body of more bytes is not searched for a key.
const LIMIT: u64 = 8 << 20;

struct KeyAuth {
    names: Vec<(String, Option<HeaderName>)>,
    hide_credentials: bool,
    places: Places,
    run_on_preflight: bool,
    gate: Gate,
    buffers: BodyBuffers,
}

/// Where to look for a key.
#[derive(Clone, Copy)]
struct Places {
    header: bool,
    query: bool,
    body: bool,
}

/// What a request shows under one name.
enum Shown<'a> {
    Nothing,
    One(Cow<'a, str>),
    Several,
}

#[expect(clippy::unnecessary_wraps, reason = "the settings of other plugins can be wrong here")]
fn compile(setup: &Setup<'_>) -> Result<Arc<dyn Plugin>, Vec<Diagnostic>> {
    let truth = |field| rules::truth(setup.config, field);
    let names = rules::texts(setup.config, "key_names");
    Ok(Arc::new(KeyAuth {
        names: names.map(|(_, name)| (name.to_owned(), HeaderName::try_from(name).ok())).collect(),
        hide_credentials: truth("hide_credentials"),
        places: Places {
            header: truth("key_in_header"),
            query: truth("key_in_query"),
            body: truth("key_in_body"),
        },
        run_on_preflight: truth("run_on_preflight"),
        gate: Gate::new(setup, "Key"),
        buffers: setup.resources.buffers.clone(),
    }))
}

impl Plugin for KeyAuth {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let passes = !self.run_on_preflight && *exchange.head().method() == Method::OPTIONS;
        if passes || self.gate.is_open(exchange) {
            if self.hide_credentials {
                self.hide(exchange);
            }
            return Flow::Continue;
        }
        let kind = if self.places.body { Content::kind(exchange) } else { None };
        let Some(kind) = kind else { return self.decide(exchange, None) };
        Flow::Later(Box::pin(self.decide_with_body(exchange, kind)))
    }
}

impl KeyAuth {
    async fn decide_with_body<'a>(&'a self, exchange: &'a mut Exchange, kind: ContentKind) -> Flow<'a> {
        let body = std::mem::replace(&mut exchange.body, Body::Empty);
        match self.buffers.read_whole(body, LIMIT).await {
            Ok(bytes) => {
                let _room = match kind {
                    ContentKind::Json => match whole_body::room_for_json(&self.buffers, &bytes) {
                        Ok(room) => Some(room),
                        Err(error) => return Flow::Respond(whole_body::refusal(exchange, &error)),
                    },
                    ContentKind::Form => None,
                };
                let content = Content::new(kind, &bytes);
                exchange.set_body(bytes);
                self.decide(exchange, content)
            }
            Err(error) => Flow::Respond(whole_body::refusal(exchange, &error)),
        }
    }

    fn decide<'a>(&self, exchange: &mut Exchange, content: Option<Content>) -> Flow<'a> {
        let decision = self.find(exchange, content.as_ref());
        if self.hide_credentials {
            self.hide(exchange);
            if let Err(error) = self.hide_in_body(exchange, content) {
                return Flow::Respond(whole_body::refusal(exchange, &error));
            }
        }
        match decision {
            Ok(identity) => admit(exchange, identity),
            Err(message) => self.gate.refuse(exchange, message),
        }
    }

    /// Who shows a key, or why the request is refused.
    fn find(&self, exchange: &Exchange, content: Option<&Content>) -> Result<Identity, &'static str> {
        for (name, header) in &self.names {
            match self.shown(exchange, content, name, header.as_ref()) {
                Shown::Nothing => (),
                Shown::Several => return Err("Duplicate API key found"),
                Shown::One(key) if key.is_empty() => break,
                Shown::One(key) => {
                    let identity = exchange.consumers().and_then(|all| all.with_key(&key)).cloned();
                    return identity.ok_or("Unauthorized");
                }
            }
        }
        Err("No API key found in request")
    }

    /// Takes keys out of what goes upstream, under every name and wherever they could be, also those of a request
    /// that is let in without one.
    fn hide(&self, exchange: &mut Exchange) {
        let query = exchange.head().query().unwrap_or_default();
        let shows = |name: &String| arguments(query, name).next().is_some();
        if self.names.iter().any(|(name, _)| shows(name)) {
            let query = self.names.iter().fold(query.to_owned(), |query, (name, _)| without(&query, name));
            exchange.upstream.set_query(&query);
        }
        for header in self.names.iter().filter_map(|(_, header)| header.as_ref()) {
            exchange.upstream.remove_field(header.clone());
        }
    }

    /// Takes keys out of a body that was searched.
    fn hide_in_body(&self, exchange: &mut Exchange, content: Option<Content>) -> Result<(), BodyError> {
        let names = self.names.iter().map(|(name, _)| name.as_str());
        if let Some(bytes) = content.and_then(|content| content.without(names)) {
            exchange.set_body(self.buffers.hold(bytes)?);
        }
        Ok(())
    }

    /// The header comes before the query, the query before the body.
    fn shown<'a>(
        &self,
        exchange: &'a Exchange,
        content: Option<&'a Content>,
        name: &str,
        header: Option<&HeaderName>,
    ) -> Shown<'a> {
        let mut shown = Shown::Nothing;
        if let Some(header) = header.filter(|_| self.places.header) {
            let values = exchange.head().fields().get_all(header).iter();
            shown = Shown::of(values.map(|it| String::from_utf8_lossy(it.as_bytes())));
        }
        if self.places.query && matches!(shown, Shown::Nothing) {
            let query = exchange.head().query().unwrap_or_default();
            shown = Shown::of(arguments(query, name));
        }
        if let (Shown::Nothing, Some(content)) = (&shown, content) {
            shown = content.shown(name);
        }
        shown
    }
}

impl<'a> Shown<'a> {
    fn of(mut values: impl Iterator<Item = Cow<'a, str>>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(value), None) => Self::One(value),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// The values that a query or a form has for a name; a name without `=` has none.
fn arguments<'a>(text: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let parts = text.split('&').filter(|part| part.contains('='));
    let pairs = parts.filter_map(|part| form_urlencoded::parse(part.as_bytes()).next());
    pairs.filter(move |(it, _)| *it == name).map(|(_, value)| value)
}

/// The parts of a query or a form with other names, byte for byte.
fn without(text: &str, name: &str) -> String {
    let is_other = |part: &&str| {
        let pair = form_urlencoded::parse(part.as_bytes()).next();
        !part.is_empty() && pair.is_none_or(|(it, _)| it != name)
    };
    text.split('&').filter(is_other).collect::<Vec<_>>().join("&")
}

/// The text of a form.
fn text(form: &[u8]) -> &str {
    std::str::from_utf8(form).unwrap_or_default()
}

/// A body in which keys can be found.
enum Content {
    Json(serde_json::Map<String, serde_json::Value>),
    /// It is text.
    Form(Bytes),
}

#[derive(Clone, Copy)]
enum ContentKind {
    Json,
    Form,
}

impl Content {
    /// What a request says its body is; none if no key can be in it.
    fn kind(exchange: &Exchange) -> Option<ContentKind> {
        let media_type = exchange.head().field(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Some(ContentKind::Json);
        }
        let form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        form.then_some(ContentKind::Form)
    }

    fn new(kind: ContentKind, bytes: &Bytes) -> Option<Self> {
        match kind {
            ContentKind::Json => serde_json::from_slice(bytes).ok().map(Self::Json),
            ContentKind::Form => std::str::from_utf8(bytes).ok().map(|_| Self::Form(bytes.clone())),
        }
    }

    fn shown(&self, name: &str) -> Shown<'_> {
        match self {
            Self::Form(bytes) => Shown::of(arguments(text(bytes), name)),
            Self::Json(members) => match members.get(name) {
                Some(serde_json::Value::String(text)) => Shown::One(Cow::Borrowed(text)),
                Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Shown::Several,
                _ => Shown::Nothing,
            },
        }
    }

    /// The bytes of the same body without these names; none if it has no such name.
    fn without<'a>(self, names: impl Iterator<Item = &'a str> + Clone) -> Option<Vec<u8>> {
        match self {
            Self::Form(bytes) => {
                let form = text(&bytes);
                names.clone().find(|name| arguments(form, name).next().is_some())?;
                Some(names.fold(form.to_owned(), |form, name| without(&form, name)).into_bytes())
            }
            Self::Json(mut members) => {
                names.clone().find(|name| members.contains_key(*name))?;
                names.for_each(|name| drop(members.shift_remove(name)));
                serde_json::to_vec(&members).ok()
            }
        }
    }
}
