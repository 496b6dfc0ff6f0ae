//! Conversion of strings in parameters and forms to the types of their schema: `"5"` to 5 for a number.

use serde_json::{Map, Number, Value as Json};

use super::json;
use crate::{
    budget::{Budget, Exhausted},
    openapi::validator::{AllowedTypes, Shape},
};

/// Converts the strings in a value to the types that the schema allows; strings that cannot be converted stay.
pub(super) fn coerce(shape: Shape<'_>, value: Json, budget: &Budget) -> Result<Json, Exhausted> {
    budget.spend(1)?;
    let types = shape.types();
    match value {
        Json::String(text) if !types.allows_strings() => convert(text, types, budget),
        Json::Array(items) => {
            let _level = budget.descend()?;
            let layers = shape.layers(budget)?;
            let item = |(n, item)| {
                budget.spend(layers.count())?;
                match layers.item(n) {
                    Some(shape) => coerce(shape, item, budget),
                    None => Ok(item),
                }
            };
            items.into_iter().enumerate().map(item).collect()
        }
        // `a[0]=x` is an item of a list if the schema asks for one.
        Json::Object(members)
            if types.allows_arrays()
                && !types.allows_objects()
                && members.keys().all(|name| is_index(name)) =>
        {
            let items = members.into_iter().map(|(_, item)| item).collect();
            coerce(shape, items, budget)
        }
        Json::Object(members) => {
            let _level = budget.descend()?;
            let layers = shape.layers(budget)?;
            let member = |(name, value): (String, Json)| {
                budget.spend(layers.count())?;
                let value = match layers.property(&name) {
                    Some(shape) => coerce(shape, value, budget)?,
                    None => value,
                };
                Ok((name, value))
            };
            members.into_iter().map(member).collect::<Result<Map<_, _>, _>>().map(Json::Object)
        }
        other => Ok(other),
    }
}

fn is_index(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn convert(text: String, types: AllowedTypes, budget: &Budget) -> Result<Json, Exhausted> {
    budget.spend(text.len() as u64 / 16)?;
    if types.allows_numbers()
        && let Some(number) = parse_number(text.trim())
    {
        return Ok(Json::Number(number));
    }
    if types.allows_booleans()
        && let Ok(truth) = text.parse::<bool>()
    {
        return Ok(Json::Bool(truth));
    }
    if types.allows_null() && (text.is_empty() || text == "null") {
        return Ok(Json::Null);
    }
    if types.allows_arrays() || types.allows_objects() {
        // A list or an object in a part of a form is JSON. (OpenAPI 3.0.3, "Special Considerations for
        // multipart Content".)
        match json::parse(text.as_bytes(), budget)? {
            Ok(json @ Json::Array(_)) if types.allows_arrays() => return Ok(json),
            Ok(json @ Json::Object(_)) if types.allows_objects() => return Ok(json),
            _ => (),
        }
    }
    Ok(Json::String(text))
}

fn parse_number(text: &str) -> Option<Number> {
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return Some(number);
    }
    // JavaScript, and so Prism, reads `+5` and `05` as numbers.
    let is_decimal =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    if !is_decimal {
        return None;
    }
    text.parse::<i64>().ok().map(Number::from).or_else(|| Number::from_f64(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_support, *};

    #[track_caller]
    fn check(schema: &Json, value: Json, expected: &Json) {
        let validator = test_support::validator(schema);
        let found = coerce(validator.shape(), value, &test_support::budget());
        assert_eq!(found.as_ref(), Ok(expected), "{schema}");
    }

    #[test]
    fn strings_are_converted_to_the_types_of_the_schema() {
        check(&json!({"type": "integer"}), json!("5"), &json!(5));
        check(&json!({"type": "number"}), json!("-1.50"), &serde_json::from_str("-1.50").unwrap());
        check(&json!({"type": "integer"}), json!("+05"), &json!(5));
        check(&json!({"type": "integer"}), json!("old"), &json!("old"));
        check(&json!({"type": "boolean"}), json!("true"), &json!(true));
        check(&json!({"type": ["integer", "null"]}), json!(""), &json!(null));
        check(&json!({"type": ["string", "integer"]}), json!("5"), &json!("5"));
        check(&json!({}), json!("5"), &json!("5"));
        check(&json!({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}), json!("5"), &json!(5));
        check(&json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}), json!("5"), &json!(5));
        check(&json!({"items": {"type": "integer"}}), json!(["5", "x"]), &json!([5, "x"]));
        check(
            &json!({"properties": {"a": {"type": "integer"}}}),
            json!({"a": "5", "b": "5"}),
            &json!({"a": 5, "b": "5"}),
        );
        check(
            &json!({"type": "array", "items": {"type": "integer"}}),
            json!({"0": "5", "1": "6"}),
            &json!([5, 6]),
        );
        check(&json!({"type": "object"}), json!("{\"a\":1}"), &json!({"a": 1}));
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_evaluated_once() {
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}});
        check(&schema, json!("5"), &json!("5"));
        let validator = test_support::validator(&schema);
        assert!(validator.shape().layers(&test_support::budget()).unwrap().properties().is_empty());
    }
}
