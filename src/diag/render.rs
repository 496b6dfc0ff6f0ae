//! Rendering of diagnostics: with the source line underlined, as rustc does, and as JSON.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, DiagnosticReport, Position, Severity};

/// Style of a rendered diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderStyle {
    /// Text only.
    Plain,
    /// Text with ANSI colours for a terminal.
    Colour,
}

/// Diagnostics rendered at most, as many as fit on a screen; the rest is counted.
const MAX_RENDERED: usize = 20;

/// Bytes of a source line shown at most: a document on a single line would fill the screen.
const MAX_LINE_LENGTH: usize = 400;

impl DiagnosticReport {
    /// The first diagnostics with their source lines, and the number of further ones.
    #[must_use]
    pub fn draw(&self, style: RenderStyle) -> String {
        let mut all = self.in_file_order();
        if all.len() > MAX_RENDERED {
            // What is left out is a warning, if possible.
            all.sort_by_key(|(diagnostic, _)| !diagnostic.is_error());
            all.truncate(MAX_RENDERED);
        }
        let mut out = self.render(&all, style);
        if self.diagnostics.len() > MAX_RENDERED {
            let rest = plural(self.diagnostics.len() - MAX_RENDERED, "more diagnostic");
            out = format!("{out}... and {rest}\n\n");
        }
        out
    }

    /// All diagnostics with their source lines.
    #[must_use]
    pub fn draw_all(&self, style: RenderStyle) -> String {
        self.render(&self.in_file_order(), style)
    }

    fn render(&self, diagnostics: &[(&Diagnostic, Position)], style: RenderStyle) -> String {
        let renderer = if style == RenderStyle::Colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for (diagnostic, position) in diagnostics {
            out.push_str(&self.render_one(diagnostic, position, &renderer));
            out.push_str("\n\n");
        }
        out
    }

    fn render_one(&self, diagnostic: &Diagnostic, position: &Position, renderer: &Renderer) -> String {
        let source = self.source_of(diagnostic);
        let Position { line, column, .. } = position;
        let level = if diagnostic.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let path = diagnostic.path.to_string();
        let group = level.primary_title(&*diagnostic.message);
        let help = diagnostic.help.as_deref().map(|help| Level::HELP.message(help));
        let Some(MarkedLine { text, span }) = self.marked_line(diagnostic, position) else {
            let position = format!("{}:{line}:{column} {path}", source.name);
            let group = group.element(Level::NOTE.message(position.trim_end()));
            return renderer.render(&[group.elements(help)]);
        };
        // The renderer gets only this line, so that it does not read a large file once for each diagnostic.
        let snippet = Snippet::source(text)
            .line_start(*line)
            .path(&*source.name)
            .annotation(AnnotationKind::Primary.span(span).label(&*path));
        renderer.render(&[group.element(snippet).elements(help)])
    }

    /// The line of a diagnostic; `None` if it is too long, or may hold a secret, or if there is no text.
    fn marked_line<'a>(
        &'a self,
        diagnostic: &'a Diagnostic,
        Position { bytes, .. }: &Position,
    ) -> Option<MarkedLine<'a>> {
        let whole = &*self.source_of(diagnostic).text;
        let start = whole[..bytes.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = whole[bytes.start..].find('\n').map_or(whole.len(), |at| bytes.start + at);
        let text = &whole[start..end];
        let is_hidden = text.len() > MAX_LINE_LENGTH
            || whole.is_empty()
            || may_hold_secret(text, &diagnostic.path.to_string());
        let span = bytes.start - start..bytes.end.clamp(bytes.start, end) - start;
        (!is_hidden).then_some(MarkedLine { text, span })
    }

    /// All diagnostics as a JSON array: one object each, with `file`, `line`, `column`, `path`, `severity`,
    /// `message` and `help`; with `source`, the line as a list of `line` and `text`, and `length`, the number of its
    /// characters that are marked. `source` is empty where [`Self::draw`] shows no line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let each = self.in_file_order().into_iter().map(|(diagnostic, position)| {
            let marked = self.marked_line(diagnostic, &position);
            let length = marked.as_ref().map_or(0, |marked| marked.text[marked.span.clone()].chars().count());
            let source: Vec<Value> = marked
                .iter()
                .map(|marked| json!({ "line": position.line, "text": marked.text.trim_end_matches('\r') }))
                .collect();
            json!({
                "file": self.source_of(diagnostic).name,
                "line": position.line,
                "column": position.column,
                "length": length,
                "path": diagnostic.path.to_string(),
                "severity": if diagnostic.is_error() { "error" } else { "warning" },
                "message": diagnostic.message,
                "help": diagnostic.help,
                "source": source,
            })
        });
        Value::Array(each.collect())
    }
}

/// The line of a diagnostic, and the bytes of it that are marked.
struct MarkedLine<'a> {
    text: &'a str,
    span: Range<usize>,
}

/// Whether a line may hold a password or a key. It is not shown, since reports reach logs and other people's screens.
fn may_hold_secret(line: &str, path: &str) -> bool {
    let words = ["credentials", "password", "secret"];
    let holds = |text: &str| words.iter().any(|word| text.contains(word));
    let key = line.trim_start_matches([' ', '-', '{']);
    holds(line) || holds(path) || path.starts_with("certificates[") || is_key(key)
}

fn is_key(line: &str) -> bool {
    ["key:", "\"key\"", "key_alt:", "\"key_alt\""].iter().any(|key| line.starts_with(key))
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostic, DiagnosticReport, RenderStyle, SourceFile};
    use crate::document::{Dialect, NodePath, read};

    const TEXT: &str = "\
_format_version: \"3.0\"
services:
- name: stock
  hots: example.com
  routes:
  - name: quotes
    plugins:
    - name: mocking
      config:
        api_specification: |
          openapi: 3.0.0
          paths:
            /x: {get: {responses: {\"2000\": {description: text}}}}
";

    #[test]
    fn a_diagnostic_underlines_its_line() {
        let service = NodePath::root().key("services").index(0);
        let spec =
            service.key("routes").index(0).key("plugins").index(0).key("config").key("api_specification");
        let code = spec.inside().key("paths").key("/x").key("get").key("responses").key("2000");
        let report = DiagnosticReport::new(
            SourceFile::new("kong.yaml", TEXT),
            vec![
                Diagnostic::error(service.key("hots"), "unknown field").key().help("did you mean `host`?"),
                Diagnostic::error(service.key("host"), "required field missing"),
                Diagnostic::warning(code, "not a status code").key(),
            ],
        );
        insta::assert_snapshot!(report.draw(RenderStyle::Plain));
        assert_eq!(report.summary(), "kong.yaml:4:3: unknown field, did you mean `host`? (and 1 more error)");
        let all = report.to_json();
        assert_eq!(all[2]["line"], 13);
        assert_eq!((&all[0]["column"], &all[0]["length"]), (&3.into(), &4.into()));
        assert_eq!(all[0]["source"], serde_json::json!([{ "line": 4, "text": "  hots: example.com" }]));
    }

    #[test]
    fn a_syntax_error_underlines_the_byte_at_which_parsing_stopped() {
        let text = "services:\n- name: [a\n- name: b\n";
        let error = read(text, Dialect::Kong).unwrap_err();
        let report = DiagnosticReport::new(
            SourceFile::new("kong.yaml", text),
            vec![Diagnostic::syntax(NodePath::root(), &error)],
        );
        insta::assert_snapshot!(report.draw(RenderStyle::Plain));
    }
}
