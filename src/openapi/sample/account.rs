//! What a sample in the making takes: values and bytes of text, and when that is enough.

use super::{
    SampleError,
    search::{BYTES, Generation, NODES, Nested, WORK},
};
use crate::document::Value;

impl Generation<'_> {
    /// Whether the sample has no room for another value.
    pub(super) const fn is_full(&self) -> bool {
        self.nodes > 2 * NODES || self.bytes > BYTES
    }

    /// Whether only what has to be there is still wanted.
    pub(super) fn is_lean(&self) -> bool {
        let is_part = matches!(self.nested, Nested::Known(_)) && !self.top;
        is_part || self.nodes > NODES || self.bytes > BYTES / 2 || self.work > WORK || self.effort.is_short()
    }

    /// Takes a value with all that is in it to the account of the sample.
    pub(super) fn weigh(&mut self, value: &Value) -> Result<(), SampleError> {
        let room = (2 * NODES).saturating_sub(self.nodes);
        let Some((nodes, bytes)) = weight(value, room, BYTES) else { return Err(SampleError::Cut) };
        self.nodes += nodes;
        self.bytes += bytes;
        if self.effort.spend_each(nodes + bytes / 16, 8) { Ok(()) } else { Err(SampleError::Spent) }
    }

    /// Takes a value without what is in it to the account of the sample.
    pub(super) fn count(&mut self, value: &Value) {
        self.nodes += 1;
        self.bytes += match value {
            Value::String(text) => text.len() + 3,
            Value::Mapping(mapping) => mapping.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 4,
        };
    }
}

/// How many values a value holds, and how many bytes of text; none if that is more than these.
fn weight(value: &Value, nodes: usize, bytes: usize) -> Option<(usize, usize)> {
    let (mut seen, mut text) = (0_usize, 0_usize);
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        seen += 1;
        text += match value {
            Value::String(it) => it.len() + 3,
            Value::Mapping(it) => it.iter().map(|(key, _)| key.len() + 4).sum(),
            _ => 4,
        };
        if seen + open.len() > nodes || text > bytes {
            return None;
        }
        match value {
            Value::Sequence(items) => open.extend(items.iter()),
            Value::Mapping(members) => open.extend(members.iter().map(|(_, it)| it)),
            _ => (),
        }
    }
    Some((seen, text))
}
