//! References of schemas, where keywords next to a `$ref` apply in OpenAPI 3.1.

use std::sync::Arc;

use crate::{
    document::{Mapping, SharedText, Value},
    openapi::keywords::SchemaKeyword,
};

use super::{DocumentLibrary, DocumentNode, MAX_HOPS, ReferenceError};

impl DocumentLibrary {
    /// Follows `$ref` from a schema to the first schema without one.
    ///
    /// In OpenAPI 3.1, keywords next to a `$ref` apply together with those of its target: they override them, except
    /// that `properties` and similar maps are merged by key, and that `required` and `allOf` are concatenated.
    /// Earlier versions ignore them. A merged node belongs to the file of the target.
    ///
    /// # Errors
    /// As [`DocumentLibrary::resolve`].
    pub fn resolve_schema(&self, node: &DocumentNode) -> Result<DocumentNode, ReferenceError> {
        if !self.version.allows_ref_siblings() {
            return self.resolve(node);
        }
        let mut hops = MAX_HOPS;
        let mut here = node.clone();
        let mut siblings: Vec<Arc<Mapping>> = Vec::new();
        while let Some(reference) = self.reference(&here) {
            let reference = reference?.clone();
            if let Value::Mapping(mapping) = &here.value
                && mapping.len() > 1
            {
                siblings.push(mapping.clone());
            }
            here = self.target(&reference, here.file, &mut hops)?;
        }
        for mapping in siblings.iter().rev() {
            here.value = merge_siblings(&here.value, mapping);
        }
        Ok(here)
    }
}

/// The target of a reference, merged with the keywords next to the reference.
fn merge_siblings(target: &Value, siblings: &Mapping) -> Value {
    let mut merged = match target {
        Value::Mapping(target) => (**target).clone(),
        // The schema `true` allows every value, so only the siblings restrict it.
        Value::Bool(true) => Mapping::default(),
        // `false` allows no value, with any siblings. Every other value is not a schema.
        other => return other.clone(),
    };
    for (key, value) in siblings.iter().filter(|(key, _)| !matches!(*key, "$ref" | "$dynamicRef")) {
        let value = match merged.get(key) {
            Some(target) => merge_keyword(key, target, value),
            None => value.clone(),
        };
        merged.insert(key, value);
    }
    merged.into()
}

/// The value of a keyword that the target and its siblings both have.
fn merge_keyword(key: &str, target: &Value, sibling: &Value) -> Value {
    match (SchemaKeyword::named(key), target, sibling) {
        (
            Some(SchemaKeyword::Properties | SchemaKeyword::PatternProperties | SchemaKeyword::Defs),
            Value::Mapping(target),
            Value::Mapping(sibling),
        ) => {
            let mut both = (**target).clone();
            for (key, value) in sibling.iter() {
                both.insert(SharedText::from(key), value.clone());
            }
            both.into()
        }
        (
            Some(keyword @ (SchemaKeyword::Required | SchemaKeyword::AllOf)),
            Value::Sequence(target),
            Value::Sequence(sibling),
        ) => {
            let more =
                sibling.iter().filter(|item| keyword == SchemaKeyword::AllOf || !target.contains(item));
            target.iter().chain(more).cloned().collect::<Vec<_>>().into()
        }
        _ => sibling.clone(),
    }
}
