//! Compiled schema: its subschemas by number, with the keywords of each in the order of evaluation.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{equality::RandomHasher, format::Format, instance::AllowedTypes, pattern::Pattern};

/// The number of a schema in its program.
pub(super) type Id = u32;
/// A list of strings.
pub(super) type Texts = Box<[Box<str>]>;
/// A map in the order of the document.
pub(super) type Names<T> = IndexMap<Box<str>, T, RandomHasher>;

/// All schemas of a bundle; the first one is the root.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) schemas: Vec<Schema>,
    pub(super) patterns: Vec<Arc<Pattern>>,
    pub(super) formats: Vec<Format>,
    pub(super) hasher_keys: RandomHasher,
    /// Whether a schema has `unevaluatedProperties` or `unevaluatedItems`, which evaluate other schemas a second time.
    pub(super) has_unevaluated: bool,
}

/// One schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// The schema `false`.
    pub(super) is_false: bool,
    pub(super) keywords: Vec<Keyword>,
    /// Whether several schemas refer to it and it has subschemas, so that its results are cached.
    pub(super) keeps_results: bool,
    /// The types that it and the schemas that it refers to or is composed of allow.
    pub(super) types: AllowedTypes,
}

/// A keyword with its operand.
#[derive(Debug)]
pub(super) enum Keyword {
    /// The types, and their names joined by commas.
    Type(AllowedTypes, Box<str>),
    Const(Box<Json>),
    Enum(Box<Enumeration>),
    /// A bound of a number.
    Bound(Bound, Box<str>),
    MultipleOf(Box<str>),
    /// A bound of a length.
    Length(LengthKeyword, u64),
    Required(Texts),
    DependentRequired(Box<[(Box<str>, Texts)]>),
    Pattern(u32),
    Format(u32),
    UniqueItems,
    Properties(Box<PropertyRules>),
    PropertyNames(Id),
    Items {
        first: Box<[Id]>,
        rest: Option<Id>,
    },
    Contains {
        schema: Id,
        min: u64,
        max: Option<u64>,
    },
    DependentSchemas(Box<[(Box<str>, Id)]>),
    AllOf(Box<[Id]>),
    AnyOf(Box<[Id]>),
    OneOf(Box<[Id]>),
    Not(Id),
    If {
        condition: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
    UnevaluatedProperties(Id),
    UnevaluatedItems(Id),
    Reference(Id),
}

/// The keywords that bound a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

/// The keywords that bound the length of a string, an array or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthKeyword {
    MinLength,
    MaxLength,
    MinItems,
    MaxItems,
    MinProperties,
    MaxProperties,
}

/// The values of `enum`, with an index by hash.
#[derive(Debug)]
pub(super) struct Enumeration {
    pub(super) values: Vec<Json>,
    pub(super) by_hash: HashMap<u64, Vec<u32>, RandomHasher>,
}

/// `properties`, `patternProperties` and `additionalProperties`.
#[derive(Debug, Default)]
pub(super) struct PropertyRules {
    pub(super) properties: Names<Id>,
    pub(super) patterns: Vec<(u32, Id)>,
    pub(super) additional: Option<Id>,
    /// Whether `additionalProperties` is `false`; errors then name the properties.
    pub(super) forbids_additional: bool,
    /// Whether the schema has `properties`, even if empty.
    pub(super) has_properties: bool,
}

impl Program {
    /// The schema of a number.
    pub(super) fn schema(&self, id: Id) -> &Schema {
        // The compiler hands out a number only after it has added the schema.
        &self.schemas[id as usize]
    }

    /// The number of schemas.
    pub(super) fn len(&self) -> usize {
        self.schemas.len()
    }

    /// The schemas that are applied to the same value as this one, as far as they describe its form: the target of a
    /// reference, then those of `allOf`, `anyOf` and `oneOf`.
    pub(super) fn parts(&self, id: Id) -> impl Iterator<Item = Id> {
        let keywords = &self.schema(id).keywords;
        let targets = keywords.iter().filter(|keyword| matches!(keyword, Keyword::Reference(_)));
        let others = keywords.iter().filter(|keyword| !matches!(keyword, Keyword::Reference(_)));
        targets.chain(others).flat_map(Keyword::parts).copied()
    }
}

impl Keyword {
    /// The subschemas that are applied to the same value and describe its form: neither conditions nor what depends on
    /// them, nor `not`.
    fn parts(&self) -> &[Id] {
        match self {
            Self::Reference(target) => std::slice::from_ref(target),
            Self::AllOf(schemas) | Self::AnyOf(schemas) | Self::OneOf(schemas) => schemas,
            Self::Type(..)
            | Self::Const(_)
            | Self::Enum(_)
            | Self::Bound(..)
            | Self::MultipleOf(_)
            | Self::Length(..)
            | Self::Required(_)
            | Self::DependentRequired(_)
            | Self::Pattern(_)
            | Self::Format(_)
            | Self::UniqueItems
            | Self::Properties(_)
            | Self::PropertyNames(_)
            | Self::Items { .. }
            | Self::Contains { .. }
            | Self::DependentSchemas(_)
            | Self::Not(_)
            | Self::If { .. }
            | Self::UnevaluatedProperties(_)
            | Self::UnevaluatedItems(_) => &[],
        }
    }

    /// Whether its value holds schemas.
    pub(super) const fn has_subschemas(&self) -> bool {
        match self {
            Self::Type(..)
            | Self::Const(_)
            | Self::Enum(_)
            | Self::Bound(..)
            | Self::MultipleOf(_)
            | Self::Length(..)
            | Self::Required(_)
            | Self::DependentRequired(_)
            | Self::Pattern(_)
            | Self::Format(_)
            | Self::UniqueItems => false,
            Self::Properties(_)
            | Self::PropertyNames(_)
            | Self::Items { .. }
            | Self::Contains { .. }
            | Self::DependentSchemas(_)
            | Self::AllOf(_)
            | Self::AnyOf(_)
            | Self::OneOf(_)
            | Self::Not(_)
            | Self::If { .. }
            | Self::UnevaluatedProperties(_)
            | Self::UnevaluatedItems(_)
            | Self::Reference(_) => true,
        }
    }
}
