//! Reasons why a value is not valid by a schema: the innermost keywords that do not hold, and the places in the value.

use std::cell::Cell;

use super::evaluator::{AppliedSchema, MAX_DEPTH, SchemaEvaluator};
use crate::{
    document::{NodePath, NodePlace, Value},
    openapi::{DocumentNode, SpecVersion, keywords::SchemaKeyword, messages::excerpt},
};

/// Maximum number of faults of one value.
const MAX_FAULTS: usize = 20;
/// Maximum number of schemas that are visited for them.
const MAX_SCHEMAS: u32 = 20_000;

/// A keyword that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordFault {
    /// The path in the value, from its root.
    pub at: NodePath,
    /// The name of the keyword.
    pub keyword: String,
    /// The message for users.
    pub message: String,
}

/// The faults of a value that is not valid; at least one.
pub(super) fn explain(
    evaluator: &SchemaEvaluator<'_>,
    schema: &DocumentNode,
    value: &Value,
) -> Vec<KeywordFault> {
    let root = NodePath::root();
    let mut faults = Vec::new();
    FaultFinder { evaluator, work: &Cell::new(MAX_SCHEMAS) }.explain_schema(
        schema,
        value,
        NodePlace::Path(&root),
        0,
        &mut faults,
    );
    if faults.is_empty() {
        let message = String::from("the value does not fit the schema");
        faults.push(KeywordFault { at: root, keyword: String::from("schema"), message });
    }
    faults
}

#[derive(Clone, Copy)]
struct FaultFinder<'a> {
    evaluator: &'a SchemaEvaluator<'a>,
    work: &'a Cell<u32>,
}

impl FaultFinder<'_> {
    fn explain_schema(
        self,
        schema: &DocumentNode,
        value: &Value,
        at: NodePlace<'_>,
        depth: u32,
        out: &mut Vec<KeywordFault>,
    ) {
        let Some(left) = self.work.get().checked_sub(1) else { return };
        self.work.set(left);
        if depth > MAX_DEPTH || out.len() >= MAX_FAULTS || !self.evaluator.effort.has_stack() {
            return;
        }
        if schema.value == Value::Bool(false) {
            push(out, at, "false", "nothing is allowed here".to_owned());
        }
        let Some(keywords) = schema.value.as_mapping() else { return };
        if self.evaluator.library.reference_of(schema).is_some() {
            if let Ok(target) = self.evaluator.library.resolve(schema)
                && !self.evaluator.is_valid_at(&target, value, depth)
            {
                self.explain_schema(&target, value, at, depth + 1, out);
            }
            if self.evaluator.library.version() != SpecVersion::OpenApi31 || keywords.len() == 1 {
                return;
            }
        }
        let rule = AppliedSchema { schema, value, depth: depth + 1, evaluator: self.evaluator };
        for (keyword, operand) in keywords.iter() {
            let operand = schema.with_value(operand);
            if !rule.holds(keyword, &operand) {
                self.explain_keyword(keyword, &operand, &rule, at, out);
            }
        }
    }

    /// Adds the faults of the parts that the keyword applies to, else one of the keyword itself.
    fn explain_keyword(
        self,
        keyword: &str,
        operand: &DocumentNode,
        rule: &AppliedSchema<'_>,
        at: NodePlace<'_>,
        out: &mut Vec<KeywordFault>,
    ) {
        let AppliedSchema { schema, value, depth, .. } = *rule;
        let before = out.len();
        let explain_part =
            |schema: &DocumentNode, value: &Value, at: NodePlace<'_>, out: &mut Vec<KeywordFault>| {
                if !self.evaluator.is_valid_at(schema, value, depth) {
                    self.explain_schema(schema, value, at, depth, out);
                }
            };
        match keyword {
            "allOf" => operand.items().for_each(|part| explain_part(&part, value, at, out)),
            "anyOf" | "oneOf" => self.explain_choice(keyword, operand, rule, at, out),
            "if" => {
                for next in ["then", "else"].iter().filter_map(|next| schema.get(next)) {
                    explain_part(&next, value, at, out);
                }
            }
            "properties" => {
                for (key, schema) in operand.entries() {
                    if let Some(value) = value.get(key) {
                        explain_part(&schema, value, at.key(key), out);
                    }
                }
            }
            "additionalProperties" | "unevaluatedProperties" if operand.value != Value::Bool(false) => {
                for (key, value) in value.entries() {
                    if !super::evaluated::declares(self.evaluator.patterns, schema, key) {
                        explain_part(operand, value, at.key(key), out);
                    }
                }
            }
            "additionalProperties" => {
                for (key, _) in value.entries() {
                    if !super::evaluated::declares(self.evaluator.patterns, schema, key) {
                        push(out, at.key(key), keyword, format!("`{}` is not allowed here", excerpt(key)));
                    }
                }
            }
            "prefixItems" => explain_items(operand.items(), value, 0, at, &mut |part, value, at| {
                explain_part(part, value, at, out);
            }),
            "items" if operand.value.as_sequence().is_some() => {
                explain_items(operand.items(), value, 0, at, &mut |part, value, at| {
                    explain_part(part, value, at, out);
                });
            }
            "items" => {
                let prefix = schema
                    .value
                    .get(SchemaKeyword::PrefixItems.name())
                    .map_or(0, |items| items.items().len());
                let schemas = std::iter::repeat(operand.clone());
                explain_items(schemas, value, prefix, at, &mut |part, value, at| {
                    explain_part(part, value, at, out);
                });
            }
            "required" => {
                let missing = operand.value.items().iter().filter_map(Value::as_str);
                for key in missing.filter(|key| value.get(key).is_none() && !rule.is_hidden(key)) {
                    push(out, at, keyword, format!("the required `{}` is missing", excerpt(key)));
                }
            }
            _ => (),
        }
        if out.len() == before {
            push(out, at, keyword, message(keyword, &operand.value, value));
        }
    }

    /// Adds the faults by the alternative that the value is probably meant for, if there is only one.
    fn explain_choice(
        self,
        keyword: &str,
        operand: &DocumentNode,
        rule: &AppliedSchema<'_>,
        at: NodePlace<'_>,
        out: &mut Vec<KeywordFault>,
    ) {
        let count = operand.items().len();
        let count_valid = operand
            .items()
            .filter(|alternative| self.evaluator.is_valid_at(alternative, rule.value, rule.depth))
            .count();
        if count_valid > 1 {
            push(
                out,
                at,
                keyword,
                format!("the value fits {count_valid} of the {count} schemas of `oneOf`, not one"),
            );
            return;
        }
        let mut candidates: Vec<Vec<KeywordFault>> = Vec::new();
        for alternative in operand.items() {
            let mut faults = Vec::new();
            self.explain_schema(&alternative, rule.value, at, rule.depth, &mut faults);
            let here = at.path();
            let other = |fault: &KeywordFault| {
                fault.at == here && matches!(&*fault.keyword, "type" | "const" | "enum")
            };
            if !faults.is_empty() && !faults.iter().any(other) {
                candidates.push(faults);
            }
        }
        if let [only] = &mut candidates[..] {
            out.append(only);
        } else {
            push(out, at, keyword, format!("the value fits none of the {count} schemas of `{keyword}`"));
        }
    }
}

fn explain_items(
    schemas: impl Iterator<Item = DocumentNode>,
    value: &Value,
    skipped: usize,
    at: NodePlace<'_>,
    explain_part: &mut dyn FnMut(&DocumentNode, &Value, NodePlace<'_>),
) {
    for ((n, value), schema) in value.items().iter().enumerate().skip(skipped).zip(schemas) {
        explain_part(&schema, value, at.index(n));
    }
}

fn push(out: &mut Vec<KeywordFault>, at: NodePlace<'_>, keyword: &str, message: String) {
    let fault = KeywordFault { at: at.path(), keyword: keyword.to_owned(), message };
    if out.len() < MAX_FAULTS && !out.contains(&fault) {
        out.push(fault);
    }
}

fn message(keyword: &str, rule: &Value, value: &Value) -> String {
    let shorten = |value: &Value| excerpt(&value.to_json()).replace("\\\"", "\"");
    match keyword {
        "type" => {
            let kind = match value.kind() {
                "map" => "object",
                other => other,
            };
            let expected = rule.as_str().map_or_else(|| shorten(rule), str::to_owned);
            let article = |word: &str| if word.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            if kind == "null" {
                return format!("`type` asks for {} {expected}, this is null", article(&expected));
            }
            format!("`type` asks for {} {expected}, this is {} {kind}", article(&expected), article(kind))
        }
        "enum" => format!("{} is none of the values of `enum`: {}", shorten(value), shorten(rule)),
        "minItems" | "maxItems" => {
            format!("`{keyword}: {}` does not hold for {} items", shorten(rule), value.items().len())
        }
        "const" | "format" | "pattern" | "minLength" | "maxLength" | "minimum" | "maximum"
        | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "uniqueItems" | "minProperties"
        | "maxProperties" => format!("`{keyword}: {}` does not hold for {}", shorten(rule), shorten(value)),
        _ => format!("`{keyword}` does not hold for {}", shorten(value)),
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
        assert_eq!(faults.is_empty(), sampler.is_valid(&schema, &value));
        let found: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.at, fault.message)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_innermost_keyword_is_reported() {
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
    fn a_choice_is_explained_by_its_probable_alternative() {
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
