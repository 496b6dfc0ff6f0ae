//! Diagnostics: errors and warnings about nodes of a file, rendered with the source text or as JSON.
//!
//! A check creates a [`Diagnostic`] with the path of a node. A [`DiagnosticReport`] pairs diagnostics with the texts that
//! they are about, finds lines and columns, and renders them: for people as a compiler does, for machines as JSON.

mod fields;
mod render;

pub use fields::{ENTITY, KongMessage, fields, lua};
pub use render::{RenderStyle, plural};

use std::{fmt, sync::Arc};

use crate::document::{NodePath, NodeSpan, PathStep, SyntaxError, locate_all};

/// Warning about a key of a mapping that stands there again.
pub const DUPLICATE_KEY: &str = "this key stands twice in one mapping; the last one counts";

/// Severity of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can be used, but may not do what its author intends.
    Warning,
    /// The file cannot be used.
    Error,
}

/// A file: its name as the user gave it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The files that were joined to this one, in order; empty for a single file.
    pub parts: Vec<Arc<Self>>,
}

impl SourceFile {
    /// Pairs a name with a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), parts: Vec::new() })
    }

    /// Joins the files of one configuration.
    pub fn of_parts(name: impl Into<String>, parts: Vec<Arc<Self>>) -> Arc<Self> {
        let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        Arc::new(Self { name: name.into(), text: texts.join("\n---\n"), parts })
    }
}

impl AsRef<[u8]> for SourceFile {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// The part of a node that a diagnostic underlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkedPart {
    /// The value: a wrong type, an unresolved reference.
    Value,
    /// The key: an unknown field.
    Key,
    /// The record as a whole: a rule across its fields.
    Record,
    /// A byte offset in the document at the end of the path, for a syntax error: there are no nodes.
    Byte(usize),
}

/// An error or a warning about one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can still be used.
    pub severity: Severity,
    /// The file, if it is not the one that the [`DiagnosticReport`] is about.
    pub file: Option<Arc<SourceFile>>,
    /// The node.
    pub path: NodePath,
    /// The part of the node.
    pub mark: MarkedPart,
    /// The message: lower case, no full stop; Kong's wording where Kong has a message for it.
    pub message: String,
    /// The correction, if one is known.
    pub help: Option<String>,
    /// Path and message in Kong's Admin API, if they differ.
    pub kong_message: Option<Box<KongMessage>>,
}

impl Diagnostic {
    /// An error: the file cannot be used.
    pub fn error(path: NodePath, message: impl Into<String>) -> Self {
        let message = message.into();
        let (severity, mark) = (Severity::Error, MarkedPart::Value);
        Self { severity, file: None, path, mark, message, help: None, kong_message: None }
    }

    /// A warning: the file can be used.
    pub fn warning(path: NodePath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, message) }
    }

    /// An error of syntax in the document at `path`: the root, or the document inside a string.
    #[must_use]
    pub fn syntax(path: NodePath, error: &SyntaxError) -> Self {
        Self { mark: MarkedPart::Byte(error.byte), ..Self::error(path, error.message.clone()) }
    }

    /// Sets the hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Underlines the key of the node.
    #[must_use]
    pub const fn key(mut self) -> Self {
        self.mark = MarkedPart::Key;
        self
    }

    /// Marks the record as a whole.
    #[must_use]
    pub const fn record(mut self) -> Self {
        self.mark = MarkedPart::Record;
        self
    }

    /// Sets the file, for a node of another file than that of the report.
    #[must_use]
    pub fn in_file(mut self, file: &Arc<SourceFile>) -> Self {
        self.file = Some(file.clone());
        self
    }

    fn path_and_byte(&self) -> (&NodePath, Option<usize>) {
        let byte = if let MarkedPart::Byte(byte) = self.mark { Some(byte) } else { None };
        (&self.path, byte)
    }

    /// Whether the file cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether this says only that there are more diagnostics.
    #[must_use]
    pub fn is_about_more(&self) -> bool {
        self.path.steps().is_empty() && self.message.starts_with(THERE_ARE_MORE)
    }
}

/// Diagnostics collected at most: a large file of another format would have one per line, too many to read.
pub const MAX_DIAGNOSTICS: usize = 500;

/// Diagnostics collected at most where each entity that has one is kept out of the configuration.
pub const MAX_QUARANTINED: usize = 5_000;

/// The beginning of the error that there are more diagnostics.
const THERE_ARE_MORE: &str = "there are more errors or warnings";

/// Appends a diagnostic; at the `most` that are collected, one last error about that.
pub fn push_bounded(diagnostics: &mut Vec<Diagnostic>, diagnostic: Diagnostic, most: usize) {
    if diagnostics.len() < most {
        diagnostics.push(diagnostic);
    } else if diagnostics.len() == most {
        let message = format!("{THERE_ARE_MORE}; only the first {most} are listed");
        diagnostics.push(Diagnostic::error(NodePath::root(), message));
    }
}

/// Position of a diagnostic in the text. Lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// The underlined bytes of the text.
    pub bytes: std::ops::Range<usize>,
}

/// The bytes that a diagnostic underlines.
fn underlined(text: &str, located: &NodeSpan, mark: MarkedPart) -> std::ops::Range<usize> {
    match (&located.key, mark) {
        (Some(key), MarkedPart::Key) if located.exact => key.clone(),
        _ => located.node(text),
    }
}

/// Counter of lines and columns of ascending offsets, so that the text is read once.
struct LineCounter<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'a> LineCounter<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// The line and column of an offset, which must not be less than the one before.
    fn count_to(&mut self, byte: usize) -> (usize, usize) {
        let passed = self.text.get(self.at..byte).unwrap_or_default();
        let rest = match passed.rfind('\n') {
            Some(newline) => {
                self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                self.column = 1;
                &passed[newline + 1..]
            }
            None => passed,
        };
        // A byte order mark is not part of the first line.
        let rest = if self.at == 0 { rest.trim_start_matches('\u{feff}') } else { rest };
        self.column += rest.chars().count();
        self.at = byte.max(self.at);
        (self.line, self.column)
    }
}

/// All diagnostics about one file and the files that it names, in the order in which they were found.
#[derive(Clone, Debug)]
pub struct DiagnosticReport {
    source: Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
}

impl DiagnosticReport {
    /// Pairs diagnostics with the text that they are about.
    #[must_use]
    pub const fn new(source: Arc<SourceFile>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { source, diagnostics }
    }

    /// The diagnostics.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The text that they are about.
    #[must_use]
    pub const fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    /// Whether there are no diagnostics.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// The number of errors and the number of warnings.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        (errors, self.diagnostics.len() - errors)
    }

    /// The file that a diagnostic is about.
    #[must_use]
    pub fn source_of<'a>(&'a self, diagnostic: &'a Diagnostic) -> &'a SourceFile {
        diagnostic.file.as_deref().unwrap_or(&self.source)
    }

    /// The position of a diagnostic.
    #[must_use]
    pub fn position(&self, diagnostic: &Diagnostic) -> Position {
        let none = Position { line: 1, column: 1, bytes: 0..0 };
        self.positions(std::slice::from_ref(diagnostic)).pop().unwrap_or(none)
    }

    /// The positions of diagnostics; each text is read once.
    #[must_use]
    pub fn positions(&self, diagnostics: &[Diagnostic]) -> Vec<Position> {
        let mut positions: Vec<Option<Position>> = vec![None; diagnostics.len()];
        for first in 0..diagnostics.len() {
            if positions[first].is_some() {
                continue;
            }
            let source = self.source_of(&diagnostics[first]);
            let same = |n: &usize| std::ptr::eq(self.source_of(&diagnostics[*n]), source);
            let here: Vec<usize> = (first..diagnostics.len()).filter(same).collect();
            let paths: Vec<_> = here.iter().map(|n| diagnostics[*n].path_and_byte()).collect();
            let located = here.into_iter().zip(locate_all(&source.text, &paths));
            let mut located: Vec<_> = located
                .map(|(n, located)| (n, underlined(&source.text, &located, diagnostics[n].mark)))
                .collect();
            located.sort_by_key(|(_, bytes)| bytes.start);
            let mut counter = LineCounter::new(&source.text);
            for (n, bytes) in located {
                let (line, column) = counter.count_to(bytes.start);
                positions[n] = Some(Position { line, column, bytes });
            }
        }
        positions.into_iter().flatten().collect()
    }

    /// The diagnostics with their positions, in the order of the text; those of one file together.
    fn in_file_order(&self) -> Vec<(&Diagnostic, Position)> {
        let positions = self.positions(&self.diagnostics);
        let all: Vec<(&Diagnostic, Position)> = self.diagnostics.iter().zip(positions).collect();
        let mut files: Vec<&SourceFile> = Vec::new();
        for (diagnostic, _) in &all {
            let file = self.source_of(diagnostic);
            if !files.iter().any(|known| std::ptr::eq(*known, file)) {
                files.push(file);
            }
        }
        let rank = |diagnostic: &Diagnostic| {
            files.iter().position(|known| std::ptr::eq(*known, self.source_of(diagnostic)))
        };
        let is_missing = |diagnostic: &Diagnostic| {
            let is_item = matches!(diagnostic.path.steps().last(), Some(PathStep::Index(_)));
            diagnostic.message == "required field missing" && !is_item
        };
        // A missing field has no position of its own: it follows what is wrong with the other fields of its record.
        let last_of_record = |diagnostic: &Diagnostic| {
            let record = diagnostic.path.parent();
            let others = all.iter().filter(|(other, _)| !is_missing(other) && other.path.parent() == record);
            others.map(|(_, position)| position.bytes.start).max().unwrap_or_default()
        };
        let key = |(diagnostic, position): &(&Diagnostic, Position)| {
            let start = match diagnostic.mark {
                // About the whole file, such as that there are more diagnostics.
                MarkedPart::Value if diagnostic.path.steps().is_empty() => usize::MAX,
                _ if is_missing(diagnostic) => position.bytes.start.max(last_of_record(diagnostic)),
                _ => position.bytes.start,
            };
            (rank(diagnostic), start, is_missing(diagnostic))
        };
        let keys: Vec<_> = all.iter().map(key).collect();
        let mut all: Vec<_> = all.into_iter().zip(keys).collect();
        all.sort_by_key(|(_, key)| *key);
        all.into_iter().map(|(entry, _)| entry).collect()
    }

    /// One line for the log: the first error, and the number of further errors.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut all = self.in_file_order();
        all.sort_by_key(|(diagnostic, _)| !diagnostic.is_error());
        let Some((first, Position { line, column, .. })) = all.first() else {
            return String::from("no errors");
        };
        let mut text = format!("{}:{line}:{column}: {}", self.source_of(first).name, first.message);
        if let Some(help) = &first.help {
            text = format!("{text}, {help}");
        }
        let (errors, _) = self.count();
        if errors > 1 {
            text = format!("{text} (and {})", plural(errors - 1, "more error"));
        }
        text
    }
}

impl fmt::Display for DiagnosticReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(RenderStyle::Plain))
    }
}

impl std::error::Error for DiagnosticReport {}
