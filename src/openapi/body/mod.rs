//! Writer of bodies: the bytes of a value in a media type.
//!
//! An example that is a string is sent as its author wrote it. Every other value is written in the format of the media
//! type: JSON, `xml`, `form`s, lines of text, or a minimal `file`.

pub(in crate::openapi) mod file;
mod form;
mod output;
mod text;
mod xml;

use bytes::Bytes;

use super::{
    DocumentLibrary, DocumentNode,
    media_type::{FORM, JSON, OCTET_STREAM, format_name, lowercase_essence},
    sample::Sampler,
};
use crate::{
    base64_codec,
    budget::{Budget, Exhausted},
    document::{Dialect, Mapping, Value, read},
};
use output::Output;

/// Bytes with their media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBody {
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// Body, with remarks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedBody {
    /// The body.
    pub body: EncodedBody,
    /// Remarks for the author of the document.
    pub notes: Vec<String>,
}

/// Origin of a value. Strings in examples can contain a whole body, strings in samples are values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// An example of the document.
    Example,
    /// A sample made from a schema.
    Sample,
}

/// Writer of values as bodies.
#[derive(Clone, Copy)]
pub struct BodyRenderer<'a> {
    library: &'a DocumentLibrary,
    budget: &'a Budget,
    charset: bool,
    xml_root: Option<&'a str>,
}

impl<'a> BodyRenderer<'a> {
    /// A renderer for the documents of a library; `budget` bounds the length of a body.
    #[must_use]
    pub const fn new(library: &'a DocumentLibrary, budget: &'a Budget) -> Self {
        Self { library, budget, charset: false, xml_root: None }
    }

    /// Sets whether `application/json` is sent as `application/json; charset=utf-8`, as Kong does.
    #[must_use]
    pub const fn charset(mut self, charset: bool) -> Self {
        self.charset = charset;
        self
    }

    /// Sets the name of the outermost XML element for schemas that do not name it; the default is the component's name.
    #[must_use]
    pub const fn xml_root(mut self, name: &'a str) -> Self {
        self.xml_root = Some(name);
        self
    }

    /// The body for a media type without schema and example: a minimal file for binary types, else empty.
    #[must_use]
    pub fn render_default(&self, media_type: &str) -> EncodedBody {
        let essence = lowercase_essence(media_type);
        let bytes = file::minimal_file(&essence).filter(|_| essence != OCTET_STREAM).unwrap_or_default();
        EncodedBody { content_type: self.content_type(media_type), bytes: Bytes::from_static(bytes) }
    }

    /// Writes a value in the format of a media type, which must not be a wildcard.
    ///
    /// `schema` is the schema of the value. It is not resolved, because the name of its component can be the name of an
    /// XML element. `encoding` is the `encoding` of the media type object, for forms.
    ///
    /// # Errors
    /// The budget is exhausted.
    pub fn render(
        &self,
        media_type: &str,
        value: &Value,
        schema: Option<&DocumentNode>,
        encoding: Option<&DocumentNode>,
        source: ValueSource,
    ) -> Result<RenderedBody, Exhausted> {
        let essence = lowercase_essence(media_type);
        let mut out = Output::new(self.budget);
        let mut content_type = self.content_type(media_type);
        let mut notes = Vec::new();
        let example_text = value.as_str().filter(|_| source == ValueSource::Example);
        match MediaFamily::of(&essence) {
            MediaFamily::Json => out.write_json(&self.parse_json_example(value, schema, source)?)?,
            MediaFamily::Multipart => {
                let boundary = match example_text {
                    Some(text) => {
                        out.write_text(text)?;
                        form::read_boundary(text)
                    }
                    None => {
                        form::write_multipart(self.library, &essence, value, (schema, encoding), &mut out)?;
                        form::BOUNDARY
                    }
                };
                if !content_type.contains("boundary=") {
                    content_type = format!("{content_type}; boundary={boundary}");
                }
            }
            _ if self.is_binary(&essence, schema, source) => match value.as_str() {
                Some(text) if source == ValueSource::Example => write_example_text(&essence, text, &mut out)?,
                _ => out.write_bytes(
                    file::minimal_file(&essence)
                        .or_else(|| file::minimal_file(OCTET_STREAM))
                        .unwrap_or_default(),
                )?,
            },
            _ if example_text.is_some() => {
                write_example_text(&essence, example_text.unwrap_or_default(), &mut out)?;
            }
            MediaFamily::Xml => xml::write_document(self.library, value, schema, self.xml_root, &mut out)?,
            MediaFamily::Form => form::write_urlencoded(value, encoding, &mut out)?,
            MediaFamily::Yaml => text::write_yaml(value, &mut out)?,
            MediaFamily::Lines => text::write_lines(value, &essence, &mut out)?,
            MediaFamily::Events => text::write_events(value, &mut out)?,
            MediaFamily::Csv => text::write_csv(value, &mut out)?,
            MediaFamily::Other => {
                if matches!(value, Value::Mapping(_) | Value::Sequence(_)) {
                    notes.push(format!(
                        "`{essence}` cannot represent an object or a list, so the value is sent as JSON"
                    ));
                }
                out.write_plain(value)?;
            }
        }
        Ok(RenderedBody { body: EncodedBody { content_type, bytes: out.finish() }, notes })
    }

    fn content_type(&self, media_type: &str) -> String {
        if self.charset && media_type.trim().eq_ignore_ascii_case(JSON) {
            return "application/json; charset=utf-8".to_owned();
        }
        media_type.trim().to_owned()
    }

    /// The value to send as JSON. Some examples are strings that contain JSON; such a string is parsed if its schema
    /// accepts the parsed value only, or if there is no schema and it contains an object or an array.
    fn parse_json_example(
        &self,
        value: &Value,
        schema: Option<&DocumentNode>,
        source: ValueSource,
    ) -> Result<Value, Exhausted> {
        let Some(text) = value.as_str().filter(|_| source == ValueSource::Example) else {
            return Ok(value.clone());
        };
        self.budget.spend(text.len() as u64 / 64)?;
        // `read` takes YAML, in which plain words are values too.
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Ok(value.clone());
        }
        let Ok(parsed) = read(text, Dialect::Specification) else { return Ok(value.clone()) };
        let use_parsed = match schema {
            Some(schema) => {
                let sampler = Sampler::new(self.library).within(self.budget);
                !sampler.is_valid(schema, value) && sampler.is_valid(schema, &parsed.value)
                    || is_unrestricted(schema) && is_collection(&parsed.value)
            }
            None => is_collection(&parsed.value),
        };
        self.budget.check_time()?;
        Ok(if use_parsed { parsed.value } else { value.clone() })
    }

    /// Whether the body is binary rather than text.
    fn is_binary(&self, essence: &str, schema: Option<&DocumentNode>, source: ValueSource) -> bool {
        let Some(schema) = schema.and_then(|node| self.library.resolve_schema(node).ok()) else {
            return source == ValueSource::Sample && file::minimal_file(essence).is_some();
        };
        let has = |key: &str, expected: &str| schema.value.get(key).and_then(Value::as_str) == Some(expected);
        has("format", "binary")
            || has("type", "file")
            || file::minimal_file(essence).is_some() && (has("type", "string") || is_unrestricted(&schema))
    }
}

/// Whether the schema has no keywords.
fn is_unrestricted(schema: &DocumentNode) -> bool {
    schema.value.as_mapping().is_none_or(Mapping::is_empty)
}

const fn is_collection(value: &Value) -> bool {
    matches!(value, Value::Mapping(_) | Value::Sequence(_))
}

/// Writes an example text: decoded if it is base64 of a file of the media type, else as it is.
fn write_example_text(essence: &str, text: &str, out: &mut Output<'_>) -> Result<(), Exhausted> {
    out.reserve(text.len())?;
    match base64_codec::decode(text.trim()) {
        Some(bytes) if file::has_signature(essence, &bytes) => out.write_bytes(&bytes),
        _ => out.write_text(text),
    }
}

/// Format of a media type.
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
        match essence {
            FORM => Self::Form,
            "text/event-stream" => Self::Events,
            "text/csv" => Self::Csv,
            "image/svg+xml" => Self::Other,
            _ if essence.starts_with("multipart/") => Self::Multipart,
            _ => match format_name(essence) {
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
    fn examples_are_written_in_the_format_of_the_media_type() {
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
    fn strings_that_contain_json_are_parsed_if_the_schema_asks_for_it() {
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
    fn binary_media_types_are_files() {
        let png =
            render("image/png", "string", Some("{type: string, format: binary}"), ValueSource::Sample).body;
        assert!(file::has_signature("image/png", &png.bytes));
        let png = render("image/png", "iVBORw0KGgo=", None, ValueSource::Example).body;
        assert_eq!(&*png.bytes, b"\x89PNG\r\n\x1a\n");
        let text = render("image/png", "c3RyaW5n", None, ValueSource::Example).body;
        assert_eq!(&*text.bytes, b"c3RyaW5n");
        let library = DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0;
        let budget = budget();
        let renderer = BodyRenderer::new(&library, &budget).charset(true);
        assert!(file::has_signature("application/pdf", &renderer.render_default("application/pdf").bytes));
        let empty = renderer.render_default("application/json");
        assert_eq!((&*empty.bytes, &*empty.content_type), (&b""[..], "application/json; charset=utf-8"));
    }

    #[test]
    fn an_object_as_plain_text_has_a_note() {
        let rendered = render("text/plain", "{a: 1}", None, ValueSource::Sample);
        assert_eq!(&*rendered.body.bytes, br#"{"a":1}"#);
        assert_eq!(rendered.notes.len(), 1);
    }
}
