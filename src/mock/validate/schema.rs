//! One schema, compiled, and what it says is wrong with a value, in the words of Ajv (which Prism speaks).

use jsonschema::{ValidationError, Validator, error::TypeKind, error::ValidationErrorKind as Kind};
use serde_json::{Value as Json, json};

use super::coerce::Place;
use crate::openapi::{Library, Node, bundle::Bundle, sample::Direction};

/// No more faults than this are told of one value.
const MOST: usize = 100;
/// Steps that a pattern may take.
const BACKTRACK: usize = 100_000;
/// Bytes that a compiled pattern may take.
const PATTERN: usize = 4 << 20;

/// A schema, compiled.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    /// The schema in the words of 2020-12, with all that it refers to.
    pub(super) bundle: Json,
    /// How many schemas it holds.
    pub(super) nodes: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The steps to the place in the value.
    pub(super) path: Vec<String>,
    /// The keyword that does not hold.
    pub(super) code: String,
    /// What it wants: `must be integer`.
    pub(super) message: String,
}

impl Schema {
    /// Compiles a schema; nothing if there is no way to, so that nothing is checked.
    pub(super) fn new(library: &Library, schema: &Node, direction: Direction) -> Option<Self> {
        let Bundle { mut schema, nodes } = Bundle::new(library, schema, direction);
        let validator = compile(&schema).or_else(|| {
            // A pattern that no engine here reads is the usual reason.
            without_wrong_patterns(&mut schema);
            compile(&schema)
        })?;
        Some(Self { validator, bundle: schema, nodes })
    }

    /// Whether the value is valid.
    pub(super) fn allows(&self, value: &Json) -> bool {
        self.validator.is_valid(value)
    }

    /// Everything that is wrong with the value.
    pub(super) fn faults(&self, value: &Json) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.validator.is_valid(value) {
            return faults;
        }
        // Faults are told in the order of the schema, whatever the order of the value.
        let value = &Place::root(&self.bundle).arrange(value.clone());
        for error in self.validator.iter_errors(value) {
            self.tell(&error, &mut faults);
            if faults.len() >= MOST {
                faults.truncate(MOST);
                break;
            }
        }
        faults
    }

    fn tell(&self, error: &ValidationError<'_>, faults: &mut Vec<Fault>) {
        let path: Vec<String> = steps(error.instance_path().as_str());
        let mut tell = |code: &str, message: String| {
            faults.push(Fault { path: path.clone(), code: code.to_owned(), message });
        };
        match error.kind() {
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                for inner in context.iter().flatten() {
                    if faults.len() < MOST {
                        self.tell(inner, faults);
                    }
                }
                let (code, message) = match error.kind() {
                    Kind::AnyOf { .. } => ("anyOf", "must match a schema in anyOf"),
                    _ => ("oneOf", "must match exactly one schema in oneOf"),
                };
                faults.push(Fault { path, code: code.to_owned(), message: message.to_owned() });
            }
            Kind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    tell(
                        "additionalProperties",
                        format!("must NOT have additional properties; found '{name}'"),
                    );
                }
            }
            Kind::UnevaluatedProperties { unexpected } => {
                for name in unexpected {
                    tell("unevaluatedProperties", format!("must NOT have unevaluated properties: '{name}'"));
                }
            }
            Kind::Contains => self.contains(error, path, faults),
            Kind::Type { kind: TypeKind::Multiple(all) } => {
                // In the order of the document, which the set has forgotten.
                let said = self.holder(error).and_then(|it| it.get("type")?.as_array());
                let said = said.map(|it| it.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(","));
                let names = || all.iter().map(|it| it.to_string()).collect::<Vec<_>>().join(",");
                tell("type", format!("must be {}", said.unwrap_or_else(names)));
            }
            Kind::PropertyNames { error } => {
                self.tell(error, faults);
                faults.push(Fault {
                    path,
                    code: "propertyNames".to_owned(),
                    message: "property name must be valid".to_owned(),
                });
            }
            kind => tell(code(kind), message(kind, error)),
        }
    }

    /// The schema that holds the keyword which does not hold.
    fn holder(&self, error: &ValidationError<'_>) -> Option<&Json> {
        let steps = steps(error.schema_path().as_str());
        let (_, holder) = steps.split_last()?;
        holder.iter().try_fold(&self.bundle, |here, step| match here {
            Json::Array(items) => items.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
    }

    /// What is wrong with the items that are not what has to be contained, and how many had to be.
    fn contains(&self, error: &ValidationError<'_>, path: Vec<String>, faults: &mut Vec<Fault>) {
        let holder = self.holder(error);
        let said = |word: &str| holder.and_then(|it| it.get(word)).and_then(Json::as_u64);
        let least = said("minContains").unwrap_or(1);
        let wanted = match said("maxContains") {
            Some(most) => format!("must contain at least {least} and no more than {most} valid item(s)"),
            None => format!("must contain at least {least} valid item(s)"),
        };
        if let (Some(contained), Json::Array(items)) =
            (holder.and_then(|it| it.get("contains")), error.instance().as_ref())
        {
            let alone =
                json!({"allOf": [contained], "$defs": self.bundle.get("$defs").unwrap_or(&Json::Null)});
            let alone = if self.bundle.get("$defs").is_some() { alone } else { contained.clone() };
            if let Some(validator) = compile(&alone) {
                let inner = Self { validator, bundle: alone, nodes: 0 };
                for (n, item) in items.iter().enumerate().take(MOST) {
                    faults.extend(inner.faults(item).into_iter().map(|mut fault| {
                        fault.path.splice(0..0, path.iter().cloned().chain([n.to_string()]));
                        fault
                    }));
                }
            }
        }
        faults.push(Fault { path, code: "contains".to_owned(), message: wanted });
    }
}

fn compile(schema: &Json) -> Option<Validator> {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .with_format("byte", |text: &str| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            STANDARD.decode(text).is_ok()
        })
        .with_pattern_options(
            jsonschema::PatternOptions::fancy_regex()
                .backtrack_limit(BACKTRACK)
                .size_limit(PATTERN)
                .dfa_size_limit(PATTERN),
        )
        .build(schema)
        .ok()
}

fn without_wrong_patterns(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            let wrong = |pattern: &str| compile(&json!({ "pattern": pattern })).is_none();
            if members.get("pattern").and_then(Json::as_str).is_some_and(wrong) {
                members.remove("pattern");
            }
            if let Some(Json::Object(patterns)) = members.get_mut("patternProperties") {
                patterns.retain(|pattern, _| !wrong(pattern));
            }
            members.values_mut().for_each(without_wrong_patterns);
        }
        Json::Array(items) => items.iter_mut().for_each(without_wrong_patterns),
        _ => (),
    }
}

/// The steps of a JSON pointer.
fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// Ajv's name of the keyword.
fn code(kind: &Kind) -> &str {
    match kind {
        Kind::FalseSchema => "false schema",
        kind => kind.keyword(),
    }
}

/// What the keyword wants, as Ajv says it.
fn message(kind: &Kind, error: &ValidationError<'_>) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(one) } => format!("must be {one}"),
        Kind::Required { property } => {
            format!("must have required property '{}'", property.as_str().unwrap_or_default())
        }
        Kind::Enum { options } => {
            let plain = |it: &Json| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
            let all: Vec<String> = options.as_array().into_iter().flatten().take(MOST).map(plain).collect();
            format!("must be equal to one of the allowed values: {}", all.join(", "))
        }
        Kind::Constant { .. } => "must be equal to constant".to_owned(),
        Kind::Minimum { limit } => format!("must be >= {limit}"),
        Kind::Maximum { limit } => format!("must be <= {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be > {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be < {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must NOT have fewer than {limit} characters"),
        Kind::MaxLength { limit } => format!("must NOT have more than {limit} characters"),
        Kind::MinItems { limit } => format!("must NOT have fewer than {limit} items"),
        Kind::MaxItems { limit } => format!("must NOT have more than {limit} items"),
        Kind::AdditionalItems { limit } => format!("must NOT have more than {limit} items"),
        Kind::MinProperties { limit } => format!("must NOT have fewer than {limit} properties"),
        Kind::MaxProperties { limit } => format!("must NOT have more than {limit} properties"),
        Kind::Pattern { pattern } => format!("must match pattern \"{pattern}\""),
        Kind::Format { format } => format!("must match format \"{format}\""),
        Kind::UniqueItems => "must NOT have duplicate items".to_owned(),
        Kind::FalseSchema => "boolean schema is false".to_owned(),
        Kind::Not { .. } => "must NOT be valid".to_owned(),
        Kind::OneOfMultipleValid { .. } => "must match exactly one schema in oneOf".to_owned(),
        Kind::UnevaluatedItems { .. } => "must NOT have unevaluated items".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Dialect, read},
        openapi::Location,
    };

    #[track_caller]
    fn check(schema: &str, value: &Json, expected: &[&str]) {
        let text = format!("{{openapi: 3.1.0, schema: {schema}, P: {{type: string, enum: [a, b]}}}}");
        let document = read(&text, Dialect::Specification).unwrap();
        let (library, _) = Library::new(document.value, &Location::alone());
        let schema = library.root().get("schema").unwrap();
        let schema = Schema::new(&library, &schema, Direction::Request).unwrap();
        let faults = schema.faults(value);
        let told: Vec<String> =
            faults.iter().map(|it| format!("{} {} {}", it.path.join("."), it.code, it.message)).collect();
        assert_eq!(told, expected, "{text}");
        assert_eq!(schema.allows(value), expected.is_empty());
    }

    #[test]
    fn faults_are_told_as_ajv_tells_them() {
        check("{type: integer}", &json!("x"), &[" type must be integer"]);
        check("{type: [string, 'null']}", &json!(1), &[" type must be string,null"]);
        check(
            "{type: object, properties: {s: {$ref: '#/P'}, n: {minimum: 3}}, required: [id]}",
            &json!({"n": 2, "s": "c"}),
            &[
                " required must have required property 'id'",
                "s enum must be equal to one of the allowed values: a, b",
                "n minimum must be >= 3",
            ],
        );
        check(
            "{additionalProperties: false}",
            &json!({"a/b": 1}),
            &[" additionalProperties must NOT have additional properties; found 'a/b'"],
        );
        check(
            "{properties: {a/b: {const: 1}}}",
            &json!({"a/b": 2}),
            &["a/b const must be equal to constant"],
        );
        check(
            "{anyOf: [{type: string}, {maximum: 1}]}",
            &json!(2),
            &[" type must be string", " maximum must be <= 1", " anyOf must match a schema in anyOf"],
        );
        check(
            "{format: byte}",
            &json!("%"),
            &[r#" pattern must match pattern "^[\w\d+\/=]*$""#, " format must match format \"byte\""],
        );
    }

    #[test]
    fn what_should_be_contained_is_told_item_by_item() {
        check(
            "{type: array, contains: {$ref: '#/P'}, minContains: 2}",
            &json!(["a", "c"]),
            &[
                "1 enum must be equal to one of the allowed values: a, b",
                " contains must contain at least 2 valid item(s)",
            ],
        );
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_not_asked() {
        check("{type: string, pattern: '(?<'}", &json!("x"), &[]);
        check(
            "{type: string, pattern: '(?<', minLength: 2}",
            &json!("x"),
            &[" minLength must NOT have fewer than 2 characters"],
        );
        check("{patternProperties: {'(': false}}", &json!({"(": 1}), &[]);
    }

    #[test]
    fn a_pattern_may_not_take_for_ever() {
        let schema = "{type: string, pattern: '^(([a-z])+.)+[A-Z]([a-z])+$(?!x)'}";
        let text = format!("{{openapi: 3.1.0, schema: {schema}}}");
        let document = read(&text, Dialect::Specification).unwrap();
        let (library, _) = Library::new(document.value, &Location::alone());
        let schema = library.root().get("schema").unwrap();
        let schema = Schema::new(&library, &schema, Direction::Request).unwrap();
        assert!(!schema.allows(&json!("a".repeat(100))));
    }
}
