//! Samples: from a schema to a value that is valid by it.
//!
//! A schema is taken apart into [`layers`], the flat list of all schemas that apply at one place, and choices that
//! are still open. The [`search`] goes through the choices, asks for a value ([`object`], [`array`], [`scalar`]) and
//! puts every one to the schema it is for ([`valid`]). All dice are thrown by place, so the same document always
//! gives the same sample.

mod array;
mod decimal;
mod dice;
mod ecma;
mod evaluated;
mod explain;
mod fits;
mod format;
mod hint;
#[cfg(test)]
mod laws;
mod layers;
mod negate;
mod number;
mod object;
mod pattern;
mod place;
mod rules;
mod scalar;
mod search;
#[cfg(test)]
mod tests;
mod valid;

pub use explain::Fault;
pub(in crate::openapi) use layers::last_segment;
use pattern::Patterns;
use place::Place;
use search::Generation;
use valid::Evaluator;

use std::cell::Cell;

use super::{Library, Node};
use crate::document::{Mapping, Value};

/// How values are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Always the same: the first of an enumeration, fixed dates and addresses.
    Stable,
    /// Random, and the same for the same seed.
    Seeded(u64),
}

impl Mode {
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
    pub(in crate::openapi) fn hides(self, library: &Library, schema: &Node) -> bool {
        let flag = match self {
            Self::Response => "writeOnly",
            Self::Request => "readOnly",
        };
        let says = |it: &Node| it.value.get(flag).and_then(Value::as_bool) == Some(true);
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
}

/// Makes samples for the schemas of one library.
pub struct Sampler<'a> {
    library: &'a Library,
    mode: Mode,
    direction: Direction,
    examples: bool,
    plain: bool,
    patterns: Patterns,
    /// Schemas that were looked at for all answers so far.
    effort: Cell<u64>,
}

impl<'a> Sampler<'a> {
    /// A sampler for stable samples of responses.
    #[must_use]
    pub fn new(library: &'a Library) -> Self {
        let (mode, direction) = (Mode::Stable, Direction::Response);
        let (patterns, effort) = (Patterns::default(), Cell::new(0));
        Self { library, mode, direction, examples: true, plain: false, patterns, effort }
    }

    /// Chooses values in another way.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
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
    pub fn valid(&self, schema: &Node, value: &Value) -> bool {
        let evaluator = self.evaluator();
        let valid = evaluator.valid(schema, value);
        self.count(&evaluator);
        valid
    }

    /// What is wrong with a value by a schema: nothing if it is valid.
    #[must_use]
    pub fn faults(&self, schema: &Node, value: &Value) -> Vec<Fault> {
        if self.valid(schema, value) {
            return Vec::new();
        }
        let evaluator = self.evaluator();
        let faults = explain::explain(&evaluator, schema, value);
        self.count(&evaluator);
        faults
    }

    /// How many schemas were looked at so far, for whoever asks much and has an end.
    #[must_use]
    pub const fn effort(&self) -> u64 {
        self.effort.get()
    }

    fn count(&self, evaluator: &Evaluator<'_>) {
        self.effort.set(self.effort.get() + u64::from(evaluator.spent()));
    }

    /// A value for the schema. It is valid if the schema can be satisfied at all, but for schemas that ask for
    /// more than a sample has room for, or that only a long search could satisfy; then the notes say so.
    #[must_use]
    pub fn sample(&self, schema: &Node) -> Sample {
        let (random, seed) = match self.mode {
            Mode::Stable => (false, 0),
            Mode::Seeded(seed) => (true, seed),
        };
        let schemas = std::slice::from_ref(schema);
        let mut notes = Vec::new();
        for forgiving in [false, true] {
            let mut generation = self.generation(random, forgiving);
            let solved = generation.solve(schemas, &Place::root(seed));
            self.count(&generation.strict);
            self.count(&generation.lenient);
            if let Ok(value) = solved {
                notes.append(&mut generation.notes);
                let valid = self.valid(schema, &value);
                if !valid {
                    notes.push("no value was found that fits this schema".to_owned());
                }
                return Sample { value, notes, valid };
            }
        }
        notes.push("no value was found that fits this schema".to_owned());
        Sample { value: Mapping::default().into(), notes, valid: false }
    }

    fn generation(&self, random: bool, forgiving: bool) -> Generation<'_> {
        Generation {
            library: self.library,
            direction: self.direction,
            random,
            examples: self.examples,
            plain: self.plain,
            forgiving,
            patterns: &self.patterns,
            strict: self.evaluator(),
            lenient: self.evaluator().without_formats(),
            notes: Vec::new(),
            nodes: 0,
            bytes: 0,
            work: 0,
        }
    }

    fn evaluator(&self) -> Evaluator<'_> {
        Evaluator::new(self.library, self.direction, &self.patterns)
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// The schemas contradict one another.
    Impossible,
    /// The way went too deep; a shorter one may lead somewhere.
    Cut,
}
