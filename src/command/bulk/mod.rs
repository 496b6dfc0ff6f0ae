//! `mynah lint --bulk DIR`: asks every document of a folder for all its answers, and counts.
//!
//! Each document has a process of its own (this program again, with one file): so its memory is its own, and one
//! that takes too long or brings its process down is a line of the table like any other.

mod measure;
mod row;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use self::row::{BulkTotals, DocumentRow};
use super::{check::FindingsFormat, say};

/// A document that takes longer than this is given up.
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures one document, or all of a folder; true unless there was none.
pub(crate) fn bulk(place: &Path, format: FindingsFormat) -> Result<bool> {
    if place.is_file() {
        let row = measure::measure(place);
        match format {
            FindingsFormat::Json => say(serde_json::to_string(&row)?),
            FindingsFormat::Text => {
                let width = row.file.chars().count();
                say(row::heading(width));
                say(row.line(width));
                row.flaws().for_each(say);
            }
        }
        return Ok(true);
    }
    let files = documents(place)?;
    let name = |file: &Path| file.strip_prefix(place).unwrap_or(file).display().to_string();
    let width = files.iter().map(|it| name(it).chars().count()).max().unwrap_or(0);
    let mut totals = BulkTotals::default();
    if format == FindingsFormat::Text {
        say(row::heading(width));
    }
    for file in &files {
        let mut row =
            elsewhere(file).unwrap_or_else(|error| DocumentRow::refused(file, format!("{error:#}")));
        row.file = name(file);
        totals.add(&row);
        match format {
            FindingsFormat::Json => say(serde_json::to_string(&row)?),
            FindingsFormat::Text => {
                say(row.line(width));
                row.flaws().for_each(say);
            }
        }
    }
    match format {
        FindingsFormat::Json => say(serde_json::json!({ "total": totals })),
        FindingsFormat::Text => say(format_args!("\n{totals}")),
    }
    Ok(!files.is_empty())
}

/// The row of one document, made by a process of its own.
fn elsewhere(file: &Path) -> Result<DocumentRow> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut child = Command::new(program)
        .args(["lint", "--format", "json", "--bulk"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a process")?;
    let (send, receive) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut line = String::new();
            // Whoever gave up waiting does not listen any more.
            drop(BufReader::new(output).read_line(&mut line).map(|_| send.send(line)));
        });
    }
    let line = receive.recv_timeout(PATIENCE);
    if matches!(line, Err(mpsc::RecvTimeoutError::Timeout)) {
        // It may have ended just now.
        drop(child.kill());
        child.wait()?;
        bail!("it took longer than {} seconds", PATIENCE.as_secs());
    }
    let status = child.wait()?;
    let line = line.unwrap_or_default();
    if line.trim().is_empty() {
        bail!("its process ended: {status}");
    }
    serde_json::from_str(&line).context("its process said something odd")
}

/// The files below a folder that may be documents, in order. Links to folders are not followed.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "json" || it == "yaml" || it == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
