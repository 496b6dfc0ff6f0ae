//! Bytes of a body in the making, which are charged to a budget as they come.

use bytes::Bytes;

use super::text;
use crate::{
    budget::{Budget, Exhausted},
    document::Value,
};

/// Bytes that are charged to the budget at once.
const CHARGED: usize = 4096;

/// A body in the making.
pub(super) struct Output<'a> {
    out: Vec<u8>,
    /// Bytes that were charged and not written yet.
    room: usize,
    budget: &'a Budget,
}

impl<'a> Output<'a> {
    pub(super) const fn new(budget: &'a Budget) -> Self {
        Self { out: Vec::new(), room: 0, budget }
    }

    /// Charges bytes that are about to be written, and steps for them.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if let Some(missing) = bytes.checked_sub(self.room).filter(|missing| *missing > 0) {
            // The last piece may be smaller than what is charged at once.
            let charged = missing.max(CHARGED.min(self.budget.bytes_left()));
            self.budget.allocate(charged)?;
            self.budget.spend(charged as u64 / 64)?;
            self.room += charged;
        }
        Ok(())
    }

    /// Charges steps that write nothing.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Exhausted> {
        self.budget.spend(steps)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Exhausted> {
        self.reserve(bytes.len())?;
        self.room -= bytes.len();
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Exhausted> {
        self.bytes(text.as_bytes())
    }

    pub(super) fn texts(&mut self, texts: &[&str]) -> Result<(), Exhausted> {
        texts.iter().try_for_each(|text| self.text(text))
    }

    /// Compact JSON.
    pub(super) fn json(&mut self, value: &Value) -> Result<(), Exhausted> {
        let room = self.room.saturating_add(self.budget.bytes_left());
        if !value.fits_json(room) {
            self.reserve(room.saturating_add(1))?;
        }
        self.text(&value.to_json())
    }

    /// Plain text; what is no scalar as JSON.
    pub(super) fn plain(&mut self, value: &Value) -> Result<(), Exhausted> {
        match value {
            Value::Mapping(_) | Value::Sequence(_) => self.json(value),
            Value::String(text) => self.text(text),
            scalar => self.text(&text::plain(scalar)),
        }
    }

    /// What [`Self::plain`] writes, as a text of its own, which is charged too.
    pub(super) fn plain_of(&mut self, value: &Value) -> Result<String, Exhausted> {
        let mut inner = Output::new(self.budget);
        inner.plain(value)?;
        Ok(String::from_utf8(inner.out).unwrap_or_default())
    }

    pub(super) fn finish(self) -> Bytes {
        self.out.into()
    }
}
