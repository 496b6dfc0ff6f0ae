//! A document with every file that its references reach, and the resolution of references between their nodes.
//!
//! Files are read when a [`DocumentLibrary`] is built, never later: requests follow references in memory only. A
//! reference is followed to the first node that is not a reference, through JSON pointers, anchors, `$id`s and files.

mod files;
mod node;
mod preload;
mod reference;
mod schema;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    diag::{Diagnostic, SourceFile},
    document::{self, SharedText, Value},
};

use super::{SpecVersion, messages::NOT_PRELOADED};
pub use files::LibraryLocation;
pub use node::DocumentNode;
pub use reference::ReferenceError;

/// Bound on the references that are followed from one node; beyond it they count as a circle.
const MAX_HOPS: u32 = 256;

/// Document and every file that its references reach.
#[derive(Debug)]
pub struct DocumentLibrary {
    version: SpecVersion,
    files: Vec<LibraryFile>,
    /// Nodes by their absolute `$id`.
    ids: HashMap<SharedText, DocumentNode>,
    /// Paths of all lookups, with or without a file.
    watched: Vec<PathBuf>,
}

#[derive(Debug)]
struct LibraryFile {
    root: Value,
    /// The path that it was read from; none for a document that came as a text.
    path: Option<PathBuf>,
    /// The text, for diagnostics; none for the document itself, whose text the caller has.
    source: Option<Arc<SourceFile>>,
    /// The files that its references name, by the part before the `#`; or the reason why there is none.
    links: HashMap<SharedText, Result<u32, SharedText>>,
    /// The contents of the files that its `externalValue`s name.
    externals: HashMap<SharedText, Result<Bytes, SharedText>>,
    /// Nodes by `$anchor`.
    anchors: HashMap<SharedText, Value>,
}

/// Target of a reference: the last reference that was followed, and the file that it leads to.
#[derive(Clone, Debug)]
pub(super) struct ReferenceTarget {
    pub(super) file: u32,
    reference: SharedText,
}

impl DocumentLibrary {
    /// Reads every file that the references of `root` reach, as far as `location` allows.
    ///
    /// The diagnostics are warnings: references that cannot be followed, each at its first occurrence.
    #[must_use]
    pub fn new(root: Value, location: &LibraryLocation) -> (Self, Vec<Diagnostic>) {
        preload::load(root, location)
    }

    /// The version of the specification; 3.1 for a document that does not declare one.
    #[must_use]
    pub const fn version(&self) -> SpecVersion {
        self.version
    }

    /// The root of the document.
    #[must_use]
    pub fn root(&self) -> DocumentNode {
        DocumentNode { value: self.files[0].root.clone(), file: 0 }
    }

    /// The files whose change may change the document, including missing files. The file of the document itself is
    /// among them only if another file refers to it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.watched.iter().map(PathBuf::as_path)
    }

    /// The text of a file, for [`Diagnostic::in_file`]; none for the document itself.
    #[must_use]
    pub fn source(&self, file: u32) -> Option<&Arc<SourceFile>> {
        self.files.get(file as usize)?.source.as_ref()
    }

    /// The content of the file that an `externalValue` in `file` names.
    ///
    /// # Errors
    /// The reason why the file was not read.
    pub fn external(&self, file: u32, reference: &str) -> Result<Bytes, SharedText> {
        let known = self.files.get(file as usize).and_then(|file| file.externals.get(reference));
        known.cloned().unwrap_or_else(|| Err(NOT_PRELOADED.into()))
    }

    /// Follows `$ref` to the first node without one; keywords next to a `$ref` are ignored.
    ///
    /// # Errors
    /// A reference leads nowhere, in a circle, or into a file that was not read.
    pub fn resolve(&self, node: &DocumentNode) -> Result<DocumentNode, ReferenceError> {
        self.follow(node).map(|(node, _)| node)
    }

    /// As [`Self::resolve`], without a result. `known` has the references that can be followed, by the file that
    /// contains them, and gets those of this call.
    fn check_reference(
        &self,
        node: &DocumentNode,
        known: &mut HashSet<(u32, SharedText)>,
    ) -> Result<(), ReferenceError> {
        let mut hops = MAX_HOPS;
        let mut here = node.clone();
        let mut followed = Vec::new();
        while let Some(reference) = self.reference(&here) {
            let reference = reference?.clone();
            let place = (here.file, reference.clone());
            if known.contains(&place) {
                break;
            }
            here = self.target(&reference, here.file, &mut hops)?;
            followed.push(place);
        }
        known.extend(followed);
        Ok(())
    }

    /// As [`Self::resolve`], with the target of the last reference, if there was one.
    pub(super) fn follow(
        &self,
        node: &DocumentNode,
    ) -> Result<(DocumentNode, Option<ReferenceTarget>), ReferenceError> {
        let mut hops = MAX_HOPS;
        let (mut here, mut last) = (node.clone(), None);
        while let Some(reference) = self.reference(&here) {
            let reference = reference?.clone();
            let file = self.file_of(&reference, here.file)?;
            here = self.target(&reference, here.file, &mut hops)?;
            last = Some(ReferenceTarget { file, reference });
        }
        Ok((here, last))
    }

    /// The position of a target in its file.
    pub(super) fn path_of(&self, target: &ReferenceTarget) -> document::NodePath {
        let (_, fragment) = reference::split(&target.reference);
        let root = self.files.get(target.file as usize).map_or(&Value::Null, |file| &file.root);
        reference::pointer_path(root, fragment)
    }

    /// The reference in a node, if the node has a valid one.
    pub(in crate::openapi) fn reference_of<'a>(&self, node: &'a DocumentNode) -> Option<&'a SharedText> {
        self.reference(node).and_then(Result::ok)
    }

    fn reference<'a>(&self, node: &'a DocumentNode) -> Option<Result<&'a SharedText, ReferenceError>> {
        reference::of(&node.value, self.version.allows_ref_siblings())
    }

    /// The node that one reference names, which may be a reference itself. Every reference takes one from `hops`.
    fn target(
        &self,
        reference: &SharedText,
        from: u32,
        hops: &mut u32,
    ) -> Result<DocumentNode, ReferenceError> {
        *hops = hops.checked_sub(1).ok_or_else(|| ReferenceError::Circle { reference: reference.clone() })?;
        let (name, fragment) = reference::split(reference);
        let mut here = match self.ids.get(name) {
            Some(node) if !name.is_empty() => node.clone(),
            _ => self.file_root(self.file_of(reference, from)?),
        };
        let missing = |step: &str| ReferenceError::Missing {
            reference: reference.clone(),
            step: reference::unescape(step).into_owned(),
        };
        let Some(steps) = reference::steps(fragment) else {
            let file = self.files.get(here.file as usize);
            let value = file.and_then(|file| file.anchors.get(fragment)).ok_or_else(|| missing(fragment))?;
            return Ok(here.with_value(value));
        };
        for step in steps {
            // A pointer may lead through a node that is a reference.
            while reference::child(&here.value, step).is_none() {
                let inner = self.reference(&here).ok_or_else(|| missing(step))??.clone();
                here = self.target(&inner, here.file, hops)?;
            }
            here = reference::child(&here.value, step)
                .map(|value| here.with_value(value))
                .ok_or_else(|| missing(step))?;
        }
        Ok(here)
    }

    fn file_of(&self, reference: &SharedText, from: u32) -> Result<u32, ReferenceError> {
        let (name, _) = reference::split(reference);
        if name.is_empty() {
            return Ok(from);
        }
        if let Some(node) = self.ids.get(name) {
            return Ok(node.file);
        }
        let unread = |reason: SharedText| ReferenceError::Unread { reference: reference.clone(), reason };
        match self.files.get(from as usize).and_then(|file| file.links.get(name)) {
            Some(Ok(file)) => Ok(*file),
            Some(Err(reason)) => Err(unread(reason.clone())),
            None => Err(unread(NOT_PRELOADED.into())),
        }
    }

    fn file_root(&self, file: u32) -> DocumentNode {
        let value = self.files.get(file as usize).map(|file| file.root.clone()).unwrap_or_default();
        DocumentNode { value, file }
    }
}
