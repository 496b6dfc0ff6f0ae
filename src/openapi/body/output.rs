//! Output buffer of a body, which charges a budget for its bytes.

use bytes::Bytes;

use super::text;
use crate::{
    budget::{Budget, Exhausted},
    document::Value,
};

/// Granularity of the charges, in bytes.
const CHARGE_SIZE: usize = 4096;

/// Buffer of a body that is being written.
pub(super) struct Output<'a> {
    out: Vec<u8>,
    /// Bytes that are charged and not yet written.
    reserved: usize,
    budget: &'a Budget,
}

impl<'a> Output<'a> {
    pub(super) const fn new(budget: &'a Budget) -> Self {
        Self { out: Vec::new(), reserved: 0, budget }
    }

    /// Charges the budget for the next `bytes` bytes, and for one step per 64 bytes.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if let Some(missing) = bytes.checked_sub(self.reserved).filter(|missing| *missing > 0) {
            // Close to the bound of the budget, the charge is smaller than `CHARGE_SIZE`.
            let charged = missing.max(CHARGE_SIZE.min(self.budget.bytes_left()));
            self.budget.allocate(charged)?;
            self.budget.spend(charged as u64 / 64)?;
            self.reserved += charged;
        }
        Ok(())
    }

    /// Charges steps that write no bytes.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Exhausted> {
        self.budget.spend(steps)
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), Exhausted> {
        self.reserve(bytes.len())?;
        self.reserved -= bytes.len();
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_text(&mut self, text: &str) -> Result<(), Exhausted> {
        self.write_bytes(text.as_bytes())
    }

    pub(super) fn write_texts(&mut self, texts: &[&str]) -> Result<(), Exhausted> {
        texts.iter().try_for_each(|text| self.write_text(text))
    }

    /// Writes compact JSON.
    pub(super) fn write_json(&mut self, value: &Value) -> Result<(), Exhausted> {
        let capacity = self.reserved.saturating_add(self.budget.bytes_left());
        if !value.fits_json(capacity) {
            self.reserve(capacity.saturating_add(1))?;
        }
        self.write_text(&value.to_json())
    }

    /// Writes a scalar as plain text, every other value as JSON.
    pub(super) fn write_plain(&mut self, value: &Value) -> Result<(), Exhausted> {
        match value {
            Value::Mapping(_) | Value::Sequence(_) => self.write_json(value),
            Value::String(text) => self.write_text(text),
            scalar => self.write_text(&text::plain_text(scalar)),
        }
    }

    /// The text that [`Self::write_plain`] writes, as a string, which is charged too.
    pub(super) fn plain_text(&mut self, value: &Value) -> Result<String, Exhausted> {
        let mut inner = Output::new(self.budget);
        inner.write_plain(value)?;
        Ok(String::from_utf8(inner.out).unwrap_or_default())
    }

    pub(super) fn finish(self) -> Bytes {
        self.out.into()
    }
}
