//! Entities of a mock of a document: what a request asks for, what follows from the document, and the plan of the write.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{
    apis::{example_path, is_same_file},
    cors::cors_settings,
    files::parse_document,
    input::RequestInput,
    plan::ConfigView,
    record_check::check_record,
    refusal::AdminRefusal,
};
use crate::{
    control::write::{WritePlan, spec_files::SpecFileName},
    document::{Mapping, Value, edit::DocumentChange},
    entity::{Entities, Route, service},
    import::{DocumentSource, ImportPlugins, ImportSettings, MockPlugin, Specification, import},
    openapi::Api,
    plugin,
    schema::{EntitySchema, PluginSchemas},
    snapshot::SnapshotChecker,
};

/// Most paths of a Route; a document with more different beginnings gets all paths.
const MAX_PATHS: usize = 16;

/// What a request asks for.
pub(super) struct MockWish {
    pub(super) document: SpecFileName,
    pub(super) name: Option<String>,
    /// Path below which the operations are served, without a slash at the end.
    path: Option<String>,
    pub(super) dry_run: bool,
}

impl MockWish {
    /// Reads a request.
    pub(super) fn parse(input: &RequestInput) -> Result<Self, AdminRefusal> {
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
pub(super) struct MockDraft {
    pub(super) document: SpecFileName,
    pub(super) api: Api,
    pub(super) name: String,
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
    /// Derives the entities from the document.
    pub(super) fn new(wish: MockWish, api: Api, schemas: &dyn PluginSchemas) -> Self {
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
    pub(super) fn path_of(&self, template: &str) -> String {
        format!("{}{}", self.base, example_path(template))
    }

    /// Plans the write, unless it would conflict with what there is.
    pub(super) fn plan(
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
