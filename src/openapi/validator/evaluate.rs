//! Evaluator of compiled schemas: whether a value is valid, in time that grows with the number of schemas times the
//! number of values.
//!
//! A subschema stands in one place, so it is applied to each value at most once per application of the schema around it.
//! Only definitions are reached through several references; their results are cached by schema and value. `unevaluated*`
//! and the search for errors evaluate the same schemas again; for them the results of all schemas are cached.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    equality::{self, HashCache, RandomHasher},
    instance::Instance,
    program::{Enumeration, Id, Keyword, Program, PropertyRules, Schema},
};
use crate::budget::{Budget, Exhausted};

/// Bytes that are charged for a cached result.
const RESULT_BYTES: usize = 48;

/// The evaluation of one value by the schemas of a program, with the results so far.
pub(super) struct Evaluation<'p, 'v, 'b> {
    pub(super) program: &'p Program,
    pub(super) budget: &'b Budget,
    /// Whether the results of all schemas are cached, and not only those of definitions with several references.
    pub(super) keeps_all: bool,
    results: HashMap<(Id, usize), bool, RandomHasher>,
    hashes: HashCache,
    value: std::marker::PhantomData<&'v Json>,
}

impl<'p, 'v, 'b> Evaluation<'p, 'v, 'b> {
    pub(super) fn new(program: &'p Program, budget: &'b Budget) -> Self {
        Self {
            program,
            budget,
            keeps_all: program.has_unevaluated,
            results: HashMap::default(),
            hashes: HashCache::new(),
            value: std::marker::PhantomData,
        }
    }

    /// Whether the value is valid by a schema.
    ///
    /// # Errors
    /// The budget is exhausted before the result is known.
    pub(super) fn is_valid(&mut self, id: Id, value: Instance<'v>) -> Result<bool, Exhausted> {
        self.budget.spend(1)?;
        let schema: &'p Schema = self.program.schema(id);
        if schema.is_false || schema.keywords.is_empty() {
            return Ok(!schema.is_false);
        }
        let keeps = schema.keeps_results || self.keeps_all;
        if keeps && let Some(result) = self.results.get(&(id, value.address())) {
            return Ok(*result);
        }
        let level = self.budget.descend()?;
        let mut valid = true;
        for keyword in &schema.keywords {
            if !self.holds(schema, keyword, value)? {
                valid = false;
                break;
            }
        }
        drop(level);
        if keeps {
            self.budget.allocate(RESULT_BYTES)?;
            self.results.insert((id, value.address()), valid);
        }
        Ok(valid)
    }

    /// Whether one keyword of a schema holds.
    pub(super) fn holds(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        value: Instance<'v>,
    ) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::Type(types, _) => Ok(types.allows(value)),
            Keyword::Const(constant) => self.equals(value, constant),
            Keyword::Enum(enumeration) => self.is_among(value, enumeration),
            Keyword::Bound(..) | Keyword::MultipleOf(_) => match value {
                Instance::Json(Json::Number(number)) => self.number_holds(keyword, number.as_str()),
                _ => Ok(true),
            },
            Keyword::Length(length, bound) => self.length_holds(*length, *bound, value),
            Keyword::Pattern(n) => match value.text() {
                Some(text) => Ok(self.matches(*n, text)?.unwrap_or(true)),
                None => Ok(true),
            },
            Keyword::Format(n) => match (value.text(), self.program.formats.get(*n as usize)) {
                (Some(text), Some(format)) => format.matches(text, self.budget),
                _ => Ok(true),
            },
            Keyword::AllOf(_)
            | Keyword::AnyOf(_)
            | Keyword::OneOf(_)
            | Keyword::Not(_)
            | Keyword::If { .. }
            | Keyword::Reference(_) => self.in_place_holds(keyword, value),
            Keyword::Required(_)
            | Keyword::DependentRequired(_)
            | Keyword::Properties(_)
            | Keyword::PropertyNames(_)
            | Keyword::DependentSchemas(_)
            | Keyword::UnevaluatedProperties(_) => match value {
                Instance::Json(Json::Object(members)) => self.object_holds(schema, keyword, members, value),
                _ => Ok(true),
            },
            Keyword::UniqueItems
            | Keyword::Items { .. }
            | Keyword::Contains { .. }
            | Keyword::UnevaluatedItems(_) => match value {
                Instance::Json(Json::Array(items)) => self.array_holds(schema, keyword, items, value),
                _ => Ok(true),
            },
        }
    }

    fn in_place_holds(&mut self, keyword: &'p Keyword, value: Instance<'v>) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::AllOf(all) => self.are_all_valid(all, value),
            Keyword::AnyOf(all) => {
                for id in all {
                    if self.is_valid(*id, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Keyword::OneOf(all) => Ok(self.count_valid(all, value, 2)? == 1),
            Keyword::Not(id) => Ok(!self.is_valid(*id, value)?),
            Keyword::If { condition, then, otherwise } => {
                let next = if self.is_valid(*condition, value)? { then } else { otherwise };
                next.map_or(Ok(true), |id| self.is_valid(id, value))
            }
            Keyword::Reference(id) => self.is_valid(*id, value),
            _ => Ok(true),
        }
    }

    fn are_all_valid(&mut self, all: &[Id], value: Instance<'v>) -> Result<bool, Exhausted> {
        for id in all {
            if !self.is_valid(*id, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The number of schemas that the value is valid by, counted up to `max`.
    pub(super) fn count_valid(
        &mut self,
        all: &[Id],
        value: Instance<'v>,
        max: usize,
    ) -> Result<usize, Exhausted> {
        let mut count = 0;
        for id in all {
            count += usize::from(self.is_valid(*id, value)?);
            if count == max {
                break;
            }
        }
        Ok(count)
    }

    fn object_holds(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        members: &'v Map<String, Json>,
        value: Instance<'v>,
    ) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::Required(names) => {
                self.budget.spend(names.len() as u64 / 4)?;
                Ok(names.iter().all(|name| members.contains_key(&**name)))
            }
            Keyword::DependentRequired(lists) => {
                self.budget.spend(lists.iter().map(|(_, names)| 1 + names.len() as u64 / 4).sum())?;
                let mut present = lists.iter().filter(|(name, _)| members.contains_key(&**name));
                Ok(present.all(|(_, names)| names.iter().all(|name| members.contains_key(&**name))))
            }
            Keyword::Properties(rules) => self.properties_hold(rules, members),
            Keyword::PropertyNames(id) => {
                for name in members.keys() {
                    if !self.is_valid(*id, Instance::PropertyName(name))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::DependentSchemas(schemas) => {
                for (name, id) in schemas {
                    self.budget.spend(1)?;
                    if members.contains_key(&**name) && !self.is_valid(*id, value)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::UnevaluatedProperties(id) => {
                let marks = self.mark_evaluated(schema, value)?;
                for (n, member) in members.values().enumerate() {
                    if !marks.contains(n) && !self.is_valid(*id, Instance::Json(member))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn properties_hold(
        &mut self,
        rules: &'p PropertyRules,
        members: &'v Map<String, Json>,
    ) -> Result<bool, Exhausted> {
        if rules.patterns.is_empty() && rules.additional.is_none() && rules.properties.len() < members.len() {
            for (name, id) in &rules.properties {
                self.budget.spend(1)?;
                if let Some(member) = members.get(&**name)
                    && !self.is_valid(*id, Instance::Json(member))?
                {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        for (name, member) in members {
            self.budget.spend(1)?;
            let property = rules.properties.get(&**name).copied();
            if let Some(id) = property
                && !self.is_valid(id, Instance::Json(member))?
            {
                return Ok(false);
            }
            let mut is_declared = property.is_some();
            for (pattern, id) in &rules.patterns {
                if self.matches(*pattern, name)? == Some(true) {
                    is_declared = true;
                    if !self.is_valid(*id, Instance::Json(member))? {
                        return Ok(false);
                    }
                }
            }
            if let Some(id) = rules.additional
                && !is_declared
                && !self.is_valid(id, Instance::Json(member))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `properties` or `patternProperties` apply to the property of a name.
    pub(super) fn is_declared(&self, rules: &PropertyRules, name: &str) -> Result<bool, Exhausted> {
        if rules.properties.contains_key(name) {
            return Ok(true);
        }
        for (pattern, _) in &rules.patterns {
            if self.matches(*pattern, name)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn array_holds(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        items: &'v [Json],
        value: Instance<'v>,
    ) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::UniqueItems => self.are_unique(items),
            Keyword::Items { first, rest } => {
                for (n, item) in items.iter().enumerate() {
                    let Some(id) = first.get(n).copied().or(*rest) else { break };
                    if !self.is_valid(id, Instance::Json(item))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::Contains { schema, min, max } => {
                let mut count = 0;
                for item in items {
                    if max.is_none() && count >= *min {
                        return Ok(true);
                    }
                    count += u64::from(self.is_valid(*schema, Instance::Json(item))?);
                    if max.is_some_and(|max| count > max) {
                        return Ok(false);
                    }
                }
                Ok(count >= *min)
            }
            Keyword::UnevaluatedItems(id) => {
                let marks = self.mark_evaluated(schema, value)?;
                for (n, item) in items.iter().enumerate() {
                    if !marks.contains(n) && !self.is_valid(*id, Instance::Json(item))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn are_unique(&mut self, items: &'v [Json]) -> Result<bool, Exhausted> {
        if items.len() < 2 {
            return Ok(true);
        }
        self.budget.allocate(items.len().saturating_mul(RESULT_BYTES))?;
        let mut seen: HashMap<u64, Vec<usize>, RandomHasher> = HashMap::default();
        for (n, item) in items.iter().enumerate() {
            let hash = equality::hash(item, &self.program.hasher_keys, &mut self.hashes, self.budget)?;
            let same_hash = seen.entry(hash).or_default();
            for other in same_hash.iter() {
                if equality::equal(&items[*other], item, self.budget)? {
                    return Ok(false);
                }
            }
            same_hash.push(n);
        }
        Ok(true)
    }

    fn equals(&self, value: Instance<'v>, constant: &Json) -> Result<bool, Exhausted> {
        match value {
            Instance::Json(json) => equality::equal(json, constant, self.budget),
            Instance::PropertyName(name) => Ok(constant.as_str() == Some(name)),
        }
    }

    fn is_among(&mut self, value: Instance<'v>, enumeration: &Enumeration) -> Result<bool, Exhausted> {
        let keys = &self.program.hasher_keys;
        let hash = match value {
            Instance::Json(json) => equality::hash(json, keys, &mut self.hashes, self.budget)?,
            Instance::PropertyName(name) => equality::hash_text(name, keys, self.budget)?,
        };
        for n in enumeration.by_hash.get(&hash).into_iter().flatten() {
            if let Some(candidate) = enumeration.values.get(*n as usize)
                && self.equals(value, candidate)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a pattern matches; `None` if it cannot be read.
    pub(super) fn matches(&self, pattern: u32, text: &str) -> Result<Option<bool>, Exhausted> {
        self.budget.spend(1)?;
        self.program
            .patterns
            .get(pattern as usize)
            .map_or(Ok(None), |pattern| pattern.matches(text, self.budget))
    }
}
