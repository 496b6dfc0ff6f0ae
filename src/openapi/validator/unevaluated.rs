//! Members and items of a value that a schema has evaluated, and that `unevaluatedProperties` and `unevaluatedItems`
//! therefore do not apply to. (JSON Schema 2020-12, section 11)

use std::collections::HashSet;

use serde_json::Value as Json;

use super::{
    evaluate::Evaluation,
    instance::Instance,
    program::{Id, Keyword, Schema},
};
use crate::budget::Exhausted;

/// A set of positions of members or items.
#[derive(Default)]
pub(super) struct Marks {
    all: bool,
    bits: Vec<u64>,
}

impl Marks {
    /// Whether a position is marked.
    pub(super) fn contains(&self, n: usize) -> bool {
        self.all || self.bits.get(n / 64).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }

    fn set(&mut self, n: usize) {
        if self.bits.len() <= n / 64 {
            self.bits.resize(n / 64 + 1, 0);
        }
        self.bits[n / 64] |= 1 << (n % 64);
    }
}

impl<'p, 'v> Evaluation<'p, 'v, '_> {
    /// The members or items of a value that a schema evaluates, apart from its own `unevaluated*` keywords.
    pub(super) fn mark_evaluated(
        &mut self,
        schema: &'p Schema,
        value: Instance<'v>,
    ) -> Result<Marks, Exhausted> {
        let mut marks = Marks::default();
        self.mark(schema, value, true, &mut marks, &mut HashSet::new())?;
        Ok(marks)
    }

    fn mark(
        &mut self,
        schema: &'p Schema,
        value: Instance<'v>,
        is_root: bool,
        marks: &mut Marks,
        seen: &mut HashSet<Id>,
    ) -> Result<(), Exhausted> {
        let _level = self.budget.descend()?;
        for keyword in &schema.keywords {
            if marks.all {
                return Ok(());
            }
            match (keyword, value) {
                (Keyword::Properties(rules), Instance::Json(Json::Object(members))) => {
                    if rules.additional.is_some() {
                        marks.all = true;
                        continue;
                    }
                    for (n, name) in members.keys().enumerate() {
                        self.budget.spend(1)?;
                        if !marks.contains(n) && self.is_declared(rules, name)? {
                            marks.set(n);
                        }
                    }
                }
                (Keyword::Items { first, rest }, Instance::Json(Json::Array(items))) => {
                    marks.all = rest.is_some();
                    (0..first.len().min(items.len())).for_each(|n| marks.set(n));
                }
                (Keyword::Contains { schema, .. }, Instance::Json(Json::Array(items))) => {
                    for (n, item) in items.iter().enumerate() {
                        if !marks.contains(n) && self.is_valid(*schema, Instance::Json(item))? {
                            marks.set(n);
                        }
                    }
                }
                (Keyword::UnevaluatedProperties(_), Instance::Json(Json::Object(_)))
                | (Keyword::UnevaluatedItems(_), Instance::Json(Json::Array(_)))
                    if !is_root =>
                {
                    marks.all = true;
                }
                (Keyword::DependentSchemas(schemas), Instance::Json(Json::Object(members))) => {
                    for (name, id) in schemas {
                        if members.contains_key(&**name) {
                            self.mark_if_valid(*id, value, marks, seen)?;
                        }
                    }
                }
                (Keyword::Reference(id), _) => self.mark_if_valid(*id, value, marks, seen)?,
                (Keyword::AllOf(all) | Keyword::AnyOf(all) | Keyword::OneOf(all), _) => {
                    for id in all {
                        self.mark_if_valid(*id, value, marks, seen)?;
                    }
                }
                (Keyword::If { condition, then, otherwise }, _) => {
                    let next = if self.is_valid(*condition, value)? { then } else { otherwise };
                    self.mark_if_valid(*condition, value, marks, seen)?;
                    if let Some(id) = next {
                        self.mark_if_valid(*id, value, marks, seen)?;
                    }
                }
                (
                    Keyword::Type(..)
                    | Keyword::Const(_)
                    | Keyword::Enum(_)
                    | Keyword::Bound(..)
                    | Keyword::MultipleOf(_)
                    | Keyword::Length(..)
                    | Keyword::Required(_)
                    | Keyword::DependentRequired(_)
                    | Keyword::Pattern(_)
                    | Keyword::Format(_)
                    | Keyword::UniqueItems
                    | Keyword::Properties(_)
                    | Keyword::PropertyNames(_)
                    | Keyword::Items { .. }
                    | Keyword::Contains { .. }
                    | Keyword::DependentSchemas(_)
                    | Keyword::Not(_)
                    | Keyword::UnevaluatedProperties(_)
                    | Keyword::UnevaluatedItems(_),
                    _,
                ) => (),
            }
        }
        Ok(())
    }

    /// Marks what a subschema evaluates, if the value is valid by it.
    fn mark_if_valid(
        &mut self,
        id: Id,
        value: Instance<'v>,
        marks: &mut Marks,
        seen: &mut HashSet<Id>,
    ) -> Result<(), Exhausted> {
        if !marks.all && seen.insert(id) && self.is_valid(id, value)? {
            self.mark(self.program.schema(id), value, false, marks, seen)?;
        }
        Ok(())
    }
}
