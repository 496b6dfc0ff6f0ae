//! Forms: the fields of an encoded or a multipart body, and the object that they make up.

use serde_json::{Map, Value as Json};

use super::{
    Violation,
    coerce::Place,
    style::{Pair, Written, decoded_form, pairs},
};
use crate::openapi::{Node, api::Style};

/// Characters that RFC 3986 reserves (section 2.2). A plus sign is a space in a form.
const RESERVED: &[char] = &['/', '?', '#', '[', ']', '@', '!', '$', '&', '\'', '(', ')', '*', ',', ';', '='];
/// More parts than this in one multipart body are not read.
const PARTS: usize = 1_000;

/// The fields of an encoded form.
pub(super) fn encoded(body: &str) -> Vec<(String, String)> {
    pairs(body).into_iter().map(|(name, text)| (name, text.to_owned())).collect()
}

/// The fields of a multipart body, each percent-encoded where it has to be to stay as it is.
/// (RFC 7578; RFC 2046, section 5.1.)
pub(super) fn multipart(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let delimiter = format!("--{boundary}");
    let mut fields = Vec::new();
    for part in text.split(delimiter.as_str()).skip(1).take(PARTS) {
        if part.starts_with("--") {
            break;
        }
        let part = part.trim_start_matches([' ', '\t']);
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n')).unwrap_or(part);
        let Some((head, content)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else {
            continue;
        };
        let content = content.strip_suffix("\r\n").or_else(|| content.strip_suffix('\n')).unwrap_or(content);
        if let Some(name) = head.lines().find_map(field_name) {
            fields.push((name, content.to_owned()));
        }
    }
    fields
}

/// The name in a `Content-Disposition`.
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

/// How fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Percent-encoded, a plus sign for a space.
    Encoded,
    /// As they are.
    Multipart,
}

/// The violations of what `encoding` says of characters.
pub(super) fn reserved(fields: &[(String, String)], encoding: Option<&Node>) -> Vec<Violation> {
    let told = encoding.into_iter().flat_map(Node::entries);
    let strict = told.filter(|(_, it)| it.flag("allowReserved") == Some(false));
    strict
        .filter(|(name, _)| fields.iter().any(|(field, text)| field == name && text.contains(RESERVED)))
        .map(|(name, _)| Violation {
            location: vec!["body".to_owned(), name.to_owned()],
            code: None,
            message: "Reserved characters used in request body".to_owned(),
            challenges: Vec::new(),
        })
        .collect()
}

/// The object that the fields make up, its texts as what the schema wants.
pub(super) fn value(fields: &[(String, String)], kind: Kind, bundle: &Json, encoding: Option<&Node>) -> Json {
    let place = Place::root(bundle);
    let declared = place.properties();
    // What is sent as it is stays so: it is encoded once, since what follows decodes it.
    let raw: Vec<(String, String)> = match kind {
        Kind::Encoded => Vec::new(),
        Kind::Multipart => fields.iter().map(|(name, text)| (name.clone(), escaped(text))).collect(),
    };
    let fields = if kind == Kind::Encoded { fields } else { &raw };
    let pairs: Vec<Pair<'_>> = fields.iter().map(|(name, text)| (name.clone(), text.as_str())).collect();
    let mut members = Map::new();
    let mut used: Vec<&str> = Vec::new();
    for name in &declared {
        let property = place.property(name);
        let said = encoding.and_then(|it| it.get(name));
        let style = said.as_ref().and_then(|it| it.text("style")).map_or(Style::Form, style);
        let explode = said.as_ref().and_then(|it| it.flag("explode")).unwrap_or(style == Style::Form);
        let types = property.map(Place::types).unwrap_or_default();
        // An object in a form is JSON, unless a style is given.
        let types = if types.object() && said.is_none() { Place::root(&Json::Null).types() } else { types };
        let properties = property.map(Place::properties).unwrap_or_default();
        let written = Written { name, style, explode, types, properties: &properties };
        if let Some(value) = written.among(&pairs) {
            members.insert(name.clone(), value);
            used.push(name);
        }
    }
    if members.is_empty() && !pairs.is_empty() {
        // Nothing of what was sent is known, so a list that is wanted was written wrong rather than left out.
        let lists = declared.iter().filter(|it| place.property(it).is_some_and(|it| it.types().array()));
        members.extend(lists.map(|it| (it.clone(), Json::from(""))));
    }
    for (name, text) in &pairs {
        let known = used.contains(&name.as_str()) || declared.contains(name) || name.contains('[');
        if !known {
            members.insert(name.clone(), decoded_form(text).into());
        }
    }
    place.coerce(members.into())
}

fn escaped(text: &str) -> String {
    const ALL: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%').add(b'+');
    percent_encoding::utf8_percent_encode(text, ALL).to_string()
}

fn style(word: &str) -> Style {
    match word {
        "spaceDelimited" => Style::SpaceDelimited,
        "pipeDelimited" => Style::PipeDelimited,
        "tabDelimited" => Style::TabDelimited,
        "deepObject" => Style::DeepObject,
        _ => Style::Form,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_a_multipart_body_are_fields() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n5\r\n\
                    --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a;b\"\r\n\
                    Content-Type: text/plain\r\n\r\na\r\n\r\nb%+\r\n--x--\r\nrest";
        let fields = multipart(body.as_bytes(), "x");
        assert_eq!(
            fields,
            [("id".to_owned(), "5".to_owned()), ("file".to_owned(), "a\r\n\r\nb%+".to_owned())]
        );
        let schema = json!({"properties": {"id": {"type": "integer"}, "file": {"type": "string"}}});
        let found = value(&fields, Kind::Multipart, &schema, None);
        assert_eq!(found, json!({"id": 5, "file": "a\r\n\r\nb%+"}));
    }

    #[track_caller]
    fn check(body: &str, schema: &Json, expected: &Json) {
        assert_eq!(value(&encoded(body), Kind::Encoded, schema, None), *expected, "{body}");
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
