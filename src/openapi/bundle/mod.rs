//! Bundle of a schema and everything that it refers to, as one JSON Schema 2020-12, for the validator.
//!
//! Schemas of every version are translated to 2020-12. Unknown keywords and operands of a wrong type are left out, so
//! that a validator never refuses the result. Keywords are in the order in which errors are reported.

mod cycles;
#[cfg(test)]
mod tests;
mod values;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use self::values::{add_byte_pattern, convert_exclusive_bounds, count, names_by_key, number};
use super::{
    DocumentLibrary, DocumentNode,
    keywords::{AppliedTo, KeywordOperand, SchemaKeyword, is_nullable},
    sample::Direction,
};
use crate::{
    budget::{Budget, Exhausted},
    document::{Mapping, SharedText, Value},
};

/// Bound on the nesting of schemas; deeper schemas become `true`, and the bundle is incomplete.
const MAX_DEPTH: u32 = 64;
/// Bound on the schemas in a bundle for a response; the rest becomes `true`. The validation of responses is for
/// information only.
const MAX_RESPONSE_NODES: usize = 20_000;
/// Bound on the schemas in a bundle for a request. The validation of requests protects the upstream, so an incomplete
/// bundle is an error.
const MAX_REQUEST_NODES: usize = 200_000;
/// Charge for one schema, in steps.
const STEPS_PER_SCHEMA: u64 = 16;

/// JSON Schema that contains the targets of its references under `$defs`.
#[derive(Clone, Debug)]
pub struct SchemaBundle {
    /// The schema.
    pub schema: Json,
    /// The number of schemas in it.
    pub nodes: usize,
}

impl SchemaBundle {
    /// Bundles a schema; properties that are not sent in this direction are not required.
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
            targets: Vec::new(),
            nodes: 0,
            incomplete: None,
            budget,
        };
        let mut edges = vec![Vec::new()];
        let mut schemas = vec![bundler.lower_schema(schema, 0, Some(&mut edges[0]))];
        while schemas.len() <= bundler.targets.len() {
            let target = bundler.targets[schemas.len() - 1].clone();
            let mut inner = Vec::new();
            schemas.push(bundler.lower_schema(&target, 0, Some(&mut inner)));
            edges.push(inner);
        }
        if let Some(exhausted) = budget.exhausted() {
            return Err(exhausted);
        }
        if let (Some(bound), Direction::Request) = (bundler.incomplete, direction) {
            return Err(bound);
        }
        cycles::remove_cycles(&mut schemas, &edges);
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
    /// The number of each target, by the file that contains the reference and the text of the reference.
    known: HashMap<(u32, SharedText), usize>,
    /// The targets, in the order of their numbers.
    targets: Vec<DocumentNode>,
    nodes: usize,
    /// The bound that was exceeded, if any.
    incomplete: Option<Exhausted>,
    budget: &'a Budget,
}

/// Keywords that are copied, in the order in which errors are reported: those before `const` and `enum`.
const BEFORE_ENUM: &[SchemaKeyword] = &[
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

/// Keywords that are copied after `const` and `enum`.
const AFTER_ENUM: &[SchemaKeyword] = &[
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

/// Numbers of the targets that a schema applies to its own value.
type SameValueTargets<'a> = Option<&'a mut Vec<usize>>;

impl SchemaBundler<'_> {
    fn lower_schema(
        &mut self,
        schema: &DocumentNode,
        depth: u32,
        mut same_value: SameValueTargets<'_>,
    ) -> Json {
        self.nodes += 1;
        let max_nodes = match self.direction {
            Direction::Request => MAX_REQUEST_NODES,
            Direction::Response => MAX_RESPONSE_NODES,
        };
        if depth > MAX_DEPTH || self.nodes > max_nodes {
            let bound = if depth > MAX_DEPTH { Exhausted::Depth } else { Exhausted::Bytes };
            self.incomplete.get_or_insert(bound);
            return Json::Bool(true);
        }
        if self.budget.spend(STEPS_PER_SCHEMA).is_err() {
            return Json::Bool(true);
        }
        match &schema.value {
            Value::Bool(allowed) => return Json::Bool(*allowed),
            Value::Mapping(_) => (),
            _ => return Json::Bool(true),
        }
        let mut out = Map::new();
        if let Some(reference) = self.find_reference(schema) {
            match self.add_target(schema, reference, same_value.as_deref_mut()) {
                Some(pointer) => drop(out.insert("$ref".to_owned(), pointer.into())),
                None => return Json::Bool(true),
            }
            if !self.library.version().allows_ref_siblings() {
                return out.into();
            }
        }
        self.add_types(schema, &mut out);
        for keyword in BEFORE_ENUM {
            self.add_keyword(schema, *keyword, depth, None, &mut out);
        }
        convert_exclusive_bounds(&mut out, schema);
        add_byte_pattern(&mut out);
        if let Some(value) = schema.value.get(SchemaKeyword::Const.name()) {
            out.insert("const".to_owned(), value.into());
        }
        self.add_enum(schema, &mut out);
        for keyword in AFTER_ENUM {
            self.add_keyword(schema, *keyword, depth, same_value.as_deref_mut(), &mut out);
        }
        self.add_older_keywords(schema, depth, &mut out);
        if out.get(SchemaKeyword::AdditionalProperties.name()) == Some(&Json::Bool(false)) {
            // With `properties`, the validator reports additional properties by name.
            out.entry("properties").or_insert_with(|| json!({}));
        }
        out.into()
    }

    fn find_reference(&self, schema: &DocumentNode) -> Option<SharedText> {
        let dynamic = || {
            schema
                .value
                .get(SchemaKeyword::DynamicRef.name())
                .filter(|_| self.library.version().allows_ref_siblings())
        };
        match schema.value.get(SchemaKeyword::Ref.name()).or_else(dynamic) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// The pointer to the target of a reference in the bundle.
    fn add_target(
        &mut self,
        schema: &DocumentNode,
        reference: SharedText,
        same_value: SameValueTargets<'_>,
    ) -> Option<String> {
        let key = (schema.file, reference.clone());
        let number = match self.known.get(&key) {
            Some(number) => *number,
            None => {
                let reference_only: Mapping =
                    [(SharedText::from("$ref"), Value::String(reference))].into_iter().collect();
                let target =
                    self.library.resolve_schema(&schema.with_value(&Value::from(reference_only))).ok()?;
                self.targets.push(target);
                let number = self.targets.len();
                self.known.insert(key, number);
                number
            }
        };
        if let Some(same_value) = same_value {
            same_value.push(number);
        }
        Some(format!("#/$defs/s{number}"))
    }

    fn add_types(&self, schema: &DocumentNode, out: &mut Map<String, Json>) {
        const KNOWN: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
        let Some(value) = schema.value.get(SchemaKeyword::Type.name()) else { return };
        let single = std::slice::from_ref(value);
        let all = value.as_sequence().unwrap_or(single).iter().map(|name| name.as_str().unwrap_or_default());
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

    fn add_enum(&self, schema: &DocumentNode, out: &mut Map<String, Json>) {
        let Some([first, rest @ ..]) =
            schema.value.get(SchemaKeyword::Enum.name()).and_then(Value::as_sequence)
        else {
            return;
        };
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

    fn add_keyword(
        &mut self,
        schema: &DocumentNode,
        keyword: SchemaKeyword,
        depth: u32,
        same_value: SameValueTargets<'_>,
        out: &mut Map<String, Json>,
    ) {
        let Some(node) = schema.get(keyword.name()) else { return };
        let targets = |applied: AppliedTo| same_value.filter(|_| applied == AppliedTo::SameValue);
        let content = match keyword.operand() {
            KeywordOperand::Number | KeywordOperand::NumberOrFlag => number(&node.value, keyword),
            KeywordOperand::Count => count(&node.value),
            KeywordOperand::Text => node.value.as_str().map(Json::from),
            KeywordOperand::Flag => node.value.as_bool().map(Json::from),
            KeywordOperand::Names => self.filter_required(schema, &node),
            KeywordOperand::NamesByName => Some(names_by_key(&node.value)),
            // `add_older_keywords` translates a list of schemas.
            KeywordOperand::SchemaOrSchemas if node.value.as_sequence().is_some() => None,
            KeywordOperand::SchemaOrSchemas => Some(self.lower_schema(&node, depth + 1, None)),
            KeywordOperand::Schema(applied) => Some(self.lower_schema(&node, depth + 1, targets(applied))),
            KeywordOperand::Schemas(applied) => self.lower_list(&node, depth, targets(applied)),
            KeywordOperand::SchemasByName(applied) => self.lower_map(&node, depth, targets(applied)),
            // These are not copied.
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

    fn lower_list(
        &mut self,
        node: &DocumentNode,
        depth: u32,
        mut same_value: SameValueTargets<'_>,
    ) -> Option<Json> {
        let all: Vec<Json> = node
            .items()
            .map(|child| self.lower_schema(&child, depth + 1, same_value.as_deref_mut()))
            .collect();
        (!all.is_empty()).then(|| all.into())
    }

    fn lower_map(
        &mut self,
        node: &DocumentNode,
        depth: u32,
        mut same_value: SameValueTargets<'_>,
    ) -> Option<Json> {
        node.value.as_mapping()?;
        let all: Map<String, Json> = node
            .entries()
            .map(|(key, child)| {
                (key.to_owned(), self.lower_schema(&child, depth + 1, same_value.as_deref_mut()))
            })
            .collect();
        Some(all.into())
    }

    /// The required names, without those of properties that are not sent in this direction.
    fn filter_required(&self, schema: &DocumentNode, node: &DocumentNode) -> Option<Json> {
        let properties = schema.get(SchemaKeyword::Properties.name());
        let is_hidden = |name: &str| {
            let property = properties.as_ref().and_then(|properties| properties.get(name));
            property.is_some_and(|property| self.direction.hides(self.library, &property))
        };
        let mut names: Vec<&str> = Vec::new();
        for name in node.value.as_sequence()?.iter().filter_map(Value::as_str) {
            if !names.contains(&name) && !is_hidden(name) {
                names.push(name);
            }
        }
        Some(names.into())
    }

    /// Translates keywords of earlier versions of JSON Schema.
    fn add_older_keywords(&mut self, schema: &DocumentNode, depth: u32, out: &mut Map<String, Json>) {
        if let Some(items) =
            schema.get(SchemaKeyword::Items.name()).filter(|items| items.value.as_sequence().is_some())
        {
            if let Some(list) = self.lower_list(&items, depth, None) {
                out.insert("prefixItems".to_owned(), list);
            }
            if let Some(rest) = schema.get(SchemaKeyword::AdditionalItems.name()) {
                let rest = self.lower_schema(&rest, depth + 1, None);
                out.insert("items".to_owned(), rest);
            }
        }
        let lists = schema.value.get(SchemaKeyword::Dependencies.name()).map(names_by_key);
        if let Some(Json::Object(lists)) = lists.filter(|_| !out.contains_key("dependentRequired")) {
            out.insert("dependentRequired".to_owned(), lists.into());
        }
    }
}
