//! Hop-by-hop fields: names of fields that are about one connection, in requests and responses. (RFC 9110, section 7.6.1)

use http::{HeaderName, HeaderValue};

/// Makes the list of names, and the match that needs no list.
macro_rules! hop_by_hop_fields {
    ($($name:literal),* $(,)?) => {
        /// The hop-by-hop fields.
        pub static HOP_BY_HOP: [HeaderName; [$($name),*].len()] = [$(HeaderName::from_static($name)),*];

        /// Whether a field is about the connection. The name is in lower case.
        #[must_use]
        pub fn is_hop_by_hop(name: &str) -> bool {
            matches!(name, $($name)|*)
        }
    };
}

hop_by_hop_fields!["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// Whether a field controls the framing of a message or its connection: only the writer of the message can set it. The
/// name is in lower case.
#[must_use]
pub fn frames_message(name: &str) -> bool {
    is_hop_by_hop(name) || name == "content-length"
}

/// Whether a comma-separated list has an item, in any case; parameters of the item are ignored.
#[must_use]
pub fn has_list_item(value: &HeaderValue, item: &str) -> bool {
    value.to_str().is_ok_and(|value| {
        value
            .split(',')
            .any(|part| part.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(item)))
    })
}
