//! Diagnostics of the lowering, each once even if several references lead to its node, and the current position.

use crate::{
    diag::Diagnostic,
    document::{NodePath, NodePlace},
    openapi::{DocumentLibrary, DocumentNode, library::ReferenceTarget, messages::MORE_PROBLEMS},
};

use super::Lowering;

/// Bound on the diagnostics of one document.
const MAX_DIAGNOSTICS: usize = 200;

/// Position of the lowering: a path from the root, or from the target of the last reference that was followed.
#[derive(Clone, Copy)]
pub(super) struct LoweringPlace<'a> {
    target: Option<&'a ReferenceTarget>,
    at: NodePlace<'a>,
}

impl<'a> LoweringPlace<'a> {
    pub(super) const fn root(root: &'a NodePath) -> Self {
        Self { target: None, at: NodePlace::Path(root) }
    }

    pub(super) const fn key(&'a self, key: &'a str) -> Self {
        Self { target: self.target, at: self.at.key(key) }
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        Self { target: self.target, at: self.at.index(index) }
    }

    /// The position after a reference was followed to `target`; this position if there was no reference.
    pub(super) const fn through(self, target: Option<&'a ReferenceTarget>) -> Self {
        static ROOT: NodePath = NodePath::root();
        match target {
            Some(_) => LoweringPlace { target, at: NodePlace::Path(&ROOT) },
            None => self,
        }
    }

    /// The steps from the root, or from the target of the last reference.
    pub(super) fn local_path(&self) -> NodePath {
        self.at.path()
    }

    fn path(&self, library: &DocumentLibrary) -> NodePath {
        let path = self.at.path();
        let Some(target) = self.target else { return path };
        library.path_of(target).join(path.steps())
    }
}

pub(super) struct LoweringDiagnostics {
    list: Vec<Diagnostic>,
}

impl LoweringDiagnostics {
    pub(super) const fn new(list: Vec<Diagnostic>) -> Self {
        Self { list }
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }

    fn add(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MAX_DIAGNOSTICS {
            if !self.list.contains(&diagnostic) {
                self.list.push(diagnostic);
            }
        } else if self.list.len() == MAX_DIAGNOSTICS {
            self.list.push(Diagnostic::warning(NodePath::root(), MORE_PROBLEMS));
        }
    }
}

impl Lowering<'_> {
    /// Warns about the value at `here`.
    pub(super) fn warn(&mut self, here: &LoweringPlace<'_>, message: impl Into<String>) {
        let diagnostic = self.diagnostic(here, message.into());
        self.diagnostics.add(diagnostic);
    }

    /// Warns about the key at `here`.
    pub(super) fn warn_key(&mut self, here: &LoweringPlace<'_>, message: impl Into<String>) {
        let diagnostic = self.diagnostic(here, message.into()).key();
        self.diagnostics.add(diagnostic);
    }

    /// Warns about the reference at `here`. The library reports a reference at its first occurrence only.
    pub(super) fn warn_unresolved(&mut self, here: &LoweringPlace<'_>, reason: String) {
        self.warn(&here.key("$ref"), reason);
    }

    fn diagnostic(&self, here: &LoweringPlace<'_>, message: String) -> Diagnostic {
        let diagnostic = Diagnostic::warning(here.path(self.library), message);
        match here.target.and_then(|target| self.library.source(target.file)) {
            Some(source) => diagnostic.in_file(source),
            None => diagnostic,
        }
    }

    /// Follows `node` if it is a reference; returns the final node, and the target of the last reference.
    ///
    /// # Errors
    /// The message of the [`ReferenceError`](crate::openapi::ReferenceError).
    pub(super) fn follow(
        &self,
        node: &DocumentNode,
    ) -> Result<(DocumentNode, Option<ReferenceTarget>), String> {
        self.library.follow(node).map_err(|error| error.to_string())
    }
}
