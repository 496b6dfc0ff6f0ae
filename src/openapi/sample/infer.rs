//! Inference of the kind of value from the keywords of a schema, and the keywords that need a test of the whole value.

use super::{layers::SchemaLayers, merged_rules::ValueKind, place::SamplePlace};
use crate::{document::Value, openapi::keywords::SchemaKeyword};

/// The role of a keyword in the making of a value.
struct KeywordRole {
    /// The kind of value that it suggests where `type` is missing.
    suggests: Option<ValueKind>,
    /// Whether a collection has to be tested as a whole, because its parts alone do not show that the keyword holds.
    needs_whole_test: bool,
}

const fn role(keyword: SchemaKeyword) -> KeywordRole {
    let (suggests, needs_whole_test) = match keyword {
        SchemaKeyword::Properties
        | SchemaKeyword::Required
        | SchemaKeyword::AdditionalProperties
        | SchemaKeyword::MaxProperties
        | SchemaKeyword::Discriminator => (Some(ValueKind::Object), false),
        SchemaKeyword::MinProperties
        | SchemaKeyword::PatternProperties
        | SchemaKeyword::PropertyNames
        | SchemaKeyword::DependentRequired
        | SchemaKeyword::DependentSchemas
        | SchemaKeyword::UnevaluatedProperties => (Some(ValueKind::Object), true),
        SchemaKeyword::Items
        | SchemaKeyword::PrefixItems
        | SchemaKeyword::MinItems
        | SchemaKeyword::MaxItems => (Some(ValueKind::Array), false),
        SchemaKeyword::UniqueItems | SchemaKeyword::Contains => (Some(ValueKind::Array), true),
        SchemaKeyword::Minimum
        | SchemaKeyword::Maximum
        | SchemaKeyword::ExclusiveMinimum
        | SchemaKeyword::ExclusiveMaximum
        | SchemaKeyword::MultipleOf => (Some(ValueKind::Number), false),
        SchemaKeyword::Pattern
        | SchemaKeyword::MinLength
        | SchemaKeyword::MaxLength
        | SchemaKeyword::Format
        | SchemaKeyword::ContentEncoding
        | SchemaKeyword::ContentMediaType => (Some(ValueKind::String), false),
        SchemaKeyword::AnyOf
        | SchemaKeyword::OneOf
        | SchemaKeyword::Not
        | SchemaKeyword::If
        | SchemaKeyword::Enum
        | SchemaKeyword::Const
        | SchemaKeyword::Dependencies
        | SchemaKeyword::UnevaluatedItems => (None, true),
        SchemaKeyword::Schema
        | SchemaKeyword::Vocabulary
        | SchemaKeyword::Id
        | SchemaKeyword::Anchor
        | SchemaKeyword::DynamicAnchor
        | SchemaKeyword::Ref
        | SchemaKeyword::DynamicRef
        | SchemaKeyword::Defs
        | SchemaKeyword::Definitions
        | SchemaKeyword::Comment
        | SchemaKeyword::AllOf
        | SchemaKeyword::Then
        | SchemaKeyword::Else
        | SchemaKeyword::AdditionalItems
        | SchemaKeyword::Type
        | SchemaKeyword::MaxContains
        | SchemaKeyword::MinContains
        | SchemaKeyword::ContentSchema
        | SchemaKeyword::Title
        | SchemaKeyword::Description
        | SchemaKeyword::Default
        | SchemaKeyword::Deprecated
        | SchemaKeyword::ReadOnly
        | SchemaKeyword::WriteOnly
        | SchemaKeyword::Example
        | SchemaKeyword::Examples
        | SchemaKeyword::Xml
        | SchemaKeyword::ExternalDocs
        | SchemaKeyword::Nullable
        | SchemaKeyword::XNullable => (None, false),
    };
    KeywordRole { suggests, needs_whole_test }
}

fn roles(layers: &SchemaLayers) -> impl Iterator<Item = KeywordRole> {
    let names = layers.all.iter().flat_map(|layer| layer.schema.value.entries());
    names.filter_map(|(name, _)| SchemaKeyword::named(name)).map(role)
}

/// Whether a collection has to be tested as a whole.
pub(super) fn needs_whole_test(layers: &SchemaLayers) -> bool {
    roles(layers).any(|role| role.needs_whole_test)
}

/// The kind of value that the keywords suggest where `type` is missing.
pub(super) fn infer_kind(layers: &SchemaLayers, place: &SamplePlace<'_>) -> ValueKind {
    let suggested: Vec<ValueKind> = roles(layers).filter_map(|role| role.suggests).collect();
    let is_number_format = |format: &Value| {
        format.as_str().is_some_and(|format| ["int32", "int64", "float", "double"].contains(&format))
    };
    if suggested.contains(&ValueKind::Object) {
        ValueKind::Object
    } else if suggested.contains(&ValueKind::Array) {
        ValueKind::Array
    } else if suggested.contains(&ValueKind::Number)
        || layers.values(SchemaKeyword::Format.name()).any(is_number_format)
    {
        ValueKind::Number
    } else if suggested.contains(&ValueKind::String) {
        ValueKind::String
    } else if place.is_root() {
        ValueKind::Object
    } else {
        ValueKind::Null
    }
}
