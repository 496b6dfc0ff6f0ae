//! Test support for plugins: builds plugins from YAML settings and requests from text, and runs phases.

use std::{
    cell::RefCell,
    collections::VecDeque,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::BodyExt;

use super::{
    ConsumerRecord, Consumers, Exchange, Flow, HttpResponse, MatchedRoute, Origin, Plugin, PluginDef,
    PluginSetup, Resources,
};
use crate::{
    body::{Body, BodyError},
    diag::Diagnostic,
    document::{Dialect, NodePath, Value, read},
    file_read::FileReader,
    request_head::ClientHead,
    request_id::RequestId,
    schema::{EntitySchema, Field, FieldKind, PluginSchemas, PluginSettings, check},
};

/// A plugin with these settings, in YAML.
#[track_caller]
pub(super) fn plugin(def: &'static PluginDef, config: &str) -> Arc<dyn Plugin> {
    make(def, config).unwrap_or_else(|diagnostics| panic!("{config}: {diagnostics:?}"))
}

/// The diagnostics about these settings, `path: message` each.
#[track_caller]
pub(super) fn diagnostics(def: &'static PluginDef, config: &str) -> Vec<String> {
    make(def, config).err().unwrap_or_default()
}

/// Checked settings, from YAML.
#[track_caller]
pub(super) fn config(def: &'static PluginDef, config: &str) -> CheckedSettings {
    checked(def, config).unwrap_or_else(|diagnostics| panic!("{config}: {diagnostics:?}"))
}

/// Checked settings, and the outputs of a plugin's `compile`.
pub(super) struct CheckedSettings {
    config: Value,
    pub(super) warnings: RefCell<Vec<Diagnostic>>,
    files: RefCell<Vec<(PathBuf, u64)>>,
    pub(super) resources: Resources,
    reader: FileReader,
}

impl CheckedSettings {
    /// The setup for `compile`.
    pub(super) fn setup(&self) -> PluginSetup<'_> {
        PluginSetup {
            id: uuid::Uuid::nil(),
            config: &self.config,
            at: NodePath::root().key("config"),
            specs: std::path::Path::new("."),
            warnings: &self.warnings,
            files: &self.files,
            resources: &self.resources,
            reader: &self.reader,
        }
    }
}

fn make(def: &'static PluginDef, config: &str) -> Result<Arc<dyn Plugin>, Vec<String>> {
    (def.compile)(&checked(def, config)?.setup()).map_err(|diagnostics| draw(&diagnostics))
}

fn checked(def: &'static PluginDef, config: &str) -> Result<CheckedSettings, Vec<String>> {
    let entry = format!("plugins: [{{name: {}, config: {config}}}]", def.name);
    let document = read(&entry, Dialect::Kong).unwrap_or_else(|error| panic!("{entry}: {error:?}"));
    let checked = check(DOCUMENT, &document.value, &SinglePlugin(def));
    if !checked.diagnostics.is_empty() {
        return Err(draw(&checked.diagnostics));
    }
    let config = checked.items[0].record.get("config").cloned().unwrap_or_default();
    Ok(CheckedSettings {
        config,
        warnings: RefCell::default(),
        files: RefCell::default(),
        reader: FileReader::default(),
        resources: Resources::default(),
    })
}

/// Diagnostics as `path: message`.
pub(super) fn draw(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics
        .iter()
        .map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message).replace("plugins[0].", ""))
        .collect()
}

const DOCUMENT: &[Field] = &[Field::new("plugins", FieldKind::Entities(|| &ENTRY, "plugins"))];
static ENTRY: EntitySchema = EntitySchema::new(
    "plugins",
    &[Field::new("name", FieldKind::String), Field::new("config", FieldKind::Config)],
);

struct SinglePlugin(&'static PluginDef);

impl PluginSchemas for SinglePlugin {
    fn settings(&self, name: &str) -> Option<PluginSettings> {
        (name == self.0.name).then_some(self.0.settings)
    }

    fn names(&self) -> Vec<&'static str> {
        vec![self.0.name]
    }

    fn is_kongs(&self, _name: &str) -> bool {
        true
    }
}

/// A request written as `METHOD target`, lines of `Name: value`, an empty line and a body.
#[track_caller]
pub(super) fn request(text: &str) -> Exchange {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().and_then(|line| line.split_once(' ')).unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let path = head.uri.path().to_owned();
    let body =
        if body.is_empty() { Body::Empty } else { Body::Full(Bytes::copy_from_slice(body.as_bytes())) };
    let origin = Origin {
        client: "192.0.2.7:40000".parse().unwrap(),
        port: 8000,
        tls: false,
        started: Instant::now(),
        request_id: RequestId::from_bits(7),
    };
    Exchange::new(ClientHead::new(head, false), body, path, origin)
}

/// The Consumers of tests: `alice` (id `a1`, custom id `c-1`) with the key `alice-key`, the password `sesame` and the
/// groups `staff` and `admins`; `bob` (id `b1`) with the key `bob-key` and no groups; `guest` (id `g1`) with nothing.
pub(super) fn consumers() -> Consumers {
    let mut all = Consumers::default();
    let named = |id: &str, username: &str| ConsumerRecord {
        id: id.to_owned(),
        username: Some(username.to_owned()),
        ..ConsumerRecord::default()
    };
    let groups = vec!["staff".to_owned(), "admins".to_owned()];
    let alice = all.add(ConsumerRecord {
        custom_id: Some("c-1".to_owned()),
        groups,
        record: json("{\"username\": \"alice\"}"),
        ..named("a1", "alice")
    });
    all.add_key(&alice, "k1", "alice-key", None);
    let hash = super::consumers::hash(b"sesame", &alice.id);
    all.add_password(&alice, "p1", "al", &hash);
    let bob = all.add(named("b1", "bob"));
    all.add_key(&bob, "k2", "bob-key", None);
    all.add(named("g1", "guest"));
    all
}

/// A matched Route with these [`consumers`].
pub(super) fn matched() -> Arc<MatchedRoute> {
    Arc::new(MatchedRoute {
        route: uuid::Uuid::nil(),
        route_record: Value::Null,
        service: None,
        service_record: Value::Null,
        consumers: Arc::new(consumers()),
    })
}

/// A body of unknown length in pieces of three bytes.
pub(super) fn pieces(text: &str) -> Body {
    let pieces = text.as_bytes().chunks(3).map(Bytes::copy_from_slice).collect();
    Body::Boxed(BodyPieces(pieces).boxed())
}

struct BodyPieces(VecDeque<Bytes>);

impl http_body::Body for BodyPieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Runs the access phase to its end.
pub(super) fn access(plugin: &dyn Plugin, exchange: &mut Exchange) -> Option<HttpResponse> {
    let mut flow = plugin.access(exchange);
    loop {
        match flow {
            Flow::Continue => return None,
            Flow::Respond(response) => return Some(response),
            Flow::Later(later) => flow = wait(later),
        }
    }
}

/// The whole body as a string.
pub(super) fn text(body: Body) -> String {
    String::from_utf8(wait(body.collect()).unwrap().to_bytes().to_vec()).unwrap()
}

/// The headers as `name: value` lines in order.
pub(super) fn headers(headers: &http::HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

/// The value of a JSON text.
#[track_caller]
pub(super) fn json(text: &str) -> Value {
    read(text, Dialect::Specification).unwrap().value
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
