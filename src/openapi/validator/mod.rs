//! Validator of requests and answers: whether a value is valid by a schema, and its errors, in bounded time and memory.
//!
//! A schema is compiled from its bundle ([`super::bundle`]). An evaluation takes at most as many steps as there are schemas
//! times values, all charged to a [`Budget`]; when that is exhausted, there is no verdict.
//!
//! | file | contents |
//! |---|---|
//! | `program`, `compile`, `infer_types` | the compiled schema, its compiler, and the types of values that follow |
//! | `evaluate`, `range_keywords` (minimum, minItems, ...), `unevaluated` | the evaluator, which decides whether a value is valid |
//! | `explain` | errors: the keywords that do not hold |
//! | `shape` | types, properties and items, by which texts are converted to values |
//! | `instance`, `equality` | instances, their equality and hashes |
//! | `pattern`, `format` | patterns and formats of strings |

mod compile;
mod equality;
mod evaluate;
mod explain;
mod format;
mod infer_types;
mod instance;
mod pattern;
mod program;
mod range_keywords;
mod shape;
#[cfg(test)]
mod tests;
mod unevaluated;

use serde_json::Value as Json;

use self::{evaluate::Evaluation, explain::Errors, instance::Instance, program::Program};
pub use self::{
    instance::AllowedTypes,
    pattern::PatternCache,
    shape::{Shape, ShapeLayers},
};
use super::{DocumentLibrary, DocumentNode, bundle::SchemaBundle, sample::Direction};
use crate::budget::{Budget, Exhausted};

/// A compiled schema.
#[derive(Debug)]
pub struct Validator {
    program: Program,
}

/// A keyword that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordError {
    /// The path to the part of the value: names of members and positions of items.
    pub path: Vec<String>,
    /// The keyword.
    pub keyword: &'static str,
    /// The message: `must be integer`.
    pub message: String,
}

impl Validator {
    /// Compiles a schema of a document. The schemas of a document share `patterns`; properties that do not travel in
    /// `direction` are not required.
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

    /// The number of its schemas.
    #[must_use]
    pub fn schemas(&self) -> usize {
        self.program.len()
    }

    /// The form of its values.
    #[must_use]
    pub const fn shape(&self) -> Shape<'_> {
        Shape::root(&self.program)
    }

    /// Whether the value is valid.
    ///
    /// # Errors
    /// The budget is exhausted before the verdict.
    pub fn is_valid(&self, value: &Json, budget: &Budget) -> Result<bool, Exhausted> {
        Evaluation::new(&self.program, budget).is_valid(0, Instance::Json(value))
    }

    /// The errors of the value, at most 100, in the order of the schema; none if it is valid.
    ///
    /// # Errors
    /// The budget is exhausted before the verdict.
    pub fn errors(&self, value: &Json, budget: &Budget) -> Result<Vec<KeywordError>, Exhausted> {
        let mut evaluation = Evaluation::new(&self.program, budget);
        if evaluation.is_valid(0, Instance::Json(value))? {
            return Ok(Vec::new());
        }
        evaluation.keeps_all = true;
        let mut errors = Errors::default();
        evaluation.explain(0, Instance::Json(value), &mut errors)?;
        Ok(errors.all)
    }
}
