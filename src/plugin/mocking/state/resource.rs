//! Which paths are a collection and its items, and what an item looks like.

use std::{collections::HashMap, sync::OnceLock};

use super::{
    OperationRole,
    store::{MOST_ITEMS, name},
    success,
};
use crate::{
    document::{Mapping, Value},
    openapi::{Api, DocumentLibrary, DocumentNode, MediaTypeBody, sample::Sampler},
};

/// How deep `allOf` may nest.
const DEEPEST: usize = 16;

/// Members beside a wrapped list that count its items.
const COUNTS: &[&str] = &["total", "count", "total_count", "totalCount", "size"];

/// A collection and its items.
#[derive(Debug)]
pub(super) struct StatefulResource {
    /// The name of the parameter that stands for an item.
    parameter: String,
    /// The operations, by position.
    pub(super) operations: Vec<(OperationRole, usize)>,
    /// Found out when it is first asked for.
    shape: OnceLock<ItemShape>,
}

/// What the items of a collection look like.
#[derive(Debug)]
pub(super) struct ItemShape {
    /// The property that names an item.
    pub(super) key: String,
    /// What that property is.
    pub(super) kind: ItemKeyKind,
    /// The items that are there at first.
    pub(super) seeds: Vec<Value>,
    /// Their positions by name.
    by_name: HashMap<String, usize>,
    /// How a list of them is written; none if the document has no such list.
    pub(super) envelope: Option<ListEnvelope>,
    /// What an item must have, and what it has if nobody says something else.
    pub(super) required: Mapping,
}

impl ItemShape {
    /// The item of the document with this name.
    pub(super) fn seed(&self, name: &str) -> Option<&Value> {
        self.seeds.get(*self.by_name.get(name)?)
    }
}

/// What names an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKeyKind {
    /// A number that counts up.
    Integer,
    /// A text; a UUID where nobody gives one.
    Text,
}

/// How a list is written.
#[derive(Debug)]
pub(super) enum ListEnvelope {
    /// As it is.
    Plain,
    /// As a member of this mapping.
    Member(Mapping, String),
}

/// Every collection of a document that has items.
pub(super) fn find(api: &Api) -> Vec<StatefulResource> {
    let mut by_template: HashMap<&str, Vec<(&http::Method, usize)>> = HashMap::new();
    for (n, operation) in api.operations.iter().enumerate().filter(|(_, it)| it.defect.is_none()) {
        let template = operation.template.trim_end_matches('/');
        by_template.entry(template).or_default().push((&operation.method, n));
    }
    let resource = |(template, items): (&&str, &Vec<(&http::Method, usize)>)| {
        let (collection, last) = template.rsplit_once('/')?;
        let parameter = last.strip_prefix('{')?.strip_suffix('}').filter(|it| !it.contains(['{', '}']))?;
        let roles = |of: &[(&http::Method, usize)], on_item| -> Vec<(OperationRole, usize)> {
            of.iter().filter_map(|(method, n)| Some((OperationRole::of(method, on_item)?, *n))).collect()
        };
        let mut operations = roles(by_template.get(collection)?, false);
        let of_items = roles(items, true);
        if operations.is_empty() || of_items.is_empty() {
            return None;
        }
        operations.extend(of_items);
        Some(StatefulResource { parameter: parameter.to_owned(), operations, shape: OnceLock::new() })
    };
    by_template.iter().filter_map(resource).collect()
}

impl StatefulResource {
    /// Whether its shape is known.
    pub(super) fn is_ready(&self) -> bool {
        self.shape.get().is_some()
    }

    pub(super) fn shape(&self, api: &Api) -> &ItemShape {
        self.shape.get_or_init(|| self.find_shape(api))
    }

    fn find_shape(&self, api: &Api) -> ItemShape {
        let library = &*api.library;
        let list = self.media(api, OperationRole::List);
        let example = list.and_then(|media| media.examples.first()).map(|it| it.value.value.clone());
        let has_example = example.is_some();
        let listed = example.or_else(|| {
            let schema = list?.schema.as_ref()?;
            Some(Sampler::new(library).sample(schema).value)
        });
        let (envelope, items) = listed.as_ref().map_or((None, &[][..]), split);
        let seeds = if has_example { &items[..items.len().min(MOST_ITEMS)] } else { &[] };
        let seeds: Vec<Value> = seeds.iter().filter(|it| it.as_mapping().is_some()).cloned().collect();
        let of_list = || member_schema(library, list?.schema.as_ref()?, envelope.as_ref()?);
        let of = |role| self.media(api, role).and_then(|media| media.schema.clone());
        let schema = of(OperationRole::Read).or_else(of_list).or_else(|| of(OperationRole::Create));
        let key = self.key(library, schema.as_ref(), seeds.first());
        let property = schema.as_ref().and_then(|it| property(library, it, &key, DEEPEST));
        let number = property.and_then(|it| is_number(&it));
        let number = number.or_else(|| Some(matches!(seeds.first()?.get(&key)?, Value::Number(_))));
        let number = number.unwrap_or_else(|| self.parameter_is_number(api));
        let kind = if number { ItemKeyKind::Integer } else { ItemKeyKind::Text };
        let seeds = named(&seeds, &key, kind);
        let required = schema.as_ref().map(|it| required(library, it)).unwrap_or_default();
        let mut by_name = HashMap::new();
        for (n, seed) in seeds.iter().enumerate() {
            by_name.entry(name(seed, &key).unwrap_or_default()).or_insert(n);
        }
        ItemShape { key, kind, seeds, by_name, envelope, required }
    }

    /// The property that names an item: the one called as the parameter, else `id`.
    fn key(&self, library: &DocumentLibrary, schema: Option<&DocumentNode>, seed: Option<&Value>) -> String {
        let has = |name: &str| {
            schema.is_some_and(|it| property(library, it, name, DEEPEST).is_some())
                || seed.is_some_and(|it| it.get(name).is_some())
        };
        if has(&self.parameter) { self.parameter.clone() } else { "id".to_owned() }
    }

    fn parameter_is_number(&self, api: &Api) -> bool {
        let parameters = self.operations.iter().flat_map(|(_, n)| &api.operations[*n].parameters);
        let schema = parameters.filter(|it| *it.name == *self.parameter).find_map(|it| it.schema.as_ref());
        let resolved = schema.and_then(|it| api.library.resolve(it).ok());
        resolved.and_then(|it| is_number(&it)).unwrap_or_default()
    }

    /// What an operation answers to a success, in JSON if it can.
    fn media<'a>(&self, api: &'a Api, role: OperationRole) -> Option<&'a MediaTypeBody> {
        let (_, n) = self.operations.iter().find(|(it, _)| *it == role)?;
        let operation = &api.operations[*n];
        let media = &operation.response(success(operation, role))?.media;
        media.iter().find(|it| it.media_type.contains("json")).or_else(|| media.first())
    }
}

impl ListEnvelope {
    /// A list of these items.
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

/// The items, those without a name called after their place in the list.
fn named(seeds: &[Value], key: &str, kind: ItemKeyKind) -> Vec<Value> {
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

/// How a list is written, and its items.
fn split(listed: &Value) -> (Option<ListEnvelope>, &[Value]) {
    match listed {
        Value::Sequence(items) => (Some(ListEnvelope::Plain), items),
        Value::Mapping(members) => {
            let is_list = |value: &Value| value.items().iter().all(|it| it.as_mapping().is_some());
            let mut lists = members.iter().filter(|(_, it)| it.as_sequence().is_some_and(|_| is_list(it)));
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
        ListEnvelope::Member(_, name) => property(library, list, name, DEEPEST)?,
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
    if let Some(found) = schema.get("properties").and_then(|it| it.get(name)) {
        return library.resolve(&found).ok();
    }
    let depth = depth.checked_sub(1)?;
    schema.get("allOf")?.items().find_map(|it| property(library, &it, name, depth))
}

/// Whether a schema is for numbers; none if it does not say what it is for.
fn is_number(schema: &DocumentNode) -> Option<bool> {
    let is = |value: &Value| matches!(value.as_str(), Some("integer" | "number"));
    let kind = schema.value.get("type")?;
    Some(is(kind) || kind.items().iter().any(is))
}

/// What an item must have: names that the schema requires, and a sample of each.
fn required(library: &DocumentLibrary, schema: &DocumentNode) -> Mapping {
    let sample = Sampler::new(library).sample(schema).value;
    let mut names = Vec::new();
    collect_required(library, schema, DEEPEST, &mut names);
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
