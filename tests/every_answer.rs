//! Validation of every answer of every document of this repository: for every operation and every declared status, a
//! JSON body is valid by its schema, including formats, as the crate `jsonschema` evaluates it.
//!
//! More documents are read from the directory that `ANSWER_DOCUMENTS` names. Their examples may be invalid, their
//! samples may not.

#![allow(clippy::unwrap_used)]

mod judge;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mynah::{
    document::{Dialect, read},
    mock::{
        Mock, MockOptions,
        answer_audit::{AuditCase, AuditSource, audit_cases},
    },
    openapi::{Api, LibraryLocation, lower},
};
use serde_json::Value as Json;

use judge::{Judge, load};

/// Answers of one document.
#[derive(Default)]
struct Answers {
    examples: usize,
    samples: usize,
    invalid: Vec<(AuditSource, String)>,
}

fn uri(path: &Path) -> String {
    format!("file://{}", fs::canonicalize(path).unwrap().display())
}

fn judge_of(file: &Path, api: &Api) -> Judge {
    let mut files: Vec<PathBuf> = api.library.files().map(Path::to_path_buf).collect();
    if !files.iter().any(|other| uri(other) == uri(file)) {
        files.push(file.to_path_buf());
    }
    let files = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        (uri(file), read(&text, Dialect::Specification).unwrap().value)
    });
    Judge::of_files(&files.collect::<Vec<_>>(), api.version)
}

/// Validates all JSON answers of a document.
fn answers(file: &Path, specs: &Path) -> Answers {
    let (document, _) = load(file).unwrap();
    let (api, _) = lower(document, &LibraryLocation::file(file, specs)).unwrap();
    let judge = judge_of(file, &api);
    let mock = Mock::new(Arc::new(api), MockOptions::default());
    let mut answers = Answers::default();
    for case in audit_cases(mock.api()).iter().filter(|case| case.schema().is_some()) {
        match case.origin() {
            AuditSource::Example => answers.examples += 1,
            _ => answers.samples += 1,
        }
        if let Err(reason) = check(case, &mock, &judge, file) {
            let AuditCase { operation, status, .. } = case;
            let place = format!("{} {} {} {status}", file.display(), operation.method, operation.template);
            answers.invalid.push((case.origin(), format!("{place} ({:?}): {reason}", case.origin())));
        }
    }
    answers
}

fn check(case: &AuditCase<'_>, mock: &Mock, judge: &Judge, file: &Path) -> Result<(), String> {
    let body = case.answer(mock).map_err(|refusal| format!("{refusal:?}"))?;
    let body: Json = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let schema = case.schema().unwrap();
    let place = match mock.api().library.source(schema.file) {
        Some(source) => uri(Path::new(&source.name)),
        None => uri(file),
    };
    match judge.errors_by(&schema.value, &place, &body)? {
        errors if errors.is_empty() => Ok(()),
        errors => Err(format!("{errors:.300?}")),
    }
}

/// The documents in a directory.
fn documents(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file() && load(path).is_some());
    files.sort();
    files
}

#[test]
fn every_answer_of_every_document_of_this_repository_is_valid() {
    let test_documents = Path::new("tests/documents");
    let mut files: Vec<_> = documents(Path::new("specs"));
    files.extend(documents(test_documents));
    files.push(test_documents.join("separate-2.0/spec/swagger.json"));
    let (mut examples, mut samples, mut invalid) = (0, 0, Vec::new());
    for file in &files {
        let specs = if file.starts_with(test_documents) { test_documents } else { Path::new("specs") };
        let found = answers(file, specs);
        examples += found.examples;
        samples += found.samples;
        invalid.extend(found.invalid.into_iter().map(|(_, reason)| reason));
    }
    eprintln!("{} documents: {examples} examples, {samples} samples, {} invalid", files.len(), invalid.len());
    assert!(invalid.is_empty(), "\n{}\n", invalid.join("\n"));
    assert_eq!((files.len(), examples, samples), (12, 34, 40), "documents, examples, samples");
}

#[test]
fn the_judge_rejects_invalid_values() {
    for file in ["specs/petstore-3.0.json", "tests/documents/separate-2.0/spec/swagger.json"].map(Path::new) {
        let (document, _) = load(file).unwrap();
        let (api, _) = lower(document, &LibraryLocation::file(file, "tests/documents")).unwrap();
        let judge = judge_of(file, &api);
        for case in audit_cases(&api).iter().filter(|case| case.schema().is_some()) {
            let schema = &case.schema().unwrap().value;
            assert_ne!(judge.errors_by(schema, &uri(file), &Json::Bool(true)), Ok(Vec::new()), "{case:?}");
        }
    }
}

#[test]
fn every_sample_of_other_documents_is_valid() {
    let Some(directory) = std::env::var_os("ANSWER_DOCUMENTS").map(PathBuf::from) else { return };
    let (mut examples, mut samples, mut invalid) = (0, 0, Vec::new());
    for file in documents(&directory) {
        let found = answers(&file, &directory);
        examples += found.examples;
        samples += found.samples;
        invalid.extend(found.invalid.into_iter().filter(|(origin, _)| *origin == AuditSource::Sample));
    }
    let invalid: Vec<String> = invalid.into_iter().map(|(_, reason)| reason).collect();
    eprintln!("{examples} examples, {samples} samples, {} samples invalid", invalid.len());
    assert!(invalid.is_empty(), "\n{}\n", invalid.join("\n"));
}
