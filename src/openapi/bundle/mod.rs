//! A schema as one JSON Schema of the edition 2020-12, with everything that it refers to: what a validator wants.
//!
//! Every dialect is said in the words of 2020-12. What no edition knows, or what stands in the wrong place, is left
//! out, so that a validator never refuses the result. Keywords come in the order in which faults are told.

mod circles;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use self::values::{bounds, byte, count, names_by_key, number};
use super::{
    DocumentLibrary, DocumentNode,
    keywords::{AppliedTo, KeywordOperand, SchemaKeyword, is_nullable},
    sample::Direction,
};
use crate::{
    budget::{Budget, Exhausted},
    document::{SharedText, Value},
};

/// Schemas may stand this deep in one another; below, everything is allowed, and the bundle is not complete.
const DEPTH: u32 = 64;
/// Schemas in one bundle of an answer; what goes beyond allows everything. Answers are checked to inform.
const RESPONSE_NODES: usize = 20_000;
/// Schemas in one bundle of a request, which is checked to guard: a bundle that is not complete is none.
const REQUEST_NODES: usize = 200_000;
/// What a schema is charged for, in steps.
const STEPS: u64 = 16;

/// A schema, with what it refers to under `$defs`.
#[derive(Clone, Debug)]
pub struct SchemaBundle {
    /// The schema.
    pub schema: Json,
    /// How many schemas it holds.
    pub nodes: usize,
}

impl SchemaBundle {
    /// Bundles a schema; `direction` says which properties nobody can require.
    ///
    /// # Errors
    /// The budget is exhausted, or a schema of a request is too large or too deep to be bundled as a whole.
    pub fn new(
        library: &DocumentLibrary,
        schema: &DocumentNode,
        direction: Direction,
        budget: &Budget,
    ) -> Result<Self, Exhausted> {
        let mut bundler = SchemaBundler {
            library,
            direction,
            known: HashMap::new(),
            waiting: Vec::new(),
            nodes: 0,
            incomplete: None,
            budget,
        };
        let mut edges = vec![Vec::new()];
        let mut schemas = vec![bundler.lower(schema, 0, Some(&mut edges[0]))];
        while schemas.len() <= bundler.waiting.len() {
            let target = bundler.waiting[schemas.len() - 1].clone();
            let mut inner = Vec::new();
            schemas.push(bundler.lower(&target, 0, Some(&mut inner)));
            edges.push(inner);
        }
        if let Some(exhausted) = budget.exhausted() {
            return Err(exhausted);
        }
        if let (Some(why), Direction::Request) = (bundler.incomplete, direction) {
            return Err(why);
        }
        circles::open(&mut schemas, &edges);
        let mut schemas = schemas.into_iter();
        let root = schemas.next().unwrap_or(Json::Bool(true));
        let defs: Map<String, Json> =
            schemas.enumerate().map(|(n, schema)| (format!("s{}", n + 1), schema)).collect();
        let schema = match root {
            Json::Object(mut root) if !defs.is_empty() => {
                root.insert("$defs".to_owned(), defs.into());
                root.into()
            }
            root => root,
        };
        Ok(Self { schema, nodes: bundler.nodes })
    }
}

struct SchemaBundler<'a> {
    library: &'a DocumentLibrary,
    direction: Direction,
    /// The number of each target, by the file that refers to it and the reference.
    known: HashMap<(u32, SharedText), usize>,
    waiting: Vec<DocumentNode>,
    nodes: usize,
    /// Why something was left out, if it was.
    incomplete: Option<Exhausted>,
    budget: &'a Budget,
}

/// The keywords that are copied as they are, in the order in which errors are reported: those before `const` and `enum`.
const BEFORE: &[SchemaKeyword] = &[
    SchemaKeyword::Maximum,
    SchemaKeyword::Minimum,
    SchemaKeyword::ExclusiveMaximum,
    SchemaKeyword::ExclusiveMinimum,
    SchemaKeyword::MultipleOf,
    SchemaKeyword::MaxLength,
    SchemaKeyword::MinLength,
    SchemaKeyword::Pattern,
    SchemaKeyword::Format,
];

/// Those after `const` and `enum`.
const AFTER: &[SchemaKeyword] = &[
    SchemaKeyword::Not,
    SchemaKeyword::AnyOf,
    SchemaKeyword::OneOf,
    SchemaKeyword::AllOf,
    SchemaKeyword::If,
    SchemaKeyword::Then,
    SchemaKeyword::Else,
    SchemaKeyword::MaxItems,
    SchemaKeyword::MinItems,
    SchemaKeyword::UniqueItems,
    SchemaKeyword::PrefixItems,
    SchemaKeyword::Items,
    SchemaKeyword::Contains,
    SchemaKeyword::MinContains,
    SchemaKeyword::MaxContains,
    SchemaKeyword::MaxProperties,
    SchemaKeyword::MinProperties,
    SchemaKeyword::Required,
    SchemaKeyword::DependentRequired,
    SchemaKeyword::DependentSchemas,
    SchemaKeyword::PropertyNames,
    SchemaKeyword::AdditionalProperties,
    SchemaKeyword::Properties,
    SchemaKeyword::PatternProperties,
    SchemaKeyword::UnevaluatedItems,
    SchemaKeyword::UnevaluatedProperties,
];

/// The targets that are applied to the same value as the schema which refers to them.
type SameValueTargets<'a> = Option<&'a mut Vec<usize>>;

impl SchemaBundler<'_> {
    fn lower(&mut self, schema: &DocumentNode, depth: u32, mut beside: SameValueTargets<'_>) -> Json {
        self.nodes += 1;
        let most = match self.direction {
            Direction::Request => REQUEST_NODES,
            Direction::Response => RESPONSE_NODES,
        };
        if depth > DEPTH || self.nodes > most {
            let why = if depth > DEPTH { Exhausted::Depth } else { Exhausted::Bytes };
            self.incomplete.get_or_insert(why);
            return Json::Bool(true);
        }
        if self.budget.spend(STEPS).is_err() {
            return Json::Bool(true);
        }
        match &schema.value {
            Value::Bool(it) => return Json::Bool(*it),
            Value::Mapping(_) => (),
            _ => return Json::Bool(true),
        }
        let mut out = Map::new();
        if let Some(reference) = self.reference(schema) {
            match self.target(schema, reference, beside.as_deref_mut()) {
                Some(pointer) => drop(out.insert("$ref".to_owned(), pointer.into())),
                None => return Json::Bool(true),
            }
            if !self.library.version().allows_ref_siblings() {
                return out.into();
            }
        }
        self.types(schema, &mut out);
        for keyword in BEFORE {
            self.keyword(schema, *keyword, depth, None, &mut out);
        }
        bounds(&mut out, schema);
        byte(&mut out);
        if let Some(value) = schema.value.get("const") {
            out.insert("const".to_owned(), value.into());
        }
        self.choices(schema, &mut out);
        for keyword in AFTER {
            self.keyword(schema, *keyword, depth, beside.as_deref_mut(), &mut out);
        }
        self.older_words(schema, depth, &mut out);
        if out.get("additionalProperties") == Some(&Json::Bool(false)) {
            // With this beside it, the properties that are too many are told by name.
            out.entry("properties").or_insert_with(|| json!({}));
        }
        out.into()
    }

    fn reference(&self, schema: &DocumentNode) -> Option<SharedText> {
        let dynamic =
            || schema.value.get("$dynamicRef").filter(|_| self.library.version().allows_ref_siblings());
        match schema.value.get("$ref").or_else(dynamic) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// The place in the bundle of what a schema refers to.
    fn target(
        &mut self,
        schema: &DocumentNode,
        reference: SharedText,
        beside: SameValueTargets<'_>,
    ) -> Option<String> {
        let key = (schema.file, reference.clone());
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                let alone: crate::document::Mapping =
                    [(SharedText::from("$ref"), Value::String(reference))].into_iter().collect();
                let target = self.library.resolve_schema(&schema.with_value(&Value::from(alone))).ok()?;
                self.waiting.push(target);
                let number = self.waiting.len();
                self.known.insert(key, number);
                number
            }
        };
        if let Some(beside) = beside {
            beside.push(number);
        }
        Some(format!("#/$defs/s{number}"))
    }

    fn types(&self, schema: &DocumentNode, out: &mut Map<String, Json>) {
        const KNOWN: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
        let Some(value) = schema.value.get("type") else { return };
        let single = std::slice::from_ref(value);
        let all = value.as_sequence().unwrap_or(single).iter().map(|it| it.as_str().unwrap_or_default());
        let mut names: Vec<&str> = Vec::new();
        for name in all {
            if !KNOWN.contains(&name) {
                return;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if is_nullable(&schema.value, self.library.version()) && !names.contains(&"null") {
            names.push("null");
        }
        match names.as_slice() {
            [] => (),
            [one] => drop(out.insert("type".to_owned(), (*one).into())),
            several => drop(out.insert("type".to_owned(), several.into())),
        }
    }

    fn choices(&self, schema: &DocumentNode, out: &mut Map<String, Json>) {
        let Some([first, rest @ ..]) = schema.value.get("enum").and_then(Value::as_sequence) else { return };
        if self.budget.spend(rest.len() as u64).is_err() {
            return;
        }
        let mut all: Vec<Json> = vec![first.into()];
        all.extend(rest.iter().map(Json::from));
        if is_nullable(&schema.value, self.library.version()) && !all.contains(&Json::Null) {
            all.push(Json::Null);
        }
        out.insert("enum".to_owned(), all.into());
    }

    fn keyword(
        &mut self,
        schema: &DocumentNode,
        keyword: SchemaKeyword,
        depth: u32,
        beside: SameValueTargets<'_>,
        out: &mut Map<String, Json>,
    ) {
        let Some(node) = schema.get(keyword.name()) else { return };
        let targets = |applied: AppliedTo| beside.filter(|_| applied == AppliedTo::SameValue);
        let content = match keyword.operand() {
            KeywordOperand::Number | KeywordOperand::NumberOrFlag => number(&node.value, keyword),
            KeywordOperand::Count => count(&node.value),
            KeywordOperand::Text => node.value.as_str().map(Json::from),
            KeywordOperand::Flag => node.value.as_bool().map(Json::from),
            KeywordOperand::Names => self.required(schema, &node),
            KeywordOperand::NamesByName => Some(names_by_key(&node.value)),
            // `older_words` translates a list of schemas.
            KeywordOperand::SchemaOrSchemas if node.value.as_sequence().is_some() => None,
            KeywordOperand::SchemaOrSchemas => Some(self.lower(&node, depth + 1, None)),
            KeywordOperand::Schema(applied) => Some(self.lower(&node, depth + 1, targets(applied))),
            KeywordOperand::Schemas(applied) => self.list(&node, depth, targets(applied)),
            KeywordOperand::SchemasByName(applied) => self.map(&node, depth, targets(applied)),
            // None of these is copied as it is.
            KeywordOperand::SchemasOrNamesByName
            | KeywordOperand::Reference
            | KeywordOperand::Types
            | KeywordOperand::Value
            | KeywordOperand::Values
            | KeywordOperand::Object => None,
        };
        if let Some(content) = content {
            out.insert(keyword.name().to_owned(), content);
        }
    }

    fn list(&mut self, node: &DocumentNode, depth: u32, mut beside: SameValueTargets<'_>) -> Option<Json> {
        let all: Vec<Json> =
            node.items().map(|it| self.lower(&it, depth + 1, beside.as_deref_mut())).collect();
        (!all.is_empty()).then(|| all.into())
    }

    fn map(&mut self, node: &DocumentNode, depth: u32, mut beside: SameValueTargets<'_>) -> Option<Json> {
        node.value.as_mapping()?;
        let all: Map<String, Json> = node
            .entries()
            .map(|(key, it)| (key.to_owned(), self.lower(&it, depth + 1, beside.as_deref_mut())))
            .collect();
        Some(all.into())
    }

    /// The names that are required, without those of properties that do not travel in this direction.
    fn required(&self, schema: &DocumentNode, node: &DocumentNode) -> Option<Json> {
        let properties = schema.get("properties");
        let hidden = |name: &str| {
            let property = properties.as_ref().and_then(|it| it.get(name));
            property.is_some_and(|it| self.direction.hides(self.library, &it))
        };
        let mut names: Vec<&str> = Vec::new();
        for name in node.value.as_sequence()?.iter().filter_map(Value::as_str) {
            if !names.contains(&name) && !hidden(name) {
                names.push(name);
            }
        }
        Some(names.into())
    }

    /// Words of earlier editions of JSON Schema.
    fn older_words(&mut self, schema: &DocumentNode, depth: u32, out: &mut Map<String, Json>) {
        if let Some(items) = schema.get("items").filter(|it| it.value.as_sequence().is_some()) {
            if let Some(list) = self.list(&items, depth, None) {
                out.insert("prefixItems".to_owned(), list);
            }
            if let Some(rest) = schema.get("additionalItems") {
                let rest = self.lower(&rest, depth + 1, None);
                out.insert("items".to_owned(), rest);
            }
        }
        let lists = schema.value.get("dependencies").map(names_by_key);
        if let Some(Json::Object(lists)) = lists.filter(|_| !out.contains_key("dependentRequired")) {
            out.insert("dependentRequired".to_owned(), lists.into());
        }
    }
}
