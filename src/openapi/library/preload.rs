//! Loader of a [`DocumentLibrary`]: one walk through every file, which collects references, anchors and ids.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    diag::{Diagnostic, SourceFile},
    document::{self, Dialect, NodePlace, SharedText, Value, read},
    openapi::{
        keywords::{KeywordOperand, SchemaKeyword},
        messages::{MORE_REFERENCES, excerpt},
    },
};

use super::{
    super::SpecVersion,
    DocumentLibrary, DocumentNode, LibraryFile, LibraryLocation,
    files::{FileLookup, LibraryReader},
    reference,
};

/// Bound on the depth of the walk; [`read`] refuses deeper documents.
const MAX_DEPTH: usize = 512;

/// Bound on the diagnostics about references.
const MAX_DIAGNOSTICS: usize = 100;

pub(super) fn load(root: Value, location: &LibraryLocation) -> (DocumentLibrary, Vec<Diagnostic>) {
    let version = SpecVersion::of(&root).unwrap_or(SpecVersion::OpenApi31);
    let library = DocumentLibrary { version, files: Vec::new(), ids: HashMap::new(), watched: Vec::new() };
    let mut loading = LibraryLoading {
        library,
        reader: LibraryReader::new(location),
        by_path: HashMap::new(),
        unusable: HashMap::new(),
        collected: Vec::new(),
        diagnostics: Vec::new(),
    };
    let path = LibraryReader::document_path(location);
    if let Some(path) = &path {
        loading.by_path.insert(path.clone(), 0);
    }
    loading.add(root, path, None);
    let mut next = 0;
    while next < loading.library.files.len() {
        loading.open_links(next);
        next += 1;
    }
    loading.check_references();
    (loading.library, loading.diagnostics)
}

struct LibraryLoading {
    library: DocumentLibrary,
    reader: LibraryReader,
    by_path: HashMap<PathBuf, u32>,
    /// Files that cannot be used, with the reason.
    unusable: HashMap<PathBuf, SharedText>,
    /// The results of the walk through each file.
    collected: Vec<CollectedReferences>,
    diagnostics: Vec<Diagnostic>,
}

impl LibraryLoading {
    fn add(&mut self, root: Value, path: Option<PathBuf>, source: Option<Arc<SourceFile>>) -> u32 {
        let file = u32::try_from(self.library.files.len()).unwrap_or(u32::MAX);
        let mut collected = CollectedReferences::default();
        let start = document::NodePath::root();
        collected.walk(&root, start.at(), ReferenceRole::Node, MAX_DEPTH);
        for (id, value) in collected.ids.drain(..) {
            self.library.ids.entry(id).or_insert(DocumentNode { value, file });
        }
        let anchors = std::mem::take(&mut collected.anchors);
        self.collected.push(collected);
        let (links, externals) = (HashMap::new(), HashMap::new());
        self.library.files.push(LibraryFile { root, path, source, links, externals, anchors });
        file
    }

    fn open_links(&mut self, file: usize) {
        let names: Vec<SharedText> = self.collected[file]
            .references
            .iter()
            .map(|(text, _)| reference::split(text).0)
            .filter(|name| !name.is_empty())
            .map(SharedText::from)
            .collect();
        for name in names {
            if self.library.ids.contains_key(&name) || self.library.files[file].links.contains_key(&name) {
                continue;
            }
            let link = self.open_file(&name, file);
            self.library.files[file].links.insert(name, link);
        }
        for (name, at) in std::mem::take(&mut self.collected[file].externals) {
            let content = self.read_external(&name, file);
            if let Err(reason) = &content {
                let message = format!("`externalValue: {}` cannot be used: {reason}", excerpt(&name));
                self.warn(file, at, message);
            }
            self.library.files[file].externals.insert(name, content);
        }
    }

    /// Opens the file that `name` means in the file `from`; a file that is open already is not read again.
    fn open_file(&mut self, name: &str, from: usize) -> Result<u32, SharedText> {
        let path = self.find_file(name, from)?;
        if let Some(known) = self.by_path.get(&path) {
            return Ok(*known);
        }
        if let Some(reason) = self.unusable.get(&path) {
            return Err(reason.clone());
        }
        match self.read_document(&path, name) {
            Ok((root, source)) => {
                let file = self.add(root, Some(path.clone()), Some(source));
                self.by_path.insert(path, file);
                Ok(file)
            }
            Err(reason) => {
                let reason = SharedText::from(reason);
                self.unusable.insert(path, reason.clone());
                Err(reason)
            }
        }
    }

    fn read_external(&mut self, name: &str, from: usize) -> Result<Bytes, SharedText> {
        let path = self.find_file(name, from)?;
        Ok(Bytes::from(self.reader.read(&path)?))
    }

    fn find_file(&mut self, name: &str, from: usize) -> Result<PathBuf, SharedText> {
        let FileLookup { watched, path } = self.reader.find(name, self.library.files[from].path.as_deref());
        if let Some(watched) = watched
            && !self.library.watched.contains(&watched)
        {
            self.library.watched.push(watched);
        }
        path.map_err(SharedText::from)
    }

    fn read_document(&mut self, path: &Path, name: &str) -> Result<(Value, Arc<SourceFile>), String> {
        let bytes = self.reader.read(path)?;
        let text = String::from_utf8(bytes).map_err(|_| String::from("the file is not UTF-8"))?;
        let source = SourceFile::new(path.display().to_string(), text);
        match read(&source.text, Dialect::Specification) {
            Ok(document) => Ok((document.value, source)),
            Err(error) => {
                // The syntax error is reported at its position in that file; the reference gets a diagnostic of its own.
                let fault = Diagnostic::syntax(document::NodePath::root(), &error);
                let warning =
                    Diagnostic { severity: crate::diag::Severity::Warning, ..fault }.in_file(&source);
                if self.diagnostics.len() < MAX_DIAGNOSTICS {
                    self.diagnostics.push(warning);
                }
                Err(format!("`{}` is neither YAML nor JSON", excerpt(name)))
            }
        }
    }

    fn check_references(&mut self) {
        let mut known = HashSet::new();
        for file in 0..self.collected.len() {
            for (text, at) in std::mem::take(&mut self.collected[file].references) {
                let Some(at) = at else { continue };
                if self.diagnostics.len() > MAX_DIAGNOSTICS {
                    return;
                }
                let node = DocumentNode {
                    value: reference_to(&text),
                    file: u32::try_from(file).unwrap_or(u32::MAX),
                };
                if let Err(error) = self.library.check_reference(&node, &mut known) {
                    self.warn(file, at, error.to_string());
                }
            }
            for (kind, at) in std::mem::take(&mut self.collected[file].invalid) {
                self.warn(file, at, super::ReferenceError::NotText { kind }.to_string());
            }
        }
    }

    fn warn(&mut self, file: usize, at: document::NodePath, message: String) {
        if self.diagnostics.len() > MAX_DIAGNOSTICS {
            return;
        }
        let diagnostic = if self.diagnostics.len() == MAX_DIAGNOSTICS {
            Diagnostic::warning(document::NodePath::root(), MORE_REFERENCES)
        } else {
            Diagnostic::warning(at, message)
        };
        let source = self.library.files[file].source.as_ref();
        self.diagnostics.push(match source {
            Some(source) => diagnostic.in_file(source),
            None => diagnostic,
        });
    }
}

fn reference_to(text: &SharedText) -> Value {
    Value::from(document::Mapping::from_iter([("$ref", Value::String(text.clone()))]))
}

/// References, anchors and ids of one file.
#[derive(Default)]
struct CollectedReferences {
    /// Each reference once, with its first position; none if it may be the literal value of an example.
    references: Vec<(SharedText, Option<document::NodePath>)>,
    known: HashMap<SharedText, usize>,
    externals: Vec<(SharedText, document::NodePath)>,
    /// `$ref`s that are not strings, with the kind of value that they are.
    invalid: Vec<(&'static str, document::NodePath)>,
    anchors: HashMap<SharedText, Value>,
    ids: Vec<(SharedText, Value)>,
    /// Nodes that aliases share, by address, so that each is walked once.
    shared: HashSet<usize>,
}

/// Role of a node in the search for references.
#[derive(Clone, Copy, PartialEq)]
enum ReferenceRole {
    /// An object of the specification.
    Node,
    /// A map of nodes by names that the author chose, such as `properties`.
    Names,
    /// A literal value, such as an example.
    Literal,
}

impl CollectedReferences {
    fn walk(&mut self, value: &Value, at: NodePlace<'_>, role: ReferenceRole, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        match value {
            Value::Sequence(items) if role != ReferenceRole::Literal => {
                if Arc::strong_count(items) > 1 && !self.shared.insert(items.as_ptr().addr()) {
                    return;
                }
                for (n, item) in items.iter().enumerate() {
                    self.walk(item, at.index(n), ReferenceRole::Node, depth);
                }
            }
            Value::Mapping(mapping) => {
                if role == ReferenceRole::Literal {
                    // Most authors of an example that consists of a `$ref` alone mean a reference.
                    if let (1, Some(Value::String(text))) = (mapping.len(), mapping.get("$ref")) {
                        self.add_reference(text, None);
                    }
                    return;
                }
                if Arc::strong_count(mapping) > 1 && !self.shared.insert(Arc::as_ptr(mapping).addr()) {
                    return;
                }
                for (key, child) in mapping.iter() {
                    if role == ReferenceRole::Node {
                        self.collect_keyword(key, child, value, &at);
                    }
                    self.walk(child, at.key(key), role_of(role, key, child), depth);
                }
            }
            _ => (),
        }
    }

    /// Collects a keyword that declares or contains a reference.
    fn collect_keyword(&mut self, key: &str, child: &Value, holder: &Value, at: &NodePlace<'_>) {
        match (key, child) {
            ("$ref" | "$dynamicRef", Value::String(text)) => {
                let at = at.key(key);
                self.add_reference(text, Some(&at));
            }
            ("$ref", other) => self.invalid.push((other.kind(), at.key(key).path())),
            ("$anchor" | "$dynamicAnchor", Value::String(name)) => {
                self.anchors.entry(name.clone()).or_insert_with(|| holder.clone());
            }
            ("$id", Value::String(id)) => {
                self.ids.push((SharedText::from(reference::split(id).0), holder.clone()));
            }
            ("externalValue", Value::String(text)) => {
                self.externals.push((text.clone(), at.key(key).path()));
            }
            _ => (),
        }
    }

    fn add_reference(&mut self, text: &SharedText, at: Option<&NodePlace<'_>>) {
        match self.known.get(text) {
            Some(n) => {
                let first = &mut self.references[*n].1;
                if let (None, Some(at)) = (&first, at) {
                    *first = Some(at.path());
                }
            }
            None => {
                self.known.insert(text.clone(), self.references.len());
                self.references.push((text.clone(), at.map(NodePlace::path)));
            }
        }
    }
}

/// The role of the node under `key`.
fn role_of(parent: ReferenceRole, key: &str, child: &Value) -> ReferenceRole {
    if parent == ReferenceRole::Names {
        return ReferenceRole::Node;
    }
    match key {
        "schemas" | "responses" | "parameters" | "headers" | "requestBodies" | "securitySchemes"
        | "links" | "callbacks" | "pathItems" | "paths" | "content" | "encoding" | "variables"
        | "mapping" => ReferenceRole::Names,
        // OpenAPI 3 has a map of example objects; a schema has a list, Swagger 2.0 a map of values by media type.
        "examples" if child.entries().all(|(_, example)| example.as_mapping().is_some()) => {
            ReferenceRole::Names
        }
        "value" | "dataValue" => ReferenceRole::Literal,
        // A discriminator is an object, and a name in Swagger 2.0.
        _ => match SchemaKeyword::named(key).filter(|keyword| *keyword != SchemaKeyword::Discriminator) {
            Some(keyword) => match keyword.operand() {
                KeywordOperand::SchemasByName(_) => ReferenceRole::Names,
                KeywordOperand::Value | KeywordOperand::Values => ReferenceRole::Literal,
                _ => ReferenceRole::Node,
            },
            None => ReferenceRole::Node,
        },
    }
}
