//! Examples of bodies, parameters and headers.

use crate::{
    document::{SharedText, Value},
    openapi::{DocumentLibrary, DocumentNode, Example, messages::wrong_type},
};

use super::{Lowering, LoweringPlace};

impl Lowering<'_> {
    /// The examples of `holder`: `example`, then those of `examples` with their names.
    pub(super) fn read_examples(&mut self, holder: &DocumentNode, here: &LoweringPlace<'_>) -> Vec<Example> {
        let mut found = Vec::new();
        if let Some(value) = holder.get("example") {
            found.push(Example { key: None, value: resolve_literal(self.library, &value), external: None });
        }
        let Some(examples) = holder.get("examples").filter(|node| !node.value.is_null()) else {
            return found;
        };
        let here = here.key("examples");
        if examples.value.as_mapping().is_none() {
            self.warn(&here, wrong_type("`examples`", "a map of examples", &examples.value));
            return found;
        }
        for (key, node) in examples.entries() {
            if let Some(example) = self.read_example(key, &node, &here.key(key)) {
                found.push(example);
            }
        }
        found
    }

    fn read_example(&mut self, key: &str, node: &DocumentNode, here: &LoweringPlace<'_>) -> Option<Example> {
        let (node, place) = match self.follow(node) {
            Ok(followed) => followed,
            Err(reason) => {
                self.warn_unresolved(here, reason);
                return None;
            }
        };
        let here = here.through(place.as_ref());
        let key = Some(SharedText::from(key));
        if let Some((_, value)) = example_value(&node) {
            return Some(Example { key, value: resolve_literal(self.library, &value), external: None });
        }
        if let Some(name) = node.text("externalValue") {
            // The library has reported a file that cannot be read.
            let content = self.library.external(node.file, name).ok()?;
            let value = DocumentNode { value: Value::Null, file: node.file };
            return Some(Example { key, value, external: Some(content) });
        }
        let has_annotations_only =
            node.entries().all(|(key, _)| matches!(key, "summary" | "description") || key.starts_with("x-"));
        if node.value.as_mapping().is_some() && has_annotations_only {
            self.warn(&here, "this example has no `value`");
            return None;
        }
        self.warn(&here, "an example must be a map with a `value`; this is used as the value itself");
        Some(Example { key, value: node, external: None })
    }
}

/// The value of an example object, and the key that holds it. OpenAPI 3.2 adds `dataValue` and `serializedValue`.
pub(in crate::openapi) fn example_value(example: &DocumentNode) -> Option<(&'static str, DocumentNode)> {
    ["value", "dataValue", "serializedValue"].into_iter().find_map(|key| Some((key, example.get(key)?)))
}

/// The value itself, or the target if the value consists of a `$ref` alone. The specification does not allow
/// references in values, but documents contain them.
pub(in crate::openapi) fn resolve_literal(library: &DocumentLibrary, value: &DocumentNode) -> DocumentNode {
    let reference =
        value.value.as_mapping().filter(|mapping| mapping.len() == 1).and_then(|mapping| mapping.get("$ref"));
    let Some(reference) = reference.and_then(Value::as_str) else { return value.clone() };
    let Ok(target) = library.resolve(value) else { return value.clone() };
    if reference.contains("#/components/examples/") {
        return target.get("value").unwrap_or(target);
    }
    target
}
