//! Walk over all nodes of a document that have examples or schemas, by the rules of its version.
//!
//! Nodes are visited once, at their own position. Nodes that only a reference reaches, such as those of other files, are
//! visited after the rest.

mod schemas;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use super::visit::{ExampleClaim, ExampleKind, LintPlace, LintVisitor};
use crate::{
    document::{NodePath, NodePlace, Value},
    openapi::{
        Api, DocumentLibrary, DocumentNode, SpecVersion,
        lower::{example_value, resolve_literal, schema_of_swagger2},
        media_type,
        sample::Direction,
    },
};

/// Bound on the depth of the walk; no document that was read is deeper.
const MAX_DEPTH: u32 = 512;

/// Kind of object of the specification.
#[derive(Clone, Copy, Debug)]
enum NodeRole {
    PathItem,
    Operation,
    Parameter,
    RequestBody,
    Response,
    Header,
    Callback,
    /// A media type object, and whether its media type is JSON.
    MediaType {
        is_json: bool,
    },
    Schema,
}

/// Target of a reference, to be visited later.
struct PendingNode {
    node: DocumentNode,
    path: NodePath,
    role: NodeRole,
    direction: Option<Direction>,
}

struct LintWalk<'a> {
    library: &'a DocumentLibrary,
    visitor: &'a mut dyn LintVisitor,
    /// Visited mappings by address, which does not change as long as the document exists.
    visited: HashSet<usize>,
    /// Visited schemas of bodies by address.
    visited_bodies: HashSet<usize>,
    pending: VecDeque<PendingNode>,
}

/// Shows all examples, body schemas and responses of a document to a visitor.
pub(super) fn walk(api: &Api, visitor: &mut dyn LintVisitor) {
    let library = &*api.library;
    let (visited, visited_bodies) = (HashSet::new(), HashSet::new());
    let mut walk = LintWalk { library, visitor, visited, visited_bodies, pending: VecDeque::new() };
    let path = NodePath::root();
    walk.visit_document(&library.root(), &LintPlace { library, file: 0, at: NodePlace::Path(&path) });
    while let Some(PendingNode { node, path, role, direction }) = walk.pending.pop_front() {
        let place = LintPlace { library, file: node.file, at: NodePlace::Path(&path) };
        walk.visit_node(&node, role, direction, &place, MAX_DEPTH);
    }
}

impl LintWalk<'_> {
    fn visit_document(&mut self, root: &DocumentNode, place: &LintPlace<'_>) {
        let (response, request) = (Some(Direction::Response), Some(Direction::Request));
        self.visit_map(root, "paths", NodeRole::PathItem, request, place, MAX_DEPTH);
        self.visit_map(root, "webhooks", NodeRole::PathItem, None, place, MAX_DEPTH);
        if self.library.version() == SpecVersion::Swagger2 {
            self.visit_map(root, "parameters", NodeRole::Parameter, request, place, MAX_DEPTH);
            self.visit_map(root, "responses", NodeRole::Response, response, place, MAX_DEPTH);
            self.visit_map(root, "definitions", NodeRole::Schema, None, place, MAX_DEPTH);
        }
        let Some(components) = root.get("components") else { return };
        let place = place.key("components");
        for (key, role, direction) in [
            ("parameters", NodeRole::Parameter, request),
            ("requestBodies", NodeRole::RequestBody, request),
            ("responses", NodeRole::Response, response),
            ("headers", NodeRole::Header, response),
            ("callbacks", NodeRole::Callback, None),
            ("pathItems", NodeRole::PathItem, request),
            ("schemas", NodeRole::Schema, None),
        ] {
            self.visit_map(&components, key, role, direction, &place, MAX_DEPTH);
        }
    }

    /// Visits a node, unless it was visited; the target of a reference is visited later.
    fn visit_node(
        &mut self,
        node: &DocumentNode,
        role: NodeRole,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let (Value::Mapping(mapping), Some(depth)) = (&node.value, depth.checked_sub(1)) else { return };
        if !self.visited.insert(Arc::as_ptr(mapping).addr()) {
            return;
        }
        if mapping.get("$ref").is_some_and(|reference| reference.as_str().is_some()) {
            if let Ok((target, Some(reached))) = self.library.follow(node) {
                let path = self.library.path_of(&reached);
                self.pending.push_back(PendingNode { node: target, path, role, direction });
            }
            let allows_siblings = matches!(role, NodeRole::PathItem)
                || matches!(role, NodeRole::Schema) && self.library.version() == SpecVersion::OpenApi31;
            if !allows_siblings || mapping.len() == 1 {
                return;
            }
        }
        let (response, request) = match direction {
            None => (None, None),
            Some(_) => (Some(Direction::Response), Some(Direction::Request)),
        };
        match role {
            NodeRole::PathItem => {
                self.visit_list(node, "parameters", NodeRole::Parameter, request, place, depth);
                self.visit_map(node, "additionalOperations", NodeRole::Operation, direction, place, depth);
                let methods = node.entries().filter(|(key, _)| !key.starts_with("x-"));
                for (key, child) in methods.filter(|(key, _)| *key != "additionalOperations") {
                    self.visit_node(&child, NodeRole::Operation, direction, &place.key(key), depth);
                }
            }
            NodeRole::Operation => {
                self.visit_list(node, "parameters", NodeRole::Parameter, request, place, depth);
                self.visit_child(node, "requestBody", NodeRole::RequestBody, request, place, depth);
                self.visit_map(node, "responses", NodeRole::Response, response, place, depth);
                self.visit_map(node, "callbacks", NodeRole::Callback, None, place, depth);
            }
            NodeRole::Callback => {
                for (key, child) in node.entries().filter(|(key, _)| !key.starts_with("x-")) {
                    self.visit_node(&child, NodeRole::PathItem, None, &place.key(key), depth);
                }
            }
            NodeRole::RequestBody => self.visit_content(node, direction, place, depth),
            NodeRole::Parameter | NodeRole::Header => self.visit_parameter(node, direction, place, depth),
            NodeRole::Response => self.visit_response(node, direction, place, depth),
            NodeRole::MediaType { is_json } => self.visit_media_type(node, is_json, direction, place, depth),
            NodeRole::Schema => self.visit_schema(node, place, depth),
        }
    }

    fn visit_child(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        if let Some(child) = node.get(key) {
            self.visit_node(&child, role, direction, &place.key(key), depth);
        }
    }

    fn visit_map(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let Some(children) = node.get(key) else { return };
        let place = place.key(key);
        let has_extensions = !matches!(role, NodeRole::Schema | NodeRole::Header);
        for (key, child) in children.entries().filter(|(key, _)| !has_extensions || !key.starts_with("x-")) {
            self.visit_node(&child, role, direction, &place.key(key), depth);
        }
    }

    fn visit_list(
        &mut self,
        node: &DocumentNode,
        key: &str,
        role: NodeRole,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let Some(children) = node.get(key) else { return };
        let place = place.key(key);
        for (n, child) in children.items().enumerate() {
            self.visit_node(&child, role, direction, &place.index(n), depth);
        }
    }

    fn visit_content(
        &mut self,
        node: &DocumentNode,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        let Some(content) = node.get("content") else { return };
        let place = place.key("content");
        for (media_type, child) in content.entries() {
            let is_json = is_json_type(media_type);
            self.visit_node(
                &child,
                NodeRole::MediaType { is_json },
                direction,
                &place.key(media_type),
                depth,
            );
        }
    }

    fn visit_media_type(
        &mut self,
        node: &DocumentNode,
        is_json: bool,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        self.visit_child(node, "schema", NodeRole::Schema, direction, place, depth);
        let Some(schema) = node.get("schema") else { return };
        self.visit_body(&schema, direction, &place.key("schema"));
        self.visit_examples(node, &schema, is_json, direction, place);
    }

    fn visit_response(
        &mut self,
        node: &DocumentNode,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        self.visitor.visit_response(&node.value, place);
        self.visit_map(node, "headers", NodeRole::Header, direction, place, depth);
        if self.library.version() != SpecVersion::Swagger2 {
            self.visit_content(node, direction, place, depth);
            return;
        }
        self.visit_child(node, "schema", NodeRole::Schema, direction, place, depth);
        let (Some(schema), Some(examples)) = (node.get("schema"), node.get("examples")) else { return };
        self.visit_body(&schema, direction, &place.key("schema"));
        let place = place.key("examples");
        for (media_type, value) in examples.entries() {
            let is_json = is_json_type(media_type);
            self.visit_example(
                ExampleKind::Example,
                &value,
                &schema,
                is_json,
                direction,
                &place.key(media_type),
            );
        }
    }

    /// A parameter or a header.
    fn visit_parameter(
        &mut self,
        node: &DocumentNode,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
        depth: u32,
    ) {
        self.visit_child(node, "schema", NodeRole::Schema, direction, place, depth);
        let is_body = node.text("in") == Some("body");
        if self.library.version() == SpecVersion::Swagger2 && !is_body {
            let schema = schema_of_swagger2(node);
            for (key, kind) in [
                ("example", ExampleKind::Example),
                ("x-example", ExampleKind::Example),
                ("default", ExampleKind::Default),
            ] {
                if let Some(value) = node.get(key) {
                    self.visit_example(kind, &value, &schema, true, direction, &place.key(key));
                }
            }
            return;
        }
        self.visit_content(node, direction, place, depth);
        if let Some(schema) = node.get("schema").filter(|_| !is_body) {
            self.visit_examples(node, &schema, true, direction, place);
        }
    }

    /// Visits `example` and `examples` of an object with a schema.
    fn visit_examples(
        &mut self,
        node: &DocumentNode,
        schema: &DocumentNode,
        is_json: bool,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
    ) {
        if let Some(value) = node.get("example") {
            self.visit_example(
                ExampleKind::Example,
                &value,
                schema,
                is_json,
                direction,
                &place.key("example"),
            );
        }
        let Some(examples) = node.get("examples") else { return };
        let place = place.key("examples");
        for (key, example) in examples.entries() {
            let Ok((example, reached)) = self.library.follow(&example) else { continue };
            let path = reached.map(|target| self.library.path_of(&target));
            let here = place.key(key);
            let here = match &path {
                Some(path) => {
                    LintPlace { library: self.library, file: example.file, at: NodePlace::Path(path) }
                }
                None => here,
            };
            if let Some((key, value)) = example_value(&example) {
                self.visit_example(ExampleKind::Example, &value, schema, is_json, direction, &here.key(key));
            }
        }
    }

    fn visit_example(
        &mut self,
        kind: ExampleKind,
        value: &DocumentNode,
        schema: &DocumentNode,
        is_json: bool,
        direction: Option<Direction>,
        place: &LintPlace<'_>,
    ) {
        // For other media types than JSON, a string is a whole body, not a value of the schema.
        if !is_json && value.value.as_str().is_some() {
            return;
        }
        let literal = resolve_literal(self.library, value);
        self.visitor.visit_example(&ExampleClaim { kind, value: &literal.value, schema, direction, place });
    }

    fn visit_body(&mut self, schema: &DocumentNode, direction: Option<Direction>, place: &LintPlace<'_>) {
        let Ok(target) = self.library.resolve(schema) else { return };
        let Value::Mapping(mapping) = &target.value else { return };
        if self.visited_bodies.insert(Arc::as_ptr(mapping).addr()) {
            self.visitor.visit_body_schema(schema, direction, place);
        }
    }
}

/// Whether bodies of a media type are JSON; wildcards count as JSON.
fn is_json_type(media_type: &str) -> bool {
    matches!(media_type::format_name(&media_type::lowercase_essence(media_type)), "json" | "*")
}
