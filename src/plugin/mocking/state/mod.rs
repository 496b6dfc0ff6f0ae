//! State of a mock: items that requests create can be read, changed and removed, until the state is reset.
//!
//! If a document has a collection (`/pets`) and its items (`/pets/{id}`), POST creates, GET lists and reads, PUT and PATCH
//! change, DELETE removes. Other operations answer as without state.
//!
//! | file | contents |
//! |---|---|
//! | `resource` | collections of a document and the shape of their items |
//! | `store` | the items and their bounds |
//! | `task` | the effect of a request on them |

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

/// Work for one request in the pool. Bodies, items and answers have bounds of their own, so that only the time is bounded
/// here, generously.
pub(super) const LIMITS: WorkLimits =
    WorkLimits { steps: u64::MAX, bytes: usize::MAX, depth: 256, time: Duration::from_secs(20) };

/// The collections of a document and their items.
#[derive(Debug)]
pub(super) struct MockState {
    resources: Vec<StatefulResource>,
    /// By the position of the operation.
    entries: HashMap<usize, StatefulOperation>,
    store: Mutex<ItemStore>,
}

/// The role of an operation.
#[derive(Debug)]
struct StatefulOperation {
    resource: usize,
    role: OperationRole,
    /// The status of a success.
    success: String,
}

/// The effect of an operation on a collection or an item.
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
    /// Finds the collections of a document; they have the items of its examples.
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

    /// The role of an operation; none if it is not about a collection.
    pub(super) fn role(&self, operation: usize) -> Option<OperationRole> {
        self.entries.get(&operation).map(|entry| entry.role)
    }

    /// Whether the shape of the items has been determined.
    pub(super) fn is_ready(&self, operation: usize) -> bool {
        let resource = self.entries.get(&operation).and_then(|entry| self.resources.get(entry.resource));
        resource.is_some_and(StatefulResource::is_ready)
    }

    /// The task of an operation; none if the state does not answer it.
    pub(super) fn task(&self, mock: &Mock, operation: usize) -> Option<StateTask<'_>> {
        let StatefulOperation { resource, role, success } = self.entries.get(&operation)?;
        let resource = self.resources.get(*resource)?;
        let shape = resource.shape(mock.api());
        // The document answers if its list is not one that items can be put into.
        let is_stateful = *role != OperationRole::List || shape.envelope.is_some();
        is_stateful.then_some(StateTask { state: self, shape, operation, role: *role, success })
    }

    /// Resets the collections to the items of the document's examples.
    pub(super) fn forget(&self) {
        *self.lock() = ItemStore::default();
    }

    /// The items; none if another request holds the lock and this one may not wait.
    fn lock_store(&self, waits: bool) -> Option<MutexGuard<'_, ItemStore>> {
        if waits { Some(self.lock()) } else { self.store.try_lock().ok() }
    }

    fn lock(&self) -> MutexGuard<'_, ItemStore> {
        // No code that holds this lock can panic half-way.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OperationRole {
    /// The role of a method on the collection or on an item.
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

    /// Whether the body of the request is needed.
    pub(super) const fn needs_body(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::Change)
    }

    /// The status of a success, if the document declares it.
    const fn usual_status(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::Remove => 204,
            _ => 200,
        }
    }
}

/// The status of a success: the usual one if declared, else the lowest declared 2xx, else the usual one.
fn success(operation: &Operation, role: OperationRole) -> u16 {
    let usual = role.usual_status();
    let codes = operation.responses.iter().filter_map(|response| match response.status {
        StatusKey::Code(code @ 200..300) => Some(code),
        _ => None,
    });
    let codes: Vec<u16> = codes.collect();
    if codes.contains(&usual) { usual } else { codes.into_iter().min().unwrap_or(usual) }
}
