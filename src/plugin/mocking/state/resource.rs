//! Collections of a document and the shape of their items.

use std::{collections::HashMap, sync::OnceLock};

use super::{
    OperationRole,
    store::{MAX_ITEMS, item_name},
    success,
};
use crate::{
    document::{Mapping, Value},
    openapi::{Api, DocumentLibrary, DocumentNode, MediaTypeBody, sample::Sampler},
};

/// The deepest nesting of `allOf` that is followed.
const MAX_DEPTH: usize = 16;

/// Members next to a wrapped list that hold the number of its items.
const COUNTS: &[&str] = &["total", "count", "total_count", "totalCount", "size"];

/// A collection and its items.
#[derive(Debug)]
pub(super) struct StatefulResource {
    /// The path parameter that identifies an item.
    parameter: String,
    /// Roles and positions of the operations.
    pub(super) operations: Vec<(OperationRole, usize)>,
    /// Determined on first use.
    shape: OnceLock<ItemShape>,
}

/// The shape of the items of a collection.
#[derive(Debug)]
pub(super) struct ItemShape {
    /// The property that identifies an item.
    pub(super) key: String,
    /// The type of that property.
    pub(super) kind: ItemKeyKind,
    /// The initial items.
    pub(super) seeds: Vec<Value>,
    /// Positions of the initial items, by name.
    by_name: HashMap<String, usize>,
    /// The form of a list of items; none if the document has no list.
    pub(super) envelope: Option<ListEnvelope>,
    /// Required properties and their values in items that lack them.
    pub(super) required: Mapping,
}

impl ItemShape {
    /// The initial item with this name.
    pub(super) fn seed(&self, name: &str) -> Option<&Value> {
        self.seeds.get(*self.by_name.get(name)?)
    }
}

/// The type of the property that identifies an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKeyKind {
    /// A number; new items are counted up.
    Integer,
    /// A text; new items get a UUID.
    Text,
}

/// The form of a list.
#[derive(Debug)]
pub(super) enum ListEnvelope {
    /// An array.
    Plain,
    /// A member of a mapping: the mapping, and the name of the member.
    Member(Mapping, String),
}

/// Finds the collections with items of a document.
pub(super) fn find(api: &Api) -> Vec<StatefulResource> {
    let mut by_template: HashMap<&str, Vec<(&http::Method, usize)>> = HashMap::new();
    for (n, operation) in
        api.operations.iter().enumerate().filter(|(_, operation)| operation.defect.is_none())
    {
        let template = operation.template.trim_end_matches('/');
        by_template.entry(template).or_default().push((&operation.method, n));
    }
    let resource = |(template, items): (&&str, &Vec<(&http::Method, usize)>)| {
        let (collection, last) = template.rsplit_once('/')?;
        let parameter =
            last.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))?;
        let roles = |of: &[(&http::Method, usize)], on_item| -> Vec<(OperationRole, usize)> {
            of.iter().filter_map(|(method, n)| Some((OperationRole::of(method, on_item)?, *n))).collect()
        };
        let mut operations = roles(by_template.get(collection)?, false);
        let item_operations = roles(items, true);
        if operations.is_empty() || item_operations.is_empty() {
            return None;
        }
        operations.extend(item_operations);
        Some(StatefulResource { parameter: parameter.to_owned(), operations, shape: OnceLock::new() })
    };
    by_template.iter().filter_map(resource).collect()
}

impl StatefulResource {
    /// Whether its shape has been determined.
    pub(super) fn is_ready(&self) -> bool {
        self.shape.get().is_some()
    }

    pub(super) fn shape(&self, api: &Api) -> &ItemShape {
        self.shape.get_or_init(|| self.find_shape(api))
    }

    fn find_shape(&self, api: &Api) -> ItemShape {
        let library = &*api.library;
        let list = self.media(api, OperationRole::List);
        let example =
            list.and_then(|media| media.examples.first()).map(|example| example.value.value.clone());
        let has_example = example.is_some();
        let listed = example.or_else(|| {
            let schema = list?.schema.as_ref()?;
            Some(Sampler::new(library).sample(schema).value)
        });
        let (envelope, items) = listed.as_ref().map_or((None, &[][..]), split);
        let seeds = if has_example { &items[..items.len().min(MAX_ITEMS)] } else { &[] };
        let seeds: Vec<Value> = seeds.iter().filter(|seed| seed.as_mapping().is_some()).cloned().collect();
        let schema_of_list = || member_schema(library, list?.schema.as_ref()?, envelope.as_ref()?);
        let schema_of = |role| self.media(api, role).and_then(|media| media.schema.clone());
        let schema = schema_of(OperationRole::Read)
            .or_else(schema_of_list)
            .or_else(|| schema_of(OperationRole::Create));
        let key = self.key(library, schema.as_ref(), seeds.first());
        let property = schema.as_ref().and_then(|schema| property(library, schema, &key, MAX_DEPTH));
        let number = property.and_then(|schema| is_number(&schema));
        let number = number.or_else(|| Some(matches!(seeds.first()?.get(&key)?, Value::Number(_))));
        let number = number.unwrap_or_else(|| self.parameter_is_number(api));
        let kind = if number { ItemKeyKind::Integer } else { ItemKeyKind::Text };
        let seeds = with_names(&seeds, &key, kind);
        let required = schema.as_ref().map(|schema| required(library, schema)).unwrap_or_default();
        let mut by_name = HashMap::new();
        for (n, seed) in seeds.iter().enumerate() {
            by_name.entry(item_name(seed, &key).unwrap_or_default()).or_insert(n);
        }
        ItemShape { key, kind, seeds, by_name, envelope, required }
    }

    /// The property that identifies an item: the one with the name of the parameter, else `id`.
    fn key(&self, library: &DocumentLibrary, schema: Option<&DocumentNode>, seed: Option<&Value>) -> String {
        let has = |name: &str| {
            schema.is_some_and(|schema| property(library, schema, name, MAX_DEPTH).is_some())
                || seed.is_some_and(|seed| seed.get(name).is_some())
        };
        if has(&self.parameter) { self.parameter.clone() } else { "id".to_owned() }
    }

    fn parameter_is_number(&self, api: &Api) -> bool {
        let parameters = self.operations.iter().flat_map(|(_, n)| &api.operations[*n].parameters);
        let schema = parameters
            .filter(|parameter| *parameter.name == *self.parameter)
            .find_map(|parameter| parameter.schema.as_ref());
        let resolved = schema.and_then(|schema| api.library.resolve(schema).ok());
        resolved.and_then(|schema| is_number(&schema)).unwrap_or_default()
    }

    /// The body of a success of a role's operation, in JSON if declared.
    fn media<'a>(&self, api: &'a Api, role: OperationRole) -> Option<&'a MediaTypeBody> {
        let (_, n) = self.operations.iter().find(|(other, _)| *other == role)?;
        let operation = &api.operations[*n];
        let media = &operation.response(success(operation, role))?.media;
        media.iter().find(|media| media.media_type.contains("json")).or_else(|| media.first())
    }
}

impl ListEnvelope {
    /// Puts items into a list of this form.
    pub(super) fn wrap(&self, items: Vec<Value>) -> Value {
        let Self::Member(around, name) = self else { return items.into() };
        let mut around = around.clone();
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        for name in COUNTS {
            if let Some(Value::Number(_)) = around.get(name) {
                around.insert(*name, count);
            }
        }
        around.insert(name.as_str(), items);
        around.into()
    }
}

/// Gives items without a name their position in the list as a name.
fn with_names(seeds: &[Value], key: &str, kind: ItemKeyKind) -> Vec<Value> {
    let numbered = seeds.iter().zip(1_i64..);
    let name = |(seed, n): (&Value, i64)| {
        if matches!(seed.get(key), Some(Value::String(_) | Value::Number(_))) {
            return seed.clone();
        }
        let mut members = seed.as_mapping().cloned().unwrap_or_default();
        let name = if kind == ItemKeyKind::Integer { Value::from(n) } else { n.to_string().into() };
        members.insert(key, name);
        members.into()
    };
    numbered.map(name).collect()
}

/// The form of a list, and its items.
fn split(listed: &Value) -> (Option<ListEnvelope>, &[Value]) {
    match listed {
        Value::Sequence(items) => (Some(ListEnvelope::Plain), items),
        Value::Mapping(members) => {
            let is_list = |value: &Value| value.items().iter().all(|item| item.as_mapping().is_some());
            let mut lists =
                members.iter().filter(|(_, value)| value.as_sequence().is_some_and(|_| is_list(value)));
            let Some((name, items)) = lists.next() else { return (None, &[]) };
            (Some(ListEnvelope::Member((**members).clone(), name.to_owned())), items.items())
        }
        _ => (None, &[]),
    }
}

/// The schema of the items of a list.
fn member_schema(
    library: &DocumentLibrary,
    list: &DocumentNode,
    envelope: &ListEnvelope,
) -> Option<DocumentNode> {
    let list = match envelope {
        ListEnvelope::Plain => library.resolve(list).ok()?,
        ListEnvelope::Member(_, name) => property(library, list, name, MAX_DEPTH)?,
    };
    list.get("items")
}

/// The schema of a property, its references followed.
fn property(
    library: &DocumentLibrary,
    schema: &DocumentNode,
    name: &str,
    depth: usize,
) -> Option<DocumentNode> {
    let schema = library.resolve(schema).ok()?;
    if let Some(found) = schema.get("properties").and_then(|properties| properties.get(name)) {
        return library.resolve(&found).ok();
    }
    let depth = depth.checked_sub(1)?;
    schema.get("allOf")?.items().find_map(|part| property(library, &part, name, depth))
}

/// Whether a schema is for numbers; none if it has no type.
fn is_number(schema: &DocumentNode) -> Option<bool> {
    let is_numeric = |value: &Value| matches!(value.as_str(), Some("integer" | "number"));
    let kind = schema.value.get("type")?;
    Some(is_numeric(kind) || kind.items().iter().any(is_numeric))
}

/// Required properties of a schema with a sample value of each.
fn required(library: &DocumentLibrary, schema: &DocumentNode) -> Mapping {
    let sample = Sampler::new(library).sample(schema).value;
    let mut names = Vec::new();
    collect_required(library, schema, MAX_DEPTH, &mut names);
    names.iter().filter_map(|name| Some((name.as_str(), sample.get(name)?.clone()))).collect()
}

fn collect_required(library: &DocumentLibrary, schema: &DocumentNode, depth: usize, names: &mut Vec<String>) {
    let (Ok(schema), Some(depth)) = (library.resolve(schema), depth.checked_sub(1)) else { return };
    let here = schema.value.get("required").map(Value::items).unwrap_or_default();
    names.extend(here.iter().filter_map(Value::as_str).map(str::to_owned));
    for part in schema.get("allOf").iter().flat_map(DocumentNode::items) {
        collect_required(library, &part, depth, names);
    }
}
