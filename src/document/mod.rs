//! YAML and JSON documents as an ordered tree of values, and the position of each node in the text.
//!
//! The gateway reads two kinds of documents: `kong.yaml` and OpenAPI documents. Both become a [`Value`] here and
//! are interpreted elsewhere. Values hold no positions: a diagnostic names the [`NodePath`] of a node, and [`locate()`]
//! parses the text a second time to find it, only if there is an error.

mod anchors;
mod distinct;
pub mod edit;
mod expression;
mod incremental;
mod json;
mod locate;
mod mapping;
mod number;
mod path;
mod scalar;
mod share;
mod value;
mod write;
mod yaml;

pub use anchors::keys_with_used_anchors;
pub use distinct::distinct;
pub use edit::TextLayout;
pub use expression::MaskedText;
pub use incremental::{KnownText, read_changed};
pub use locate::{NodeSpan, locate, locate_all};
pub use mapping::Mapping;
pub use number::Number;
pub use path::{NodePath, NodePlace, PathStep};
pub use share::share;
pub use value::{SharedText, Value};

/// The rules by which plain YAML scalars get their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.1 as Kong parses it: `no` is false, `010` is 8, `12:30` is 750.
    Kong,
    /// The YAML 1.2 core schema, which OpenAPI requires: `no` is a string.
    /// (OpenAPI 3.0.3, section "Format".)
    Specification,
}

/// A parsed text.
#[derive(Clone, Debug)]
pub struct Document {
    /// The root node.
    pub value: Value,
    /// Keys that occur twice in one mapping. The last occurrence counts, as in Kong.
    pub duplicates: Vec<NodePath>,
    /// Scalars with a tag that has no meaning, such as `!x y`, and the tags.
    pub tagged: Vec<(NodePath, String)>,
    /// Byte offset of the second document of the text, if there is one. It is not parsed, as in Kong.
    pub next: Option<usize>,
}

/// A text that is neither JSON nor YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte offset at which parsing stopped.
    pub byte: usize,
    /// The error of the parser.
    pub message: String,
}

/// Parses a text that is JSON or YAML.
///
/// A text that begins like JSON is parsed as JSON. If that fails (a comment, a trailing comma), it is parsed as YAML, as
/// Kong does.
///
/// # Errors
/// The text is neither. The error is that of the JSON parser if the text ends like JSON, else that of the YAML parser.
pub fn read(text: &str, dialect: Dialect) -> Result<Document, SyntaxError> {
    read_as(text, dialect, None)
}

/// Source of replacements for scalars of a document, such as the values of environment variables.
pub trait ScalarReplacer {
    /// The replacement of the value at a path, if there is one. The replacement of a plain scalar, one without quotes and tag, is
    /// typed like a plain scalar, that of another one is a string.
    fn value(&mut self, text: &str, at: &NodePath, is_plain: bool) -> Option<String>;

    /// The replacement of a key of the mapping at a path, if there is one.
    fn key(&mut self, text: &str, at: &NodePath) -> Option<String>;
}

/// Parses a text as [`read`] does and replaces scalars. Only those that hold a `$` or a [`MaskedText`] expression are
/// looked up.
///
/// # Errors
/// As [`read`]; messages show the text before the replacement.
pub fn read_replacing(
    text: &str,
    dialect: Dialect,
    replace: &mut dyn ScalarReplacer,
) -> Result<Document, SyntaxError> {
    read_as(text, dialect, Some(replace))
}

/// Parses the new version of a text; nodes that did not change are shared with the value `before`. With `layout` the
/// positions of nodes are recorded in the same pass. A text that is JSON has no layout: that would need a second pass.
///
/// # Errors
/// As [`read`].
pub fn read_after(
    text: &str,
    dialect: Dialect,
    before: &Value,
    layout: bool,
    replace: Option<&mut dyn ScalarReplacer>,
) -> Result<(Document, Option<TextLayout>), SyntaxError> {
    let mut draft = layout.then(|| edit::LayoutDraft::new(text));
    let mut document = read_with_events(text, dialect, before, replace, &mut |event, span| {
        if let Some(draft) = &mut draft {
            draft.event(event, span);
        }
    })?;
    // While parsing, items are compared by position only; this also finds those that moved within their list.
    document.value = share(&document.value, before);
    Ok((document, draft.and_then(edit::LayoutDraft::finish)))
}

fn read_as(
    text: &str,
    dialect: Dialect,
    replace: Option<&mut dyn ScalarReplacer>,
) -> Result<Document, SyntaxError> {
    read_with_events(text, dialect, &Value::Null, replace, &mut |_, _| ())
}

/// Parses a text; `on_event` is called with each event of the YAML parser.
fn read_with_events(
    text: &str,
    dialect: Dialect,
    before: &Value,
    mut replace: Option<&mut dyn ScalarReplacer>,
    on_event: &mut dyn FnMut(&yaml::Event<'_>, &yaml::Span),
) -> Result<Document, SyntaxError> {
    let body = text.trim_start_matches('\u{feff}').trim_start();
    if body.starts_with(['{', '[']) {
        match json::read(text, dialect) {
            Ok(mut document) => {
                if let Some(replace) = replace.as_deref_mut().filter(|_| may_be_replaced(text)) {
                    document.value = replaced(&document.value, &NodePath::root(), replace);
                }
                return Ok(document);
            }
            // The text as YAML has as many nodes.
            Err(error) if error.message == dialect.too_many_nodes() => return Err(error),
            Err(error) => {
                return yaml::read_after(text, dialect, before, replace, on_event)
                    .map_err(|other| if body.trim_end().ends_with(['}', ']']) { error } else { other });
            }
        }
    }
    yaml::read_after(text, dialect, before, replace, on_event)
}

/// Parses a text as YAML, even if it begins like JSON.
fn read_yaml(text: &str) -> Result<Document, SyntaxError> {
    yaml::read(text, Dialect::Specification, None)
}

/// The value of a plain scalar, as Kong's reader has it.
#[must_use]
pub fn plain_value(text: &str) -> Value {
    scalar::plain(text, Dialect::Kong)
}

/// Whether a text may hold a `$` or an expression, which a [`ScalarReplacer`] replaces.
fn may_be_replaced(text: &str) -> bool {
    text.contains('$') || expression::has_placeholder(text)
}

/// The value of a JSON document with scalars replaced. All strings of JSON are in quotes, so replacements are strings.
fn replaced(value: &Value, at: &NodePath, replace: &mut dyn ScalarReplacer) -> Value {
    match value {
        Value::String(text) if may_be_replaced(text) => {
            replace.value(text, at, false).map_or_else(|| value.clone(), Value::from)
        }
        Value::Sequence(items) => {
            let each = items.iter().enumerate();
            each.map(|(n, item)| replaced(item, &at.index(n), replace)).collect::<Vec<_>>().into()
        }
        Value::Mapping(mapping) => {
            let mut all = Mapping::default();
            for (key, value) in mapping.iter() {
                let other = if may_be_replaced(key) { replace.key(key, at) } else { None };
                all.insert(other.as_deref().unwrap_or(key), replaced(value, &at.key(key), replace));
            }
            all.into()
        }
        _ => value.clone(),
    }
}

impl Dialect {
    /// The number of nodes that a document may have, since each takes time and memory.
    #[must_use]
    pub const fn max_nodes(self) -> u64 {
        match self {
            Self::Kong => 2_000_000,
            Self::Specification => 8_000_000,
        }
    }

    /// The error for a document with more nodes.
    #[must_use]
    pub fn too_many_nodes(self) -> String {
        format!("this document has more than {} nodes, which is the limit", self.max_nodes())
    }
}

/// Limit of the nodes of a text of `bytes` bytes after the expansion of its aliases.
///
/// A document without repetition has fewer nodes than bytes. One that nests aliases to exhaust memory ("billion laughs")
/// has millions of nodes in a few hundred bytes.
const fn expansion_limit(bytes: usize) -> u64 {
    1_000_000 + 4 * bytes as u64
}
