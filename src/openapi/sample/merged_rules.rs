//! Merged rules of a place in a sample: the types, bounds and lengths of all its schemas together.

use super::{
    evaluator::count_of,
    layers::SchemaLayers,
    number::{NumberRange, RangeBound},
    pattern_sample::LengthBounds,
    rounded_decimal::RoundedDecimal,
};
use crate::{
    document::{SharedText, Value},
    openapi::{
        SpecVersion,
        keywords::{SchemaKeyword, is_nullable},
    },
};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl ValueKind {
    /// The order in which kinds are tried where no keyword suggests one.
    const ALL: [Self; 7] =
        [Self::String, Self::Integer, Self::Number, Self::Object, Self::Array, Self::Boolean, Self::Null];

    /// A set of bits. Numbers have two, for whole numbers and fractions.
    const fn bits(self) -> u8 {
        match self {
            Self::Null => 1,
            Self::Boolean => 2,
            Self::Integer => 4,
            Self::Number => 4 | 8,
            Self::String => 16,
            Self::Array => 32,
            Self::Object => 64,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            // `file` is the type of a body of bytes in Swagger 2.0.
            "string" | "file" => Self::String,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => return None,
        })
    }
}

/// The rules of all schemas at a place.
#[derive(Clone, Debug)]
pub(super) struct MergedRules {
    bits: u8,
    /// The types in the order of the document; empty if the schemas have none.
    declared: Vec<ValueKind>,
    pub(super) range: NumberRange,
    pub(super) lengths: LengthBounds,
    /// Bounds of arrays.
    pub(super) items: LengthBounds,
    /// Bounds of objects.
    pub(super) properties: LengthBounds,
    pub(super) unique: bool,
    pub(super) patterns: Vec<SharedText>,
    pub(super) formats: Vec<SharedText>,
}

impl MergedRules {
    pub(super) fn of(layers: &SchemaLayers, version: SpecVersion) -> Self {
        let lengths = |low, high| LengthBounds {
            min: layers.values(low).filter_map(count_of).max().unwrap_or(0),
            max: layers.values(high).filter_map(count_of).min().unwrap_or(usize::MAX),
        };
        let texts = |keyword| {
            let all = layers.values(keyword).filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                _ => None,
            });
            all.fold(Vec::new(), |mut all, text| {
                if !all.contains(&text) {
                    all.push(text);
                }
                all
            })
        };
        let mut rules = Self {
            bits: 127,
            declared: Vec::new(),
            range: NumberRange::default(),
            lengths: lengths("minLength", "maxLength"),
            items: lengths("minItems", "maxItems"),
            properties: lengths("minProperties", "maxProperties"),
            unique: layers.values(SchemaKeyword::UniqueItems.name()).any(|flag| flag.as_bool() == Some(true)),
            patterns: texts("pattern"),
            formats: texts("format"),
        };
        for layer in &layers.all {
            rules.add_types(&layer.schema.value, version);
            rules.add_bounds(&layer.schema.value);
        }
        if rules.bits & ValueKind::Number.bits() == ValueKind::Integer.bits() {
            rules.range.require_multiple_of(RoundedDecimal::ONE);
        }
        rules.add_number_formats();
        rules
    }

    /// Whether no value satisfies the rules: a cheap test that ends many searches early.
    pub(super) fn is_empty(&self) -> bool {
        let only = |kind: ValueKind| (self.bits & !kind.bits()) == 0;
        let is_empty = |bounds: LengthBounds| bounds.min > bounds.max;
        self.bits == 0
            || only(ValueKind::Number) && self.range.is_empty()
            || only(ValueKind::String) && is_empty(self.lengths)
            || only(ValueKind::Array) && is_empty(self.items)
            || only(ValueKind::Object) && is_empty(self.properties)
    }

    /// The kinds to try, the best first; `inferred` is the kind that keywords suggest where `type` is missing.
    pub(super) fn kinds(&self, inferred: impl FnOnce() -> ValueKind) -> Vec<ValueKind> {
        let is_allowed = |kind: &ValueKind| self.bits & kind.bits() == kind.bits();
        let mut kinds: Vec<ValueKind> = Vec::new();
        if self.declared.is_empty() {
            kinds.push(inferred());
            kinds.extend(ValueKind::ALL);
        } else {
            for kind in &self.declared {
                kinds.push(if is_allowed(kind) || *kind != ValueKind::Number {
                    *kind
                } else {
                    ValueKind::Integer
                });
            }
        }
        kinds.retain(is_allowed);
        if !self.declared.is_empty() {
            kinds.sort_by_key(|kind| *kind == ValueKind::Null);
        }
        let mut seen = Vec::new();
        kinds.retain(|kind| {
            !seen.contains(kind) && {
                seen.push(*kind);
                true
            }
        });
        kinds
    }

    fn add_types(&mut self, schema: &Value, version: SpecVersion) {
        let Some(rule) = schema.get(SchemaKeyword::Type.name()) else { return };
        let names: Vec<&str> = rule
            .as_sequence()
            .map_or_else(|| vec![rule], |all| all.iter().collect())
            .into_iter()
            .filter_map(Value::as_str)
            .collect();
        let mut kinds: Vec<ValueKind> = names.iter().filter_map(|name| ValueKind::from_name(name)).collect();
        // An unknown type is ignored.
        if kinds.len() < names.len() || kinds.is_empty() && rule.as_sequence().is_none() {
            return;
        }
        if is_nullable(schema, version) {
            kinds.push(ValueKind::Null);
        }
        self.bits &= kinds.iter().fold(0, |bits, kind| bits | kind.bits());
        for kind in kinds {
            if !self.declared.contains(&kind) {
                self.declared.push(kind);
            }
        }
    }

    fn add_bounds(&mut self, schema: &Value) {
        let number = |keyword: &str| match schema.get(keyword) {
            Some(Value::Number(number)) => RoundedDecimal::from_number(number),
            _ => None,
        };
        let flag = |keyword: &str| schema.get(keyword).and_then(Value::as_bool) == Some(true);
        if let Some(value) = number("minimum") {
            self.range.raise_low(RangeBound { value, exclusive: flag("exclusiveMinimum") });
        }
        if let Some(value) = number("maximum") {
            self.range.lower_high(RangeBound { value, exclusive: flag("exclusiveMaximum") });
        }
        if let Some(value) = number("exclusiveMinimum") {
            self.range.raise_low(RangeBound { value, exclusive: true });
        }
        if let Some(value) = number("exclusiveMaximum") {
            self.range.lower_high(RangeBound { value, exclusive: true });
        }
        if let Some(step) = number("multipleOf") {
            self.range.require_multiple_of(step);
        }
    }

    fn add_number_formats(&mut self) {
        for format in &self.formats {
            let (low, high) = match &**format {
                "int8" => ("-128", "127"),
                "int16" => ("-32768", "32767"),
                "int32" => ("-2147483648", "2147483647"),
                "int64" => ("-9223372036854775808", "9223372036854775807"),
                "uint8" => ("0", "255"),
                "uint16" => ("0", "65535"),
                "uint32" => ("0", "4294967295"),
                "uint64" => ("0", "18446744073709551615"),
                "float" => ("-3.4e38", "3.4e38"),
                "double" => ("-1.79e308", "1.79e308"),
                _ => continue,
            };
            let bound = |text| Some(RangeBound { value: RoundedDecimal::parse(text)?, exclusive: false });
            if let (Some(low), Some(high)) = (bound(low), bound(high)) {
                self.range.raise_low(low);
                self.range.lower_high(high);
            }
        }
    }
}
