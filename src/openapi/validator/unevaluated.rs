//! Which members or items of a value a schema has evaluated: what `unevaluatedProperties` and `unevaluatedItems` are not
//! about. (JSON Schema 2020-12, section 11.)

use std::collections::HashSet;

use serde_json::Value as Json;

use super::{
    evaluate::Evaluation,
    program::{Id, Keyword, Schema},
    value::Value,
};
use crate::budget::Exhausted;

/// Positions of members or items.
#[derive(Default)]
pub(super) struct Marks {
    all: bool,
    bits: Vec<u64>,
}

impl Marks {
    /// Whether the one at this position is marked.
    pub(super) fn has(&self, n: usize) -> bool {
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
    /// What a schema has evaluated of a value, its own `unevaluated*` aside.
    pub(super) fn evaluated(&mut self, schema: &'p Schema, value: Value<'v>) -> Result<Marks, Exhausted> {
        let mut marks = Marks::default();
        self.mark(schema, value, true, &mut marks, &mut HashSet::new())?;
        Ok(marks)
    }

    fn mark(
        &mut self,
        schema: &'p Schema,
        value: Value<'v>,
        is_asking: bool,
        marks: &mut Marks,
        seen: &mut HashSet<Id>,
    ) -> Result<(), Exhausted> {
        let _level = self.budget.descend()?;
        for keyword in &schema.keywords {
            if marks.all {
                return Ok(());
            }
            match (keyword, value) {
                (Keyword::Members(rules), Value::Json(Json::Object(members))) => {
                    if rules.additional.is_some() {
                        marks.all = true;
                        continue;
                    }
                    for (n, name) in members.keys().enumerate() {
                        self.budget.spend(1)?;
                        if !marks.has(n) && self.is_declared(rules, name)? {
                            marks.set(n);
                        }
                    }
                }
                (Keyword::Items { first, rest }, Value::Json(Json::Array(items))) => {
                    marks.all = rest.is_some();
                    (0..first.len().min(items.len())).for_each(|n| marks.set(n));
                }
                (Keyword::Contains { schema, .. }, Value::Json(Json::Array(items))) => {
                    for (n, item) in items.iter().enumerate() {
                        if !marks.has(n) && self.valid(*schema, Value::Json(item))? {
                            marks.set(n);
                        }
                    }
                }
                (Keyword::UnevaluatedProperties(_), Value::Json(Json::Object(_)))
                | (Keyword::UnevaluatedItems(_), Value::Json(Json::Array(_)))
                    if !is_asking =>
                {
                    marks.all = true;
                }
                (Keyword::DependentSchemas(schemas), Value::Json(Json::Object(members))) => {
                    for (name, id) in schemas {
                        if members.contains_key(&**name) {
                            self.mark_by(*id, value, marks, seen)?;
                        }
                    }
                }
                (Keyword::Reference(id), _) => self.mark_by(*id, value, marks, seen)?,
                (Keyword::AllOf(all) | Keyword::AnyOf(all) | Keyword::OneOf(all), _) => {
                    for id in all {
                        self.mark_by(*id, value, marks, seen)?;
                    }
                }
                (Keyword::If { condition, then, otherwise }, _) => {
                    let next = if self.valid(*condition, value)? { then } else { otherwise };
                    self.mark_by(*condition, value, marks, seen)?;
                    if let Some(id) = next {
                        self.mark_by(*id, value, marks, seen)?;
                    }
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Marks what a subschema has evaluated, if the value is valid by it.
    fn mark_by(
        &mut self,
        id: Id,
        value: Value<'v>,
        marks: &mut Marks,
        seen: &mut HashSet<Id>,
    ) -> Result<(), Exhausted> {
        if !marks.all && seen.insert(id) && self.valid(id, value)? {
            self.mark(self.program.schema(id), value, false, marks, seen)?;
        }
        Ok(())
    }
}
