//! What the words of the command line do.

pub(crate) mod bulk;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod flags;
pub(crate) mod import;
pub(crate) mod lint;
pub(crate) mod run;
pub(crate) mod schema;

use std::io::{IsTerminal, Write, stderr, stdout};

use mynah::diag::{DiagnosticReport, RenderStyle};

/// Writes a line for the person at the terminal.
pub(crate) fn say(text: impl std::fmt::Display) {
    // Nobody reads a closed pipe.
    let _ = writeln!(stdout(), "{text}");
}

/// Draws a report for the person at the terminal, in colour if that is one.
pub(crate) fn draw(report: &DiagnosticReport) {
    let style = if stderr().is_terminal() { RenderStyle::Colour } else { RenderStyle::Plain };
    let _ = write!(stderr(), "{}", report.draw(style));
}

/// The same without an end: of a document that is checked everything is wanted.
pub(crate) fn draw_all(report: &DiagnosticReport) {
    let style = if stderr().is_terminal() { RenderStyle::Colour } else { RenderStyle::Plain };
    let _ = write!(stderr(), "{}", report.draw_all(style));
}
