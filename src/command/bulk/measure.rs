//! One document, measured in this process: what it answers, how long it takes and how much memory.

use std::{path::Path, sync::Arc, time::Instant};

use mynah::{
    control::read,
    diag::{Diagnostic, Report},
    document::{self, Dialect},
    mock::{
        Mock, Options,
        survey::{Flaw, Origin, Survey, survey},
    },
    openapi::{Location, lower},
};

use super::{
    super::lint::folder,
    row::{Invalid, Row, Wrong},
};

/// Flaws that are named for one document; the others are counted.
const NAMED: usize = 20;

pub(super) fn measure(file: &Path) -> Row {
    let start = Instant::now();
    let source = match read(file) {
        Ok(source) => source,
        Err(report) => return Row::refused(file, report.summary()),
    };
    let refused = |complaint| Row::refused(file, Report::new(source.clone(), vec![complaint]).summary());
    let value = match document::read(&source.text, Dialect::Specification) {
        Ok(document) => document.value,
        Err(error) => return refused(Diagnostic::syntax(document::Path::root(), &error)),
    };
    let (api, complaints) = match lower(value, &Location::file(file, folder(file))) {
        Ok(lowered) => lowered,
        Err(error) => return refused(error),
    };
    let version = api.version.to_string();
    let mock = Mock::new(Arc::new(api), Options::default());
    let ready_seconds = start.elapsed().as_secs_f64();
    let ready_kib = peak_kib();
    let survey = survey(&mock);
    Row {
        version: Some(version),
        complaints: complaints.len(),
        ready_seconds,
        ready_kib,
        seconds: start.elapsed().as_secs_f64(),
        peak_kib: peak_kib(),
        ..row(file, &survey)
    }
}

fn row(file: &Path, survey: &Survey) -> Row {
    let count = |origin| survey.invalid.iter().filter(|it| it.origin == Some(origin)).count();
    let flaws = survey.invalid.iter().chain(&survey.refused);
    Row {
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
        invalid: Invalid { examples: count(Origin::Example), samples: count(Origin::Sample) },
        wrong: flaws.take(NAMED).map(wrong).collect(),
        ..Row::default()
    }
}

fn wrong(flaw: &Flaw) -> Wrong {
    let Flaw { operation, status, media_type, origin, reason } = flaw;
    let origin = match origin {
        Some(Origin::Example) => "example",
        Some(Origin::Sample) => "sample",
        Some(Origin::Empty) => "empty",
        None => "no answer",
    };
    Wrong {
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
