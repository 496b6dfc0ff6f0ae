//! One walk over everything in a document that has examples or schemas, by the rules of its edition.
//!
//! Nodes are visited once, at the place where they stand; what only a reference reaches (another file, say) is
//! visited after the rest.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use super::visit::{ExampleClaim, ExampleKind, LintPlace, LintVisitor};
use crate::{
    document::{NodePath, NodePlace, Value},
    openapi::{
        Api, DocumentLibrary, DocumentNode, SpecVersion,
        keywords::{AppliedTo, KeywordOperand, SchemaKeyword},
        lower::{example_value, resolve_literal, schema_of_swagger2},
        media_type,
        sample::Direction,
    },
};

/// How deep a walk goes; no document that was read is deeper.
const DEPTH: u32 = 512;

/// What a node is, in the words of the specification.
#[derive(Clone, Copy, Debug)]
enum NodeRole {
    PathItem,
    Operation,
    Parameter,
    RequestBody,
    Response,
    Header,
    Callback,
    /// A media type object, and whether its bodies are values rather than texts.
    Media {
        json: bool,
    },
    Schema,
}

/// A node that a reference leads to.
struct PendingNode {
    node: DocumentNode,
    path: NodePath,
    role: NodeRole,
    way: Option<Direction>,
}

struct LintWalk<'a> {
    library: &'a DocumentLibrary,
    visit: &'a mut dyn LintVisitor,
    /// Mappings that were visited, by address; the document keeps them where they are.
    seen: HashSet<usize>,
    /// Schemas of bodies that were visited.
    used: HashSet<usize>,
    pending: VecDeque<PendingNode>,
}

pub(super) fn walk(api: &Api, visit: &mut dyn LintVisitor) {
    let library = &*api.library;
    let (seen, used) = (HashSet::new(), HashSet::new());
    let mut walk = LintWalk { library, visit, seen, used, pending: VecDeque::new() };
    let path = NodePath::root();
    walk.document(&library.root(), &LintPlace { library, file: 0, at: NodePlace::Path(&path) });
    while let Some(PendingNode { node, path, role, way }) = walk.pending.pop_front() {
        let place = LintPlace { library, file: node.file, at: NodePlace::Path(&path) };
        walk.enter(&node, role, way, &place, DEPTH);
    }
}

impl LintWalk<'_> {
    fn document(&mut self, root: &DocumentNode, place: &LintPlace<'_>) {
        let (response, request) = (Some(Direction::Response), Some(Direction::Request));
        self.each(root, "paths", NodeRole::PathItem, request, place, DEPTH);
        self.each(root, "webhooks", NodeRole::PathItem, None, place, DEPTH);
        if self.library.version() == SpecVersion::Swagger2 {
            self.each(root, "parameters", NodeRole::Parameter, request, place, DEPTH);
            self.each(root, "responses", NodeRole::Response, response, place, DEPTH);
            self.each(root, "definitions", NodeRole::Schema, None, place, DEPTH);
        }
        let Some(components) = root.get("components") else { return };
        let place = place.key("components");
        for (key, role, way) in [
            ("parameters", NodeRole::Parameter, request),
            ("requestBodies", NodeRole::RequestBody, request),
            ("responses", NodeRole::Response, response),
            ("headers", NodeRole::Header, response),
            ("callbacks", NodeRole::Callback, None),
            ("pathItems", NodeRole::PathItem, request),
            ("schemas", NodeRole::Schema, None),
        ] {
            self.each(&components, key, role, way, &place, DEPTH);
        }
    }

    /// Visits a node unless it was, or leaves what its reference leads to for later.
    fn enter(
        &mut self,
        node: &DocumentNode,
        role: NodeRole,
        way: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let (Value::Mapping(mapping), Some(depth)) = (&node.value, depth.checked_sub(1)) else { return };
        if !self.seen.insert(Arc::as_ptr(mapping).addr()) {
            return;
        }
        if mapping.get("$ref").is_some_and(|it| it.as_str().is_some()) {
            if let Ok((target, Some(reached))) = self.library.follow(node) {
                let path = self.library.path_of(&reached);
                self.pending.push_back(PendingNode { node: target, path, role, way });
            }
            let goes_on = matches!(role, NodeRole::PathItem)
                || matches!(role, NodeRole::Schema) && self.library.version() == SpecVersion::OpenApi31;
            if !goes_on || mapping.len() == 1 {
                return;
            }
        }
        let (response, request) = match way {
            None => (None, None),
            Some(_) => (Some(Direction::Response), Some(Direction::Request)),
        };
        match role {
            NodeRole::PathItem => {
                self.list(node, "parameters", NodeRole::Parameter, request, place, depth);
                self.each(node, "additionalOperations", NodeRole::Operation, way, place, depth);
                let methods = node.entries().filter(|(key, _)| !key.starts_with("x-"));
                for (key, child) in methods.filter(|(key, _)| *key != "additionalOperations") {
                    self.enter(&child, NodeRole::Operation, way, &place.key(key), depth);
                }
            }
            NodeRole::Operation => {
                self.list(node, "parameters", NodeRole::Parameter, request, place, depth);
                self.one(node, "requestBody", NodeRole::RequestBody, request, place, depth);
                self.each(node, "responses", NodeRole::Response, response, place, depth);
                self.each(node, "callbacks", NodeRole::Callback, None, place, depth);
            }
            NodeRole::Callback => {
                for (key, child) in node.entries().filter(|(key, _)| !key.starts_with("x-")) {
                    self.enter(&child, NodeRole::PathItem, None, &place.key(key), depth);
                }
            }
            NodeRole::RequestBody => self.content(node, way, place, depth),
            NodeRole::Parameter | NodeRole::Header => self.named(node, way, place, depth),
            NodeRole::Response => self.response(node, way, place, depth),
            NodeRole::Media { json } => self.media(node, json, way, place, depth),
            NodeRole::Schema => self.schema(node, place, depth),
        }
    }

    fn one(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        way: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        if let Some(child) = node.get(key) {
            self.enter(&child, role, way, &place.key(key), depth);
        }
    }

    fn each(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        way: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let Some(children) = node.get(key) else { return };
        let place = place.key(key);
        let extensible = !matches!(role, NodeRole::Schema | NodeRole::Header);
        for (key, child) in children.entries().filter(|(key, _)| !extensible || !key.starts_with("x-")) {
            self.enter(&child, role, way, &place.key(key), depth);
        }
    }

    fn list(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        way: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let Some(children) = node.get(key) else { return };
        let place = place.key(key);
        for (n, child) in children.items().enumerate() {
            self.enter(&child, role, way, &place.index(n), depth);
        }
    }

    fn content(&mut self, node: &DocumentNode, way: Option<Direction>, place: &LintPlace<'_>, depth: u32) {
        let Some(content) = node.get("content") else { return };
        let place = place.key("content");
        for (media_type, child) in content.entries() {
            let json = is_json(media_type);
            self.enter(&child, NodeRole::Media { json }, way, &place.key(media_type), depth);
        }
    }

    fn media(
        &mut self,
        node: &DocumentNode,
        json: bool,
        way: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        self.one(node, "schema", NodeRole::Schema, way, place, depth);
        let Some(schema) = node.get("schema") else { return };
        self.body(&schema, way, &place.key("schema"));
        self.examples(node, &schema, json, way, place);
    }

    fn response(&mut self, node: &DocumentNode, way: Option<Direction>, place: &LintPlace<'_>, depth: u32) {
        self.visit.visit_response(&node.value, place);
        self.each(node, "headers", NodeRole::Header, way, place, depth);
        if self.library.version() != SpecVersion::Swagger2 {
            self.content(node, way, place, depth);
            return;
        }
        self.one(node, "schema", NodeRole::Schema, way, place, depth);
        let (Some(schema), Some(examples)) = (node.get("schema"), node.get("examples")) else { return };
        self.body(&schema, way, &place.key("schema"));
        let place = place.key("examples");
        for (media_type, value) in examples.entries() {
            let json = is_json(media_type);
            self.claim(ExampleKind::Example, &value, &schema, json, way, &place.key(media_type));
        }
    }

    /// A parameter or a header.
    fn named(&mut self, node: &DocumentNode, way: Option<Direction>, place: &LintPlace<'_>, depth: u32) {
        self.one(node, "schema", NodeRole::Schema, way, place, depth);
        let is_body = node.text("in") == Some("body");
        if self.library.version() == SpecVersion::Swagger2 && !is_body {
            let schema = schema_of_swagger2(node);
            for (key, word) in [
                ("example", ExampleKind::Example),
                ("x-example", ExampleKind::Example),
                ("default", ExampleKind::Default),
            ] {
                if let Some(value) = node.get(key) {
                    self.claim(word, &value, &schema, true, way, &place.key(key));
                }
            }
            return;
        }
        self.content(node, way, place, depth);
        if let Some(schema) = node.get("schema").filter(|_| !is_body) {
            self.examples(node, &schema, true, way, place);
        }
    }

    /// `example` and `examples` beside a schema.
    fn examples(
        &mut self,
        node: &DocumentNode,
        schema: &DocumentNode,
        json: bool,
        way: Option<Direction>,
        place: &LintPlace<'_>,
    ) {
        if let Some(value) = node.get("example") {
            self.claim(ExampleKind::Example, &value, schema, json, way, &place.key("example"));
        }
        let Some(examples) = node.get("examples") else { return };
        let place = place.key("examples");
        for (key, example) in examples.entries() {
            let Ok((example, reached)) = self.library.follow(&example) else { continue };
            let path = reached.map(|it| self.library.path_of(&it));
            let here = place.key(key);
            let here = match &path {
                Some(path) => {
                    LintPlace { library: self.library, file: example.file, at: NodePlace::Path(path) }
                }
                None => here,
            };
            if let Some((word, value)) = example_value(&example) {
                self.claim(ExampleKind::Example, &value, schema, json, way, &here.key(word));
            }
        }
    }

    fn schema(&mut self, node: &DocumentNode, place: &LintPlace<'_>, depth: u32) {
        for (key, child) in node.entries() {
            let here = place.key(key);
            let Some(keyword) = SchemaKeyword::named(key) else { continue };
            match keyword {
                SchemaKeyword::Example => self.claim(ExampleKind::Example, &child, node, true, None, &here),
                SchemaKeyword::Examples => {
                    for (n, child) in child.items().enumerate() {
                        self.claim(ExampleKind::Example, &child, node, true, None, &here.index(n));
                    }
                }
                SchemaKeyword::Default => self.claim(ExampleKind::Default, &child, node, true, None, &here),
                // Values of `not` are not values of this schema.
                SchemaKeyword::Not => (),
                _ => self.subschemas(node, keyword, &child, place, depth),
            }
        }
    }

    /// Visits the schemas that a keyword holds.
    fn subschemas(
        &mut self,
        node: &DocumentNode,
        keyword: SchemaKeyword,
        child: &DocumentNode,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let key = keyword.name();
        match keyword.operand() {
            KeywordOperand::Schema(AppliedTo::Content) => (),
            KeywordOperand::SchemasByName(_) => {
                self.each(node, key, NodeRole::Schema, None, place, depth);
            }
            KeywordOperand::Schemas(_) => self.list(node, key, NodeRole::Schema, None, place, depth),
            KeywordOperand::SchemaOrSchemas if child.value.as_sequence().is_some() => {
                self.list(node, key, NodeRole::Schema, None, place, depth);
            }
            KeywordOperand::SchemaOrSchemas | KeywordOperand::Schema(_) => {
                self.enter(child, NodeRole::Schema, None, &place.key(key), depth);
            }
            KeywordOperand::SchemasOrNamesByName
            | KeywordOperand::Reference
            | KeywordOperand::Number
            | KeywordOperand::NumberOrFlag
            | KeywordOperand::Count
            | KeywordOperand::Text
            | KeywordOperand::Flag
            | KeywordOperand::Names
            | KeywordOperand::NamesByName
            | KeywordOperand::Types
            | KeywordOperand::Value
            | KeywordOperand::Values
            | KeywordOperand::Object => (),
        }
    }

    fn claim(
        &mut self,
        word: ExampleKind,
        value: &DocumentNode,
        schema: &DocumentNode,
        json: bool,
        way: Option<Direction>,
        place: &LintPlace<'_>,
    ) {
        // Of other notations a text is the text of the body, not a value of the schema.
        if !json && value.value.as_str().is_some() {
            return;
        }
        let meant = resolve_literal(self.library, value);
        self.visit.visit_example(&ExampleClaim {
            kind: word,
            value: &meant.value,
            schema,
            direction: way,
            place,
        });
    }

    fn body(&mut self, schema: &DocumentNode, way: Option<Direction>, place: &LintPlace<'_>) {
        let Ok(target) = self.library.resolve(schema) else { return };
        let Value::Mapping(mapping) = &target.value else { return };
        if self.used.insert(Arc::as_ptr(mapping).addr()) {
            self.visit.visit_body_schema(schema, way, place);
        }
    }
}

/// Whether bodies of the type are values of the schema rather than texts.
fn is_json(media_type: &str) -> bool {
    matches!(media_type::format_name(&media_type::lowercase_essence(media_type)), "json" | "*")
}
