//! Where in the sample a value goes: its name, its dice, and the references that led there.

use std::fmt;

use super::dice;
use crate::document::Text;

/// A reference as it is written, and in which document.
pub(super) type Reference = (u32, Text);

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// The same place, seen from inside its schema.
    Here,
    Key(&'a str),
    Index(usize),
}

/// A place in the sample; it lives on the stack of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
    references: &'a [Reference],
    /// The seed of its dice.
    pub(super) seed: u64,
    /// How many collections it stands in.
    pub(super) depth: u32,
    /// Zero, or the number of values here that will not do.
    pub(super) turn: u32,
}

impl<'a> Place<'a> {
    pub(super) const fn root(seed: u64) -> Self {
        Self { parent: None, step: Step::Here, references: &[], seed, depth: 0, turn: 0 }
    }

    /// The same place once these references have been followed.
    pub(super) const fn entered(&'a self, references: &'a [Reference], turn: u32) -> Self {
        Self { parent: Some(self), step: Step::Here, references, turn: self.turn + turn, ..*self }
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        let seed = dice::child(self.seed, key);
        Self {
            parent: Some(self),
            step: Step::Key(key),
            references: &[],
            seed,
            depth: self.depth + 1,
            ..*self
        }
    }

    pub(super) fn index(&'a self, index: usize, turn: u32) -> Self {
        let seed = dice::child(self.seed, &index.to_string());
        let (step, depth, turn) = (Step::Index(index), self.depth + 1, self.turn + turn);
        Self { parent: Some(self), step, references: &[], seed, depth, turn }
    }

    /// How often the way here leads through the reference.
    pub(super) fn visits(&self, reference: &Reference) -> usize {
        let here = usize::from(self.references.contains(reference));
        here + self.parent.map_or(0, |parent| parent.visits(reference))
    }

    /// The key, if this is a member of an object.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self.step {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
            Step::Here => self.parent.and_then(Place::name),
        }
    }

    /// Whether this is the whole sample.
    pub(super) const fn is_root(&self) -> bool {
        self.depth == 0
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Here => Ok(()),
            Step::Key(key) if self.depth == 1 => f.write_str(key),
            Step::Key(key) => write!(f, ".{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}
