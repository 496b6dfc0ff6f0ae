//! Writes of entities: made in the text, and answered as Kong does. (Kong: Admin API reference.)

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Response, StatusCode};
use serde_json::Value as Json;

use super::{
    AdminApi,
    changes::diff_entry,
    entities::{EntityPath, visible_record},
    input::RequestInput,
    plan::ConfigView,
    record_check::insert_diagnostics,
    refusal::AdminRefusal,
    write_request::{ReadOnlyReason, WriteDecision, WriteRequest},
};
use crate::{
    body::Body,
    control::{
        compare_sources,
        config_source::UNFINISHED_WAIT,
        write::{CompletedWrite, WriteError, WritePlan},
    },
    diag::ENTITY,
    document::{Mapping, NodePath, Value},
    entity::{Entities, EntityRecord, ID},
    file_read, reply,
};

/// Interval at which a write is retried while a file is being written, for up to [`UNFINISHED_WAIT`].
const UNFINISHED_RETRY_INTERVAL: Duration = Duration::from_millis(50);

impl AdminApi {
    /// Makes a write and answers it; a dry run is only tried.
    pub(super) async fn write(
        self: &Arc<Self>,
        path: EntityPath,
        method: Method,
        input: RequestInput,
        dry_run: bool,
    ) -> Result<Response<Body>, AdminRefusal> {
        self.run_write_until_finished(move |admin| {
            let request = admin.write_request(path.clone(), method.clone(), input.clone());
            if dry_run { admin.preview_once(&request) } else { admin.write_once(&request) }
        })
        .await
    }

    /// Runs a write, and again while a file is being written, for up to [`UNFINISHED_WAIT`].
    pub(super) async fn run_write_until_finished(
        self: &Arc<Self>,
        attempt: impl Fn(&Self) -> Result<Response<Body>, AdminRefusal> + Send + Sync + 'static,
    ) -> Result<Response<Body>, AdminRefusal> {
        let attempt = Arc::new(attempt);
        let deadline = Instant::now() + UNFINISHED_WAIT;
        loop {
            let attempt = attempt.clone();
            match self.run_write(move |admin| attempt(admin)).await? {
                // Other writes run in between.
                Err(AdminRefusal::FileUnfinished(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(UNFINISHED_RETRY_INTERVAL).await;
                }
                result => return result,
            }
        }
    }

    /// Why writes are not possible, if that is known before one is made.
    pub(super) fn read_only_reason(&self) -> Option<ReadOnlyReason> {
        if !self.settings.admin_writes {
            return Some(ReadOnlyReason(None));
        }
        self.control.why_read_only().map(|why| ReadOnlyReason(Some(why)))
    }

    /// Why the configuration cannot be written, in words.
    pub fn why_read_only(&self) -> Option<String> {
        if !self.settings.admin_writes {
            return Some("KONG_ADMIN_WRITES is off".to_owned());
        }
        self.control.why_read_only()
    }

    fn write_request(&self, path: EntityPath, method: Method, input: RequestInput) -> WriteRequest {
        let (plugins, checker) = (self.plugins(), self.control.checker());
        WriteRequest { path, method, input, plugins, checker, read_only: self.read_only_reason() }
    }

    fn write_once(&self, request: &WriteRequest) -> Result<Response<Body>, AdminRefusal> {
        let created = request.method == Method::POST;
        if request.read_only.is_some() {
            return self.refuse_write(request).map(|()| reply::empty(StatusCode::NO_CONTENT));
        }
        let creates_parent = Cell::new(false);
        let result = self.control.write(|entities, document| {
            let current = ConfigView { entities, document, plugins: &request.plugins };
            match request.decide(&current)? {
                WriteDecision::Plan(plan) => Ok(*plan),
                WriteDecision::Parent(plan) => {
                    creates_parent.set(true);
                    Ok(*plan)
                }
                WriteDecision::Done => Ok(WritePlan::default()),
            }
        });
        let written = result.map_err(|error| request.refusal(error))?;
        if creates_parent.get() {
            self.link_parent(request, &written)?;
        }
        let CompletedWrite { snapshot, record } = written;
        tracing::info!("the Admin API made a write: {} {}", request.method, request.path.entity().collection);
        let Some(record) = record else { return Ok(reply::empty(StatusCode::NO_CONTENT)) };
        let entity = request.path.entity();
        let record = EntityRecord { entity, value: record, at: NodePath::root() };
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(reply::json(status, visible_record(&record, &snapshot.entities).to_json()))
    }

    /// Refuses a write where writes are not possible. As in Kong, errors in the request are reported first.
    fn refuse_write(&self, request: &WriteRequest) -> Result<(), AdminRefusal> {
        let snapshot = self.control.live().current();
        let document = Value::Null;
        let current =
            ConfigView { entities: &snapshot.entities, document: &document, plugins: &request.plugins };
        match request.decide(&current)? {
            WriteDecision::Done => Ok(()),
            WriteDecision::Plan(_) | WriteDecision::Parent(_) => {
                Err(request.refusal(WriteError::ReadOnly("writes are disabled".to_owned())))
            }
        }
    }

    /// Tries a write, and answers with what it would change.
    fn preview_once(&self, request: &WriteRequest) -> Result<Response<Body>, AdminRefusal> {
        if request.read_only.is_some() {
            self.refuse_write(request)?;
        }
        let (creates_parent, parent) = (Cell::new(false), RefCell::new(None));
        let result = self.control.preview(|step| {
            let current =
                ConfigView { entities: step.entities, document: step.document, plugins: &request.plugins };
            let decided = match step.number {
                0 => request.decide(&current)?,
                1 if creates_parent.get() => {
                    *parent.borrow_mut() = step.record.cloned();
                    match self.link_request(request, step.record) {
                        Some(link) => link.decide(&current)?,
                        None => WriteDecision::Done,
                    }
                }
                _ => WriteDecision::Done,
            };
            Ok(match decided {
                WriteDecision::Plan(plan) => Some(*plan),
                WriteDecision::Parent(plan) => {
                    creates_parent.set(true);
                    Some(*plan)
                }
                WriteDecision::Done => None,
            })
        });
        let preview = result.map_err(|error| request.refusal(error))?;
        let live = self.control.live().current();
        let entities =
            preview.compiled.as_ref().map_or(&live.entities, |compiled| &compiled.snapshot.entities);
        let record = parent.into_inner().or(preview.record);
        let entity = request.path.entity();
        let visible = |value| visible_record(&EntityRecord { entity, value, at: NodePath::root() }, entities);
        let mut answer = diff_entry(&compare_sources(Some(&preview.old), preview.report.source()));
        answer.insert("entity".to_owned(), record.map(|value| Json::from(&visible(value))).into());
        answer.insert("diagnostics".to_owned(), preview.report.to_json());
        Ok(reply::json(StatusCode::OK, Json::from(answer).to_string()))
    }

    /// The second write of a request that creates a parent: it makes the new entity the parent of the one in the path.
    fn link_request(&self, request: &WriteRequest, record: Option<&Value>) -> Option<WriteRequest> {
        let EntityPath::Parent(child, field, _) = &request.path else { return None };
        let id = record.and_then(|record| record.get(ID.name)).cloned().unwrap_or_default();
        let reference: Mapping = [(ID.name, id)].into_iter().collect();
        let given: Mapping = [(field.name, Value::from(reference))].into_iter().collect();
        Some(WriteRequest {
            path: EntityPath::Entity(child.clone()),
            method: Method::PATCH,
            input: RequestInput::Json(given),
            plugins: self.plugins(),
            checker: self.control.checker(),
            read_only: None,
        })
    }

    /// Makes the new entity the parent of the one in the path.
    fn link_parent(&self, request: &WriteRequest, written: &CompletedWrite) -> Result<(), AdminRefusal> {
        let Some(link) = self.link_request(request, written.record.as_ref()) else { return Ok(()) };
        let decide = |entities: &Entities, document: &Value| {
            let current = ConfigView { entities, document, plugins: &link.plugins };
            match link.decide(&current)? {
                WriteDecision::Plan(plan) | WriteDecision::Parent(plan) => Ok(*plan),
                WriteDecision::Done => Ok(WritePlan::default()),
            }
        };
        // The parent is already written, so the request is not retried as a whole.
        let deadline = Instant::now() + UNFINISHED_WAIT;
        loop {
            match self.control.write(decide) {
                Err(WriteError::Unfinished(_)) if Instant::now() < deadline => {
                    file_read::block_thread(UNFINISHED_RETRY_INTERVAL);
                }
                result => return result.map(drop).map_err(|error| link.refusal(error)),
            }
        }
    }
}

impl WriteRequest {
    /// The refusal for a failed write.
    fn refusal(&self, error: WriteError<AdminRefusal>) -> AdminRefusal {
        let verb = match self.method {
            Method::POST => "create",
            Method::PATCH => "update",
            Method::DELETE => "remove",
            _ => "create or update",
        };
        match error {
            WriteError::Refused(refusal) => refusal,
            WriteError::ReadOnly(why) => {
                let key = match &self.path {
                    EntityPath::Entity(key) => Some(key),
                    _ => None,
                };
                AdminRefusal::WritesUnsupported {
                    message: self.unsupported_message(verb, key),
                    why: Some(why),
                }
            }
            WriteError::Unsaved(why) => {
                tracing::error!("{why}");
                AdminRefusal::Plain(StatusCode::INTERNAL_SERVER_ERROR, why)
            }
            WriteError::Conflict(why) => AdminRefusal::Plain(StatusCode::CONFLICT, why),
            WriteError::Unfinished(why) => AdminRefusal::FileUnfinished(why),
            WriteError::Invalid(report, at) => {
                let at = at.unwrap_or_default();
                let (here, elsewhere): (Vec<_>, Vec<_>) = report
                    .diagnostics()
                    .iter()
                    .filter(|diagnostic| diagnostic.is_error())
                    .cloned()
                    .partition(|diagnostic| {
                        !at.steps().is_empty() && diagnostic.path.steps().starts_with(at.steps())
                    });
                let mut fields = Mapping::default();
                insert_diagnostics(&mut fields, &here, &at);
                if let Some(other) = elsewhere.first().filter(|_| fields.is_empty()) {
                    let text = format!("{}: {}", other.path, other.message);
                    fields.insert(ENTITY, vec![Value::from(text)]);
                }
                AdminRefusal::Schema(fields)
            }
        }
    }
}
