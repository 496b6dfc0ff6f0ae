//! Fields that Connection nominates for removal by the next recipient. (RFC 9110, section 7.6.1)

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, HOST},
};

/// Names in the Connection fields of one message. Without such names nothing is allocated.
#[derive(Debug)]
pub struct NominatedFields(Vec<HeaderName>);

impl NominatedFields {
    /// Reads the nominated names of a message. A peer cannot nominate Host, Content-Length or an X-Forwarded field: these
    /// state where a message ends, where it goes and where it comes from.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut nominated = Vec::new();
        for value in headers.get_all(CONNECTION).iter().filter(|value| !is_usual_option(value)) {
            let names = value.as_bytes().split(|byte| *byte == b',');
            nominated.extend(names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()));
        }
        nominated.retain(|name| {
            *name != HOST && *name != CONTENT_LENGTH && !name.as_str().starts_with("x-forwarded-")
        });
        Self(nominated)
    }

    /// Whether no name is nominated.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name is nominated.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    /// The names.
    #[must_use]
    pub fn into_names(self) -> Vec<HeaderName> {
        self.0
    }
}

/// Whether a Connection value is one usual option, which names no field.
fn is_usual_option(value: &HeaderValue) -> bool {
    [b"keep-alive".as_slice(), b"close", b"upgrade"]
        .iter()
        .any(|option| value.as_bytes().eq_ignore_ascii_case(option))
}
