//! Changes of plugins to the fields of a request.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::field_names::is_look_alike;

/// Changes in the order in which they were made; a later change of a name replaces earlier ones.
///
/// The client's fields are not modified. Setting or removing a field also removes its look-alikes among those of the
/// client (`X_Tenant` for `X-Tenant`).
#[derive(Debug, Default)]
pub struct HeaderEdits(Vec<HeaderEdit>);

#[derive(Debug)]
struct HeaderEdit {
    name: HeaderName,
    operation: EditOperation,
}

#[derive(Debug)]
enum EditOperation {
    Set(HeaderValue),
    Append(HeaderValue),
    Remove,
}

impl HeaderEdits {
    /// Replaces all values of a field.
    pub(super) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.revert(&name);
        self.0.push(HeaderEdit { name, operation: EditOperation::Set(value) });
    }

    /// Adds a value to a field.
    pub(super) fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push(HeaderEdit { name, operation: EditOperation::Append(value) });
    }

    /// Removes a field.
    pub(super) fn remove(&mut self, name: HeaderName) {
        self.revert(&name);
        self.0.push(HeaderEdit { name, operation: EditOperation::Remove });
    }

    /// Discards the changes of a field.
    pub(super) fn revert(&mut self, name: &HeaderName) {
        self.0.retain(|edit| edit.name != *name);
    }

    /// Whether there are no changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of the client is replaced or removed.
    #[must_use]
    pub fn replaces(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|edit| {
            (edit.name == *name && !matches!(edit.operation, EditOperation::Append(_)))
                || is_look_alike(name.as_str(), edit.name.as_str())
        })
    }

    /// The fields that are set or appended.
    pub fn values(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().filter_map(|edit| match &edit.operation {
            EditOperation::Set(value) | EditOperation::Append(value) => Some((&edit.name, value)),
            EditOperation::Remove => None,
        })
    }

    /// The names of all fields that are changed.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|edit| &edit.name)
    }

    /// Applies the changes to the client's fields, for logs and mocks: look-alikes of fields that were set stay, but
    /// look-alikes of removed fields are removed, too.
    pub(super) fn apply(&self, fields: &mut HeaderMap) {
        let removed = |name: &HeaderName| {
            let removals = self.0.iter().filter(|edit| matches!(edit.operation, EditOperation::Remove));
            removals.into_iter().any(|edit| is_look_alike(name.as_str(), edit.name.as_str()))
        };
        let look_alikes: Vec<HeaderName> = fields.keys().filter(|name| removed(name)).cloned().collect();
        for name in look_alikes {
            fields.remove(name);
        }
        for HeaderEdit { name, operation } in &self.0 {
            match operation {
                EditOperation::Set(value) => drop(fields.insert(name, value.clone())),
                EditOperation::Append(value) => drop(fields.append(name, value.clone())),
                EditOperation::Remove => drop(fields.remove(name)),
            }
        }
    }
}
