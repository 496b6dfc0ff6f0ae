//! Errors in the format of Kong's Admin API: a tree that mirrors the document, and its dump in one line.
//! (Kong: Admin API, the `fields` and the `message` of an error.)

use std::{collections::BTreeMap, fmt::Write};

use super::{Diagnostic, DiagnosticReport, MarkedPart};
use crate::document::{Mapping, NodePath, PathStep, Value};

/// Path and message of a diagnostic in Kong's Admin API, where they differ from those that people see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KongMessage {
    /// The node at which Kong reports the error.
    pub path: NodePath,
    /// Kong's message.
    pub message: String,
    /// Whether the message is an item of a list at the path.
    pub is_list_item: bool,
    /// A second message, about a record as a whole: its path and the message.
    pub record_message: Option<(NodePath, String)>,
    /// The first of two nodes that hold the same, where the diagnostic is about a repetition.
    pub first: Option<NodePath>,
}

impl Diagnostic {
    /// Sets the path and the message for Kong's Admin API.
    #[must_use]
    pub fn with_kong_message(mut self, path: NodePath, message: impl Into<String>) -> Self {
        let message = message.into();
        let record_message = self.kong_message.take().and_then(|kong| kong.record_message);
        self.kong_message =
            Some(Box::new(KongMessage { path, message, is_list_item: false, record_message, first: None }));
        self
    }

    /// Makes the message an item of the list at this path in Kong's Admin API.
    #[must_use]
    pub fn in_list_at(mut self, path: NodePath) -> Self {
        let message = self.message.clone();
        self.kong_message = Some(Box::new(KongMessage {
            path,
            message,
            is_list_item: true,
            record_message: None,
            first: None,
        }));
        self
    }

    /// Adds the message that Kong's Admin API has for the record at `path` as a whole.
    #[must_use]
    pub fn with_record_message(self, path: NodePath, message: impl Into<String>) -> Self {
        let (own_path, own_message) = (self.path.clone(), self.message.clone());
        let mut diagnostic = self.with_kong_message(own_path, own_message);
        if let Some(kong_message) = &mut diagnostic.kong_message {
            kong_message.record_message = Some((path, message.into()));
        }
        diagnostic
    }
}

impl DiagnosticReport {
    /// The errors as Kong's `fields`: messages at the positions of the invalid fields in the document, `null` for the
    /// valid items of a list before an invalid one, and rules across fields as a list at `@entity`.
    #[must_use]
    pub fn fields(&self) -> Value {
        fields(self.diagnostics())
    }
}

/// The errors among the diagnostics of one document as Kong's `fields`.
#[must_use]
pub fn fields(diagnostics: &[Diagnostic]) -> Value {
    let mut tree = FieldNode::Map(BTreeMap::new());
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        let (path, message) = match &diagnostic.kong_message {
            Some(kong_message) => (&kong_message.path, &kong_message.message),
            None => (&diagnostic.path, &diagnostic.message),
        };
        let is_list_item = diagnostic.kong_message.as_ref().is_some_and(|kong| kong.is_list_item);
        if diagnostic.mark == MarkedPart::Record && !is_list_item {
            tree.list(&path.key(ENTITY), message);
        } else if is_list_item {
            tree.list(path, message);
        } else {
            tree.put(path.steps(), message);
        }
        if let Some((record, record_message)) =
            diagnostic.kong_message.as_ref().and_then(|kong| kong.record_message.as_ref())
        {
            tree.list(&record.key(ENTITY), record_message);
        }
    }
    tree.into_value()
}

/// Key of the messages of rules across fields, inside the record.
pub const ENTITY: &str = "@entity";

/// A value as Kong prints it in the `message` of an error: a Lua table without blanks, keys sorted.
#[must_use]
pub fn lua(value: &Value) -> String {
    let mut out = String::new();
    write_lua(value, &mut out);
    out
}

fn write_lua(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quote(text, out),
        Value::Sequence(items) => {
            out.push('{');
            let mut before = 0;
            let mut comma = "";
            for (n, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
                out.push_str(comma);
                if n > before {
                    let _ = write!(out, "[{}]=", n + 1);
                } else {
                    before = n + 1;
                }
                write_lua(item, out);
                comma = ",";
            }
            out.push('}');
        }
        Value::Mapping(members) => {
            let mut members: Vec<(&str, &Value)> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, item)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if plain && !key.starts_with(|c: char| c.is_ascii_digit()) {
                    out.push_str(key);
                } else {
                    out.push('[');
                    quote(key, out);
                    out.push(']');
                }
                out.push('=');
                write_lua(item, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_json()),
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A node of the tree that mirrors the document.
enum FieldNode {
    Text(String),
    Map(BTreeMap<String, FieldNode>),
    List(BTreeMap<usize, FieldNode>),
}

impl FieldNode {
    /// Sets the message at a path, unless that node or one above it has a message.
    fn put(&mut self, steps: &[PathStep], message: &str) {
        let Some((step, rest)) = steps.split_first() else { return };
        if let Some(child) = self.child(step) {
            if rest.is_empty() || matches!(rest[0], PathStep::Inside) {
                if child.is_empty() {
                    *child = Self::Text(message.to_owned());
                }
            } else {
                child.put(rest, message);
            }
        }
    }

    /// Appends a message to the list at a path.
    fn list(&mut self, path: &NodePath, message: &str) {
        let mut here = self;
        for step in path.steps() {
            let Some(child) = here.child(step) else { return };
            here = child;
        }
        if let Self::Map(members) = here
            && members.is_empty()
        {
            *here = Self::List(BTreeMap::new());
        }
        if let Self::List(items) = here {
            let next = items.keys().next_back().map_or(0, |last| last + 1);
            items.insert(next, Self::Text(message.to_owned()));
        }
    }

    /// The child node of a step, created if missing; `None` below a message.
    fn child(&mut self, step: &PathStep) -> Option<&mut Self> {
        match step {
            PathStep::Index(index) => {
                if self.is_empty() {
                    *self = Self::List(BTreeMap::new());
                }
                match self {
                    Self::List(items) => Some(items.entry(*index).or_insert_with(Self::empty)),
                    Self::Map(members) => {
                        Some(members.entry((index + 1).to_string()).or_insert_with(Self::empty))
                    }
                    Self::Text(_) => None,
                }
            }
            PathStep::Key(key) => {
                if let Self::List(items) = self {
                    let numbered = std::mem::take(items).into_iter();
                    *self = Self::Map(numbered.map(|(n, item)| ((n + 1).to_string(), item)).collect());
                }
                match self {
                    Self::Map(members) => Some(members.entry(key.to_string()).or_insert_with(Self::empty)),
                    _ => None,
                }
            }
            PathStep::Inside => None,
        }
    }

    const fn empty() -> Self {
        Self::Map(BTreeMap::new())
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Map(members) if members.is_empty())
    }

    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::from(text),
            Self::Map(members) => {
                members.into_iter().map(|(key, node)| (key, node.into_value())).collect::<Mapping>().into()
            }
            Self::List(items) => {
                let mut all = Vec::new();
                for (n, node) in items {
                    all.resize(n, Value::Null);
                    all.push(node.into_value());
                }
                all.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(path: &NodePath, message: &str) -> Diagnostic {
        Diagnostic::error(path.clone(), message)
    }

    #[test]
    fn fields_mirror_the_document() {
        let services = NodePath::root().key("services");
        let (first, second) = (services.index(0), services.index(1));
        let path = error(&second.key("path"), "value must be null").with_record_message(
            second.clone(),
            "failed conditional validation given value of field 'protocol'",
        );
        let diagnostics = [
            error(&second.key("tags").index(1), "no tag"),
            path,
            error(&first.key("routes").index(0), "must set one").record(),
            error(&NodePath::root().key("routes").index(3), "no such")
                .in_list_at(NodePath::root().key("routes").key("r")),
            Diagnostic::warning(first.key("host"), "unusual"),
        ];
        let fields = fields(&diagnostics);
        assert_eq!(
            fields.to_json(),
            concat!(
                r#"{"routes":{"r":["no such"]},"services":[{"routes":[{"@entity":["must set one"]}]},"#,
                r#"{"@entity":["failed conditional validation given value of field 'protocol'"],"#,
                r#""path":"value must be null","tags":[null,"no tag"]}]}"#
            )
        );
        assert_eq!(
            lua(&fields),
            concat!(
                r#"{routes={r={"no such"}},services={{routes={{["@entity"]={"must set one"}}}},"#,
                r#"{["@entity"]={"failed conditional validation given value of field 'protocol'"},"#,
                r#"path="value must be null",tags={[2]="no tag"}}}}"#
            )
        );
    }
}
