//! `/mynah/check` and `/mynah/file`: the text of the configuration as a whole, checked and written.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    AdminApi,
    changes::{diff_entry, refuse_text, text_unsupported, written_entry},
    config::MAX_CONFIG_BODY_BYTES,
    query::Query,
    refusal::AdminRefusal,
    upload::{Upload, UploadPermit},
};
use crate::{
    body::Body,
    config,
    control::{
        compare_sources,
        write::{CheckedText, CurrentText, TextChange},
    },
    diag::{DiagnosticReport, SourceFile},
    reply,
    snapshot::Snapshot,
};

impl AdminApi {
    /// Reads a body that is a text.
    pub(super) async fn read_text(
        &self,
        body: Body,
        most: usize,
    ) -> Result<(String, UploadPermit), AdminRefusal> {
        let Upload { bytes, permit } = self.uploads.read(body, most).await?;
        let text = String::from_utf8(bytes.into()).map_err(|error| {
            let message = format!("the body is not UTF-8 from byte {} on", error.utf8_error().valid_up_to());
            AdminRefusal::Plain(StatusCode::BAD_REQUEST, message)
        })?;
        Ok((text, permit))
    }

    /// Checks a configuration, and compares it with the live one.
    pub(super) async fn check(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (text, _permit) = self.read_text(request.into_body(), MAX_CONFIG_BODY_BYTES).await?;
        self.run_write_until_finished(move |admin| {
            let checked = admin.control.check_text(text.clone()).map_err(unfinished)?;
            let CheckedText { live, report, compiled, changes } = checked;
            let mut answer = diff_entry(&compare_sources(live.as_deref(), report.source()));
            let (errors, warnings) = report.count();
            answer.insert("errors".to_owned(), errors.into());
            answer.insert("warnings".to_owned(), warnings.into());
            answer.insert("diagnostics".to_owned(), report.to_json());
            answer.insert("entities".to_owned(), compiled.map(|compiled| counts(&compiled.snapshot)).into());
            answer.insert("changes".to_owned(), changes.into());
            Ok(reply::json(StatusCode::OK, Value::from(answer).to_string()))
        })
        .await
    }

    /// The text of the configuration as it is saved.
    pub(super) fn file(&self) -> Result<Response<Body>, AdminRefusal> {
        let current = self.control.current_text().map_err(unfinished)?;
        let why_not = if self.settings.admin_writes {
            current.why_read_only.clone()
        } else {
            Some("KONG_ADMIN_WRITES is off".to_owned())
        };
        let is_long = |source: &Arc<SourceFile>| source.text.len() > MAX_CONFIG_BODY_BYTES;
        let etag = current.source.as_ref().map(|source| etag(&source.text));
        let text = current.source.as_ref().filter(|source| !is_long(source)).map(|source| &*source.text);
        let answer = json!({
            "path": self.control.file().map(|file| file.display().to_string()),
            "name": current.source.as_ref().map(|source| &*source.name),
            "etag": etag,
            "generation": self.control.live().current().generation,
            "is_live": current.is_live,
            "writable": why_not.is_none(),
            "why_not": why_not,
            "text": text,
        });
        let mut response = reply::json(StatusCode::OK, answer.to_string());
        insert_etag(response.headers_mut(), etag.as_deref());
        Ok(response)
    }

    /// Writes a whole text that has no errors.
    pub(super) async fn put_file(
        self: &Arc<Self>,
        request: Request<Body>,
    ) -> Result<Response<Body>, AdminRefusal> {
        let (head, body) = request.into_parts();
        let dry_run = Query::new(head.uri.query().unwrap_or_default()).dry_run()?;
        let condition = head.headers.get(header::IF_MATCH).cloned();
        let (text, _permit) = self.read_text(body, MAX_CONFIG_BODY_BYTES).await?;
        self.run_write_until_finished(move |admin| {
            if !admin.settings.admin_writes {
                return Err(text_unsupported(None));
            }
            let decide = |current: &CurrentText| {
                check_condition(condition.as_ref(), current)?;
                Ok(TextChange { text: text.clone(), is_preview: dry_run, undoes: None })
            };
            let written = admin.control.write_text(decide);
            let written = written.map_err(|error| refuse_text(error, |refusal: AdminRefusal| refusal))?;
            if !dry_run {
                tracing::info!("the Admin API has written the configuration: {}", written.changes);
            }
            let etag = etag(&written.report.source().text);
            let mut answer = written_entry(&written);
            answer.insert("etag".to_owned(), (&*etag).into());
            let mut response = reply::json(StatusCode::OK, Value::from(answer).to_string());
            insert_etag(response.headers_mut(), Some(&etag).filter(|_| !dry_run).map(String::as_str));
            Ok(response)
        })
        .await
    }
}

/// Checks `If-Match`: the client has to know the text that it replaces.
fn check_condition(condition: Option<&HeaderValue>, current: &CurrentText) -> Result<(), AdminRefusal> {
    let Some(condition) = condition.and_then(|value| value.to_str().ok()) else {
        let message = "name the version that is replaced: If-Match with the etag of GET /mynah/file";
        return Err(AdminRefusal::plain(StatusCode::PRECONDITION_REQUIRED, message));
    };
    let etag = current.source.as_ref().map(|source| etag(&source.text));
    let matches = |tag: &str| tag == "*" || Some(tag) == etag.as_deref();
    if condition.split(',').any(|tag| matches(tag.trim())) {
        return Ok(());
    }
    let message = "the configuration was saved since: read it again";
    Err(AdminRefusal::plain(StatusCode::PRECONDITION_FAILED, message))
}

#[expect(clippy::needless_pass_by_value, reason = "the argument of map_err")]
fn unfinished(report: DiagnosticReport) -> AdminRefusal {
    AdminRefusal::FileUnfinished(report.summary())
}

/// The entity tag of a text.
fn etag(text: &str) -> String {
    format!("\"{}\"", config::hash(text.as_bytes()))
}

fn insert_etag(headers: &mut HeaderMap, etag: Option<&str>) {
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
}

/// The numbers of entities by collection.
fn counts(snapshot: &Snapshot) -> Map<String, Value> {
    let mut counts = Map::new();
    for record in &snapshot.entities.records {
        let count = counts.entry(record.collection()).or_insert(Value::from(0));
        *count = (count.as_u64().unwrap_or_default() + 1).into();
    }
    counts
}
