//! Validator of values by schemas, in bounded time and memory: one engine says whether a value is valid and what is
//! wrong with it.
//!
//! A schema is compiled from the form that [`super::bundle`] gives it. Evaluating takes at most the schemas times the
//! values in steps, all of them charged to a [`Budget`]; a value that needs more than that has is neither valid nor
//! invalid.
//!
//! | file | what it holds |
//! |---|---|
//! | `program`, `compile` | the compiled schema, and how it is made |
//! | `evaluate`, `unevaluated` | whether a value is valid |
//! | `explain` | the keywords that do not hold |
//! | `shape` | types, properties and items, by which texts are read |
//! | `value`, `number`, `equality` | values, exact numbers, hashes |
//! | `pattern`, `format` | patterns and formats of texts |

mod compile;
mod equality;
mod evaluate;
mod explain;
mod format;
mod number;
mod pattern;
mod program;
mod shape;
#[cfg(test)]
mod tests;
mod unevaluated;
mod value;

use serde_json::Value as Json;

use self::{evaluate::Evaluation, explain::Errors, program::Program, value::Value};
pub use self::{
    pattern::PatternCache,
    shape::{Layers, Shape},
    value::AllowedTypes,
};
use super::{DocumentLibrary, DocumentNode, bundle::SchemaBundle, sample::Direction};
use crate::budget::{Budget, Exhausted};

/// A schema, compiled.
#[derive(Debug)]
pub struct Validator {
    program: Program,
}

/// A keyword that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordError {
    /// The steps to the place in the value.
    pub path: Vec<String>,
    /// The keyword.
    pub keyword: &'static str,
    /// What it wants: `must be integer`.
    pub message: String,
}

impl Validator {
    /// Compiles a schema of a document, whose patterns share `patterns`; `direction` says which properties cannot be
    /// required.
    ///
    /// # Errors
    /// The budget is exhausted.
    pub fn new(
        library: &DocumentLibrary,
        schema: &DocumentNode,
        direction: Direction,
        patterns: &PatternCache,
        budget: &Budget,
    ) -> Result<Self, Exhausted> {
        let bundle = SchemaBundle::new(library, schema, direction, budget)?;
        Self::of_bundle(&bundle.schema, patterns, budget)
    }

    /// Compiles a bundle.
    ///
    /// # Errors
    /// The budget is exhausted.
    pub(crate) fn of_bundle(
        bundle: &Json,
        patterns: &PatternCache,
        budget: &Budget,
    ) -> Result<Self, Exhausted> {
        Ok(Self { program: Program::new(bundle, patterns, budget)? })
    }

    /// How many schemas it holds.
    #[must_use]
    pub fn schemas(&self) -> usize {
        self.program.len()
    }

    /// What it says about the form of values.
    #[must_use]
    pub const fn shape(&self) -> Shape<'_> {
        Shape::root(&self.program)
    }

    /// Whether the value is valid.
    ///
    /// # Errors
    /// The budget is exhausted: it is not known.
    pub fn is_valid(&self, value: &Json, budget: &Budget) -> Result<bool, Exhausted> {
        Evaluation::new(&self.program, budget).valid(0, Value::Json(value))
    }

    /// What is wrong with the value, a bounded number of errors in the order of the schema; nothing if it is valid.
    ///
    /// # Errors
    /// The budget is exhausted: it is not known.
    pub fn errors(&self, value: &Json, budget: &Budget) -> Result<Vec<KeywordError>, Exhausted> {
        let mut evaluation = Evaluation::new(&self.program, budget);
        if evaluation.valid(0, Value::Json(value))? {
            return Ok(Vec::new());
        }
        evaluation.keeps_all = true;
        let mut errors = Errors::default();
        evaluation.explain(0, Value::Json(value), &mut errors)?;
        Ok(errors.all)
    }
}
