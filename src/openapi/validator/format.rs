//! Formats of texts that are asserted.

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use crate::{
    base64_codec,
    budget::{Budget, Exhausted},
};

/// The formats of JSON Schema that are asserted; others say nothing.
const ASSERTED: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];
/// A text of the format `regex` may be this long, in bytes.
const MAX_REGEX: usize = 16 << 10;

/// One format.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) name: Box<str>,
    /// None for `byte`, the format of OpenAPI 2.0 and 3.0.
    validator: Option<Validator>,
}

impl Format {
    /// The format of this name, if it is asserted.
    pub(super) fn new(name: &str) -> Option<Self> {
        if name == "byte" {
            return Some(Self { name: name.into(), validator: None });
        }
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator =
            ASSERTED.contains(&name).then(|| options.build(&json!({ "format": name })).ok())??;
        Some(Self { name: name.into(), validator: Some(validator) })
    }

    /// Whether a text is of this format.
    pub(super) fn fits(&self, text: &str, budget: &Budget) -> Result<bool, Exhausted> {
        budget.spend(1 + text.len() as u64 / 8)?;
        if *self.name == *"regex" && text.len() > MAX_REGEX {
            return Err(Exhausted::Steps);
        }
        Ok(match &self.validator {
            Some(validator) => validator.is_valid(&Json::from(text)),
            None => base64_codec::decode(text).is_some(),
        })
    }
}
