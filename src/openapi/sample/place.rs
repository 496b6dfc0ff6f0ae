//! Place of a value in the sample: its path, its seed, and the references that were followed to it.

use std::fmt;

use super::seeded_rng;
use crate::document::SharedText;

/// The file of a reference, and its text.
pub(super) type ReferenceKey = (u32, SharedText);

#[derive(Clone, Copy, Debug)]
enum SampleStep<'a> {
    /// The same place, with references that were followed.
    Here,
    Key(&'a str),
    Index(usize),
}

/// A place in the sample, linked to its parents on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct SamplePlace<'a> {
    parent: Option<&'a SamplePlace<'a>>,
    step: SampleStep<'a>,
    references: &'a [ReferenceKey],
    /// The seed of its random numbers.
    pub(super) seed: u64,
    /// The number of collections that it is nested in.
    pub(super) depth: u32,
    /// The number of values that were tried here before.
    pub(super) variant: u32,
}

impl<'a> SamplePlace<'a> {
    pub(super) const fn root(seed: u64) -> Self {
        Self { parent: None, step: SampleStep::Here, references: &[], seed, depth: 0, variant: 0 }
    }

    /// The same place after these references were followed.
    pub(super) const fn entered(&'a self, references: &'a [ReferenceKey], variant: u32) -> Self {
        Self {
            parent: Some(self),
            step: SampleStep::Here,
            references,
            variant: self.variant + variant,
            ..*self
        }
    }

    pub(super) fn key(&'a self, key: &'a str) -> Self {
        let seed = seeded_rng::child_seed(self.seed, key);
        Self {
            parent: Some(self),
            step: SampleStep::Key(key),
            references: &[],
            seed,
            depth: self.depth + 1,
            ..*self
        }
    }

    pub(super) fn index(&'a self, index: usize, variant: u32) -> Self {
        let seed = seeded_rng::child_seed(self.seed, &index.to_string());
        let (step, depth, variant) = (SampleStep::Index(index), self.depth + 1, self.variant + variant);
        Self { parent: Some(self), step, references: &[], seed, depth, variant }
    }

    /// How often the reference was followed on the path to this place.
    pub(super) fn visits(&self, reference: &ReferenceKey) -> usize {
        let here = usize::from(self.references.contains(reference));
        here + self.parent.map_or(0, |parent| parent.visits(reference))
    }

    /// The name, if this is a member of an object.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self.step {
            SampleStep::Key(key) => Some(key),
            SampleStep::Index(_) => None,
            SampleStep::Here => self.parent.and_then(SamplePlace::name),
        }
    }

    /// Whether this is the root of the sample.
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
