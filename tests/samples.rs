//! Samples of whole documents, validated by the crate `jsonschema`: every schema of every response has to get a valid
//! sample, including formats.
//!
//! Documents are read from `tests/documents` and from the directory that `SAMPLE_DOCUMENTS` names.

#![allow(clippy::unwrap_used)]

mod judge;

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use mynah::{
    document::Value,
    openapi::{
        DocumentLibrary, DocumentNode, LibraryLocation,
        sample::{Sampler, SamplingMode},
    },
};

use judge::{Judge, load};

/// The schemas of all responses with their JSON pointers.
fn response_schemas(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found
}

fn collect(value: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    let at = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    for (key, inner) in value.entries() {
        let is_response = pointer.contains("/responses/");
        if key == "schema" && is_response && !pointer.contains("/headers/") {
            found.push((at(key), inner.clone()));
        } else if !(key == "example" || key == "examples" || key == "schema") {
            collect(inner, &at(key), found);
        }
    }
    for (n, inner) in value.items().iter().enumerate() {
        collect(inner, &at(&n.to_string()), found);
    }
}

/// The number of samples, and the messages about invalid ones.
fn check_samples(path: &Path, mode: SamplingMode, examples: bool) -> (usize, Vec<String>) {
    let Some((document, version)) = load(path) else { return (0, Vec::new()) };
    let judge = Judge::new(&document, version);
    let location = LibraryLocation::file(path, path.parent().unwrap());
    let library = DocumentLibrary::new(document.clone(), &location).0;
    let sampler = Sampler::new(&library).mode(mode).examples(examples);
    let (mut count, mut failures) = (0, Vec::new());
    for (pointer, schema) in response_schemas(&document) {
        let sample = sampler.sample(&DocumentNode { value: schema, file: 0 });
        count += 1;
        let place = format!("{} {pointer}", path.file_name().unwrap().to_string_lossy());
        match judge.errors(&pointer, &sample.value) {
            Ok(errors) if errors.is_empty() && sample.valid => (),
            Ok(errors) => {
                failures
                    .push(format!("{place} valid={} {errors:.300?} {:.200?}", sample.valid, sample.notes));
            }
            Err(error) => failures.push(format!("{place} not validated: {error:.200}")),
        }
    }
    (count, failures)
}

#[test]
fn every_response_of_every_document_gets_a_valid_sample() {
    let mut directories = vec!["tests/documents".to_owned()];
    directories.extend(std::env::var("SAMPLE_DOCUMENTS"));
    let mut failures = Vec::new();
    let mut total = 0;
    for directory in directories {
        let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|path| path.is_file()) {
            for (mode, examples) in [
                (SamplingMode::Stable, true),
                (SamplingMode::Stable, false),
                (SamplingMode::Seeded(7), false),
            ] {
                let (count, found) = check_samples(file, mode, examples);
                total += count;
                failures.extend(found.into_iter().map(|failure| format!("{mode:?} {failure}")));
            }
        }
    }
    eprintln!("{total} samples, {} invalid", failures.len());
    assert!(total > 0 && failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_property_of_the_torture_document_is_valid() {
    let (document, version) = load(Path::new("tests/documents/torture.yaml")).unwrap();
    let judge = Judge::new(&document, version);
    let library = DocumentLibrary::new(document.clone(), &LibraryLocation::alone()).0;
    let (pointer, schema) = response_schemas(&document)
        .into_iter()
        .find(|(pointer, _)| pointer.starts_with("/paths/~1fmt/"))
        .unwrap();
    for mode in
        [SamplingMode::Stable, SamplingMode::Seeded(1), SamplingMode::Seeded(2), SamplingMode::Seeded(3)]
    {
        let sampler = Sampler::new(&library).mode(mode);
        let sample = sampler.sample(&DocumentNode { value: schema.clone(), file: 0 });
        assert_eq!(
            sample,
            sampler.sample(&DocumentNode { value: schema.clone(), file: 0 }),
            "samples are the same every time"
        );
        let mut count = 0;
        for (name, property) in schema.get("properties").unwrap().entries() {
            let Some(value) = sample.value.get(name) else {
                assert_eq!(name, "wo", "only writeOnly properties are left out");
                continue;
            };
            let errors = judge.errors(&format!("{pointer}/properties/{name}"), value).unwrap();
            assert!(errors.is_empty(), "{mode:?} {name} {} {errors:?}", value.to_json());
            if property.get("format") == Some(&Value::from("byte"))
                || property.get("contentEncoding").is_some()
            {
                assert!(STANDARD.decode(value.as_str().unwrap()).is_ok(), "{name}");
            }
            if name == "disc" {
                assert!(["cat", "Dog"].contains(&value.get("kind").and_then(Value::as_str).unwrap()));
            }
            count += 1;
        }
        assert_eq!(count, 53);
        if mode == SamplingMode::Stable && std::env::var("SAMPLE_PRINT").is_ok() {
            eprintln!("{}", sample.value.to_json());
        }
    }
}
