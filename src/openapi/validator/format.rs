//! Formats that strings are validated against.

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use crate::{
    base64_codec,
    budget::{Budget, Exhausted},
};

/// The formats of JSON Schema that are asserted; all others are ignored.
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
/// Maximum length of a text of the format `regex`, in bytes.
const MAX_REGEX_BYTES: usize = 16 << 10;

/// A format that is asserted.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) name: Box<str>,
    /// `None` for `byte` of OpenAPI 2.0 and 3.0, which is decoded as base64.
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

    /// Whether a text has this format.
    ///
    /// # Errors
    /// The budget is exhausted, or the text is a regular expression of more than [`MAX_REGEX_BYTES`].
    pub(super) fn matches(&self, text: &str, budget: &Budget) -> Result<bool, Exhausted> {
        budget.spend(1 + text.len() as u64 / 8)?;
        if *self.name == *"regex" && text.len() > MAX_REGEX_BYTES {
            return Err(Exhausted::Steps);
        }
        Ok(match &self.validator {
            Some(validator) => validator.is_valid(&Json::from(text)),
            None => base64_codec::decode(text).is_some(),
        })
    }
}
