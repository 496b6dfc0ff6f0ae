//! Texts that diagnostics of several files of this module share.

use crate::document::Value;

/// The last diagnostic of a document that has more of them than are listed.
pub(super) const MORE_PROBLEMS: &str = "there are more problems in this document; they are not listed";

/// The last diagnostic about references, where there are more of them than are listed.
pub(super) const MORE_REFERENCES: &str =
    "there are more references that cannot be followed; they are not listed";

/// The reason why a file cannot be used that the preloading did not meet.
pub(super) const NOT_PRELOADED: &str = "it was not read with the document";

/// The reason why a file outside the directory of the specifications is not read.
pub(super) const OUTSIDE_DIRECTORY: &str = "it is outside the directory that documents may refer to";

/// The result of the sampler for a schema whose keywords contradict each other, or are too hard to fulfil.
pub(super) const NO_SAMPLE: &str = "no value was found that fits this schema";

/// The reason why a response is not served.
pub(super) const UNSUPPORTED_STATUS: &str = "only the codes from 200 to 599 can be answered";

/// `paths` of the wrong type: "`paths` must be a map, this is an array".
pub(super) fn wrong_type(subject: &str, expected: &str, found: &Value) -> String {
    wrong_type_of(subject, expected, found.kind())
}

/// As [`wrong_type`], for a [kind of value](Value::kind).
pub(super) fn wrong_type_of(subject: &str, expected: &str, kind: &str) -> String {
    format!("{subject} must be {expected}, this is {}", with_article(kind))
}

/// A [kind of value](Value::kind) with its indefinite article; `null` has none.
pub(super) fn with_article(kind: &str) -> String {
    match kind {
        "null" => kind.to_owned(),
        "array" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

/// The beginning of a text of the document, escaped, so that a message has a bounded length and one line.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARACTERS: usize = 120;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", text[..end].escape_debug()),
        None => text.escape_debug().to_string(),
    }
}
