//! Size limits of a sample: values, bytes of text, and work.

use super::{
    SampleError,
    search::{Generation, MAX_BYTES, MAX_NODES, MAX_WORK, NestedSource},
};
use crate::document::Value;

impl Generation<'_> {
    /// Whether the sample has reached its limits.
    pub(super) const fn is_full(&self) -> bool {
        self.nodes > 2 * MAX_NODES || self.bytes > MAX_BYTES
    }

    /// Whether optional parts are left out, because the sample is large or the steps run short.
    pub(super) fn is_minimal(&self) -> bool {
        let is_part = matches!(self.nested, NestedSource::Known(_)) && !self.top;
        is_part
            || self.nodes > MAX_NODES
            || self.bytes > MAX_BYTES / 2
            || self.work > MAX_WORK
            || self.effort.is_half_spent()
    }

    /// Charges a value with all its parts to the size of the sample.
    pub(super) fn charge_nested(&mut self, value: &Value) -> Result<(), SampleError> {
        let room = (2 * MAX_NODES).saturating_sub(self.nodes);
        let Some((nodes, bytes)) = measure(value, room, MAX_BYTES) else { return Err(SampleError::TooLarge) };
        self.nodes += nodes;
        self.bytes += bytes;
        if self.effort.spend_each(nodes + bytes / 16, 8) { Ok(()) } else { Err(SampleError::OutOfSteps) }
    }

    /// Charges a value without its parts to the size of the sample.
    pub(super) fn charge_value(&mut self, value: &Value) {
        self.nodes += 1;
        self.bytes += match value {
            Value::String(text) => text.len() + 3,
            Value::Mapping(mapping) => mapping.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 4,
        };
    }
}

/// The number of values in a value, itself included, and the bytes of their text; `None` if they exceed the limits.
fn measure(value: &Value, nodes: usize, bytes: usize) -> Option<(usize, usize)> {
    let (mut values, mut length) = (0_usize, 0_usize);
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        values += 1;
        length += match value {
            Value::String(text) => text.len() + 3,
            Value::Mapping(members) => members.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 4,
        };
        if values + pending.len() > nodes || length > bytes {
            return None;
        }
        match value {
            Value::Sequence(items) => pending.extend(items.iter()),
            Value::Mapping(members) => pending.extend(members.iter().map(|(_, member)| member)),
            _ => (),
        }
    }
    Some((values, length))
}
