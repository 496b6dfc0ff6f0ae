//! Forms: the fields of an encoded or multipart body, and the object with these fields.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::{
    Violation,
    coerce::coerce,
    style::{Pairs, ParameterStyle, decode_form},
};
use crate::{
    budget::{Budget, Exhausted},
    openapi::{
        DocumentNode,
        api::SerializationStyle,
        validator::{AllowedTypes, Shape, ShapeLayers},
    },
};

/// Reserved characters (RFC 3986, section 2.2), without the plus sign, which is a space in a form.
const RESERVED: &[char] = &['/', '?', '#', '[', ']', '@', '!', '$', '&', '\'', '(', ')', '*', ',', ';', '='];
/// Bound on the parts of one multipart body.
pub(super) const MAX_PARTS: usize = 1_000;

/// Parses the fields of a multipart body (RFC 7578; RFC 2046, section 5.1); `None` if there are more than
/// [`MAX_PARTS`]. Values are percent-encoded so far that the decoding of forms restores them.
pub(super) fn parse_multipart(body: &str, boundary: &str) -> Option<Vec<(String, String)>> {
    let delimiter = format!("--{boundary}");
    let mut fields = Vec::new();
    for (n, part) in body.split(delimiter.as_str()).skip(1).enumerate() {
        if part.starts_with("--") {
            break;
        }
        if n == MAX_PARTS {
            return None;
        }
        let part = part.trim_start_matches([' ', '\t']);
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n')).unwrap_or(part);
        let Some((head, content)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else {
            continue;
        };
        let content = content.strip_suffix("\r\n").or_else(|| content.strip_suffix('\n')).unwrap_or(content);
        if let Some(name) = head.lines().find_map(field_name) {
            fields.push((name, escape(content)));
        }
    }
    Some(fields)
}

/// The name of a field in a `Content-Disposition` line.
fn field_name(line: &str) -> Option<String> {
    let (field, value) = line.split_once(':')?;
    if !field.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    value.split(';').skip(1).find_map(|parameter| {
        let (key, name) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("name").then(|| name.trim().trim_matches('"').to_owned())
    })
}

/// Violations of `allowReserved: false`.
pub(super) fn find_reserved(fields: &Pairs<'_>, encoding: Option<&DocumentNode>) -> Vec<Violation> {
    let rules = encoding.into_iter().flat_map(DocumentNode::entries);
    let strict = rules.filter(|(_, rule)| rule.flag("allowReserved") == Some(false));
    strict
        .filter(|(name, _)| fields.texts(name).iter().any(|text| text.contains(RESERVED)))
        .map(|(name, _)| Violation {
            location: vec!["body".to_owned(), name.to_owned()],
            code: None,
            message: "Reserved characters used in request body".to_owned(),
            challenges: Vec::new(),
        })
        .collect()
}

/// Parses the fields to an object, with values of the types that the schema asks for.
pub(super) fn parse_object(
    fields: &Pairs<'_>,
    shape: Option<Shape<'_>>,
    encoding: Option<&DocumentNode>,
    budget: &Budget,
) -> Result<Json, Exhausted> {
    let layers = shape.map(|shape| shape.layers(budget)).transpose()?;
    let declared = layers.as_ref().map(ShapeLayers::properties).unwrap_or_default();
    let property = |name: &str| layers.as_ref().and_then(|layers| layers.property(name));
    let mut members = Map::new();
    for name in &declared {
        budget.spend(1 + layers.as_ref().map_or(0, ShapeLayers::count))?;
        let property = property(name);
        let rule = encoding.and_then(|rules| rules.get(name));
        let style =
            rule.as_ref().and_then(|rule| rule.text("style")).map_or(SerializationStyle::Form, parse_style);
        let explode =
            rule.as_ref().and_then(|rule| rule.flag("explode")).unwrap_or(style == SerializationStyle::Form);
        let types = property.map(Shape::types).unwrap_or_default();
        // An object in a form is JSON, unless the document declares a style.
        let types = if types.allows_objects() && rule.is_none() { AllowedTypes::default() } else { types };
        let properties = match property {
            Some(property) if types.allows_objects() => property.layers(budget)?.properties(),
            _ => Vec::new(),
        };
        let parameter = ParameterStyle { name, style, explode, types, properties: &properties };
        if let Some(value) = parameter.parse_from_pairs(fields, budget)? {
            members.insert((*name).to_owned(), value);
        }
    }
    if members.is_empty() && !fields.is_empty() {
        // None of the fields is declared, so a declared list counts as present with a wrong value, not as missing.
        let lists =
            declared.iter().filter(|name| property(name).is_some_and(|shape| shape.types().allows_arrays()));
        members.extend(lists.map(|name| ((*name).to_owned(), Json::from(""))));
    }
    let declared: HashSet<&str> = declared.into_iter().collect();
    for (name, text) in fields.iter() {
        budget.spend(1)?;
        if !declared.contains(name.as_str()) && !name.contains('[') {
            budget.allocate(text.len())?;
            members.insert(name.clone(), decode_form(text).into());
        }
    }
    match shape {
        Some(shape) => coerce(shape, members.into(), budget),
        None => Ok(members.into()),
    }
}

fn escape(text: &str) -> String {
    const ALL: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%').add(b'+');
    percent_encoding::utf8_percent_encode(text, ALL).to_string()
}

fn parse_style(name: &str) -> SerializationStyle {
    match name {
        "spaceDelimited" => SerializationStyle::SpaceDelimited,
        "pipeDelimited" => SerializationStyle::PipeDelimited,
        "tabDelimited" => SerializationStyle::TabDelimited,
        "deepObject" => SerializationStyle::DeepObject,
        _ => SerializationStyle::Form,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_support, *};

    fn pairs(fields: &[(String, String)]) -> Pairs<'_> {
        Pairs::new(fields.iter().map(|(name, text)| (name.clone(), text.as_str())).collect())
    }

    #[track_caller]
    fn parse(fields: &Pairs<'_>, schema: &Json) -> Json {
        let validator = test_support::validator(schema);
        parse_object(fields, Some(validator.shape()), None, &test_support::budget()).unwrap()
    }

    #[test]
    fn parts_of_a_multipart_body_are_fields() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n5\r\n\
                    --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a;b\"\r\n\
                    Content-Type: text/plain\r\n\r\na\r\n\r\nb%+\r\n--x--\r\nrest";
        let fields = parse_multipart(body, "x").unwrap();
        assert_eq!(
            fields,
            [("id".to_owned(), "5".to_owned()), ("file".to_owned(), "a%0D%0A%0D%0Ab%25%2B".to_owned())]
        );
        let schema = json!({"properties": {"id": {"type": "integer"}, "file": {"type": "string"}}});
        assert_eq!(parse(&pairs(&fields), &schema), json!({"id": 5, "file": "a\r\n\r\nb%+"}));
    }

    #[test]
    fn a_body_with_too_many_parts_is_not_parsed() {
        let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n5\r\n";
        assert!(parse_multipart(&(part.repeat(MAX_PARTS) + "--x--"), "x").is_some());
        assert_eq!(parse_multipart(&(part.repeat(MAX_PARTS + 1) + "--x--"), "x"), None);
    }

    #[track_caller]
    fn check(body: &str, schema: &Json, expected: &Json) {
        let fields = Pairs::parse(body, &test_support::budget()).unwrap();
        assert_eq!(parse(&fields, schema), *expected, "{body}");
    }

    #[test]
    fn an_encoded_form_is_an_object() {
        let schema = json!({"properties": {
            "n": {"type": "integer"},
            "list": {"type": "array", "items": {"type": "integer"}},
            "object": {"type": "object"},
        }});
        check("n=1&list=2&list=3&x=a+b", &schema, &json!({"n": 1, "list": [2, 3], "x": "a b"}));
        check("object=%7B%22a%22:1%7D", &schema, &json!({"object": {"a": 1}}));
        check("nothing=1", &schema, &json!({"list": "", "nothing": "1"}));
        check("", &schema, &json!({}));
    }
}
