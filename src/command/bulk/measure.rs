//! Measurement of one document in this process: its responses, the time they take, and the peak memory.

use std::{path::Path, sync::Arc, time::Instant};

use mynah::{
    control::read_config,
    diag::{Diagnostic, DiagnosticReport},
    document::{self, Dialect},
    mock::{
        Mock, MockOptions,
        answer_audit::{AnswerAudit, AuditFinding, AuditSource, audit_answers},
    },
    openapi::{LibraryLocation, lower},
};

use super::{
    super::lint::reference_root,
    row::{DocumentRow, InvalidBodies, WrongAnswer},
};

/// At most this many invalid responses are listed for one document; the others are only counted.
const MAX_LISTED: usize = 20;

/// Reads a document, generates all its responses, and checks them.
pub(super) fn measure(file: &Path) -> DocumentRow {
    let start = Instant::now();
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return DocumentRow::refused(file, report.summary()),
    };
    let refuse = |diagnostic| {
        DocumentRow::refused(file, DiagnosticReport::new(source.clone(), vec![diagnostic]).summary())
    };
    let value = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document.value,
        Err(error) => return refuse(Diagnostic::syntax(document::NodePath::root(), &error)),
    };
    let (api, diagnostics) = match lower(value, &LibraryLocation::file(file, reference_root(file))) {
        Ok(lowered) => lowered,
        Err(error) => return refuse(error),
    };
    let version = api.version.to_string();
    let mock = Mock::new(Arc::new(api), MockOptions::default());
    let ready_seconds = start.elapsed().as_secs_f64();
    let ready_kib = peak_kib();
    let audit = audit_answers(&mock);
    DocumentRow {
        version: Some(version),
        diagnostics: diagnostics.len(),
        ready_seconds,
        ready_kib,
        seconds: start.elapsed().as_secs_f64(),
        peak_kib: peak_kib(),
        ..audit_row(file, &audit)
    }
}

fn audit_row(file: &Path, audit: &AnswerAudit) -> DocumentRow {
    let count = |origin| audit.invalid.iter().filter(|finding| finding.origin == Some(origin)).count();
    let findings = audit.invalid.iter().chain(&audit.refused);
    DocumentRow {
        file: file.display().to_string(),
        loaded: true,
        operations: audit.operations,
        broken: audit.broken,
        unreachable: audit.unreachable,
        examples: audit.examples,
        samples: audit.samples,
        empty: audit.empty,
        other: audit.other,
        unanswered: audit.refused.len(),
        invalid: InvalidBodies { examples: count(AuditSource::Example), samples: count(AuditSource::Sample) },
        wrong: findings.take(MAX_LISTED).map(wrong_answer).collect(),
        ..DocumentRow::default()
    }
}

fn wrong_answer(finding: &AuditFinding) -> WrongAnswer {
    let AuditFinding { operation, status, media_type, origin, reason } = finding;
    let origin = match origin {
        Some(AuditSource::Example) => "example",
        Some(AuditSource::Sample) => "sample",
        Some(AuditSource::Empty) => "empty",
        None => "no answer",
    };
    WrongAnswer {
        operation: operation.clone(),
        status: *status,
        media_type: media_type.clone(),
        origin: origin.to_owned(),
        reason: reason.clone(),
    }
}

/// Peak memory of this process in KiB, on Linux (`VmHWM`).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
