//! Refusals of documents as Kong reports them to machines: a tree of messages, and a list of the faulty entities.
//! (Kong: Admin API, `POST /config?flatten_errors=1`.)

use std::collections::HashMap;

use uuid::Uuid;

use super::{ConfigOrigin, DeclarativeFormat, LayoutTracking, read, resolve};
use crate::{
    diag::{Diagnostic, DiagnosticReport, ENTITY, MarkedPart, Position, SourceFile, fields, lua},
    document::{Mapping, NodePath, Value},
    entity::{self, DOCUMENT, ID, NO_PEM, TAGS},
    schema::{self, EntitySchema, Field, FieldKind, PluginSchemas},
};

/// Kong's report on a document that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedDocument {
    /// The messages, as a tree that follows the document.
    pub fields: Value,
    /// The faulty entities with their messages, which are left out of the tree; if that was asked for.
    pub flattened: Option<Vec<Value>>,
    /// All messages in one line.
    pub message: String,
}

/// The report on a `source` that is refused; with `flatten`, by entity.
#[must_use]
pub fn refusal(
    source: &SourceFile,
    report: &DiagnosticReport,
    plugins: &dyn PluginSchemas,
    flatten: bool,
) -> RefusedDocument {
    let mut refusal = match syntax_error(source, report) {
        Some(error) => RefusedDocument { fields: error, flattened: None, message: String::new() },
        None if flatten => flattened(source, report, plugins),
        None => RefusedDocument {
            fields: fields(&kongs_diagnostics(report)),
            flattened: None,
            message: String::new(),
        },
    };
    refusal.message = format!("declarative config is invalid: {}", lua(&refusal.fields));
    refusal
}

/// Messages of Kong's TLS library for texts that are no PEM, by ours.
const OPENSSL: [(&str, &str); 2] = [
    (
        NO_PEM,
        "invalid certificate: x509.new: error:680008E:asn1 encoding routines:asn1_d2i_read_bio:not enough data:\
         crypto/asn1/a_d2i_fp.c:155:",
    ),
    (
        "invalid key: it is no PEM text",
        "invalid key: pkey.new:load_key: error:1E08010C:DECODER routines:OSSL_DECODER_from_bio:unsupported:\
         crypto/encode_decode/decoder_lib.c:103:",
    ),
];

/// The same diagnostics with Kong's messages where ours are different.
#[must_use]
pub fn with_kongs_messages(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for diagnostic in &mut diagnostics {
        if let Some((_, kongs)) = OPENSSL.iter().find(|(ours, _)| diagnostic.message == *ours) {
            (*kongs).clone_into(&mut diagnostic.message);
        }
    }
    diagnostics
}

fn kongs_diagnostics(report: &DiagnosticReport) -> Vec<Diagnostic> {
    with_kongs_messages(report.diagnostics().to_vec())
}

/// Kong's report on a text that is no document.
fn syntax_error(source: &SourceFile, report: &DiagnosticReport) -> Option<Value> {
    let first = report.diagnostics().iter().find(|diagnostic| diagnostic.is_error())?;
    let is_root = first.path.steps().is_empty();
    let message = match first.mark {
        MarkedPart::Byte(byte) if is_root => {
            libyaml_message(&first.message, source, &report.position(first), byte)
        }
        _ if is_root && first.message == "expected an object" => first.message.clone(),
        _ => return None,
    };
    let error = Value::from(format!("failed parsing declarative configuration: {message}"));
    Some([("error", error)].into_iter().collect::<Mapping>().into())
}

/// A syntax error as Kong's YAML library reports it, with its line and the number of characters before it. The library
/// reports what is left open at the end of the text.
fn libyaml_message(message: &str, source: &SourceFile, position: &Position, byte: usize) -> String {
    let text = source.text.trim_end();
    let location = |position: &Position| format!("{}:{}", position.line, position.column - 1);
    let end = || {
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        format!("{}:{last}", text.matches('\n').count() + 1)
    };
    // Our message may begin with a context, which Kong leaves out.
    let problem = match message.split_once(", ") {
        Some((context, problem)) if context.starts_with("while ") => problem,
        _ => message,
    };
    match problem {
        "unclosed bracket '['" | "unclosed bracket '{'" => {
            let problem = match (text.ends_with(['[', '{', ',']), message.contains('[')) {
                (true, _) => "node content",
                (false, true) => "',' or ']'",
                (false, false) => "',' or '}'",
            };
            format!("{}: did not find expected {problem}", end())
        }
        "unclosed quote" => format!("{}: found unexpected end of stream", end()),
        "found a tab" => {
            format!(
                "{}: found a tab character that violates indentation",
                location_of_tab(&source.text, byte)
            )
        }
        other if other.starts_with("tabs disallowed") => {
            format!(
                "{}: found character that cannot start any token",
                location_of_tab(&source.text, byte.saturating_sub(1))
            )
        }
        "found unknown anchor" => {
            let name = source.text.get(byte..).unwrap_or_default().trim_start_matches('*');
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next();
            format!("{}: invalid reference: {}", location(position), name.unwrap_or_default())
        }
        "misplaced bracket" => format!("{}: did not find expected node content", location(position)),
        other if other.starts_with("mismatched bracket") => mismatched_bracket(text, byte),
        other if other.starts_with("unexpected character") => {
            format!("{}: found character that cannot start any token", location(position))
        }
        other => format!("{}: {other}", location(position)),
    }
}

/// The message for a list or mapping that ends with the bracket of the other: something is missing before it.
fn mismatched_bracket(text: &str, byte: usize) -> String {
    let open = text.get(byte..).unwrap_or_default();
    let (wrong, other) = if open.starts_with('[') { ('}', "',' or ']'") } else { (']', "',' or '}'") };
    let inside = open.get(1..).and_then(|rest| rest.split(wrong).next()).unwrap_or_default();
    let problem =
        if inside.trim().is_empty() || inside.trim_end().ends_with(',') { "node content" } else { other };
    format!("{}: did not find expected {problem}", location_of(text, byte + 1 + inside.len()))
}

/// The location of the first tab from a byte on.
fn location_of_tab(text: &str, byte: usize) -> String {
    let rest = text.get(byte..).unwrap_or_default();
    location_of(text, byte + rest.find('\t').unwrap_or_default())
}

/// The line of a byte, and the number of characters before it in that line.
fn location_of(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or_default();
    let column = before.chars().rev().take_while(|character| *character != '\n').count();
    format!("{}:{column}", before.matches('\n').count() + 1)
}

fn flattened(source: &SourceFile, report: &DiagnosticReport, plugins: &dyn PluginSchemas) -> RefusedDocument {
    let tree = fields(&kongs_diagnostics(report));
    // Kong derives ids, and checks that they are unique, only after the fields are valid.
    let is_duplicate = |diagnostic: &Diagnostic| diagnostic.message.starts_with("uniqueness violation");
    let has_ids = report.diagnostics().iter().any(is_duplicate);
    let no_origin = ConfigOrigin::default();
    let document = read(source, DeclarativeFormat::Kong, plugins, &no_origin, LayoutTracking::default())
        .map(|document| document.value)
        .unwrap_or_default();
    let checked = schema::check(DOCUMENT, &document, plugins);
    let ids = if has_ids { resolve::derived_ids(checked.items) } else { HashMap::new() };
    let mut flattener = Flattener { ids, flat: Vec::new() };
    let mut rest = tree.into_mapping().unwrap_or_default();
    for (field, entity, _) in entity_lists(DOCUMENT) {
        match rest.get(field.name).cloned() {
            Some(Value::Sequence(faults)) => {
                let items = document.get(field.name).map(Value::items).unwrap_or_default();
                flattener.list(entity, items, &faults, &NodePath::root().key(field.name), None);
                rest.remove(field.name);
            }
            // Kong loses messages here that are under names of entities.
            Some(Value::Mapping(_)) => drop(rest.remove(field.name)),
            _ => (),
        }
    }
    RefusedDocument { fields: rest.into(), flattened: Some(flattener.flat), message: String::new() }
}

/// The fields that contain entities, and the field of these that refers back.
fn entity_lists(
    fields: &'static [Field],
) -> impl Iterator<Item = (&'static Field, &'static EntitySchema, &'static str)> {
    fields.iter().filter_map(|field| match field.kind {
        FieldKind::Entities(entity, back) => Some((field, entity(), back)),
        _ => None,
    })
}

struct Flattener {
    /// Derived and given ids by path.
    ids: HashMap<NodePath, String>,
    flat: Vec<Value>,
}

impl Flattener {
    /// Adds the faulty entities of a list, each after those nested in it; those of the top level in reverse order, as Kong
    /// does.
    fn list(
        &mut self,
        entity: &'static EntitySchema,
        items: &[Value],
        faults: &[Value],
        at: &NodePath,
        parent: Option<(&'static str, &str)>,
    ) {
        let mut faulty: Vec<_> = faults.iter().enumerate().filter(|(_, faults)| !faults.is_null()).collect();
        if at.steps().len() == 1 {
            faulty.reverse();
        }
        for (n, faults) in faulty {
            if let Some(item) = items.get(n) {
                self.entity(entity, item, faults, &at.index(n), parent);
            }
        }
    }

    fn entity(
        &mut self,
        entity: &'static EntitySchema,
        item: &Value,
        faults: &Value,
        at: &NodePath,
        parent: Option<(&'static str, &str)>,
    ) {
        let mut record = item.as_mapping().cloned().unwrap_or_default();
        let given = record.get(ID.name).and_then(Value::as_str).filter(|id| Uuid::parse_str(id).is_ok());
        let id = given.map(str::to_owned).or_else(|| self.ids.get(at).cloned());
        let mut own = faults.as_mapping().cloned().unwrap_or_default();
        for (field, nested, back) in entity_lists(entity.fields) {
            let items = record.remove(field.name).unwrap_or_default();
            if let Some(Value::Sequence(faults)) = own.get(field.name) {
                let parent = id.as_deref().map(|id| (back, id));
                self.list(nested, items.items(), faults, &at.key(field.name), parent);
                own.remove(field.name);
            }
        }
        self.move_faults_of_references(entity, &record, &mut own);
        let mut errors = Vec::new();
        if let Some(message) = faults.as_str() {
            errors.push(error(None, message));
        }
        flatten_messages(&own.into(), "", &mut errors);
        if errors.is_empty() {
            return;
        }
        errors.reverse();
        if let Some(id) = &id {
            record.insert(ID.name, id.as_str());
        }
        if let Some((back, id)) = parent {
            record.insert(back, [(ID.name, Value::from(id))].into_iter().collect::<Mapping>());
        }
        self.flat.push(entity_report(entity, record, id, errors));
    }

    /// Moves the faults of references that are records into reports of their own: to Kong these are entities.
    fn move_faults_of_references(
        &mut self,
        entity: &'static EntitySchema,
        record: &Mapping,
        own: &mut Mapping,
    ) {
        for (field, entity) in entity.references() {
            let (Some(Value::Mapping(given)), Some(Value::Mapping(faults))) =
                (record.get(field.name), own.get(field.name))
            else {
                continue;
            };
            let mut errors = Vec::new();
            flatten_messages(&Value::Mapping(faults.clone()), "", &mut errors);
            self.flat.push(entity_report(entity, Mapping::clone(given), None, errors));
            own.remove(field.name);
        }
    }
}

/// Kong's report on one entity. Every kind of entity with a name has it under the same key.
fn entity_report(entity: &EntitySchema, record: Mapping, id: Option<String>, errors: Vec<Value>) -> Value {
    let mut report: Mapping = [("entity_type", Value::from(entity.singular()))].into_iter().collect();
    let name = record.get(entity::service::NAME.name).and_then(Value::as_str);
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        report.insert("entity_name", name);
    }
    if let Some(id) = id {
        report.insert("entity_id", id);
    }
    let tags = record.get(TAGS.name).cloned().unwrap_or_default();
    if !tags.items().is_empty() && tags.items().iter().all(|tag| tag.as_str().is_some()) {
        report.insert("entity_tags", tags);
    }
    report.insert("entity", record);
    report.insert("errors", errors);
    report.into()
}

/// Adds the messages of a tree to a list, each with the path of its field.
fn flatten_messages(tree: &Value, path: &str, errors: &mut Vec<Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match tree {
        Value::String(message) => errors.push(error(Some(path), message)),
        Value::Sequence(items) => {
            for (n, item) in items.iter().enumerate() {
                flatten_messages(item, &below(&(n + 1).to_string()), errors);
            }
        }
        Value::Mapping(members) => {
            for (key, item) in members.iter() {
                if key == ENTITY {
                    let messages = item.items().iter().filter_map(Value::as_str);
                    errors.extend(messages.map(|message| error(None, message)));
                } else {
                    flatten_messages(item, &below(key), errors);
                }
            }
        }
        _ => (),
    }
}

fn error(field: Option<&str>, message: &str) -> Value {
    let mut error: Mapping =
        [("type", Value::from(if field.is_some() { "field" } else { "entity" }))].into_iter().collect();
    if let Some(field) = field {
        error.insert("field", field);
    }
    error.insert("message", message);
    error.into()
}
