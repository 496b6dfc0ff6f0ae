//! Examples of bodies, parameters and headers.

use crate::{
    document::{SharedText, Value},
    openapi::{DocumentLibrary, DocumentNode, Example},
};

use super::{Lowering, LoweringPlace};

impl Lowering<'_> {
    /// The examples that `holder` has: `example`, then `examples` by name.
    pub(super) fn examples(&mut self, holder: &DocumentNode, here: &LoweringPlace<'_>) -> Vec<Example> {
        let mut found = Vec::new();
        if let Some(value) = holder.get("example") {
            found.push(Example { key: None, value: literal(self.library, &value), external: None });
        }
        let Some(examples) = holder.get("examples").filter(|node| !node.value.is_null()) else {
            return found;
        };
        let here = here.key("examples");
        if examples.value.as_mapping().is_none() {
            self.warn(
                &here,
                format!("`examples` must be a map of examples, this is a {}", examples.value.kind()),
            );
            return found;
        }
        for (key, node) in examples.entries() {
            if let Some(example) = self.example(key, &node, &here.key(key)) {
                found.push(example);
            }
        }
        found
    }

    fn example(&mut self, key: &str, node: &DocumentNode, here: &LoweringPlace<'_>) -> Option<Example> {
        let (node, place) = match self.follow(node) {
            Ok(followed) => followed,
            Err(reason) => {
                self.unresolved(here, reason);
                return None;
            }
        };
        let here = here.through(place.as_ref());
        let key = Some(SharedText::from(key));
        if let Some((_, value)) = value_of(&node) {
            return Some(Example { key, value: literal(self.library, &value), external: None });
        }
        if let Some(name) = node.text("externalValue") {
            // One that cannot be read was complained about by the library.
            let content = self.library.external(node.file, name).ok()?;
            let value = DocumentNode { value: Value::Null, file: node.file };
            return Some(Example { key, value, external: Some(content) });
        }
        let only_words = node
            .entries()
            .all(|(word, _)| matches!(word, "summary" | "description") || word.starts_with("x-"));
        if node.value.as_mapping().is_some() && only_words {
            self.warn(&here, "this example has no `value`");
            return None;
        }
        self.warn(&here, "an example must be a map with a `value`; this is taken for the value itself");
        Some(Example { key, value: node, external: None })
    }
}

/// The value of an example object, and the word under which it stands: OpenAPI 3.2 splits `value` in two.
pub(in crate::openapi) fn value_of(example: &DocumentNode) -> Option<(&'static str, DocumentNode)> {
    ["value", "dataValue", "serializedValue"].into_iter().find_map(|word| Some((word, example.get(word)?)))
}

/// A value as it stands; but one that is nothing but a reference to something means what it refers to.
pub(in crate::openapi) fn literal(library: &DocumentLibrary, value: &DocumentNode) -> DocumentNode {
    let reference =
        value.value.as_mapping().filter(|mapping| mapping.len() == 1).and_then(|mapping| mapping.get("$ref"));
    let Some(reference) = reference.and_then(Value::as_str) else { return value.clone() };
    let Ok(target) = library.resolve(value) else { return value.clone() };
    if reference.contains("#/components/examples/") {
        return target.get("value").unwrap_or(target);
    }
    target
}
