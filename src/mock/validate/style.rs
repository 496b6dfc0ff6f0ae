//! How lists and objects are written in parameters and forms, read back. (OpenAPI 3.0.3, "Style Values";
//! Swagger 2.0, `collectionFormat`.)
//!
//! Texts are split before they are decoded, so that an encoded separator stays a part of its item.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use crate::{
    budget::{Budget, Exhausted},
    openapi::{api::SerializationStyle, validator::AllowedTypes},
};

/// Pairs up to this number are looked through; more of them are found by name.
const FEW: usize = 16;
/// What a pair takes, in bytes, beside its texts.
const PAIR: usize = 160;

/// A name and its text, the text still encoded.
pub(super) type EncodedPair<'a> = (String, &'a str);

/// The pairs of a query, of cookies or of a form.
pub(super) struct Pairs<'a> {
    all: Vec<EncodedPair<'a>>,
    /// Positions by the name up to its first bracket, if there are many.
    by_name: HashMap<String, Vec<usize>>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(all: Vec<EncodedPair<'a>>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        if all.len() > FEW {
            for (n, (name, _)) in all.iter().enumerate() {
                by_name.entry(stem(name).to_owned()).or_default().push(n);
            }
        }
        Self { all, by_name }
    }

    /// The pairs of a query or an encoded form.
    pub(super) fn read(text: &'a str, budget: &Budget) -> Result<Self, Exhausted> {
        let count = text.bytes().filter(|byte| *byte == b'&').count();
        budget.spend(count as u64)?;
        budget.allocate((count * PAIR).saturating_add(text.len()))?;
        let pairs = text.split('&').filter(|it| !it.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded_form(name), value)
        });
        Ok(Self::new(pairs.collect()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &EncodedPair<'a>> {
        self.all.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The pairs whose name begins like this one, up to its first bracket.
    fn like(&self, name: &str) -> impl Iterator<Item = &EncodedPair<'a>> {
        let found =
            (self.all.len() > FEW).then(|| self.by_name.get(stem(name)).map_or(&[][..], Vec::as_slice));
        let few = if found.is_none() { self.all.as_slice() } else { &[] };
        found.unwrap_or_default().iter().filter_map(|n| self.all.get(*n)).chain(few)
    }

    /// The texts of a name.
    pub(super) fn texts(&self, name: &str) -> Vec<&'a str> {
        self.like(name).filter(|(it, _)| it == name).map(|(_, text)| *text).collect()
    }
}

fn stem(name: &str) -> &str {
    name.split_once('[').map_or(name, |(stem, _)| stem)
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
pub(super) struct ParameterStyle<'a> {
    pub(super) name: &'a str,
    pub(super) style: SerializationStyle,
    pub(super) explode: bool,
    pub(super) types: AllowedTypes,
    /// The properties of an object, which an exploded one has instead of its name.
    pub(super) properties: &'a [&'a str],
}

impl ParameterStyle<'_> {
    /// The value among the pairs of a query, of cookies or of a form; nothing if it is not there.
    pub(super) fn among(&self, pairs: &Pairs<'_>, budget: &Budget) -> Result<Option<Json>, Exhausted> {
        if self.style == SerializationStyle::DeepObject {
            return deep(self.name, pairs, budget);
        }
        if self.types.object() && self.explode && self.style == SerializationStyle::Form {
            budget.spend((pairs.all.len() + self.properties.len()) as u64)?;
            let properties: HashSet<&str> = self.properties.iter().copied().collect();
            let members: Map<String, Json> = pairs
                .iter()
                .filter(|(name, _)| properties.contains(name.as_str()))
                .map(|(name, text)| (name.clone(), decoded_form(text).into()))
                .collect();
            return Ok((!members.is_empty()).then(|| members.into()));
        }
        let texts = pairs.texts(self.name);
        budget.spend(texts.len() as u64)?;
        budget.allocate(texts.iter().map(|text| text.len() + text.split(',').count() * PAIR).sum())?;
        Ok(self.of_texts(&texts))
    }

    fn of_texts(&self, texts: &[&str]) -> Option<Json> {
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
        match texts {
            [one] => Some(decoded_form(one).into()),
            several => Some(several.iter().map(|it| Json::from(decoded_form(it))).collect()),
        }
    }

    /// The value that a part of a path or a header is; a path is percent-encoded, a header is not.
    pub(super) fn alone(&self, text: &str, decode: fn(&str) -> String) -> Json {
        let (text, separator) = match self.style {
            SerializationStyle::Label => {
                (text.strip_prefix('.').unwrap_or(text), if self.explode { '.' } else { ',' })
            }
            SerializationStyle::Matrix => return self.matrix(text, decode),
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

fn split(text: &str, style: SerializationStyle) -> Vec<&str> {
    let separators: &[&str] = match style {
        SerializationStyle::SpaceDelimited => &["%20", "+", " "],
        SerializationStyle::PipeDelimited => &["|", "%7C", "%7c"],
        SerializationStyle::TabDelimited => &["%09", "\t"],
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

/// `color[R]=100&color[G]=200`.
fn deep(name: &str, pairs: &Pairs<'_>, budget: &Budget) -> Result<Option<Json>, Exhausted> {
    const DEPTH: usize = 16;
    let mut whole = Json::Object(Map::new());
    let mut found = false;
    for (key, text) in pairs.like(name) {
        budget.spend(1)?;
        let Some(rest) = key.strip_prefix(name).filter(|it| it.starts_with('[')) else { continue };
        let steps = rest.split('[').skip(1).map(|it| it.trim_end_matches(']'));
        found = true;
        let mut here = &mut whole;
        for (depth, step) in steps.enumerate() {
            if depth == DEPTH {
                return Err(Exhausted::Depth);
            }
            budget.allocate(PAIR)?;
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
    Ok(found.then_some(whole))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::trial, *};

    fn written<'a>(
        schema: &Json,
        style: SerializationStyle,
        explode: bool,
        properties: &'a [&'a str],
    ) -> ParameterStyle<'a> {
        let types = trial::validator(schema).shape().types();
        ParameterStyle { name: "color", style, explode, types, properties }
    }

    #[track_caller]
    fn check(kind: &str, style: SerializationStyle, explode: bool, text: &str, expected: &Json) {
        let properties = ["R", "G"];
        let schema = json!({ "type": kind });
        let written = written(&schema, style, explode, &properties);
        let found = match style {
            SerializationStyle::Simple | SerializationStyle::Label | SerializationStyle::Matrix => {
                Some(written.alone(text, decoded))
            }
            _ => {
                let pairs = Pairs::read(text, &trial::budget()).unwrap();
                written.among(&pairs, &trial::budget()).unwrap()
            }
        };
        assert_eq!(found.unwrap_or_default(), *expected, "{kind} {style:?} {explode} {text}");
    }

    #[test]
    fn values_are_read_as_the_table_of_styles_writes_them() {
        let list = json!(["blue", "black"]);
        let object = json!({"R": "100", "G": "200"});
        for (style, explode, list_text, object_text) in [
            (SerializationStyle::Matrix, false, ";color=blue,black", ";color=R,100,G,200"),
            (SerializationStyle::Matrix, true, ";color=blue;color=black", ";R=100;G=200"),
            (SerializationStyle::Label, false, ".blue,black", ".R,100,G,200"),
            (SerializationStyle::Label, true, ".blue.black", ".R=100.G=200"),
            (SerializationStyle::Form, false, "color=blue,black", "color=R,100,G,200"),
            (SerializationStyle::Form, true, "color=blue&color=black", "R=100&G=200&B=1"),
            (SerializationStyle::Simple, false, "blue,black", "R,100,G,200"),
            (SerializationStyle::Simple, true, "blue,black", "R=100,G=200"),
            (SerializationStyle::SpaceDelimited, false, "color=blue%20black", "color=R%20100%20G%20200"),
            (SerializationStyle::PipeDelimited, false, "color=blue|black", "color=R|100|G|200"),
            (SerializationStyle::TabDelimited, false, "color=blue%09black", "color=R%09100%09G%09200"),
        ] {
            check("array", style, explode, list_text, &list);
            check("object", style, explode, object_text, &object);
        }
        check("object", SerializationStyle::DeepObject, true, "color[R]=100&color[G]=200", &object);
        check(
            "object",
            SerializationStyle::DeepObject,
            true,
            "color[a][b]=1&color[l][]=x&color[l][]=y&c=1",
            &json!(
                {"a": {"b": "1"}, "l": {"0": "x", "1": "y"}}
            ),
        );
    }

    #[test]
    fn separators_that_are_encoded_separate_nothing() {
        check("array", SerializationStyle::Form, false, "color=a%2Cb,c+d", &json!(["a,b", "c d"]));
        check("string", SerializationStyle::Form, true, "color=a+b%26", &json!("a b&"));
        check("string", SerializationStyle::Form, true, "colour=a", &json!(null));
        check("array", SerializationStyle::Simple, false, "", &json!([]));
        check("string", SerializationStyle::Simple, false, "a%2Fb", &json!("a/b"));
    }
}
