//! Why a document is refused, as Kong tells machines: the tree of its faults, and the list of faulty entities.
//! (Kong: Admin API, `POST /config?flatten_errors=1`.)

use std::collections::HashMap;

use uuid::Uuid;

use super::{ConfigOrigin, DeclarativeFormat, LayoutTracking, read, resolve};
use crate::{
    diag::{Diagnostic, DiagnosticReport, ENTITY, MarkedPart, Position, SourceFile, fields, lua},
    document::{Mapping, NodePath, Value},
    entity::DOCUMENT,
    schema::{self, EntitySchema, Field, FieldKind, PluginSchemas},
};

/// Kong's account of a document that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedDocument {
    /// Messages where the faulty fields stand.
    pub fields: Value,
    /// The faulty entities with their faults, which are left out of the tree then; if that was asked for.
    pub flattened: Option<Vec<Value>>,
    /// All of it in one line.
    pub message: String,
}

/// Why `source` is refused; with `flatten`, entity by entity.
#[must_use]
pub fn refusal(
    source: &SourceFile,
    report: &DiagnosticReport,
    plugins: &dyn PluginSchemas,
    flatten: bool,
) -> RefusedDocument {
    let mut refusal = match unreadable(source, report) {
        Some(error) => RefusedDocument { fields: error, flattened: None, message: String::new() },
        None if flatten => flattened(source, report, plugins),
        None => RefusedDocument { fields: fields(&told(report)), flattened: None, message: String::new() },
    };
    refusal.message = format!("declarative config is invalid: {}", lua(&refusal.fields));
    refusal
}

/// What Kong's library of TLS says of a text that is no PEM.
const OPENSSL: [(&str, &str); 2] = [
    (
        "invalid certificate: it is no PEM text",
        "invalid certificate: x509.new: error:680008E:asn1 encoding routines:asn1_d2i_read_bio:not enough data:\
         crypto/asn1/a_d2i_fp.c:155:",
    ),
    (
        "invalid key: it is no PEM text",
        "invalid key: pkey.new:load_key: error:1E08010C:DECODER routines:OSSL_DECODER_from_bio:unsupported:\
         crypto/encode_decode/decoder_lib.c:103:",
    ),
];

/// The same complaints in Kong's words, where people are told others.
#[must_use]
pub fn in_kongs_words(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for diagnostic in &mut diagnostics {
        if let Some((_, kongs)) = OPENSSL.iter().find(|(ours, _)| diagnostic.message == *ours) {
            (*kongs).clone_into(&mut diagnostic.message);
        }
    }
    diagnostics
}

fn told(report: &DiagnosticReport) -> Vec<Diagnostic> {
    in_kongs_words(report.diagnostics().to_vec())
}

/// What Kong says of a text that is no document.
fn unreadable(source: &SourceFile, report: &DiagnosticReport) -> Option<Value> {
    let first = report.diagnostics().iter().find(|it| it.is_error())?;
    let is_root = first.path.steps().is_empty();
    let message = match first.mark {
        MarkedPart::Byte(byte) if is_root => libyaml(&first.message, source, &report.position(first), byte),
        _ if is_root && first.message == "expected an object" => first.message.clone(),
        _ => return None,
    };
    let error = Value::from(format!("failed parsing declarative configuration: {message}"));
    Some([("error", error)].into_iter().collect::<Mapping>().into())
}

/// A syntax error in the words of Kong's YAML library, with its line and the number of characters before it. What
/// is left open is noticed at the end.
fn libyaml(message: &str, source: &SourceFile, position: &Position, byte: usize) -> String {
    let text = source.text.trim_end();
    let place = |position: &Position| format!("{}:{}", position.line, position.column - 1);
    let end = || {
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        format!("{}:{last}", text.matches('\n').count() + 1)
    };
    // The library has a context, which Kong leaves out.
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
            format!("{}: found a tab character that violates indentation", tab(&source.text, byte))
        }
        other if other.starts_with("tabs disallowed") => {
            format!(
                "{}: found character that cannot start any token",
                tab(&source.text, byte.saturating_sub(1))
            )
        }
        "found unknown anchor" => {
            let name = source.text.get(byte..).unwrap_or_default().trim_start_matches('*');
            let name = name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next();
            format!("{}: invalid reference: {}", place(position), name.unwrap_or_default())
        }
        "misplaced bracket" => format!("{}: did not find expected node content", place(position)),
        other if other.starts_with("mismatched bracket") => mismatched(text, byte),
        other if other.starts_with("unexpected character") => {
            format!("{}: found character that cannot start any token", place(position))
        }
        other => format!("{}: {other}", place(position)),
    }
}

/// A list or mapping that ends with the other's bracket, told at that: something is missing before it.
fn mismatched(text: &str, byte: usize) -> String {
    let open = text.get(byte..).unwrap_or_default();
    let (wrong, other) = if open.starts_with('[') { ('}', "',' or ']'") } else { (']', "',' or '}'") };
    let inside = open.get(1..).and_then(|rest| rest.split(wrong).next()).unwrap_or_default();
    let problem =
        if inside.trim().is_empty() || inside.trim_end().ends_with(',') { "node content" } else { other };
    format!("{}: did not find expected {problem}", place_of(text, byte + 1 + inside.len()))
}

/// The place of the first tab from a byte on.
fn tab(text: &str, byte: usize) -> String {
    let rest = text.get(byte..).unwrap_or_default();
    place_of(text, byte + rest.find('\t').unwrap_or_default())
}

/// The line of a byte, and the number of characters before it there.
fn place_of(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or_default();
    let column = before.chars().rev().take_while(|it| *it != '\n').count();
    format!("{}:{column}", before.matches('\n').count() + 1)
}

fn flattened(source: &SourceFile, report: &DiagnosticReport, plugins: &dyn PluginSchemas) -> RefusedDocument {
    let tree = fields(&told(report));
    // Ids are derived once every field is right, and looked at for what stands twice.
    let late = report.diagnostics().iter().any(|it| it.message.starts_with("uniqueness violation"));
    let document = read(source, DeclarativeFormat::Kong, &ConfigOrigin::default(), LayoutTracking::default())
        .map(|it| it.value)
        .unwrap_or_default();
    let checked = schema::check(DOCUMENT, &document, plugins);
    let ids = if late { resolve::derived_ids(checked.items) } else { HashMap::new() };
    let mut flattener = Flattener { ids, flat: Vec::new() };
    let mut rest = tree.into_mapping().unwrap_or_default();
    for (field, entity, _) in collections(DOCUMENT) {
        match rest.get(field.name).cloned() {
            Some(Value::Sequence(faults)) => {
                let items = document.get(field.name).map(Value::items).unwrap_or_default();
                flattener.list(entity, items, &faults, &NodePath::root().key(field.name), None);
                rest.remove(field.name);
            }
            // What it knows by name Kong loses here.
            Some(Value::Mapping(_)) => drop(rest.remove(field.name)),
            _ => (),
        }
    }
    RefusedDocument { fields: rest.into(), flattened: Some(flattener.flat), message: String::new() }
}

/// The fields that hold entities, with the field of those that refers back.
fn collections(
    fields: &'static [Field],
) -> impl Iterator<Item = (&'static Field, &'static EntitySchema, &'static str)> {
    fields.iter().filter_map(|field| match field.kind {
        FieldKind::Entities(entity, back) => Some((field, entity(), back)),
        _ => None,
    })
}

struct Flattener {
    /// Derived and given ids by place.
    ids: HashMap<NodePath, String>,
    flat: Vec<Value>,
}

impl Flattener {
    /// The faulty entities of a list, of the document's own the last one first; each after those that it holds.
    fn list(
        &mut self,
        entity: &'static EntitySchema,
        items: &[Value],
        faults: &[Value],
        at: &NodePath,
        parent: Option<(&'static str, &str)>,
    ) {
        let mut told: Vec<_> = faults.iter().enumerate().filter(|(_, faults)| !faults.is_null()).collect();
        if at.steps().len() == 1 {
            told.reverse();
        }
        for (n, faults) in told {
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
        let given = record.get("id").and_then(Value::as_str).filter(|it| Uuid::parse_str(it).is_ok());
        let id = given.map(str::to_owned).or_else(|| self.ids.get(at).cloned());
        let mut own = faults.as_mapping().cloned().unwrap_or_default();
        for (field, nested, back) in collections(entity.fields) {
            let items = record.remove(field.name).unwrap_or_default();
            if let Some(Value::Sequence(faults)) = own.get(field.name) {
                let parent = id.as_deref().map(|id| (back, id));
                self.list(nested, items.items(), faults, &at.key(field.name), parent);
                own.remove(field.name);
            }
        }
        self.referred(entity, &record, &mut own);
        let mut errors = Vec::new();
        if let Some(message) = faults.as_str() {
            errors.push(error(None, message));
        }
        spread(&own.into(), "", &mut errors);
        if errors.is_empty() {
            return;
        }
        errors.reverse();
        if let Some(id) = &id {
            record.insert("id", id.as_str());
        }
        if let Some((back, id)) = parent {
            record.insert(back, [("id", Value::from(id))].into_iter().collect::<Mapping>());
        }
        self.flat.push(account(entity, record, id, errors));
    }

    /// A reference that is a faulty record is an entity to Kong.
    fn referred(&mut self, entity: &'static EntitySchema, record: &Mapping, own: &mut Mapping) {
        for field in entity.fields {
            let FieldKind::Foreign(collection) = field.kind else { continue };
            let (Some(Value::Mapping(given)), Some(Value::Mapping(faults)), Some(entity)) =
                (record.get(field.name), own.get(field.name), entity_of(collection))
            else {
                continue;
            };
            let mut errors = Vec::new();
            spread(&Value::Mapping(faults.clone()), "", &mut errors);
            self.flat.push(account(entity, Mapping::clone(given), None, errors));
            own.remove(field.name);
        }
    }
}

/// The entities of a collection.
fn entity_of(collection: &str) -> Option<&'static EntitySchema> {
    collections(DOCUMENT).map(|(_, entity, _)| entity).find(|it| it.collection == collection)
}

/// What is told of one entity.
fn account(entity: &EntitySchema, record: Mapping, id: Option<String>, errors: Vec<Value>) -> Value {
    let collection = entity.collection;
    let kind = collection.strip_suffix('s').unwrap_or(collection);
    let mut told: Mapping = [("entity_type", Value::from(kind))].into_iter().collect();
    if let Some(name) = record.get("name").and_then(Value::as_str).filter(|it| !it.is_empty()) {
        told.insert("entity_name", name);
    }
    if let Some(id) = id {
        told.insert("entity_id", id);
    }
    let tags = record.get("tags").cloned().unwrap_or_default();
    if !tags.items().is_empty() && tags.items().iter().all(|it| it.as_str().is_some()) {
        told.insert("entity_tags", tags);
    }
    told.insert("entity", record);
    told.insert("errors", errors);
    told.into()
}

/// The messages of a tree, one after another, each with the path of its field.
fn spread(tree: &Value, path: &str, errors: &mut Vec<Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match tree {
        Value::String(message) => errors.push(error(Some(path), message)),
        Value::Sequence(items) => {
            for (n, item) in items.iter().enumerate() {
                spread(item, &below(&(n + 1).to_string()), errors);
            }
        }
        Value::Mapping(members) => {
            for (key, item) in members.iter() {
                if key == ENTITY {
                    errors.extend(item.items().iter().filter_map(Value::as_str).map(|it| error(None, it)));
                } else {
                    spread(item, &below(key), errors);
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
