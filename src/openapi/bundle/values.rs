//! Values of single keywords, in the form that JSON Schema 2020-12 gives them.

use serde_json::{Map, Value as Json, json};

use crate::{
    document::Value,
    openapi::{DocumentNode, keywords::SchemaKeyword},
};

/// What `format: byte` looks like. (Prism reads it so; the text is part of its violations.)
pub(super) const BYTE: &str = r"^[\w\d+\/=]*$";

pub(super) fn number(value: &Value, keyword: SchemaKeyword) -> Option<Json> {
    let Value::Number(_) = value else { return None };
    let lawful = keyword != SchemaKeyword::MultipleOf || value.as_f64().is_some_and(|it| it > 0.0);
    lawful.then(|| value.into())
}

pub(super) fn count(value: &Value) -> Option<Json> {
    let whole = value.as_f64().filter(|it| *it >= 0.0 && it.fract() == 0.0)?;
    // A bound beyond this one is none.
    value.as_i64().map(Json::from).or_else(|| (whole > 0.0).then(|| json!(i64::MAX)))
}

pub(super) fn names_by_key(value: &Value) -> Json {
    let lists = value.entries().filter_map(|(key, names)| {
        let mut list: Vec<&str> = names.as_sequence()?.iter().filter_map(Value::as_str).collect();
        list.sort_unstable();
        list.dedup();
        Some((key.to_owned(), Json::from(list)))
    });
    lists.collect::<Map<String, Json>>().into()
}

/// Before 3.1 `exclusiveMinimum` was a flag beside `minimum`.
pub(super) fn bounds(out: &mut Map<String, Json>, schema: &DocumentNode) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if schema.flag(flag) == Some(true)
            && let Some(limit) = out.remove(bound)
        {
            out.insert(flag.to_owned(), limit);
        }
    }
}

pub(super) fn byte(out: &mut Map<String, Json>) {
    if out.get("format").is_some_and(|it| it == "byte") && !out.contains_key("pattern") {
        let format = out.remove("format");
        out.insert("pattern".to_owned(), BYTE.into());
        out.extend(format.map(|it| ("format".to_owned(), it)));
    }
}
