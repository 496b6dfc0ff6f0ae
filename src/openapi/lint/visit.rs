//! What a walk through a document shows to whoever looks for faults.

use crate::{
    diag::Diagnostic,
    document::{NodePath, NodePlace, Value},
    openapi::{DocumentLibrary, DocumentNode, sample::Direction},
};

/// What is done with what the walk finds.
pub(super) trait LintVisitor {
    /// A value that its author says is valid by a schema.
    fn claim(&mut self, _claim: &ExampleClaim<'_>) {}

    /// A schema that describes a body.
    fn schema_in_use(&mut self, _schema: &DocumentNode, _way: Option<Direction>, _place: &LintPlace<'_>) {}

    /// A response.
    fn response(&mut self, _value: &Value, _place: &LintPlace<'_>) {}
}

/// A value that its author says is valid by a schema.
pub(super) struct ExampleClaim<'a> {
    pub(super) word: ExampleKind,
    pub(super) value: &'a Value,
    pub(super) schema: &'a DocumentNode,
    /// Which way it travels, where that is known.
    pub(super) way: Option<Direction>,
    /// Where the value stands.
    pub(super) place: &'a LintPlace<'a>,
}

/// As what a value stands in the document.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ExampleKind {
    Example,
    Default,
}

/// A place in one of the files.
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

    /// A complaint about what stands here.
    pub(super) fn complain(
        &self,
        severity: fn(NodePath, String) -> Diagnostic,
        message: impl Into<String>,
    ) -> Diagnostic {
        let complaint = severity(self.at.path(), message.into());
        match self.library.source(self.file) {
            Some(source) => complaint.in_file(source),
            None => complaint,
        }
    }
}
