//! Output of commands: formats, lines, diagnostics.

use std::{
    fmt,
    io::{IsTerminal, Write, stderr, stdout},
};

use mynah::{
    diag::{DiagnosticReport, RenderStyle},
    document::Value,
};

/// Format of findings, explanations and differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Text for people
    Text,
    /// JSON for programs
    Json,
}

/// Format of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ConfigFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

impl ConfigFormat {
    /// The text of a document, with a line break at its end.
    pub(crate) fn text(self, document: &Value) -> String {
        match self {
            Self::Yaml => document.to_yaml(),
            Self::Json => format!("{:#}\n", serde_json::Value::from(document)),
        }
    }
}

/// Writes a line to standard output. An error is ignored: the reader of a pipe may have closed it.
pub(crate) fn print_line(text: impl fmt::Display) {
    let _ = writeln!(stdout(), "{text}");
}

/// Writes the first diagnostics of a report to standard error, and the number of the others.
pub(crate) fn print_report(report: &DiagnosticReport) {
    let _ = write!(stderr(), "{}", report.draw(style()));
}

/// Writes all diagnostics of a report to standard error.
pub(crate) fn print_whole_report(report: &DiagnosticReport) {
    let _ = write!(stderr(), "{}", report.draw_all(style()));
}

fn style() -> RenderStyle {
    if stderr().is_terminal() { RenderStyle::Colour } else { RenderStyle::Plain }
}
