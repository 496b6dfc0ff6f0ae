//! TEXT: what a YAML or JSON text says, as an ordered tree, and where in the text each node stands.
//!
//! The gateway reads two kinds of documents: `kong.yaml` and OpenAPI documents. Both become a [`Value`] here and
//! are understood elsewhere. Values carry no places: whoever complains names the [`NodePath`] of a node, and
//! [`locate()`] walks the text a second time, only when something is wrong.

mod changed;
mod distinct;
pub mod edit;
mod expression;
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

pub use changed::{KnownText, read_changed};
pub use distinct::distinct;
pub use edit::TextLayout;
pub use expression::MaskedText;
pub use locate::{NodeSpan, locate, locate_all};
pub use mapping::Mapping;
pub use number::Number;
pub use path::{NodePath, NodePlace, PathStep};
pub use share::share;
pub use value::{SharedText, Value};

/// The rules by which plain YAML scalars get their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.1 as Kong's reader has it: `no` is false, `010` is 8, `12:30` is 750.
    Kong,
    /// The YAML 1.2 core schema, which OpenAPI asks for: `no` is a text.
    /// (OpenAPI 3.0.3, section "Format".)
    Specification,
}

/// A text that was read.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Keys that stand twice in one mapping; the last one was taken, as Kong does.
    pub duplicates: Vec<NodePath>,
    /// Where another document follows, in bytes; it is not read, as Kong does not.
    pub next: Option<usize>,
}

/// A text that is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where reading stopped, in bytes from the start of the text.
    pub byte: usize,
    /// What was found there.
    pub message: String,
}

/// Reads a text that is JSON or YAML.
///
/// A text that begins like JSON is read as JSON; if it is not quite JSON (a comment, a trailing comma) it gets
/// its second chance as YAML, as it does at Kong.
///
/// # Errors
/// The text is neither. The complaint is JSON's where the text ends like JSON, else YAML's.
pub fn read(text: &str, dialect: Dialect) -> Result<Document, SyntaxError> {
    read_as(text, dialect, None)
}

/// Has other texts for some of a document's scalars.
pub trait ScalarReplacer {
    /// What is to stand where a value stands, if anything else: text where it is in quotes, else what that text is.
    fn value(&mut self, text: &str, at: &NodePath) -> Option<String>;

    /// What is to stand where a key of the mapping at this path stands, if anything else.
    fn key(&mut self, text: &str, at: &NodePath) -> Option<String>;
}

/// The same for a text whose scalars may stand for something else: those that hold a `$` or a [`MaskedText`] expression.
///
/// # Errors
/// As [`read`]; the complaints show what is written.
pub fn read_replacing(
    text: &str,
    dialect: Dialect,
    replace: &mut dyn ScalarReplacer,
) -> Result<Document, SyntaxError> {
    read_as(text, dialect, Some(replace))
}

/// Reads a text after another one: what did not change is the node that it was `before`. With `layout` it is noted, in
/// the same reading, where its nodes stand; a text that is JSON would have to be read a second time for that.
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
    let mut document = read_noting(text, dialect, before, replace, &mut |event, span| {
        if let Some(draft) = &mut draft {
            draft.event(event, span);
        }
    })?;
    // Items may have moved within their list.
    document.value = share(&document.value, before);
    Ok((document, draft.and_then(edit::LayoutDraft::finish)))
}

fn read_as(
    text: &str,
    dialect: Dialect,
    replace: Option<&mut dyn ScalarReplacer>,
) -> Result<Document, SyntaxError> {
    read_noting(text, dialect, &Value::Null, replace, &mut |_, _| ())
}

/// The same; `note` is told of what is read as YAML.
fn read_noting(
    text: &str,
    dialect: Dialect,
    before: &Value,
    mut replace: Option<&mut dyn ScalarReplacer>,
    note: &mut dyn FnMut(&yaml::Event<'_>, &yaml::Span),
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
            // As YAML it has no fewer.
            Err(error) if error.message == dialect.too_many() => return Err(error),
            Err(error) => {
                return yaml::read_after(text, dialect, before, replace, note)
                    .map_err(|other| if body.trim_end().ends_with(['}', ']']) { error } else { other });
            }
        }
    }
    yaml::read_after(text, dialect, before, replace, note)
}

/// The text as YAML, whatever it begins with.
fn read_yaml(text: &str) -> Result<Document, SyntaxError> {
    yaml::read(text, Dialect::Specification, None)
}

/// Whether a scalar, or a text, may hold what is replaced.
fn may_be_replaced(text: &str) -> bool {
    text.contains('$') || expression::has_cover(text)
}

/// A document of JSON, whose texts are all in quotes, with the others in their place.
fn replaced(value: &Value, at: &NodePath, replace: &mut dyn ScalarReplacer) -> Value {
    match value {
        Value::String(text) if may_be_replaced(text) => {
            replace.value(text, at).map_or_else(|| value.clone(), Value::from)
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
    /// How many nodes a document may have: what is made of each takes time and memory.
    #[must_use]
    pub const fn most_nodes(self) -> u64 {
        match self {
            Self::Kong => 2_000_000,
            Self::Specification => 8_000_000,
        }
    }

    /// What is said of a document that has more.
    #[must_use]
    pub fn too_many(self) -> String {
        format!("this document has more than {} nodes, the most that are read", self.most_nodes())
    }
}

/// Nodes that a text may expand to when its aliases are followed, for a text of `bytes`.
///
/// An honest document has fewer nodes than bytes; a bomb has millions in a few hundred bytes.
const fn expansion_limit(bytes: usize) -> u64 {
    1_000_000 + 4 * bytes as u64
}
