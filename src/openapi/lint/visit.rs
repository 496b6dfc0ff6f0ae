//! What a walk through a document shows to whoever looks for faults.

use crate::{
    diag::Diagnostic,
    document::{At, Path, Value},
    openapi::{Library, Node, sample::Direction},
};

/// What is done with what the walk finds.
pub(super) trait Visit {
    /// A value that its author says is valid by a schema.
    fn claim(&mut self, _claim: &Claim<'_>) {}

    /// A schema that describes a body.
    fn schema_in_use(&mut self, _schema: &Node, _way: Option<Direction>, _place: &Place<'_>) {}

    /// A response.
    fn response(&mut self, _value: &Value, _place: &Place<'_>) {}
}

/// A value that its author says is valid by a schema.
pub(super) struct Claim<'a> {
    pub(super) word: Word,
    pub(super) value: &'a Value,
    pub(super) schema: &'a Node,
    /// Which way it travels, where that is known.
    pub(super) way: Option<Direction>,
    /// Where the value stands.
    pub(super) place: &'a Place<'a>,
}

/// As what a value stands in the document.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Word {
    Example,
    Default,
}

/// A place in one of the files.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) library: &'a Library,
    pub(super) file: u32,
    pub(super) at: At<'a>,
}

impl Place<'_> {
    pub(super) fn key<'b>(&'b self, key: &'b str) -> Place<'b> {
        Place { at: self.at.key(key), ..*self }
    }

    pub(super) fn index(&self, index: usize) -> Place<'_> {
        Place { at: self.at.index(index), ..*self }
    }

    /// A complaint about what stands here.
    pub(super) fn complain(
        &self,
        severity: fn(Path, String) -> Diagnostic,
        message: impl Into<String>,
    ) -> Diagnostic {
        let complaint = severity(self.at.path(), message.into());
        match self.library.source(self.file) {
            Some(source) => complaint.in_file(source),
            None => complaint,
        }
    }
}
