//! Conversion of one document: the Service and the Route of each operation.

use std::collections::{HashMap, HashSet};

use super::{
    DocumentSource, ImportPlugins, ImportSettings, ImportWarnings, MockPlugin, Specification,
    level::{ExtensionLevel, PluginEntry},
    route_pattern::{self, RoutePattern},
    security::SecurityPlugins,
    service::ServiceDraft,
    taken_names::{TakenNames, slug},
};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, PathStep, Value},
    openapi::{DocumentLibrary, DocumentNode, Operation, SpecVersion},
};

/// The conversion of one document.
pub(super) struct Importer<'a> {
    specification: &'a Specification,
    options: &'a ImportSettings,
    plugins: &'a ImportPlugins<'a>,
    names: &'a mut TakenNames,
    /// Extensions of the document as a whole.
    level: ExtensionLevel,
    name: String,
    tags: Vec<Value>,
    groups: Vec<ServiceGroup>,
    /// Positions in `groups`, by the node whose servers the group has.
    groups_by_path: HashMap<NodePath, usize>,
    pub(super) warnings: ImportWarnings,
}

/// A Service and its Routes.
struct ServiceGroup {
    service: ServiceDraft,
    /// Each Route, its plugins, and the plugins that enforce its security.
    routes: Vec<(Mapping, Vec<Value>, Vec<Mapping>)>,
}

impl<'a> Importer<'a> {
    pub(super) fn new(
        specification: &'a Specification,
        options: &'a ImportSettings,
        plugins: &'a ImportPlugins<'a>,
        names: &'a mut TakenNames,
    ) -> Self {
        let api = &specification.api;
        let mut warnings = ImportWarnings::default();
        let root = NodePath::root();
        let level =
            ExtensionLevel::read(&api.library, &api.library.root(), &root, api.version, &mut warnings);
        let stem = specification.file.rsplit_once('.').map_or(&*specification.file, |(stem, _)| stem);
        let candidates = [level.name.as_deref().unwrap_or_default(), &api.title, stem, "api"];
        let name = candidates.into_iter().map(slug).find(|name| !name.is_empty()).unwrap_or_default();
        let tags = tags(specification, options, &level);
        let groups_by_path = HashMap::new();
        let groups = Vec::new();
        let mut importer = Self {
            specification,
            options,
            plugins,
            names,
            level,
            name,
            tags,
            groups,
            groups_by_path,
            warnings,
        };
        importer.name = importer.names.service(&importer.name);
        let service = ServiceDraft::new(importer.name.clone(), &[&importer.level]);
        importer.groups.push(ServiceGroup { service, routes: Vec::new() });
        importer
    }

    /// Converts all operations.
    pub(super) fn add_operations(&mut self) {
        let api = &self.specification.api;
        let security = SecurityPlugins::new(api, self.plugins);
        let mut matched = HashSet::new();
        for operation in &api.operations {
            if route_pattern::path_of(&operation.template) == operation.template {
                matched.insert((operation.method.as_str(), route_pattern::shape(&operation.template)));
            }
        }
        for operation in &api.operations {
            if self.is_indistinguishable(operation, &mut matched) {
                continue;
            }
            let Some(pattern) = route_pattern::route_pattern(&operation.template) else {
                let message = format!("no route can match the path {}", operation.template);
                self.warnings.add(Diagnostic::warning(operation.path.parent(), message).key());
                continue;
            };
            let security_plugins = if self.options.security {
                security.plugins(&operation.security, &operation.path, &mut self.warnings)
            } else {
                Vec::new()
            };
            self.add_operation(operation, &pattern, security_plugins);
        }
    }

    /// Whether an operation differs from an earlier one only in the query or fragment of its path, which no Route matches. There
    /// is a warning about each path with these.
    fn is_indistinguishable<'b>(
        &mut self,
        operation: &'b Operation,
        matched: &mut HashSet<(&'b str, String)>,
    ) -> bool {
        let path = route_pattern::path_of(&operation.template);
        if path == operation.template {
            return false;
        }
        let (method, template) = (operation.method.as_str(), &operation.template);
        let is_new = matched.insert((method, route_pattern::shape(path)));
        let message = if is_new {
            format!("the route of {method} {template} is for {path}: routes match no query and no fragment")
        } else {
            format!(
                "{method} {template} is left out: without its query and fragment, another operation has its path"
            )
        };
        self.warnings.add(Diagnostic::warning(operation.path.clone(), message).key());
        !is_new
    }

    fn add_operation(
        &mut self,
        operation: &Operation,
        pattern: &RoutePattern,
        security_plugins: Vec<Mapping>,
    ) {
        let place = operation.path.parent();
        let path = self.level(&place);
        let own = self.level(&operation.path);
        let path_name = match &path.name {
            Some(name) => slug(name),
            None => slug(&operation.template),
        };
        let method = operation.method.as_str();
        let own_name = match (&own.name, &operation.operation_id) {
            (Some(name), _) | (None, Some(name)) => slug(name),
            (None, None) => joined(&[&path_name, &method.to_ascii_lowercase()]),
        };
        let name = joined(&[&self.name, &own_name]);
        let group =
            self.group(&place, &joined(&[&self.name, &path_name]), &path, &operation.path, &name, &own);
        let mut plugins = path.plugins.clone();
        for (name, plugin) in &own.plugins {
            plugins.retain(|(other, _)| other != name);
            plugins.push((name.clone(), plugin.clone()));
        }
        let defaults = own.route.as_ref().or(path.route.as_ref()).or(self.level.route.as_ref()).cloned();
        let route = self.route(&name, method, pattern, defaults.as_ref());
        let plugins = self.plugin_entries(&plugins);
        if let Some(group) = self.groups.get_mut(group) {
            group.routes.push((route, plugins, security_plugins));
        }
    }

    /// Extensions of a node of the document.
    fn level(&mut self, at: &NodePath) -> ExtensionLevel {
        let api = &self.specification.api;
        match node(&api.library, at) {
            Some(node) => ExtensionLevel::read(&api.library, &node, at, api.version, &mut self.warnings),
            None => ExtensionLevel::default(),
        }
    }

    /// The group of an operation: that of the document, unless its path or the operation has servers of its own.
    fn group(
        &mut self,
        path_at: &NodePath,
        path_name: &str,
        path: &ExtensionLevel,
        at: &NodePath,
        name: &str,
        own: &ExtensionLevel,
    ) -> usize {
        let (at, name) = match (own.has_own_service(), path.has_own_service()) {
            (true, _) => (at, name),
            (false, true) => (path_at, path_name),
            (false, false) => return 0,
        };
        if let Some(group) = self.groups_by_path.get(at) {
            return *group;
        }
        let levels = [own, path, &self.level];
        // The group of a path is shared by its operations, so it has no values of one operation.
        let levels = if own.has_own_service() { &levels[..] } else { &levels[1..] };
        let service = ServiceDraft::new(self.names.service(name), levels);
        self.groups.push(ServiceGroup { service, routes: Vec::new() });
        self.groups_by_path.insert(at.clone(), self.groups.len() - 1);
        self.groups.len() - 1
    }

    fn route(
        &mut self,
        name: &str,
        method: &str,
        pattern: &RoutePattern,
        defaults: Option<&Mapping>,
    ) -> Mapping {
        let mut route = Mapping::default();
        route.insert("name", self.names.route(name));
        route.insert("methods", vec![Value::from(method)]);
        route.insert("paths", vec![Value::from(&*pattern.path)]);
        route.insert("strip_path", false);
        // Literal paths match before paths with parameters.
        route.insert("regex_priority", if pattern.has_parameters { 100_i64 } else { 200 });
        route.insert("tags", self.tags.clone());
        for (key, value) in defaults.into_iter().flat_map(Mapping::iter) {
            if !matches!(key, "id" | "name" | "methods" | "paths" | "service" | "plugins") {
                route.insert(key, value.clone());
            }
        }
        route
    }

    /// Entries of plugins, with a warning for each plugin that this build lacks.
    fn plugin_entries(&mut self, plugins: &[(String, PluginEntry)]) -> Vec<Value> {
        let mut entries = Vec::new();
        for (name, plugin) in plugins {
            if self.plugins.schemas.settings(name).is_none() {
                let message =
                    format!("the plugin '{name}' is left out: this version of mynah does not have it");
                self.warnings.add(Diagnostic::warning(plugin.at.clone(), message).key());
                continue;
            }
            let mut entry: Mapping = [("name", Value::from(&**name))].into_iter().collect();
            entry.insert("tags", self.tags.clone());
            for (key, value) in plugin.entry.iter().filter(|(key, _)| !matches!(*key, "id" | "name")) {
                entry.insert(key, value.clone());
            }
            if name == self.plugins.mock.name {
                entry.insert("config", self.mock_settings(entry.get("config")));
            }
            entries.push(entry.into());
        }
        entries
    }

    /// Settings of the plugin that mocks; with this document, unless they name another one.
    fn mock_settings(&self, given: Option<&Value>) -> Mapping {
        let MockPlugin { text_field, file_field, .. } = self.plugins.mock;
        let mut config = given.and_then(Value::as_mapping).cloned().unwrap_or_default();
        if !config.contains_key(text_field) && !config.contains_key(file_field) {
            match &self.specification.document {
                DocumentSource::Text(text) => config.insert(text_field, &**text),
                DocumentSource::File(name) => config.insert(file_field, &**name),
            };
        }
        config
    }

    /// The Services with their Routes and plugins, and their Upstreams.
    pub(super) fn finish(&mut self) -> Vec<(Mapping, Option<Mapping>)> {
        let mut plugins = self.level.plugins.clone();
        let mock = self.plugins.mock.name;
        if self.options.mock && !plugins.iter().any(|(name, _)| name == mock) {
            let entry = PluginEntry { entry: Mapping::default(), at: NodePath::root() };
            plugins.push((mock.to_owned(), entry));
        }
        let plugins = self.plugin_entries(&plugins);
        let groups = std::mem::take(&mut self.groups);
        let several = groups.len() > 1;
        let mut finished = Vec::new();
        for group in groups {
            if several && group.routes.is_empty() {
                continue;
            }
            if !self.options.mock {
                group.service.warn(&mut self.warnings);
            }
            let (mut service, upstream) = group.service.entries(self.names, &self.tags);
            self.add_plugins(&mut service, plugins.clone(), group.routes);
            finished.push((service, upstream));
        }
        finished
    }

    /// Adds plugins. Those that enforce security are added to the Service if all its Routes have the same, else to each Route.
    fn add_plugins(
        &self,
        service: &mut Mapping,
        mut plugins: Vec<Value>,
        routes: Vec<(Mapping, Vec<Value>, Vec<Mapping>)>,
    ) {
        let first = routes.first().map(|(.., security_plugins)| security_plugins.clone()).unwrap_or_default();
        let are_equal = routes.iter().all(|(.., security_plugins)| *security_plugins == first);
        if are_equal {
            self.add_missing(&mut plugins, &first);
        }
        let routes = routes.into_iter().map(|(mut route, mut own, security_plugins)| {
            if !are_equal {
                self.add_missing(&mut own, &security_plugins);
            }
            if !own.is_empty() {
                route.insert("plugins", own);
            }
            route.into()
        });
        let routes: Vec<Value> = routes.collect();
        if !plugins.is_empty() {
            service.insert("plugins", plugins);
        }
        service.insert("routes", routes);
    }

    /// Adds plugins, except those that are configured already.
    fn add_missing(&self, plugins: &mut Vec<Value>, more: &[Mapping]) {
        for entry in more {
            let name = entry.get("name");
            if !plugins.iter().any(|plugin| plugin.get("name") == name) {
                let mut entry = entry.clone();
                entry.insert("tags", self.tags.clone());
                plugins.push(entry.into());
            }
        }
    }
}

/// The tags of every entity.
fn tags(specification: &Specification, options: &ImportSettings, level: &ExtensionLevel) -> Vec<Value> {
    if !options.tags.is_empty() {
        return options.tags.iter().map(|tag| Value::from(&**tag)).collect();
    }
    if let Some(tags) = &level.tags {
        return tags.clone();
    }
    let edition = if specification.api.version == SpecVersion::Swagger2 { "OAS2" } else { "OAS3" };
    let file: String = specification
        .file
        .chars()
        .map(|c| if matches!(c, ',' | '/') || c.is_control() { '-' } else { c })
        .collect();
    vec![Value::from(format!("{edition}_import")), Value::from(format!("{edition}file_{file}"))]
}

/// Joins the parts of a name that are not empty.
fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

/// The node at a path, with references on the path resolved.
fn node(library: &DocumentLibrary, at: &NodePath) -> Option<DocumentNode> {
    let mut node = library.root();
    for step in at.steps() {
        if node.get("$ref").is_some() {
            node = library.resolve(&node).ok()?;
        }
        let PathStep::Key(key) = step else { return None };
        node = node.get(key)?;
    }
    if node.get("$ref").is_some() { library.resolve(&node).ok() } else { Some(node) }
}
