//! What is wrong with a value by a schema: the keywords that do not hold, in the words of Ajv (which Prism speaks).
//!
//! Errors are made one by one and stop at a bound, so that a value that is wrong everywhere costs no more than one that
//! is wrong at some places.

use serde_json::{Map, Value as Json};

use super::{
    KeywordError,
    evaluate::Evaluation,
    program::{Bound, Id, Keyword, Length, Members, Schema},
    value::Value,
};
use crate::budget::Exhausted;

/// Errors of one value.
const MAX_ERRORS: usize = 100;
/// Bytes of their texts.
const MAX_BYTES: usize = 64 << 10;
/// Bytes of a text of the client or the document that an error quotes.
const MAX_QUOTED: usize = 1024;

/// A step into the value.
#[derive(Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

/// The errors so far, and the place that is looked at.
#[derive(Default)]
pub(super) struct Errors<'v> {
    pub(super) all: Vec<KeywordError>,
    bytes: usize,
    path: Vec<Step<'v>>,
}

impl Errors<'_> {
    fn are_enough(&self) -> bool {
        self.all.len() >= MAX_ERRORS || self.bytes >= MAX_BYTES
    }

    fn push(&mut self, keyword: &'static str, message: impl Into<String>) {
        if self.are_enough() {
            return;
        }
        let step = |step: &Step<'_>| match step {
            Step::Member(name) => quoted(name).to_owned(),
            Step::Item(n) => n.to_string(),
        };
        let path: Vec<String> = self.path.iter().map(step).collect();
        let message = message.into();
        self.bytes += message.len() + path.iter().map(String::len).sum::<usize>() + 64;
        self.all.push(KeywordError { path, keyword, message });
    }
}

impl<'p, 'v> Evaluation<'p, 'v, '_> {
    /// Adds what is wrong with a value; nothing if it is valid.
    pub(super) fn explain(
        &mut self,
        id: Id,
        value: Value<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        self.budget.spend(1)?;
        if errors.are_enough() {
            return Ok(());
        }
        let schema: &'p Schema = self.program.schema(id);
        if schema.is_false {
            errors.push("false schema", "boolean schema is false");
            return Ok(());
        }
        // Each of the others that are gone through ends in an error, of which there are few.
        if (schema.keeps_results || value.is_container()) && self.valid(id, value)? {
            return Ok(());
        }
        let _level = self.budget.descend()?;
        for keyword in &schema.keywords {
            self.explain_keyword(schema, keyword, value, errors)?;
        }
        Ok(())
    }

    fn explain_keyword(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        value: Value<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        match keyword {
            Keyword::AllOf(all) => self.explain_all(all, value, errors)?,
            Keyword::AnyOf(all) | Keyword::OneOf(all) => {
                let count = self.count(all, value, 2)?;
                let (word, message) = match keyword {
                    Keyword::AnyOf(_) => ("anyOf", "must match a schema in anyOf"),
                    _ => ("oneOf", "must match exactly one schema in oneOf"),
                };
                if count == 0 {
                    self.explain_all(all, value, errors)?;
                }
                if count == 0 || count > 1 && word == "oneOf" {
                    errors.push(word, message);
                }
            }
            Keyword::If { condition, then, otherwise } => {
                let next = if self.valid(*condition, value)? { then } else { otherwise };
                if let Some(id) = next {
                    self.explain(*id, value, errors)?;
                }
            }
            Keyword::Reference(id) => self.explain(*id, value, errors)?,
            _ => match value {
                Value::Json(Json::Object(members)) => {
                    self.explain_object(schema, keyword, (members, value), errors)?;
                }
                Value::Json(Json::Array(items)) => {
                    self.explain_array(schema, keyword, (items, value), errors)?;
                }
                _ => self.explain_leaf(schema, keyword, value, errors)?,
            },
        }
        Ok(())
    }

    fn explain_all(
        &mut self,
        all: &'p [Id],
        value: Value<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        all.iter().try_for_each(|id| self.explain(*id, value, errors))
    }

    fn explain_at(
        &mut self,
        id: Id,
        value: &'v Json,
        step: Step<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        errors.path.push(step);
        self.explain(id, Value::Json(value), errors)?;
        errors.path.pop();
        Ok(())
    }

    fn explain_object(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        (members, value): (&'v Map<String, Json>, Value<'v>),
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        let missing = |names: &[Box<str>], errors: &mut Errors<'v>| {
            for name in names.iter().filter(|name| !members.contains_key(&***name)) {
                errors.push("required", format!("must have required property '{}'", quoted(name)));
                if errors.are_enough() {
                    break;
                }
            }
        };
        match keyword {
            Keyword::Required(names) => missing(names, errors),
            Keyword::DependentRequired(lists) => {
                let present = lists.iter().filter(|(name, _)| members.contains_key(&**name));
                present.for_each(|(_, names)| missing(names, errors));
            }
            Keyword::Members(rules) => self.explain_members(rules, members, errors)?,
            Keyword::PropertyNames(id) => {
                for name in members.keys() {
                    if !self.valid(*id, Value::Name(name))? {
                        self.explain(*id, Value::Name(name), errors)?;
                        errors.push("propertyNames", "property name must be valid");
                    }
                }
            }
            Keyword::DependentSchemas(schemas) => {
                for (name, id) in schemas {
                    if members.contains_key(&**name) {
                        self.explain(*id, value, errors)?;
                    }
                }
            }
            Keyword::UnevaluatedProperties(id) => {
                let marks = self.evaluated(schema, value)?;
                for (n, (name, member)) in members.iter().enumerate() {
                    if !marks.has(n) && !self.valid(*id, Value::Json(member))? {
                        let message = format!("must NOT have unevaluated properties: '{}'", quoted(name));
                        errors.push("unevaluatedProperties", message);
                    }
                    if errors.are_enough() {
                        break;
                    }
                }
            }
            _ => self.explain_leaf(schema, keyword, value, errors)?,
        }
        Ok(())
    }

    /// Properties come in the order of the schema, whatever the order of the value.
    fn explain_members(
        &mut self,
        rules: &'p Members,
        members: &'v Map<String, Json>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        for (name, id) in &rules.properties {
            self.budget.spend(1)?;
            if let Some((name, member)) = members.get_key_value(&**name) {
                self.explain_at(*id, member, Step::Member(name), errors)?;
            }
        }
        for (pattern, id) in &rules.patterns {
            for (name, member) in members {
                if self.matches(*pattern, name)? == Some(true) {
                    self.explain_at(*id, member, Step::Member(name), errors)?;
                }
            }
        }
        let Some(id) = rules.additional else { return Ok(()) };
        for (name, member) in members {
            if errors.are_enough() {
                break;
            }
            if self.is_declared(rules, name)? {
                continue;
            }
            if rules.closed {
                let message = format!("must NOT have additional properties; found '{}'", quoted(name));
                errors.push("additionalProperties", message);
            } else {
                self.explain_at(id, member, Step::Member(name), errors)?;
            }
        }
        Ok(())
    }

    fn explain_array(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        (items, value): (&'v [Json], Value<'v>),
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        match keyword {
            Keyword::Items { first, rest } => {
                for (n, item) in items.iter().enumerate() {
                    let Some(id) = first.get(n).copied().or(*rest) else { break };
                    self.explain_at(id, item, Step::Item(n), errors)?;
                }
            }
            Keyword::Contains { schema: id, least, most } => {
                if self.holds(schema, keyword, value)? {
                    return Ok(());
                }
                for (n, item) in items.iter().enumerate() {
                    self.explain_at(*id, item, Step::Item(n), errors)?;
                }
                let message = match most {
                    Some(most) => {
                        format!("must contain at least {least} and no more than {most} valid item(s)")
                    }
                    None => format!("must contain at least {least} valid item(s)"),
                };
                errors.push("contains", message);
            }
            _ => self.explain_leaf(schema, keyword, value, errors)?,
        }
        Ok(())
    }

    /// A keyword that is told as a whole.
    fn explain_leaf(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        value: Value<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        if !self.holds(schema, keyword, value)? {
            let (word, message) = self.message(keyword);
            errors.push(word, message);
        }
        Ok(())
    }

    /// The keyword, and what it wants.
    fn message(&self, keyword: &Keyword) -> (&'static str, String) {
        let quote = |text: Option<&str>| quoted(text.unwrap_or_default()).to_owned();
        match keyword {
            Keyword::Type(_, names) => ("type", format!("must be {names}")),
            Keyword::Const(_) => ("const", "must be equal to constant".to_owned()),
            Keyword::Enum(enumeration) => ("enum", allowed(&enumeration.values)),
            Keyword::Bound(bound, limit) => {
                let (word, sign) = match bound {
                    Bound::Minimum => ("minimum", ">="),
                    Bound::Maximum => ("maximum", "<="),
                    Bound::ExclusiveMinimum => ("exclusiveMinimum", ">"),
                    Bound::ExclusiveMaximum => ("exclusiveMaximum", "<"),
                };
                (word, format!("must be {sign} {}", quoted(limit)))
            }
            Keyword::MultipleOf(step) => ("multipleOf", format!("must be multiple of {}", quoted(step))),
            Keyword::Length(length, bound) => {
                let (word, more, parts) = match length {
                    Length::LeastCharacters => ("minLength", "fewer", "characters"),
                    Length::MostCharacters => ("maxLength", "more", "characters"),
                    Length::LeastItems => ("minItems", "fewer", "items"),
                    Length::MostItems => ("maxItems", "more", "items"),
                    Length::LeastMembers => ("minProperties", "fewer", "properties"),
                    Length::MostMembers => ("maxProperties", "more", "properties"),
                };
                (word, format!("must NOT have {more} than {bound} {parts}"))
            }
            Keyword::Pattern(n) => {
                let source = self.program.patterns.get(*n as usize).map(|it| &*it.source);
                ("pattern", format!("must match pattern \"{}\"", quote(source)))
            }
            Keyword::Format(n) => {
                let name = self.program.formats.get(*n as usize).map(|it| &*it.name);
                ("format", format!("must match format \"{}\"", quote(name)))
            }
            Keyword::UniqueItems => ("uniqueItems", "must NOT have duplicate items".to_owned()),
            Keyword::Not(_) => ("not", "must NOT be valid".to_owned()),
            Keyword::UnevaluatedItems(_) => {
                ("unevaluatedItems", "must NOT have unevaluated items".to_owned())
            }
            // All others are told part by part.
            _ => ("schema", "must be valid".to_owned()),
        }
    }
}

fn allowed(values: &[Json]) -> String {
    let mut text = String::from("must be equal to one of the allowed values: ");
    for (n, value) in values.iter().take(MAX_ERRORS).enumerate() {
        if n > 0 {
            text.push_str(", ");
        }
        match value {
            Json::String(value) => text.push_str(value),
            other => text.push_str(&other.to_string()),
        }
        if text.len() > MAX_QUOTED {
            break;
        }
    }
    let end = text.floor_char_boundary(2 * MAX_QUOTED);
    text.truncate(end);
    text
}

/// The beginning of a text.
fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_QUOTED)]
}
