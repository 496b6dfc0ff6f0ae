//! Texts of parameters and forms as the values that a schema wants: `"5"` as 5 where a number is expected.
//!
//! Schemas are read here in the words of 2020-12, with everything that they refer to in one text.

use serde_json::{Number, Value as Json};

/// Schemas may stand this deep in one another.
const DEPTH: u32 = 32;

/// The types that a schema allows; none means that it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const NUMBER: u8 = 4;
const STRING: u8 = 8;
const ARRAY: u8 = 16;
const OBJECT: u8 = 32;

impl Types {
    fn named(name: &str) -> u8 {
        match name {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "number" | "integer" => NUMBER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => 0,
        }
    }

    /// Whether lists are expected.
    pub(super) const fn array(self) -> bool {
        self.0 & ARRAY != 0
    }

    /// Whether objects are expected.
    pub(super) const fn object(self) -> bool {
        self.0 & OBJECT != 0
    }

    /// Whether texts are allowed.
    const fn text(self) -> bool {
        self.0 == 0 || self.0 & STRING != 0
    }
}

/// A schema inside a bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    root: &'a Json,
    schema: &'a Json,
}

impl<'a> Place<'a> {
    pub(super) const fn root(root: &'a Json) -> Self {
        Self { root, schema: root }
    }

    /// The types that it allows.
    pub(super) fn types(self) -> Types {
        Types(self.bits(0))
    }

    fn bits(self, depth: u32) -> u8 {
        if depth > DEPTH {
            return 0;
        }
        match self.schema.get("type") {
            Some(Json::String(name)) => return Types::named(name),
            Some(Json::Array(names)) => {
                return names.iter().filter_map(Json::as_str).fold(0, |all, it| all | Types::named(it));
            }
            _ => (),
        }
        let bits = self.below(&|place| Some(place.bits(depth + 1)).filter(|it| *it != 0));
        if let Some(bits) = bits {
            return bits;
        }
        if self.schema.get("properties").is_some() {
            return OBJECT;
        }
        if ["items", "prefixItems"].iter().any(|it| self.schema.get(it).is_some()) { ARRAY } else { 0 }
    }

    /// Asks what the schema refers to and combines; of alternatives all answers count together.
    fn below(self, ask: &dyn Fn(Self) -> Option<u8>) -> Option<u8> {
        if let Some(bits) = self.target().and_then(ask) {
            return Some(bits);
        }
        let list = |word| self.schema.get(word).and_then(Json::as_array).into_iter().flatten();
        if let Some(bits) = list("allOf").find_map(|it| ask(self.at(it))) {
            return Some(bits);
        }
        let either = list("anyOf").chain(list("oneOf")).filter_map(|it| ask(self.at(it)));
        either.reduce(|all, it| all | it)
    }

    const fn at(self, schema: &'a Json) -> Self {
        Self { root: self.root, schema }
    }

    fn target(self) -> Option<Self> {
        let name = self.schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        Some(self.at(self.root.get("$defs")?.get(name)?))
    }

    /// The first answer of the schema itself or of one that it is made of.
    fn find<T>(self, depth: u32, ask: &dyn Fn(Self) -> Option<T>) -> Option<T> {
        if depth > DEPTH {
            return None;
        }
        if let Some(found) = ask(self) {
            return Some(found);
        }
        if let Some(found) = self.target().and_then(|it| it.find(depth + 1, ask)) {
            return Some(found);
        }
        ["allOf", "anyOf", "oneOf"].iter().find_map(|word| {
            let mut list = self.schema.get(word)?.as_array()?.iter();
            list.find_map(|it| self.at(it).find(depth + 1, ask))
        })
    }

    /// The schema of a property.
    pub(super) fn property(self, name: &str) -> Option<Self> {
        let named = self.find(0, &|it| Some(it.at(it.schema.get("properties")?.get(name)?)));
        named.or_else(|| self.find(0, &|it| Some(it.at(it.schema.get("additionalProperties")?))))
    }

    /// The names of all properties that it declares, each once.
    pub(super) fn properties(self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect(0, &mut names);
        names
    }

    fn collect(self, depth: u32, names: &mut Vec<String>) {
        if depth > DEPTH {
            return;
        }
        for name in
            self.schema.get("properties").and_then(Json::as_object).into_iter().flat_map(|it| it.keys())
        {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        if let Some(target) = self.target() {
            target.collect(depth + 1, names);
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for schema in self.schema.get(word).and_then(Json::as_array).into_iter().flatten() {
                self.at(schema).collect(depth + 1, names);
            }
        }
    }

    fn item(self, n: usize) -> Option<Self> {
        let prefixed = self.find(0, &|it| Some(it.at(it.schema.get("prefixItems")?.get(n)?)));
        prefixed.or_else(|| self.find(0, &|it| Some(it.at(it.schema.get("items")?))))
    }

    /// The value with its texts as what the schema wants, as far as they can be read so.
    pub(super) fn coerce(self, value: Json) -> Json {
        self.coerce_at(value, 0)
    }

    /// The value with the members of its objects in the order of the schema.
    pub(super) fn arrange(self, value: Json) -> Json {
        self.arrange_at(value, 0)
    }

    fn arrange_at(self, value: Json, depth: u32) -> Json {
        if depth > DEPTH {
            return value;
        }
        match value {
            Json::Array(items) => {
                let item = |(n, it)| match self.item(n) {
                    Some(place) => place.arrange_at(it, depth + 1),
                    None => it,
                };
                items.into_iter().enumerate().map(item).collect()
            }
            Json::Object(mut members) => {
                let mut arranged = serde_json::Map::new();
                for name in self.properties() {
                    let Some(it) = members.shift_remove(&name) else { continue };
                    let it = match self.property(&name) {
                        Some(place) => place.arrange_at(it, depth + 1),
                        None => it,
                    };
                    arranged.insert(name, it);
                }
                arranged.extend(members);
                arranged.into()
            }
            other => other,
        }
    }

    fn coerce_at(self, value: Json, depth: u32) -> Json {
        if depth > DEPTH {
            return value;
        }
        let types = self.types();
        match value {
            Json::String(text) if !types.text() => read(text, types),
            Json::Array(items) => {
                let item = |(n, it)| match self.item(n) {
                    Some(place) => place.coerce_at(it, depth + 1),
                    None => it,
                };
                items.into_iter().enumerate().map(item).collect()
            }
            // `a[0]=x` is an item of a list, if the schema says so.
            Json::Object(members)
                if types.array()
                    && !types.object()
                    && members.keys().all(|it| it.bytes().all(|it| it.is_ascii_digit())) =>
            {
                self.coerce_at(members.into_iter().map(|(_, it)| it).collect(), depth + 1)
            }
            Json::Object(members) => {
                let member = |(name, it): (String, Json)| {
                    let it = match self.property(&name) {
                        Some(place) => place.coerce_at(it, depth + 1),
                        None => it,
                    };
                    (name, it)
                };
                members.into_iter().map(member).collect()
            }
            other => other,
        }
    }
}

fn read(text: String, types: Types) -> Json {
    if types.0 & NUMBER != 0
        && let Some(number) = number(text.trim())
    {
        return Json::Number(number);
    }
    if types.0 & BOOLEAN != 0
        && let Ok(truth) = text.parse::<bool>()
    {
        return Json::Bool(truth);
    }
    if types.0 & NULL != 0 && (text.is_empty() || text == "null") {
        return Json::Null;
    }
    if types.array() || types.object() {
        // A list or an object as a part of a form is written as JSON. (OpenAPI 3.0.3, "Special Considerations for
        // multipart Content".)
        match serde_json::from_str(&text) {
            Ok(json @ Json::Array(_)) if types.array() => return json,
            Ok(json @ Json::Object(_)) if types.object() => return json,
            _ => (),
        }
    }
    Json::String(text)
}

fn number(text: &str) -> Option<Number> {
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return Some(number);
    }
    // `+5` and `05` are numbers to JavaScript, and so to Prism.
    let plain = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit() || b"+-.".contains(&it));
    if !plain {
        return None;
    }
    text.parse::<i64>().ok().map(Number::from).or_else(|| Number::from_f64(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Json, value: Json, expected: &Json) {
        assert_eq!(Place::root(schema).coerce(value), *expected, "{schema}");
    }

    #[test]
    fn texts_become_what_the_schema_wants() {
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
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}});
        check(&schema, json!("5"), &json!("5"));
        assert!(Place::root(&schema).properties().is_empty());
    }
}
