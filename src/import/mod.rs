//! Conversion of OpenAPI documents to a configuration: a Service for each document, a Route for each operation.
//!
//! | file | contents |
//! |---|---|
//! | `importer` | conversion of one document: Services, Routes, plugins |
//! | `names` | names that Kong accepts, each used once |
//! | `pattern` | paths of operations as regular expressions |
//! | `servers` | addresses of an API |
//! | `level` | `x-kong-*` extensions of a document, a path or an operation |
//! | `service` | a Service and its Upstream |
//! | `security` | plugins that enforce security schemes |
//!
//! Names, tags and paths are those of the public converters (go-apiops, decK), so that results of both can replace each
//! other.

mod importer;
mod level;
mod route_pattern;
mod security;
mod servers;
mod service;
mod taken_names;

use crate::{
    diag::Diagnostic,
    document::{Mapping, Value},
    openapi::{Api, api::SecurityKind},
    schema::PluginSchemas,
};

use importer::Importer;
use taken_names::TakenNames;

/// An OpenAPI document to convert.
#[derive(Clone, Debug)]
pub struct Specification {
    /// The name of its file, without folders.
    pub file: String,
    /// The API that it describes.
    pub api: Api,
    /// The document in the settings of the plugin that mocks.
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

/// The plugins of this build that an import uses.
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

/// Options of a conversion.
#[derive(Clone, Debug, Default)]
pub struct ImportSettings {
    /// Whether Services get the plugin that mocks.
    pub mock: bool,
    /// Whether plugins enforce the security schemes.
    pub security: bool,
    /// Tags of every entity, instead of those of the document.
    pub tags: Vec<String>,
}

/// A configuration and warnings about the documents.
#[derive(Clone, Debug)]
pub struct ImportResult {
    /// The configuration.
    pub document: Value,
    /// Warnings by document: parts that the configuration cannot express.
    pub warnings: Vec<Vec<Diagnostic>>,
}

/// Converts documents to a configuration.
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
        importer.add_operations();
        for (service, upstream) in importer.finish() {
            services.push(service.into());
            upstreams.extend(upstream.map(Value::from));
        }
        warnings.push(importer.warnings.list);
    }
    let mut document: Mapping = [("_format_version", Value::from("3.0"))].into_iter().collect();
    document.insert("services", services);
    if !upstreams.is_empty() {
        document.insert("upstreams", upstreams);
    }
    ImportResult { document: document.into(), warnings }
}

/// Warnings, each message once.
#[derive(Default)]
struct ImportWarnings {
    list: Vec<Diagnostic>,
}

impl ImportWarnings {
    fn add(&mut self, warning: Diagnostic) {
        if !self.list.iter().any(|other| other.message == warning.message) {
            self.list.push(warning);
        }
    }
}
