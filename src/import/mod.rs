//! IN: OpenAPI documents become a configuration: a Service for each, a Route for each operation.
//!
//! | file | what it is about |
//! |---|---|
//! | `importer` | operation by operation, which Service and which Route |
//! | `names` | names that Kong accepts, each once |
//! | `pattern` | the path of an operation as a regular expression |
//! | `servers` | where the API is |
//! | `level` | what `x-kong-...` says of a document, a path or an operation |
//! | `service` | a Service, and its Upstream |
//! | `security` | the plugins that ask for what the document's security schemes ask for |
//!
//! Names, tags and paths are those of the public converters (go-apiops, decK), so that a configuration can move from
//! one to the other.

mod importer;
mod level;
mod names;
mod pattern;
mod security;
mod servers;
mod service;

use crate::{
    diag::Diagnostic,
    document::{Mapping, Value},
    openapi::{Api, api::SecurityKind},
    schema::PluginSchemas,
};

use importer::Importer;
use names::TakenNames;

/// An OpenAPI document and how it is to be read.
#[derive(Clone, Debug)]
pub struct Specification {
    /// The name of its file, without folders.
    pub file: String,
    /// What it describes.
    pub api: Api,
    /// What the settings of a plugin that mocks name the document by.
    pub document: DocumentSource,
}

/// A document in the settings of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentSource {
    /// The text of the document.
    Text(String),
    /// The name of its file, in the folder of specs.
    File(String),
}

/// The plugins of this build, as far as an import writes them.
#[derive(Clone, Copy)]
pub struct ImportPlugins<'a> {
    /// The settings of all plugins.
    pub schemas: &'a dyn PluginSchemas,
    /// The plugin that mocks.
    pub mock: MockPlugin,
    /// The plugin that enforces a security scheme, with its settings.
    pub enforce: fn(&SecurityKind) -> Option<(&'static str, Mapping)>,
}

/// The plugin that answers from an OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct MockPlugin {
    /// Its name.
    pub name: &'static str,
    /// The setting for the text of the document.
    pub text_field: &'static str,
    /// The setting for the name of its file.
    pub file_field: &'static str,
}

/// What is made of documents.
#[derive(Clone, Debug, Default)]
pub struct ImportSettings {
    /// Whether services are mocked.
    pub mock: bool,
    /// Whether plugins ask for credentials.
    pub security: bool,
    /// Tags of every entity, in place of those that say where it comes from.
    pub tags: Vec<String>,
}

/// A configuration, and for each document what could not be said in it.
#[derive(Clone, Debug)]
pub struct ImportResult {
    /// The configuration.
    pub document: Value,
    /// What its author should know, document by document.
    pub warnings: Vec<Vec<Diagnostic>>,
}

/// Turns documents into a configuration.
#[must_use]
pub fn import(
    specifications: &[Specification],
    options: &ImportSettings,
    plugins: &ImportPlugins<'_>,
) -> ImportResult {
    let mut names = TakenNames::default();
    let (mut services, mut upstreams) = (Vec::new(), Vec::new());
    let mut warnings = Vec::new();
    for specification in specifications {
        let mut importer = Importer::new(specification, options, plugins, &mut names);
        importer.operations();
        for (service, upstream) in importer.finish() {
            services.push(service.into());
            upstreams.extend(upstream.map(Value::from));
        }
        warnings.push(importer.complaints.list);
    }
    let mut document: Mapping = [("_format_version", Value::from("3.0"))].into_iter().collect();
    document.insert("services", services);
    if !upstreams.is_empty() {
        document.insert("upstreams", upstreams);
    }
    ImportResult { document: document.into(), warnings }
}

/// Complaints, each said once.
#[derive(Default)]
struct ImportComplaints {
    list: Vec<Diagnostic>,
}

impl ImportComplaints {
    fn add(&mut self, warning: Diagnostic) {
        if !self.list.iter().any(|it| it.message == warning.message) {
            self.list.push(warning);
        }
    }
}
