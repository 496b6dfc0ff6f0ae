//! Check of values by the kinds of their fields, with defaults.

use uuid::Uuid;

use super::{Field, FieldKind, FieldRule, check::RecordChecker};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePlace, Value, distinct},
};

impl RecordChecker<'_> {
    pub(super) fn field(&mut self, field: &'static Field, value: &Value, at: &NodePlace<'_>) -> Value {
        if value.is_null() {
            if field.is_generated {
                // As Kong's: 32 characters that cannot be guessed.
                return Uuid::new_v4().simple().to_string().into();
            }
            if let Some(json) = field.default {
                let parse = || serde_json::from_str(json).unwrap_or_default();
                return self.defaults.entry(json).or_insert_with(parse).clone();
            }
            if let FieldKind::Record(fields) = field.kind {
                return self.record(fields, value, at, None).into();
            }
            if field.required {
                self.push_error(at, "required field missing");
            }
            return Value::Null;
        }
        if field.is_reference(value) {
            return value.clone();
        }
        let before = self.checked.diagnostics.len();
        let value = self.value(field.kind, value, at);
        if self.checked.diagnostics.len() == before {
            for rule in field.rules {
                if let FieldRule::Across(across) = rule {
                    if let Some(fault) = across(&value) {
                        self.fault(fault, at);
                        break;
                    }
                } else if let Err(message) = rule.check(&value) {
                    self.push_error(at, message);
                    break;
                }
            }
        }
        value
    }

    fn value(&mut self, kind: FieldKind, value: &Value, at: &NodePlace<'_>) -> Value {
        match (kind, value) {
            (FieldKind::String | FieldKind::Secret, Value::String(text)) if text.is_empty() => {
                self.push_error(at, "length must be at least 1");
            }
            (FieldKind::Uuid, Value::String(text)) if text.len() != 36 || Uuid::parse_str(text).is_err() => {
                self.push_error(at, "expected a valid UUID");
            }
            (
                FieldKind::String
                | FieldKind::Text
                | FieldKind::Secret
                | FieldKind::Uuid
                | FieldKind::Foreign(..),
                Value::String(_),
            )
            | (FieldKind::Boolean, Value::Bool(_))
            | (FieldKind::Number, Value::Number(_))
            | (FieldKind::Any, _) => (),
            (FieldKind::Integer, Value::Number(number)) => match number.as_i64() {
                // A number already in its shortest notation keeps its shared digits.
                Some(_) if is_canonical(number.as_str()) => (),
                Some(whole) => return Value::from(whole),
                None => self.push_error(at, "expected an integer"),
            },
            (FieldKind::Foreign(..), Value::Mapping(reference)) => {
                return self.reference(reference, at);
            }
            (FieldKind::Array(_) | FieldKind::Set(_), Value::Mapping(empty)) if empty.is_empty() => {
                return Value::from(Vec::new());
            }
            (FieldKind::Map(_), Value::Sequence(empty)) if empty.is_empty() => {
                return Mapping::default().into();
            }
            (FieldKind::Array(item), Value::Sequence(items)) => {
                return self.items(item, items, at).into();
            }
            (FieldKind::Set(item), Value::Sequence(items)) => {
                return distinct(self.items(item, items, at)).into();
            }
            (FieldKind::Map(item), Value::Mapping(members)) => {
                let before = self.checked.diagnostics.len();
                let mapped: Mapping = members
                    .iter()
                    .map(|(key, value)| (key.to_owned(), self.field(item, value, &at.key(key))))
                    .collect();
                self.report_at_map(before, at);
                return mapped.into();
            }
            (FieldKind::Record(fields), Value::Mapping(_) | Value::Sequence(_)) => {
                return self.record(fields, value, at, None).into();
            }
            (FieldKind::Unused, Value::Sequence(items)) if items.is_empty() => (),
            (FieldKind::Unused, Value::Sequence(_)) => {
                let message = "known to Kong, but not used by this version of mynah";
                self.push(Diagnostic::warning(at.path(), message).key());
            }
            (kind, _) => self.wrong_kind(kind, value, at),
        }
        value.clone()
    }

    fn items(&mut self, field: &'static Field, items: &[Value], at: &NodePlace<'_>) -> Vec<Value> {
        items.iter().enumerate().map(|(n, item)| self.field(field, item, &at.index(n))).collect()
    }

    /// The id in `{id: ...}`, the only mapping that is a reference.
    fn reference(&mut self, reference: &Mapping, at: &NodePlace<'_>) -> Value {
        match reference.get("id") {
            Some(id @ Value::String(_)) if reference.len() == 1 => id.clone(),
            _ => {
                let diagnostic = Diagnostic::error(at.key("id").path(), "missing primary key")
                    .help("a reference is the name or the id of an entity as a text, or `{id: ...}`");
                self.push(diagnostic);
                Value::Null
            }
        }
    }
}

/// Whether digits are the shortest notation of a whole number.
fn is_canonical(digits: &str) -> bool {
    digits != "-0" && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
