//! Paths, path items and operations, which all dialects write alike.

use std::sync::Arc;

use http::Method;

use crate::{
    document::SharedText,
    openapi::{
        DocumentNode, Operation, SpecVersion,
        api::{Parameter, RequestBody, SecurityRequirement},
    },
};

use super::{Lowering, LoweringPlace, security};

/// What an operation has from its path and its document.
struct InheritedParts {
    template: String,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    security: Arc<[SecurityRequirement]>,
}

impl Lowering<'_> {
    pub(super) fn operations(&mut self, root: &DocumentNode, here: &LoweringPlace<'_>) -> Vec<Operation> {
        let mut operations = Vec::new();
        let Some(paths) = root.get("paths") else {
            self.warn(here, "the document has no `paths`, so there is nothing to answer");
            return operations;
        };
        let here = here.key("paths");
        if paths.value.as_mapping().is_none() {
            self.warn(&here, format!("`paths` must be a map, this is a {}", paths.value.kind()));
            return operations;
        }
        let security = security::requirements(root).unwrap_or_default();
        for (key, item) in paths.entries() {
            let here = here.key(key);
            if key.starts_with("x-") {
                continue;
            }
            let template = if key.starts_with('/') {
                key.to_owned()
            } else {
                self.warn_key(&here, format!("a path must begin with a slash; this is taken as `/{key}`"));
                format!("/{key}")
            };
            self.path_item(&template, &item, &security, &here, &mut operations);
        }
        operations
    }

    fn path_item(
        &mut self,
        template: &str,
        item: &DocumentNode,
        security: &Arc<[SecurityRequirement]>,
        here: &LoweringPlace<'_>,
        operations: &mut Vec<Operation>,
    ) {
        let place = here.at_path();
        let Some(mapping) = item.value.as_mapping() else {
            self.warn(here, format!("a path item must be a map, this is a {}", item.value.kind()));
            return;
        };
        if !mapping.contains_key("$ref") {
            self.methods(template, item, security, (here, &place), operations);
            return;
        }
        // What stands beside the reference comes first, so it wins where both say something.
        if mapping.len() > 1 {
            self.methods(template, item, security, (here, &place), operations);
        }
        match self.follow(item) {
            Ok((target, reached)) => {
                let there = here.through(reached.as_ref());
                self.methods(template, &target, security, (&there, &place), operations);
            }
            Err(reason) => self.unresolved(here, reason),
        }
    }

    fn methods(
        &mut self,
        template: &str,
        item: &DocumentNode,
        security: &Arc<[SecurityRequirement]>,
        (here, place): (&LoweringPlace<'_>, &crate::document::NodePath),
        operations: &mut Vec<Operation>,
    ) {
        let (parameters, body) = self.parameters(item, here);
        let security = security.clone();
        let common = InheritedParts { template: template.to_owned(), parameters, body, security };
        for (key, node) in item.entries() {
            let here = here.key(key);
            if let Some(method) = self.method(key) {
                let place = place.key(key);
                operations.push(self.operation(method, &node, &common, &here, place));
            } else if key == "additionalOperations" && self.version == SpecVersion::OpenApi31 {
                for (key, node) in node.entries() {
                    let Ok(method) = Method::from_bytes(key.as_bytes()) else {
                        self.warn_key(&here.key(key), "this is no name of a method");
                        continue;
                    };
                    let place = place.key("additionalOperations").key(key);
                    operations.push(self.operation(method, &node, &common, &here.key(key), place));
                }
            }
        }
    }

    /// The method that a member of a path item is for.
    fn method(&self, key: &str) -> Option<Method> {
        const METHODS: [Method; 8] = [
            Method::GET,
            Method::PUT,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
            Method::HEAD,
            Method::PATCH,
            Method::TRACE,
        ];
        let known = METHODS.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(key));
        // OpenAPI 3.2 adds QUERY.
        let query = || (self.version == SpecVersion::OpenApi31 && key == "query").then_some("QUERY");
        known.or_else(|| Method::from_bytes(query()?.as_bytes()).ok())
    }

    fn operation(
        &mut self,
        method: Method,
        node: &DocumentNode,
        common: &InheritedParts,
        here: &LoweringPlace<'_>,
        path: crate::document::NodePath,
    ) -> Operation {
        let mut operation = Operation {
            method,
            template: common.template.clone(),
            operation_id: None,
            path,
            responses: Vec::new(),
            parameters: Vec::new(),
            request_body: None,
            security: common.security.clone(),
            deprecated: false,
            extensions: Vec::new(),
            defect: None,
        };
        let broken = if node.value.as_mapping().is_some() {
            self.fill(&mut operation, node, common, here)
        } else {
            Err(format!("an operation must be a map, this is a {}", node.value.kind()))
        };
        if let Err(reason) = broken {
            self.warn(here, format!("this operation cannot be answered: {reason}"));
            operation.defect = Some(reason);
        }
        operation
    }

    fn fill(
        &mut self,
        operation: &mut Operation,
        node: &DocumentNode,
        common: &InheritedParts,
        here: &LoweringPlace<'_>,
    ) -> Result<(), String> {
        operation.operation_id = node.text("operationId").map(str::to_owned);
        operation.deprecated = node.flag("deprecated").unwrap_or(false);
        operation.extensions = node
            .entries()
            .filter(|(key, _)| key.starts_with("x-mynah-"))
            .map(|(key, value)| (SharedText::from(key), value))
            .collect();
        if let Some(security) = security::requirements(node) {
            operation.security = security;
        }
        let (parameters, body) = self.parameters(node, here);
        operation.parameters = with_common(parameters, &common.parameters);
        operation.request_body = match self.version {
            SpecVersion::Swagger2 => body.or_else(|| common.body.clone()),
            _ => {
                node.get("requestBody").and_then(|body| self.request_body_v3(&body, &here.key("requestBody")))
            }
        };
        operation.responses = self.responses(node, here)?;
        Ok(())
    }
}

/// An operation's own parameters, then those of its path that it does not replace.
fn with_common(mut own: Vec<Parameter>, common: &[Parameter]) -> Vec<Parameter> {
    let same = |a: &Parameter, b: &Parameter| a.location == b.location && a.name == b.name;
    let more: Vec<_> =
        common.iter().filter(|shared| !own.iter().any(|mine| same(mine, shared))).cloned().collect();
    own.extend(more);
    own
}
