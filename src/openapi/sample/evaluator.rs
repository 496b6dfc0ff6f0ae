//! Evaluator of schemas in their documents, for the sampler and the linter: the keywords of OpenAPI 2.0 to 3.1.
//!
//! [`crate::openapi::validator`] compiles a schema with everything that it refers to before it evaluates a value. The
//! sampler evaluates a few values by each of very many schemas (every part, every branch of a choice, and schemas that it
//! makes itself), so it would compile almost as often as it evaluates: over the documents of the tests that takes
//! seventeen times as long as this evaluator.

use std::collections::HashSet;

use super::{
    Direction,
    effort::Effort,
    equality::{canonical_text, equal},
    evaluated::{self, EvaluatedKeywords},
    format_check::has_format,
    pattern_sample::StringPatternCache,
};
use crate::{
    document::{Mapping, Value},
    openapi::{
        DocumentLibrary, DocumentNode, SpecVersion,
        decimal::Decimal,
        keywords::{SchemaKeyword, is_nullable},
    },
};

/// Maximum nesting of schemas; deeper ones are not evaluated.
pub(super) const MAX_DEPTH: u32 = 100;
/// Counts above this have no bound.
const MAX_COUNT: &str = "1e15";

/// Evaluator for the schemas of one library.
pub(super) struct SchemaEvaluator<'a> {
    pub(super) library: &'a DocumentLibrary,
    pub(super) direction: Direction,
    pub(super) patterns: &'a StringPatternCache,
    /// Whether formats are asserted.
    pub(super) formats: bool,
    /// The steps that remain; a value that needs more is taken as valid.
    pub(super) effort: &'a Effort<'a>,
}

impl<'a> SchemaEvaluator<'a> {
    pub(super) const fn new(
        library: &'a DocumentLibrary,
        direction: Direction,
        patterns: &'a StringPatternCache,
        effort: &'a Effort<'a>,
    ) -> Self {
        Self { library, direction, patterns, formats: true, effort }
    }

    pub(super) const fn without_formats(mut self) -> Self {
        self.formats = false;
        self
    }

    /// Whether the value is valid by the schema.
    pub(super) fn is_valid(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.is_valid_at(schema, value, 0)
    }

    pub(super) fn is_valid_at(&self, schema: &DocumentNode, value: &Value, depth: u32) -> bool {
        if depth > MAX_DEPTH || !self.effort.spend(1) || !self.effort.has_stack() {
            return true;
        }
        match &schema.value {
            Value::Bool(allows_all) => *allows_all,
            Value::Mapping(keywords) => {
                if self.library.reference_of(schema).is_some() {
                    let target = self
                        .library
                        .resolve(schema)
                        .is_ok_and(|target| !self.is_valid_at(&target, value, depth + 1));
                    if target {
                        return false;
                    }
                    if self.library.version() != SpecVersion::OpenApi31 || keywords.len() == 1 {
                        return true;
                    }
                }
                let rule = AppliedSchema { schema, value, depth: depth + 1, evaluator: self };
                keywords.iter().all(|(keyword, operand)| rule.holds(keyword, &schema.with_value(operand)))
            }
            _ => true,
        }
    }
}

/// A schema that is applied to a value.
pub(super) struct AppliedSchema<'a> {
    pub(super) schema: &'a DocumentNode,
    pub(super) value: &'a Value,
    pub(super) depth: u32,
    pub(super) evaluator: &'a SchemaEvaluator<'a>,
}

impl AppliedSchema<'_> {
    /// Whether one of its keywords holds; a name that is no keyword always does.
    #[expect(clippy::too_many_lines, reason = "one arm for each keyword")]
    pub(super) fn holds(&self, name: &str, rule: &DocumentNode) -> bool {
        // The elements of a list or map are visited.
        let length = rule.value.items().len() + rule.value.as_mapping().map_or(0, Mapping::len);
        if !self.evaluator.effort.spend_each(length, 8) {
            return true;
        }
        let Some(keyword) = SchemaKeyword::named(name) else { return true };
        match keyword {
            SchemaKeyword::Type => self.has_type(&rule.value),
            SchemaKeyword::Enum => rule
                .value
                .as_sequence()
                .is_none_or(|all| all.iter().any(|allowed| equal(allowed, self.value))),
            SchemaKeyword::Const => equal(&rule.value, self.value),
            SchemaKeyword::AllOf => rule.items().all(|part| self.is_valid_by(&part, self.value)),
            SchemaKeyword::AnyOf => {
                rule.value.items().is_empty() || rule.items().any(|part| self.is_valid_by(&part, self.value))
            }
            SchemaKeyword::OneOf => {
                rule.value.items().is_empty()
                    || rule.items().filter(|part| self.is_valid_by(part, self.value)).take(2).count() == 1
            }
            SchemaKeyword::Not => !self.is_valid_by(rule, self.value),
            SchemaKeyword::If => {
                let next = if self.is_valid_by(rule, self.value) { "then" } else { "else" };
                self.schema.get(next).is_none_or(|part| self.is_valid_by(&part, self.value))
            }
            SchemaKeyword::Minimum
            | SchemaKeyword::Maximum
            | SchemaKeyword::ExclusiveMinimum
            | SchemaKeyword::ExclusiveMaximum
            | SchemaKeyword::MultipleOf => match self.value {
                Value::Number(number) => self.number(keyword, Decimal::parse(number.as_str()), &rule.value),
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

    fn is_valid_by(&self, schema: &DocumentNode, value: &Value) -> bool {
        self.evaluator.is_valid_at(schema, value, self.depth)
    }

    fn evaluated(&self) -> EvaluatedKeywords<'_, impl Fn(&DocumentNode, u32) -> bool> {
        EvaluatedKeywords {
            library: self.evaluator.library,
            patterns: self.evaluator.patterns,
            value: self.value,
            effort: self.evaluator.effort,
            is_valid: |schema: &DocumentNode, depth| self.evaluator.is_valid_at(schema, self.value, depth),
        }
    }

    fn has_type(&self, rule: &Value) -> bool {
        if self.value.is_null() && is_nullable(&self.schema.value, self.evaluator.library.version()) {
            return true;
        }
        let is_of_type = |name: &Value| match (name.as_str().unwrap_or_default(), self.value) {
            ("null", Value::Null)
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("string" | "file", Value::String(_))
            | ("array", Value::Sequence(_))
            | ("object", Value::Mapping(_)) => true,
            ("integer", Value::Number(number)) => Decimal::parse(number.as_str()).is_whole(),
            (name, _) => !TYPE_NAMES.contains(&name),
        };
        rule.as_sequence().map_or_else(|| is_of_type(rule), |all| all.iter().any(is_of_type))
    }

    fn number(&self, keyword: SchemaKeyword, number: Decimal<'_>, rule: &Value) -> bool {
        let exclusive = |name: &str| self.schema.value.get(name).and_then(Value::as_bool) == Some(true);
        let Value::Number(rule) = rule else { return true };
        let bound = Decimal::parse(rule.as_str());
        let order = number.compare(&bound);
        match keyword {
            SchemaKeyword::Minimum => order.is_gt() || order.is_eq() && !exclusive("exclusiveMinimum"),
            SchemaKeyword::Maximum => order.is_lt() || order.is_eq() && !exclusive("exclusiveMaximum"),
            SchemaKeyword::ExclusiveMinimum => order.is_gt(),
            SchemaKeyword::ExclusiveMaximum => order.is_lt(),
            SchemaKeyword::MultipleOf => !bound.is_positive() || number.is_multiple_of(&bound),
            _ => true,
        }
    }

    fn text(&self, keyword: SchemaKeyword, text: &str, rule: &Value) -> bool {
        if !self.evaluator.effort.spend_each(text.len(), 64) {
            return true;
        }
        match (keyword, rule) {
            (SchemaKeyword::MinLength, _) => text.chars().count() >= count_of(rule).unwrap_or(0),
            (SchemaKeyword::MaxLength, _) => text.chars().count() <= count_of(rule).unwrap_or(usize::MAX),
            (SchemaKeyword::Pattern, Value::String(pattern)) => {
                self.evaluator.patterns.compile(pattern).matches(text)
            }
            (SchemaKeyword::Format, Value::String(format)) => {
                !self.evaluator.formats || has_format(format, text)
            }
            _ => true,
        }
    }

    fn array(&self, keyword: SchemaKeyword, items: &[Value], rule: &DocumentNode) -> bool {
        if !self.evaluator.effort.spend_each(items.len(), 8) {
            return true;
        }
        let count = || count_of(&rule.value);
        match keyword {
            SchemaKeyword::MinItems => items.len() >= count().unwrap_or(0),
            SchemaKeyword::MaxItems => items.len() <= count().unwrap_or(usize::MAX),
            SchemaKeyword::UniqueItems => {
                let mut seen = HashSet::new();
                rule.value.as_bool() != Some(true)
                    || items.iter().all(|item| {
                        let text = canonical_text(item);
                        !self.evaluator.effort.spend_each(text.len(), 64) || seen.insert(text)
                    })
            }
            SchemaKeyword::PrefixItems => {
                rule.items().zip(items).all(|(schema, item)| self.is_valid_by(&schema, item))
            }
            // A list of schemas, before 2020-12.
            SchemaKeyword::Items if rule.value.as_sequence().is_some() => {
                rule.items().zip(items).all(|(schema, item)| self.is_valid_by(&schema, item))
            }
            SchemaKeyword::Items => {
                let prefix = self
                    .schema
                    .value
                    .get(SchemaKeyword::PrefixItems.name())
                    .map_or(0, |items| items.items().len());
                items.iter().skip(prefix).all(|item| self.is_valid_by(rule, item))
            }
            SchemaKeyword::AdditionalItems => {
                let prefix = self
                    .schema
                    .value
                    .get(SchemaKeyword::Items.name())
                    .and_then(Value::as_sequence)
                    .map(<[Value]>::len);
                prefix.is_none_or(|prefix| items.iter().skip(prefix).all(|item| self.is_valid_by(rule, item)))
            }
            SchemaKeyword::Contains => {
                let bound = |name| self.schema.value.get(name).and_then(count_of);
                let found = items.iter().filter(|item| self.is_valid_by(rule, item)).count();
                (bound("minContains").unwrap_or(1)..=bound("maxContains").unwrap_or(usize::MAX))
                    .contains(&found)
            }
            SchemaKeyword::UnevaluatedItems => {
                let known = evaluated::items(&self.evaluated(), self.schema, self.depth);
                items.iter().skip(known).all(|item| self.is_valid_by(rule, item))
            }
            _ => true,
        }
    }

    fn object(&self, keyword: SchemaKeyword, rule: &DocumentNode) -> bool {
        if !self.evaluator.effort.spend_each(self.value.as_mapping().map_or(0, Mapping::len), 4) {
            return true;
        }
        let has = |key: &str| self.value.get(key).is_some();
        let length = self.value.as_mapping().map_or(0, Mapping::len);
        match keyword {
            SchemaKeyword::Required => {
                rule.value.items().iter().filter_map(Value::as_str).all(|key| has(key) || self.is_hidden(key))
            }
            SchemaKeyword::MinProperties => length >= count_of(&rule.value).unwrap_or(0),
            SchemaKeyword::MaxProperties => length <= count_of(&rule.value).unwrap_or(usize::MAX),
            SchemaKeyword::Properties => rule.entries().all(|(key, schema)| {
                self.value.get(key).is_none_or(|member| self.is_valid_by(&schema, member))
            }),
            SchemaKeyword::PatternProperties => rule.entries().all(|(pattern, schema)| {
                if !self.evaluator.effort.spend_each(length, 2) {
                    return true;
                }
                let pattern = self.evaluator.patterns.compile(pattern);
                self.value
                    .entries()
                    .all(|(key, member)| !pattern.matches(key) || self.is_valid_by(&schema, member))
            }),
            SchemaKeyword::AdditionalProperties => self.value.entries().all(|(key, member)| {
                let patterns = self
                    .schema
                    .value
                    .get(SchemaKeyword::PatternProperties.name())
                    .and_then(Value::as_mapping);
                !self.evaluator.effort.spend_each(patterns.map_or(0, Mapping::len), 2)
                    || evaluated::declares(self.evaluator.patterns, self.schema, key)
                    || self.is_valid_by(rule, member)
            }),
            SchemaKeyword::PropertyNames => {
                self.value.entries().all(|(key, _)| self.is_valid_by(rule, &Value::from(key)))
            }
            SchemaKeyword::DependentRequired
            | SchemaKeyword::DependentSchemas
            | SchemaKeyword::Dependencies => rule.entries().all(|(key, dependent)| {
                !has(key)
                    || match dependent.value.as_sequence() {
                        Some(keys) => keys.iter().filter_map(Value::as_str).all(has),
                        None => self.is_valid_by(&dependent, self.value),
                    }
            }),
            SchemaKeyword::UnevaluatedProperties => {
                let known = evaluated::properties(&self.evaluated(), self.schema, self.depth);
                self.value
                    .entries()
                    .all(|(key, member)| known.contains(key) || self.is_valid_by(rule, member))
            }
            _ => true,
        }
    }

    /// Whether the property does not travel in this direction, so that it cannot be required.
    pub(super) fn is_hidden(&self, key: &str) -> bool {
        let property =
            self.schema.get(SchemaKeyword::Properties.name()).and_then(|properties| properties.get(key));
        property.is_some_and(|property| self.evaluator.direction.hides(self.evaluator.library, &property))
    }
}

const TYPE_NAMES: [&str; 8] = ["null", "boolean", "number", "integer", "string", "file", "array", "object"];

/// A whole number that is not negative; `None` for other values. Numbers that do not fit are taken as `usize::MAX`.
pub(super) fn count_of(value: &Value) -> Option<usize> {
    let Value::Number(number) = value else { return None };
    let decimal = Decimal::parse(number.as_str());
    if !decimal.is_whole() {
        return None;
    }
    if decimal.compare(&Decimal::parse(MAX_COUNT)).is_gt() {
        return Some(usize::MAX);
    }
    number.as_i64().and_then(|count| usize::try_from(count).ok())
}
