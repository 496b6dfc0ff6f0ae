//! Examples of bodies, parameters and headers.

use crate::{
    document::Text,
    openapi::{Example, Node},
};

use super::{Here, Lowering};

impl Lowering<'_> {
    /// The examples that `holder` has: `example`, then `examples` by name.
    pub(super) fn examples(&mut self, holder: &Node, here: &Here<'_>) -> Vec<Example> {
        let mut found = Vec::new();
        if let Some(value) = holder.get("example") {
            found.push(Example { key: None, value: self.literal(value), external: None });
        }
        let Some(examples) = holder.get("examples").filter(|it| !it.value.is_null()) else { return found };
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

    fn example(&mut self, key: &str, node: &Node, here: &Here<'_>) -> Option<Example> {
        let (node, place) = match self.follow(node) {
            Ok(followed) => followed,
            Err(reason) => {
                self.unresolved(here, reason);
                return None;
            }
        };
        let here = here.through(place.as_ref());
        let key = Some(Text::from(key));
        // OpenAPI 3.2 splits `value` in two.
        if let Some(value) = ["value", "dataValue", "serializedValue"].iter().find_map(|name| node.get(name))
        {
            return Some(Example { key, value: self.literal(value), external: None });
        }
        if let Some(name) = node.text("externalValue") {
            // One that cannot be read was complained about by the library.
            let content = self.library.external(node.file, name).ok()?;
            let value = Node { value: crate::document::Value::Null, file: node.file };
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

    /// A value as it stands; but one that is nothing but a reference to something means what it refers to.
    pub(super) fn literal(&self, value: Node) -> Node {
        let reference = value.value.as_mapping().filter(|it| it.len() == 1).and_then(|it| it.get("$ref"));
        let Some(reference) = reference.and_then(|it| it.as_str().map(str::to_owned)) else { return value };
        let Ok(target) = self.library.resolve(&value) else { return value };
        if reference.contains("#/components/examples/") {
            return target.get("value").unwrap_or(target);
        }
        target
    }
}
