//! Types of values from the environment that stand without quotes: a text where the field is a text, else what YAML makes of
//! it. The schema of the field decides, so that a password of digits is a password.

use crate::{
    document::{Mapping, Value, plain_value},
    entity::{DOCUMENT, plugin},
    schema::{EntitySchema, Field, FieldKind, PluginSchemas},
};

/// First character of a text whose type is still open. It is a noncharacter of Unicode, which no text to be exchanged has.
const OPEN_TYPE: char = '\u{fdd0}';

/// A text whose type is still open.
pub(super) fn open(text: &str) -> String {
    format!("{OPEN_TYPE}{text}")
}

/// Whether a text can have values of open type: it does not have the mark itself.
pub(super) fn can_be_open(text: &str) -> bool {
    !text.contains(OPEN_TYPE)
}

/// The document with types for the values of known fields. Values elsewhere stay open.
pub(in crate::config) fn settle_known(document: &Value, plugins: &dyn PluginSchemas) -> Value {
    settle(document, plugins, false)
}

/// The document with types for all values.
pub(in crate::config) fn settle_all(document: &Value, plugins: &dyn PluginSchemas) -> Value {
    settle(document, plugins, true)
}

fn settle(document: &Value, plugins: &dyn PluginSchemas, all: bool) -> Value {
    let resolver = TypeResolver { plugins, all };
    resolver.settled(Expectation::Fields(DOCUMENT, None), document).unwrap_or_else(|| document.clone())
}

/// What a schema says of a node.
#[derive(Clone, Copy)]
enum Expectation {
    /// Nothing.
    Unknown,
    /// A value of this kind.
    Kind(FieldKind),
    /// A record of these fields, and the kind of entity that has them.
    Fields(&'static [Field], Option<&'static EntitySchema>),
}

struct TypeResolver<'a> {
    plugins: &'a dyn PluginSchemas,
    /// Whether values of unknown fields get a type, too.
    all: bool,
}

impl TypeResolver<'_> {
    /// The node with types; `None` if it has no value of open type.
    fn settled(&self, expected: Expectation, value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => {
                let text = text.strip_prefix(OPEN_TYPE)?;
                match expected {
                    Expectation::Unknown if !self.all => None,
                    Expectation::Kind(kind) if is_text(kind) && !text.is_empty() => Some(Value::from(text)),
                    _ => Some(plain_value(text)),
                }
            }
            Value::Sequence(items) => {
                let expected = match expected {
                    Expectation::Kind(FieldKind::Array(item) | FieldKind::Set(item)) => {
                        Expectation::Kind(item.kind)
                    }
                    Expectation::Kind(FieldKind::Entities(entity, _)) => {
                        Expectation::Fields(entity().fields, Some(entity()))
                    }
                    _ => Expectation::Unknown,
                };
                let mut changed: Option<Vec<Value>> = None;
                for (n, item) in items.iter().enumerate() {
                    if let Some(item) = self.settled(expected, item) {
                        changed.get_or_insert_with(|| items.to_vec())[n] = item;
                    }
                }
                changed.map(Value::from)
            }
            Value::Mapping(members) => self.settled_members(expected, members).map(Value::from),
            _ => None,
        }
    }

    fn settled_members(&self, expected: Expectation, members: &Mapping) -> Option<Mapping> {
        let mut changed: Option<Mapping> = None;
        for (key, value) in members.iter() {
            if let Some(value) = self.settled(self.expected_member(expected, members, key), value) {
                changed.get_or_insert_with(|| members.clone()).insert(key, value);
            }
        }
        changed
    }

    /// What is expected of the member `key` of a mapping.
    fn expected_member(&self, expected: Expectation, members: &Mapping, key: &str) -> Expectation {
        match expected {
            Expectation::Fields(fields, entity) => {
                if let Some(field) = fields.iter().find(|field| field.name == key) {
                    return match field.kind {
                        FieldKind::Config => self.settings(members),
                        kind => Expectation::Kind(kind),
                    };
                }
                let is_shorthand =
                    entity.and_then(|entity| entity.shorthand).is_some_and(|shorthand| shorthand.name == key);
                if is_shorthand { Expectation::Kind(FieldKind::String) } else { Expectation::Unknown }
            }
            Expectation::Kind(FieldKind::Record(fields)) => {
                self.expected_member(Expectation::Fields(fields, None), members, key)
            }
            Expectation::Kind(FieldKind::Map(item)) => Expectation::Kind(item.kind),
            // A reference by id.
            Expectation::Kind(FieldKind::Foreign(..)) => Expectation::Kind(FieldKind::String),
            Expectation::Kind(_) | Expectation::Unknown => Expectation::Unknown,
        }
    }

    /// The settings of the plugin that an entry names.
    fn settings(&self, entry: &Mapping) -> Expectation {
        let name = entry.get(plugin::NAME.name).and_then(Value::as_str);
        let settings = name.and_then(|name| self.plugins.settings(name.trim_start_matches(OPEN_TYPE)));
        settings.map_or(Expectation::Unknown, |settings| Expectation::Fields(settings.fields, None))
    }
}

const fn is_text(kind: FieldKind) -> bool {
    matches!(
        kind,
        FieldKind::String | FieldKind::Text | FieldKind::Secret | FieldKind::Uuid | FieldKind::Foreign(..)
    )
}
