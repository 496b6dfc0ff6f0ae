//! The way from a [`Path`] back to a place in the text: a second walk, taken only when something is wrong.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Covered, Path, Step, yaml};

/// Where a node stands, in bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its key, where it has one.
    pub key: Option<Range<usize>>,
    /// The node itself.
    pub value: Range<usize>,
    /// Whether this is the node asked for, not only its nearest ancestor.
    pub exact: bool,
}

impl Located {
    /// What to underline for a complaint about the node: a collection by its key, a scalar itself.
    #[must_use]
    pub fn node(&self, text: &str) -> Range<usize> {
        let one_line = text.get(self.value.clone()).is_some_and(|it| !it.is_empty() && !it.contains('\n'));
        match &self.key {
            Some(key) if !one_line => key.clone(),
            _ => self.value.clone(),
        }
    }
}

/// Finds the node at `path`, or its nearest ancestor that stands in the text.
///
/// `byte` is a place inside the document that the path ends in: of a syntax error, say.
#[must_use]
pub fn locate(text: &str, path: &Path, byte: Option<usize>) -> Located {
    locate_all(text, &[(path, byte)]).pop().unwrap_or(Located { key: None, value: 0..0, exact: false })
}

/// The same for several nodes, in one walk.
#[must_use]
pub fn locate_all(text: &str, wanted: &[(&Path, Option<usize>)]) -> Vec<Located> {
    let parts = |path: &Path| -> Vec<Vec<Step>> {
        path.steps().split(|step| *step == Step::Inside).map(<[Step]>::to_vec).collect()
    };
    let parts: Vec<Vec<Vec<Step>>> = wanted.iter().map(|(path, _)| parts(path)).collect();
    let firsts: Vec<&[Step]> = parts.iter().map(|parts| parts[0].as_slice()).collect();
    let found = walk(text, &firsts);
    let one = |(n, (located, style)): (usize, (Located, Option<ScalarStyle>))| match (
        wanted[n].1,
        &parts[n][1..],
    ) {
        (Some(byte), []) => at(text, byte),
        (_, []) => located,
        (byte, inner) => inside(text, &located, style, inner, byte),
    };
    found.into_iter().enumerate().map(one).collect()
}

/// Goes on inside the text of the string that was found.
fn inside(
    text: &str,
    found: &Located,
    style: Option<ScalarStyle>,
    parts: &[Vec<Step>],
    byte: Option<usize>,
) -> Located {
    let (mut located, mut style) = (found.clone(), style);
    let mut outer = Frame::whole(text);
    for (n, steps) in parts.iter().enumerate() {
        // Only a literal block keeps the lines of the document that it holds.
        let Some(frame) = outer.block(&located.value, style) else {
            return outer.out(&located, false);
        };
        outer = frame;
        (located, style) = match byte.filter(|_| n + 1 == parts.len()) {
            Some(byte) => (at(&outer.text, byte), None),
            None => walk(&outer.text, &[steps]).pop().unwrap_or((located, None)),
        };
    }
    let exact = located.exact;
    outer.out(&located, exact)
}

/// The word at a byte.
fn at(text: &str, byte: usize) -> Located {
    let mut start = byte.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let word = text[start..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - start);
    let end = start + word.max(text[start..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8));
    Located { key: None, value: start..end, exact: true }
}

/// A document and how it lies in the text that holds it.
struct Frame {
    text: String,
    /// For each line of the document: where it starts here, and where in the outermost text.
    lines: Vec<(usize, usize)>,
}

impl Frame {
    fn whole(text: &str) -> Self {
        let mut start = 0;
        let lines = text
            .split_inclusive('\n')
            .map(|line| {
                let here = start;
                start += line.len();
                (here, here)
            })
            .collect();
        Self { text: text.to_owned(), lines }
    }

    /// The document inside the literal block scalar at `place`.
    fn block(&self, place: &Range<usize>, style: Option<ScalarStyle>) -> Option<Self> {
        if style != Some(ScalarStyle::Literal) {
            return None;
        }
        let body = self.text.get(place.clone())?;
        // The scalar's place may begin at its `|`; its lines come after that.
        let head = if body.starts_with(['|', '>']) { body.find('\n')? + 1 } else { 0 };
        let first = self.text[..place.start + head].rfind('\n').map_or(0, |newline| newline + 1);
        let lines = self.text.get(first..place.end)?;
        let indent = lines
            .lines()
            .find(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start_matches(' ').len())?;
        let mut text = String::with_capacity(lines.len());
        let mut starts = Vec::new();
        let mut at = first;
        for line in lines.split_inclusive('\n') {
            let cut = indent.min(line.len() - line.trim_start_matches(' ').len());
            starts.push((text.len(), self.outermost(at + cut)));
            text.push_str(&line[cut..]);
            at += line.len();
        }
        Some(Self { text, lines: starts })
    }

    fn outermost(&self, byte: usize) -> usize {
        let line = self.lines.partition_point(|(start, _)| *start <= byte).saturating_sub(1);
        self.lines.get(line).map_or(byte, |(start, outer)| outer + (byte - start))
    }

    fn out(&self, located: &Located, exact: bool) -> Located {
        let range = |it: &Range<usize>| self.outermost(it.start)..self.outermost(it.end);
        Located { key: located.key.as_ref().map(range), value: range(&located.value), exact }
    }
}

/// The nodes that `wanted` lead to, or their nearest ancestors, and their styles if they are scalars.
fn walk(text: &str, wanted: &[&[Step]]) -> Vec<(Located, Option<ScalarStyle>)> {
    let covered = Covered::new(text);
    let text = covered.text();
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let whole = |exact| Located { key: None, value: 0..0, exact };
    let mut walks: Vec<Walk<'_>> = wanted
        .iter()
        .map(|it| Walk { wanted: it, best: (0, whole(it.is_empty()), None), open: Vec::new(), start })
        .collect();
    for item in Parser::new_from_str_with_options(&text[start..], yaml::reading()) {
        let Ok((event, span)) = item else { break };
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        // Of a key that stands twice the last one counts, so the walk goes on to the end.
        for walk in &mut walks {
            walk.event(&event, span);
        }
    }
    walks.into_iter().map(|walk| (walk.best.1, walk.best.2)).collect()
}

struct Walk<'a> {
    wanted: &'a [Step],
    /// How many wanted steps the best node so far matches, where it is, and its style.
    best: (usize, Located, Option<ScalarStyle>),
    open: Vec<Open>,
    start: usize,
}

struct Open {
    /// How many wanted steps lead here, if this node is on the way.
    depth: Option<usize>,
    key: Option<(String, Range<usize>)>,
    next: usize,
    mapping: bool,
}

impl Walk<'_> {
    fn event(&mut self, event: &Event<'_>, span: Span) {
        let range = span.byte_range().unwrap_or(0..0);
        let range = range.start + self.start..range.end + self.start;
        match event {
            Event::Scalar(text, style, ..) => {
                if let Some(open) = self.open.last_mut().filter(|open| open.mapping && open.key.is_none()) {
                    // Off the way only that there is a key matters.
                    let name = if open.depth.is_some() { text.to_string() } else { String::new() };
                    open.key = Some((name, range));
                    return;
                }
                self.node(range, Some(*style));
                self.complete();
            }
            Event::Alias(_) => {
                if let Some(open) = self.open.last_mut().filter(|open| open.mapping && open.key.is_none()) {
                    open.key = Some((String::new(), range));
                    return;
                }
                self.node(range, None);
                self.complete();
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let depth = self.node(range, None);
                let mapping = matches!(event, Event::MappingStart(..));
                self.open.push(Open { depth, key: None, next: 0, mapping });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.open.pop().and_then(|open| open.depth);
                if closed == Some(self.best.0) {
                    self.best.1.value.end = range.end.max(self.best.1.value.start);
                }
                self.complete();
            }
            _ => (),
        }
    }

    /// Visits a node; how many wanted steps lead to it, if it is on the way.
    fn node(&mut self, range: Range<usize>, style: Option<ScalarStyle>) -> Option<usize> {
        let (depth, key) = match self.open.last() {
            None => (Some(0), None),
            Some(open) => {
                let fits = open.depth.is_some_and(|depth| match self.wanted.get(depth) {
                    Some(Step::Index(n)) => !open.mapping && *n == open.next,
                    Some(Step::Key(wanted)) => {
                        open.key.as_ref().is_some_and(|(key, _)| open.mapping && **key == **wanted)
                    }
                    _ => false,
                });
                (
                    open.depth.filter(|_| fits).map(|depth| depth + 1),
                    open.key.as_ref().map(|(_, at)| at.clone()),
                )
            }
        };
        if let Some(depth) = depth.filter(|depth| *depth >= self.best.0) {
            self.best = (depth, Located { key, value: range, exact: depth == self.wanted.len() }, style);
        }
        depth
    }

    /// A node is complete: its parent is ready for the next one.
    fn complete(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.next += 1;
            open.key = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# a comment
services:
- name: a
  routes:
  - {paths: [/x, /y], plugins: [{name: mocking}]}
- name: é
  spec: |
    openapi: 3.0.0
    paths:

      /x: {get: 1}
";

    #[track_caller]
    fn check(path: &Path, underlined: &str, exact: bool) {
        let located = locate(TEXT, path, None);
        assert_eq!(&TEXT[located.node(TEXT)], underlined, "{path}");
        assert_eq!(located.exact, exact, "{path}");
    }

    #[test]
    fn nodes_are_found() {
        let services = Path::root().key("services");
        check(&services, "services", true);
        check(&services.index(0).key("name"), "a", true);
        check(&services.index(0).key("routes").index(0).key("paths").index(1), "/y", true);
        check(&services.index(1).key("name"), "é", true);
        check(&services.index(1).key("spec").inside().key("openapi"), "3.0.0", true);
        check(&services.index(1).key("spec").inside().key("paths").key("/x").key("get"), "1", true);
        check(
            &services.index(0).key("routes").index(0).key("methods"),
            "{paths: [/x, /y], plugins: [{name: mocking}]}",
            false,
        );
        check(&services.index(0).key("name").inside().key("x"), "a", false);
    }

    #[test]
    fn a_byte_inside_a_block_is_found() {
        let spec = Path::root().key("services").index(1).key("spec").inside();
        let located = locate(TEXT, &spec, Some("openapi: 3.0.0\npaths:\n\n  ".len()));
        assert!(TEXT[located.value.start..].starts_with("/x: {get: 1}"), "{located:?}");
    }

    #[test]
    fn no_prefix_of_a_text_panics() {
        let path = Path::root().key("services").index(1).key("spec").inside().key("paths").key("/x");
        for (end, _) in TEXT.char_indices() {
            for byte in [None, Some(0), Some(17), Some(10_000)] {
                let located = locate(&TEXT[..end], &path, byte);
                assert!(TEXT.get(located.node(&TEXT[..end])).is_some());
            }
        }
    }
}
