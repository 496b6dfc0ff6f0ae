//! A small memory: what requests create can be read, changed and removed again, until somebody forgets it.
//!
//! Wherever a document has a collection (`/pets`) and its items (`/pets/{id}`), POST creates, GET lists and reads,
//! PUT and PATCH change, DELETE removes. All other operations answer as they do without a memory.
//!
//! | file | what it is about |
//! |---|---|
//! | `resource` | which paths are a collection and its items, and what an item looks like |
//! | `store` | the items, and how many there may be |
//! | `task` | what a request does with them |

mod resource;
mod store;
mod task;
#[cfg(test)]
mod tests;

pub(super) use task::{StateTask, TaskOutcome};

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;

use self::{resource::StatefulResource, store::ItemStore};
use crate::{
    budget::WorkLimits,
    mock::Mock,
    openapi::{Api, Operation, StatusKey},
};

/// The work for one request. Bodies, items and answers have bounds of their own; the time is for machines that are slow
/// beyond measure.
pub(super) const LIMITS: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: usize::MAX, depth: 256, time: Duration::from_secs(20) };

/// What requests have made.
#[derive(Debug)]
pub(super) struct MockState {
    resources: Vec<StatefulResource>,
    /// By position of the operation.
    entries: HashMap<usize, StatefulOperation>,
    store: Mutex<ItemStore>,
}

/// What one operation does.
#[derive(Debug)]
struct StatefulOperation {
    resource: usize,
    role: OperationRole,
    /// The status of its success.
    success: String,
}

/// What an operation does with a collection or an item of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationRole {
    /// GET of the collection.
    List,
    /// POST to the collection.
    Create,
    /// GET of an item.
    Read,
    /// PUT of an item.
    Replace,
    /// PATCH of an item.
    Change,
    /// DELETE of an item.
    Remove,
}

impl MockState {
    /// Finds the collections of a document, and remembers nothing yet.
    pub(super) fn new(api: &Api) -> Self {
        let mut entries = HashMap::new();
        let resources = resource::find(api);
        for (n, resource) in resources.iter().enumerate() {
            for (role, operation) in &resource.operations {
                let success = success(&api.operations[*operation], *role).to_string();
                entries.insert(*operation, StatefulOperation { resource: n, role: *role, success });
            }
        }
        Self { resources, entries, store: Mutex::default() }
    }

    /// What an operation does with a collection or an item, if it is about one.
    pub(super) fn role(&self, operation: usize) -> Option<OperationRole> {
        self.entries.get(&operation).map(|entry| entry.role)
    }

    /// Whether it is known what the items of an operation look like.
    pub(super) fn is_ready(&self, operation: usize) -> bool {
        let resource = self.entries.get(&operation).and_then(|entry| self.resources.get(entry.resource));
        resource.is_some_and(StatefulResource::is_ready)
    }

    /// What an operation has to do here, if anything.
    pub(super) fn task(&self, mock: &Mock, operation: usize) -> Option<StateTask<'_>> {
        let StatefulOperation { resource, role, success } = self.entries.get(&operation)?;
        let resource = self.resources.get(*resource)?;
        let shape = resource.shape(mock.api());
        // A list that is none is the document's business.
        let is_ours = *role != OperationRole::List || shape.envelope.is_some();
        is_ours.then_some(StateTask { state: self, shape, operation, role: *role, success })
    }

    /// Forgets everything; what the document's examples say is there again.
    pub(super) fn forget(&self) {
        *self.lock() = ItemStore::default();
    }

    /// The items, unless another request holds them and this one is not to wait.
    fn look(&self, waits: bool) -> Option<MutexGuard<'_, ItemStore>> {
        if waits { Some(self.lock()) } else { self.store.try_lock().ok() }
    }

    fn lock(&self) -> MutexGuard<'_, ItemStore> {
        // Nothing that holds this lock can stop half-way.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OperationRole {
    /// Of a method, on the collection or on an item.
    fn of(method: &Method, on_item: bool) -> Option<Self> {
        match (method, on_item) {
            (&Method::GET, false) => Some(Self::List),
            (&Method::POST, false) => Some(Self::Create),
            (&Method::GET, true) => Some(Self::Read),
            (&Method::PUT, true) => Some(Self::Replace),
            (&Method::PATCH, true) => Some(Self::Change),
            (&Method::DELETE, true) => Some(Self::Remove),
            _ => None,
        }
    }

    /// Whether the body of a request matters.
    pub(super) const fn reads_a_body(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::Change)
    }

    /// The status that suits it best.
    const fn usual_status(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::Remove => 204,
            _ => 200,
        }
    }
}

/// The status of success: the usual one if it is declared, else the lowest of the 2xx, else the usual one.
fn success(operation: &Operation, role: OperationRole) -> u16 {
    let usual = role.usual_status();
    let codes = operation.responses.iter().filter_map(|it| match it.status {
        StatusKey::Code(code @ 200..300) => Some(code),
        _ => None,
    });
    let codes: Vec<u16> = codes.collect();
    if codes.contains(&usual) { usual } else { codes.into_iter().min().unwrap_or(usual) }
}
