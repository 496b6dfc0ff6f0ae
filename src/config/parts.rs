//! Configurations in several files, which are read one by one and merged in their order, and diagnostics in the right file.

use std::sync::Arc;

use super::{
    ConfigOrigin, DeclarativeFormat, LayoutTracking, ParsedDocument, environment::written, read_one,
};
use crate::{
    diag::{Diagnostic, SourceFile},
    document::{Mapping, NodePath, PathStep, Value},
    entity::document::{COMMENT, FORMAT_VERSION},
    schema::PluginSchemas,
};

/// The files of a source as one document: lists are concatenated, other values must be equal.
pub(super) fn read_parts(
    source: &SourceFile,
    format: DeclarativeFormat,
    plugins: &dyn PluginSchemas,
) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut all = Mapping::default();
    let mut diagnostics = Vec::new();
    let mut first_files: Vec<(String, &Arc<SourceFile>)> = Vec::new();
    for part in &source.parts {
        let value = match read_one(part, format, plugins, &ConfigOrigin::default(), LayoutTracking::default())
        {
            Ok(ParsedDocument { value, diagnostics: found, .. }) => {
                diagnostics.extend(found.into_iter().map(|diagnostic| diagnostic.in_file(part)));
                value
            }
            Err(found) => {
                diagnostics.extend(found.into_iter().map(|diagnostic| diagnostic.in_file(part)));
                continue;
            }
        };
        let Some(top) = value.as_mapping() else {
            if !value.is_null() {
                diagnostics.push(Diagnostic::error(NodePath::root(), "expected an object").in_file(part));
            }
            continue;
        };
        for (key, value) in top.iter() {
            let before = all.get(key).cloned().unwrap_or_default();
            let merged = match (&before, value) {
                (Value::Null, value) => value.clone(),
                (before, Value::Null) => before.clone(),
                (Value::Sequence(before), Value::Sequence(after)) => {
                    before.iter().chain(after.iter()).cloned().collect::<Vec<_>>().into()
                }
                (before, value) if before == value || key == COMMENT.name || key == FORMAT_VERSION.name => {
                    before.clone()
                }
                (before, _) => {
                    let first = first_files.iter().find(|(known, _)| known == key);
                    let first = first.map_or("", |(_, file)| &file.name);
                    let message = format!("`{key}` has another value in {first}");
                    diagnostics
                        .push(Diagnostic::error(NodePath::root().key(key), message).key().in_file(part));
                    before.clone()
                }
            };
            if before.is_null() {
                first_files.push((key.to_owned(), part));
            }
            all.insert(key, merged);
        }
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        Err(diagnostics)
    } else {
        Ok((all.into(), diagnostics))
    }
}

/// Moves diagnostics of a configuration in several files to the file that each of them is about.
pub fn relocate(source: &SourceFile, diagnostics: &mut [Diagnostic]) {
    if source.parts.is_empty() || diagnostics.iter().all(|diagnostic| diagnostic.file.is_some()) {
        return;
    }
    let counts = EntityCounts::new(source);
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.file.is_none()) {
        let first = diagnostic.kong_message.as_ref().and_then(|kong_message| kong_message.first.as_ref());
        if let Some((file, path)) = first.and_then(|path| counts.find(path)) {
            diagnostic.help = Some(format!("the first one is {path} in {}", file.name));
        }
        if let Some((file, path)) = counts.find(&diagnostic.path) {
            diagnostic.path = path;
            diagnostic.file = Some(file);
        }
    }
}

/// The top level of each file, which has the number of its entities by collection.
struct EntityCounts<'a>(Vec<(&'a Arc<SourceFile>, Mapping)>);

impl<'a> EntityCounts<'a> {
    fn new(source: &'a SourceFile) -> Self {
        let read = |part: &'a Arc<SourceFile>| {
            // Only the number of items matters here.
            let value = written(&part.text, DeclarativeFormat::Deck).unwrap_or_default();
            (part, value.into_mapping().unwrap_or_default())
        };
        Self(source.parts.iter().map(read).collect())
    }

    /// The file of a node, and its path there.
    fn find(&self, path: &NodePath) -> Option<(Arc<SourceFile>, NodePath)> {
        let (first, _) = self.0.first()?;
        let Some(PathStep::Key(key)) = path.steps().first() else {
            return Some(((*first).clone(), path.clone()));
        };
        let Some(PathStep::Index(index)) = path.steps().get(1) else {
            let holder =
                self.0.iter().find(|(_, top)| top.contains_key(key)).map_or(*first, |(file, _)| *file);
            return Some((holder.clone(), path.clone()));
        };
        let mut before = 0;
        for (file, top) in &self.0 {
            let here = top.get(key).map_or(0, |value| value.items().len());
            if *index < before + here {
                let start = NodePath::root().key(key).index(index - before);
                return Some(((*file).clone(), start.join(path.steps().get(2..).unwrap_or_default())));
            }
            before += here;
        }
        None
    }
}
