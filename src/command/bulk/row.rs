//! Rows of the table of `mynah lint --bulk`, as text columns and as JSON.

use std::{fmt, path::Path};

use mynah::diag::plural;
use serde::{Deserialize, Serialize};

/// Measurements of one document.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct DocumentRow {
    /// The file.
    pub(super) file: String,
    /// Whether it could be loaded.
    pub(super) loaded: bool,
    /// The reason if it could not.
    pub(super) refused: Option<String>,
    /// The version of its specification.
    pub(super) version: Option<String>,
    /// All operations, those that cannot be used, and those that another operation shadows.
    pub(super) operations: usize,
    pub(super) broken: usize,
    pub(super) unreachable: usize,
    /// Diagnostics of the load. The JSON output keeps the key of earlier versions.
    #[serde(rename = "complaints")]
    pub(super) diagnostics: usize,
    /// JSON bodies from examples and from schemas, responses without a body, and bodies that are not JSON.
    pub(super) examples: usize,
    pub(super) samples: usize,
    pub(super) empty: usize,
    pub(super) other: usize,
    /// Requests that the mock refuses.
    pub(super) unanswered: usize,
    /// Bodies that do not match their schema.
    pub(super) invalid: InvalidBodies,
    /// Seconds and peak memory in KiB until the mock was ready, and until all responses were checked.
    pub(super) ready_seconds: f64,
    pub(super) ready_kib: Option<u64>,
    pub(super) seconds: f64,
    pub(super) peak_kib: Option<u64>,
    /// The first bodies that do not match their schema, and refused requests.
    pub(super) wrong: Vec<WrongAnswer>,
}

/// Numbers of bodies that do not match their schema.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct InvalidBodies {
    /// Bodies from examples.
    pub(super) examples: usize,
    /// Bodies generated from schemas.
    pub(super) samples: usize,
}

/// An invalid or missing response.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct WrongAnswer {
    pub(super) operation: String,
    pub(super) status: u16,
    pub(super) media_type: String,
    pub(super) origin: String,
    pub(super) reason: String,
}

impl DocumentRow {
    pub(super) fn refused(file: &Path, reason: String) -> Self {
        Self { file: file.display().to_string(), refused: Some(reason), ..Self::default() }
    }

    /// The line of the table; `width` is that of the first column.
    pub(super) fn line(&self, width: usize) -> String {
        let file = &self.file;
        if let Some(reason) = &self.refused {
            return format!("{file:width$}  refused: {reason}");
        }
        let peak = self.peak_kib.map_or_else(|| "-".to_owned(), |kib| format!("{:.1}", mib(kib)));
        format!(
            "{file:width$} {:>6} {:>8} {:>7} {:>6} {:>6} {:>8} {:>8.3} {peak:>7}",
            self.operations,
            self.examples,
            self.samples,
            self.empty,
            self.other,
            self.invalid.examples + self.invalid.samples,
            self.seconds,
        )
    }

    /// The lines below it: operations without a response, and invalid responses.
    pub(super) fn flaws(&self) -> impl Iterator<Item = String> {
        let wrong = self.wrong.iter().map(|answer| {
            let WrongAnswer { operation, status, media_type, origin, reason } = answer;
            format!("    {operation} {status} {media_type} ({origin}): {reason}")
        });
        let unusable = [(self.broken, "broken operation"), (self.unreachable, "unreachable operation")];
        let unusable =
            unusable.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("    {}", plural(n, what)));
        unusable.chain(wrong)
    }
}

/// The heading of the table; `width` is that of the first column.
pub(super) fn heading(width: usize) -> String {
    let file = "document";
    format!("{file:width$} operat. examples samples  empty  other  invalid  seconds     MiB")
}

/// Sums over all documents; the peak memory is the largest of all.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct BulkTotals {
    documents: usize,
    loaded: usize,
    refused: usize,
    operations: usize,
    broken: usize,
    unreachable: usize,
    examples: usize,
    samples: usize,
    empty: usize,
    other: usize,
    unanswered: usize,
    invalid: InvalidBodies,
    seconds: f64,
    peak_kib: Option<u64>,
}

impl BulkTotals {
    pub(super) fn add(&mut self, row: &DocumentRow) {
        self.documents += 1;
        self.loaded += usize::from(row.loaded);
        self.refused += usize::from(!row.loaded);
        self.operations += row.operations;
        self.broken += row.broken;
        self.unreachable += row.unreachable;
        self.examples += row.examples;
        self.samples += row.samples;
        self.empty += row.empty;
        self.other += row.other;
        self.unanswered += row.unanswered;
        self.invalid.examples += row.invalid.examples;
        self.invalid.samples += row.invalid.samples;
        self.seconds += row.seconds;
        self.peak_kib = self.peak_kib.max(row.peak_kib);
    }
}

impl fmt::Display for BulkTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} loaded, {} refused",
            plural(self.documents, "document"),
            self.loaded,
            self.refused
        )?;
        writeln!(
            f,
            "{}: {} broken, {} unreachable",
            plural(self.operations, "operation"),
            self.broken,
            self.unreachable
        )?;
        let answers = self.examples + self.samples + self.empty + self.other;
        writeln!(
            f,
            "{}: {} from examples, {} from schemas, {} empty, {} not JSON; {} unanswered",
            plural(answers, "answer"),
            self.examples,
            self.samples,
            self.empty,
            self.other,
            self.unanswered
        )?;
        writeln!(
            f,
            "bodies that do not match their schema: {} of examples, {} of samples",
            self.invalid.examples, self.invalid.samples
        )?;
        write!(f, "{:.3} seconds", self.seconds)?;
        match self.peak_kib {
            Some(peak) => write!(f, ", {:.1} MiB at most", mib(peak)),
            None => Ok(()),
        }
    }
}

fn mib(kib: u64) -> f64 {
    // 4 TiB and more are shown as the largest number.
    u32::try_from(kib).map_or(f64::MAX, f64::from) / 1024.0
}
