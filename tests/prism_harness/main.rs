//! Prism's own test harness, replayed against `mynah mock`: each file has a document, the command line of a server, one
//! request by curl, and the expected response.
//!
//! The files are Prism's (`tests/prism-harness/`, see NOTICE there). Cases with another response on purpose are listed
//! in `exceptions.json` in the same directory, with the reason. Files of another directory are replayed with
//! `PRISM_HARNESS=DIRECTORY cargo test --test prism_harness -- --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::assigning_clones,
    clippy::format_push_string,
    clippy::match_same_arms
)]

mod case;
mod compare;
mod curl;
mod server;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use case::Case;

/// Number of concurrent servers.
const WORKERS: usize = 4;

/// The files below a directory, sorted.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The cases with another response on purpose: reasons by file name.
fn exceptions(directory: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(directory.join("exceptions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Replays one file; the error is the difference to the expected response.
fn replay(path: &Path) -> Result<(), String> {
    let case = Case::parse(&fs::read_to_string(path).unwrap())?;
    let request = curl::Request::parse(&case.command)?;
    let server = server::Server::start(&case)?;
    let found = server.send(&request)?;
    compare::compare(&case.expected, &found, request.head_only).map_err(|difference| {
        let body: String = found.body.chars().take(1_000).collect();
        format!("{difference}\n  answered: {} {}", found.status, body.trim_end())
    })
}

#[test]
fn the_files_of_prism_s_harness_are_answered_as_prism_does() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prism-harness");
    let directory = env::var_os("PRISM_HARNESS").map_or_else(|| ours.clone(), PathBuf::from);
    let exceptions = exceptions(&ours);
    let pending = Mutex::new(files(&directory));
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(path) = { pending.lock().unwrap().pop() } {
                    let name =
                        path.strip_prefix(&directory).unwrap().display().to_string().replace('/', "__");
                    let outcome = replay(&path);
                    outcomes.lock().unwrap().insert(name, outcome);
                }
            });
        }
    });
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    for (name, outcome) in outcomes.into_inner().unwrap() {
        match (outcome, exceptions.get(&name)) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => failed.push(format!("{name}: passes, so it must not be an exception")),
            (Err(_), Some(_)) => skipped += 1,
            (Err(reason), None) => failed.push(format!("{name}: {reason}")),
        }
    }
    println!("{passed} passed, {} failed, {skipped} are exceptions", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
