//! State of a request that its phases share, and the bounds of what snippets leave in it.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use mlua::{Error, Lua, Result, Table};

use crate::plugin::{EntryEdits, Exchange, HttpResponse};

/// Bytes of header fields and log values that snippets may set in one request.
const MAX_KEPT: usize = 1 << 20;

/// Bytes that a field or a log value takes beside its name and value.
const KEPT_BYTES: usize = 64;

/// State of a request that its phases share: the tables of `kong.ctx`, and changes of a response that is not made yet.
#[derive(Clone, Default)]
pub(super) struct RequestState(Arc<Mutex<RequestStateInner>>, EntryEdits);

#[derive(Default)]
struct RequestStateInner {
    /// The interpreter that holds the tables, and which one it is of those that stood in this place.
    interpreter: Option<(usize, u64)>,
    /// Bytes of header fields and log values that snippets have set.
    kept: usize,
    shared: Option<Table>,
    per_plugin: Vec<(u64, Table)>,
    /// Changes of fields of the response, made before there is one.
    response_fields: Vec<ResponseField>,
}

/// A change of a field of the response.
#[derive(Clone)]
pub(super) enum ResponseField {
    Set(HeaderName, HeaderValue),
    Append(HeaderName, HeaderValue),
    Remove(HeaderName),
}

impl ResponseField {
    /// The bytes that it adds.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Set(name, value) | Self::Append(name, value) => name.as_str().len() + value.len(),
            Self::Remove(_) => 0,
        }
    }

    pub(super) fn apply(self, fields: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => drop(fields.insert(name, value)),
            // No request has as many fields as a map can hold: `keep` bounds them.
            Self::Append(name, value) => drop(fields.try_append(name, value)),
            Self::Remove(name) => drop(fields.remove(name)),
        }
    }
}

impl RequestState {
    /// The state of a request; made at its first call.
    pub(super) fn of(exchange: &mut Exchange) -> Self {
        if let Some(state) = exchange.kept.get::<Self>() {
            return state.clone();
        }
        let state = Self::default();
        exchange.kept.insert(state.clone());
        exchange.kept.insert(state.1.clone());
        state
    }

    /// The changes of the request's log entry.
    pub(super) const fn entry_edits(&self) -> &EntryEdits {
        &self.1
    }

    fn with<T>(&self, read: impl FnOnce(&mut RequestStateInner) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The interpreter of the request, once one is chosen.
    pub(super) fn interpreter(&self) -> Option<(usize, u64)> {
        self.with(|state| state.interpreter)
    }

    pub(super) fn set_interpreter(&self, place: usize, number: u64) {
        self.with(|state| state.interpreter = Some((place, number)));
    }

    /// Counts a header field or a log value that a snippet sets.
    ///
    /// # Errors
    /// The request has too many of them.
    pub(super) fn keep(&self, bytes: usize) -> Result<()> {
        let kept = self.with(|state| {
            state.kept = state.kept.saturating_add(bytes).saturating_add(KEPT_BYTES);
            state.kept
        });
        if kept > MAX_KEPT {
            return Err(Error::runtime("snippets have set more than 1 MiB of header fields and log values"));
        }
        Ok(())
    }

    /// `kong.ctx.shared`.
    pub(super) fn shared(&self, lua: &Lua) -> Result<Table> {
        let known = self.with(|state| state.shared.clone());
        known.map_or_else(
            || {
                let table = lua.create_table()?;
                self.with(|state| state.shared = Some(table.clone()));
                Ok(table)
            },
            Ok,
        )
    }

    /// `kong.ctx.plugin`, of the plugin with this number.
    pub(super) fn of_plugin(&self, plugin: u64, lua: &Lua) -> Result<Table> {
        let known = self.with(|state| {
            state.per_plugin.iter().find(|(number, _)| *number == plugin).map(|(_, table)| table.clone())
        });
        known.map_or_else(
            || {
                let table = lua.create_table()?;
                self.with(|state| state.per_plugin.push((plugin, table.clone())));
                Ok(table)
            },
            Ok,
        )
    }

    /// Notes a change of a response that is not made yet.
    pub(super) fn change_response(&self, change: ResponseField) {
        self.with(|state| state.response_fields.push(change));
    }

    /// Makes the changes that were noted.
    pub(super) fn apply_to(&self, response: &mut HttpResponse) {
        let changes = self.with(|state| std::mem::take(&mut state.response_fields));
        for change in changes {
            change.apply(response.headers_mut());
        }
    }
}
