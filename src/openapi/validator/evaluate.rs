//! Whether a value is valid by a schema, in time that grows with the schemas times the values.
//!
//! A subschema has one place, so it meets each value once as long as the schemas around it do. Only definitions are
//! met on several ways; their results are kept by schema and value. `unevaluated*` and errors ask again about schemas
//! that were evaluated before; then the results of all schemas are kept.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    equality::{self, Keys, Known},
    number::Decimal,
    program::{Bound, Enumeration, Id, Keyword, Length, Members, Program, Schema},
    value::Value,
};
use crate::budget::{Budget, Exhausted};

/// What a kept result takes, in bytes.
const RESULT: usize = 48;

/// One value on its way through the schemas of a program.
pub(super) struct Evaluation<'p, 'v, 'b> {
    pub(super) program: &'p Program,
    pub(super) budget: &'b Budget,
    /// Whether the results of all schemas are kept.
    pub(super) keeps_all: bool,
    results: HashMap<(Id, usize), bool, Keys>,
    hashes: Known,
    value: std::marker::PhantomData<&'v Json>,
}

impl<'p, 'v, 'b> Evaluation<'p, 'v, 'b> {
    pub(super) fn new(program: &'p Program, budget: &'b Budget) -> Self {
        Self {
            program,
            budget,
            keeps_all: program.asks_again,
            results: HashMap::default(),
            hashes: Known::new(),
            value: std::marker::PhantomData,
        }
    }

    /// Whether the value is valid by a schema.
    pub(super) fn valid(&mut self, id: Id, value: Value<'v>) -> Result<bool, Exhausted> {
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
            self.budget.allocate(RESULT)?;
            self.results.insert((id, value.address()), valid);
        }
        Ok(valid)
    }

    /// Whether one keyword of a schema holds.
    pub(super) fn holds(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        value: Value<'v>,
    ) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::Type(types, _) => Ok(types.contain(value)),
            Keyword::Const(constant) => self.equals(value, constant),
            Keyword::Enum(enumeration) => self.is_among(value, enumeration),
            Keyword::Bound(..) | Keyword::MultipleOf(_) => match value {
                Value::Json(Json::Number(number)) => self.number(keyword, number.as_str()),
                _ => Ok(true),
            },
            Keyword::Length(length, bound) => self.length(*length, *bound, value),
            Keyword::Pattern(n) => match value.text() {
                Some(text) => Ok(self.matches(*n, text)?.unwrap_or(true)),
                None => Ok(true),
            },
            Keyword::Format(n) => match (value.text(), self.program.formats.get(*n as usize)) {
                (Some(text), Some(format)) => format.fits(text, self.budget),
                _ => Ok(true),
            },
            Keyword::AllOf(_)
            | Keyword::AnyOf(_)
            | Keyword::OneOf(_)
            | Keyword::Not(_)
            | Keyword::If { .. }
            | Keyword::Reference(_) => self.beside(keyword, value),
            Keyword::Required(_)
            | Keyword::DependentRequired(_)
            | Keyword::Members(_)
            | Keyword::PropertyNames(_)
            | Keyword::DependentSchemas(_)
            | Keyword::UnevaluatedProperties(_) => match value {
                Value::Json(Json::Object(members)) => self.object(schema, keyword, members, value),
                _ => Ok(true),
            },
            Keyword::UniqueItems
            | Keyword::Items { .. }
            | Keyword::Contains { .. }
            | Keyword::UnevaluatedItems(_) => match value {
                Value::Json(Json::Array(items)) => self.array(schema, keyword, items, value),
                _ => Ok(true),
            },
        }
    }

    fn beside(&mut self, keyword: &'p Keyword, value: Value<'v>) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::AllOf(all) => self.all(all, value),
            Keyword::AnyOf(all) => {
                for id in all {
                    if self.valid(*id, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Keyword::OneOf(all) => Ok(self.count(all, value, 2)? == 1),
            Keyword::Not(id) => Ok(!self.valid(*id, value)?),
            Keyword::If { condition, then, otherwise } => {
                let next = if self.valid(*condition, value)? { then } else { otherwise };
                next.map_or(Ok(true), |id| self.valid(id, value))
            }
            Keyword::Reference(id) => self.valid(*id, value),
            _ => Ok(true),
        }
    }

    fn all(&mut self, all: &[Id], value: Value<'v>) -> Result<bool, Exhausted> {
        for id in all {
            if !self.valid(*id, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many of the schemas the value is valid by, counted up to `most`.
    pub(super) fn count(&mut self, all: &[Id], value: Value<'v>, most: usize) -> Result<usize, Exhausted> {
        let mut count = 0;
        for id in all {
            count += usize::from(self.valid(*id, value)?);
            if count == most {
                break;
            }
        }
        Ok(count)
    }

    fn object(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        members: &'v Map<String, Json>,
        value: Value<'v>,
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
            Keyword::Members(rules) => self.members(rules, members),
            Keyword::PropertyNames(id) => {
                for name in members.keys() {
                    if !self.valid(*id, Value::Name(name))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::DependentSchemas(schemas) => {
                for (name, id) in schemas {
                    self.budget.spend(1)?;
                    if members.contains_key(&**name) && !self.valid(*id, value)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::UnevaluatedProperties(id) => {
                let marks = self.evaluated(schema, value)?;
                for (n, member) in members.values().enumerate() {
                    if !marks.has(n) && !self.valid(*id, Value::Json(member))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn members(&mut self, rules: &'p Members, members: &'v Map<String, Json>) -> Result<bool, Exhausted> {
        if rules.patterns.is_empty() && rules.additional.is_none() && rules.properties.len() < members.len() {
            for (name, id) in &rules.properties {
                self.budget.spend(1)?;
                if let Some(member) = members.get(&**name)
                    && !self.valid(*id, Value::Json(member))?
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
                && !self.valid(id, Value::Json(member))?
            {
                return Ok(false);
            }
            let mut known = property.is_some();
            for (pattern, id) in &rules.patterns {
                if self.matches(*pattern, name)? == Some(true) {
                    known = true;
                    if !self.valid(*id, Value::Json(member))? {
                        return Ok(false);
                    }
                }
            }
            if let Some(id) = rules.additional
                && !known
                && !self.valid(id, Value::Json(member))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `properties` or `patternProperties` are about a name.
    pub(super) fn is_declared(&self, rules: &Members, name: &str) -> Result<bool, Exhausted> {
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

    fn array(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        items: &'v [Json],
        value: Value<'v>,
    ) -> Result<bool, Exhausted> {
        match keyword {
            Keyword::UniqueItems => self.are_unique(items),
            Keyword::Items { first, rest } => {
                for (n, item) in items.iter().enumerate() {
                    let Some(id) = first.get(n).copied().or(*rest) else { break };
                    if !self.valid(id, Value::Json(item))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::Contains { schema, least, most } => {
                let mut count = 0;
                for item in items {
                    if most.is_none() && count >= *least {
                        return Ok(true);
                    }
                    count += u64::from(self.valid(*schema, Value::Json(item))?);
                    if most.is_some_and(|most| count > most) {
                        return Ok(false);
                    }
                }
                Ok(count >= *least)
            }
            Keyword::UnevaluatedItems(id) => {
                let marks = self.evaluated(schema, value)?;
                for (n, item) in items.iter().enumerate() {
                    if !marks.has(n) && !self.valid(*id, Value::Json(item))? {
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
        self.budget.allocate(items.len().saturating_mul(RESULT))?;
        let mut seen: HashMap<u64, Vec<usize>, Keys> = HashMap::default();
        for (n, item) in items.iter().enumerate() {
            let hash = equality::hash(item, &self.program.keys, &mut self.hashes, self.budget)?;
            let same = seen.entry(hash).or_default();
            for other in same.iter() {
                if equality::equal(&items[*other], item, self.budget)? {
                    return Ok(false);
                }
            }
            same.push(n);
        }
        Ok(true)
    }

    fn equals(&self, value: Value<'v>, constant: &Json) -> Result<bool, Exhausted> {
        match value {
            Value::Json(json) => equality::equal(json, constant, self.budget),
            Value::Name(name) => Ok(constant.as_str() == Some(name)),
        }
    }

    fn is_among(&mut self, value: Value<'v>, enumeration: &Enumeration) -> Result<bool, Exhausted> {
        let keys = &self.program.keys;
        let hash = match value {
            Value::Json(json) => equality::hash(json, keys, &mut self.hashes, self.budget)?,
            Value::Name(name) => equality::hash_text(name, keys, self.budget)?,
        };
        for n in enumeration.by_hash.get(&hash).into_iter().flatten() {
            if let Some(known) = enumeration.values.get(*n as usize)
                && self.equals(value, known)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn number(&self, keyword: &Keyword, number: &str) -> Result<bool, Exhausted> {
        self.budget.spend(number.len() as u64 / 8)?;
        let number = Decimal::parse(number);
        Ok(match keyword {
            Keyword::Bound(bound, limit) => {
                let order = number.compare(&Decimal::parse(limit));
                match bound {
                    Bound::Minimum => order.is_ge(),
                    Bound::Maximum => order.is_le(),
                    Bound::ExclusiveMinimum => order.is_gt(),
                    Bound::ExclusiveMaximum => order.is_lt(),
                }
            }
            Keyword::MultipleOf(step) => number.is_multiple_of(&Decimal::parse(step)),
            _ => true,
        })
    }

    fn length(&self, length: Length, bound: u64, value: Value<'v>) -> Result<bool, Exhausted> {
        let found = match (length, value) {
            (Length::LeastCharacters | Length::MostCharacters, value) => match value.text() {
                Some(text) => {
                    self.budget.spend(text.len() as u64 / 32)?;
                    text.chars().count()
                }
                None => return Ok(true),
            },
            (Length::LeastItems | Length::MostItems, Value::Json(Json::Array(items))) => items.len(),
            (Length::LeastMembers | Length::MostMembers, Value::Json(Json::Object(it))) => it.len(),
            _ => return Ok(true),
        };
        Ok(match length {
            Length::LeastCharacters | Length::LeastItems | Length::LeastMembers => found as u64 >= bound,
            _ => found as u64 <= bound,
        })
    }

    /// Whether a pattern matches; `None` if it cannot be read.
    pub(super) fn matches(&self, pattern: u32, text: &str) -> Result<Option<bool>, Exhausted> {
        self.budget.spend(1)?;
        self.program.patterns.get(pattern as usize).map_or(Ok(None), |it| it.matches(text, self.budget))
    }
}
