//! Model of an API that is the same for every version of the specification: operations, responses, requests.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method};

use crate::document::{NodePath, SharedText};

use super::{DocumentLibrary, DocumentNode, SpecVersion, messages::UNSUPPORTED_STATUS};

/// What a document describes.
#[derive(Clone, Debug)]
pub struct Api {
    /// The specification that the document follows.
    pub version: SpecVersion,
    /// The title; empty if the document has none.
    pub title: String,
    /// Base paths, without a slash at the end (`""`, `/v1`), in document order, without duplicates; never empty.
    /// They come from `basePath`, or from the path part of every server's URL.
    pub base_paths: Vec<String>,
    /// The operations, in document order.
    pub operations: Vec<Operation>,
    /// The ways in which a client can authenticate.
    pub security_schemes: Vec<SecurityScheme>,
    /// The document, which resolves the references of every [`DocumentNode`] here.
    pub library: Arc<DocumentLibrary>,
}

/// One method of one path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The HTTP method.
    pub method: Method,
    /// The path template as declared, from its first slash on: `/pets/{id}`.
    pub template: String,
    /// `operationId`, if the operation has one.
    pub operation_id: Option<String>,
    /// Its position in the document.
    pub path: NodePath,
    /// The responses, in document order.
    pub responses: Vec<ResponseSpec>,
    /// Parameters in path, query, headers and cookies: those of the operation and those of its path item.
    pub parameters: Vec<Parameter>,
    /// The request body, if one is declared.
    pub request_body: Option<RequestBody>,
    /// Alternative security requirements, of which one has to be met; empty means no authentication.
    pub security: Arc<[SecurityRequirement]>,
    /// Whether the operation is deprecated.
    pub deprecated: bool,
    /// The members whose names begin with `x-mynah-`, such as `x-mynah-live`.
    pub extensions: Vec<(SharedText, DocumentNode)>,
    /// The reason why the operation cannot be served, if it cannot; `responses` is empty then.
    pub defect: Option<String>,
}

/// A response of an operation.
#[derive(Clone, Debug)]
pub struct ResponseSpec {
    /// The status codes that it is for.
    pub status: StatusKey,
    /// The possible bodies, in document order; empty means a response without a body.
    pub media: Vec<MediaTypeBody>,
    /// Declared headers, without those that HTTP framing sets.
    pub headers: Vec<ResponseHeaderSpec>,
    /// The reason why the response cannot be served, if it cannot; `media` and `headers` are empty then.
    pub defect: Option<String>,
}

/// The status codes that a response is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKey {
    /// One code, from 200 to 599.
    Code(u16),
    /// All codes that begin with this digit, from 2 to 5.
    Range(u8),
    /// All codes that no other response is for.
    Default,
}

/// A body in one media type.
#[derive(Clone, Debug)]
pub struct MediaTypeBody {
    /// The media type as declared. It is a valid header value.
    pub media_type: String,
    /// Examples: `example` first, then `examples` in document order.
    pub examples: Vec<Example>,
    /// The schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// Serialization of a form or multipart body, by property (OpenAPI 3.0.3, "Encoding Object").
    pub encoding: Option<DocumentNode>,
}

/// An example of a body, a parameter or a header.
#[derive(Clone, Debug)]
pub struct Example {
    /// The key in `examples`; none for the single `example`.
    pub key: Option<SharedText>,
    /// The value; null if the example has an `externalValue`.
    pub value: DocumentNode,
    /// The content of the file that `externalValue` names.
    pub external: Option<Bytes>,
}

/// A header of a response.
#[derive(Clone, Debug)]
pub struct ResponseHeaderSpec {
    /// The field name.
    pub name: HeaderName,
    /// The example: `example`, or the first of `examples`.
    pub example: Option<DocumentNode>,
    /// The schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// Whether an object is written `a=1,b=2` rather than `a,1,b,2`.
    pub explode: bool,
}

/// Location of a parameter in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterLocation {
    /// A path parameter.
    Path,
    /// A query parameter.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
}

/// Serialization of a list or an object in a parameter (OpenAPI 3.0.3, "Style Values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SerializationStyle {
    /// `;color=blue`.
    Matrix,
    /// `.blue.black`.
    Label,
    /// `color=blue`.
    Form,
    /// `blue,black`.
    Simple,
    /// `blue%20black`.
    SpaceDelimited,
    /// `blue|black`.
    PipeDelimited,
    /// `blue`, a tab, `black`; only in Swagger 2.0 (`tsv`).
    TabDelimited,
    /// `color[R]=100`.
    DeepObject,
}

/// A parameter of a request.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name; header names are compared without regard to case.
    pub name: SharedText,
    /// Its location.
    pub location: ParameterLocation,
    /// Whether a request has to contain it; always true for path parameters.
    pub required: bool,
    /// Whether an empty value is valid.
    pub allow_empty: bool,
    /// Serialization of a list or an object.
    pub style: SerializationStyle,
    /// Whether every item of a list is a parameter of its own.
    pub explode: bool,
    /// The schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// The media type of its value, which takes the place of `style`.
    pub content: Option<Box<MediaTypeBody>>,
    /// The examples.
    pub examples: Vec<Example>,
}

/// Body of a request.
#[derive(Clone, Debug)]
pub struct RequestBody {
    /// Whether a request has to have a body.
    pub required: bool,
    /// The possible bodies, in document order.
    pub media: Vec<MediaTypeBody>,
}

/// Security schemes that must all be satisfied; empty means that no credential is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityRequirement {
    /// Names of [`SecurityScheme`]s, each with the scopes that it has to grant.
    pub schemes: Vec<(SharedText, Vec<SharedText>)>,
}

/// A way in which a client can authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityScheme {
    /// The name that security requirements use.
    pub name: SharedText,
    /// The credential that a request has to contain.
    pub kind: SecurityKind,
}

/// Kind of credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityKind {
    /// A key in a query parameter, header or cookie.
    ApiKey {
        /// The location of the key.
        location: ParameterLocation,
        /// The name of the parameter.
        name: SharedText,
    },
    /// An `Authorization` header of this scheme, in lower case: `basic`, `bearer`.
    Http {
        /// The scheme.
        scheme: String,
    },
    /// A bearer token of OAuth 2.0.
    OAuth2,
    /// A bearer token of `OpenID Connect`.
    OpenIdConnect,
    /// A client certificate.
    MutualTls,
    /// A scheme that is not supported.
    Unknown,
}

impl StatusKey {
    /// Reads a key of `responses`: `200`, `2XX` (in any case), `default`.
    ///
    /// # Errors
    /// The reason why the key is invalid.
    pub(super) fn parse(key: &str) -> Result<Self, &'static str> {
        let key = key.trim();
        if key.eq_ignore_ascii_case("default") {
            return Ok(Self::Default);
        }
        let [first, rest @ ..] = key.as_bytes() else { return Err("a status code is missing") };
        if rest.eq_ignore_ascii_case(b"xx") && first.is_ascii_digit() {
            return match first {
                b'2'..=b'5' => Ok(Self::Range(first - b'0')),
                _ => Err(UNSUPPORTED_STATUS),
            };
        }
        match key.parse::<i64>() {
            Ok(code @ 200..=599) => u16::try_from(code).map(Self::Code).map_err(|_| "not a status code"),
            Ok(_) => Err(UNSUPPORTED_STATUS),
            Err(_) => Err("a response is named by a status code, a range such as `2XX`, or `default`"),
        }
    }

    /// Whether the response is for this code.
    #[must_use]
    pub const fn covers(self, code: u16) -> bool {
        match self {
            Self::Code(own) => own == code,
            Self::Range(digit) => code / 100 == digit as u16,
            Self::Default => true,
        }
    }
}

impl Operation {
    /// The most specific response for a code: the one for exactly this code, else its range, else the default.
    #[must_use]
    pub fn response(&self, code: u16) -> Option<&ResponseSpec> {
        self.responses
            .iter()
            .filter(|response| response.status.covers(code))
            .min_by_key(|response| response.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: Option<StatusKey>) {
        assert_eq!(StatusKey::parse(key).ok(), expected, "{key}");
    }

    #[test]
    fn status_keys_are_codes_ranges_or_default() {
        check("200", Some(StatusKey::Code(200)));
        check("599", Some(StatusKey::Code(599)));
        check("2XX", Some(StatusKey::Range(2)));
        check("4xx", Some(StatusKey::Range(4)));
        check("5Xx", Some(StatusKey::Range(5)));
        check("default", Some(StatusKey::Default));
        check("Default", Some(StatusKey::Default));
        for invalid in
            ["", "abc", "code", "99999", "0", "-200", "100", "101", "1XX", "6XX", "600", "20X", "é", "2é"]
        {
            check(invalid, None);
        }
    }

    #[test]
    fn the_most_specific_response_is_chosen() {
        let response = |status| ResponseSpec { status, media: Vec::new(), headers: Vec::new(), defect: None };
        let operation = Operation {
            method: Method::GET,
            template: "/".into(),
            operation_id: None,
            path: NodePath::root(),
            responses: vec![
                response(StatusKey::Default),
                response(StatusKey::Range(4)),
                response(StatusKey::Code(404)),
            ],
            parameters: Vec::new(),
            request_body: None,
            security: Arc::new([]),
            deprecated: false,
            extensions: Vec::new(),
            defect: None,
        };
        let chosen = |code| operation.response(code).map(|response| response.status);
        assert_eq!(chosen(404), Some(StatusKey::Code(404)));
        assert_eq!(chosen(400), Some(StatusKey::Range(4)));
        assert_eq!(chosen(200), Some(StatusKey::Default));
    }
}
