//! `/mynah/changes` and `/mynah/undo`: the last loads and writes with their diffs, and the way back.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    AdminApi, node::unix_seconds, query::Query, refusal::AdminRefusal, write_request::ReadOnlyReason,
};
use crate::{
    body::Body,
    control::{
        ChangeEntry, PatchedFile, compare_sources,
        write::{WriteError, WrittenText},
    },
    reply,
};

impl AdminApi {
    /// The last loads and writes, the newest first.
    pub(super) fn changes(&self) -> Response<Body> {
        let data: Vec<_> = self.control.changes().iter().map(|entry| Value::from(summary(entry))).collect();
        let undo = self.control.next_undo();
        reply::json(StatusCode::OK, json!({ "data": data, "undo": undo }).to_string())
    }

    /// One load or write with its diff and its diagnostics.
    pub(super) fn change(&self, number: &str) -> Response<Body> {
        let Some(entry) = number.parse().ok().and_then(|number| self.control.change(number)) else {
            return AdminRefusal::not_found().answer();
        };
        let mut answer = summary(&entry);
        match &entry.changes {
            Some(changes) => answer.extend(diff_entry(changes)),
            None => drop(answer.insert("diff".to_owned(), Value::Null)),
        }
        answer.insert("diagnostics".to_owned(), entry.diagnostics.clone().into());
        reply::json(StatusCode::OK, Value::from(answer).to_string())
    }

    /// Undoes the last write of the Admin API.
    pub(super) async fn undo(self: &Arc<Self>, query: &str) -> Result<Response<Body>, AdminRefusal> {
        let dry_run = Query::new(query).dry_run()?;
        self.run_write_until_finished(move |admin| {
            if let Some(ReadOnlyReason(why)) = admin.read_only_reason() {
                return Err(text_unsupported(why));
            }
            let (undone, written) = admin
                .control
                .undo(dry_run)
                .map_err(|error| refuse_text(error, |why| AdminRefusal::Plain(StatusCode::CONFLICT, why)))?;
            if !dry_run {
                tracing::info!("the Admin API has undone change {}: {}", undone.number, written.changes);
            }
            let mut answer = written_entry(&written);
            answer.insert("undone".to_owned(), undone.number.into());
            Ok(reply::json(StatusCode::OK, Value::from(answer).to_string()))
        })
        .await
    }
}

/// Refusal of a write of the whole text where writes are not possible.
pub(super) fn text_unsupported(why: Option<String>) -> AdminRefusal {
    let message = "cannot write the configuration when not using a database".to_owned();
    AdminRefusal::WritesUnsupported { message, why }
}

/// The refusal for a failed write of the whole text.
pub(super) fn refuse_text<E>(error: WriteError<E>, refuse: impl FnOnce(E) -> AdminRefusal) -> AdminRefusal {
    match error {
        WriteError::Refused(error) => refuse(error),
        WriteError::ReadOnly(why) => text_unsupported(Some(why)),
        WriteError::Unsaved(why) => {
            tracing::error!("{why}");
            AdminRefusal::Plain(StatusCode::INTERNAL_SERVER_ERROR, why)
        }
        WriteError::Conflict(why) => AdminRefusal::Plain(StatusCode::CONFLICT, why),
        WriteError::Unfinished(why) => AdminRefusal::FileUnfinished(why),
        WriteError::Invalid(report, _) => AdminRefusal::InvalidText(Box::new(report)),
    }
}

/// What the answer to a write of the whole text says.
pub(super) fn written_entry(written: &WrittenText) -> Map<String, Value> {
    let mut answer = diff_entry(&compare_sources(Some(&written.old), written.report.source()));
    answer.insert("generation".to_owned(), written.generation.into());
    answer.insert("summary".to_owned(), (&*written.changes).into());
    answer.insert("diagnostics".to_owned(), written.report.to_json());
    answer
}

fn summary(entry: &ChangeEntry) -> Map<String, Value> {
    let (errors, warnings) = entry.counts;
    let entry = json!({
        "number": entry.number,
        "at": unix_seconds(entry.at),
        "generation": entry.generation,
        "cause": entry.cause.as_str(),
        "outcome": if entry.is_published { "published" } else { "refused" },
        "duration_ms": entry.duration.as_secs_f64() * 1000.0,
        "summary": entry.summary,
        "errors": errors,
        "warnings": warnings,
        "undoes": entry.undoes,
    });
    match entry {
        Value::Object(entry) => entry,
        _ => Map::new(),
    }
}

/// The lines of a diff, `diff`, and whether lines are left out, `truncated`. A line names its file if there are several.
pub(super) fn diff_entry(changes: &[PatchedFile]) -> Map<String, Value> {
    let mut lines = Vec::new();
    let mut is_truncated = false;
    for PatchedFile { file, patch } in changes {
        let diff = patch.lines();
        is_truncated |= diff.is_truncated;
        for line in diff.lines {
            let mut entry = json!({
                "kind": line.kind.as_str(),
                "old_line": line.old_line,
                "new_line": line.new_line,
                "text": line.text,
            });
            if changes.len() > 1 {
                entry["file"] = (&**file).into();
            }
            lines.push(entry);
        }
    }
    let mut answer = Map::new();
    answer.insert("diff".to_owned(), lines.into());
    answer.insert("truncated".to_owned(), is_truncated.into());
    answer
}
