//! Writer of forms, `application/x-www-form-urlencoded` and `multipart/*`, by the encoding object of OpenAPI.

use super::{file, output::Output};
use crate::{
    budget::Exhausted,
    document::Value,
    openapi::{
        DocumentLibrary, DocumentNode,
        media_type::{JSON, MULTIPART_FORM, OCTET_STREAM},
    },
};

/// Boundary of multipart bodies; a constant, so that the same document gives the same bytes.
pub(super) const BOUNDARY: &str = "mynah-7MA4YWxkTrZu0gW";

/// The boundary that the first line of a multipart example declares.
pub(super) fn read_boundary(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default().trim_end();
    first.strip_prefix("--").filter(|boundary| !boundary.is_empty()).unwrap_or(BOUNDARY)
}

/// Writes names and values as a browser does; a nested object is JSON, or several names with the style `deepObject`.
pub(super) fn write_urlencoded(
    value: &Value,
    encoding: Option<&DocumentNode>,
    out: &mut Output<'_>,
) -> Result<(), Exhausted> {
    if value.as_mapping().is_none() {
        return out.write_plain(value);
    }
    let mut form = FormWriter { out, is_first: true };
    for (name, value) in value.entries() {
        let rule = encoding.and_then(|rules| rules.get(name));
        let style = rule.as_ref().and_then(|rule| rule.value.get("style")).and_then(Value::as_str);
        let explode = rule.as_ref().and_then(|rule| rule.value.get("explode")).and_then(Value::as_bool);
        match value {
            Value::Sequence(items) if explode.unwrap_or(matches!(style, None | Some("form"))) => {
                items.iter().try_for_each(|item| form.write_pair(&[name], &[item], ""))?;
            }
            Value::Sequence(items) => {
                let separator = match style {
                    Some("spaceDelimited") => " ",
                    Some("pipeDelimited") => "|",
                    _ => ",",
                };
                form.write_pair(&[name], &items.iter().collect::<Vec<_>>(), separator)?;
            }
            Value::Mapping(members) if style == Some("deepObject") => {
                members
                    .iter()
                    .try_for_each(|(key, member)| form.write_pair(&[name, "[", key, "]"], &[member], ""))?;
            }
            other => form.write_pair(&[name], &[other], "")?,
        }
    }
    Ok(())
}

/// Writer of the pairs of an encoded form.
struct FormWriter<'a, 'b> {
    out: &'a mut Output<'b>,
    is_first: bool,
}

impl FormWriter<'_, '_> {
    fn write_pair(&mut self, name: &[&str], values: &[&Value], separator: &str) -> Result<(), Exhausted> {
        self.out.write_text(if self.is_first { "" } else { "&" })?;
        self.is_first = false;
        name.iter().try_for_each(|part| self.write_encoded(part))?;
        self.out.write_text("=")?;
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                self.write_encoded(separator)?;
            }
            let text = self.out.plain_text(value)?;
            self.write_encoded(&text)?;
        }
        Ok(())
    }

    fn write_encoded(&mut self, text: &str) -> Result<(), Exhausted> {
        form_urlencoded::byte_serialize(text.as_bytes()).try_for_each(|part| self.out.write_text(part))
    }
}

/// Writes the members of an object as parts (RFC 7578); every item of a list is a part.
pub(super) fn write_multipart(
    library: &DocumentLibrary,
    essence: &str,
    value: &Value,
    (schema, encoding): (Option<&DocumentNode>, Option<&DocumentNode>),
    out: &mut Output<'_>,
) -> Result<(), Exhausted> {
    let schema = schema.and_then(|node| library.resolve_schema(node).ok());
    for (name, value) in value.entries() {
        let property = schema.as_ref().and_then(|schema| schema.get("properties")?.get(name));
        let property = property.and_then(|node| library.resolve_schema(&node).ok());
        let content_type = encoding.and_then(|rules| rules.get(name)?.get("contentType"));
        let content_type = content_type.as_ref().and_then(|node| node.value.as_str());
        let item = property
            .as_ref()
            .filter(|_| value.as_sequence().is_some())
            .and_then(|schema| schema.get("items"));
        let item = item.and_then(|node| library.resolve_schema(&node).ok()).or(property);
        for value in value.as_sequence().unwrap_or(std::slice::from_ref(value)) {
            let part = FormPart { essence, name, value, schema: item.as_ref(), content_type };
            part.write(out)?;
        }
    }
    out.write_texts(&["--", BOUNDARY, "--\r\n"])
}

struct FormPart<'a> {
    essence: &'a str,
    name: &'a str,
    value: &'a Value,
    schema: Option<&'a DocumentNode>,
    content_type: Option<&'a str>,
}

impl FormPart<'_> {
    fn write(&self, out: &mut Output<'_>) -> Result<(), Exhausted> {
        let has = |key: &str, keyword_value: &str| {
            self.schema.and_then(|schema| schema.value.get(key)).and_then(Value::as_str)
                == Some(keyword_value)
        };
        let is_binary = has("format", "binary") || has("type", "file");
        let is_collection = matches!(self.value, Value::Mapping(_) | Value::Sequence(_));
        // The first of several types is sent; a wildcard is not a type to send.
        let declared = self
            .content_type
            .and_then(|list| list.split(',').next())
            .map(str::trim)
            .filter(|media_type| !media_type.contains('*'));
        let content_type = declared.or(match (is_binary, is_collection) {
            (true, _) => Some(OCTET_STREAM),
            (_, true) => Some(JSON),
            _ => None,
        });
        out.write_texts(&["--", BOUNDARY, "\r\n"])?;
        if self.essence == MULTIPART_FORM {
            out.reserve(self.name.len())?;
            let name = self.name.replace('"', "%22").replace(['\r', '\n'], "");
            let file_name = if is_binary { "; filename=\"file\"" } else { "" };
            out.write_texts(&["Content-Disposition: form-data; name=\"", &name, "\"", file_name, "\r\n"])?;
        }
        if let Some(content_type) = content_type {
            out.reserve(content_type.len())?;
            out.write_texts(&["Content-Type: ", &content_type.replace(['\r', '\n'], ""), "\r\n"])?;
        }
        out.write_text("\r\n")?;
        match content_type.filter(|_| is_binary).and_then(file::minimal_file) {
            Some(bytes) => out.write_bytes(bytes)?,
            None => out.write_plain(self.value)?,
        }
        out.write_text("\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};
    use crate::openapi::{LibraryLocation, body::tests::budget};

    fn node(text: &str) -> DocumentNode {
        DocumentNode { value: read(text, Dialect::Specification).unwrap().value, file: 0 }
    }

    #[test]
    fn the_encoding_object_decides_the_serialization() {
        let value = node("{a: [1, 2], b: {c: 1}, d: [x, y]}").value;
        let encoding = node("{a: {explode: false}, b: {style: deepObject}, d: {style: pipeDelimited}}");
        let budget = budget();
        let mut out = Output::new(&budget);
        write_urlencoded(&value, Some(&encoding), &mut out).unwrap();
        assert_eq!(&*out.finish(), b"a=1%2C2&b%5Bc%5D=1&d=x%7Cy");
    }

    #[test]
    fn every_part_has_its_headers_and_its_value() {
        let value = node("{id: 7, meta: {a: 1}, photo: string, tags: [x, y]}").value;
        let schema = node("{properties: {photo: {type: string, format: binary}}}");
        let encoding = node("{photo: {contentType: 'image/gif, image/png'}}");
        let library = DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0;
        let budget = budget();
        let mut out = Output::new(&budget);
        write_multipart(&library, "multipart/form-data", &value, (Some(&schema), Some(&encoding)), &mut out)
            .unwrap();
        let bytes = out.finish();
        let text = String::from_utf8_lossy(&bytes);
        for part in [
            "name=\"id\"\r\n\r\n7\r\n",
            "name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n",
            "name=\"photo\"; filename=\"file\"\r\nContent-Type: image/gif\r\n\r\nGIF89a",
            "name=\"tags\"\r\n\r\ny\r\n",
            "--mynah-7MA4YWxkTrZu0gW--\r\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(read_boundary("--abc\r\nx"), "abc");
    }
}
