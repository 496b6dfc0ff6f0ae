//! Paths, path items and operations, which are the same in all versions.

use std::sync::Arc;

use http::Method;

use crate::{
    document::{NodePath, SharedText},
    openapi::{
        DocumentNode, Operation, SpecVersion,
        api::{Parameter, RequestBody, SecurityRequirement},
        messages::wrong_type,
    },
};

use super::{Lowering, LoweringPlace, security};

/// What an operation inherits from its path item and its document.
struct InheritedParts {
    template: String,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    security: Arc<[SecurityRequirement]>,
}

impl Lowering<'_> {
    pub(super) fn read_operations(
        &mut self,
        root: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<Operation> {
        let mut operations = Vec::new();
        let Some(paths) = root.get("paths") else {
            self.warn(here, "the document has no `paths`, so it has no operations");
            return operations;
        };
        let here = here.key("paths");
        if paths.value.as_mapping().is_none() {
            self.warn(&here, wrong_type("`paths`", "a map", &paths.value));
            return operations;
        }
        let security = security::read_requirements(root).unwrap_or_default();
        for (key, item) in paths.entries() {
            let here = here.key(key);
            if key.starts_with("x-") {
                continue;
            }
            let template = if key.starts_with('/') {
                key.to_owned()
            } else {
                self.warn_key(&here, format!("a path must begin with a slash; this is read as `/{key}`"));
                format!("/{key}")
            };
            self.read_path_item(&template, &item, &security, &here, &mut operations);
        }
        operations
    }

    fn read_path_item(
        &mut self,
        template: &str,
        item: &DocumentNode,
        security: &Arc<[SecurityRequirement]>,
        here: &LoweringPlace<'_>,
        operations: &mut Vec<Operation>,
    ) {
        let place = here.local_path();
        let Some(mapping) = item.value.as_mapping() else {
            self.warn(here, wrong_type("a path item", "a map", &item.value));
            return;
        };
        if !mapping.contains_key("$ref") {
            self.read_methods(template, item, security, (here, &place), operations);
            return;
        }
        // The operations next to the reference come first, so they win over those of its target.
        if mapping.len() > 1 {
            self.read_methods(template, item, security, (here, &place), operations);
        }
        match self.follow(item) {
            Ok((target, reached)) => {
                let target_place = here.through(reached.as_ref());
                self.read_methods(template, &target, security, (&target_place, &place), operations);
            }
            Err(reason) => self.warn_unresolved(here, reason),
        }
    }

    fn read_methods(
        &mut self,
        template: &str,
        item: &DocumentNode,
        security: &Arc<[SecurityRequirement]>,
        (here, place): (&LoweringPlace<'_>, &NodePath),
        operations: &mut Vec<Operation>,
    ) {
        let (parameters, body) = self.read_parameters(item, here);
        let security = security.clone();
        let common = InheritedParts { template: template.to_owned(), parameters, body, security };
        for (key, node) in item.entries() {
            let here = here.key(key);
            if let Some(method) = self.parse_method(key) {
                let place = place.key(key);
                operations.push(self.read_operation(method, &node, &common, &here, place));
            } else if key == "additionalOperations" && self.version == SpecVersion::OpenApi31 {
                for (key, node) in node.entries() {
                    let Ok(method) = Method::from_bytes(key.as_bytes()) else {
                        self.warn_key(&here.key(key), "this is not a valid method name");
                        continue;
                    };
                    let place = place.key("additionalOperations").key(key);
                    operations.push(self.read_operation(method, &node, &common, &here.key(key), place));
                }
            }
        }
    }

    /// The method that a key of a path item names.
    fn parse_method(&self, key: &str) -> Option<Method> {
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
        let query_method = || (self.version == SpecVersion::OpenApi31 && key == "query").then_some("QUERY");
        known.or_else(|| Method::from_bytes(query_method()?.as_bytes()).ok())
    }

    fn read_operation(
        &mut self,
        method: Method,
        node: &DocumentNode,
        common: &InheritedParts,
        here: &LoweringPlace<'_>,
        path: NodePath,
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
        let result = if node.value.as_mapping().is_some() {
            self.read_members(&mut operation, node, common, here)
        } else {
            Err(wrong_type("an operation", "a map", &node.value))
        };
        if let Err(reason) = result {
            self.warn(here, format!("this operation cannot be answered: {reason}"));
            operation.defect = Some(reason);
        }
        operation
    }

    fn read_members(
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
        if let Some(security) = security::read_requirements(node) {
            operation.security = security;
        }
        let (parameters, body) = self.read_parameters(node, here);
        operation.parameters = merge_parameters(parameters, &common.parameters);
        operation.request_body = match self.version {
            SpecVersion::Swagger2 => body.or_else(|| common.body.clone()),
            _ => node
                .get("requestBody")
                .and_then(|body| self.read_request_body(&body, &here.key("requestBody"))),
        };
        operation.responses = self.read_responses(node, here)?;
        Ok(())
    }
}

/// The operation's own parameters, then those of its path item that it does not override.
fn merge_parameters(mut own: Vec<Parameter>, common: &[Parameter]) -> Vec<Parameter> {
    let is_same = |a: &Parameter, b: &Parameter| a.location == b.location && a.name == b.name;
    let inherited: Vec<_> = common
        .iter()
        .filter(|shared| !own.iter().any(|parameter| is_same(parameter, shared)))
        .cloned()
        .collect();
    own.extend(inherited);
    own
}
