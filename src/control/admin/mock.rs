//! `/mynah/mock`: makes what a mock of a document needs, a Service, a Route, `cors` and `mocking`, in one write.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::{
    AdminApi,
    apis::{example_path, is_same_file},
    changes::{diff_entry, refuse_text},
    cors::cors_settings,
    entities::visible_record,
    files::{parse_document, refuse_file},
    input::RequestInput,
    plan::ConfigView,
    query::Query,
    record_check::check_record,
    refusal::AdminRefusal,
    write_request::ReadOnlyReason,
};
use crate::{
    body::Body,
    control::{
        compare_sources,
        write::{
            WritePlan,
            spec_files::{SpecFileError, SpecFileName},
        },
    },
    diag::SourceFile,
    document::{Mapping, Value, edit::DocumentChange},
    entity::{Entities, EntityRecord, Route, service},
    import::{DocumentSource, ImportPlugins, ImportSettings, MockPlugin, Specification, import},
    openapi::{Api, lint_text},
    plugin,
    proxy::{ExplainRequest, Proxy},
    reply,
    schema::{EntitySchema, PluginSchemas},
    snapshot::{Snapshot, SnapshotChecker},
};

/// Most paths of a Route; a document with more different beginnings gets all paths.
const MAX_PATHS: usize = 16;
/// Most operations that are tried on the new configuration.
const MAX_TRIED: usize = 200;

impl AdminApi {
    /// Mocks a document that nothing serves yet.
    pub(super) async fn mock_document(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (head, body) = request.into_parts();
        let (input, _permit) = self.read_input(head.headers.clone(), body).await?;
        let wish = MockWish::parse(&input)?;
        let dry_run = Query::new(head.uri.query().unwrap_or_default()).dry_run()? || wish.dry_run;
        let draft = self.run_read(move |admin| admin.draft_mock(wish)).await??;
        let headers = head.headers;
        self.run_write_until_finished(move |admin| admin.write_mock(&draft, dry_run, &headers)).await
    }

    /// Reads the document, and derives the entities from it.
    fn draft_mock(&self, wish: MockWish) -> Result<MockDraft, AdminRefusal> {
        let name = wish.document.as_str();
        let file = self.control.read_spec_file(&wish.document).map_err(|error| match error {
            SpecFileError::Missing => {
                let message = format!("there is no document {name} in {}", self.control.specs().display());
                AdminRefusal::Plain(StatusCode::NOT_FOUND, message)
            }
            error => refuse_file(error, &wish.document, "read"),
        })?;
        let location = self.spec_location(&wish.document);
        let (report, api) = lint_text(&SourceFile::new(name, file.text), &location, false);
        let Some(api) = api else { return Err(AdminRefusal::InvalidText(Box::new(report))) };
        Ok(MockDraft::new(wish, api, &self.plugins()))
    }

    fn write_mock(
        &self,
        draft: &MockDraft,
        dry_run: bool,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AdminRefusal> {
        if let Some(ReadOnlyReason(why)) = self.read_only_reason() {
            let message = "cannot create 'services' entities when not using a database".to_owned();
            return Err(AdminRefusal::WritesUnsupported { message, why });
        }
        let (plugins, checker) = (self.plugins(), self.control.checker());
        let plan = |entities: &Entities, document: &Value| {
            draft.plan(&ConfigView { entities, document, plugins: &plugins }, &plugins, checker)
        };
        let failed = |error| refuse_text(error, |refusal| refusal);
        if dry_run {
            let preview = self.control.preview(|step| match step.number {
                0 => plan(step.entities, step.document).map(Some),
                _ => Ok(None),
            });
            let preview = preview.map_err(failed)?;
            let live = self.control.live().current();
            let snapshot = preview.compiled.as_ref().map_or(&*live, |compiled| &compiled.snapshot);
            let mut answer = self.describe_mock(draft, snapshot, headers);
            answer.extend(diff_entry(&compare_sources(Some(&preview.old), preview.report.source())));
            answer.insert("diagnostics".to_owned(), preview.report.to_json());
            return Ok(reply::json(StatusCode::OK, Json::from(answer).to_string()));
        }
        let written = self.control.write(plan).map_err(failed)?;
        tracing::info!("the Admin API mocks the document {}", draft.document.as_str());
        let answer = self.describe_mock(draft, &written.snapshot, headers);
        Ok(reply::json(StatusCode::CREATED, Json::from(answer).to_string()))
    }

    /// What was made, and the request to try.
    fn describe_mock(
        &self,
        draft: &MockDraft,
        snapshot: &Snapshot,
        headers: &HeaderMap,
    ) -> serde_json::Map<String, Json> {
        let entities = &snapshot.entities;
        let service = entities.services.iter().find(|service| service.name.as_ref() == Some(&draft.name));
        let route = entities.routes.iter().find(|route| route.name.as_ref() == Some(&draft.name));
        let service = service.map(|service| service.id.to_string()).unwrap_or_default();
        let route = route.map(|route| route.id.to_string()).unwrap_or_default();
        let is_made = |record: &&EntityRecord| {
            let is_of_route = record.value.get("route").and_then(|route| route.get("id")?.as_str());
            record.id() == service || record.id() == route || is_of_route == Some(&route)
        };
        let mut made: Vec<(&str, Json)> = Vec::new();
        for record in entities.records.iter().filter(is_made) {
            made.push((record.collection(), Json::from(&visible_record(record, entities))));
        }
        let of = |collection: &str| -> Vec<&Json> {
            made.iter().filter(|(name, _)| *name == collection).map(|(_, entity)| entity).collect()
        };
        let first = draft.api.operations.iter().find(|operation| operation.method == Method::GET);
        let first = first.or(draft.api.operations.first()).map(|operation| {
            let path = draft.path_of(&operation.template);
            json!({
                "method": operation.method.as_str(),
                "path": path,
                "url": self.proxy_origin(headers).map(|origin| format!("{origin}{path}")),
            })
        });
        let answer = json!({
            "document": draft.document.as_str(),
            "service": of("services").first(),
            "routes": of("routes"),
            "plugins": of("plugins"),
            "try": first,
            "operations": draft.api.operations.len(),
            "taken": self.taken_operations(draft, snapshot),
        });
        match answer {
            Json::Object(answer) => answer,
            _ => serde_json::Map::new(),
        }
    }

    /// Operations whose requests reach another Route.
    fn taken_operations(&self, draft: &MockDraft, snapshot: &Snapshot) -> Vec<Json> {
        let proxy = Proxy::new(self.control.live().clone(), &self.settings);
        let mut taken = Vec::new();
        for operation in draft.api.operations.iter().take(MAX_TRIED) {
            let (method, path) = (operation.method.as_str(), draft.path_of(&operation.template));
            let Ok(request) = ExplainRequest::new(method, &path, std::iter::empty()) else { continue };
            let winner = proxy.explain(snapshot, request).routes.into_iter().next();
            if let Some(winner) = winner.filter(|winner| winner.name != draft.name) {
                taken.push(json!({ "method": method, "path": path, "route": winner.name }));
            }
        }
        taken
    }

    /// The origin by which the client of this request probably reaches the proxy.
    fn proxy_origin(&self, headers: &HeaderMap) -> Option<String> {
        let listener = self.settings.proxy_listen.iter().find(|listener| !listener.tls)?;
        let address = listener.address;
        if address.port() == 0 {
            return None;
        }
        if !address.ip().is_unspecified() {
            return Some(format!("http://{address}"));
        }
        let host = super::node::host_name(headers);
        Some(format!("http://{}:{}", host.as_deref().unwrap_or("127.0.0.1"), address.port()))
    }
}

/// What a request asks for.
struct MockWish {
    document: SpecFileName,
    name: Option<String>,
    /// Path below which the operations are served, without a slash at the end.
    path: Option<String>,
    dry_run: bool,
}

impl MockWish {
    fn parse(input: &RequestInput) -> Result<Self, AdminRefusal> {
        let RequestInput::Json(given) = input else {
            return Err(AdminRefusal::plain(
                StatusCode::BAD_REQUEST,
                "send a JSON object: {\"document\": \"NAME\"}",
            ));
        };
        let mut faults = Mapping::default();
        for (key, _) in given.iter().filter(|(key, _)| !FIELDS.contains(key)) {
            faults.insert(key, "unknown field");
        }
        let mut text = |field: &'static str| match given.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.to_string()),
            Some(_) => {
                faults.insert(field, "expected a string");
                None
            }
        };
        let (document, name, path) = (text("document"), text("name"), text("path"));
        let path = path.map(|path| path.trim_end_matches('/').to_owned());
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            faults.insert("path", "must begin with a slash, and name more than the root");
        }
        let dry_run = match given.get("dry_run") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(dry_run)) => *dry_run,
            Some(_) => {
                faults.insert("dry_run", "expected a boolean");
                false
            }
        };
        let document = match document.as_deref().map(parse_document) {
            Some(Ok(document)) => Some(document),
            Some(Err(fault)) => {
                faults.insert("document", fault);
                None
            }
            None if faults.get("document").is_none() => {
                faults.insert("document", "required field missing");
                None
            }
            None => None,
        };
        match document {
            Some(document) if faults.is_empty() => Ok(Self { document, name, path, dry_run }),
            _ => Err(AdminRefusal::Schema(faults)),
        }
    }
}

const FIELDS: &[&str] = &["document", "name", "path", "dry_run"];

/// The entities of a mock.
struct MockDraft {
    document: SpecFileName,
    api: Api,
    name: String,
    /// URL of the Service: the first server of the document.
    url: String,
    /// Path below which the operations are served; empty if they are served as they stand.
    base: String,
    /// The paths of the Route.
    paths: Vec<String>,
    /// Settings of `mocking`.
    settings: Json,
}

impl MockDraft {
    fn new(wish: MockWish, api: Api, schemas: &dyn PluginSchemas) -> Self {
        let imported = imported_service(&wish.document, &api, schemas);
        let field = |name: &str| imported.get(name).map(Json::from);
        let text = |name: &str| field(name).and_then(|value| value.as_str().map(str::to_owned));
        let name = wish.name.or_else(|| text("name")).unwrap_or_default();
        let of_document = api.base_paths.first().cloned().unwrap_or_default();
        let mut settings = json!({ "api_specification_filename": wish.document.as_str() });
        let base = wish.path.clone().unwrap_or(of_document);
        if !base.is_empty() {
            settings["include_base_path"] = true.into();
        }
        if let Some(path) = wish.path.filter(|path| api.base_paths.first() != Some(path)) {
            settings["custom_base_path"] = path.into();
        }
        let paths = if base.is_empty() { first_segments(&api) } else { vec![base.clone()] };
        let protocol = text("protocol").unwrap_or_else(|| "http".to_owned());
        let host = text("host").unwrap_or_else(|| "localhost".to_owned());
        let port = field("port").and_then(|port| port.as_u64()).unwrap_or(80);
        let port = match (&*protocol, port) {
            ("http", 80) | ("https", 443) => String::new(),
            (_, port) => format!(":{port}"),
        };
        let url = format!("{protocol}://{host}{port}{}", text("path").unwrap_or_default());
        Self { document: wish.document, api, name, url, base, paths, settings }
    }

    /// The path at which an operation is served, with a value for each parameter.
    fn path_of(&self, template: &str) -> String {
        format!("{}{}", self.base, example_path(template))
    }

    fn plan(
        &self,
        current: &ConfigView<'_>,
        plugins: &dyn PluginSchemas,
        checker: SnapshotChecker,
    ) -> Result<WritePlan, AdminRefusal> {
        self.check_conflicts(current.entities)?;
        let given = Value::from(&json!({ "name": self.name, "url": self.url })).into_mapping();
        let given = given.unwrap_or_default();
        let entity: &'static EntitySchema = &service::ENTITY;
        let record = check_record(entity, &given, plugins, checker)?;
        let mut plan = current.create(entity, record, &given, &[]);
        let mut route = json!({ "name": self.name, "paths": self.paths });
        if self.base.is_empty() {
            route["strip_path"] = false.into();
        }
        let of_route = json!([
            { "name": "cors", "config": cors_settings() },
            { "name": "mocking", "config": self.settings },
        ]);
        // The Route and its plugins.
        plan.nested = 1 + of_route.as_array().map_or(0, Vec::len);
        route["plugins"] = of_route;
        for change in &mut plan.changes {
            if let DocumentChange::Push(_, item) = change {
                let mut entry = item.as_mapping().cloned().unwrap_or_default();
                entry.insert("routes", Value::from(&json!([route])));
                *item = entry.into();
            }
        }
        Ok(plan)
    }

    /// Refuses names and paths that are in use, and a document that is served already.
    fn check_conflicts(&self, entities: &Entities) -> Result<(), AdminRefusal> {
        let mut conflicts = Vec::new();
        let document = self.document.as_str();
        for plugin in entities.plugins.iter().filter(|plugin| plugin.name == "mocking") {
            let named = plugin.config.get("api_specification_filename").and_then(Value::as_str);
            if named.is_some_and(|named| is_same_file(named, document)) {
                conflicts.push(format!("the plugin mocking at {} serves {document} already", plugin.at));
            }
        }
        let has_name = |name: &Option<String>| name.as_ref() == Some(&self.name);
        if entities.services.iter().any(|service| has_name(&service.name)) {
            conflicts.push(format!("a service is named '{}' already: give another `name`", self.name));
        }
        if entities.routes.iter().any(|route| has_name(&route.name)) {
            conflicts.push(format!("a route is named '{}' already: give another `name`", self.name));
        }
        for route in entities.routes.iter().filter(|route| matches_any_host(route)) {
            let label = || route.name.clone().unwrap_or_else(|| route.id.to_string());
            let same = |path: &&String| {
                let plain = |path: &str| path.trim_end_matches('/').to_owned();
                self.paths.iter().any(|own| plain(own) == plain(path))
            };
            for path in route.paths.iter().filter(same) {
                conflicts.push(format!(
                    "the route '{}' has the path {path} already: give another `path`",
                    label()
                ));
            }
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        Err(AdminRefusal::Plain(StatusCode::CONFLICT, conflicts.join("; ")))
    }
}

/// Whether a Route matches requests by their paths and methods alone.
fn matches_any_host(route: &Route) -> bool {
    route.hosts.is_empty() && route.headers.is_empty() && route.snis.is_empty() && route.expression.is_none()
}

/// The Service that an import makes of the document.
fn imported_service(document: &SpecFileName, api: &Api, schemas: &dyn PluginSchemas) -> Mapping {
    let Some((mock, fields)) = plugin::find_for_documents() else { return Mapping::default() };
    let file = document.as_str().rsplit('/').next().unwrap_or_default().to_owned();
    let source = DocumentSource::File(document.as_str().to_owned());
    let specification = Specification { file, api: api.clone(), document: source };
    let plugins = ImportPlugins {
        schemas,
        mock: MockPlugin { name: mock.name, text_field: fields.text, file_field: fields.file },
        enforce: plugin::find_for_security,
    };
    let imported = import(&[specification], &ImportSettings::default(), &plugins).document;
    let services = imported.get("services").map(Value::items).unwrap_or_default();
    let mut service = services.first().and_then(Value::as_mapping).cloned().unwrap_or_default();
    // Several servers are an Upstream, of which a mock needs one address.
    let targets = imported.get("upstreams").map(Value::items).unwrap_or_default();
    let target = targets
        .first()
        .and_then(|upstream| upstream.get("targets")?.items().first()?.get("target")?.as_str());
    if let Some((host, port)) = target.and_then(|target| target.rsplit_once(':')) {
        service.insert("host", host);
        if let Ok(port) = port.parse::<i64>() {
            service.insert("port", port);
        }
    }
    service
}

/// The paths of a Route that has all operations: their first segments, or all paths where that is not possible.
fn first_segments(api: &Api) -> Vec<String> {
    let mut firsts = BTreeSet::new();
    for operation in &api.operations {
        let first = operation.template.split('/').nth(1).unwrap_or_default();
        let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
        if first.is_empty() || !first.chars().all(is_plain) {
            return vec!["/".to_owned()];
        }
        firsts.insert(format!("/{first}"));
        if firsts.len() > MAX_PATHS {
            return vec!["/".to_owned()];
        }
    }
    if firsts.is_empty() { vec!["/".to_owned()] } else { firsts.into_iter().collect() }
}
