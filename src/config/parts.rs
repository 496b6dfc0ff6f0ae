//! A configuration in several files: read one by one, put together in their order, and each fault shown in the file
//! that it is in.

use std::sync::Arc;

use super::{
    ConfigOrigin, DeclarativeFormat, LayoutTracking, ParsedDocument, environment::written, read_one,
};
use crate::{
    diag::{Diagnostic, SourceFile},
    document::{Mapping, NodePath, PathStep, Value},
};

/// The files of a source as one document: lists go on, all else must not be said in two ways.
pub(super) fn read(
    source: &SourceFile,
    format: DeclarativeFormat,
) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut all = Mapping::default();
    let mut diagnostics = Vec::new();
    let mut said: Vec<(String, &Arc<SourceFile>)> = Vec::new();
    for part in &source.parts {
        let value = match read_one(part, format, &ConfigOrigin::default(), LayoutTracking::default()) {
            Ok(ParsedDocument { value, diagnostics: complaints, .. }) => {
                diagnostics.extend(complaints.into_iter().map(|it| it.in_file(part)));
                value
            }
            Err(complaints) => {
                diagnostics.extend(complaints.into_iter().map(|it| it.in_file(part)));
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
                (before, value) if before == value || matches!(key, "_comment" | "_format_version") => {
                    before.clone()
                }
                (before, _) => {
                    let first = said.iter().find(|(it, _)| it == key).map_or("", |(_, file)| &file.name);
                    let message = format!("`{key}` is said otherwise in {first}");
                    diagnostics
                        .push(Diagnostic::error(NodePath::root().key(key), message).key().in_file(part));
                    before.clone()
                }
            };
            if before.is_null() {
                said.push((key.to_owned(), part));
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

/// Shows complaints about a configuration in several files in the file that each is about.
pub fn relocate(source: &SourceFile, diagnostics: &mut [Diagnostic]) {
    if source.parts.is_empty() || diagnostics.iter().all(|it| it.file.is_some()) {
        return;
    }
    let places = EntityCounts::new(source);
    for diagnostic in diagnostics.iter_mut().filter(|it| it.file.is_none()) {
        let first =
            diagnostic.telling.as_ref().and_then(|it| it.first.as_ref()).and_then(|it| places.find(it));
        if let Some((file, path)) = first {
            diagnostic.help = Some(format!("the first one is {path} in {}", file.name));
        }
        if let Some((file, path)) = places.find(&diagnostic.path) {
            diagnostic.path = path;
            diagnostic.file = Some(file);
        }
    }
}

/// How many entities each file has at its top level, by collection.
struct EntityCounts<'a>(Vec<(&'a Arc<SourceFile>, Mapping)>);

impl<'a> EntityCounts<'a> {
    fn new(source: &'a SourceFile) -> Self {
        let read = |part: &'a Arc<SourceFile>| {
            // Only where things stand matters here.
            let value = written(&part.text, DeclarativeFormat::Deck).unwrap_or_default();
            (part, value.into_mapping().unwrap_or_default())
        };
        Self(source.parts.iter().map(read).collect())
    }

    /// The file of a node, and where it stands there.
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
            let here = top.get(key).map_or(0, |it| it.items().len());
            if *index < before + here {
                let start = NodePath::root().key(key).index(index - before);
                return Some(((*file).clone(), start.join(path.steps().get(2..).unwrap_or_default())));
            }
            before += here;
        }
        None
    }
}
