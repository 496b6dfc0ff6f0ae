//! Sampler: makes values that are valid by a schema.
//!
//! A schema becomes `layers`, a flat list of all schemas that apply at one place, with the choices that are still open. The
//! `search` goes through the choices, makes a value for each (`object`, `array`, `scalar`) and validates it by its
//! schema (`evaluator`). Random numbers depend on the place of a value, so the same document always gives the same
//! sample.

mod array;
mod author_values;
mod ecma;
mod effort;
mod equality;
mod evaluated;
mod evaluator;
mod explain;
mod format_check;
mod format_sample;
mod hint;
mod infer;
mod layers;
mod merged_rules;
mod negate;
mod number;
mod object;
mod pattern_sample;
mod place;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recursion;
mod rounded_decimal;
mod scalar;
mod search;
mod seeded_rng;
mod size_limits;
mod smallest;
#[cfg(test)]
mod tests;

use effort::Effort;
use evaluator::SchemaEvaluator;
pub use explain::KeywordFault;
pub(in crate::openapi) use layers::last_segment;
use pattern_sample::StringPatternCache;
use place::SamplePlace;
use search::{Generation, NestedSource};
use smallest::Smallest;

use std::cell::Cell;

use super::{DocumentLibrary, DocumentNode, messages::NO_SAMPLE};
use crate::{
    budget::{Budget, Stack},
    document::{Mapping, Value},
};

/// Maximum steps of the search for a sample. A step takes about a microsecond.
const SEARCH_STEPS: u64 = 400_000;
/// Maximum steps of the search for a small value, after the first search ran out of steps.
const FALLBACK_STEPS: u64 = 100_000;
/// Maximum steps of the search for the value of a header field.
const HEADER_STEPS: u64 = 20_000;
/// Maximum steps of an evaluation; a value that needs more is taken as valid.
const EVALUATION_STEPS: u64 = 2_000_000;

/// How values are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplingMode {
    /// Fixed: the first value of an enumeration, fixed dates and addresses.
    Stable,
    /// Random, and repeatable by the seed.
    Seeded(u64),
}

impl SamplingMode {
    /// Random, with a seed from `rng`.
    pub fn dynamic(rng: &mut impl rand::Rng) -> Self {
        Self::Seeded(rng.next_u64())
    }
}

/// The direction in which a value travels; `readOnly` and `writeOnly` properties travel in one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the client, without `writeOnly` properties.
    Response,
    /// From the client, without `readOnly` properties.
    Request,
}

impl Direction {
    /// Whether a property with this schema does not travel in this direction.
    pub(in crate::openapi) fn hides(self, library: &DocumentLibrary, schema: &DocumentNode) -> bool {
        let flag = match self {
            Self::Response => "writeOnly",
            Self::Request => "readOnly",
        };
        let has_flag = |node: &DocumentNode| node.value.get(flag).and_then(Value::as_bool) == Some(true);
        has_flag(schema)
            || library.reference_of(schema).is_some()
                && library.resolve(schema).is_ok_and(|target| has_flag(&target))
    }
}

/// A value made from a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The value.
    pub value: Value,
    /// Messages about what could not be satisfied and about contradictions in the document.
    pub notes: Vec<String>,
    /// Whether the value is valid by the schema.
    pub valid: bool,
    /// Whether the search ran out of steps, so that the value is smaller than it would be otherwise.
    pub reduced: bool,
}

/// Sampler for the schemas of one library.
pub struct Sampler<'a> {
    library: &'a DocumentLibrary,
    mode: SamplingMode,
    direction: Direction,
    examples: bool,
    plain: bool,
    patterns: StringPatternCache,
    /// Steps of all calls so far.
    effort: Cell<u64>,
    /// The budget of all calls.
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
            patterns: StringPatternCache::default(),
            effort: Cell::new(0),
            budget: None,
            stack: Stack::here(),
        }
    }

    /// Stops when this budget is exhausted; the result of that call must be discarded.
    #[must_use]
    pub const fn within(mut self, budget: &'a Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Limits the use of the stack.
    #[must_use]
    pub const fn stack(mut self, stack: Stack) -> Self {
        self.stack = stack;
        self
    }

    /// Sets how values are chosen.
    #[must_use]
    pub const fn mode(mut self, mode: SamplingMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the direction in which samples travel.
    #[must_use]
    pub const fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets whether the `example`, `examples` and `default` of schemas are used; they are by default.
    #[must_use]
    pub const fn examples(mut self, examples: bool) -> Self {
        self.examples = examples;
        self
    }

    /// Sets whether values are those of Prism: `"string"` and 0 whatever the name of the property suggests, and an empty
    /// object where a schema would contain itself for the second time.
    #[must_use]
    pub const fn plain(mut self, plain: bool) -> Self {
        self.plain = plain;
        self
    }

    /// Whether a value is valid by a schema, including formats. A value that takes too many steps is taken as valid.
    #[must_use]
    pub fn is_valid(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.is_valid_within(schema, value, EVALUATION_STEPS)
    }

    fn is_valid_within(&self, schema: &DocumentNode, value: &Value, steps: u64) -> bool {
        let effort = self.new_effort(steps);
        let valid = self.evaluator(&effort).is_valid(schema, value);
        self.add_effort(&effort);
        valid
    }

    /// The keywords of a schema that do not hold for a value; none if it is valid.
    #[must_use]
    pub fn faults(&self, schema: &DocumentNode, value: &Value) -> Vec<KeywordFault> {
        if self.is_valid(schema, value) {
            return Vec::new();
        }
        let effort = self.new_effort(EVALUATION_STEPS);
        let faults = explain::explain(&self.evaluator(&effort), schema, value);
        self.add_effort(&effort);
        faults
    }

    /// The number of steps so far, for callers that limit their total.
    #[must_use]
    pub const fn effort(&self) -> u64 {
        self.effort.get()
    }

    fn add_effort(&self, effort: &Effort<'_>) {
        self.effort.set(self.effort.get() + effort.steps_taken());
    }

    /// Makes a value for the schema. It is valid if the schema can be satisfied, except for schemas that require more than
    /// the limits of a sample, or a longer search; the notes then contain the reason.
    #[must_use]
    pub fn sample(&self, schema: &DocumentNode) -> Sample {
        self.sample_within(schema, SEARCH_STEPS)
    }

    /// Makes a value for a header field, with a shorter search.
    #[must_use]
    pub fn sample_field(&self, schema: &DocumentNode) -> Sample {
        self.sample_within(schema, HEADER_STEPS)
    }

    fn sample_within(&self, schema: &DocumentNode, steps: u64) -> Sample {
        let schemas = std::slice::from_ref(schema);
        let smallest = Smallest::new(self, self.new_effort(steps.min(FALLBACK_STEPS)));
        let searched = self.search_value(schema, &smallest, steps);
        let mut sample = match searched {
            Ok(sample) if sample.valid => sample,
            // First optional parts of the root only, then required parts only, then a value that is nearly valid.
            Ok(sample) => self.find_small(schema, &smallest, steps).unwrap_or(sample),
            Err(reduced) => {
                let small = self.find_small(schema, &smallest, steps);
                let near = || {
                    self.attempt(schemas, NestedSource::Known(&smallest), true, steps.min(FALLBACK_STEPS))
                        .ok()
                };
                let near = || near().map(|(value, notes)| self.judge(schema, value, (notes, steps)));
                let nothing = || self.judge(schema, Mapping::default().into(), (Vec::new(), steps));
                Sample { reduced, ..small.or_else(near).unwrap_or_else(nothing) }
            }
        };
        self.effort.set(self.effort.get() + smallest.steps_taken());
        if sample.reduced {
            sample
                .notes
                .push("the schema requires too long a search, so the value is a small one".to_owned());
        }
        if !sample.valid {
            sample.notes.push(NO_SAMPLE.to_owned());
        }
        sample
    }

    /// A small valid value.
    fn find_small(&self, schema: &DocumentNode, smallest: &Smallest<'_>, steps: u64) -> Option<Sample> {
        let schemas = std::slice::from_ref(schema);
        let root =
            self.attempt(schemas, NestedSource::Known(smallest), false, steps.min(FALLBACK_STEPS)).ok();
        let root = root
            .map(|(value, notes)| self.judge(schema, value, (notes, steps)))
            .filter(|sample| sample.valid);
        root.or_else(|| {
            let least = smallest.find(schemas).map(|value| self.judge(schema, value, (Vec::new(), steps)));
            least.filter(|sample| sample.valid)
        })
    }

    /// Searches for a value, first a valid one, then one that is partly invalid.
    ///
    /// # Errors
    /// None was found; the flag is true if the search ran out of steps.
    fn search_value(
        &self,
        schema: &DocumentNode,
        smallest: &Smallest<'_>,
        steps: u64,
    ) -> Result<Sample, bool> {
        for accepts_invalid in [false, true] {
            match self.attempt(
                std::slice::from_ref(schema),
                NestedSource::Searched(smallest),
                accepts_invalid,
                steps,
            ) {
                Ok((value, notes)) => return Ok(self.judge(schema, value, (notes, steps))),
                Err(SampleError::OutOfSteps) => return Err(true),
                Err(_) => (),
            }
        }
        Err(false)
    }

    fn attempt(
        &self,
        schemas: &[DocumentNode],
        nested: NestedSource<'_>,
        accepts_invalid: bool,
        steps: u64,
    ) -> Result<(Value, Vec<String>), SampleError> {
        let seed = match self.mode {
            SamplingMode::Stable => 0,
            SamplingMode::Seeded(seed) => seed,
        };
        let effort = self.new_effort(steps);
        let mut generation = self.new_generation(&effort, nested, accepts_invalid);
        generation.random = self.mode != SamplingMode::Stable;
        generation.top = true;
        let found = generation.solve(schemas, &SamplePlace::root(seed));
        let notes = generation.notes;
        self.add_effort(&effort);
        found.map(|value| (value, notes))
    }

    fn judge(&self, schema: &DocumentNode, value: Value, (notes, steps): (Vec<String>, u64)) -> Sample {
        let valid = self.is_valid_within(schema, &value, steps);
        Sample { value, notes, valid, reduced: false }
    }

    fn new_generation<'b>(
        &'b self,
        effort: &'b Effort<'b>,
        nested: NestedSource<'b>,
        accepts_invalid: bool,
    ) -> Generation<'b> {
        Generation {
            library: self.library,
            direction: self.direction,
            random: false,
            examples: self.examples,
            plain: self.plain,
            accepts_invalid,
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

    fn new_effort(&self, steps: u64) -> Effort<'a> {
        Effort::new(steps, self.budget, self.stack)
    }
}

/// Reason why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SampleError {
    /// The schemas contradict one another.
    Impossible,
    /// The value grew too deep or too large; another alternative may be smaller.
    TooLarge,
    /// No steps remain.
    OutOfSteps,
}
