//! OpenAPI documents in the folder of specs and in a configuration, summarized for lists; each is read again when it
//! changes.

use std::{
    collections::HashMap,
    fs,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value as Json;

use super::watch::FileStamp;
use crate::{
    diag::{Diagnostic, DiagnosticReport, SourceFile},
    document::{self, Dialect, NodePath, Value},
    entity::PluginEntity,
    file_read::{read_unchecked, text_hash},
    openapi::{self, LibraryLocation, Operation, SpecVersion},
};

/// Most documents of a list.
pub(super) const MAX_DOCUMENTS: usize = 500;
/// Most entries of folders that are looked at, and the deepest folder.
const MAX_ENTRIES: usize = 5000;
pub(super) const MAX_DEPTH: usize = 4;
/// Largest document of a list, in bytes; a larger one is listed with an error.
pub(super) const MAX_BYTES: u64 = 8 << 20;
/// Most operations and diagnostics of a summary.
const MAX_OPERATIONS: usize = 2000;
const MAX_DIAGNOSTICS: usize = 50;

/// A document, and what it describes.
#[derive(Clone, Debug)]
pub(super) struct ApiDocument {
    /// `file/NAME` of a file in the folder of specs, `plugin/ID` of a document in the settings of a plugin.
    pub(super) id: String,
    pub(super) summary: Arc<ApiSummary>,
}

/// What a document describes.
#[derive(Debug, Default)]
pub(super) struct ApiSummary {
    pub(super) title: String,
    pub(super) version: String,
    pub(super) format: String,
    pub(super) description: String,
    pub(super) base_paths: Vec<String>,
    pub(super) operations: Vec<OperationSummary>,
    /// Findings of the lint, as `mynah lint --format json` prints them.
    pub(super) diagnostics: Vec<Json>,
    pub(super) errors: usize,
    pub(super) warnings: usize,
    /// The document; none if it cannot be read.
    pub(super) root: Option<Value>,
    /// Files that it refers to, as they were.
    stamps: Vec<(PathBuf, Option<FileStamp>)>,
}

/// An operation of a document.
#[derive(Debug)]
pub(super) struct OperationSummary {
    pub(super) method: http::Method,
    pub(super) template: String,
    pub(super) id: Option<String>,
    pub(super) summary: String,
    pub(super) tag: String,
    /// Whether the document says that the service answers (`x-mynah-live`).
    pub(super) is_live: bool,
}

/// Stamp of a file when it was read, and its summary if it is a document.
type FileSummary = (Option<FileStamp>, Option<Arc<ApiSummary>>);

/// Summaries of the documents that have been read.
#[derive(Debug, Default)]
pub(super) struct ApiDocuments {
    files: Mutex<HashMap<PathBuf, FileSummary>>,
    texts: Mutex<HashMap<uuid::Uuid, (u64, Arc<ApiSummary>)>>,
}

impl ApiDocuments {
    /// All documents: the files below `folder` in their order, and those in the settings of plugins.
    pub(super) fn list(&self, folder: &FilePath, plugins: &[Arc<PluginEntity>]) -> Vec<ApiDocument> {
        let mut documents = self.of_files(folder);
        documents.extend(self.of_plugins(folder, plugins));
        documents.truncate(MAX_DOCUMENTS);
        documents
    }

    fn of_files(&self, folder: &FilePath) -> Vec<ApiDocument> {
        let names = list_names(folder);
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut documents = Vec::new();
        let mut kept = HashMap::with_capacity(names.len());
        for name in names {
            let path = folder.join(&name);
            let stamp = FileStamp::take(&path);
            let (_, summary) = match known.remove(&path) {
                Some((before, summary)) if before == stamp && summary.as_deref().is_none_or(is_current) => {
                    (before, summary)
                }
                _ => (stamp, read_file(&path, folder)),
            };
            kept.insert(path, (stamp, summary.clone()));
            let id = format!("file/{}", name.display());
            documents.extend(summary.map(|summary| ApiDocument { id, summary }));
        }
        *known = kept;
        documents
    }

    fn of_plugins(&self, folder: &FilePath, plugins: &[Arc<PluginEntity>]) -> Vec<ApiDocument> {
        let mut known = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = HashMap::new();
        let mut documents = Vec::new();
        for plugin in plugins.iter().filter(|plugin| plugin.name == "mocking") {
            let Some(text) = plugin.config.get("api_specification").and_then(Value::as_str) else { continue };
            let hash = text_hash(text.as_bytes());
            let summary = match known.remove(&plugin.id) {
                Some((before, summary)) if before == hash && is_current(&summary) => summary,
                _ => {
                    let source = SourceFile::new("api_specification", text);
                    Arc::new(summarize(&source, &LibraryLocation::text(folder, folder)))
                }
            };
            kept.insert(plugin.id, (hash, summary.clone()));
            documents.push(ApiDocument { id: format!("plugin/{}", plugin.id), summary });
        }
        *known = kept;
        documents
    }
}

/// Whether the files to which a document refers are those that were read.
fn is_current(summary: &ApiSummary) -> bool {
    summary.stamps.iter().all(|(path, stamp)| FileStamp::take(path) == *stamp)
}

/// Names of the files below a folder that may be documents, sorted.
pub(super) fn list_names(folder: &FilePath) -> Vec<PathBuf> {
    let mut names = Vec::new();
    collect_names(folder, FilePath::new(""), 0, &mut MAX_ENTRIES.clone(), &mut names);
    names.sort();
    names
}

/// Names of the files below a folder that may be documents. Links are followed only within the folder.
fn collect_names(
    folder: &FilePath,
    below: &FilePath,
    depth: usize,
    entries: &mut usize,
    names: &mut Vec<PathBuf>,
) {
    let Ok(children) = fs::read_dir(folder.join(below)) else { return };
    for child in children.flatten() {
        if *entries == 0 || names.len() >= MAX_DOCUMENTS {
            return;
        }
        *entries -= 1;
        let file_name = child.file_name();
        let Some(text) = file_name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let name = below.join(text);
        let Ok(kind) = child.file_type() else { continue };
        if kind.is_dir() && depth < MAX_DEPTH {
            collect_names(folder, &name, depth + 1, entries, names);
        } else if !kind.is_dir()
            && matches!(name.extension().and_then(|end| end.to_str()), Some("yaml" | "yml" | "json"))
        {
            names.push(name);
        }
    }
}

/// Reads a file; none if it is not a document of OpenAPI, such as one that holds schemas alone.
fn read_file(path: &FilePath, folder: &FilePath) -> Option<Arc<ApiSummary>> {
    let real = path.canonicalize().ok()?;
    if !real.starts_with(folder.canonicalize().ok()?) || !real.is_file() {
        return None;
    }
    let name = path.display().to_string();
    let bytes = match read_unchecked(&real, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let source = SourceFile::new(name, "");
            return Some(Arc::new(broken(
                &source,
                Diagnostic::error(NodePath::root(), format!("cannot be shown: {error}")),
            )));
        }
    };
    let text = String::from_utf8(bytes).ok()?;
    let source = SourceFile::new(name, text);
    if !source.text.contains("openapi") && !source.text.contains("swagger") {
        return None;
    }
    let summary = summarize(&source, &LibraryLocation::file(path, folder));
    // A file of parts that other documents refer to.
    let is_part =
        summary.root.as_ref().is_some_and(|root| root.get("openapi").or(root.get("swagger")).is_none());
    (!is_part).then(|| Arc::new(summary))
}

fn broken(source: &Arc<SourceFile>, error: Diagnostic) -> ApiSummary {
    let report = DiagnosticReport::new(source.clone(), vec![error]);
    ApiSummary { diagnostics: diagnostics_json(&report), errors: 1, ..ApiSummary::default() }
}

fn diagnostics_json(report: &DiagnosticReport) -> Vec<Json> {
    let mut all = match report.to_json() {
        Json::Array(all) => all,
        _ => Vec::new(),
    };
    all.truncate(MAX_DIAGNOSTICS);
    all
}

/// Reads a document.
fn summarize(source: &Arc<SourceFile>, location: &LibraryLocation) -> ApiSummary {
    let root = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document.value,
        Err(error) => return broken(source, Diagnostic::syntax(NodePath::root(), &error)),
    };
    let (api, diagnostics) = match openapi::lint(root.clone(), location, false) {
        Ok(read) => read,
        Err(error) => return ApiSummary { root: Some(root), ..broken(source, error) },
    };
    let report = DiagnosticReport::new(source.clone(), diagnostics);
    let (errors, warnings) = report.count();
    let info = |key: &str| root.get("info").and_then(|info| info.get(key)).map(scalar).unwrap_or_default();
    let format = match api.version {
        SpecVersion::Swagger2 => "Swagger 2.0".to_owned(),
        _ => format!("OpenAPI {}", root.get("openapi").map(scalar).unwrap_or_default()),
    };
    let operation = |operation: &Operation| {
        let node = root.get("paths").and_then(|paths| paths.get(&operation.template));
        let method = operation.method.as_str().to_ascii_lowercase();
        let node = node.and_then(|path| path.get(&method));
        let text =
            |key: &str| node.and_then(|node| node.get(key)).and_then(Value::as_str).unwrap_or_default();
        let tag = node.and_then(|node| node.get("tags")?.as_sequence()?.iter().next()?.as_str());
        OperationSummary {
            method: operation.method.clone(),
            template: operation.template.clone(),
            id: operation.operation_id.clone(),
            summary: text("summary").to_owned(),
            tag: tag.unwrap_or_default().to_owned(),
            is_live: operation
                .extensions
                .iter()
                .any(|(name, node)| &**name == "x-mynah-live" && node.value.as_bool().unwrap_or_default()),
        }
    };
    ApiSummary {
        title: api.title.clone(),
        version: info("version"),
        format,
        description: info("description"),
        base_paths: api.base_paths.clone(),
        operations: api.operations.iter().take(MAX_OPERATIONS).map(operation).collect(),
        diagnostics: diagnostics_json(&report),
        errors,
        warnings,
        stamps: api.library.files().map(|path| (path.to_owned(), FileStamp::take(path))).collect(),
        root: Some(root),
    }
}

/// The text of a scalar.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}
