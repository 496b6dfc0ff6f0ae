//! Where in the sample a value goes: its name, its dice, and the references that led there.

use std::fmt;

use super::seeded_rng;
use crate::document::SharedText;

/// A reference as it is written, and in which document.
pub(super) type ReferenceKey = (u32, SharedText);

#[derive(Clone, Copy, Debug)]
enum SampleStep<'a> {
    /// The same place, seen from inside its schema.
    Here,
    Key(&'a str),
    Index(usize),
}

/// A place in the sample; it lives on the stack of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct SamplePlace<'a> {
    parent: Option<&'a SamplePlace<'a>>,
    step: SampleStep<'a>,
    references: &'a [ReferenceKey],
    /// The seed of its dice.
    pub(super) seed: u64,
    /// How many collections it stands in.
    pub(super) depth: u32,
    /// Zero, or the number of values here that will not do.
    pub(super) turn: u32,
}

impl<'a> SamplePlace<'a> {
    pub(super) const fn root(seed: u64) -> Self {
        Self { parent: None, step: SampleStep::Here, references: &[], seed, depth: 0, turn: 0 }
    }

    /// The same place once these references have been followed.
    pub(super) const fn entered(&'a self, references: &'a [ReferenceKey], turn: u32) -> Self {
        Self { parent: Some(self), step: SampleStep::Here, references, turn: self.turn + turn, ..*self }
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        let seed = seeded_rng::child(self.seed, key);
        Self {
            parent: Some(self),
            step: SampleStep::Key(key),
            references: &[],
            seed,
            depth: self.depth + 1,
            ..*self
        }
    }

    pub(super) fn index(&'a self, index: usize, turn: u32) -> Self {
        let seed = seeded_rng::child(self.seed, &index.to_string());
        let (step, depth, turn) = (SampleStep::Index(index), self.depth + 1, self.turn + turn);
        Self { parent: Some(self), step, references: &[], seed, depth, turn }
    }

    /// How often the way here leads through the reference.
    pub(super) fn visits(&self, reference: &ReferenceKey) -> usize {
        let here = usize::from(self.references.contains(reference));
        here + self.parent.map_or(0, |parent| parent.visits(reference))
    }

    /// The key, if this is a member of an object.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self.step {
            SampleStep::Key(key) => Some(key),
            SampleStep::Index(_) => None,
            SampleStep::Here => self.parent.and_then(SamplePlace::name),
        }
    }

    /// Whether this is the whole sample.
    pub(super) const fn is_root(&self) -> bool {
        self.depth == 0
    }
}

impl fmt::Display for SamplePlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            SampleStep::Here => Ok(()),
            SampleStep::Key(key) if self.depth == 1 => f.write_str(key),
            SampleStep::Key(key) => write!(f, ".{key}"),
            SampleStep::Index(index) => write!(f, "[{index}]"),
        }
    }
}
