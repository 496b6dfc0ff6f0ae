//! Prism's own test harness, replayed against `mynah mock`: each file is a document, the flags of a server, one
//! request by curl, and what comes back.
//!
//! The files are Prism's (`tests/prism-harness/`, see NOTICE there). What is not to be answered as Prism does stands
//! in `exceptions.json` beside them, with the reason. Another folder of such files is replayed with
//! `PRISM_HARNESS=FOLDER cargo test --test prism_harness -- --nocapture`.

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

/// Servers that run at a time.
const WORKERS: usize = 4;

/// The files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
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

/// What is answered otherwise on purpose: the reasons, by the name of the file.
fn exceptions(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join("exceptions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Replays one file; says what is wrong.
fn replay(path: &Path) -> Result<(), String> {
    let case = Case::parse(&fs::read_to_string(path).unwrap())?;
    let request = curl::Request::parse(&case.command)?;
    let server = server::Server::start(&case)?;
    let found = server.ask(&request)?;
    compare::compare(&case.expected, &found, request.head_only).map_err(|wrong| {
        let body: String = found.body.chars().take(1_000).collect();
        format!("{wrong}\n  answered: {} {}", found.status, body.trim_end())
    })
}

#[test]
fn the_files_of_prism_s_harness_are_answered_as_prism_does() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prism-harness");
    let folder = env::var_os("PRISM_HARNESS").map_or_else(|| ours.clone(), PathBuf::from);
    let exceptions = exceptions(&ours);
    let waiting = Mutex::new(files(&folder));
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(path) = { waiting.lock().unwrap().pop() } {
                    let name = path.strip_prefix(&folder).unwrap().display().to_string().replace('/', "__");
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
            (Ok(()), Some(_)) => failed.push(format!("{name}: passes, so it is no exception any more")),
            (Err(_), Some(_)) => skipped += 1,
            (Err(wrong), None) => failed.push(format!("{name}: {wrong}")),
        }
    }
    println!("{passed} passed, {} failed, {skipped} are exceptions", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
