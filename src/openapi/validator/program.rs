//! A schema compiled: its subschemas by number, the keywords of each in the order in which they are evaluated.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{equality::Keys, format::Format, pattern::Pattern, value::AllowedTypes};

/// The number of a schema.
pub(super) type Id = u32;
/// Texts of a list.
pub(super) type Texts = Box<[Box<str>]>;
/// Names in the order of the document.
pub(super) type Names<T> = IndexMap<Box<str>, T, Keys>;

/// All schemas of a bundle; the first is the root.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) schemas: Vec<Schema>,
    pub(super) patterns: Vec<Arc<Pattern>>,
    pub(super) formats: Vec<Format>,
    pub(super) keys: Keys,
    /// Whether `unevaluatedProperties` or `unevaluatedItems` stand anywhere: they ask about schemas again that were
    /// evaluated before.
    pub(super) asks_again: bool,
}

/// One schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// The schema `false`.
    pub(super) is_false: bool,
    pub(super) keywords: Vec<Keyword>,
    /// Whether several schemas refer to it and it has subschemas, so that results are worth keeping.
    pub(super) keeps_results: bool,
    /// What it and the schemas that it is made of say about types.
    pub(super) types: AllowedTypes,
}

/// A keyword with its value.
#[derive(Debug)]
pub(super) enum Keyword {
    /// The types, and their names joined by commas.
    Type(AllowedTypes, Box<str>),
    Const(Box<Json>),
    Enum(Box<Enumeration>),
    /// A bound of numbers.
    Bound(Bound, Box<str>),
    MultipleOf(Box<str>),
    /// A bound of lengths.
    Length(Length, u64),
    Required(Texts),
    DependentRequired(Box<[(Box<str>, Texts)]>),
    Pattern(u32),
    Format(u32),
    UniqueItems,
    Members(Box<Members>),
    PropertyNames(Id),
    Items {
        first: Box<[Id]>,
        rest: Option<Id>,
    },
    Contains {
        schema: Id,
        least: u64,
        most: Option<u64>,
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

/// A bound of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

/// A bound of lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    LeastCharacters,
    MostCharacters,
    LeastItems,
    MostItems,
    LeastMembers,
    MostMembers,
}

/// The values of `enum`, found by their hash.
#[derive(Debug)]
pub(super) struct Enumeration {
    pub(super) values: Vec<Json>,
    pub(super) by_hash: HashMap<u64, Vec<u32>, Keys>,
}

/// `properties`, `patternProperties` and `additionalProperties`.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) properties: Names<Id>,
    pub(super) patterns: Vec<(u32, Id)>,
    pub(super) additional: Option<Id>,
    /// Whether `additionalProperties` is `false`, so that names are told.
    pub(super) closed: bool,
    /// Whether there is `properties`, be it empty.
    pub(super) named: bool,
}

impl Program {
    /// The schema of a number.
    pub(super) fn schema(&self, id: Id) -> &Schema {
        // Numbers are handed out with the schemas that they are of.
        &self.schemas[id as usize]
    }

    /// How many schemas there are.
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
            | Self::Members(_)
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
            Self::Members(_)
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
