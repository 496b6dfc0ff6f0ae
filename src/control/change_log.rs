//! Log of the last loads and writes: what each has changed in the text, and what was refused.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use super::Control;
use crate::{
    config,
    diag::{DiagnosticReport, SourceFile},
    snapshot::Snapshot,
    text_diff::TextPatch,
};

/// Entries at most.
const MAX_ENTRIES: usize = 50;

/// Bytes of all changed parts of texts and diagnostics at most; older entries lose theirs first.
const MAX_BYTES: usize = 8 << 20;

/// What has caused a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeCause {
    /// The start of the process.
    Start,
    /// A file was saved.
    File,
    /// SIGHUP.
    Signal,
    /// A write of the Admin API.
    Write,
    /// `POST /config` of the Admin API.
    PostConfig,
}

impl ChangeCause {
    /// Its name in the Admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::File => "file",
            Self::Signal => "signal",
            Self::Write => "admin",
            Self::PostConfig => "post_config",
        }
    }
}

/// The part of one file that changed.
#[derive(Clone, Debug)]
pub struct PatchedFile {
    /// The name of the file.
    pub file: String,
    /// The change.
    pub patch: TextPatch,
}

/// The changes between two versions of a configuration, by file.
#[must_use]
pub fn compare_sources(old: Option<&SourceFile>, new: &SourceFile) -> Vec<PatchedFile> {
    let change = |name: &str, old: &str, new: &str| {
        TextPatch::between(old, new).map(|patch| PatchedFile { file: name.to_owned(), patch })
    };
    let (old_parts, new_parts) = (old.map(parts).unwrap_or_default(), parts(new));
    if old_parts.is_empty() && new_parts.is_empty() {
        return change(&new.name, old.map_or("", |old| &old.text), &new.text).into_iter().collect();
    }
    let mut names: Vec<&str> = new_parts.iter().chain(&old_parts).map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let compare = |name: &&str| change(name, part_text(&old_parts, name), part_text(&new_parts, name));
    names.iter().filter_map(compare).collect()
}

/// The names and texts of the files of a configuration that has several.
fn parts(source: &SourceFile) -> Vec<(&str, &str)> {
    source.parts.iter().map(|part| (&*part.name, &*part.text)).collect()
}

/// The text of the file with this name; empty if there is none.
fn part_text<'a>(parts: &[(&str, &'a str)], name: &str) -> &'a str {
    parts.iter().find(|(part, _)| *part == name).map_or("", |(_, text)| text)
}

/// A load or a write, and what it has changed.
#[derive(Clone, Debug)]
pub struct ChangeEntry {
    /// Its number, from one.
    pub number: u64,
    /// Its time.
    pub at: SystemTime,
    /// What has caused it.
    pub cause: ChangeCause,
    /// Whether it was published; otherwise it was refused.
    pub is_published: bool,
    /// The live generation afterwards.
    pub generation: u64,
    /// The time from the comparison with what was live until the result.
    pub duration: Duration,
    /// The changes of entities, or the first error, in words.
    pub summary: String,
    /// Number of errors, and number of warnings.
    pub counts: (usize, usize),
    /// The diagnostics as JSON; `None` if they are too old.
    pub diagnostics: Option<Value>,
    /// The changes of the text; `None` if they are too old.
    pub changes: Option<Vec<PatchedFile>>,
    /// The number of the change that was undone, if it is an undo.
    pub undoes: Option<u64>,
    /// Hash of the text.
    pub hash: String,
    bytes: usize,
}

/// What is known of a load or a write before its result.
#[derive(Clone, Debug)]
pub(super) struct ChangeContext {
    pub(super) cause: ChangeCause,
    pub(super) started: Instant,
    /// The version before; `None` if there is none to compare with.
    pub(super) old: Option<Arc<SourceFile>>,
    /// The number of the change that it undoes.
    pub(super) undoes: Option<u64>,
}

/// What is recorded of a load or a write.
#[derive(Debug)]
struct RecordedChange<'a> {
    context: ChangeContext,
    is_published: bool,
    generation: u64,
    summary: String,
    report: &'a DiagnosticReport,
    hash: String,
}

/// The last changes, the newest last.
#[derive(Debug, Default)]
pub(super) struct ChangeLog {
    entries: VecDeque<Arc<ChangeEntry>>,
    last: u64,
}

impl RecordedChange<'_> {
    /// The entry, without its number. Reads both texts.
    fn into_entry(self) -> ChangeEntry {
        let ChangeContext { cause, started, old, undoes } = self.context;
        let new = self.report.source();
        // A file that cannot be read has no text to compare.
        let changes = old.map(|old| compare_sources(Some(&old), new)).unwrap_or_default();
        let diagnostics =
            if self.report.is_empty() { Value::Array(Vec::new()) } else { self.report.to_json() };
        let texts: usize = changes.iter().map(|change| change.file.len() + change.patch.size()).sum();
        let bytes = texts + if self.report.is_empty() { 0 } else { diagnostics.to_string().len() };
        ChangeEntry {
            number: 0,
            at: SystemTime::now(),
            cause,
            is_published: self.is_published,
            generation: self.generation,
            duration: started.elapsed(),
            summary: self.summary,
            counts: self.report.count(),
            diagnostics: Some(diagnostics),
            changes: Some(changes),
            undoes,
            hash: self.hash,
            bytes,
        }
    }
}

impl ChangeLog {
    /// Adds an entry. The same refusal as before is not added again.
    pub(super) fn add(&mut self, entry: ChangeEntry) {
        let is_repeated = |last: &Arc<ChangeEntry>| {
            !entry.is_published
                && !last.is_published
                && last.hash == entry.hash
                && last.summary == entry.summary
        };
        if self.entries.back().is_some_and(is_repeated) {
            return;
        }
        self.last += 1;
        self.entries.push_back(Arc::new(ChangeEntry { number: self.last, ..entry }));
        if self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
        }
        let mut bytes = 0;
        for entry in self.entries.iter_mut().rev() {
            bytes += entry.bytes;
            if bytes > MAX_BYTES && entry.changes.is_some() {
                *entry =
                    Arc::new(ChangeEntry { diagnostics: None, changes: None, ..ChangeEntry::clone(entry) });
            }
        }
    }

    /// All entries, the newest first.
    pub(super) fn entries(&self) -> Vec<Arc<ChangeEntry>> {
        self.entries.iter().rev().cloned().collect()
    }

    /// The entry with this number.
    pub(super) fn entry(&self, number: u64) -> Option<Arc<ChangeEntry>> {
        self.entries.iter().find(|entry| entry.number == number).cloned()
    }

    /// The newest write of the Admin API that is not undone, and all published entries after it.
    pub(super) fn last_write(&self) -> Option<(Arc<ChangeEntry>, Vec<Arc<ChangeEntry>>)> {
        let mut undone = Vec::new();
        let mut later = Vec::new();
        for entry in self.entries.iter().rev().filter(|entry| entry.is_published) {
            undone.extend(entry.undoes);
            let is_write = entry.cause == ChangeCause::Write && entry.undoes.is_none();
            if is_write && !undone.contains(&entry.number) {
                return Some((entry.clone(), later));
            }
            later.push(entry.clone());
        }
        None
    }
}

impl Control {
    /// The last loads and writes, the newest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Arc<ChangeEntry>> {
        self.lock_changes().entries()
    }

    /// The load or write with this number, if it is one of the last ones.
    #[must_use]
    pub fn change(&self, number: u64) -> Option<Arc<ChangeEntry>> {
        self.lock_changes().entry(number)
    }

    /// Records a configuration that was refused.
    pub(super) fn record_refused(&self, context: ChangeContext, report: &DiagnosticReport) {
        let change = RecordedChange {
            context,
            is_published: false,
            generation: self.live().current().generation,
            summary: report.summary(),
            report,
            hash: config::hash(report.source().text.as_bytes()),
        };
        let entry = change.into_entry();
        self.lock_changes().add(entry);
    }

    /// Records a configuration that was published. Warnings of a write are not recorded: their places would be searched
    /// in the whole text at every write.
    pub(super) fn record_published(
        &self,
        context: ChangeContext,
        snapshot: &Snapshot,
        warnings: &DiagnosticReport,
        changes: &str,
    ) {
        let nothing = DiagnosticReport::new(warnings.source().clone(), Vec::new());
        let change = RecordedChange {
            is_published: true,
            generation: snapshot.generation,
            summary: changes.to_owned(),
            report: if context.cause == ChangeCause::Write { &nothing } else { warnings },
            hash: snapshot.origin.hash.clone(),
            context,
        };
        let entry = change.into_entry();
        self.lock_changes().add(entry);
    }

    pub(super) fn lock_changes(&self) -> MutexGuard<'_, ChangeLog> {
        // No code that holds this lock leaves the log half-updated, so a poisoned lock is usable.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cause: ChangeCause, undoes: Option<u64>, text: &str) -> ChangeEntry {
        let new = SourceFile::new("kong.yaml", text);
        let report = DiagnosticReport::new(new, Vec::new());
        let old = Some(SourceFile::new("kong.yaml", ""));
        let context = ChangeContext { cause, started: Instant::now(), old, undoes };
        let (summary, hash) = (String::new(), String::new());
        RecordedChange { context, is_published: true, generation: 1, summary, report: &report, hash }
            .into_entry()
    }

    #[test]
    fn undo_goes_back_one_write_after_the_other() {
        let mut log = ChangeLog::default();
        let last = |log: &ChangeLog| log.last_write().map(|(entry, _)| entry.number);
        log.add(entry(ChangeCause::Start, None, "a"));
        assert_eq!(last(&log), None);
        log.add(entry(ChangeCause::Write, None, "b"));
        log.add(entry(ChangeCause::Write, None, "c"));
        assert_eq!(last(&log), Some(3));
        log.add(entry(ChangeCause::Write, Some(3), "b"));
        assert_eq!(last(&log), Some(2));
        log.add(entry(ChangeCause::Write, Some(2), "a"));
        assert_eq!(last(&log), None);
        log.add(entry(ChangeCause::Write, None, "d"));
        assert_eq!(last(&log), Some(6));
    }

    #[test]
    fn the_log_is_bounded() {
        let mut log = ChangeLog::default();
        let large = "x".repeat(MAX_BYTES / 3);
        for _ in 0..MAX_ENTRIES + 5 {
            log.add(entry(ChangeCause::File, None, &large));
        }
        let entries = log.entries();
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert_eq!(entries[0].number, MAX_ENTRIES as u64 + 5);
        assert_eq!(entries.iter().filter(|entry| entry.changes.is_some()).count(), 2);
        assert!(log.entry(1).is_none() && log.entry(entries[3].number).is_some());
    }

    #[test]
    fn the_same_refusal_stands_once() {
        let mut log = ChangeLog::default();
        for _ in 0..3 {
            log.add(ChangeEntry { is_published: false, ..entry(ChangeCause::File, None, "") });
        }
        assert_eq!(log.entries().len(), 1);
    }

    #[test]
    fn files_of_a_folder_are_compared_one_by_one() {
        let folder = |texts: &[(&str, &str)]| {
            let parts = texts.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
            SourceFile::of_parts("folder", parts)
        };
        let old = folder(&[("a", "1\n"), ("b", "2\n"), ("c", "3\n")]);
        let new = folder(&[("a", "1\n"), ("b", "two\n"), ("d", "4\n")]);
        let files: Vec<_> = compare_sources(Some(&old), &new).into_iter().map(|change| change.file).collect();
        assert_eq!(files, ["b", "c", "d"]);
    }
}
