//! Fields that a sender nominates in Connection, so that the next recipient removes them. (RFC 9110, section 7.6.1)

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, HOST},
};

/// The names in the Connection fields of one message; without an allocation where there are none to look for.
#[derive(Debug)]
pub struct NominatedFields(Vec<HeaderName>);

impl NominatedFields {
    /// Those of a message. A peer cannot nominate Host, Content-Length or an X-Forwarded field: these say where a
    /// message ends, where it goes and where it came from.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut nominated = Vec::new();
        for value in headers.get_all(CONNECTION).iter().filter(|value| !is_plain(value)) {
            let names = value.as_bytes().split(|byte| *byte == b',');
            nominated.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
        }
        nominated.retain(|name| {
            *name != HOST && *name != CONTENT_LENGTH && !name.as_str().starts_with("x-forwarded-")
        });
        Self(nominated)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field is among them.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    /// Their names.
    #[must_use]
    pub fn into_names(self) -> Vec<HeaderName> {
        self.0
    }
}

/// Whether a Connection value names no field that would have to be looked for.
fn is_plain(value: &HeaderValue) -> bool {
    [b"keep-alive".as_slice(), b"close", b"upgrade"]
        .iter()
        .any(|option| value.as_bytes().eq_ignore_ascii_case(option))
}
