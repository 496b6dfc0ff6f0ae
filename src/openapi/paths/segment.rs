//! Segment of a path template: text, a parameter, or both in turn (`{base}...{head}`, `{id}.json`).

use std::{borrow::Cow, ops::Range};

use percent_encoding::percent_decode_str;

/// One segment of a template; its text is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TemplateSegment {
    /// Text only.
    Literal(Box<[u8]>),
    /// A single parameter.
    Parameter(Box<str>),
    /// Parameters with text around or between them, or several parameters.
    Mixed(Vec<SegmentPart>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SegmentPart {
    Literal(Box<[u8]>),
    Parameter(Box<str>),
}

impl TemplateSegment {
    /// Parses the segments of a template up to the first `#` or `?` outside of braces.
    pub(super) fn parse_template(template: &str) -> Vec<Self> {
        let path = without_suffix(template);
        split_template(path).into_iter().map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            // A brace without its counterpart is text.
            let Some((name, tail)) = after.split_once('}') else { break };
            literal.push_str(before);
            if !literal.is_empty() {
                parts.push(SegmentPart::Literal(decode(&literal).into()));
                literal.clear();
            }
            parts.push(SegmentPart::Parameter(name.into()));
            rest = tail;
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(SegmentPart::Literal(decode(&literal).into()));
        }
        match parts.as_slice() {
            [SegmentPart::Literal(text)] => Self::Literal(text.clone()),
            [SegmentPart::Parameter(name)] => Self::Parameter(name.clone()),
            _ => Self::Mixed(parts),
        }
    }

    /// Whether a decoded segment of a path matches. Calls `found` with each parameter and its range in the segment.
    pub(super) fn capture<'a>(&'a self, text: &[u8], mut found: impl FnMut(&'a str, Range<usize>)) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Parameter(name) => {
                found(name, 0..text.len());
                !text.is_empty()
            }
            Self::Mixed(parts) => match_mixed(parts, text, found),
        }
    }
}

/// Specificity of a mixed segment: the more text the better, then the fewer parameters.
pub(super) fn specificity(parts: &[SegmentPart]) -> (usize, std::cmp::Reverse<usize>) {
    let text =
        parts.iter().map(|part| if let SegmentPart::Literal(text) = part { text.len() } else { 0 }).sum();
    let parameters = parts.iter().filter(|part| matches!(part, SegmentPart::Parameter(_))).count();
    (text, std::cmp::Reverse(parameters))
}

/// Whether two mixed segments match the same texts, as they differ in the names of parameters only.
pub(super) fn has_same_shape(one: &[SegmentPart], other: &[SegmentPart]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| match (one, other) {
            (SegmentPart::Literal(one), SegmentPart::Literal(other)) => one == other,
            (SegmentPart::Parameter(_), SegmentPart::Parameter(_)) => true,
            _ => false,
        })
}

/// Whether a decoded segment matches mixed parts. A parameter takes at least one byte, and as few as possible; text at
/// the end of the parts has to be at the end of the segment. The first occurrence of each text is enough, as with `*`
/// in a file name pattern, so no backtracking is needed.
pub(super) fn match_mixed<'a>(
    parts: &'a [SegmentPart],
    text: &[u8],
    mut found: impl FnMut(&'a str, Range<usize>),
) -> bool {
    let mut at = 0;
    let mut parameter: Option<&str> = None;
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            SegmentPart::Parameter(name) => {
                if let Some(previous) = parameter.replace(name) {
                    // Of two adjacent parameters, the first takes one character.
                    if at >= text.len() {
                        return false;
                    }
                    let end = character_end(text, at);
                    found(previous, at..end);
                    at = end;
                }
            }
            SegmentPart::Literal(literal) => {
                let start = match parameter {
                    None => Some(at).filter(|at| text[*at..].starts_with(literal)),
                    Some(_) if parts.peek().is_none() => text
                        .len()
                        .checked_sub(literal.len())
                        .filter(|start| text.ends_with(literal) && *start > at),
                    Some(_) => find_from(text, literal, at + 1),
                };
                let Some(start) = start else { return false };
                if let Some(name) = parameter.take() {
                    found(name, at..start);
                }
                at = start + literal.len();
            }
        }
    }
    match parameter {
        Some(name) => {
            found(name, at..text.len());
            at < text.len()
        }
        None => at == text.len(),
    }
}

fn find_from(text: &[u8], literal: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(literal.len().max(1)).position(|window| window == literal).map(|at| from + at)
}

/// The end of the UTF-8 character that begins at `at`.
fn character_end(text: &[u8], at: usize) -> usize {
    let more = text[at + 1..].iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    at + 1 + more
}

/// The positions of some bytes in a template, outside of braces. A brace without its counterpart is text.
fn outside_braces<'a>(template: &'a str, searched: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let (mut at, mut has_closing) = (0, true);
    std::iter::from_fn(move || {
        loop {
            let byte = *template.as_bytes().get(at)?;
            let here = at;
            at += 1;
            if searched.contains(&byte) {
                return Some(here);
            }
            if byte == b'{' && has_closing {
                match template[at..].find('}') {
                    Some(close) => at += close + 1,
                    // Without a closing brace after this one, there is none after a later one.
                    None => has_closing = false,
                }
            }
        }
    })
}

/// Splits a template at slashes outside of braces.
fn split_template(path: &str) -> Vec<&str> {
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

/// Whether a template is a path only, without a `#` or `?` and what follows it.
#[must_use]
pub fn is_plain(template: &str) -> bool {
    without_suffix(template).len() == template.len()
}

fn without_suffix(template: &str) -> &str {
    &template[..outside_braces(template, b"#?").next().unwrap_or(template.len())]
}

/// The ranges of the segments of a path.
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
pub(super) fn decode(segment: &str) -> Cow<'_, [u8]> {
    percent_decode_str(segment).into()
}

/// The range in an encoded segment that a range in its decoded form comes from.
pub(super) fn encoded_range(segment: &str, range: &Range<usize>) -> Range<usize> {
    let (mut encoded, mut decoded) = (0, 0);
    let mut start = None;
    while decoded < range.end && encoded < segment.len() {
        if decoded == range.start {
            start = Some(encoded);
        }
        let bytes = segment.as_bytes();
        let is_escape = bytes[encoded] == b'%'
            && bytes.get(encoded + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(encoded + 2).is_some_and(u8::is_ascii_hexdigit);
        encoded += if is_escape { 3 } else { 1 };
        decoded += 1;
    }
    start.unwrap_or(encoded)..encoded
}
