//! One document, measured in this process: what it answers, how long it takes and how much memory.

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
    super::lint::folder,
    row::{DocumentRow, InvalidBodies, WrongAnswer},
};

/// Flaws that are named for one document; the others are counted.
const NAMED: usize = 20;

pub(super) fn measure(file: &Path) -> DocumentRow {
    let start = Instant::now();
    let source = match read_config(file) {
        Ok(source) => source,
        Err(report) => return DocumentRow::refused(file, report.summary()),
    };
    let refused = |complaint| {
        DocumentRow::refused(file, DiagnosticReport::new(source.clone(), vec![complaint]).summary())
    };
    let value = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document.value,
        Err(error) => return refused(Diagnostic::syntax(document::NodePath::root(), &error)),
    };
    let (api, complaints) = match lower(value, &LibraryLocation::file(file, folder(file))) {
        Ok(lowered) => lowered,
        Err(error) => return refused(error),
    };
    let version = api.version.to_string();
    let mock = Mock::new(Arc::new(api), MockOptions::default());
    let ready_seconds = start.elapsed().as_secs_f64();
    let ready_kib = peak_kib();
    let survey = audit_answers(&mock);
    DocumentRow {
        version: Some(version),
        complaints: complaints.len(),
        ready_seconds,
        ready_kib,
        seconds: start.elapsed().as_secs_f64(),
        peak_kib: peak_kib(),
        ..row(file, &survey)
    }
}

fn row(file: &Path, survey: &AnswerAudit) -> DocumentRow {
    let count = |origin| survey.invalid.iter().filter(|it| it.origin == Some(origin)).count();
    let flaws = survey.invalid.iter().chain(&survey.refused);
    DocumentRow {
        file: file.display().to_string(),
        loaded: true,
        operations: survey.operations,
        broken: survey.broken,
        unreachable: survey.unreachable,
        examples: survey.examples,
        samples: survey.samples,
        empty: survey.empty,
        other: survey.other,
        unanswered: survey.refused.len(),
        invalid: InvalidBodies { examples: count(AuditSource::Example), samples: count(AuditSource::Sample) },
        wrong: flaws.take(NAMED).map(wrong).collect(),
        ..DocumentRow::default()
    }
}

fn wrong(flaw: &AuditFinding) -> WrongAnswer {
    let AuditFinding { operation, status, media_type, origin, reason } = flaw;
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

/// The most memory that this process has had, in KiB, where the system says so (Linux: `VmHWM`).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
