//! Syntax of references: a file, and a JSON pointer (RFC 6901) or an anchor in it.

use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode_str;

use crate::{
    document::{NodePath, SharedText, Value},
    openapi::messages::{excerpt, wrong_type_of},
};

/// Error of a reference that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// `$ref` is not a string.
    NotText {
        /// The kind of value that it is.
        kind: &'static str,
    },
    /// The file exists, but the node does not.
    Missing {
        /// The reference as written.
        reference: SharedText,
        /// The first step that leads nowhere.
        step: String,
    },
    /// References lead in a circle, or through more than 256 others.
    Circle {
        /// The last reference that was followed, as written.
        reference: SharedText,
    },
    /// The file of the reference was not read.
    Unread {
        /// The reference as written.
        reference: SharedText,
        /// The reason why the file was not read.
        reason: SharedText,
    },
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText { kind } => f.write_str(&wrong_type_of("`$ref`", "a string", kind)),
            Self::Missing { reference, step } => {
                write!(f, "`$ref: {}` leads nowhere: there is no `{}`", excerpt(reference), excerpt(step))
            }
            Self::Circle { reference } => {
                write!(f, "`$ref: {}` leads in a circle, or through too many others", excerpt(reference))
            }
            Self::Unread { reference, reason } => {
                write!(f, "`$ref: {}` cannot be followed: {reason}", excerpt(reference))
            }
        }
    }
}

impl std::error::Error for ReferenceError {}

/// The parts of a reference before and after its `#`.
pub(super) fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// The text of the `$ref` of a value, if it has one, or the error of its type.
///
/// A `$dynamicRef` (JSON Schema 2020-12) is read as a plain reference to the anchor of that name.
pub(super) fn of(value: &Value, dynamic: bool) -> Option<Result<&SharedText, ReferenceError>> {
    let mapping = value.as_mapping()?;
    let found = match mapping.get("$ref") {
        Some(found) => found,
        None if dynamic => mapping.get("$dynamicRef")?,
        None => return None,
    };
    Some(match found {
        Value::String(text) => Ok(text),
        other => Err(ReferenceError::NotText { kind: other.kind() }),
    })
}

/// The steps of a JSON pointer, still escaped; `None` if the fragment is an anchor.
pub(super) fn steps(fragment: &str) -> Option<impl Iterator<Item = &str>> {
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    Some(fragment.split('/').skip(1))
}

/// One step without its escapes: percent-encoding first (RFC 6901, section 6), then `~1` and `~0`.
pub(super) fn unescape(step: &str) -> Cow<'_, str> {
    let decoded = percent_decode_str(step).decode_utf8_lossy();
    if decoded.contains('~') { Cow::Owned(decoded.replace("~1", "/").replace("~0", "~")) } else { decoded }
}

/// The child of `value` that one step of a pointer leads to.
pub(super) fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Mapping(mapping) => {
            let plain = (!step.contains(['%', '~'])).then(|| mapping.get(step));
            // Some documents contain keys in references without percent-encoding.
            plain.unwrap_or_else(|| mapping.get(&unescape(step)).or_else(|| mapping.get(step)))
        }
        Value::Sequence(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The path of a pointer, for diagnostics. References on the way are not followed.
pub(super) fn pointer_path(root: &Value, fragment: &str) -> NodePath {
    let mut path = NodePath::root();
    let mut here = Some(root);
    // No document that was read is deeper.
    for step in steps(fragment).into_iter().flatten().take(256) {
        path = match (here, step.parse()) {
            (Some(Value::Sequence(_)), Ok(index)) => path.index(index),
            _ => path.key(&unescape(step)),
        };
        here = here.and_then(|value| child(value, step));
    }
    path
}
