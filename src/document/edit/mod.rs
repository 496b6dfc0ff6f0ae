//! One change of a YAML or JSON text, as its author would have made it: comments, order, quotes, anchors and blank
//! lines stay as they are, and only what has to change does.
//!
//! A second reading of the text tells where its nodes stand (`layout`); a change becomes a few replacements of
//! ranges (`place`, `removal`), the new parts in the style of their neighbours (`write`). Nodes that aliases repeat are
//! written out at the aliases before they change, so that a change is only made where it was asked for. Whoever
//! edits reads the result again: what it says decides, not what this meant.

mod again;
mod layout;
mod place;
mod removal;
#[cfg(test)]
mod tests;
mod write;

use std::{borrow::Cow, fmt, sync::Arc};

use super::{NodePath, PathStep, Value};
pub(super) use again::RereadItems;
pub(super) use layout::LayoutDraft;
pub use layout::TextLayout;
use place::TextEditor;

/// One change of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentChange {
    /// The node at this path says this; keys that lead there are made.
    Set(NodePath, Value),
    /// The list at this path, which is made if there is none, has one more item at its end.
    Push(NodePath, Value),
    /// The node at this path, and its key, are gone.
    Remove(NodePath),
}

/// A change that cannot be made in this text, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditError(pub &'static str);

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl DocumentChange {
    /// The node that changes.
    #[must_use]
    pub const fn path(&self) -> &NodePath {
        match self {
            Self::Set(path, _) | Self::Push(path, _) | Self::Remove(path) => path,
        }
    }
}

/// The text with the change made; `document` is what the text says, and `layout` where, if that is known.
///
/// # Errors
/// The text has no place for the change.
pub fn edit(
    text: &str,
    document: &Value,
    layout: Option<Arc<TextLayout>>,
    change: &DocumentChange,
) -> Result<String, EditError> {
    // Each round writes out one alias on the way; there are not more of them than steps.
    let (mut text, mut layout) = (Cow::Borrowed(text), layout);
    for _ in 0..=change.path().steps().len() {
        let layout = match layout.take() {
            Some(known) => known,
            None => Arc::new(layout::read(&text).ok_or(EditError("it cannot be read"))?),
        };
        let editor = TextEditor::new(&text, document, &layout);
        match editor.alias_on_the_way(change) {
            Some(alias) => text = Cow::Owned(editor.write_out(&alias)?),
            None => return editor.change(change),
        }
    }
    Err(EditError("it stands behind too many aliases"))
}

/// The node that steps lead to.
fn node<'a>(document: &'a Value, steps: &[PathStep]) -> Option<&'a Value> {
    steps.iter().try_fold(document, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(n) => value.items().get(*n),
        PathStep::Inside => None,
    })
}
