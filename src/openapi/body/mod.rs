//! Bodies: from a value to the bytes of a media type.
//!
//! An example that is a text already is sent as its author wrote it; anything else is written in the notation that
//! the type asks for: JSON, [`xml`], [`form`]s, lines, or a tiny [`file`].

pub(in crate::openapi) mod file;
mod form;
mod output;
mod text;
mod xml;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{DocumentLibrary, DocumentNode, sample::Sampler};
use crate::{
    budget::{Budget, Exhausted},
    document::{Dialect, Value, read},
};
use output::Output;

/// Bytes, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBody {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// A body, and what was odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedBody {
    /// The body.
    pub body: EncodedBody,
    /// What the document should say otherwise.
    pub notes: Vec<String>,
}

/// Where a value comes from: people write texts that stand for more than a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// An `example` of the document.
    Example,
    /// A sample made from a schema.
    Sample,
}

/// Writes values as bodies.
#[derive(Clone, Copy)]
pub struct BodyRenderer<'a> {
    library: &'a DocumentLibrary,
    budget: &'a Budget,
    charset: bool,
    xml_root: Option<&'a str>,
}

impl<'a> BodyRenderer<'a> {
    /// A renderer for the documents of a library; `budget` bounds how long a body may be.
    #[must_use]
    pub const fn new(library: &'a DocumentLibrary, budget: &'a Budget) -> Self {
        Self { library, budget, charset: false, xml_root: None }
    }

    /// Whether `application/json` is sent as `application/json; charset=utf-8`, as Kong does.
    #[must_use]
    pub const fn charset(mut self, charset: bool) -> Self {
        self.charset = charset;
        self
    }

    /// The name of the outermost XML element where the schema has none; else it is that of the component.
    #[must_use]
    pub const fn xml_root(mut self, name: &'a str) -> Self {
        self.xml_root = Some(name);
        self
    }

    /// The body for a media type without schema and example: empty, but for types of files.
    #[must_use]
    pub fn undescribed(&self, media_type: &str) -> EncodedBody {
        let bytes = file::of(&essence(media_type)).filter(|_| !is_octets(media_type)).unwrap_or_default();
        EncodedBody { content_type: self.content_type(media_type), bytes: Bytes::from_static(bytes) }
    }

    /// The value in the notation of the media type, which has no wildcard.
    ///
    /// `schema` is what the value was made from or belongs to, not yet resolved, so that its name is known;
    /// `encoding` is the map of that name of OpenAPI's media type object, for forms.
    ///
    /// # Errors
    /// The budget has no room for the body.
    pub fn render(
        &self,
        media_type: &str,
        value: &Value,
        schema: Option<&DocumentNode>,
        encoding: Option<&DocumentNode>,
        source: ValueSource,
    ) -> Result<RenderedBody, Exhausted> {
        let essence = essence(media_type);
        let mut out = Output::new(self.budget);
        let mut content_type = self.content_type(media_type);
        let mut notes = Vec::new();
        let written = value.as_str().filter(|_| source == ValueSource::Example);
        match MediaFamily::of(&essence) {
            MediaFamily::Json => out.json(&self.meant(value, schema, source)?)?,
            MediaFamily::Multipart => {
                let boundary = match written {
                    Some(text) => {
                        out.text(text)?;
                        form::boundary_of(text)
                    }
                    None => {
                        form::multipart(self.library, &essence, value, (schema, encoding), &mut out)?;
                        form::BOUNDARY
                    }
                };
                if !content_type.contains("boundary=") {
                    content_type = format!("{content_type}; boundary={boundary}");
                }
            }
            _ if self.is_binary(&essence, schema, source) => match value.as_str() {
                Some(text) if source == ValueSource::Example => decoded(&essence, text, &mut out)?,
                _ => out.bytes(file::of(&essence).or_else(|| file::of(OCTETS)).unwrap_or_default())?,
            },
            _ if written.is_some() => decoded(&essence, written.unwrap_or_default(), &mut out)?,
            MediaFamily::Xml => xml::document(self.library, value, schema, self.xml_root, &mut out)?,
            MediaFamily::Form => form::urlencoded(value, encoding, &mut out)?,
            MediaFamily::Yaml => text::yaml(value, &mut out)?,
            MediaFamily::Lines => text::lines(value, &essence, &mut out)?,
            MediaFamily::Events => text::events(value, &mut out)?,
            MediaFamily::Csv => text::csv(value, &mut out)?,
            MediaFamily::Other => {
                if matches!(value, Value::Mapping(_) | Value::Sequence(_)) {
                    notes.push(format!(
                        "an object or a list has no form as `{essence}`, so it is sent as JSON"
                    ));
                }
                out.plain(value)?;
            }
        }
        Ok(RenderedBody { body: EncodedBody { content_type, bytes: out.finish() }, notes })
    }

    fn content_type(&self, media_type: &str) -> String {
        if self.charset && media_type.trim().eq_ignore_ascii_case("application/json") {
            return "application/json; charset=utf-8".to_owned();
        }
        media_type.trim().to_owned()
    }

    /// Documents write JSON as text now and then: what the text says is sent, if that is what the schema wants.
    fn meant(
        &self,
        value: &Value,
        schema: Option<&DocumentNode>,
        source: ValueSource,
    ) -> Result<Value, Exhausted> {
        let Some(text) = value.as_str().filter(|_| source == ValueSource::Example) else {
            return Ok(value.clone());
        };
        self.budget.spend(text.len() as u64 / 64)?;
        // The specification's YAML would take plain words for JSON.
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Ok(value.clone());
        }
        let Ok(said) = read(text, Dialect::Specification) else { return Ok(value.clone()) };
        let wanted = match schema {
            Some(schema) => {
                let sampler = Sampler::new(self.library).within(self.budget);
                !sampler.valid(schema, value) && sampler.valid(schema, &said.value)
                    || is_open(schema) && is_collection(&said.value)
            }
            None => is_collection(&said.value),
        };
        self.budget.look()?;
        Ok(if wanted { said.value } else { value.clone() })
    }

    /// Whether the body is bytes rather than text.
    fn is_binary(&self, essence: &str, schema: Option<&DocumentNode>, source: ValueSource) -> bool {
        let Some(schema) = schema.and_then(|node| self.library.resolve_schema(node).ok()) else {
            return source == ValueSource::Sample && file::of(essence).is_some();
        };
        let says = |key: &str, word: &str| schema.value.get(key).and_then(Value::as_str) == Some(word);
        says("format", "binary")
            || says("type", "file")
            || file::of(essence).is_some() && (says("type", "string") || is_open(&schema))
    }
}

const OCTETS: &str = "application/octet-stream";

fn is_octets(media_type: &str) -> bool {
    essence(media_type) == OCTETS
}

/// Whether the schema says nothing about types.
fn is_open(schema: &DocumentNode) -> bool {
    schema.value.as_mapping().is_none_or(crate::document::Mapping::is_empty)
}

const fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Mapping(_) | Value::Sequence(_))
}

/// The bytes of a text that is base64 of a file of the type; else its own.
fn decoded(essence: &str, text: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    out.reserve(text.len())?;
    match STANDARD.decode(text.trim()) {
        Ok(bytes) if file::begins(essence, &bytes) => out.bytes(&bytes),
        _ => out.text(text),
    }
}

/// The media type without its parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Notations.
enum MediaFamily {
    Json,
    Xml,
    Yaml,
    Lines,
    Events,
    Form,
    Multipart,
    Csv,
    Other,
}

impl MediaFamily {
    fn of(essence: &str) -> Self {
        let subtype = essence.split_once('/').map_or(essence, |(_, subtype)| subtype);
        match essence {
            "application/x-www-form-urlencoded" => Self::Form,
            "text/event-stream" => Self::Events,
            "text/csv" => Self::Csv,
            "image/svg+xml" => Self::Other,
            _ if essence.starts_with("multipart/") => Self::Multipart,
            _ => match subtype.rsplit('+').next().unwrap_or(subtype) {
                "json" => Self::Json,
                "xml" => Self::Xml,
                "yaml" | "x-yaml" | "yml" => Self::Yaml,
                "x-ndjson" | "ndjson" | "jsonl" | "x-jsonl" | "jsonlines" | "x-jsonlines" | "json-seq" => {
                    Self::Lines
                }
                _ => Self::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::WorkLimits, openapi::LibraryLocation};

    pub(super) fn budget() -> Budget {
        let time = std::time::Duration::from_mins(10);
        Budget::new(WorkLimits { steps: u64::MAX, bytes: 1 << 20, depth: 100, time })
    }

    #[track_caller]
    fn render(media_type: &str, value: &str, schema: Option<&str>, source: ValueSource) -> RenderedBody {
        let node =
            |text: &str| DocumentNode { value: read(text, Dialect::Specification).unwrap().value, file: 0 };
        let library = DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0;
        let schema = schema.map(node);
        let budget = budget();
        let renderer = BodyRenderer::new(&library, &budget);
        renderer.render(media_type, &node(value).value, schema.as_ref(), None, source).unwrap()
    }

    #[track_caller]
    fn check(media_type: &str, example: &str, expected: &str) {
        let body = render(media_type, example, None, ValueSource::Example).body;
        assert_eq!((&*body.bytes, &*body.content_type), (expected.as_bytes(), media_type));
    }

    #[test]
    fn examples() {
        check(
            "application/json",
            r#"{"z":1.50,"a":[12345678901234567890]}"#,
            r#"{"z":1.50,"a":[12345678901234567890]}"#,
        );
        check("application/hal+json; v=1", "{x: 1}", r#"{"x":1}"#);
        check("application/json", "''", "\"\"");
        check("application/json", "'{\"a\": 1}'", r#"{"a":1}"#);
        check("application/json", "'7'", "\"7\"");
        check("application/xml", "'<a><b>1</b></a>'", "<a><b>1</b></a>");
        check("text/plain", "n=1", "n=1");
        check("text/html", "'<p>hi</p>'", "<p>hi</p>");
        check("text/csv", "\"a,b\\n1,2\\n\"", "a,b\n1,2\n");
        check("text/plain", "1.50", "1.50");
        check("application/x-ndjson", "[{a: 1}, {a: 2}]", "{\"a\":1}\n{\"a\":2}\n");
        check("application/json-seq", "[{a: 1}]", "\u{1e}{\"a\":1}\n");
        check("text/event-stream", "[{a: 1}, x]", "data: {\"a\":1}\n\ndata: x\n\n");
        check(
            "application/yaml",
            "{x: 1, why: 'no', z: [1.5, null]}",
            "x: 1\nwhy: \"no\"\nz:\n- 1.5\n- null\n",
        );
        check("text/csv", "[{a: 1, b: 'x,y'}, {a: 2}]", "a,b\r\n1,\"x,y\"\r\n2,\r\n");
        check(
            "application/x-www-form-urlencoded",
            "{a: x y, b: [1, 2], c: {d: 1}}",
            "a=x+y&b=1&b=2&c=%7B%22d%22%3A1%7D",
        );
    }

    #[test]
    fn texts_that_stand_for_json() {
        let json = |schema| {
            render("application/json", r#"'{"a":1}'"#, Some(schema), ValueSource::Example).body.bytes
        };
        assert_eq!(&*json("{type: object}"), br#"{"a":1}"#);
        assert_eq!(&*json("{type: string}"), br#""{\"a\":1}""#);
        assert_eq!(&*json("{type: array}"), br#""{\"a\":1}""#);
        let number =
            render("application/json", "'7'", Some("{type: integer}"), ValueSource::Example).body.bytes;
        assert_eq!(&*number, b"7");
    }

    #[test]
    fn files() {
        let png =
            render("image/png", "string", Some("{type: string, format: binary}"), ValueSource::Sample).body;
        assert!(file::begins("image/png", &png.bytes));
        let png = render("image/png", "iVBORw0KGgo=", None, ValueSource::Example).body;
        assert_eq!(&*png.bytes, b"\x89PNG\r\n\x1a\n");
        let text = render("image/png", "c3RyaW5n", None, ValueSource::Example).body;
        assert_eq!(&*text.bytes, b"c3RyaW5n");
        let library = DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0;
        let budget = budget();
        let renderer = BodyRenderer::new(&library, &budget).charset(true);
        assert!(file::begins("application/pdf", &renderer.undescribed("application/pdf").bytes));
        let empty = renderer.undescribed("application/json");
        assert_eq!((&*empty.bytes, &*empty.content_type), (&b""[..], "application/json; charset=utf-8"));
    }

    #[test]
    fn objects_as_text_are_noted() {
        let rendered = render("text/plain", "{a: 1}", None, ValueSource::Sample);
        assert_eq!(&*rendered.body.bytes, br#"{"a":1}"#);
        assert_eq!(rendered.notes.len(), 1);
    }
}
