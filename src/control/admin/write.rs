//! Writes of entities: made in the text, and answered as Kong does. (Kong: Admin API reference.)

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Response, StatusCode};

use super::{
    AdminApi,
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
        config_source::UNFINISHED_WAIT,
        write::{CompletedWrite, WriteError, WritePlan},
    },
    diag::ENTITY,
    document::{Mapping, NodePath, Value},
    entity::{Entities, EntityRecord, ID},
    file_read, reply,
};

/// Interval at which a write is retried while a file is being written, for up to [`UNFINISHED_WAIT`].
pub(super) const UNFINISHED_RETRY_INTERVAL: Duration = Duration::from_millis(50);

impl AdminApi {
    /// Makes a write and answers it.
    pub(super) async fn write(
        self: &Arc<Self>,
        path: EntityPath,
        method: Method,
        input: RequestInput,
    ) -> Result<Response<Body>, AdminRefusal> {
        let parts = Arc::new((path, method, input));
        let deadline = Instant::now() + UNFINISHED_WAIT;
        loop {
            let parts = parts.clone();
            let attempt = move |admin: &Self| {
                let (path, method, input) = &*parts;
                admin.write_once(path.clone(), method.clone(), input.clone())
            };
            match self.run_write(attempt).await? {
                // Other writes run in between.
                Err(AdminRefusal::FileUnfinished(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(UNFINISHED_RETRY_INTERVAL).await;
                }
                result => return result,
            }
        }
    }

    fn write_once(
        &self,
        path: EntityPath,
        method: Method,
        input: RequestInput,
    ) -> Result<Response<Body>, AdminRefusal> {
        let created = method == Method::POST;
        let read_only = if self.settings.admin_writes {
            self.control.why_read_only().map(|why| ReadOnlyReason(Some(why)))
        } else {
            Some(ReadOnlyReason(None))
        };
        let (plugins, checker) = (self.plugins(), self.control.checker());
        let request = WriteRequest { path, method, input, plugins, checker, read_only };
        if request.read_only.is_some() {
            return self.refuse_write(&request);
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
            self.link_parent(&request, &written)?;
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
    fn refuse_write(&self, request: &WriteRequest) -> Result<Response<Body>, AdminRefusal> {
        let snapshot = self.control.live().current();
        let document = Value::Null;
        let current =
            ConfigView { entities: &snapshot.entities, document: &document, plugins: &request.plugins };
        match request.decide(&current)? {
            WriteDecision::Done => Ok(reply::empty(StatusCode::NO_CONTENT)),
            WriteDecision::Plan(_) | WriteDecision::Parent(_) => {
                Err(request.refusal(WriteError::ReadOnly("writes are disabled".to_owned())))
            }
        }
    }

    /// Makes the new entity the parent of the one in the path.
    fn link_parent(&self, request: &WriteRequest, written: &CompletedWrite) -> Result<(), AdminRefusal> {
        let EntityPath::Parent(child, field, _) = &request.path else { return Ok(()) };
        let id = written.record.as_ref().and_then(|record| record.get(ID.name)).cloned().unwrap_or_default();
        let reference: Mapping = [(ID.name, id)].into_iter().collect();
        let given: Mapping = [(field.name, Value::from(reference))].into_iter().collect();
        let link = WriteRequest {
            path: EntityPath::Entity(child.clone()),
            method: Method::PATCH,
            input: RequestInput::Json(given),
            plugins: self.plugins(),
            checker: self.control.checker(),
            read_only: None,
        };
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
