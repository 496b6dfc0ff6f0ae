//! Errors of a value that is not valid: the keywords that do not hold, with the messages of Ajv, which Prism uses.
//!
//! Errors are made one by one up to a limit, so that a value that is wrong everywhere costs no more than one that is wrong
//! in a few places.

use serde_json::{Map, Value as Json};

use super::{
    KeywordError,
    evaluate::Evaluation,
    instance::Instance,
    program::{Bound, Id, Keyword, LengthKeyword, PropertyRules, Schema},
};
use crate::budget::Exhausted;

/// Maximum number of errors of one value.
const MAX_ERRORS: usize = 100;
/// Bytes of paths and messages after which no further error is added.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// Maximum length of a quotation from the value or the schema, in bytes.
const MAX_QUOTED_BYTES: usize = 1024;

/// A step from a value to one of its parts.
#[derive(Clone, Copy)]
enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

/// The errors so far, and the path to the value that is examined.
#[derive(Default)]
pub(super) struct Errors<'v> {
    pub(super) all: Vec<KeywordError>,
    bytes: usize,
    path: Vec<Step<'v>>,
}

impl Errors<'_> {
    fn is_full(&self) -> bool {
        self.all.len() >= MAX_ERRORS || self.bytes >= MAX_TEXT_BYTES
    }

    fn push(&mut self, keyword: &'static str, message: impl Into<String>) {
        if self.is_full() {
            return;
        }
        let step = |step: &Step<'_>| match step {
            Step::Member(name) => truncate(name).to_owned(),
            Step::Item(n) => n.to_string(),
        };
        let path: Vec<String> = self.path.iter().map(step).collect();
        let message = message.into();
        self.bytes += message.len() + path.iter().map(String::len).sum::<usize>() + 64;
        self.all.push(KeywordError { path, keyword, message });
    }
}

impl<'p, 'v> Evaluation<'p, 'v, '_> {
    /// Adds the errors of a value; none if it is valid.
    pub(super) fn explain(
        &mut self,
        id: Id,
        value: Instance<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        self.budget.spend(1)?;
        if errors.is_full() {
            return Ok(());
        }
        let schema: &'p Schema = self.program.schema(id);
        if schema.is_false {
            errors.push("false schema", "boolean schema is false");
            return Ok(());
        }
        // Other values are small, and each schema that is visited for them ends in an error, of which there are few.
        if (schema.keeps_results || value.is_container()) && self.is_valid(id, value)? {
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
        value: Instance<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        match keyword {
            Keyword::AllOf(all) => self.explain_all(all, value, errors)?,
            Keyword::AnyOf(all) | Keyword::OneOf(all) => {
                let count = self.count_valid(all, value, 2)?;
                let (name, message) = match keyword {
                    Keyword::AnyOf(_) => ("anyOf", "must match a schema in anyOf"),
                    _ => ("oneOf", "must match exactly one schema in oneOf"),
                };
                if count == 0 {
                    self.explain_all(all, value, errors)?;
                }
                if count == 0 || count > 1 && name == "oneOf" {
                    errors.push(name, message);
                }
            }
            Keyword::If { condition, then, otherwise } => {
                let next = if self.is_valid(*condition, value)? { then } else { otherwise };
                if let Some(id) = next {
                    self.explain(*id, value, errors)?;
                }
            }
            Keyword::Reference(id) => self.explain(*id, value, errors)?,
            _ => match value {
                Instance::Json(Json::Object(members)) => {
                    self.explain_object(schema, keyword, (members, value), errors)?;
                }
                Instance::Json(Json::Array(items)) => {
                    self.explain_array(schema, keyword, (items, value), errors)?;
                }
                _ => self.explain_whole(schema, keyword, value, errors)?,
            },
        }
        Ok(())
    }

    fn explain_all(
        &mut self,
        all: &'p [Id],
        value: Instance<'v>,
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
        self.explain(id, Instance::Json(value), errors)?;
        errors.path.pop();
        Ok(())
    }

    fn explain_object(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        (members, value): (&'v Map<String, Json>, Instance<'v>),
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        let push_missing = |names: &[Box<str>], errors: &mut Errors<'v>| {
            for name in names.iter().filter(|name| !members.contains_key(&***name)) {
                errors.push("required", format!("must have required property '{}'", truncate(name)));
                if errors.is_full() {
                    break;
                }
            }
        };
        match keyword {
            Keyword::Required(names) => push_missing(names, errors),
            Keyword::DependentRequired(lists) => {
                let present = lists.iter().filter(|(name, _)| members.contains_key(&**name));
                present.for_each(|(_, names)| push_missing(names, errors));
            }
            Keyword::Properties(rules) => self.explain_members(rules, members, errors)?,
            Keyword::PropertyNames(id) => {
                for name in members.keys() {
                    if !self.is_valid(*id, Instance::PropertyName(name))? {
                        self.explain(*id, Instance::PropertyName(name), errors)?;
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
                let marks = self.mark_evaluated(schema, value)?;
                for (n, (name, member)) in members.iter().enumerate() {
                    if !marks.contains(n) && !self.is_valid(*id, Instance::Json(member))? {
                        let message = format!("must NOT have unevaluated properties: '{}'", truncate(name));
                        errors.push("unevaluatedProperties", message);
                    }
                    if errors.is_full() {
                        break;
                    }
                }
            }
            _ => self.explain_whole(schema, keyword, value, errors)?,
        }
        Ok(())
    }

    /// Adds the errors of properties in the order of the schema.
    fn explain_members(
        &mut self,
        rules: &'p PropertyRules,
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
            if errors.is_full() {
                break;
            }
            if self.is_declared(rules, name)? {
                continue;
            }
            if rules.forbids_additional {
                let message = format!("must NOT have additional properties; found '{}'", truncate(name));
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
        (items, value): (&'v [Json], Instance<'v>),
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        match keyword {
            Keyword::Items { first, rest } => {
                for (n, item) in items.iter().enumerate() {
                    let Some(id) = first.get(n).copied().or(*rest) else { break };
                    self.explain_at(id, item, Step::Item(n), errors)?;
                }
            }
            Keyword::Contains { schema: id, min, max } => {
                if self.holds(schema, keyword, value)? {
                    return Ok(());
                }
                for (n, item) in items.iter().enumerate() {
                    self.explain_at(*id, item, Step::Item(n), errors)?;
                }
                let message = match max {
                    Some(max) => {
                        format!("must contain at least {min} and no more than {max} valid item(s)")
                    }
                    None => format!("must contain at least {min} valid item(s)"),
                };
                errors.push("contains", message);
            }
            _ => self.explain_whole(schema, keyword, value, errors)?,
        }
        Ok(())
    }

    /// Adds one error for a keyword that does not hold.
    fn explain_whole(
        &mut self,
        schema: &'p Schema,
        keyword: &'p Keyword,
        value: Instance<'v>,
        errors: &mut Errors<'v>,
    ) -> Result<(), Exhausted> {
        if !self.holds(schema, keyword, value)? {
            let (name, message) = self.message(keyword);
            errors.push(name, message);
        }
        Ok(())
    }

    /// The name of the keyword, and its message.
    fn message(&self, keyword: &Keyword) -> (&'static str, String) {
        let quote = |text: Option<&str>| truncate(text.unwrap_or_default()).to_owned();
        match keyword {
            Keyword::Type(_, names) => ("type", format!("must be {names}")),
            Keyword::Const(_) => ("const", "must be equal to constant".to_owned()),
            Keyword::Enum(enumeration) => ("enum", allowed_values(&enumeration.values)),
            Keyword::Bound(bound, limit) => {
                let (name, sign) = match bound {
                    Bound::Minimum => ("minimum", ">="),
                    Bound::Maximum => ("maximum", "<="),
                    Bound::ExclusiveMinimum => ("exclusiveMinimum", ">"),
                    Bound::ExclusiveMaximum => ("exclusiveMaximum", "<"),
                };
                (name, format!("must be {sign} {}", truncate(limit)))
            }
            Keyword::MultipleOf(step) => ("multipleOf", format!("must be multiple of {}", truncate(step))),
            Keyword::Length(length, bound) => {
                let (name, more, parts) = match length {
                    LengthKeyword::MinLength => ("minLength", "fewer", "characters"),
                    LengthKeyword::MaxLength => ("maxLength", "more", "characters"),
                    LengthKeyword::MinItems => ("minItems", "fewer", "items"),
                    LengthKeyword::MaxItems => ("maxItems", "more", "items"),
                    LengthKeyword::MinProperties => ("minProperties", "fewer", "properties"),
                    LengthKeyword::MaxProperties => ("maxProperties", "more", "properties"),
                };
                (name, format!("must NOT have {more} than {bound} {parts}"))
            }
            Keyword::Pattern(n) => {
                let source = self.program.patterns.get(*n as usize).map(|pattern| &*pattern.source);
                ("pattern", format!("must match pattern \"{}\"", quote(source)))
            }
            Keyword::Format(n) => {
                let name = self.program.formats.get(*n as usize).map(|format| &*format.name);
                ("format", format!("must match format \"{}\"", quote(name)))
            }
            Keyword::UniqueItems => ("uniqueItems", "must NOT have duplicate items".to_owned()),
            Keyword::Not(_) => ("not", "must NOT be valid".to_owned()),
            Keyword::UnevaluatedItems(_) => {
                ("unevaluatedItems", "must NOT have unevaluated items".to_owned())
            }
            // The errors of all other keywords are those of their subschemas.
            _ => ("schema", "must be valid".to_owned()),
        }
    }
}

fn allowed_values(values: &[Json]) -> String {
    let mut text = String::from("must be equal to one of the allowed values: ");
    for (n, value) in values.iter().take(MAX_ERRORS).enumerate() {
        if n > 0 {
            text.push_str(", ");
        }
        match value {
            Json::String(value) => text.push_str(value),
            other => text.push_str(&other.to_string()),
        }
        if text.len() > MAX_QUOTED_BYTES {
            break;
        }
    }
    let end = text.floor_char_boundary(2 * MAX_QUOTED_BYTES);
    text.truncate(end);
    text
}

/// The beginning of a text, up to [`MAX_QUOTED_BYTES`].
fn truncate(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_QUOTED_BYTES)]
}
