//! References of schemas, where OpenAPI 3.1 lets the words beside a `$ref` count.

use std::sync::Arc;

use crate::document::{Mapping, SharedText, Value};

use super::{DocumentLibrary, DocumentNode, HOPS, ReferenceError};

impl DocumentLibrary {
    /// Follows `$ref` from a schema to one that has none.
    ///
    /// In OpenAPI 3.1 the words beside a `$ref` hold together with its target's: they are laid over them, with
    /// `properties` and the like united by key, and `required` and `allOf` joined. Before 3.1 they are ignored.
    /// A merged node stands in the target's file.
    ///
    /// # Errors
    /// As [`DocumentLibrary::resolve`].
    pub fn resolve_schema(&self, node: &DocumentNode) -> Result<DocumentNode, ReferenceError> {
        if !self.version.allows_ref_siblings() {
            return self.resolve(node);
        }
        let mut hops = HOPS;
        let mut here = node.clone();
        let mut over: Vec<Arc<Mapping>> = Vec::new();
        while let Some(reference) = self.reference(&here) {
            let reference = reference?.clone();
            if let Value::Mapping(mapping) = &here.value
                && mapping.len() > 1
            {
                over.push(mapping.clone());
            }
            here = self.target(&reference, here.file, &mut hops)?;
        }
        for siblings in over.iter().rev() {
            here.value = lay_over(&here.value, siblings);
        }
        Ok(here)
    }
}

/// A schema with the words of another one laid over it.
fn lay_over(target: &Value, siblings: &Mapping) -> Value {
    let mut merged = match target {
        Value::Mapping(target) => (**target).clone(),
        // The schema `true` allows everything, so only the siblings say something.
        Value::Bool(true) => Mapping::default(),
        // `false` allows nothing, whatever stands beside it; anything else is no schema.
        other => return other.clone(),
    };
    for (key, value) in siblings.iter().filter(|(key, _)| !matches!(*key, "$ref" | "$dynamicRef")) {
        let united = match merged.get(key) {
            Some(below) => unite(key, below, value),
            None => value.clone(),
        };
        merged.insert(key, united);
    }
    merged.into()
}

/// What two schemas together say under one key.
fn unite(key: &str, below: &Value, above: &Value) -> Value {
    match (key, below, above) {
        ("properties" | "patternProperties" | "$defs", Value::Mapping(below), Value::Mapping(above)) => {
            let mut both = (**below).clone();
            for (key, value) in above.iter() {
                both.insert(SharedText::from(key), value.clone());
            }
            both.into()
        }
        ("required" | "allOf", Value::Sequence(below), Value::Sequence(above)) => {
            let more = above.iter().filter(|item| key == "allOf" || !below.contains(item));
            below.iter().chain(more).cloned().collect::<Vec<_>>().into()
        }
        _ => above.clone(),
    }
}
