//! Values of single keywords, in the form that JSON Schema 2020-12 gives them.

use serde_json::{Map, Value as Json, json};

use crate::{
    document::Value,
    openapi::{DocumentNode, keywords::SchemaKeyword},
};

/// Pattern of `format: byte`. It is Prism's, because the text is part of the violations.
pub(super) const BYTE_PATTERN: &str = r"^[\w\d+\/=]*$";

/// A number; `multipleOf` has to be positive.
pub(super) fn number(value: &Value, keyword: SchemaKeyword) -> Option<Json> {
    let Value::Number(_) = value else { return None };
    let is_valid = keyword != SchemaKeyword::MultipleOf || value.as_f64().is_some_and(|number| number > 0.0);
    is_valid.then(|| value.into())
}

/// A count, which has to be a whole number.
pub(super) fn count(value: &Value) -> Option<Json> {
    let whole = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0)?;
    // A count beyond `i64::MAX` is as good as that bound.
    value.as_i64().map(Json::from).or_else(|| (whole > 0.0).then(|| json!(i64::MAX)))
}

/// Lists of names by key, sorted and without duplicates.
pub(super) fn names_by_key(value: &Value) -> Json {
    let lists = value.entries().filter_map(|(key, names)| {
        let mut list: Vec<&str> = names.as_sequence()?.iter().filter_map(Value::as_str).collect();
        list.sort_unstable();
        list.dedup();
        Some((key.to_owned(), Json::from(list)))
    });
    lists.collect::<Map<String, Json>>().into()
}

/// Converts the flags `exclusiveMinimum` and `exclusiveMaximum` of OpenAPI 3.0 to bounds.
pub(super) fn convert_exclusive_bounds(out: &mut Map<String, Json>, schema: &DocumentNode) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if schema.flag(flag) == Some(true)
            && let Some(limit) = out.remove(bound)
        {
            out.insert(flag.to_owned(), limit);
        }
    }
}

/// Adds the pattern of `format: byte`, before the format, so that its error comes first.
pub(super) fn add_byte_pattern(out: &mut Map<String, Json>) {
    if out.get(SchemaKeyword::Format.name()).is_some_and(|format| format == "byte")
        && !out.contains_key("pattern")
    {
        let format = out.remove("format");
        out.insert("pattern".to_owned(), BYTE_PATTERN.into());
        out.extend(format.map(|format| ("format".to_owned(), format)));
    }
}
