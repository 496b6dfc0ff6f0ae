//! Samples: from a schema to a value that is valid by it.
//!
//! A schema is taken apart into [`layers`], the flat list of all schemas that apply at one place, and choices that
//! are still open. The [`search`] goes through the choices, asks for a value ([`object`], [`array`], [`scalar`]) and
//! puts every one to the schema it is for ([`valid`]). All dice are thrown by place, so the same document always
//! gives the same sample.

mod account;
mod array;
mod decimal;
mod ecma;
mod effort;
mod equality;
mod evaluated;
mod explain;
mod fits;
mod format;
mod hint;
mod infer;
#[cfg(test)]
mod laws;
mod layers;
mod negate;
mod number;
mod object;
mod pattern;
mod place;
#[cfg(test)]
mod recursion;
mod rules;
mod scalar;
mod search;
mod seeded_rng;
mod smallest;
#[cfg(test)]
mod tests;
mod valid;
mod written;

use effort::Effort;
pub use explain::KeywordFault;
pub(in crate::openapi) use layers::last_segment;
use pattern::PatternCache;
use place::SamplePlace;
use search::{Generation, Nested};
use smallest::Smallest;
use valid::SchemaEvaluator;

use std::cell::Cell;

use super::{DocumentLibrary, DocumentNode};
use crate::{
    budget::{Budget, Stack},
    document::{Mapping, Value},
};

/// Steps of one search for a sample. A step is about a microsecond.
const SEARCH: u64 = 400_000;
/// Steps of the search for a small value where the other one found none in time.
const FALLBACK: u64 = 100_000;
/// Steps of one search for the value of a header field.
const FIELD: u64 = 20_000;
/// Steps of one question whether a value is valid; one that takes more is answered with yes.
const QUESTION: u64 = 2_000_000;

/// How values are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingMode {
    /// Always the same: the first of an enumeration, fixed dates and addresses.
    Stable,
    /// Random, and the same for the same seed.
    Seeded(u64),
}

impl SamplingMode {
    /// Random, by dice that are passed in.
    pub fn dynamic(dice: &mut impl rand::Rng) -> Self {
        Self::Seeded(dice.next_u64())
    }
}

/// Which way a value travels: some properties go only one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the client: without `writeOnly` properties.
    Response,
    /// From the client: without `readOnly` properties.
    Request,
}

impl Direction {
    /// Whether a property with this schema does not travel this way.
    pub(in crate::openapi) fn hides(self, library: &DocumentLibrary, schema: &DocumentNode) -> bool {
        let flag = match self {
            Self::Response => "writeOnly",
            Self::Request => "readOnly",
        };
        let says = |it: &DocumentNode| it.value.get(flag).and_then(Value::as_bool) == Some(true);
        says(schema)
            || library.reference_of(schema).is_some() && library.resolve(schema).is_ok_and(|it| says(&it))
    }
}

/// A value made from a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: Value,
    /// What could not be satisfied, and what in the document is odd.
    pub notes: Vec<String>,
    /// Whether the value is valid by the schema.
    pub valid: bool,
    /// Whether the search took too many steps, so that the value is smaller than it would be otherwise.
    pub reduced: bool,
}

/// Makes samples for the schemas of one library.
pub struct Sampler<'a> {
    library: &'a DocumentLibrary,
    mode: SamplingMode,
    direction: Direction,
    examples: bool,
    plain: bool,
    patterns: PatternCache,
    /// Steps taken for all answers so far.
    effort: Cell<u64>,
    /// The bounds of all that is made with it.
    budget: Option<&'a Budget>,
    stack: Stack,
}

impl<'a> Sampler<'a> {
    /// A sampler for stable samples of responses.
    #[must_use]
    pub fn new(library: &'a DocumentLibrary) -> Self {
        Self {
            library,
            mode: SamplingMode::Stable,
            direction: Direction::Response,
            examples: true,
            plain: false,
            patterns: PatternCache::default(),
            effort: Cell::new(0),
            budget: None,
            stack: Stack::here(),
        }
    }

    /// Ends as soon as this budget is exhausted; what is made then is of no use.
    #[must_use]
    pub const fn within(mut self, budget: &'a Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Takes no more of the stack than this.
    #[must_use]
    pub const fn stack(mut self, stack: Stack) -> Self {
        self.stack = stack;
        self
    }

    /// Chooses values in another way.
    #[must_use]
    pub const fn mode(mut self, mode: SamplingMode) -> Self {
        self.mode = mode;
        self
    }

    /// Makes samples for the other direction.
    #[must_use]
    pub const fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Whether the `example`, `examples` and `default` of schemas count; they do unless told otherwise.
    #[must_use]
    pub const fn examples(mut self, examples: bool) -> Self {
        self.examples = examples;
        self
    }

    /// Whether values are as plain as Prism's: `"string"` and 0 whatever the name of the property suggests, and an
    /// empty object where a schema would hold itself for the second time.
    #[must_use]
    pub const fn plain(mut self, plain: bool) -> Self {
        self.plain = plain;
        self
    }

    /// Whether a value is valid by a schema, its formats included.
    #[must_use]
    pub fn valid(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.valid_in(schema, value, QUESTION)
    }

    fn valid_in(&self, schema: &DocumentNode, value: &Value, steps: u64) -> bool {
        let effort = self.effort_of(steps);
        let valid = self.evaluator(&effort).valid(schema, value);
        self.count(&effort);
        valid
    }

    /// What is wrong with a value by a schema: nothing if it is valid.
    #[must_use]
    pub fn faults(&self, schema: &DocumentNode, value: &Value) -> Vec<KeywordFault> {
        if self.valid(schema, value) {
            return Vec::new();
        }
        let effort = self.effort_of(QUESTION);
        let faults = explain::explain(&self.evaluator(&effort), schema, value);
        self.count(&effort);
        faults
    }

    /// How many steps were taken so far, for a caller that asks much and has an end.
    #[must_use]
    pub const fn effort(&self) -> u64 {
        self.effort.get()
    }

    fn count(&self, effort: &Effort<'_>) {
        self.effort.set(self.effort.get() + effort.taken());
    }

    /// A value for the schema. It is valid if the schema can be satisfied at all, but for schemas that ask for
    /// more than a sample has room for, or that only a long search could satisfy; then the notes say so.
    #[must_use]
    pub fn sample(&self, schema: &DocumentNode) -> Sample {
        self.sample_in(schema, SEARCH)
    }

    /// The same for a header field, which is no place for a long search.
    #[must_use]
    pub fn sample_field(&self, schema: &DocumentNode) -> Sample {
        self.sample_in(schema, FIELD)
    }

    fn sample_in(&self, schema: &DocumentNode, steps: u64) -> Sample {
        let schemas = std::slice::from_ref(schema);
        let smallest = Smallest::new(self, self.effort_of(steps.min(FALLBACK)));
        let searched = self.searched(schema, &smallest, steps);
        let mut sample = match searched {
            Ok(sample) if sample.valid => sample,
            // The root alone with all that it may have, then the least of it, then whatever comes near.
            Ok(sample) => self.small(schema, &smallest, steps).unwrap_or(sample),
            Err(reduced) => {
                let small = self.small(schema, &smallest, steps);
                let near = || self.attempt(schemas, Nested::Known(&smallest), true, steps.min(FALLBACK)).ok();
                let near = || near().map(|(value, notes)| self.judged(schema, value, (notes, steps)));
                let nothing = || self.judged(schema, Mapping::default().into(), (Vec::new(), steps));
                Sample { reduced, ..small.or_else(near).unwrap_or_else(nothing) }
            }
        };
        self.effort.set(self.effort.get() + smallest.taken());
        if sample.reduced {
            sample
                .notes
                .push("the schema asks for too long a search, so the value is a small one".to_owned());
        }
        if !sample.valid {
            sample.notes.push("no value was found that fits this schema".to_owned());
        }
        sample
    }

    /// A small value that is valid.
    fn small(&self, schema: &DocumentNode, smallest: &Smallest<'_>, steps: u64) -> Option<Sample> {
        let schemas = std::slice::from_ref(schema);
        let root = self.attempt(schemas, Nested::Known(smallest), false, steps.min(FALLBACK)).ok();
        let root =
            root.map(|(value, notes)| self.judged(schema, value, (notes, steps))).filter(|it| it.valid);
        root.or_else(|| {
            let least = smallest.of(schemas).map(|value| self.judged(schema, value, (Vec::new(), steps)));
            least.filter(|it| it.valid)
        })
    }

    /// The value that a search finds, and failing that one that does not fit everywhere. Else whether there was not
    /// enough time.
    fn searched(&self, schema: &DocumentNode, smallest: &Smallest<'_>, steps: u64) -> Result<Sample, bool> {
        for forgiving in [false, true] {
            match self.attempt(std::slice::from_ref(schema), Nested::Searched(smallest), forgiving, steps) {
                Ok((value, notes)) => return Ok(self.judged(schema, value, (notes, steps))),
                Err(SampleError::Spent) => return Err(true),
                Err(_) => (),
            }
        }
        Err(false)
    }

    fn attempt(
        &self,
        schemas: &[DocumentNode],
        nested: Nested<'_>,
        forgiving: bool,
        steps: u64,
    ) -> Result<(Value, Vec<String>), SampleError> {
        let seed = match self.mode {
            SamplingMode::Stable => 0,
            SamplingMode::Seeded(seed) => seed,
        };
        let effort = self.effort_of(steps);
        let mut generation = self.generation(&effort, nested, forgiving);
        generation.random = self.mode != SamplingMode::Stable;
        generation.top = true;
        let found = generation.solve(schemas, &SamplePlace::root(seed));
        let notes = generation.notes;
        self.count(&effort);
        found.map(|value| (value, notes))
    }

    fn judged(&self, schema: &DocumentNode, value: Value, (notes, steps): (Vec<String>, u64)) -> Sample {
        let valid = self.valid_in(schema, &value, steps);
        Sample { value, notes, valid, reduced: false }
    }

    fn generation<'b>(
        &'b self,
        effort: &'b Effort<'b>,
        nested: Nested<'b>,
        forgiving: bool,
    ) -> Generation<'b> {
        Generation {
            library: self.library,
            direction: self.direction,
            random: false,
            examples: self.examples,
            plain: self.plain,
            forgiving,
            patterns: &self.patterns,
            strict: self.evaluator(effort),
            lenient: self.evaluator(effort).without_formats(),
            notes: Vec::new(),
            nodes: 0,
            bytes: 0,
            work: 0,
            effort,
            nested,
            top: false,
            missing: Vec::new(),
        }
    }

    fn evaluator<'b>(&'b self, effort: &'b Effort<'b>) -> SchemaEvaluator<'b> {
        SchemaEvaluator::new(self.library, self.direction, &self.patterns, effort)
    }

    fn effort_of(&self, steps: u64) -> Effort<'a> {
        Effort::new(steps, self.budget, self.stack)
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SampleError {
    /// The schemas contradict one another.
    Impossible,
    /// The way went too deep; a shorter one may lead somewhere.
    Cut,
    /// No step is left.
    Spent,
}
