//! Changes of the gateway and of plugins to a request, for the upstream.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::HOST};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::HeaderEdits;
use crate::uri::Authority;

/// Characters that are encoded in a path. (RFC 3986, section 3.3)
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Characters that are encoded in a query. (RFC 3986, section 3.4) The client's query is passed on byte for byte, after a
/// stricter parser.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Parts of a request that the gateway and plugins change; all others are the client's. Every part is valid in a message:
/// none contains the end of a line or of the target.
#[derive(Debug, Default)]
pub struct UpstreamRequest {
    /// Boxed, as most requests have none: every request has the size of this type.
    target: Option<Box<TargetEdits>>,
    content_length: Option<u64>,
    edits: HeaderEdits,
}

/// Changes to the request line and to Host.
#[derive(Debug, Default)]
struct TargetEdits {
    method: Option<Method>,
    path: Option<String>,
    query: Option<String>,
    host: Option<HeaderValue>,
}

/// Error: a value that is not `uri-host [":" port]`, or is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHost;

impl UpstreamRequest {
    fn edit_target(&mut self) -> &mut TargetEdits {
        self.target.get_or_insert_default()
    }

    /// Changes the method.
    pub fn set_method(&mut self, method: Method) {
        self.edit_target().method = Some(method);
    }

    /// Changes the path that follows from the Route and its Service. Characters that a path may not contain are encoded, and
    /// a slash is put in front if there is none.
    pub fn set_path(&mut self, path: &str) {
        let slash = if path.starts_with('/') { "" } else { "/" };
        self.edit_target().path = Some(format!("{slash}{}", utf8_percent_encode(path, PATH)));
    }

    /// Changes the query; an empty one removes it. Characters that a query may not contain are encoded.
    pub fn set_query(&mut self, query: &str) {
        self.edit_target().query = Some(utf8_percent_encode(query, QUERY).to_string());
    }

    /// Changes the Host.
    ///
    /// # Errors
    /// If the value is not a host; the Host does not change.
    pub fn set_host(&mut self, host: HeaderValue) -> Result<(), InvalidHost> {
        let is_host = Authority::parse(host.as_bytes()).is_some_and(|authority| !authority.host().is_empty());
        if !is_host {
            return Err(InvalidHost);
        }
        self.edits.revert(&HOST);
        self.edit_target().host = Some(host);
        Ok(())
    }

    /// Sets the length of a body that replaces the client's.
    pub const fn set_content_length(&mut self, length: u64) {
        self.content_length = Some(length);
    }

    /// Replaces all values of a field. A Host that is invalid is ignored, with a line in the log.
    pub fn set_field(&mut self, name: HeaderName, value: HeaderValue) {
        if name != HOST {
            self.edits.set(name, value);
        } else if self.set_host(value.clone()).is_err() {
            tracing::warn!("a plugin sets the invalid Host {value:?}, which is ignored");
        }
    }

    /// Adds a value to a field; a second Host is ignored.
    pub fn append_field(&mut self, name: HeaderName, value: HeaderValue) {
        if name != HOST {
            self.edits.append(name, value);
        }
    }

    /// Removes a field; in place of Host, the upstream receives its own.
    pub fn remove_field(&mut self, name: HeaderName) {
        if name == HOST
            && let Some(target) = &mut self.target
        {
            target.host = None;
        }
        self.edits.remove(name);
    }

    /// Discards the changes of a field.
    pub fn revert_field(&mut self, name: &HeaderName) {
        self.edits.revert(name);
    }

    /// The method, if it is changed.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.target.as_ref()?.method.as_ref()
    }

    /// The path, if it is changed; percent-encoded.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.target.as_ref()?.path.as_deref()
    }

    /// The query, if it is changed; an empty one means no query.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.as_ref()?.query.as_deref()
    }

    /// The Host, if a plugin has set one.
    #[must_use]
    pub fn host(&self) -> Option<&HeaderValue> {
        self.target.as_ref()?.host.as_ref()
    }

    /// The length of the body, if that is changed.
    #[must_use]
    pub const fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// The changes of fields.
    #[must_use]
    pub const fn edits(&self) -> &HeaderEdits {
        &self.edits
    }

    /// Whether no field is changed.
    #[must_use]
    pub fn keeps_fields(&self) -> bool {
        self.edits.is_empty() && self.host().is_none() && self.content_length.is_none()
    }

    /// Applies the changes to the client's fields.
    pub fn apply(&self, fields: &mut HeaderMap) {
        self.edits.apply(fields);
        if let Some(host) = self.host() {
            fields.insert(HOST, host.clone());
        }
        if let Some(length) = self.content_length {
            fields.remove(http::header::TRANSFER_ENCODING);
            fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;

    use super::*;

    #[test]
    fn a_host_is_checked() {
        for (host, fits) in [
            ("a.example:81", true),
            ("[::1]:81", true),
            ("evil x", false),
            ("a/b", false),
            ("user@a", false),
            (":80", false),
            ("", false),
        ] {
            let mut request = UpstreamRequest::default();
            request.set_field(HOST, HeaderValue::from_static("before.example"));
            request.set_field(HOST, host.parse().unwrap());
            let expected = if fits { host } else { "before.example" };
            assert_eq!(request.host().unwrap(), expected, "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_path_and_query_is_valid_in_a_target(path in ".{0,40}", query in ".{0,40}") {
            let mut request = UpstreamRequest::default();
            request.set_path(&path);
            request.set_query(&query);
            let target = format!("{}?{}", request.path().unwrap(), request.query().unwrap());
            let read: PathAndQuery = target.parse().unwrap();
            assert_eq!(read.as_str(), target);
            assert_eq!(read.path(), request.path().unwrap());
            assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
