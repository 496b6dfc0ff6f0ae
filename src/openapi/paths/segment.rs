//! One segment of a template: text, a parameter, or both in turn (`{base}...{head}`, `{id}.json`).

use std::{borrow::Cow, ops::Range};

use percent_encoding::percent_decode_str;

/// One segment of a template, its text without percent-encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TemplateSegment {
    /// Text alone.
    Literal(Box<[u8]>),
    /// One parameter alone.
    Parameter(Box<str>),
    /// Parameters with text around or between them.
    Mixed(Vec<SegmentPart>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SegmentPart {
    Literal(Box<[u8]>),
    Parameter(Box<str>),
}

impl TemplateSegment {
    /// The segments of a template up to the first `#` or `?` outside of braces.
    pub(super) fn of_template(template: &str) -> Vec<Self> {
        let path = without_suffix(template);
        split(path).into_iter().map(Self::new).collect()
    }

    fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            // A brace that is never closed is text.
            let Some((name, tail)) = after.split_once('}') else { break };
            literal.push_str(before);
            if !literal.is_empty() {
                parts.push(SegmentPart::Literal(decoded(&literal).into()));
                literal.clear();
            }
            parts.push(SegmentPart::Parameter(name.into()));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(SegmentPart::Literal(decoded(&literal).into()));
        }
        match parts.as_slice() {
            [SegmentPart::Literal(text)] => Self::Literal(text.clone()),
            [SegmentPart::Parameter(name)] => Self::Parameter(name.clone()),
            _ => Self::Mixed(parts),
        }
    }

    /// Whether a decoded segment of a path fits; tells each parameter and its place in the segment.
    pub(super) fn capture<'a>(&'a self, text: &[u8], mut found: impl FnMut(&'a str, Range<usize>)) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Parameter(name) => {
                found(name, 0..text.len());
                !text.is_empty()
            }
            Self::Mixed(parts) => mixed(parts, text, found),
        }
    }
}

/// How specific mixed parts are: more text first, then fewer parameters.
pub(super) fn specificity(parts: &[SegmentPart]) -> (usize, std::cmp::Reverse<usize>) {
    let text =
        parts.iter().map(|part| if let SegmentPart::Literal(text) = part { text.len() } else { 0 }).sum();
    let parameters = parts.iter().filter(|part| matches!(part, SegmentPart::Parameter(_))).count();
    (text, std::cmp::Reverse(parameters))
}

/// Whether two mixed segments fit the same texts: only the names of parameters differ.
pub(super) fn same_shape(one: &[SegmentPart], other: &[SegmentPart]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| match (one, other) {
            (SegmentPart::Literal(one), SegmentPart::Literal(other)) => one == other,
            (SegmentPart::Parameter(_), SegmentPart::Parameter(_)) => true,
            _ => false,
        })
}

/// Each parameter takes at least one byte and as few as will do; text that ends the segment stands at its end.
/// Taking the first place where a text fits is enough, as with `*` in a file name, so this needs no backtracking.
pub(super) fn mixed<'a>(
    parts: &'a [SegmentPart],
    text: &[u8],
    mut found: impl FnMut(&'a str, Range<usize>),
) -> bool {
    let mut at = 0;
    let mut open: Option<&str> = None;
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            SegmentPart::Parameter(name) => {
                if let Some(before) = open.replace(name) {
                    // Two in a row: the first takes one character.
                    if at >= text.len() {
                        return false;
                    }
                    let end = next_character(text, at);
                    found(before, at..end);
                    at = end;
                }
            }
            SegmentPart::Literal(literal) => {
                let start = match open {
                    None => Some(at).filter(|at| text[*at..].starts_with(literal)),
                    Some(_) if parts.peek().is_none() => text
                        .len()
                        .checked_sub(literal.len())
                        .filter(|start| text.ends_with(literal) && *start > at),
                    Some(_) => position(text, literal, at + 1),
                };
                let Some(start) = start else { return false };
                if let Some(name) = open.take() {
                    found(name, at..start);
                }
                at = start + literal.len();
            }
        }
    }
    match open {
        Some(name) => {
            found(name, at..text.len());
            at < text.len()
        }
        None => at == text.len(),
    }
}

fn position(text: &[u8], literal: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(literal.len().max(1)).position(|window| window == literal).map(|at| from + at)
}

/// Where the UTF-8 character that begins at `at` ends.
fn next_character(text: &[u8], at: usize) -> usize {
    let more = text[at + 1..].iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    at + 1 + more
}

/// The places of some bytes in a template, outside of braces. A brace that is never closed is text.
fn outside_braces<'a>(template: &'a str, wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let (mut at, mut closed) = (0, true);
    std::iter::from_fn(move || {
        loop {
            let byte = *template.as_bytes().get(at)?;
            let here = at;
            at += 1;
            if wanted.contains(&byte) {
                return Some(here);
            }
            if byte == b'{' && closed {
                match template[at..].find('}') {
                    Some(close) => at += close + 1,
                    // Where none closes this one, none closes a later one.
                    None => closed = false,
                }
            }
        }
    })
}

/// Splits a template at slashes outside of braces.
fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut found = Vec::new();
    let mut start = 0;
    for slash in outside_braces(path, b"/") {
        found.push(&path[start..slash]);
        start = slash + 1;
    }
    found.push(&path[start..]);
    found
}

/// Whether a template is a path and nothing else: no `#` or `?` and what follows it.
#[must_use]
pub fn is_plain(template: &str) -> bool {
    without_suffix(template).len() == template.len()
}

fn without_suffix(template: &str) -> &str {
    &template[..outside_braces(template, b"#?").next().unwrap_or(template.len())]
}

/// The places of the segments of a path.
pub(super) fn segments(path: &str) -> impl Iterator<Item = Range<usize>> {
    let start = usize::from(path.starts_with('/'));
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let from = next?;
        let end = path[from..].find('/').map_or(path.len(), |slash| from + slash);
        next = (end < path.len()).then_some(end + 1);
        Some(from..end)
    })
}

/// A segment without percent-encoding.
pub(super) fn decoded(segment: &str) -> Cow<'_, [u8]> {
    percent_decode_str(segment).into()
}

/// A place in a decoded segment as a place in the segment as it was sent.
pub(super) fn encoded_range(segment: &str, place: &Range<usize>) -> Range<usize> {
    let (mut sent, mut plain) = (0, 0);
    let mut start = None;
    while plain < place.end && sent < segment.len() {
        if plain == place.start {
            start = Some(sent);
        }
        let bytes = segment.as_bytes();
        let escape = bytes[sent] == b'%'
            && bytes.get(sent + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(sent + 2).is_some_and(u8::is_ascii_hexdigit);
        sent += if escape { 3 } else { 1 };
        plain += 1;
    }
    start.unwrap_or(sent)..sent
}
