//! How lists and objects are written in parameters and forms, read back. (OpenAPI 3.0.3, "Style Values";
//! Swagger 2.0, `collectionFormat`.)
//!
//! Texts are split before they are decoded, so that an encoded separator stays a part of its item.

use serde_json::{Map, Value as Json};

use percent_encoding::percent_decode_str;

use super::coerce::Types;
use crate::openapi::api::Style;

/// A name and its text, the text still encoded.
pub(super) type Pair<'a> = (String, &'a str);

/// The pairs of a query or an encoded form.
pub(super) fn pairs(text: &str) -> Vec<Pair<'_>> {
    text.split('&')
        .filter(|it| !it.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded_form(name), value)
        })
        .collect()
}

/// A text without percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A text of a query or a form, where a plus sign is a space.
pub(super) fn decoded_form(text: &str) -> String {
    if text.contains('+') { decoded(&text.replace('+', " ")) } else { decoded(text) }
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    pub(super) name: &'a str,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) types: Types,
    /// The properties of an object, which an exploded one has instead of its name.
    pub(super) properties: &'a [String],
}

impl Written<'_> {
    /// The value among the pairs of a query, of cookies or of a form; nothing if it is not there.
    pub(super) fn among(&self, pairs: &[Pair<'_>]) -> Option<Json> {
        if self.style == Style::DeepObject {
            return deep(self.name, pairs);
        }
        if self.types.object() && self.explode && self.style == Style::Form {
            let members: Map<String, Json> = pairs
                .iter()
                .filter(|(name, _)| self.properties.contains(name))
                .map(|(name, text)| (name.clone(), decoded_form(text).into()))
                .collect();
            return (!members.is_empty()).then(|| members.into());
        }
        let texts: Vec<&str> =
            pairs.iter().filter(|(name, _)| name == self.name).map(|(_, it)| *it).collect();
        let last = *texts.last()?;
        if self.types.array() {
            if self.explode {
                return Some(texts.iter().map(|it| Json::from(decoded_form(it))).collect());
            }
            return Some(list(&split(last, self.style), decoded_form));
        }
        if self.types.object() {
            return Some(object(&split(last, self.style), decoded_form));
        }
        match texts.as_slice() {
            [one] => Some(decoded_form(one).into()),
            several => Some(several.iter().map(|it| Json::from(decoded_form(it))).collect()),
        }
    }

    /// The value that a part of a path or a header is; a path is percent-encoded, a header is not.
    pub(super) fn alone(&self, text: &str, decode: fn(&str) -> String) -> Json {
        let (text, separator) = match self.style {
            Style::Label => (text.strip_prefix('.').unwrap_or(text), if self.explode { '.' } else { ',' }),
            Style::Matrix => return self.matrix(text, decode),
            _ => (text, ','),
        };
        self.separated(text, separator, decode)
    }

    fn separated(&self, text: &str, separator: char, decode: fn(&str) -> String) -> Json {
        let parts: Vec<&str> =
            if text.is_empty() { Vec::new() } else { text.split(separator).map(str::trim).collect() };
        if self.types.array() {
            list(&parts, decode)
        } else if self.types.object() {
            if self.explode { exploded(&parts, decode) } else { object(&parts, decode) }
        } else {
            decode(text).into()
        }
    }

    /// `;color=blue;color=black`, or `;color=blue,black`.
    fn matrix(&self, text: &str, decode: fn(&str) -> String) -> Json {
        let parts: Vec<&str> = text.strip_prefix(';').unwrap_or(text).split(';').collect();
        let named = |part: &&str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name == self.name).then(|| value.to_owned())
        };
        if self.explode && self.types.object() {
            return exploded(&parts, decode);
        }
        let values: Vec<String> = parts.iter().filter_map(named).collect();
        if self.explode && self.types.array() {
            return values.iter().map(|it| Json::from(decode(it))).collect();
        }
        match values.first() {
            Some(value) => self.separated(value, ',', decode),
            None => decode(text).into(),
        }
    }
}

fn split(text: &str, style: Style) -> Vec<&str> {
    let separators: &[&str] = match style {
        Style::SpaceDelimited => &["%20", "+", " "],
        Style::PipeDelimited => &["|", "%7C", "%7c"],
        Style::TabDelimited => &["%09", "\t"],
        _ => &[","],
    };
    let mut parts = vec![text];
    for separator in separators {
        parts = parts.into_iter().flat_map(|it| it.split(separator)).collect();
    }
    parts
}

fn list(parts: &[&str], decode: fn(&str) -> String) -> Json {
    parts.iter().map(|it| Json::from(decode(it))).collect()
}

/// `R,100,G,200`.
fn object(parts: &[&str], decode: fn(&str) -> String) -> Json {
    let members = parts.chunks(2).map(|pair| match pair {
        [name, value] => (decode(name), decode(value).into()),
        [name, ..] => (decode(name), Json::from("")),
        [] => (String::new(), Json::from("")),
    });
    members.collect::<Map<String, Json>>().into()
}

/// `R=100,G=200`.
fn exploded(parts: &[&str], decode: fn(&str) -> String) -> Json {
    let members = parts.iter().map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), Json::from(decode(value)))
    });
    members.collect::<Map<String, Json>>().into()
}

/// `color[R]=100&color[G]=200`, to any depth.
fn deep(name: &str, pairs: &[Pair<'_>]) -> Option<Json> {
    const DEPTH: usize = 16;
    let mut whole = Json::Object(Map::new());
    let mut found = false;
    for (key, text) in pairs {
        let Some(rest) = key.strip_prefix(name).filter(|it| it.starts_with('[')) else { continue };
        let steps: Vec<&str> =
            rest.split('[').skip(1).map(|it| it.trim_end_matches(']')).take(DEPTH).collect();
        found = true;
        let mut here = &mut whole;
        for step in steps {
            if !here.is_object() {
                *here = Json::Object(Map::new());
            }
            let Json::Object(members) = here else { continue };
            // `a[]=x` counts by itself.
            let step = if step.is_empty() { members.len().to_string() } else { step.to_owned() };
            here = members.entry(step).or_insert(Json::Null);
        }
        let value = Json::from(decoded_form(text));
        match here {
            Json::Null => *here = value,
            Json::Array(items) => items.push(value),
            other => *other = Json::Array(vec![other.take(), value]),
        }
    }
    found.then_some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::coerce::Place, *};

    fn written<'a>(schema: &Json, style: Style, explode: bool, properties: &'a [String]) -> Written<'a> {
        Written { name: "color", style, explode, types: Place::root(schema).types(), properties }
    }

    #[track_caller]
    fn check(kind: &str, style: Style, explode: bool, text: &str, expected: &Json) {
        let properties = ["R".to_owned(), "G".to_owned()];
        let schema = json!({ "type": kind });
        let written = written(&schema, style, explode, &properties);
        let found = match style {
            Style::Simple | Style::Label | Style::Matrix => Some(written.alone(text, decoded)),
            _ => written.among(&pairs(text)),
        };
        assert_eq!(found.unwrap_or_default(), *expected, "{kind} {style:?} {explode} {text}");
    }

    #[test]
    fn values_are_read_as_the_table_of_styles_writes_them() {
        let list = json!(["blue", "black"]);
        let object = json!({"R": "100", "G": "200"});
        for (style, explode, list_text, object_text) in [
            (Style::Matrix, false, ";color=blue,black", ";color=R,100,G,200"),
            (Style::Matrix, true, ";color=blue;color=black", ";R=100;G=200"),
            (Style::Label, false, ".blue,black", ".R,100,G,200"),
            (Style::Label, true, ".blue.black", ".R=100.G=200"),
            (Style::Form, false, "color=blue,black", "color=R,100,G,200"),
            (Style::Form, true, "color=blue&color=black", "R=100&G=200&B=1"),
            (Style::Simple, false, "blue,black", "R,100,G,200"),
            (Style::Simple, true, "blue,black", "R=100,G=200"),
            (Style::SpaceDelimited, false, "color=blue%20black", "color=R%20100%20G%20200"),
            (Style::PipeDelimited, false, "color=blue|black", "color=R|100|G|200"),
            (Style::TabDelimited, false, "color=blue%09black", "color=R%09100%09G%09200"),
        ] {
            check("array", style, explode, list_text, &list);
            check("object", style, explode, object_text, &object);
        }
        check("object", Style::DeepObject, true, "color[R]=100&color[G]=200", &object);
        check(
            "object",
            Style::DeepObject,
            true,
            "color[a][b]=1&color[l][]=x&color[l][]=y&c=1",
            &json!(
                {"a": {"b": "1"}, "l": {"0": "x", "1": "y"}}
            ),
        );
    }

    #[test]
    fn separators_that_are_encoded_separate_nothing() {
        check("array", Style::Form, false, "color=a%2Cb,c+d", &json!(["a,b", "c d"]));
        check("string", Style::Form, true, "color=a+b%26", &json!("a b&"));
        check("string", Style::Form, true, "colour=a", &json!(null));
        check("array", Style::Simple, false, "", &json!([]));
        check("string", Style::Simple, false, "a%2Fb", &json!("a/b"));
    }
}
