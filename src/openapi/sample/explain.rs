//! Why a value is not valid by a schema: the deepest keywords that do not hold, and where in the value.

use std::cell::Cell;

use super::valid::{AppliedSchema, DEPTH, SchemaEvaluator};
use crate::{
    document::{NodePath, NodePlace, Value},
    openapi::{DocumentNode, SpecVersion, messages::excerpt},
};

/// Faults that are named of one value.
const MOST: usize = 20;
/// Schemas looked at to find them.
const WORK: u32 = 20_000;

/// A keyword that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordFault {
    /// Where in the value, from its root.
    pub at: NodePath,
    /// The keyword, as the schema has it.
    pub keyword: String,
    /// What is wrong, in words.
    pub message: String,
}

/// All faults of a value that is not valid; at least one.
pub(super) fn explain(on: &SchemaEvaluator<'_>, schema: &DocumentNode, value: &Value) -> Vec<KeywordFault> {
    let root = NodePath::root();
    let mut faults = Vec::new();
    FaultFinder { on, work: &Cell::new(WORK) }.schema(schema, value, NodePlace::Path(&root), 0, &mut faults);
    if faults.is_empty() {
        let message = String::from("the value does not fit the schema");
        faults.push(KeywordFault { at: root, keyword: String::from("schema"), message });
    }
    faults
}

#[derive(Clone, Copy)]
struct FaultFinder<'a> {
    on: &'a SchemaEvaluator<'a>,
    work: &'a Cell<u32>,
}

impl FaultFinder<'_> {
    fn schema(
        self,
        schema: &DocumentNode,
        value: &Value,
        at: NodePlace<'_>,
        depth: u32,
        out: &mut Vec<KeywordFault>,
    ) {
        let Some(left) = self.work.get().checked_sub(1) else { return };
        self.work.set(left);
        if depth > DEPTH || out.len() >= MOST || !self.on.effort.has_stack() {
            return;
        }
        if schema.value == Value::Bool(false) {
            push(out, at, "false", "nothing is allowed here".to_owned());
        }
        let Some(keywords) = schema.value.as_mapping() else { return };
        if self.on.library.reference_of(schema).is_some() {
            if let Ok(target) = self.on.library.resolve(schema)
                && !self.on.check(&target, value, depth)
            {
                self.schema(&target, value, at, depth + 1, out);
            }
            if self.on.library.version() != SpecVersion::OpenApi31 || keywords.len() == 1 {
                return;
            }
        }
        let rule = AppliedSchema { schema, value, depth: depth + 1, on: self.on };
        for (keyword, it) in keywords.iter() {
            let it = schema.with_value(it);
            if !rule.holds(keyword, &it) {
                self.keyword(keyword, &it, &rule, at, out);
            }
        }
    }

    /// Goes on to the parts that the keyword is about, or says what is wrong.
    fn keyword(
        self,
        keyword: &str,
        it: &DocumentNode,
        rule: &AppliedSchema<'_>,
        at: NodePlace<'_>,
        out: &mut Vec<KeywordFault>,
    ) {
        let AppliedSchema { schema, value, depth, .. } = *rule;
        let before = out.len();
        let part = |schema: &DocumentNode, value: &Value, at: NodePlace<'_>, out: &mut Vec<KeywordFault>| {
            if !self.on.check(schema, value, depth) {
                self.schema(schema, value, at, depth, out);
            }
        };
        match keyword {
            "allOf" => it.items().for_each(|it| part(&it, value, at, out)),
            "anyOf" | "oneOf" => self.choice(keyword, it, rule, at, out),
            "if" => {
                for next in ["then", "else"].iter().filter_map(|next| schema.get(next)) {
                    part(&next, value, at, out);
                }
            }
            "properties" => {
                for (key, schema) in it.entries() {
                    if let Some(value) = value.get(key) {
                        part(&schema, value, at.key(key), out);
                    }
                }
            }
            "additionalProperties" | "unevaluatedProperties" if it.value != Value::Bool(false) => {
                for (key, value) in value.entries() {
                    if !super::evaluated::declares(self.on.patterns, schema, key) {
                        part(it, value, at.key(key), out);
                    }
                }
            }
            "additionalProperties" => {
                for (key, _) in value.entries() {
                    if !super::evaluated::declares(self.on.patterns, schema, key) {
                        push(out, at.key(key), keyword, format!("`{}` is not allowed here", excerpt(key)));
                    }
                }
            }
            "prefixItems" => items(it.items(), value, 0, at, &mut |it, value, at| part(it, value, at, out)),
            "items" if it.value.as_sequence().is_some() => {
                items(it.items(), value, 0, at, &mut |it, value, at| part(it, value, at, out));
            }
            "items" => {
                let fixed = schema.value.get("prefixItems").map_or(0, |it| it.items().len());
                let same = std::iter::repeat(it.clone());
                items(same, value, fixed, at, &mut |it, value, at| part(it, value, at, out));
            }
            "required" => {
                let missing = it.value.items().iter().filter_map(Value::as_str);
                for key in missing.filter(|key| value.get(key).is_none() && !rule.unseen(key)) {
                    push(out, at, keyword, format!("the required `{}` is missing", excerpt(key)));
                }
            }
            _ => (),
        }
        if out.len() == before {
            push(out, at, keyword, broken(keyword, &it.value, value));
        }
    }

    /// The faults by the one way that the value is meant for, if that can be told.
    fn choice(
        self,
        keyword: &str,
        it: &DocumentNode,
        rule: &AppliedSchema<'_>,
        at: NodePlace<'_>,
        out: &mut Vec<KeywordFault>,
    ) {
        let count = it.items().len();
        let fits = it.items().filter(|way| self.on.check(way, rule.value, rule.depth)).count();
        if fits > 1 {
            push(
                out,
                at,
                keyword,
                format!("the value fits {fits} of the {count} schemas of `oneOf`, not one"),
            );
            return;
        }
        let mut meant: Vec<Vec<KeywordFault>> = Vec::new();
        for way in it.items() {
            let mut faults = Vec::new();
            self.schema(&way, rule.value, at, rule.depth, &mut faults);
            let here = at.path();
            let other =
                |it: &KeywordFault| it.at == here && matches!(&*it.keyword, "type" | "const" | "enum");
            if !faults.is_empty() && !faults.iter().any(other) {
                meant.push(faults);
            }
        }
        if let [only] = &mut meant[..] {
            out.append(only);
        } else {
            push(out, at, keyword, format!("the value fits none of the {count} schemas of `{keyword}`"));
        }
    }
}

fn items(
    schemas: impl Iterator<Item = DocumentNode>,
    value: &Value,
    skipped: usize,
    at: NodePlace<'_>,
    part: &mut dyn FnMut(&DocumentNode, &Value, NodePlace<'_>),
) {
    for ((n, value), schema) in value.items().iter().enumerate().skip(skipped).zip(schemas) {
        part(&schema, value, at.index(n));
    }
}

fn push(out: &mut Vec<KeywordFault>, at: NodePlace<'_>, keyword: &str, message: String) {
    let fault = KeywordFault { at: at.path(), keyword: keyword.to_owned(), message };
    if out.len() < MOST && !out.contains(&fault) {
        out.push(fault);
    }
}

fn broken(keyword: &str, rule: &Value, value: &Value) -> String {
    let shown = |value: &Value| excerpt(&value.to_json()).replace("\\\"", "\"");
    match keyword {
        "type" => {
            let kind = match value.kind() {
                "map" => "object",
                other => other,
            };
            let wanted = rule.as_str().map_or_else(|| shown(rule), str::to_owned);
            let article = |word: &str| if word.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            if kind == "null" {
                return format!("`type` asks for {} {wanted}, this is null", article(&wanted));
            }
            format!("`type` asks for {} {wanted}, this is {} {kind}", article(&wanted), article(kind))
        }
        "enum" => format!("{} is none of the values of `enum`: {}", shown(value), shown(rule)),
        "minItems" | "maxItems" => {
            format!("`{keyword}: {}` does not hold for {} items", shown(rule), value.items().len())
        }
        "const" | "format" | "pattern" | "minLength" | "maxLength" | "minimum" | "maximum"
        | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "uniqueItems" | "minProperties"
        | "maxProperties" => format!("`{keyword}: {}` does not hold for {}", shown(rule), shown(value)),
        _ => format!("`{keyword}` does not hold for {}", shown(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sampler;
    use crate::{
        document::{Dialect, read},
        openapi::{DocumentLibrary, LibraryLocation},
    };

    #[track_caller]
    fn check(schema: &str, value: &str, expected: &[&str]) {
        let read = |text| read(text, Dialect::Specification).unwrap().value;
        let document =
            format!("{{openapi: 3.1.0, components: {{schemas: {{S: {schema}, T: {{type: string}}}}}}}}");
        let library = DocumentLibrary::new(read(&document), &LibraryLocation::alone()).0;
        let schema = library.root().get("components").unwrap().get("schemas").unwrap().get("S").unwrap();
        let value = read(value);
        let sampler = Sampler::new(&library);
        let faults = sampler.faults(&schema, &value);
        assert_eq!(faults.is_empty(), sampler.valid(&schema, &value));
        let said: Vec<String> = faults.iter().map(|it| format!("{}: {}", it.at, it.message)).collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn the_deepest_keyword_is_named() {
        check("{type: integer}", "1", &[]);
        check("{type: integer}", "'1'", &[": `type` asks for an integer, this is a string"]);
        check(
            "{type: [string, 'null']}",
            "{}",
            &[": `type` asks for a [\"string\",\"null\"], this is an object"],
        );
        check("{enum: [a, b]}", "c", &[": \"c\" is none of the values of `enum`: [\"a\",\"b\"]"]);
        check(
            "{properties: {a: {items: {maximum: 3}}}}",
            "{a: [1, 5]}",
            &["a[1]: `maximum: 3` does not hold for 5"],
        );
        check(
            "{required: [a, b], properties: {b: {writeOnly: true}}}",
            "{}",
            &[": the required `a` is missing"],
        );
        check(
            "{properties: {a: {}}, additionalProperties: false}",
            "{a: 1, b: 2}",
            &["b: `b` is not allowed here"],
        );
        check(
            "{additionalProperties: {type: string}}",
            "{b: 2}",
            &["b: `type` asks for a string, this is a number"],
        );
        check(
            "{properties: {a: {$ref: '#/components/schemas/T'}}}",
            "{a: null}",
            &["a: `type` asks for a string, this is null"],
        );
        check(
            "{allOf: [{minLength: 2}, {maxLength: 0}]}",
            "x",
            &[": `minLength: 2` does not hold for \"x\"", ": `maxLength: 0` does not hold for \"x\""],
        );
        check(
            "{prefixItems: [{type: string}], items: {type: number}}",
            "[1, x]",
            &[
                "[0]: `type` asks for a string, this is a number",
                "[1]: `type` asks for a number, this is a string",
            ],
        );
        check("{not: {type: string}}", "x", &[": `not` does not hold for \"x\""]);
        check(
            "{if: {minLength: 1}, then: {maxLength: 1}}",
            "xy",
            &[": `maxLength: 1` does not hold for \"xy\""],
        );
    }

    #[test]
    fn of_a_choice_the_way_that_was_meant_is_explained() {
        let choice = "{oneOf: [{type: string}, {type: object, properties: {a: {type: number}}}]}";
        check(choice, "{a: x}", &["a: `type` asks for a number, this is a string"]);
        check(choice, "5", &[": the value fits none of the 2 schemas of `oneOf`"]);
        check(
            "{oneOf: [{type: string}, {minLength: 1}]}",
            "x",
            &[": the value fits 2 of the 2 schemas of `oneOf`, not one"],
        );
    }
}
