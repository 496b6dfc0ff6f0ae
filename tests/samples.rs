//! Samples of whole documents, judged by the `jsonschema` crate: every schema of every response has to get a sample
//! that is valid, its formats included.
//!
//! More documents than those in `tests/documents` are read from the folder that `SAMPLE_DOCUMENTS` names.

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

/// The schemas of all responses, with their places.
fn schemas(document: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found
}

fn collect(value: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    let at = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    for (key, inner) in value.entries() {
        let response = pointer.contains("/responses/");
        if key == "schema" && response && !pointer.contains("/headers/") {
            found.push((at(key), inner.clone()));
        } else if !(key == "example" || key == "examples" || key == "schema") {
            collect(inner, &at(key), found);
        }
    }
    for (n, inner) in value.items().iter().enumerate() {
        collect(inner, &at(&n.to_string()), found);
    }
}

/// How many samples there are, and what is wrong with which.
fn judged(path: &Path, mode: SamplingMode, examples: bool) -> (usize, Vec<String>) {
    let Some((document, version)) = load(path) else { return (0, Vec::new()) };
    let judge = Judge::new(&document, version);
    let location = LibraryLocation::file(path, path.parent().unwrap());
    let library = DocumentLibrary::new(document.clone(), &location).0;
    let sampler = Sampler::new(&library).mode(mode).examples(examples);
    let (mut count, mut wrong) = (0, Vec::new());
    for (pointer, schema) in schemas(&document) {
        let sample = sampler.sample(&DocumentNode { value: schema, file: 0 });
        count += 1;
        let place = format!("{} {pointer}", path.file_name().unwrap().to_string_lossy());
        match judge.errors(&pointer, &sample.value) {
            Ok(errors) if errors.is_empty() && sample.valid => (),
            Ok(errors) => {
                wrong.push(format!("{place} valid={} {errors:.300?} {:.200?}", sample.valid, sample.notes));
            }
            Err(error) => wrong.push(format!("{place} no judge: {error:.200}")),
        }
    }
    (count, wrong)
}

#[test]
fn every_response_of_every_document_gets_a_valid_sample() {
    let mut folders = vec!["tests/documents".to_owned()];
    folders.extend(std::env::var("SAMPLE_DOCUMENTS"));
    let mut wrong = Vec::new();
    let mut total = 0;
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|path| path.is_file()) {
            for (mode, examples) in [
                (SamplingMode::Stable, true),
                (SamplingMode::Stable, false),
                (SamplingMode::Seeded(7), false),
            ] {
                let (count, found) = judged(file, mode, examples);
                total += count;
                wrong.extend(found.into_iter().map(|failure| format!("{mode:?} {failure}")));
            }
        }
    }
    eprintln!("{total} samples, {} wrong", wrong.len());
    assert!(total > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_property_of_the_torture_document_is_right() {
    let (document, version) = load(Path::new("tests/documents/torture.yaml")).unwrap();
    let judge = Judge::new(&document, version);
    let library = DocumentLibrary::new(document.clone(), &LibraryLocation::alone()).0;
    let (pointer, schema) =
        schemas(&document).into_iter().find(|(pointer, _)| pointer.starts_with("/paths/~1fmt/")).unwrap();
    for mode in
        [SamplingMode::Stable, SamplingMode::Seeded(1), SamplingMode::Seeded(2), SamplingMode::Seeded(3)]
    {
        let sampler = Sampler::new(&library).mode(mode);
        let sample = sampler.sample(&DocumentNode { value: schema.clone(), file: 0 });
        assert_eq!(
            sample,
            sampler.sample(&DocumentNode { value: schema.clone(), file: 0 }),
            "the same every time"
        );
        let mut count = 0;
        for (name, property) in schema.get("properties").unwrap().entries() {
            let Some(value) = sample.value.get(name) else {
                assert_eq!(name, "wo", "only what is writeOnly is left out");
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
