//! Byte positions of nodes: a second pass over the text, made only if there is a diagnostic.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Dialect, MaskedText, NodePath, PathStep, SharedText, yaml};

/// Byte ranges of a node in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpan {
    /// The key, if the node has one.
    pub key: Option<Range<usize>>,
    /// The node itself.
    pub value: Range<usize>,
    /// Whether this is the requested node; else it is its nearest ancestor in the text.
    pub exact: bool,
}

impl NodeSpan {
    /// The range to underline for the node: the key of a collection, a scalar itself.
    #[must_use]
    pub fn node(&self, text: &str) -> Range<usize> {
        let one_line =
            text.get(self.value.clone()).is_some_and(|value| !value.is_empty() && !value.contains('\n'));
        match &self.key {
            Some(key) if !one_line => key.clone(),
            _ => self.value.clone(),
        }
    }
}

/// Finds the node at `path`, or its nearest ancestor in the text.
///
/// `byte` is an offset in the document at the end of the path, such as that of a syntax error.
#[must_use]
pub fn locate(text: &str, path: &NodePath, byte: Option<usize>) -> NodeSpan {
    locate_all(text, &[(path, byte)]).pop().unwrap_or(NodeSpan { key: None, value: 0..0, exact: false })
}

/// Finds several nodes; each text, and each document inside a string, is parsed once.
#[must_use]
pub fn locate_all(text: &str, wanted: &[(&NodePath, Option<usize>)]) -> Vec<NodeSpan> {
    let parts = |path: &NodePath| -> Vec<Vec<PathStep>> {
        path.steps().split(|step| *step == PathStep::Inside).map(<[PathStep]>::to_vec).collect()
    };
    let parts: Vec<Vec<Vec<PathStep>>> = wanted.iter().map(|(path, _)| parts(path)).collect();
    let wanted: Vec<Inner<'_>> =
        parts.iter().zip(wanted).map(|(parts, (_, byte))| (parts.as_slice(), *byte)).collect();
    locate_within(&EmbeddedFrame::whole(text), &wanted)
}

/// The steps to a node, split where they enter a string, and the byte offset in the innermost document, if given.
type Inner<'a> = (&'a [Vec<PathStep>], Option<usize>);

/// The ranges of nodes of a frame, as offsets in the outermost text.
fn locate_within(frame: &EmbeddedFrame<'_>, wanted: &[Inner<'_>]) -> Vec<NodeSpan> {
    let first = |(parts, _): &Inner<'_>| parts.first().cloned().unwrap_or_default();
    let firsts: Vec<Vec<PathStep>> = wanted.iter().map(first).collect();
    let firsts: Vec<&[PathStep]> = firsts.iter().map(Vec::as_slice).collect();
    // If only byte offsets are requested, the text need not be parsed.
    let are_bytes = wanted.iter().all(|(parts, byte)| byte.is_some() && parts.len() == 1);
    let nowhere = || (NodeSpan { key: None, value: 0..0, exact: false }, None);
    let found = if are_bytes { vec![nowhere(); wanted.len()] } else { walk(&frame.text, &firsts) };
    let mut all = Vec::with_capacity(wanted.len());
    let mut strings: HashMap<&[PathStep], Vec<usize>> = HashMap::new();
    for (n, ((parts, byte), (located, _))) in wanted.iter().zip(&found).enumerate() {
        match byte {
            _ if parts.len() > 1 => strings.entry(firsts[n]).or_default().push(n),
            Some(byte) => {
                all.push(frame.out(&at(&frame.text, *byte), true));
                continue;
            }
            None => {}
        }
        all.push(frame.out(located, located.exact && parts.len() == 1));
    }
    for places in strings.into_values() {
        let Some((located, style)) = places.first().and_then(|n| found.get(*n)) else { continue };
        // Only a literal block has the lines of the document inside it unchanged.
        let Some(inner) = frame.block(&located.value, *style) else { continue };
        let rest: Vec<Inner<'_>> = places.iter().map(|n| (&wanted[*n].0[1..], wanted[*n].1)).collect();
        for (n, located) in places.into_iter().zip(locate_within(&inner, &rest)) {
            all[n] = located;
        }
    }
    all
}

/// The word at a byte offset.
fn at(text: &str, byte: usize) -> NodeSpan {
    let mut start = byte.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let word = text[start..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - start);
    let end = start + word.max(text[start..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8));
    NodeSpan { key: None, value: start..end, exact: true }
}

/// A document, and the offsets of its lines in the outermost text.
struct EmbeddedFrame<'a> {
    text: Cow<'a, str>,
    /// For each line of the document: its offset in the document and in the outermost text; empty for the outermost text.
    lines: Vec<(usize, usize)>,
}

impl<'a> EmbeddedFrame<'a> {
    const fn whole(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), lines: Vec::new() }
    }

    /// The document inside the literal block scalar at `place`.
    fn block(&self, place: &Range<usize>, style: Option<ScalarStyle>) -> Option<EmbeddedFrame<'static>> {
        if style != Some(ScalarStyle::Literal) {
            return None;
        }
        let body = self.text.get(place.clone())?;
        // The range may begin at the `|`; the lines come after that.
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
        Some(EmbeddedFrame { text: Cow::Owned(text), lines: starts })
    }

    fn outermost(&self, byte: usize) -> usize {
        let line = self.lines.partition_point(|(start, _)| *start <= byte).saturating_sub(1);
        self.lines.get(line).map_or(byte, |(start, outer)| outer + (byte - start))
    }

    fn out(&self, located: &NodeSpan, exact: bool) -> NodeSpan {
        let range = |range: &Range<usize>| self.outermost(range.start)..self.outermost(range.end);
        NodeSpan { key: located.key.as_ref().map(range), value: range(&located.value), exact }
    }
}

/// The nodes at the ends of the steps, or their nearest ancestors, and the styles of scalars.
fn walk(text: &str, wanted: &[&[PathStep]]) -> Vec<(NodeSpan, Option<ScalarStyle>)> {
    let covered = MaskedText::new(text);
    let text = covered.text();
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut walk = LocatorWalk { tree: vec![Wanted::default()], open: Vec::new(), start };
    let ends: Vec<usize> = wanted.iter().map(|steps| walk.want(steps)).collect();
    // A text with more nodes is rejected by the parser, so it is not searched either.
    let most = usize::try_from(Dialect::Specification.max_nodes()).unwrap_or(usize::MAX);
    for item in Parser::new_from_str_with_options(&text[start..], yaml::parser_options()).take(most) {
        let Ok((event, span)) = item else { break };
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        // The last of duplicate keys counts, so the pass goes on to the end.
        walk.event(&event, span);
    }
    ends.into_iter().map(|end| walk.nearest(end)).collect()
}

/// One pass over a text for all requested nodes; the cost of an event does not depend on their number.
struct LocatorWalk {
    /// The requested nodes and their ancestors; the first one is the root.
    tree: Vec<Wanted>,
    open: Vec<OpenNode>,
    start: usize,
}

/// A requested node, or an ancestor of one.
#[derive(Default)]
struct Wanted {
    parent: usize,
    keys: HashMap<SharedText, usize>,
    indices: HashMap<usize, usize>,
    /// Its position, once found.
    seen: Option<Seen>,
}

/// The position of a node: its key, and the node itself with its style.
#[derive(Clone)]
struct Seen {
    key: Option<Range<usize>>,
    value: Range<usize>,
    style: Option<ScalarStyle>,
}

struct OpenNode {
    /// Its index in the tree, if it is a requested node or an ancestor of one.
    wanted: Option<usize>,
    key: Option<(String, Range<usize>)>,
    next: usize,
    mapping: bool,
}

impl LocatorWalk {
    /// Adds a requested node; returns its index in the tree.
    fn want(&mut self, steps: &[PathStep]) -> usize {
        let mut at = 0;
        for step in steps {
            let new = self.tree.len();
            let next = match step {
                PathStep::Key(key) => *self.tree[at].keys.entry(key.clone()).or_insert(new),
                PathStep::Index(index) => *self.tree[at].indices.entry(*index).or_insert(new),
                // Steps into a string are split off before; each document has a pass of its own.
                PathStep::Inside => return at,
            };
            if next == new {
                self.tree.push(Wanted { parent: at, ..Wanted::default() });
            }
            at = next;
        }
        at
    }

    /// The position of a node, or of its nearest ancestor that was found.
    fn nearest(&self, end: usize) -> (NodeSpan, Option<ScalarStyle>) {
        let mut at = end;
        loop {
            if let Some(Seen { key, value, style }) = self.tree[at].seen.clone() {
                return (NodeSpan { key, value, exact: at == end }, style);
            }
            if at == 0 {
                return (NodeSpan { key: None, value: 0..0, exact: end == 0 }, None);
            }
            at = self.tree[at].parent;
        }
    }

    fn event(&mut self, event: &Event<'_>, span: Span) {
        let range = span.byte_range().unwrap_or(0..0);
        let range = range.start + self.start..range.end + self.start;
        match event {
            Event::Scalar(text, style, ..) => {
                if let Some(open) = self.open.last_mut().filter(|open| open.mapping && open.key.is_none()) {
                    // Outside the paths only the presence of a key matters.
                    let name = if open.wanted.is_some() { text.to_string() } else { String::new() };
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
                let wanted = self.node(range, None);
                let mapping = matches!(event, Event::MappingStart(..));
                self.open.push(OpenNode { wanted, key: None, next: 0, mapping });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.open.pop().and_then(|open| open.wanted);
                if let Some(Seen { value, .. }) = closed.and_then(|at| self.tree[at].seen.as_mut()) {
                    value.end = range.end.max(value.start);
                }
                self.complete();
            }
            _ => (),
        }
    }

    /// Visits a node; returns its index in the tree, if it is a requested node or an ancestor of one.
    fn node(&mut self, range: Range<usize>, style: Option<ScalarStyle>) -> Option<usize> {
        let (at, key) = match self.open.last() {
            None => (Some(0), None),
            Some(open) => {
                let child = |at: usize| match &open.key {
                    Some((key, _)) if open.mapping => self.tree[at].keys.get(key.as_str()).copied(),
                    _ if open.mapping => None,
                    _ => self.tree[at].indices.get(&open.next).copied(),
                };
                (open.wanted.and_then(child), open.key.as_ref().map(|(_, at)| at.clone()))
            }
        };
        if let Some(at) = at {
            self.tree[at].seen = Some(Seen { key, value: range, style });
        }
        at
    }

    /// Ends a node: its parent expects the next child.
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
    fn check(path: &NodePath, underlined: &str, exact: bool) {
        let located = locate(TEXT, path, None);
        assert_eq!(&TEXT[located.node(TEXT)], underlined, "{path}");
        assert_eq!(located.exact, exact, "{path}");
    }

    #[test]
    fn nodes_are_found() {
        let services = NodePath::root().key("services");
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
        let spec = NodePath::root().key("services").index(1).key("spec").inside();
        let located = locate(TEXT, &spec, Some("openapi: 3.0.0\npaths:\n\n  ".len()));
        assert!(TEXT[located.value.start..].starts_with("/x: {get: 1}"), "{located:?}");
    }

    #[test]
    fn no_prefix_of_a_text_panics() {
        let path = NodePath::root().key("services").index(1).key("spec").inside().key("paths").key("/x");
        for (end, _) in TEXT.char_indices() {
            for byte in [None, Some(0), Some(17), Some(10_000)] {
                let located = locate(&TEXT[..end], &path, byte);
                assert!(TEXT.get(located.node(&TEXT[..end])).is_some());
            }
        }
    }
}
