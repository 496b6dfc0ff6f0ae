//! Edits of YAML and JSON texts that preserve comments, order, quotes, anchors and blank lines.
//!
//! The `layout` holds the positions of all nodes. A change becomes a few replacements of ranges (`editor`, `removal`); new
//! parts have the style of their neighbours (`write`). Aliases of a node that changes are first replaced by its content,
//! so that the change affects only the requested path. The caller parses the result and compares it with the expected
//! value; the edit itself is not trusted.

mod editor;
mod layout;
mod layout_update;
mod removal;
#[cfg(test)]
mod tests;
mod write;

use std::{borrow::Cow, fmt, sync::Arc};

use super::{NodePath, Value, path::find_node as node};
use editor::TextEditor;
pub(super) use layout::LayoutDraft;
pub use layout::TextLayout;
pub(super) use layout_update::RereadItems;

/// A change of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentChange {
    /// Sets the node at a path; missing keys on the path are created.
    Set(NodePath, Value),
    /// Appends an item to the list at a path, which is created if missing.
    Push(NodePath, Value),
    /// Removes the node at a path, and its key.
    Remove(NodePath),
}

/// The reason why a change cannot be made in a text.
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

/// Applies a change to a text; `document` is the value of the text, `layout` its layout, if known.
///
/// # Errors
/// The structure of the text does not allow the change.
pub fn edit(
    text: &str,
    document: &Value,
    layout: Option<Arc<TextLayout>>,
    change: &DocumentChange,
) -> Result<String, EditError> {
    // Each round expands one alias on the path; there are at most as many as steps.
    let (mut text, mut layout) = (Cow::Borrowed(text), layout);
    for _ in 0..=change.path().steps().len() {
        let layout = match layout.take() {
            Some(known) => known,
            None => Arc::new(layout::read(&text).ok_or(EditError("it cannot be read"))?),
        };
        let editor = TextEditor::new(&text, document, &layout);
        match editor.alias_on_path(change) {
            Some(alias) => text = Cow::Owned(editor.expand_alias(&alias)?),
            None => return editor.change(change),
        }
    }
    Err(EditError("it stands behind too many aliases"))
}
