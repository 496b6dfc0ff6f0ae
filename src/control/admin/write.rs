//! Writes of entities: made in the text, and answered as Kong does. (Kong: Admin API reference.)

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Response, StatusCode};

use super::{
    AdminApi,
    entities::{EntityPath, shown},
    input::RequestInput,
    plan::ConfigView,
    record_check::complain,
    refusal::AdminRefusal,
    write_request::{ReadOnlyReason, WriteDecision, WriteRequest},
};
use crate::{
    body::Body,
    control::write::{CompletedWrite, WriteError, WritePlan},
    document::{Mapping, NodePath, Value},
    entity::{Entities, EntityRecord},
    file_read, reply,
};

/// A write waits so long for a file that is being written, and so long between two looks at it.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
pub(super) const PAUSE: Duration = Duration::from_millis(50);

impl AdminApi {
    /// Makes a write, and answers with what came of it.
    pub(super) async fn write(
        self: &Arc<Self>,
        resource: EntityPath,
        method: Method,
        input: RequestInput,
    ) -> Result<Response<Body>, AdminRefusal> {
        let asked = Arc::new((resource, method, input));
        let end = Instant::now() + PATIENCE;
        loop {
            let asked = asked.clone();
            let make = move |admin: &Self| {
                let (resource, method, input) = &*asked;
                admin.make(resource.clone(), method.clone(), input.clone())
            };
            match self.in_turn(make).await? {
                // Others have their turn meanwhile.
                Err(AdminRefusal::Unfinished(_)) if Instant::now() < end => tokio::time::sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    fn make(
        &self,
        resource: EntityPath,
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
        let wish = WriteRequest { resource, method, input, plugins, checker, read_only };
        if wish.read_only.is_some() {
            return self.decline(&wish);
        }
        let decided = Cell::new(false);
        let result = self.control.write(|entities, document| {
            let current = ConfigView { entities, document, plugins: &wish.plugins };
            match wish.decide(&current)? {
                WriteDecision::Plan(plan) => Ok(*plan),
                WriteDecision::Parent(plan) => {
                    decided.set(true);
                    Ok(*plan)
                }
                WriteDecision::Done => Ok(WritePlan::default()),
            }
        });
        let written = result.map_err(|error| wish.refusal(error))?;
        if decided.get() {
            self.link(&wish, &written)?;
        }
        let CompletedWrite { snapshot, record } = written;
        tracing::info!("the Admin API made a write: {} {}", wish.method, wish.resource.entity().collection);
        let Some(record) = record else { return Ok(reply::empty(StatusCode::NO_CONTENT)) };
        let entity = wish.resource.entity();
        let record = EntityRecord { entity, value: record, at: NodePath::root() };
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        Ok(reply::json(status, shown(&record, &snapshot.entities).to_json()))
    }

    /// Answers a write where none are made: what is wrong with it is told first, as at Kong.
    fn decline(&self, wish: &WriteRequest) -> Result<Response<Body>, AdminRefusal> {
        let snapshot = self.control.live().current();
        let document = Value::Null;
        let current =
            ConfigView { entities: &snapshot.entities, document: &document, plugins: &wish.plugins };
        match wish.decide(&current)? {
            WriteDecision::Done => Ok(reply::empty(StatusCode::NO_CONTENT)),
            WriteDecision::Plan(_) | WriteDecision::Parent(_) => {
                Err(wish.refusal(WriteError::ReadOnly("no writes are made".to_owned())))
            }
        }
    }

    /// Makes the entity that was written the parent of the one in the path.
    fn link(&self, wish: &WriteRequest, written: &CompletedWrite) -> Result<(), AdminRefusal> {
        let EntityPath::Parent(child, field, _) = &wish.resource else { return Ok(()) };
        let id = written.record.as_ref().and_then(|it| it.get("id")).cloned().unwrap_or_default();
        let reference: Mapping = [("id", id)].into_iter().collect();
        let given: Mapping = [(*field, Value::from(reference))].into_iter().collect();
        let link = WriteRequest {
            resource: EntityPath::One(child.clone()),
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
        // The first half is made: it cannot begin again.
        let end = Instant::now() + PATIENCE;
        loop {
            match self.control.write(decide) {
                Err(WriteError::Unfinished(_)) if Instant::now() < end => file_read::wait(PAUSE),
                result => return result.map(drop).map_err(|error| link.refusal(error)),
            }
        }
    }
}

impl WriteRequest {
    /// What a write that was not made is answered with.
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
                let key = match &self.resource {
                    EntityPath::One(key) => Some(key),
                    _ => None,
                };
                AdminRefusal::Unsupported { message: self.unsupported(verb, key), why: Some(why) }
            }
            WriteError::Unsaved(why) => {
                tracing::error!("{why}");
                AdminRefusal::Plain(StatusCode::INTERNAL_SERVER_ERROR, why)
            }
            WriteError::Conflict(why) => AdminRefusal::Plain(StatusCode::CONFLICT, why),
            WriteError::Unfinished(why) => AdminRefusal::Unfinished(why),
            WriteError::Invalid(report, at) => {
                let at = at.unwrap_or_default();
                let (here, elsewhere): (Vec<_>, Vec<_>) = report
                    .diagnostics()
                    .iter()
                    .filter(|it| it.is_error())
                    .cloned()
                    .partition(|it| !at.steps().is_empty() && it.path.steps().starts_with(at.steps()));
                let mut fields = Mapping::default();
                complain(&mut fields, &here, &at);
                if let Some(other) = elsewhere.first().filter(|_| fields.is_empty()) {
                    let text = format!("{}: {}", other.path, other.message);
                    fields.insert("@entity", vec![Value::from(text)]);
                }
                AdminRefusal::Schema(fields)
            }
        }
    }
}
