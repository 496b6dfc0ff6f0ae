//! Linear cost of lists: checking four times as many items takes about four times as long, for every list.
//!
//! The tests measure processor time of the thread, so that other work on the machine does not count. A list is
//! quadratic if four times the items cost sixteen times as much; the bound in between leaves room for noise. `ITEMS`
//! sets another number of items, `ONLY` picks cases by a part of their name, `TIMES` prints all times.

mod cases;

use std::{fs, path::PathBuf, time::Duration};

use cases::{Case, OF_ENTITIES, OF_PLUGINS, OTHERS};
use mynah::{
    config::DeclarativeFormat,
    control::compile_config,
    diag::{RenderStyle, SourceFile},
    entity::DOCUMENT,
    plugin,
    router::RouterOptions,
    schema::{EntitySchema, Field, FieldKind},
    snapshot::SnapshotCompiler,
};

/// Greatest ratio of the costs of four times as many items.
const MOST: f64 = 9.0;

/// Shorter times are too inexact to compare.
const LEAST: Duration = Duration::from_millis(60);

/// The processor time that this thread has used. (proc(5), `schedstat`)
fn used() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default())
}

/// Processor time to check and compile a document, and to render its diagnostics.
fn cost(case: &Case, items: usize) -> Duration {
    let source = SourceFile::new("kong.yaml", (case.text)(items));
    let mut compiler = SnapshotCompiler::new(PathBuf::from("specs"), RouterOptions::default());
    let before = used();
    match compile_config(&mut compiler, &source, DeclarativeFormat::of_files(false), false) {
        Ok(made) => drop(made.warnings),
        Err(report) => drop((report.draw(RenderStyle::Plain), report.to_json())),
    }
    used().saturating_sub(before)
}

fn wanted(case: &Case) -> bool {
    std::env::var("ONLY").map_or(true, |only| case.name.contains(&only))
}

#[track_caller]
fn check(cases: &[Case]) {
    let items = std::env::var("ITEMS").ok().and_then(|number| number.parse().ok()).unwrap_or(1000);
    let mut slow = Vec::new();
    for case in cases.iter().filter(|case| wanted(case)) {
        let (few, many) = (cost(case, items), cost(case, 4 * items));
        let ratio = many.as_secs_f64() / few.max(Duration::from_millis(1)).as_secs_f64();
        if std::env::var("TIMES").is_ok() {
            eprintln!("{ratio:6.1} {few:10.1?} {many:10.1?} {}", case.name);
        }
        if many > LEAST && ratio > MOST && cost(case, 4 * items) > few.mul_f64(MOST) {
            slow.push(format!("{}: {items} cost {few:.1?}, four times as many {many:.1?}", case.name));
        }
    }
    assert!(slow.is_empty(), "\n{}", slow.join("\n"));
}

#[test]
fn lists_of_entities_cost_in_proportion_to_their_length() {
    check(OF_ENTITIES);
}

#[test]
fn lists_of_settings_cost_in_proportion_to_their_length() {
    check(OF_PLUGINS);
}

#[test]
fn errors_and_documents_cost_in_proportion_to_their_length() {
    check(OTHERS);
}

/// Adds the names of all lists and maps among these fields.
fn lists(prefix: &str, fields: &[Field], all: &mut Vec<String>) {
    for field in fields {
        let name = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        match field.kind {
            FieldKind::Record(fields) => lists(&name, fields, all),
            FieldKind::Array(_)
            | FieldKind::Set(_)
            | FieldKind::Map(_)
            | FieldKind::Entities(..)
            | FieldKind::Unused => {
                all.push(name);
            }
            _ => (),
        }
    }
}

/// Lists that can hold at most one valid item; further items add diagnostics.
const INVALID_LISTS: [&str; 8] = [
    "services.ca_certificates",
    "services.filter_chains",
    "services.oauth2_tokens",
    "routes.filter_chains",
    "oauth2_tokens",
    "certificates.services",
    "ca_certificates",
    "keys.pem",
];

#[test]
fn cases_without_intended_errors_are_valid() {
    let mut wrong = Vec::new();
    for case in OF_ENTITIES.iter().chain(OF_PLUGINS).filter(|case| !INVALID_LISTS.contains(&case.name)) {
        let source = SourceFile::new("kong.yaml", (case.text)(2));
        let mut compiler = SnapshotCompiler::new(PathBuf::from("specs"), RouterOptions::default());
        if let Err(report) = compile_config(&mut compiler, &source, DeclarativeFormat::of_files(false), false)
        {
            wrong.push(format!("{}: {}", case.name, report.summary()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_list_has_a_case() {
    let mut all = Vec::new();
    lists("", DOCUMENT, &mut all);
    for field in DOCUMENT {
        let FieldKind::Entities(entity, _) = field.kind else { continue };
        let entity: &EntitySchema = entity();
        lists(entity.collection, entity.fields, &mut all);
    }
    let mut settings = Vec::new();
    for def in plugin::ALL {
        lists(&format!("plugin:{}", def.name), def.settings.fields, &mut settings);
    }
    // One row of each of these tables is enough, since the same code reads the others.
    let shares_code = |name: &str| {
        name.starts_with("plugin:request-transformer.")
            || name.starts_with("plugin:response-transformer.")
            || name.starts_with("plugin:pre-function.")
            || name.starts_with("plugin:post-function.")
            || name.ends_with("custom_fields_by_lua")
            || name.rsplit('.').next() == Some("tags")
    };
    let has_case = |name: &String| {
        OF_ENTITIES.iter().chain(OF_PLUGINS).any(|case| case.name == name) || shares_code(name)
    };
    let missing: Vec<&String> = all.iter().chain(&settings).filter(|name| !has_case(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
