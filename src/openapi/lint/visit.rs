//! Interface between the walk through a document and the checks.

use crate::{
    diag::Diagnostic,
    document::{NodePath, NodePlace, Value},
    openapi::{DocumentLibrary, DocumentNode, sample::Direction},
};

/// Receiver of the nodes that the walk finds.
pub(super) trait LintVisitor {
    /// Visits an example or a default.
    fn visit_example(&mut self, _example: &ExampleClaim<'_>) {}

    /// Visits the schema of a body.
    fn visit_body_schema(
        &mut self,
        _schema: &DocumentNode,
        _direction: Option<Direction>,
        _place: &LintPlace<'_>,
    ) {
    }

    /// Visits a response.
    fn visit_response(&mut self, _value: &Value, _place: &LintPlace<'_>) {}
}

/// Example or default, which claims to be valid by a schema.
pub(super) struct ExampleClaim<'a> {
    pub(super) kind: ExampleKind,
    pub(super) value: &'a Value,
    pub(super) schema: &'a DocumentNode,
    /// The direction in which it is sent, if known.
    pub(super) direction: Option<Direction>,
    /// The position of the value.
    pub(super) place: &'a LintPlace<'a>,
}

/// Role of a value that a schema has to accept.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ExampleKind {
    Example,
    Default,
}

/// Position in one of the files of a document.
#[derive(Clone, Copy)]
pub(super) struct LintPlace<'a> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) file: u32,
    pub(super) at: NodePlace<'a>,
}

impl LintPlace<'_> {
    pub(super) fn key<'b>(&'b self, key: &'b str) -> LintPlace<'b> {
        LintPlace { at: self.at.key(key), ..*self }
    }

    pub(super) fn index(&self, index: usize) -> LintPlace<'_> {
        LintPlace { at: self.at.index(index), ..*self }
    }

    /// A diagnostic about the node at this position.
    pub(super) fn diagnostic(
        &self,
        severity: fn(NodePath, String) -> Diagnostic,
        message: impl Into<String>,
    ) -> Diagnostic {
        let diagnostic = severity(self.at.path(), message.into());
        match self.library.source(self.file) {
            Some(source) => diagnostic.in_file(source),
            None => diagnostic,
        }
    }
}
