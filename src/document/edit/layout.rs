//! Layout of a text: position, delimiter, style and anchor of each node, for the editor.

use std::{collections::HashSet, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::super::yaml;
use crate::document::{MaskedText, PathStep, SharedText};

/// Positions of the nodes of a text.
#[derive(Debug, PartialEq)]
pub struct TextLayout {
    pub(super) root: LayoutNode,
    /// Whether a node has an anchor.
    pub(super) has_anchors: bool,
}

/// A node of the text.
#[derive(Debug, PartialEq)]
pub(super) struct LayoutNode {
    /// The offset after the `:`, `-`, `,` or bracket before the node; its anchor and tag follow.
    pub(super) lead: usize,
    /// The start of the content.
    pub(super) start: usize,
    /// The end of the content, without comments and blank lines.
    pub(super) end: usize,
    /// The number of the anchor; 0 for none.
    pub(super) anchor: usize,
    pub(super) shape: LayoutShape,
}

#[derive(Debug, PartialEq)]
pub(super) enum LayoutShape {
    Scalar,
    /// An alias of the node with this anchor.
    Alias(usize),
    Sequence {
        flow: bool,
        items: Vec<LayoutNode>,
    },
    Mapping {
        flow: bool,
        entries: Vec<LayoutEntry>,
    },
}

/// A key and its value.
#[derive(Debug, PartialEq)]
pub(super) struct LayoutEntry {
    pub(super) key: Range<usize>,
    pub(super) name: SharedText,
    pub(super) value: LayoutNode,
}

impl LayoutNode {
    /// Whether the node is a flow collection, in brackets.
    pub(super) const fn is_flow(&self) -> bool {
        matches!(
            self.shape,
            LayoutShape::Sequence { flow: true, .. } | LayoutShape::Mapping { flow: true, .. }
        )
    }

    /// Whether the node is an empty list or mapping.
    pub(super) const fn is_empty(&self) -> bool {
        match &self.shape {
            LayoutShape::Sequence { items, .. } => items.is_empty(),
            LayoutShape::Mapping { entries, .. } => entries.is_empty(),
            LayoutShape::Scalar | LayoutShape::Alias(_) => false,
        }
    }

    /// The child at a step; the last of duplicate keys, which counts.
    pub(super) fn child(&self, step: &PathStep) -> Option<&Self> {
        match (&self.shape, step) {
            (LayoutShape::Sequence { items, .. }, PathStep::Index(n)) => items.get(*n),
            (LayoutShape::Mapping { entries, .. }, PathStep::Key(key)) => {
                entries.iter().rfind(|entry| entry.name == *key).map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// Calls `visit` with this node and every descendant, and the steps to it.
    pub(super) fn each<'a>(
        &'a self,
        steps: &mut Vec<PathStep>,
        visit: &mut dyn FnMut(&'a Self, &[PathStep]),
    ) {
        visit(self, steps);
        let mut below = |step: PathStep, child: &'a Self, steps: &mut Vec<PathStep>| {
            steps.push(step);
            child.each(steps, visit);
            steps.pop();
        };
        match &self.shape {
            LayoutShape::Sequence { items, .. } => {
                for (n, item) in items.iter().enumerate() {
                    below(PathStep::Index(n), item, steps);
                }
            }
            LayoutShape::Mapping { entries, .. } => {
                for entry in entries {
                    below(PathStep::Key(entry.name.clone()), &entry.value, steps);
                }
            }
            LayoutShape::Scalar | LayoutShape::Alias(_) => (),
        }
    }
}

/// Reads the layout of the first document of a valid text; decK's expressions are masked.
pub(super) fn read(text: &str) -> Option<TextLayout> {
    let covered = MaskedText::new(text);
    let text = covered.text();
    let mut draft = LayoutDraft::new(text);
    let start = draft.start;
    for item in Parser::new_from_str_with_options(&text[start..], yaml::parser_options()) {
        let (event, span) = item.ok()?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        draft.event(&event, &span);
    }
    if draft.root.is_none() && !draft.is_broken {
        let end = text.len();
        draft.root = Some(LayoutNode { lead: end, start: end, end, anchor: 0, shape: LayoutShape::Scalar });
    }
    draft.finish()
}

/// Builder of a layout from parser events.
pub(in crate::document) struct LayoutDraft<'a> {
    text: &'a str,
    start: usize,
    /// The end of the part that has been processed.
    cursor: usize,
    open: Vec<OpenCollection>,
    root: Option<LayoutNode>,
    /// The keys so far: thousands of mappings share one text for each.
    names: HashSet<SharedText>,
    /// Whether the events did not form a document.
    is_broken: bool,
    has_anchors: bool,
}

struct OpenCollection {
    node: LayoutNode,
    key: Option<(Range<usize>, SharedText)>,
}

impl<'a> LayoutDraft<'a> {
    pub(in crate::document) fn new(text: &'a str) -> Self {
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let (open, names) = (Vec::new(), HashSet::new());
        Self { text, start, cursor: start, open, root: None, names, is_broken: false, has_anchors: false }
    }

    /// The layout, at the end of the document; `None` if there was no node.
    pub(in crate::document) fn finish(self) -> Option<TextLayout> {
        let root = self.root.filter(|_| !self.is_broken)?;
        Some(TextLayout { root, has_anchors: self.has_anchors })
    }

    /// Processes an event.
    pub(in crate::document) fn event(&mut self, event: &Event<'_>, span: &Span) {
        self.is_broken |= self.take(event, span).is_none();
    }

    fn take(&mut self, event: &Event<'_>, span: &Span) -> Option<()> {
        let range = span.byte_range().unwrap_or(0..0);
        let range = range.start + self.start..range.end + self.start;
        match event {
            Event::Scalar(text, style, anchor, _) => {
                if self.awaits_key() {
                    let name = self.name(text);
                    self.key(range, name);
                } else {
                    let node = self.scalar(range, *style, text, *anchor);
                    self.add(node);
                }
            }
            Event::Alias(id) => {
                if self.awaits_key() {
                    // The name of an alias as a key would have to be looked up; no key of Kong's or OpenAPI's is written like that.
                    self.key(range, SharedText::default());
                } else {
                    let lead = self.lead();
                    let node = LayoutNode {
                        lead,
                        start: range.start,
                        end: range.end,
                        anchor: 0,
                        shape: LayoutShape::Alias(*id),
                    };
                    self.add(node);
                }
            }
            Event::SequenceStart(style, anchor, _) => {
                let shape = LayoutShape::Sequence { flow: is_flow(*style), items: Vec::new() };
                self.begin(range, *anchor, shape);
            }
            Event::MappingStart(style, anchor, _) => {
                let shape = LayoutShape::Mapping { flow: is_flow(*style), entries: Vec::new() };
                self.begin(range, *anchor, shape);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let OpenCollection { mut node, .. } = self.open.pop()?;
                node.end = if node.is_flow() { range.end } else { self.cursor };
                self.add(node);
            }
            _ => (),
        }
        Some(())
    }

    fn awaits_key(&self) -> bool {
        let open = self.open.last();
        open.is_some_and(|open| open.key.is_none() && matches!(open.node.shape, LayoutShape::Mapping { .. }))
    }

    fn name(&mut self, text: &str) -> SharedText {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let new = SharedText::from(text);
        self.names.insert(new.clone());
        new
    }

    fn key(&mut self, range: Range<usize>, name: SharedText) {
        self.cursor = range.end;
        if let Some(open) = self.open.last_mut() {
            open.key = Some((range, name));
        }
    }

    fn scalar(&self, range: Range<usize>, style: ScalarStyle, content: &str, anchor: usize) -> LayoutNode {
        let lead = self.lead();
        let (mut start, mut end) = (range.start.max(lead), range.end.max(lead));
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            let head = self.text.get(lead..start).unwrap_or_default();
            // Blank lines after a block scalar belong to it only with `|+`.
            if !head.contains("|+") && !head.contains(">+") {
                end = start + self.text.get(start..end).unwrap_or_default().trim_end().len();
            }
        } else if range.is_empty() && content == "~" {
            (start, end) = (lead, lead);
        }
        LayoutNode { lead, start, end, anchor, shape: LayoutShape::Scalar }
    }

    fn begin(&mut self, range: Range<usize>, anchor: usize, shape: LayoutShape) {
        let lead = self.lead();
        let node = LayoutNode { lead, start: range.start.max(lead), end: range.end, anchor, shape };
        self.cursor = if node.is_flow() { range.end } else { lead };
        self.open.push(OpenCollection { node, key: None });
    }

    fn add(&mut self, node: LayoutNode) {
        self.has_anchors |= node.anchor > 0;
        self.cursor = node.end;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.shape {
            LayoutShape::Sequence { items, .. } => items.push(node),
            LayoutShape::Mapping { entries, .. } => {
                if let Some((key, name)) = open.key.take() {
                    entries.push(LayoutEntry { key, name, value: node });
                }
            }
            LayoutShape::Scalar | LayoutShape::Alias(_) => (),
        }
    }

    /// The offset after the delimiter of the next node.
    fn lead(&self) -> usize {
        let delimiter = match self.open.last().map(|open| &open.node.shape) {
            Some(LayoutShape::Sequence { flow: false, .. }) => b'-',
            Some(LayoutShape::Mapping { .. }) => b':',
            Some(LayoutShape::Sequence { flow: true, .. }) => b',',
            _ => return self.cursor,
        };
        self.delimiter(delimiter).map_or(self.cursor, |at| at + 1)
    }

    /// The offset of the next delimiter, if only blanks, comments, anchors and tags come before it.
    fn delimiter(&self, wanted: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = self.cursor;
        loop {
            match *bytes.get(at)? {
                byte if byte == wanted => return Some(at),
                b' ' | b'\t' | b'\r' | b'\n' => at += 1,
                b'#' => at += bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?,
                b'&' | b'!' | b'?' => at += bytes.get(at..)?.iter().position(u8::is_ascii_whitespace)?,
                _ => return None,
            }
        }
    }
}

fn is_flow(style: granit_parser::StructureStyle) -> bool {
    style == granit_parser::StructureStyle::Flow
}
