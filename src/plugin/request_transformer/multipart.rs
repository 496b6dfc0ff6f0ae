//! Transformation of `multipart/form-data`. Parts without a rule keep their bytes. (RFC 7578; RFC 2046, section 5.1.)
//!
//! The reading is lenient: a part that the upstream might read is a part here, too, so that a removed field does not pass. Lines
//! may end with LF alone, and the last delimiter may be missing.

use std::{borrow::Cow, ops::Range};

use memchr::memmem::Finder;
use percent_encoding::percent_decode_str;

use super::template::ValueTemplate;
use crate::plugin::{Exchange, transform_rules::TransformRules};

/// Most parts of a body. Each takes memory beside its bytes.
const MAX_PARTS: usize = 10_000;

/// Longest boundary, in bytes. (RFC 2046 allows 70.)
const MAX_BOUNDARY_BYTES: usize = 256;

/// Why a body is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MultipartFault {
    /// It has more parts than [`MAX_PARTS`].
    TooManyParts,
    /// A value to be added contains the boundary, and would be read as other parts.
    BoundaryInValue,
}

/// The boundary that a `Content-Type` names; `None` for other media types.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (media_type, rest) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found =
        FieldParameters { text: rest, at: 0 }.find(|found| found.name.eq_ignore_ascii_case("boundary"))?;
    let boundary = unescape(found.value);
    let boundary = boundary.trim_end();
    (!boundary.is_empty() && boundary.len() <= MAX_BOUNDARY_BYTES).then(|| boundary.to_owned())
}

/// Applies rules to the parts of a body, in Kong's order: rename, remove, replace, add, append. `None` if nothing changes.
pub(super) fn transform(
    body: &[u8],
    boundary: &str,
    rules: &TransformRules<String, ValueTemplate>,
    exchange: &Exchange,
) -> Result<Option<Vec<u8>>, MultipartFault> {
    let Some(mut form) = MultipartForm::read(body, boundary)? else { return Ok(None) };
    let mut is_changed = false;
    for (old, new) in rules.rename.iter().filter(|(old, new)| old != new) {
        if form.has(old) {
            form.parts.retain(|part| !part.is_named(new) || part.is_named(old));
            form.parts.iter_mut().filter(|part| part.is_named(old)).for_each(|part| part.rename(new));
            is_changed = true;
        }
    }
    for name in &rules.remove {
        let before = form.parts.len();
        form.parts.retain(|part| !part.is_named(name));
        is_changed |= form.parts.len() < before;
    }
    for (name, value) in &rules.replace {
        let Some(index) = form.parts.iter().position(|part| part.is_named(name)) else { continue };
        let part = form.field(name, &value.render(exchange))?;
        form.parts.retain(|part| !part.is_named(name));
        form.parts.insert(index, part);
        is_changed = true;
    }
    for (name, value) in &rules.add {
        if !form.has(name) {
            let part = form.field(name, &value.render(exchange))?;
            form.parts.push(part);
            is_changed = true;
        }
    }
    for (name, value) in &rules.append {
        let part = form.field(name, &value.render(exchange))?;
        form.parts.push(part);
        is_changed = true;
    }
    Ok(is_changed.then(|| form.into_bytes()))
}

/// A body and its parts.
struct MultipartForm<'a> {
    /// The boundary with the two hyphens before it.
    delimiter: String,
    /// What stands before the first delimiter.
    preamble: &'a [u8],
    parts: Vec<Part<'a>>,
    /// The last delimiter, and what stands after it.
    end: Cow<'a, [u8]>,
}

/// A part, with the delimiter before it and the line end after it.
struct Part<'a> {
    bytes: Cow<'a, [u8]>,
    /// The parameters of its head that name it: their positions in `bytes`, and the names.
    names: Vec<(Range<usize>, String)>,
}

impl<'a> MultipartForm<'a> {
    /// Reads a body; `None` if it has content and no delimiter.
    fn read(body: &'a [u8], boundary: &str) -> Result<Option<Self>, MultipartFault> {
        let delimiter = format!("--{boundary}");
        let lines = delimiter_lines(body, delimiter.as_bytes())?;
        let Some(first) = lines.first() else {
            let end = Cow::Owned(format!("{delimiter}--\r\n").into_bytes());
            let is_empty = body.trim_ascii().is_empty();
            return Ok(is_empty.then_some(Self { delimiter, preamble: &[], parts: Vec::new(), end }));
        };
        let mut form = Self {
            delimiter,
            preamble: body.get(..first.line.start).unwrap_or_default(),
            parts: Vec::new(),
            end: Cow::Borrowed(&[]),
        };
        for (n, line) in lines.iter().enumerate() {
            if line.is_last {
                form.end = Cow::Borrowed(body.get(line.line.start..).unwrap_or_default());
                return Ok(Some(form));
            }
            let end = lines.get(n + 1).map_or(body.len(), |next| next.line.start);
            let bytes = body.get(line.line.start..end).unwrap_or_default();
            form.parts.push(Part::read(bytes, line.line.len()));
        }
        // The body was cut off, or its sender does not close it.
        if let Some(last) = form.parts.last_mut().filter(|last| !last.bytes.ends_with(b"\n")) {
            last.bytes.to_mut().extend_from_slice(b"\r\n");
        }
        form.end = Cow::Owned(format!("{}--\r\n", form.delimiter).into_bytes());
        Ok(Some(form))
    }

    fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.is_named(name))
    }

    /// A part of a name and a value.
    fn field(&self, name: &str, value: &str) -> Result<Part<'a>, MultipartFault> {
        if value.contains(&self.delimiter) {
            return Err(MultipartFault::BoundaryInValue);
        }
        if self.parts.len() >= MAX_PARTS {
            return Err(MultipartFault::TooManyParts);
        }
        let line = format!("{}\r\n", self.delimiter);
        let head = format!("Content-Disposition: form-data; {}\r\n\r\n", name_parameter(name));
        Ok(Part::read_owned(format!("{line}{head}{value}\r\n").into_bytes(), line.len()))
    }

    fn into_bytes(self) -> Vec<u8> {
        let size = self.parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(self.preamble.len() + size + self.end.len());
        bytes.extend_from_slice(self.preamble);
        for part in &self.parts {
            bytes.extend_from_slice(&part.bytes);
        }
        bytes.extend_from_slice(&self.end);
        bytes
    }
}

impl<'a> Part<'a> {
    /// Reads a part whose head begins at `head`.
    fn read(bytes: &'a [u8], head: usize) -> Self {
        Self { names: names(bytes, head), bytes: Cow::Borrowed(bytes) }
    }

    fn read_owned(bytes: Vec<u8>, head: usize) -> Self {
        Self { names: names(&bytes, head), bytes: Cow::Owned(bytes) }
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|(_, own)| own == name)
    }

    /// Changes its name; all else keeps its bytes.
    fn rename(&mut self, name: &str) {
        let parameter = name_parameter(name);
        let mut ranges: Vec<Range<usize>> = self.names.iter().map(|(range, _)| range.clone()).collect();
        ranges.dedup();
        let bytes = self.bytes.to_mut();
        let mut renamed = Vec::with_capacity(ranges.len());
        for range in ranges.into_iter().rev() {
            renamed.push((range.start..range.start + parameter.len(), name.to_owned()));
            bytes.splice(range, parameter.bytes());
        }
        // Positions of a second parameter would have moved; a part has one name now.
        self.names = renamed.pop().into_iter().collect();
    }
}

/// A line with the delimiter.
struct DelimiterLine {
    line: Range<usize>,
    /// Whether no part follows it.
    is_last: bool,
}

/// The lines of a body that are delimiters, up to the last one.
fn delimiter_lines(body: &[u8], delimiter: &[u8]) -> Result<Vec<DelimiterLine>, MultipartFault> {
    let mut lines = Vec::new();
    for start in Finder::new(delimiter).find_iter(body) {
        let begins_line = start == 0 || body.get(start - 1) == Some(&b'\n');
        if !begins_line {
            continue;
        }
        let rest = body.get(start + delimiter.len()..).unwrap_or_default();
        if rest.starts_with(b"--") {
            lines.push(DelimiterLine { line: start..body.len(), is_last: true });
            return Ok(lines);
        }
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (padding, _) = rest.split_at(length);
        // Another boundary may begin with this one.
        if padding.trim_ascii().is_empty() {
            if lines.len() == MAX_PARTS {
                return Err(MultipartFault::TooManyParts);
            }
            lines.push(DelimiterLine { line: start..start + delimiter.len() + length, is_last: false });
        }
    }
    Ok(lines)
}

/// The names in the head that begins at `start`: parameters `name` and `name*` of `Content-Disposition`.
fn names(bytes: &[u8], start: usize) -> Vec<(Range<usize>, String)> {
    let mut names = Vec::new();
    let mut at = start;
    while let Some(line) = next_field(bytes, at) {
        at = line.end;
        let Some(text) = bytes.get(line.clone()) else { break };
        let Some(colon) = memchr::memchr(b':', text) else { continue };
        let (name, value) = (text.get(..colon), text.get(colon + 1..));
        let (Some(name), Some(value)) = (name, value.map(<[u8]>::trim_ascii_end)) else { continue };
        if !name.trim_ascii().eq_ignore_ascii_case(b"content-disposition") {
            continue;
        }
        // Bytes that are no UTF-8 stand in for themselves, so that positions stay.
        let value_start = line.start + colon + 1;
        let text: String =
            value.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect();
        for found in (FieldParameters { text: &text, at: 0 }) {
            let range = value_start + found.range.start..value_start + found.range.end;
            let raw = value.get(found.value_range.clone()).unwrap_or_default();
            let raw = String::from_utf8_lossy(raw).into_owned();
            if found.name.eq_ignore_ascii_case("name") {
                for name in spellings(&raw) {
                    names.push((range.clone(), name));
                }
            } else if found.name.eq_ignore_ascii_case("name*") {
                // RFC 8187: charset, language and percent-encoded text, separated by apostrophes.
                let encoded = raw.splitn(3, '\'').nth(2).unwrap_or(&raw);
                names.push((range, percent_decode_str(encoded).decode_utf8_lossy().into_owned()));
            }
        }
    }
    names
}

/// The next field of a head with the lines that continue it; `None` at the end of the head.
fn next_field(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let mut end = start;
    loop {
        let rest = bytes.get(end..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        if end == start && rest.get(..length).is_some_and(|line| line.trim_ascii().is_empty()) {
            return None;
        }
        end += length;
        let continues = bytes.get(end).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        let is_blank = bytes.get(end..).is_some_and(|rest| {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            rest.get(..length).is_some_and(|line| line.trim_ascii().is_empty())
        });
        if !continues || is_blank {
            return Some(start..end);
        }
    }
}

/// The names that a value may mean: as written, without backslashes, and without the percent-encoding of browsers.
fn spellings(raw: &str) -> Vec<String> {
    let mut all = vec![raw.to_owned()];
    let unescaped = unescape(raw);
    // HTML, "multipart/form-data encoding algorithm".
    let decoded = unescaped.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    for other in [unescaped, decoded] {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// The text of a quoted string without its backslashes.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    out
}

/// The parameter `name` with this value.
fn name_parameter(name: &str) -> String {
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("name=\"{name}\"")
}

/// Iterator over the parameters of a field's value. Texts without `=` are skipped.
struct FieldParameters<'a> {
    text: &'a str,
    at: usize,
}

/// One parameter.
struct FieldParameter<'a> {
    name: &'a str,
    /// Its value without quotes, with its backslashes.
    value: &'a str,
    value_range: Range<usize>,
    /// Its position, from the name to the end of the value.
    range: Range<usize>,
}

impl<'a> Iterator for FieldParameters<'a> {
    type Item = FieldParameter<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let start = self.at + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ';']).len());
            let rest = self.text.get(start..)?;
            let stop = rest.find(['=', ';']).unwrap_or(rest.len());
            self.at = start + stop;
            if !rest.get(stop..)?.starts_with('=') {
                continue;
            }
            let name = rest.get(..stop)?.trim_end();
            let after = rest.get(stop + 1..)?;
            let value_start = start + stop + 1 + (after.len() - after.trim_start().len());
            let value = self.text.get(value_start..)?;
            let (value_range, end) = if let Some(quoted) = value.strip_prefix('"') {
                let length = closing_quote(quoted);
                let inside = value_start + 1..value_start + 1 + length;
                let end = (inside.end + 1).min(self.text.len());
                (inside, end)
            } else {
                let length = value.find(';').unwrap_or(value.len());
                let length = value.get(..length)?.trim_end().len();
                (value_start..value_start + length, value_start + length)
            };
            self.at = end;
            let value = self.text.get(value_range.clone())?;
            return Some(FieldParameter { name, value, value_range, range: start..end });
        }
    }
}

/// The position of the quote that closes a quoted string; its end if there is none.
fn closing_quote(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at,
            _ => (),
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_read() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=AaB03x", Some("AaB03x")),
            ("Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b;c\\\"d\"; x", Some("a b;c\"d")),
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk",
                Some("----WebKitFormBoundary7MA4YWxk"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=a", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
    }

    #[test]
    fn every_spelling_of_a_name_is_found() {
        for head in [
            "Content-Disposition: form-data; name=\"pass\"",
            "content-disposition:form-data;name=pass",
            "CONTENT-DISPOSITION: form-data; filename=\"a;name=x\"; NAME = \"pass\"",
            "X: y\r\nContent-Disposition: form-data;\r\n name=\"pass\"",
            "Content-Disposition: form-data; name=\"p\\ass\"",
            "Content-Disposition: form-data; name*=utf-8''p%61ss",
            "Content-Disposition: form-data; name=\"other\"; name=\"pass\"",
            "Content-Disposition: form-data; name=\"pass",
            "Content-Disposition: form-data; name='x'\nContent-Disposition: form-data; name=pass",
        ] {
            let part = format!("{head}\r\n\r\nvalue\r\n");
            let found = names(part.as_bytes(), 0);
            assert!(found.iter().any(|(_, name)| name == "pass"), "{head}: {found:?}");
        }
        for head in
            ["X: form-data; name=\"pass\"", "Content-Disposition: form-data; filename=\"; name=pass\"", ""]
        {
            let part = format!("{head}\r\n\r\nContent-Disposition: form-data; name=\"pass\"\r\n");
            assert!(names(part.as_bytes(), 0).is_empty(), "{head}");
        }
    }

    #[test]
    fn parts_are_bounded() {
        let body = "--x\r\n\r\n".repeat(MAX_PARTS + 1);
        let read = MultipartForm::read(body.as_bytes(), "x").map(|form| form.is_some());
        assert_eq!(read, Err(MultipartFault::TooManyParts));
    }

    proptest::proptest! {
        #[test]
        fn a_form_that_is_read_has_the_bytes_of_its_body(
            parts in proptest::collection::vec(0..PIECES.len(), 0..24),
        ) {
            let body: String = parts.into_iter().map(|n| PIECES[n]).collect();
            if let Some(form) = MultipartForm::read(body.as_bytes(), "b").unwrap() {
                let is_closed = matches!(form.end, Cow::Borrowed(_));
                let bytes = form.into_bytes();
                if is_closed {
                    proptest::prop_assert_eq!(bytes, body.into_bytes());
                } else {
                    proptest::prop_assert!(bytes.starts_with(body.trim_ascii_end().as_bytes()));
                }
            }
        }
    }

    const PIECES: &[&str] = &[
        "--b",
        "--",
        "--b--",
        "\r\n",
        "\n",
        "\r\n--b\r\n",
        "Content-Disposition: form-data; name=\"a\"",
        "name=",
        "\"",
        "\\",
        ";",
        ":",
        "é",
        " ",
        "x",
    ];
}
