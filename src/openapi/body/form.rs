//! Forms: `application/x-www-form-urlencoded` and `multipart/*`, by OpenAPI's encoding object.

use super::{file, output::Output};
use crate::{
    budget::Exhausted,
    document::Value,
    openapi::{DocumentLibrary, DocumentNode},
};

/// What parts the parts: always the same, so that the same document gives the same bytes.
pub(super) const BOUNDARY: &str = "mynah-7MA4YWxkTrZu0gW";

/// The boundary of a body that was written by hand.
pub(super) fn boundary_of(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default().trim_end();
    first.strip_prefix("--").filter(|boundary| !boundary.is_empty()).unwrap_or(BOUNDARY)
}

/// Names and values as a browser sends them; an object in an object is JSON, or by `deepObject` several names.
pub(super) fn urlencoded(
    value: &Value,
    encoding: Option<&DocumentNode>,
    out: &mut Output<'_>,
) -> Result<(), Exhausted> {
    if value.as_mapping().is_none() {
        return out.plain(value);
    }
    let mut form = Form { out, is_first: true };
    for (name, value) in value.entries() {
        let rule = encoding.and_then(|rules| rules.get(name));
        let style = rule.as_ref().and_then(|rule| rule.value.get("style")).and_then(Value::as_str);
        let explode = rule.as_ref().and_then(|rule| rule.value.get("explode")).and_then(Value::as_bool);
        match value {
            Value::Sequence(items) if explode.unwrap_or(matches!(style, None | Some("form"))) => {
                items.iter().try_for_each(|item| form.pair(&[name], &[item], ""))?;
            }
            Value::Sequence(items) => {
                let separator = match style {
                    Some("spaceDelimited") => " ",
                    Some("pipeDelimited") => "|",
                    _ => ",",
                };
                form.pair(&[name], &items.iter().collect::<Vec<_>>(), separator)?;
            }
            Value::Mapping(members) if style == Some("deepObject") => {
                members
                    .iter()
                    .try_for_each(|(key, member)| form.pair(&[name, "[", key, "]"], &[member], ""))?;
            }
            other => form.pair(&[name], &[other], "")?,
        }
    }
    Ok(())
}

/// Pairs of a form.
struct Form<'a, 'b> {
    out: &'a mut Output<'b>,
    is_first: bool,
}

impl Form<'_, '_> {
    fn pair(&mut self, name: &[&str], values: &[&Value], separator: &str) -> Result<(), Exhausted> {
        self.out.text(if self.is_first { "" } else { "&" })?;
        self.is_first = false;
        name.iter().try_for_each(|part| self.encoded(part))?;
        self.out.text("=")?;
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                self.encoded(separator)?;
            }
            let text = self.out.plain_of(value)?;
            self.encoded(&text)?;
        }
        Ok(())
    }

    fn encoded(&mut self, text: &str) -> Result<(), Exhausted> {
        form_urlencoded::byte_serialize(text.as_bytes()).try_for_each(|part| self.out.text(part))
    }
}

/// The members as parts (RFC 7578); of a list every item is one.
pub(super) fn multipart(
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
        let content = encoding.and_then(|rules| rules.get(name)?.get("contentType"));
        let content = content.as_ref().and_then(|rule| rule.value.as_str());
        let item = property
            .as_ref()
            .filter(|_| value.as_sequence().is_some())
            .and_then(|schema| schema.get("items"));
        let item = item.and_then(|node| library.resolve_schema(&node).ok()).or(property);
        for value in value.as_sequence().unwrap_or(std::slice::from_ref(value)) {
            let part = FormPart { essence, name, value, schema: item.as_ref(), content };
            part.write(out)?;
        }
    }
    out.texts(&["--", BOUNDARY, "--\r\n"])
}

struct FormPart<'a> {
    essence: &'a str,
    name: &'a str,
    value: &'a Value,
    schema: Option<&'a DocumentNode>,
    content: Option<&'a str>,
}

impl FormPart<'_> {
    fn write(&self, out: &mut Output<'_>) -> Result<(), Exhausted> {
        let says = |key: &str, word: &str| {
            self.schema.and_then(|schema| schema.value.get(key)).and_then(Value::as_str) == Some(word)
        };
        let binary = says("format", "binary") || says("type", "file");
        let collection = matches!(self.value, Value::Mapping(_) | Value::Sequence(_));
        // The first of several types will do, and a wildcard says none.
        let given = self
            .content
            .and_then(|list| list.split(',').next())
            .map(str::trim)
            .filter(|media_type| !media_type.contains('*'));
        let content = given.or(match (binary, collection) {
            (true, _) => Some("application/octet-stream"),
            (_, true) => Some("application/json"),
            _ => None,
        });
        out.texts(&["--", BOUNDARY, "\r\n"])?;
        if self.essence == "multipart/form-data" {
            out.reserve(self.name.len())?;
            let name = self.name.replace('"', "%22").replace(['\r', '\n'], "");
            let file = if binary { "; filename=\"file\"" } else { "" };
            out.texts(&["Content-Disposition: form-data; name=\"", &name, "\"", file, "\r\n"])?;
        }
        if let Some(content) = content {
            out.reserve(content.len())?;
            out.texts(&["Content-Type: ", &content.replace(['\r', '\n'], ""), "\r\n"])?;
        }
        out.text("\r\n")?;
        match content.filter(|_| binary).and_then(file::of) {
            Some(bytes) => out.bytes(bytes)?,
            None => out.plain(self.value)?,
        }
        out.text("\r\n")
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
    fn encoding_is_followed() {
        let value = node("{a: [1, 2], b: {c: 1}, d: [x, y]}").value;
        let encoding = node("{a: {explode: false}, b: {style: deepObject}, d: {style: pipeDelimited}}");
        let budget = budget();
        let mut out = Output::new(&budget);
        urlencoded(&value, Some(&encoding), &mut out).unwrap();
        assert_eq!(&*out.finish(), b"a=1%2C2&b%5Bc%5D=1&d=x%7Cy");
    }

    #[test]
    fn parts() {
        let value = node("{id: 7, meta: {a: 1}, photo: string, tags: [x, y]}").value;
        let schema = node("{properties: {photo: {type: string, format: binary}}}");
        let encoding = node("{photo: {contentType: 'image/gif, image/png'}}");
        let library = DocumentLibrary::new(Value::Null, &LibraryLocation::alone()).0;
        let budget = budget();
        let mut out = Output::new(&budget);
        multipart(&library, "multipart/form-data", &value, (Some(&schema), Some(&encoding)), &mut out)
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
        assert_eq!(boundary_of("--abc\r\nx"), "abc");
    }
}
