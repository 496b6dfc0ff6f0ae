//! Test that the compiler supports every keyword of a bundle.

use serde_json::json;

use super::*;
use crate::openapi::keywords::{AppliedTo, KeywordOperand, SchemaKeyword};

/// A value that a keyword takes.
fn operand(keyword: SchemaKeyword) -> Json {
    match keyword.operand() {
        KeywordOperand::Schema(_) | KeywordOperand::SchemaOrSchemas => json!({"type": "null"}),
        KeywordOperand::Schemas(_) => json!([{"type": "null"}]),
        KeywordOperand::SchemasByName(_) => json!({"a": {"type": "null"}}),
        KeywordOperand::Reference => json!("#/T"),
        KeywordOperand::Number | KeywordOperand::NumberOrFlag | KeywordOperand::Count => json!(2),
        KeywordOperand::Text if keyword == SchemaKeyword::Format => json!("date"),
        KeywordOperand::Text => json!("^a"),
        KeywordOperand::Flag => json!(true),
        KeywordOperand::Names => json!(["a"]),
        KeywordOperand::NamesByName | KeywordOperand::SchemasOrNamesByName => json!({"a": ["b"]}),
        KeywordOperand::Types => json!("null"),
        KeywordOperand::Value | KeywordOperand::Object => json!({}),
        KeywordOperand::Values => json!([1]),
    }
}

/// The keywords of the compiled root.
fn compiled(schema: &Json) -> String {
    let document = json!({"openapi": "3.1.0", "schema": schema, "T": {"type": "null"}});
    let validator = validator(&document.to_string());
    format!("{:?}", validator.program.schemas[0].keywords)
}

#[test]
fn every_keyword_that_a_validator_needs_is_compiled() {
    for keyword in SchemaKeyword::ALL {
        let mut schema = serde_json::Map::new();
        // Keywords that only have a meaning beside another one.
        match keyword {
            SchemaKeyword::Then | SchemaKeyword::Else => drop(schema.insert("if".to_owned(), json!(true))),
            SchemaKeyword::MinContains | SchemaKeyword::MaxContains => {
                schema.insert("contains".to_owned(), json!(true));
            }
            SchemaKeyword::AdditionalItems => drop(schema.insert("items".to_owned(), json!([true]))),
            _ => (),
        }
        let without = compiled(&Json::Object(schema.clone()));
        schema.insert(keyword.name().to_owned(), operand(*keyword));
        let with = compiled(&Json::Object(schema));
        let is_annotation = match keyword {
            SchemaKeyword::Schema
            | SchemaKeyword::Vocabulary
            | SchemaKeyword::Id
            | SchemaKeyword::Anchor
            | SchemaKeyword::DynamicAnchor
            | SchemaKeyword::Comment
            | SchemaKeyword::ContentEncoding
            | SchemaKeyword::ContentMediaType
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
            | SchemaKeyword::ExternalDocs
            // Of earlier specifications; a 3.1 document ignores them.
            | SchemaKeyword::Nullable
            | SchemaKeyword::XNullable => true,
            _ => matches!(
                keyword.operand(),
                KeywordOperand::Schema(AppliedTo::Content) | KeywordOperand::SchemasByName(AppliedTo::Nothing)
            ),
        };
        assert_eq!(with == without, is_annotation, "{}", keyword.name());
    }
}
