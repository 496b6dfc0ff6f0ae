//! Whether a value is valid by a schema: the keywords of OpenAPI 2.0 to 3.1, read straight from the document.
//!
//! Ours instead of the `jsonschema` crate, because sampling asks about every part of a schema and every branch of a
//! choice, across documents and in three dialects: compiling each of those would take longer than all the rest.

use std::collections::HashSet;

use super::{
    Direction,
    decimal::Decimal,
    effort::Effort,
    equality::{canonical, equal},
    evaluated::{self, EvaluatedKeywords},
    fits::fits,
    pattern::PatternCache,
};
use crate::{
    document::{Mapping, Value},
    openapi::{
        DocumentLibrary, DocumentNode, SpecVersion,
        keywords::{SchemaKeyword, is_nullable},
    },
};

/// Schemas may stand this deep in one another.
pub(super) const DEPTH: u32 = 100;

/// Asks about the schemas of one library.
pub(super) struct SchemaEvaluator<'a> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) direction: Direction,
    pub(super) patterns: &'a PatternCache,
    /// Whether texts have to be of their formats.
    pub(super) formats: bool,
    /// What may be spent; a question that takes more is answered with yes.
    pub(super) effort: &'a Effort<'a>,
}

impl<'a> SchemaEvaluator<'a> {
    pub(super) const fn new(
        library: &'a DocumentLibrary,
        direction: Direction,
        patterns: &'a PatternCache,
        effort: &'a Effort<'a>,
    ) -> Self {
        Self { library, direction, patterns, formats: true, effort }
    }

    pub(super) const fn without_formats(mut self) -> Self {
        self.formats = false;
        self
    }

    /// Whether the value is valid by the schema.
    pub(super) fn valid(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.check(schema, value, 0)
    }

    pub(super) fn check(&self, schema: &DocumentNode, value: &Value, depth: u32) -> bool {
        if depth > DEPTH || !self.effort.spend(1) || !self.effort.has_stack() {
            return true;
        }
        match &schema.value {
            Value::Bool(it) => *it,
            Value::Mapping(keywords) => {
                if self.library.reference_of(schema).is_some() {
                    let target =
                        self.library.resolve(schema).is_ok_and(|it| !self.check(&it, value, depth + 1));
                    if target {
                        return false;
                    }
                    if self.library.version() != SpecVersion::OpenApi31 || keywords.len() == 1 {
                        return true;
                    }
                }
                let rule = AppliedSchema { schema, value, depth: depth + 1, on: self };
                keywords.iter().all(|(keyword, it)| rule.holds(keyword, &schema.with_value(it)))
            }
            _ => true,
        }
    }
}

/// One schema put to one value.
pub(super) struct AppliedSchema<'a> {
    pub(super) schema: &'a DocumentNode,
    pub(super) value: &'a Value,
    pub(super) depth: u32,
    pub(super) on: &'a SchemaEvaluator<'a>,
}

impl AppliedSchema<'_> {
    /// Whether one of its keywords holds; a name that is no keyword always does.
    pub(super) fn holds(&self, name: &str, rule: &DocumentNode) -> bool {
        // What a keyword lists is gone through.
        let listed = rule.value.items().len() + rule.value.as_mapping().map_or(0, Mapping::len);
        if !self.on.effort.spend_each(listed, 8) {
            return true;
        }
        let Some(keyword) = SchemaKeyword::named(name) else { return true };
        match keyword {
            SchemaKeyword::Type => self.has_type(&rule.value),
            SchemaKeyword::Enum => {
                rule.value.as_sequence().is_none_or(|all| all.iter().any(|it| equal(it, self.value)))
            }
            SchemaKeyword::Const => equal(&rule.value, self.value),
            SchemaKeyword::AllOf => rule.items().all(|it| self.passes(&it, self.value)),
            SchemaKeyword::AnyOf => {
                rule.value.items().is_empty() || rule.items().any(|it| self.passes(&it, self.value))
            }
            SchemaKeyword::OneOf => {
                rule.value.items().is_empty()
                    || rule.items().filter(|it| self.passes(it, self.value)).take(2).count() == 1
            }
            SchemaKeyword::Not => !self.passes(rule, self.value),
            SchemaKeyword::If => {
                let next = if self.passes(rule, self.value) { "then" } else { "else" };
                self.schema.get(next).is_none_or(|it| self.passes(&it, self.value))
            }
            SchemaKeyword::Minimum
            | SchemaKeyword::Maximum
            | SchemaKeyword::ExclusiveMinimum
            | SchemaKeyword::ExclusiveMaximum
            | SchemaKeyword::MultipleOf => match self.value {
                Value::Number(number) => {
                    Decimal::of(number).is_none_or(|number| self.number(keyword, number, &rule.value))
                }
                _ => true,
            },
            SchemaKeyword::MinLength
            | SchemaKeyword::MaxLength
            | SchemaKeyword::Pattern
            | SchemaKeyword::Format => match self.value {
                Value::String(text) => self.text(keyword, text, &rule.value),
                _ => true,
            },
            SchemaKeyword::MinItems
            | SchemaKeyword::MaxItems
            | SchemaKeyword::UniqueItems
            | SchemaKeyword::PrefixItems
            | SchemaKeyword::Items
            | SchemaKeyword::AdditionalItems
            | SchemaKeyword::Contains
            | SchemaKeyword::UnevaluatedItems => match self.value {
                Value::Sequence(items) => self.array(keyword, items, rule),
                _ => true,
            },
            SchemaKeyword::Required
            | SchemaKeyword::MinProperties
            | SchemaKeyword::MaxProperties
            | SchemaKeyword::Properties
            | SchemaKeyword::PatternProperties
            | SchemaKeyword::AdditionalProperties
            | SchemaKeyword::PropertyNames
            | SchemaKeyword::DependentRequired
            | SchemaKeyword::DependentSchemas
            | SchemaKeyword::Dependencies
            | SchemaKeyword::UnevaluatedProperties => match self.value {
                Value::Mapping(_) => self.object(keyword, rule),
                _ => true,
            },
            // Read with `if`, `contains`, `type` or by the library, or not an assertion.
            SchemaKeyword::Then
            | SchemaKeyword::Else
            | SchemaKeyword::MinContains
            | SchemaKeyword::MaxContains
            | SchemaKeyword::Nullable
            | SchemaKeyword::XNullable
            | SchemaKeyword::Schema
            | SchemaKeyword::Vocabulary
            | SchemaKeyword::Id
            | SchemaKeyword::Anchor
            | SchemaKeyword::DynamicAnchor
            | SchemaKeyword::Ref
            | SchemaKeyword::DynamicRef
            | SchemaKeyword::Defs
            | SchemaKeyword::Definitions
            | SchemaKeyword::Comment
            | SchemaKeyword::ContentEncoding
            | SchemaKeyword::ContentMediaType
            | SchemaKeyword::ContentSchema
            | SchemaKeyword::Title
            | SchemaKeyword::Description
            | SchemaKeyword::Default
            | SchemaKeyword::Deprecated
            | SchemaKeyword::ReadOnly
            | SchemaKeyword::WriteOnly
            | SchemaKeyword::Example
            | SchemaKeyword::Examples
            | SchemaKeyword::Discriminator
            | SchemaKeyword::Xml
            | SchemaKeyword::ExternalDocs => true,
        }
    }

    fn passes(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.on.check(schema, value, self.depth)
    }

    fn spoken(&self) -> EvaluatedKeywords<'_, impl Fn(&DocumentNode, u32) -> bool> {
        EvaluatedKeywords {
            library: self.on.library,
            patterns: self.on.patterns,
            value: self.value,
            effort: self.on.effort,
            holds: |schema: &DocumentNode, depth| self.on.check(schema, self.value, depth),
        }
    }

    fn has_type(&self, rule: &Value) -> bool {
        if self.value.is_null() && is_nullable(&self.schema.value, self.on.library.version()) {
            return true;
        }
        let fits = |name: &Value| match (name.as_str().unwrap_or_default(), self.value) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("string" | "file", Value::String(_))
            | ("array", Value::Sequence(_))
            | ("object", Value::Mapping(_)) => true,
            ("integer", Value::Number(number)) => Decimal::of(number).is_none_or(Decimal::is_whole),
            (name, _) => !KNOWN.contains(&name),
        };
        rule.as_sequence().map_or_else(|| fits(rule), |all| all.iter().any(fits))
    }

    fn number(&self, keyword: SchemaKeyword, number: Decimal, rule: &Value) -> bool {
        let exclusive = |name: &str| self.schema.value.get(name).and_then(Value::as_bool) == Some(true);
        let Value::Number(rule) = rule else { return true };
        let Some(bound) = Decimal::of(rule) else { return true };
        let order = number.compare(bound);
        match keyword {
            SchemaKeyword::Minimum => order.is_gt() || order.is_eq() && !exclusive("exclusiveMinimum"),
            SchemaKeyword::Maximum => order.is_lt() || order.is_eq() && !exclusive("exclusiveMaximum"),
            SchemaKeyword::ExclusiveMinimum => order.is_gt(),
            SchemaKeyword::ExclusiveMaximum => order.is_lt(),
            SchemaKeyword::MultipleOf => !bound.is_positive() || number.is_multiple_of(bound),
            _ => true,
        }
    }

    fn text(&self, keyword: SchemaKeyword, text: &str, rule: &Value) -> bool {
        if !self.on.effort.spend_each(text.len(), 64) {
            return true;
        }
        match (keyword, rule) {
            (SchemaKeyword::MinLength, _) => text.chars().count() >= size(rule).unwrap_or(0),
            (SchemaKeyword::MaxLength, _) => text.chars().count() <= size(rule).unwrap_or(usize::MAX),
            (SchemaKeyword::Pattern, Value::String(pattern)) => {
                self.on.patterns.compiled(pattern).matches(text)
            }
            (SchemaKeyword::Format, Value::String(format)) => !self.on.formats || fits(format, text),
            _ => true,
        }
    }

    fn array(&self, keyword: SchemaKeyword, items: &[Value], rule: &DocumentNode) -> bool {
        if !self.on.effort.spend_each(items.len(), 8) {
            return true;
        }
        let count = || size(&rule.value);
        match keyword {
            SchemaKeyword::MinItems => items.len() >= count().unwrap_or(0),
            SchemaKeyword::MaxItems => items.len() <= count().unwrap_or(usize::MAX),
            SchemaKeyword::UniqueItems => {
                let mut seen = HashSet::new();
                rule.value.as_bool() != Some(true)
                    || items.iter().all(|it| {
                        let text = canonical(it);
                        !self.on.effort.spend_each(text.len(), 64) || seen.insert(text)
                    })
            }
            SchemaKeyword::PrefixItems => {
                rule.items().zip(items).all(|(schema, it)| self.passes(&schema, it))
            }
            // Before 2020-12 a list of schemas stood here.
            SchemaKeyword::Items if rule.value.as_sequence().is_some() => {
                rule.items().zip(items).all(|(schema, it)| self.passes(&schema, it))
            }
            SchemaKeyword::Items => {
                let fixed = self.schema.value.get("prefixItems").map_or(0, |it| it.items().len());
                items.iter().skip(fixed).all(|it| self.passes(rule, it))
            }
            SchemaKeyword::AdditionalItems => {
                let fixed = self.schema.value.get("items").and_then(Value::as_sequence).map(<[Value]>::len);
                fixed.is_none_or(|fixed| items.iter().skip(fixed).all(|it| self.passes(rule, it)))
            }
            SchemaKeyword::Contains => {
                let bound = |name| self.schema.value.get(name).and_then(size);
                let found = items.iter().filter(|it| self.passes(rule, it)).count();
                (bound("minContains").unwrap_or(1)..=bound("maxContains").unwrap_or(usize::MAX))
                    .contains(&found)
            }
            SchemaKeyword::UnevaluatedItems => {
                let known = evaluated::items(&self.spoken(), self.schema, self.depth);
                items.iter().skip(known).all(|it| self.passes(rule, it))
            }
            _ => true,
        }
    }

    fn object(&self, keyword: SchemaKeyword, rule: &DocumentNode) -> bool {
        if !self.on.effort.spend_each(self.value.as_mapping().map_or(0, Mapping::len), 4) {
            return true;
        }
        let has = |key: &str| self.value.get(key).is_some();
        let length = self.value.as_mapping().map_or(0, Mapping::len);
        match keyword {
            SchemaKeyword::Required => {
                rule.value.items().iter().filter_map(Value::as_str).all(|key| has(key) || self.unseen(key))
            }
            SchemaKeyword::MinProperties => length >= size(&rule.value).unwrap_or(0),
            SchemaKeyword::MaxProperties => length <= size(&rule.value).unwrap_or(usize::MAX),
            SchemaKeyword::Properties => rule
                .entries()
                .all(|(key, schema)| self.value.get(key).is_none_or(|it| self.passes(&schema, it))),
            SchemaKeyword::PatternProperties => rule.entries().all(|(pattern, schema)| {
                if !self.on.effort.spend_each(length, 2) {
                    return true;
                }
                let pattern = self.on.patterns.compiled(pattern);
                self.value.entries().all(|(key, it)| !pattern.matches(key) || self.passes(&schema, it))
            }),
            SchemaKeyword::AdditionalProperties => self.value.entries().all(|(key, it)| {
                let patterns = self.schema.value.get("patternProperties").and_then(Value::as_mapping);
                !self.on.effort.spend_each(patterns.map_or(0, Mapping::len), 2)
                    || evaluated::declares(self.on.patterns, self.schema, key)
                    || self.passes(rule, it)
            }),
            SchemaKeyword::PropertyNames => {
                self.value.entries().all(|(key, _)| self.passes(rule, &Value::from(key)))
            }
            SchemaKeyword::DependentRequired
            | SchemaKeyword::DependentSchemas
            | SchemaKeyword::Dependencies => rule.entries().all(|(key, dependent)| {
                !has(key)
                    || match dependent.value.as_sequence() {
                        Some(keys) => keys.iter().filter_map(Value::as_str).all(has),
                        None => self.passes(&dependent, self.value),
                    }
            }),
            SchemaKeyword::UnevaluatedProperties => {
                let known = evaluated::properties(&self.spoken(), self.schema, self.depth);
                self.value.entries().all(|(key, it)| known.contains(key) || self.passes(rule, it))
            }
            _ => true,
        }
    }

    /// Whether the property does not travel in this direction, so that nobody can require it.
    pub(super) fn unseen(&self, key: &str) -> bool {
        let property = self.schema.get("properties").and_then(|it| it.get(key));
        property.is_some_and(|it| self.on.direction.hides(self.on.library, &it))
    }
}

const KNOWN: [&str; 8] = ["null", "boolean", "number", "integer", "string", "file", "array", "object"];

/// A count; fractions and negative numbers are none.
pub(super) fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => {
            let whole = Decimal::of(number).filter(|it| it.is_whole())?;
            if whole.compare(Decimal::new(1, 15)).is_gt() {
                return Some(usize::MAX);
            }
            number.as_i64().and_then(|it| usize::try_from(it).ok())
        }
        _ => None,
    }
}
