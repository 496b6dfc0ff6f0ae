//! Parser of lists and objects in parameters and forms (OpenAPI 3.0.3, "Style Values"; Swagger 2.0,
//! `collectionFormat`).
//!
//! Texts are split before they are decoded, so that an encoded separator is part of an item.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use crate::{
    budget::{Budget, Exhausted},
    openapi::{api::SerializationStyle, validator::AllowedTypes},
};

/// Number of pairs up to which a linear search is used; more of them have an index by name.
const INDEX_THRESHOLD: usize = 16;
/// Memory of a pair in bytes, without its texts.
const PAIR_SIZE: usize = 160;

/// A decoded name and its encoded text.
pub(super) type EncodedPair<'a> = (String, &'a str);

/// Pairs of a query, of cookies or of a form.
pub(super) struct Pairs<'a> {
    all: Vec<EncodedPair<'a>>,
    /// Indices by the name up to its first bracket, if there are many pairs.
    by_name: HashMap<String, Vec<usize>>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(all: Vec<EncodedPair<'a>>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        if all.len() > INDEX_THRESHOLD {
            for (n, (name, _)) in all.iter().enumerate() {
                by_name.entry(stem(name).to_owned()).or_default().push(n);
            }
        }
        Self { all, by_name }
    }

    /// Parses the pairs of a query or an encoded form.
    pub(super) fn parse(text: &'a str, budget: &Budget) -> Result<Self, Exhausted> {
        let count = text.bytes().filter(|byte| *byte == b'&').count();
        budget.spend(count as u64)?;
        budget.allocate((count * PAIR_SIZE).saturating_add(text.len()))?;
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_form(name), value)
        });
        Ok(Self::new(pairs.collect()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &EncodedPair<'a>> {
        self.all.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The pairs with the same name up to the first bracket.
    fn with_stem(&self, name: &str) -> impl Iterator<Item = &EncodedPair<'a>> {
        let found = (self.all.len() > INDEX_THRESHOLD)
            .then(|| self.by_name.get(stem(name)).map_or(&[][..], Vec::as_slice));
        let unindexed = if found.is_none() { self.all.as_slice() } else { &[] };
        found.unwrap_or_default().iter().filter_map(|n| self.all.get(*n)).chain(unindexed)
    }

    /// The texts of the pairs with a name.
    pub(super) fn texts(&self, name: &str) -> Vec<&'a str> {
        self.with_stem(name).filter(|(key, _)| key == name).map(|(_, text)| *text).collect()
    }
}

fn stem(name: &str) -> &str {
    name.split_once('[').map_or(name, |(stem, _)| stem)
}

/// A text without percent-encoding.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A decoded text of a query or a form, in which a plus sign is a space.
pub(super) fn decode_form(text: &str) -> String {
    if text.contains('+') { decode(&text.replace('+', " ")) } else { decode(text) }
}

/// Serialization of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterStyle<'a> {
    pub(super) name: &'a str,
    pub(super) style: SerializationStyle,
    pub(super) explode: bool,
    pub(super) types: AllowedTypes,
    /// The properties of an object; they are the names of the pairs of an exploded object.
    pub(super) properties: &'a [&'a str],
}

impl ParameterStyle<'_> {
    /// Parses the value from the pairs of a query, of cookies or of a form; `None` if it is missing.
    pub(super) fn parse_from_pairs(
        &self,
        pairs: &Pairs<'_>,
        budget: &Budget,
    ) -> Result<Option<Json>, Exhausted> {
        if self.style == SerializationStyle::DeepObject {
            return parse_deep_object(self.name, pairs, budget);
        }
        if self.types.allows_objects() && self.explode && self.style == SerializationStyle::Form {
            budget.spend((pairs.all.len() + self.properties.len()) as u64)?;
            let properties: HashSet<&str> = self.properties.iter().copied().collect();
            let members: Map<String, Json> = pairs
                .iter()
                .filter(|(name, _)| properties.contains(name.as_str()))
                .map(|(name, text)| (name.clone(), decode_form(text).into()))
                .collect();
            return Ok((!members.is_empty()).then(|| members.into()));
        }
        let texts = pairs.texts(self.name);
        budget.spend(texts.len() as u64)?;
        budget.allocate(texts.iter().map(|text| text.len() + text.split(',').count() * PAIR_SIZE).sum())?;
        Ok(self.parse_texts(&texts))
    }

    fn parse_texts(&self, texts: &[&str]) -> Option<Json> {
        let last = *texts.last()?;
        if self.types.allows_arrays() {
            if self.explode {
                return Some(texts.iter().map(|text| Json::from(decode_form(text))).collect());
            }
            return Some(parse_list(&split(last, self.style), decode_form));
        }
        if self.types.allows_objects() {
            return Some(parse_object(&split(last, self.style), decode_form));
        }
        match texts {
            [one] => Some(decode_form(one).into()),
            several => Some(several.iter().map(|text| Json::from(decode_form(text))).collect()),
        }
    }

    /// Parses the value of a path parameter or a header. `decode` is for paths, which are percent-encoded.
    pub(super) fn parse_single(&self, text: &str, decode: fn(&str) -> String) -> Json {
        let (text, separator) = match self.style {
            SerializationStyle::Label => {
                (text.strip_prefix('.').unwrap_or(text), if self.explode { '.' } else { ',' })
            }
            SerializationStyle::Matrix => return self.parse_matrix(text, decode),
            _ => (text, ','),
        };
        self.parse_separated(text, separator, decode)
    }

    fn parse_separated(&self, text: &str, separator: char, decode: fn(&str) -> String) -> Json {
        let parts: Vec<&str> =
            if text.is_empty() { Vec::new() } else { text.split(separator).map(str::trim).collect() };
        if self.types.allows_arrays() {
            parse_list(&parts, decode)
        } else if self.types.allows_objects() {
            if self.explode { parse_exploded_object(&parts, decode) } else { parse_object(&parts, decode) }
        } else {
            decode(text).into()
        }
    }

    /// Parses `;color=blue;color=black` or `;color=blue,black`.
    fn parse_matrix(&self, text: &str, decode: fn(&str) -> String) -> Json {
        let parts: Vec<&str> = text.strip_prefix(';').unwrap_or(text).split(';').collect();
        let named = |part: &&str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name == self.name).then(|| value.to_owned())
        };
        if self.explode && self.types.allows_objects() {
            return parse_exploded_object(&parts, decode);
        }
        let values: Vec<String> = parts.iter().filter_map(named).collect();
        if self.explode && self.types.allows_arrays() {
            return values.iter().map(|value| Json::from(decode(value))).collect();
        }
        match values.first() {
            Some(value) => self.parse_separated(value, ',', decode),
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
        parts = parts.into_iter().flat_map(|part| part.split(separator)).collect();
    }
    parts
}

fn parse_list(parts: &[&str], decode: fn(&str) -> String) -> Json {
    parts.iter().map(|part| Json::from(decode(part))).collect()
}

/// Parses the object `R,100,G,200`.
fn parse_object(parts: &[&str], decode: fn(&str) -> String) -> Json {
    let members = parts.chunks(2).map(|pair| match pair {
        [name, value] => (decode(name), decode(value).into()),
        [name, ..] => (decode(name), Json::from("")),
        [] => (String::new(), Json::from("")),
    });
    members.collect::<Map<String, Json>>().into()
}

/// Parses the object `R=100,G=200`.
fn parse_exploded_object(parts: &[&str], decode: fn(&str) -> String) -> Json {
    let members = parts.iter().map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), Json::from(decode(value)))
    });
    members.collect::<Map<String, Json>>().into()
}

/// Parses the object `color[R]=100&color[G]=200`.
fn parse_deep_object(name: &str, pairs: &Pairs<'_>, budget: &Budget) -> Result<Option<Json>, Exhausted> {
    const MAX_DEPTH: usize = 16;
    let mut object = Json::Object(Map::new());
    let mut found = false;
    for (key, text) in pairs.with_stem(name) {
        budget.spend(1)?;
        let Some(rest) = key.strip_prefix(name).filter(|rest| rest.starts_with('[')) else { continue };
        let steps = rest.split('[').skip(1).map(|step| step.trim_end_matches(']'));
        found = true;
        let mut here = &mut object;
        for (depth, step) in steps.enumerate() {
            if depth == MAX_DEPTH {
                return Err(Exhausted::Depth);
            }
            budget.allocate(PAIR_SIZE)?;
            if !here.is_object() {
                *here = Json::Object(Map::new());
            }
            let Json::Object(members) = here else { continue };
            // `a[]=x` gets the next index.
            let step = if step.is_empty() { members.len().to_string() } else { step.to_owned() };
            here = members.entry(step).or_insert(Json::Null);
        }
        let value = Json::from(decode_form(text));
        match here {
            Json::Null => *here = value,
            Json::Array(items) => items.push(value),
            other => *other = Json::Array(vec![other.take(), value]),
        }
    }
    Ok(found.then_some(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::test_support, *};

    fn parameter_style<'a>(
        schema: &Json,
        style: SerializationStyle,
        explode: bool,
        properties: &'a [&'a str],
    ) -> ParameterStyle<'a> {
        let types = test_support::validator(schema).shape().types();
        ParameterStyle { name: "color", style, explode, types, properties }
    }

    #[track_caller]
    fn check(kind: &str, style: SerializationStyle, explode: bool, text: &str, expected: &Json) {
        let properties = ["R", "G"];
        let schema = json!({ "type": kind });
        let parameter = parameter_style(&schema, style, explode, &properties);
        let found = match style {
            SerializationStyle::Simple | SerializationStyle::Label | SerializationStyle::Matrix => {
                Some(parameter.parse_single(text, decode))
            }
            _ => {
                let pairs = Pairs::parse(text, &test_support::budget()).unwrap();
                parameter.parse_from_pairs(&pairs, &test_support::budget()).unwrap()
            }
        };
        assert_eq!(found.unwrap_or_default(), *expected, "{kind} {style:?} {explode} {text}");
    }

    #[test]
    fn values_are_parsed_by_the_table_of_styles() {
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
    fn encoded_separators_do_not_separate() {
        check("array", SerializationStyle::Form, false, "color=a%2Cb,c+d", &json!(["a,b", "c d"]));
        check("string", SerializationStyle::Form, true, "color=a+b%26", &json!("a b&"));
        check("string", SerializationStyle::Form, true, "colour=a", &json!(null));
        check("array", SerializationStyle::Simple, false, "", &json!([]));
        check("string", SerializationStyle::Simple, false, "a%2Fb", &json!("a/b"));
    }
}
