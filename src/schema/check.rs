//! Check of a document against its rows: collects every mistake, fills in every default, and lists nested entities as
//! entities of their own.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::{
    CheckedDocument, CheckedItem, EntitySchema, Field, FieldKind, ParentEntity, PluginSettings,
    PreviousItems, spelling,
};
use crate::{
    diag::{Diagnostic, MAX_DIAGNOSTICS},
    document::{Mapping, NodePath, NodePlace, PathStep, SharedText, Value},
};

/// The schemas of the plugins of this build, by name, and which optional fields exist.
pub trait PluginSchemas {
    /// The settings of the plugin with this name, if there is one.
    fn settings(&self, name: &str) -> Option<PluginSettings>;
    /// The names of all plugins.
    fn names(&self) -> Vec<&'static str>;
    /// Whether Kong has a plugin of this name.
    fn is_kongs(&self, name: &str) -> bool;
    /// What to use instead of a plugin of Kong's that mynah will not have, if there is anything.
    fn instead_of(&self, _name: &str) -> Option<&'static str> {
        None
    }
    /// Whether the plugin with this name may be bound to a Consumer.
    fn per_consumer(&self, _name: &str) -> bool {
        true
    }
    /// Whether the plugin with this name only logs: without it, a request is answered in the same way.
    fn only_logs(&self, _name: &str) -> bool {
        false
    }
    /// Whether routes may be expressions.
    fn expressions(&self) -> bool {
        false
    }
}

/// Checks a whole document against the fields of its top level.
pub fn check(fields: &'static [Field], document: &Value, plugins: &dyn PluginSchemas) -> CheckedDocument {
    check_after(fields, document, plugins, &(), MAX_DIAGNOSTICS)
}

/// The same; entities of the top level that are already in `before` are not checked again. `most` diagnostics are collected.
pub fn check_after(
    fields: &'static [Field],
    document: &Value,
    plugins: &dyn PluginSchemas,
    before: &dyn PreviousItems,
    most: usize,
) -> CheckedDocument {
    let mut checker = RecordChecker {
        plugins,
        before,
        most,
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
    /// How many diagnostics are collected.
    pub(super) most: usize,
    pub(super) checked: CheckedDocument,
    /// Names of fields and values of defaults by their JSON: thousands of records share one text for each.
    names: FxHashMap<&'static str, SharedText>,
    pub(super) defaults: FxHashMap<&'static str, Value>,
}

impl RecordChecker<'_> {
    /// A record with its defaults. Nested entities are left out, and become items of their own, children of `item`.
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
            // Lua does not tell an empty list from an empty record, and neither does Kong.
            Value::Sequence(items) if items.is_empty() => &empty,
            _ => {
                self.push_error(at, "expected a record");
                return Mapping::default();
            }
        };
        for (key, value) in record.iter() {
            if self.known(fields).any(|field| field.name == key) {
                continue;
            }
            match ANNOTATIONS.iter().find(|annotation| item.is_some() && annotation.name == key) {
                Some(annotation) => drop(self.field(annotation, value, &at.key(key))),
                None => self.unknown(key, fields, at),
            }
        }
        // A nested entity need not name the entity around it.
        let parent = item.and_then(|item| self.checked.items[item].parent).map(|parent| parent.field);
        let is_in_record = |field: &&Field| !matches!(field.kind, FieldKind::Entities(..));
        let mut done = Vec::with_capacity(self.known(fields).filter(is_in_record).count());
        let settings = record.get(PLUGIN_NAME).and_then(Value::as_str).filter(|_| configures_plugins(fields));
        let settings = settings.and_then(|name| self.plugins.settings(name));
        for field in self.known(fields) {
            let field = match settings {
                Some(settings) if settings.protocols.name == field.name => settings.protocols,
                _ => field,
            };
            let given = record.get(field.name).unwrap_or(&Value::Null);
            let at = at.key(field.name);
            if let FieldKind::Entities(entity, back) = field.kind {
                self.entities(entity(), back, given, &at, item);
            } else if given.is_null() && parent == Some(field.name) {
                done.push((self.name(field.name), Value::Null));
            } else if given.is_null()
                && field.required
                && !field.is_generated
                && record.contains_key(field.name)
            {
                self.push_error(&at, "required field missing");
            } else if given.is_null() && field.is_generated && record.contains_key(field.name) {
                let message = "there is no value: a random text takes its place, another one at each load";
                let help = "quote a text that begins with `#`, `!` or `&`";
                self.push(Diagnostic::warning(at.path(), message).help(help));
                done.push((self.name(field.name), self.field(field, given, &at)));
            } else if matches!(field.kind, FieldKind::Config) {
                let name = record.get(PLUGIN_NAME).and_then(Value::as_str);
                let config = self.config(name, given, &at);
                done.push((self.name(field.name), config));
            } else {
                let value = self.field(field, given, &at);
                done.push((self.name(field.name), value));
            }
        }
        Mapping::from_distinct_keys(done)
    }

    fn name(&mut self, name: &'static str) -> SharedText {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
    }

    /// The fields that exist under these settings.
    pub(super) fn known(&self, fields: &'static [Field]) -> impl Iterator<Item = &'static Field> + use<> {
        let expressions = self.plugins.expressions();
        fields.iter().filter(move |field| expressions || !field.of_expressions)
    }

    /// Checks a list of entities; each becomes an item.
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
            Value::Mapping(empty) if empty.is_empty() => (),
            Value::Sequence(all) => {
                let parent = item.filter(|_| !back.is_empty()).map(|item| ParentEntity { field: back, item });
                // All items share the steps to the list.
                let list = at.path();
                for (n, value) in all.iter().enumerate() {
                    if parent.is_none()
                        && let Some(known) = self.before.items(entity, value)
                    {
                        self.take(known, &list, n);
                        continue;
                    }
                    let first = self.checked.items.len();
                    let diagnostics_before = self.checked.diagnostics.len();
                    self.entity(entity, value, &list.at().index(n), parent);
                    if self.checked.diagnostics.len() > diagnostics_before {
                        self.checked.items[first..].iter_mut().for_each(|item| item.has_diagnostics = true);
                    }
                }
            }
            _ => self.push_error(at, "expected an array"),
        }
    }

    /// Takes over an entity of the previous document, and those nested in it, at its place in the list.
    fn take(&mut self, known: Vec<CheckedItem>, list: &NodePath, n: usize) {
        let first = self.checked.items.len();
        let depth = list.steps().len() + 1;
        let is_at_same_path = |item: &CheckedItem| {
            item.path.steps().starts_with(list.steps())
                && item.path.steps().get(depth - 1) == Some(&PathStep::Index(n))
        };
        let paths_stay = known.first().is_some_and(is_at_same_path);
        let here = if paths_stay { NodePath::root() } else { list.index(n) };
        self.checked.items.extend(known.into_iter().map(|mut item| {
            if !paths_stay {
                item.path = here.join(item.path.steps().get(depth..).unwrap_or_default());
            }
            if let Some(parent) = &mut item.parent {
                parent.item += first;
            }
            item
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
            _ => return self.push_error(at, "expected a record"),
        };
        let item = self.checked.items.len();
        self.checked.items.push(CheckedItem {
            entity,
            record: Mapping::default().into(),
            parent,
            path: at.path(),
            written: value.clone(),
            previous: None,
            has_diagnostics: false,
        });
        let prepared = match entity.prepare.map(|prepare| prepare(given)) {
            Some(Ok(prepared)) => Value::from(prepared),
            Some(Err(fault)) => return self.fault(fault, at),
            None => value.clone(),
        };
        // The schema of an unknown plugin is unknown.
        let plugin = plugin_name(entity, given);
        if let Some(name) = plugin.filter(|name| self.plugins.settings(name).is_none()) {
            return self.unknown_plugin(name, at);
        }
        let before = self.checked.diagnostics.len();
        let record = Value::from(self.record(entity.fields, &prepared, at, Some(item)));
        self.across(entity, &with_parent(entity, &record, parent), before, at);
        if let Some(name) = plugin {
            let is_bound = record.get(PLUGIN_CONSUMER).is_some_and(|value| !value.is_null())
                || parent.is_some_and(|parent| parent.field == PLUGIN_CONSUMER);
            if is_bound && !self.plugins.per_consumer(name) {
                self.refuse_consumer(name, at);
            }
        }
        if let Some(shorthand) = entity.shorthand
            && let Some(url) = given.get(shorthand.name).and_then(Value::as_str)
        {
            self.point_at_shorthand(shorthand, url, before, at);
        }
        self.checked.items[item].record = record;
    }

    /// Checks the rules across the fields of a record; a rule is skipped if one of the fields that it names is wrong.
    fn across(&mut self, entity: &'static EntitySchema, record: &Value, before: usize, at: &NodePlace<'_>) {
        let failed = self.failed(before, at);
        for condition in entity.conditions {
            if !failed.iter().any(|field| field == condition.given || field == condition.field)
                && let Some(message) = condition.broken_by(record)
            {
                self.condition(condition, message, record, at);
            }
        }
        for fault in entity.checks.iter().filter_map(|check| check(record)) {
            if !failed.iter().any(|field| fault.is_about(field)) {
                self.fault(fault, at);
            }
        }
    }

    /// The fields of the record at `at` that have errors among the diagnostics from `since` on.
    fn failed(&self, since: usize, at: &NodePlace<'_>) -> Vec<String> {
        let diagnostics = self.checked.diagnostics.get(since..).unwrap_or_default();
        if diagnostics.is_empty() {
            return Vec::new();
        }
        let depth = at.path().steps().len();
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        let fields = errors.filter_map(|error| match error.path.steps().get(depth) {
            Some(PathStep::Key(key)) => Some(key.to_string()),
            _ => None,
        });
        fields.collect()
    }

    fn config(&mut self, name: Option<&str>, value: &Value, at: &NodePlace<'_>) -> Value {
        // The error of a plugin without a name is that of `name`.
        let Some(settings) = name.and_then(|name| self.plugins.settings(name)) else { return value.clone() };
        let before = self.checked.diagnostics.len();
        let config = self.record(settings.fields, value, at, None);
        let config = Value::from(spelling::unify_spellings(settings.fields, value, config));
        let failed = self.failed(before, at);
        let is_sound = self.checked.diagnostics.len() == before;
        for fault in settings.checks.iter().filter_map(|check| check(&config)) {
            let of_entity = fault.message.contains("'config.");
            let is_about_failed = || failed.iter().any(|field| fault.is_about(&format!("config.{field}")));
            if is_sound || (of_entity && !is_about_failed()) {
                self.settings_fault(fault, of_entity, at);
            }
        }
        config
    }
}

/// The keys of an entry that configures a plugin on which this check depends.
const PLUGIN_NAME: &str = "name";
const PLUGIN_CONSUMER: &str = "consumer";

/// Fields that every entity may have for its readers. (Kong: "Declarative configuration format".)
const ANNOTATIONS: [Field; 2] = [
    Field::new("_comment", FieldKind::Text),
    Field::new("_ignore", FieldKind::Array(&Field::item(FieldKind::Any))),
];

/// Whether fields are those of an entry that configures a plugin.
fn configures_plugins(fields: &[Field]) -> bool {
    fields.iter().any(|field| matches!(field.kind, FieldKind::Config))
}

/// The name of the plugin that a record configures, if the entity is of that kind.
fn plugin_name<'a>(entity: &EntitySchema, record: &'a Mapping) -> Option<&'a str> {
    let name = record.get(PLUGIN_NAME).filter(|_| entity.configures_plugins())?;
    name.as_str().filter(|name| !name.is_empty())
}

/// The record as the rules across its fields see it: with the reference to the entity around it, if a condition is about
/// that field.
fn with_parent<'a>(entity: &EntitySchema, record: &'a Value, parent: Option<ParentEntity>) -> Cow<'a, Value> {
    let is_checked =
        |parent: &ParentEntity| entity.conditions.iter().any(|condition| condition.field == parent.field);
    match (parent.filter(is_checked), record.as_mapping()) {
        (Some(parent), Some(fields)) => {
            let mut fields = fields.clone();
            fields.insert(parent.field, true);
            Cow::Owned(fields.into())
        }
        _ => Cow::Borrowed(record),
    }
}
