//! WHERE: what is wrong with a file, and at which of its nodes, so that an editor can jump there.
//!
//! Whoever finds a fault makes a [`Diagnostic`] with the path of a node. A [`DiagnosticReport`] pairs the diagnostics with
//! the texts they are about and draws them: for people as a compiler does, for machines as JSON.

mod fields;
mod render;

pub use fields::{ENTITY, KongMessage, fields, lua};
pub use render::{RenderStyle, plural};

use std::{fmt, sync::Arc};

use crate::document::{NodePath, NodeSpan, SyntaxError, locate_all};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file works, but not as its author may think.
    Warning,
    /// The file cannot be used.
    Error,
}

/// One file: its name as the user gave it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The files that it was put together from, in their order, if it was.
    pub parts: Vec<Arc<Self>>,
}

impl SourceFile {
    /// Pairs a name with a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), parts: Vec::new() })
    }

    /// Puts files together that make one configuration.
    pub fn of_parts(name: impl Into<String>, parts: Vec<Arc<Self>>) -> Arc<Self> {
        let texts: Vec<&str> = parts.iter().map(|it| it.text.as_str()).collect();
        Arc::new(Self { name: name.into(), text: texts.join("\n---\n"), parts })
    }
}

impl AsRef<[u8]> for SourceFile {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Which part of a node a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkedPart {
    /// Its value: a wrong type, a bad reference.
    Value,
    /// Its key: an unknown field.
    Key,
    /// The record as a whole: a rule across its fields.
    Record,
    /// A byte of the document that ends the path, where there are no nodes yet.
    Byte(usize),
}

/// One complaint about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, where it is not the one that the [`DiagnosticReport`] is about.
    pub file: Option<Arc<SourceFile>>,
    /// The node.
    pub path: NodePath,
    /// The part of the node.
    pub mark: MarkedPart,
    /// What is wrong: lower case, no full stop, Kong's words where Kong has some.
    pub message: String,
    /// What would be right, when we know.
    pub help: Option<String>,
    /// How Kong tells it to machines, if otherwise.
    pub telling: Option<Box<KongMessage>>,
}

impl Diagnostic {
    /// Something that makes the file unusable.
    pub fn error(path: NodePath, message: impl Into<String>) -> Self {
        let message = message.into();
        let (severity, mark) = (Severity::Error, MarkedPart::Value);
        Self { severity, file: None, path, mark, message, help: None, telling: None }
    }

    /// Something that the author should know.
    pub fn warning(path: NodePath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, message) }
    }

    /// A text that is no document, at `path`: the root, or inside a string.
    #[must_use]
    pub fn syntax(path: NodePath, error: &SyntaxError) -> Self {
        Self { mark: MarkedPart::Byte(error.byte), ..Self::error(path, error.message.clone()) }
    }

    /// The same complaint with a hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same complaint about the key of the node.
    #[must_use]
    pub const fn key(mut self) -> Self {
        self.mark = MarkedPart::Key;
        self
    }

    /// The same complaint about the record as a whole.
    #[must_use]
    pub const fn record(mut self) -> Self {
        self.mark = MarkedPart::Record;
        self
    }

    /// The same complaint about a node of another file.
    #[must_use]
    pub fn in_file(mut self, file: &Arc<SourceFile>) -> Self {
        self.file = Some(file.clone());
        self
    }

    fn place(&self) -> (&NodePath, Option<usize>) {
        let byte = if let MarkedPart::Byte(byte) = self.mark { Some(byte) } else { None };
        (&self.path, byte)
    }

    /// Whether the file cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// More complaints than this are not collected: nobody reads them, and a large file of another kind has one per line.
pub const MOST_COMPLAINTS: usize = 500;

/// Collects a complaint, or once there are enough of them, one more that says so.
pub fn push_bounded(complaints: &mut Vec<Diagnostic>, complaint: Diagnostic) {
    match complaints.len() {
        MOST_COMPLAINTS => {
            let message = "there are more complaints; these are enough to begin with";
            complaints.push(Diagnostic::error(NodePath::root(), message));
        }
        n if n < MOST_COMPLAINTS => complaints.push(complaint),
        _ => (),
    }
}

/// Where a complaint points to, for people and editors; lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// The same in bytes of the text.
    pub bytes: std::ops::Range<usize>,
}

/// The bytes that a complaint underlines.
fn underlined(text: &str, located: &NodeSpan, mark: MarkedPart) -> std::ops::Range<usize> {
    match (&located.key, mark) {
        (Some(key), MarkedPart::Key) if located.exact => key.clone(),
        _ => located.node(text),
    }
}

/// Counts lines and columns of places in a text, in the order of the text, so that it is walked once.
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

    /// The line and column of a place, which is not before the last one.
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

/// All complaints about one file (and the files it names), in the order they were found.
#[derive(Clone, Debug)]
pub struct DiagnosticReport {
    source: Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
}

impl DiagnosticReport {
    /// Pairs complaints with the text they are about.
    #[must_use]
    pub const fn new(source: Arc<SourceFile>, diagnostics: Vec<Diagnostic>) -> Self {
        Self { source, diagnostics }
    }

    /// The complaints themselves.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether there is nothing to complain about.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// How many complaints make the file unusable, and how many do not.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|it| it.is_error()).count();
        (errors, self.diagnostics.len() - errors)
    }

    /// The file that a complaint is about.
    #[must_use]
    pub fn source_of<'a>(&'a self, diagnostic: &'a Diagnostic) -> &'a SourceFile {
        diagnostic.file.as_deref().unwrap_or(&self.source)
    }

    /// The place that a complaint is about.
    #[must_use]
    pub fn position(&self, diagnostic: &Diagnostic) -> Position {
        let none = Position { line: 1, column: 1, bytes: 0..0 };
        self.positions(std::slice::from_ref(diagnostic)).pop().unwrap_or(none)
    }

    /// The places that complaints are about; each text is walked once.
    #[must_use]
    pub fn positions(&self, diagnostics: &[Diagnostic]) -> Vec<Position> {
        let mut places: Vec<Option<Position>> = vec![None; diagnostics.len()];
        for first in 0..diagnostics.len() {
            if places[first].is_some() {
                continue;
            }
            let source = self.source_of(&diagnostics[first]);
            let same = |n: &usize| std::ptr::eq(self.source_of(&diagnostics[*n]), source);
            let here: Vec<usize> = (first..diagnostics.len()).filter(same).collect();
            let wanted: Vec<_> = here.iter().map(|n| diagnostics[*n].place()).collect();
            let located = here.into_iter().zip(locate_all(&source.text, &wanted));
            let mut located: Vec<_> = located
                .map(|(n, located)| (n, underlined(&source.text, &located, diagnostics[n].mark)))
                .collect();
            located.sort_by_key(|(_, bytes)| bytes.start);
            let mut counter = LineCounter::new(&source.text);
            for (n, bytes) in located {
                let (line, column) = counter.count_to(bytes.start);
                places[n] = Some(Position { line, column, bytes });
            }
        }
        places.into_iter().flatten().collect()
    }

    /// One line for the log: the first error, and how many more there are.
    #[must_use]
    pub fn summary(&self) -> String {
        let Some(first) = self.diagnostics.iter().find(|it| it.is_error()).or(self.diagnostics.first())
        else {
            return String::from("no complaints");
        };
        let Position { line, column, .. } = self.position(first);
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
