//! `mynah lint --bulk DIR`: every response of every document in a folder, measured and counted.
//!
//! Each document is measured in a process of its own (this program with one file), so that its peak memory is known, and
//! so that a document that takes too long or crashes its process becomes a row of the table like any other.

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
use super::output::{OutputFormat, print_line};

/// How long one document may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Measures one document, or all documents in a folder; false if there is none.
pub(crate) fn execute(path: &Path, format: OutputFormat) -> Result<bool> {
    if path.is_file() {
        let row = measure::measure(path);
        match format {
            OutputFormat::Json => print_line(serde_json::to_string(&row)?),
            OutputFormat::Text => {
                let width = row.file.chars().count();
                print_line(row::heading(width));
                print_line(row.line(width));
                row.flaws().for_each(print_line);
            }
        }
        return Ok(true);
    }
    let files = documents(path)?;
    let name = |file: &Path| file.strip_prefix(path).unwrap_or(file).display().to_string();
    let width = files.iter().map(|file| name(file).chars().count()).max().unwrap_or(0);
    let mut totals = BulkTotals::default();
    if format == OutputFormat::Text {
        print_line(row::heading(width));
    }
    for file in &files {
        let mut row =
            measure_in_process(file).unwrap_or_else(|error| DocumentRow::refused(file, format!("{error:#}")));
        row.file = name(file);
        totals.add(&row);
        match format {
            OutputFormat::Json => print_line(serde_json::to_string(&row)?),
            OutputFormat::Text => {
                print_line(row.line(width));
                row.flaws().for_each(print_line);
            }
        }
    }
    match format {
        OutputFormat::Json => print_line(serde_json::json!({ "total": totals })),
        OutputFormat::Text => print_line(format_args!("\n{totals}")),
    }
    Ok(!files.is_empty())
}

/// The row of one document, measured by a process of its own.
fn measure_in_process(file: &Path) -> Result<DocumentRow> {
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
            // Sending fails if the receiver has timed out.
            drop(BufReader::new(output).read_line(&mut line).map(|_| send.send(line)));
        });
    }
    let line = receive.recv_timeout(TIMEOUT);
    if matches!(line, Err(mpsc::RecvTimeoutError::Timeout)) {
        // Killing fails if the process has just ended.
        drop(child.kill());
        child.wait()?;
        bail!("it took longer than {} seconds", TIMEOUT.as_secs());
    }
    let status = child.wait()?;
    let line = line.unwrap_or_default();
    if line.trim().is_empty() {
        bail!("its process ended: {status}");
    }
    serde_json::from_str(&line).context("cannot read the output of its process")
}

/// JSON and YAML files below a folder, sorted. Symbolic links to folders are not followed.
fn documents(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "json" || extension == "yaml" || extension == "yml")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
