//! Tests of bundles of schemas of every version.

use std::time::Duration;

use super::{values::BYTE_PATTERN, *};
use crate::{
    budget::WorkLimits,
    document::{Dialect, read},
    openapi::LibraryLocation,
};

#[track_caller]
fn check(version: &str, schema: &str, expected: &Json) {
    let text = format!(
        "{{openapi: {version}, schema: {schema}, T: {{type: string}}, L: {{allOf: [{{$ref: '#/L'}}]}}, \
         R: {{properties: {{again: {{$ref: '#/R'}}}}}}}}"
    );
    let document = read(&text, Dialect::Specification).unwrap();
    let (library, _) = DocumentLibrary::new(document.value, &LibraryLocation::alone());
    let schema = library.root().get("schema").unwrap();
    let limits = WorkLimits { steps: 1 << 20, bytes: 0, depth: 0, time: Duration::from_mins(10) };
    let bundle = SchemaBundle::new(&library, &schema, Direction::Request, &Budget::new(limits)).unwrap();
    assert_eq!(bundle.schema, *expected, "{text}");
}

#[test]
fn every_version_is_translated_to_2020_12() {
    check(
        "3.0.3",
        "{type: string, nullable: true, enum: [a]}",
        &json!({"type": ["string", "null"], "enum": ["a", null]}),
    );
    check("3.0.3", "{minimum: 1, exclusiveMinimum: true}", &json!({"exclusiveMinimum": 1}));
    check("3.0.3", "{maximum: 1, exclusiveMaximum: false}", &json!({"maximum": 1}));
    check("3.1.0", "{exclusiveMinimum: 1}", &json!({"exclusiveMinimum": 1}));
    check(
        "3.1.0",
        "{items: [true, false], additionalItems: false}",
        &json!({"prefixItems": [true, false], "items": false}),
    );
    check("3.0.3", "{format: byte}", &json!({"pattern": BYTE_PATTERN, "format": "byte"}));
}

#[test]
fn invalid_keywords_are_left_out() {
    check(
        "3.0.3",
        "{type: colour, minimum: x, required: true, enum: [], pattern: 5, maxLength: -1}",
        &json!({}),
    );
    check(
        "3.0.3",
        "{multipleOf: 0, uniqueItems: 1, properties: [], allOf: [], items: 3}",
        &json!({"items": true}),
    );
    check("3.0.3", "{$ref: '#/nowhere'}", &json!(true));
}

#[test]
fn references_are_bundled_and_cycles_removed() {
    check(
        "3.0.3",
        "{$ref: '#/T', maxLength: 1}",
        &json!({"$ref": "#/$defs/s1", "$defs": {"s1": {"type": "string"}}}),
    );
    check(
        "3.1.0",
        "{$ref: '#/T', maxLength: 1}",
        &json!({"$ref": "#/$defs/s1", "maxLength": 1, "$defs": {"s1": {"type": "string"}}}),
    );
    check("3.0.3", "{$ref: '#/L'}", &json!({"$ref": "#/$defs/s1", "$defs": {"s1": true}}));
    check(
        "3.0.3",
        "{$ref: '#/R'}",
        &json!({"$ref": "#/$defs/s1", "$defs": {"s1": {"properties": {"again": {"$ref": "#/$defs/s1"}}}}}),
    );
}

#[test]
fn properties_of_the_other_direction_are_not_required() {
    check(
        "3.0.3",
        "{required: [id, name], properties: {id: {readOnly: true}}}",
        &json!({"required": ["name"], "properties": {"id": {}}}),
    );
}

/// Treatment of a keyword by the bundle.
#[derive(PartialEq)]
enum Treatment {
    Copied,
    /// Written as another keyword, or with another operand.
    Translated,
    /// Not needed by a validator.
    LeftOut,
}

fn treatment(keyword: SchemaKeyword) -> Treatment {
    match keyword {
        SchemaKeyword::Maximum
        | SchemaKeyword::Minimum
        | SchemaKeyword::ExclusiveMaximum
        | SchemaKeyword::ExclusiveMinimum
        | SchemaKeyword::MultipleOf
        | SchemaKeyword::MaxLength
        | SchemaKeyword::MinLength
        | SchemaKeyword::Pattern
        | SchemaKeyword::Format
        | SchemaKeyword::Not
        | SchemaKeyword::AnyOf
        | SchemaKeyword::OneOf
        | SchemaKeyword::AllOf
        | SchemaKeyword::If
        | SchemaKeyword::Then
        | SchemaKeyword::Else
        | SchemaKeyword::MaxItems
        | SchemaKeyword::MinItems
        | SchemaKeyword::UniqueItems
        | SchemaKeyword::PrefixItems
        | SchemaKeyword::Items
        | SchemaKeyword::Contains
        | SchemaKeyword::MinContains
        | SchemaKeyword::MaxContains
        | SchemaKeyword::MaxProperties
        | SchemaKeyword::MinProperties
        | SchemaKeyword::Required
        | SchemaKeyword::DependentRequired
        | SchemaKeyword::DependentSchemas
        | SchemaKeyword::PropertyNames
        | SchemaKeyword::AdditionalProperties
        | SchemaKeyword::Properties
        | SchemaKeyword::PatternProperties
        | SchemaKeyword::UnevaluatedItems
        | SchemaKeyword::UnevaluatedProperties => Treatment::Copied,
        SchemaKeyword::Ref
        | SchemaKeyword::DynamicRef
        | SchemaKeyword::Type
        | SchemaKeyword::Enum
        | SchemaKeyword::Const
        | SchemaKeyword::Nullable
        | SchemaKeyword::XNullable
        | SchemaKeyword::AdditionalItems
        | SchemaKeyword::Dependencies => Treatment::Translated,
        SchemaKeyword::Schema
        | SchemaKeyword::Vocabulary
        | SchemaKeyword::Id
        | SchemaKeyword::Anchor
        | SchemaKeyword::DynamicAnchor
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
        | SchemaKeyword::ExternalDocs => Treatment::LeftOut,
    }
}

#[test]
fn keywords_that_are_copied_are_listed_once() {
    for keyword in SchemaKeyword::ALL {
        let count = BEFORE_ENUM.iter().chain(AFTER_ENUM).filter(|copied| *copied == keyword).count();
        let expected = usize::from(treatment(*keyword) == Treatment::Copied);
        assert_eq!(count, expected, "{}", keyword.name());
    }
}
