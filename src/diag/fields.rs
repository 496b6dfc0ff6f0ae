//! Complaints as Kong tells them to machines: a tree that mirrors the document, and its dump in one line.
//! (Kong: Admin API, the `fields` and the `message` of an error.)

use std::{collections::BTreeMap, fmt::Write};

use super::{Diagnostic, DiagnosticReport, MarkedPart};
use crate::document::{Mapping, NodePath, PathStep, Value};

/// How Kong tells machines of a complaint, where it tells it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KongMessage {
    /// Where it tells it.
    pub path: NodePath,
    /// What it tells.
    pub message: String,
    /// Whether several such complaints are a list there.
    pub listed: bool,
    /// What it tells of a record as a whole besides: where that is, and what it is.
    pub besides: Option<(NodePath, String)>,
    /// The node that says the same already, where something stands twice.
    pub first: Option<NodePath>,
}

impl Diagnostic {
    /// The same complaint, told otherwise to machines: at this path, with this message.
    #[must_use]
    pub fn told(mut self, path: NodePath, message: impl Into<String>) -> Self {
        let message = message.into();
        let besides = self.telling.take().and_then(|it| it.besides);
        self.telling = Some(Box::new(KongMessage { path, message, listed: false, besides, first: None }));
        self
    }

    /// The same complaint, told to machines as one of a list at this path.
    #[must_use]
    pub fn listed(mut self, path: NodePath) -> Self {
        let message = self.message.clone();
        self.telling =
            Some(Box::new(KongMessage { path, message, listed: true, besides: None, first: None }));
        self
    }

    /// The same complaint, with what Kong tells machines of the record at `path` as a whole besides.
    #[must_use]
    pub fn besides(self, path: NodePath, message: impl Into<String>) -> Self {
        let (at, said) = (self.path.clone(), self.message.clone());
        let mut told = self.told(at, said);
        if let Some(telling) = &mut told.telling {
            telling.besides = Some((path, message.into()));
        }
        told
    }
}

impl DiagnosticReport {
    /// The errors as Kong's `fields`: messages where the faulty fields stand in the document, `null` for the good
    /// ones of a list before a bad one, and rules across fields as a list at `@entity`.
    #[must_use]
    pub fn fields(&self) -> Value {
        fields(self.diagnostics())
    }
}

/// The errors among complaints about one document as Kong's `fields`.
#[must_use]
pub fn fields(diagnostics: &[Diagnostic]) -> Value {
    let mut tree = FieldNode::Map(BTreeMap::new());
    for diagnostic in diagnostics.iter().filter(|it| it.is_error()) {
        let (path, message) = match &diagnostic.telling {
            Some(telling) => (&telling.path, &telling.message),
            None => (&diagnostic.path, &diagnostic.message),
        };
        let listed = diagnostic.telling.as_ref().is_some_and(|it| it.listed);
        if diagnostic.mark == MarkedPart::Record && !listed {
            tree.list(&path.key(ENTITY), message);
        } else if listed {
            tree.list(path, message);
        } else {
            tree.put(path.steps(), message);
        }
        if let Some((record, besides)) = diagnostic.telling.as_ref().and_then(|it| it.besides.as_ref()) {
            tree.list(&record.key(ENTITY), besides);
        }
    }
    tree.into_value()
}

/// The field of a record at which rules across fields complain.
pub const ENTITY: &str = "@entity";

/// A value as Kong prints it in the text of an error: a Lua table, without blanks, keys sorted.
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
                let plain = key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
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

/// A place in the tree that mirrors the document.
enum FieldNode {
    Text(String),
    Map(BTreeMap<String, FieldNode>),
    List(BTreeMap<usize, FieldNode>),
}

impl FieldNode {
    /// Says something at a place, unless something is said there or above already.
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

    /// Says something as one more item of the list at a place.
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

    /// The place one step further; none below a message.
    fn child(&mut self, step: &PathStep) -> Option<&mut Self> {
        match step {
            PathStep::Index(index) => {
                if self.is_empty() {
                    *self = Self::List(BTreeMap::new());
                }
                match self {
                    Self::List(items) => Some(items.entry(*index).or_insert_with(Self::nothing)),
                    Self::Map(members) => {
                        Some(members.entry((index + 1).to_string()).or_insert_with(Self::nothing))
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
                    Self::Map(members) => Some(members.entry(key.to_string()).or_insert_with(Self::nothing)),
                    _ => None,
                }
            }
            PathStep::Inside => None,
        }
    }

    const fn nothing() -> Self {
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
    fn complaints_mirror_the_document() {
        let services = NodePath::root().key("services");
        let (first, second) = (services.index(0), services.index(1));
        let path = error(&second.key("path"), "value must be null")
            .besides(second.clone(), "failed conditional validation given value of field 'protocol'");
        let all = [
            error(&second.key("tags").index(1), "no tag"),
            path,
            error(&first.key("routes").index(0), "must set one").record(),
            error(&NodePath::root().key("routes").index(3), "no such")
                .listed(NodePath::root().key("routes").key("r")),
            Diagnostic::warning(first.key("host"), "odd"),
        ];
        let fields = fields(&all);
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
