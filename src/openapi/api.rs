//! The one model that every dialect becomes: operations, their responses and requests, and the document behind.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method};

use crate::document::{NodePath, SharedText};

use super::{DocumentLibrary, DocumentNode, SpecVersion};

/// What a document describes.
#[derive(Clone, Debug)]
pub struct Api {
    /// The specification that the document follows.
    pub version: SpecVersion,
    /// Its title; empty if it has none.
    pub title: String,
    /// Where its paths start, without a slash at the end (`""`, `/v1`), in document order and each once; never
    /// empty. From `basePath`, or the path part of every server's URL.
    pub base_paths: Vec<String>,
    /// What can be asked, in document order.
    pub operations: Vec<Operation>,
    /// How a client proves who it is.
    pub security_schemes: Vec<SecurityScheme>,
    /// The document, which resolves the references of every [`DocumentNode`] here.
    pub library: Arc<DocumentLibrary>,
}

/// A method on a path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path as declared, from its first slash on: `/pets/{id}`.
    pub template: String,
    /// Its name, if it has one.
    pub operation_id: Option<String>,
    /// Its place in the document.
    pub path: NodePath,
    /// What may be answered, in document order.
    pub responses: Vec<ResponseSpec>,
    /// What a request brings in path, query, headers and cookies; the operation's own and its path's.
    pub parameters: Vec<Parameter>,
    /// What a request brings in its body.
    pub request_body: Option<RequestBody>,
    /// The ways in, one of which suffices; none means that everybody is let in.
    pub security: Arc<[SecurityRequirement]>,
    /// Whether clients should stop using it.
    pub deprecated: bool,
    /// The members that begin with `x-mynah-`, such as `x-mynah-live`.
    pub extensions: Vec<(SharedText, DocumentNode)>,
    /// Why it cannot be answered, if it cannot; there are no responses then.
    pub defect: Option<String>,
}

/// An answer to an operation.
#[derive(Clone, Debug)]
pub struct ResponseSpec {
    /// For which status codes.
    pub status: StatusKey,
    /// The bodies it may have, in document order; none means an empty body.
    pub media: Vec<MediaTypeBody>,
    /// Its headers, without those that HTTP itself sets.
    pub headers: Vec<ResponseHeaderSpec>,
    /// Why it cannot be answered, if it cannot; there are neither media nor headers then.
    pub defect: Option<String>,
}

/// The status codes that a response is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKey {
    /// One code, 200 to 599.
    Code(u16),
    /// All codes that begin with this digit, 2 to 5.
    Range(u8),
    /// All codes that are not named otherwise.
    Default,
}

/// A body in one media type.
#[derive(Clone, Debug)]
pub struct MediaTypeBody {
    /// The type as declared; it is legal as the value of a header.
    pub media_type: String,
    /// Its examples: `example` first, then `examples`, each in document order.
    pub examples: Vec<Example>,
    /// Its schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// How the properties of a form or multipart body are written, by property (OpenAPI 3.0.3, "Encoding Object").
    pub encoding: Option<DocumentNode>,
}

/// An example of a body, a parameter or a header.
#[derive(Clone, Debug)]
pub struct Example {
    /// Its name; the single `example` has none.
    pub key: Option<SharedText>,
    /// The value; null where it is external.
    pub value: DocumentNode,
    /// The content of the file that it refers to by `externalValue`.
    pub external: Option<Bytes>,
}

/// A header of a response.
#[derive(Clone, Debug)]
pub struct ResponseHeaderSpec {
    /// Its name.
    pub name: HeaderName,
    /// Its example: `example`, or the first of `examples`.
    pub example: Option<DocumentNode>,
    /// Its schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// Whether an object is written `a=1,b=2` rather than `a,1,b,2`.
    pub explode: bool,
}

/// Where a parameter stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterLocation {
    /// A part of the path.
    Path,
    /// A part of the query.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
}

/// How a list or an object is written in a parameter (OpenAPI 3.0.3, "Style Values").
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

/// A named value that a request brings outside its body.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name; of a header without regard to case.
    pub name: SharedText,
    /// Where it stands.
    pub location: ParameterLocation,
    /// Whether a request without it is wrong; true for every parameter in the path.
    pub required: bool,
    /// Whether it may be there without a value.
    pub allow_empty: bool,
    /// How a list or an object is written.
    pub style: SerializationStyle,
    /// Whether every item of a list is written as a parameter of its own.
    pub explode: bool,
    /// Its schema, which may be a reference.
    pub schema: Option<DocumentNode>,
    /// The media type that its value is written in, instead of `style`.
    pub content: Option<Box<MediaTypeBody>>,
    /// Its examples.
    pub examples: Vec<Example>,
}

/// The body that a request brings.
#[derive(Clone, Debug)]
pub struct RequestBody {
    /// Whether a request without it is wrong.
    pub required: bool,
    /// The bodies it may be, in document order.
    pub media: Vec<MediaTypeBody>,
}

/// Schemes that must all be satisfied; empty means that no proof is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityRequirement {
    /// Names of [`SecurityScheme`]s, and the scopes asked for.
    pub schemes: Vec<(SharedText, Vec<SharedText>)>,
}

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityScheme {
    /// The name by which requirements ask for it.
    pub name: SharedText,
    /// What a request has to bring.
    pub kind: SecurityKind,
}

/// What a request has to bring as a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityKind {
    /// A key in a query parameter, header or cookie.
    ApiKey {
        /// Where it stands.
        location: ParameterLocation,
        /// The name of the parameter.
        name: SharedText,
    },
    /// An `Authorization` header of this scheme, in lower case: `basic`, `bearer`.
    Http {
        /// The scheme.
        scheme: String,
    },
    /// A token of OAuth 2.0, as a bearer.
    OAuth2,
    /// A token of `OpenID Connect`, as a bearer.
    OpenIdConnect,
    /// A client certificate.
    MutualTls,
    /// Something that is not known here.
    Unknown,
}

impl StatusKey {
    /// Reads a key of `responses`: `200`, `2XX` (in any case), `default`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(key: &str) -> Result<Self, &'static str> {
        let key = key.trim();
        if key.eq_ignore_ascii_case("default") {
            return Ok(Self::Default);
        }
        let [first, rest @ ..] = key.as_bytes() else { return Err("a status code is missing") };
        if rest.eq_ignore_ascii_case(b"xx") && first.is_ascii_digit() {
            return match first {
                b'2'..=b'5' => Ok(Self::Range(first - b'0')),
                _ => Err("only the codes from 200 to 599 can be answered"),
            };
        }
        match key.parse::<i64>() {
            Ok(code @ 200..=599) => u16::try_from(code).map(Self::Code).map_err(|_| "not a status code"),
            Ok(_) => Err("only the codes from 200 to 599 can be answered"),
            Err(_) => Err("a response is named by a status code, a range such as `2XX`, or `default`"),
        }
    }

    /// Whether the response is for this code.
    #[must_use]
    pub const fn covers(self, code: u16) -> bool {
        match self {
            Self::Code(it) => it == code,
            Self::Range(digit) => code / 100 == digit as u16,
            Self::Default => true,
        }
    }
}

impl Operation {
    /// The response for a code: the one that names it, else its range, else the default.
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
    fn status_keys() {
        check("200", Some(StatusKey::Code(200)));
        check("599", Some(StatusKey::Code(599)));
        check("2XX", Some(StatusKey::Range(2)));
        check("4xx", Some(StatusKey::Range(4)));
        check("5Xx", Some(StatusKey::Range(5)));
        check("default", Some(StatusKey::Default));
        check("Default", Some(StatusKey::Default));
        for nonsense in
            ["", "abc", "code", "99999", "0", "-200", "100", "101", "1XX", "6XX", "600", "20X", "é", "2é"]
        {
            check(nonsense, None);
        }
    }

    #[test]
    fn the_most_exact_response_is_chosen() {
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
