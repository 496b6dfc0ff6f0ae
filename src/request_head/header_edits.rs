//! Changes that plugins make to the client's fields on their way upstream.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::field_names::is_look_alike;

/// Changes, in the order in which they were made; a later one to the same name takes the place of earlier ones.
///
/// The client's fields stay where they are. Setting or removing a field also removes those of the client that
/// programs take for it (`X_Tenant` for `X-Tenant`).
#[derive(Debug, Default)]
pub struct HeaderEdits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    name: HeaderName,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Set(HeaderValue),
    Append(HeaderValue),
    Remove,
}

impl HeaderEdits {
    /// Puts a value in place of all that a field has.
    pub(super) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.revert(&name);
        self.0.push(Edit { name, change: Change::Set(value) });
    }

    /// Adds a value to those that a field has.
    pub(super) fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push(Edit { name, change: Change::Append(value) });
    }

    /// Takes a field away.
    pub(super) fn remove(&mut self, name: HeaderName) {
        self.revert(&name);
        self.0.push(Edit { name, change: Change::Remove });
    }

    /// Takes the changes to a field back.
    pub(super) fn revert(&mut self, name: &HeaderName) {
        self.0.retain(|edit| edit.name != *name);
    }

    /// Whether nothing is changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of the client is replaced or removed.
    #[must_use]
    pub fn replaces(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|edit| {
            (edit.name == *name && !matches!(edit.change, Change::Append(_)))
                || is_look_alike(name.as_str(), edit.name.as_str())
        })
    }

    /// The fields that are set or appended.
    pub fn values(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().filter_map(|edit| match &edit.change {
            Change::Set(value) | Change::Append(value) => Some((&edit.name, value)),
            Change::Remove => None,
        })
    }

    /// The names of all fields that are changed.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|edit| &edit.name)
    }

    /// Makes the changes in the client's fields, for logs and mocks: what the client said stays, also under names that
    /// look like those of a change, but what was removed is gone in every spelling.
    pub(super) fn apply(&self, fields: &mut HeaderMap) {
        let removed = |name: &HeaderName| {
            let removals = self.0.iter().filter(|edit| matches!(edit.change, Change::Remove));
            removals.into_iter().any(|edit| is_look_alike(name.as_str(), edit.name.as_str()))
        };
        let look_alikes: Vec<HeaderName> = fields.keys().filter(|name| removed(name)).cloned().collect();
        for name in look_alikes {
            fields.remove(name);
        }
        for Edit { name, change } in &self.0 {
            match change {
                Change::Set(value) => drop(fields.insert(name, value.clone())),
                Change::Append(value) => drop(fields.append(name, value.clone())),
                Change::Remove => drop(fields.remove(name)),
            }
        }
    }
}
