//! A document against its rows: notes every mistake, fills every default, and lays nested entities flat.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::{
    CheckedDocument, CheckedItem, EntitySchema, Field, FieldKind, ParentEntity, PluginSettings,
    PreviousItems, spelling,
};
use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, NodePlace, PathStep, SharedText, Value},
};

/// What the plugins of this build may say, by name, and what its settings allow.
pub trait PluginSchemas {
    /// The settings of the plugin with this name, if there is one.
    fn settings(&self, name: &str) -> Option<PluginSettings>;
    /// The names of all plugins.
    fn names(&self) -> Vec<&'static str>;
    /// Whether Kong has a plugin of this name.
    fn is_kongs(&self, name: &str) -> bool;
    /// What to do without a plugin of Kong's that there will never be, if anything is known.
    fn instead_of(&self, _name: &str) -> Option<&'static str> {
        None
    }
    /// Whether the plugin with this name may be bound to a Consumer.
    fn per_consumer(&self, _name: &str) -> bool {
        true
    }
    /// Whether routes may be expressions.
    fn expressions(&self) -> bool {
        false
    }
}

/// Checks a whole document against the fields of its top level.
pub fn check(fields: &'static [Field], document: &Value, plugins: &dyn PluginSchemas) -> CheckedDocument {
    check_after(fields, document, plugins, &())
}

/// The same; entities of the top level that were there `before` need no second look.
pub fn check_after(
    fields: &'static [Field],
    document: &Value,
    plugins: &dyn PluginSchemas,
    before: &dyn PreviousItems,
) -> CheckedDocument {
    let mut checker = RecordChecker {
        plugins,
        before,
        checked: CheckedDocument::default(),
        names: FxHashMap::default(),
        defaults: FxHashMap::default(),
    };
    let root = NodePath::root();
    if document.as_mapping().is_none() {
        let found = if document.is_null() {
            "nothing but blanks and comments".to_owned()
        } else {
            format!("a {}", document.kind())
        };
        let diagnostic = Diagnostic::error(root, "expected an object").help(format!(
            "found {found}; a declarative configuration begins with `_format_version: \"3.0\"`"
        ));
        checker.push(diagnostic);
        return checker.checked;
    }
    checker.record(fields, document, &root.at(), None);
    checker.checked
}

pub(super) struct RecordChecker<'a> {
    pub(super) plugins: &'a dyn PluginSchemas,
    before: &'a dyn PreviousItems,
    pub(super) checked: CheckedDocument,
    /// Names of fields and values of defaults: thousands of records share one text for each.
    names: FxHashMap<&'static str, SharedText>,
    pub(super) defaults: FxHashMap<&'static str, Value>,
}

impl RecordChecker<'_> {
    /// A record with its defaults. Nested entities are left out and noted as items of their own, children of
    /// `item`.
    pub(super) fn record(
        &mut self,
        fields: &'static [Field],
        value: &Value,
        at: &NodePlace<'_>,
        item: Option<usize>,
    ) -> Mapping {
        let empty = Mapping::default();
        let record = match value {
            Value::Mapping(record) => record,
            Value::Null => &empty,
            // To Kong an empty list and an empty record are the same.
            Value::Sequence(items) if items.is_empty() => &empty,
            _ => {
                self.complain(at, "expected a record");
                return Mapping::default();
            }
        };
        for (key, value) in record.iter() {
            if self.known(fields).any(|field| field.name == key) {
                continue;
            }
            match NOTES.iter().find(|note| item.is_some() && note.name == key) {
                Some(note) => drop(self.field(note, value, &at.key(key))),
                None => self.unknown(key, fields, at),
            }
        }
        // Where an entity stands says what it belongs to.
        let parent = item.and_then(|item| self.checked.items[item].parent).map(|parent| parent.field);
        let held = |field: &&Field| !matches!(field.kind, FieldKind::Entities(..));
        let mut done = Vec::with_capacity(self.known(fields).filter(held).count());
        for field in self.known(fields) {
            let given = record.get(field.name).unwrap_or(&Value::Null);
            let at = at.key(field.name);
            if let FieldKind::Entities(entity, back) = field.kind {
                self.entities(entity(), back, given, &at, item);
            } else if given.is_null() && parent == Some(field.name) {
                done.push((self.name(field.name), Value::Null));
            } else if given.is_null() && field.required && record.contains_key(field.name) {
                self.complain(&at, "required field missing");
            } else if matches!(field.kind, FieldKind::Config) {
                let name = record.get("name").and_then(Value::as_str);
                let config = self.config(name, given, &at);
                done.push((self.name(field.name), config));
            } else {
                let value = self.field(field, given, &at);
                done.push((self.name(field.name), value));
            }
        }
        Mapping::of_different_keys(done)
    }

    fn name(&mut self, name: &'static str) -> SharedText {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
    }

    /// The fields that exist under these settings.
    pub(super) fn known(&self, fields: &'static [Field]) -> impl Iterator<Item = &'static Field> + use<> {
        let expressions = self.plugins.expressions();
        fields.iter().filter(move |field| expressions || !field.of_expressions)
    }

    /// A list of entities, each noted as an item.
    fn entities(
        &mut self,
        entity: &'static EntitySchema,
        back: &'static str,
        value: &Value,
        at: &NodePlace<'_>,
        item: Option<usize>,
    ) {
        match value {
            Value::Null => (),
            Value::Mapping(none) if none.is_empty() => (),
            Value::Sequence(all) => {
                let parent = item.filter(|_| !back.is_empty()).map(|item| ParentEntity { field: back, item });
                // The steps to the list are the same for all.
                let list = at.path();
                for (n, value) in all.iter().enumerate() {
                    if parent.is_none()
                        && let Some(known) = self.before.items(entity, value)
                    {
                        self.take(known, &list, n);
                        continue;
                    }
                    let (first, said) = (self.checked.items.len(), self.checked.diagnostics.len());
                    self.entity(entity, value, &list.at().index(n), parent);
                    if self.checked.diagnostics.len() > said {
                        self.checked.items[first..].iter_mut().for_each(|it| it.noted = true);
                    }
                }
            }
            _ => self.complain(at, "expected an array"),
        }
    }

    /// Notes an entity that is known, and those nested in it, at its place in the list.
    fn take(&mut self, known: Vec<CheckedItem>, list: &NodePath, n: usize) {
        let first = self.checked.items.len();
        let depth = list.steps().len() + 1;
        let stays = |it: &CheckedItem| {
            it.path.steps().starts_with(list.steps())
                && it.path.steps().get(depth - 1) == Some(&PathStep::Index(n))
        };
        let stay = known.first().is_some_and(stays);
        let here = if stay { NodePath::root() } else { list.index(n) };
        self.checked.items.extend(known.into_iter().map(|mut it| {
            if !stay {
                it.path = here.join(it.path.steps().get(depth..).unwrap_or_default());
            }
            if let Some(parent) = &mut it.parent {
                parent.item += first;
            }
            it
        }));
    }

    fn entity(
        &mut self,
        entity: &'static EntitySchema,
        value: &Value,
        at: &NodePlace<'_>,
        parent: Option<ParentEntity>,
    ) {
        let empty = Mapping::default();
        let given = match value {
            Value::Mapping(given) => given,
            Value::Sequence(items) if items.is_empty() => &empty,
            _ => return self.complain(at, "expected a record"),
        };
        let prepared = match entity.prepare.map(|prepare| prepare(given)) {
            Some(Ok(prepared)) => Value::from(prepared),
            Some(Err(complaint)) => return self.complaint(complaint, at),
            None => value.clone(),
        };
        let item = self.checked.items.len();
        self.checked.items.push(CheckedItem {
            entity,
            record: Mapping::default().into(),
            parent,
            path: at.path(),
            written: value.clone(),
            before: None,
            noted: false,
        });
        // Of a plugin that is not there nothing is known.
        let plugin = plugin_name(entity, given);
        if let Some(name) = plugin.filter(|name| self.plugins.settings(name).is_none()) {
            return self.unknown_plugin(name, at);
        }
        let before = self.checked.diagnostics.len();
        let record = Value::from(self.record(entity.fields, &prepared, at, Some(item)));
        self.across(entity, &nested(entity, &record, parent), before, at);
        if let Some(name) = plugin {
            let bound = record.get("consumer").is_some_and(|it| !it.is_null())
                || parent.is_some_and(|parent| parent.field == "consumer");
            if bound && !self.plugins.per_consumer(name) {
                self.no_consumer(name, at);
            }
        }
        if let Some(shorthand) = given.get(spelling::SHORTHAND.0).and_then(Value::as_str) {
            self.blame_shorthand(shorthand, before, at);
        }
        self.checked.items[item].record = record;
    }

    /// What must hold across the fields of a record. A rule makes sense only where the fields that it names do.
    fn across(&mut self, entity: &'static EntitySchema, record: &Value, before: usize, at: &NodePlace<'_>) {
        let failed = self.failed(before, at);
        for condition in entity.conditions {
            if !failed.iter().any(|it| it == condition.given || it == condition.field)
                && let Some(message) = condition.broken_by(record)
            {
                self.condition(condition, message, record, at);
            }
        }
        for complaint in entity.checks.iter().filter_map(|check| check(record)) {
            if !failed.iter().any(|it| complaint.is_about(it)) {
                self.complaint(complaint, at);
            }
        }
    }

    /// The fields of the record at `at` that something was said about since.
    fn failed(&self, since: usize, at: &NodePlace<'_>) -> Vec<String> {
        let complaints = self.checked.diagnostics.get(since..).unwrap_or_default();
        if complaints.is_empty() {
            return Vec::new();
        }
        let here = at.path();
        let fields = complaints.iter().filter(|it| it.is_error()).filter_map(|it| {
            match it.path.steps().get(here.steps().len()) {
                Some(PathStep::Key(key)) => Some(key.to_string()),
                _ => None,
            }
        });
        fields.collect()
    }

    fn config(&mut self, name: Option<&str>, value: &Value, at: &NodePlace<'_>) -> Value {
        // A plugin without a name is complained about at `name`.
        let Some(settings) = name.and_then(|name| self.plugins.settings(name)) else { return value.clone() };
        let before = self.checked.diagnostics.len();
        let config = self.record(settings.fields, value, at, None);
        let config = Value::from(spelling::settle(settings.fields, value, config));
        let failed = self.failed(before, at);
        let sound = self.checked.diagnostics.len() == before;
        for complaint in settings.checks.iter().filter_map(|check| check(&config)) {
            let of_entity = complaint.message.contains("'config.");
            if sound || (of_entity && !failed.iter().any(|it| complaint.is_about(&format!("config.{it}")))) {
                self.config_complaint(complaint, of_entity, at);
            }
        }
        config
    }
}

/// What every entity may say for its readers. (Kong: "Declarative configuration format".)
const NOTES: [Field; 2] = [
    Field::new("_comment", FieldKind::Text),
    Field::new("_ignore", FieldKind::Array(&Field::item(FieldKind::Any))),
];

/// The name of the plugin that a record configures, if it is one that does.
fn plugin_name<'a>(entity: &EntitySchema, record: &'a Mapping) -> Option<&'a str> {
    let configures = entity.fields.iter().any(|field| matches!(field.kind, FieldKind::Config));
    record.get("name").filter(|_| configures)?.as_str().filter(|name| !name.is_empty())
}

/// The record as the rules across its fields see it: where it stands says what it refers to, if one of them asks.
fn nested<'a>(entity: &EntitySchema, record: &'a Value, parent: Option<ParentEntity>) -> Cow<'a, Value> {
    let asked = parent.filter(|parent| entity.conditions.iter().any(|it| it.field == parent.field));
    match (asked, record.as_mapping()) {
        (Some(parent), Some(fields)) => {
            let mut fields = fields.clone();
            fields.insert(parent.field, true);
            Cow::Owned(fields.into())
        }
        _ => Cow::Borrowed(record),
    }
}
