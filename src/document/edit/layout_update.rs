//! Layout of a text after a change of some items of a list.

use std::ops::Range;

use super::layout::{self, LayoutEntry, LayoutNode, LayoutShape, TextLayout};
use crate::document::SharedText;

/// A list at the top level of a text, and its items that have to be parsed again.
#[derive(Debug)]
pub(in crate::document) struct TopLevelList {
    pub(in crate::document) name: SharedText,
    /// The number of its items.
    pub(in crate::document) count: usize,
    /// The items that are parsed again.
    pub(in crate::document) items: Range<usize>,
    /// The byte range of these, in whole lines.
    pub(in crate::document) range: Range<usize>,
}

/// Items of a list that were parsed again.
#[derive(Debug)]
pub(in crate::document) struct RereadItems {
    /// The old items that they replace.
    pub(in crate::document) replaced: Range<usize>,
    /// Their number.
    pub(in crate::document) many: usize,
    /// The number of bytes before them in the text in which they were parsed.
    pub(in crate::document) head: usize,
}

impl TextLayout {
    /// The layout of a text; `None` if it is not a document.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        layout::read(text)
    }

    /// The list at the top level of the text that contains the whole changed range, if there is one, and the items in that
    /// range with one more on either side.
    pub(in crate::document) fn list_around(&self, text: &str, changed: Range<usize>) -> Option<TopLevelList> {
        let LayoutShape::Mapping { flow: false, entries } = &self.root.shape else { return None };
        // Merged and aliased nodes affect other parts of the document.
        if self.has_anchors || entries.iter().any(|entry| entry.name.is_empty() || &*entry.name == "<<") {
            return None;
        }
        // A change directly before a key belongs to the entry before it.
        let place = entries.partition_point(|entry| entry.key.start < changed.start).checked_sub(1)?;
        let entry = entries.get(place)?;
        let LayoutShape::Sequence { flow: false, items } = &entry.value.shape else { return None };
        let begins_a_line = |at: usize| line_of(text, at) == Some(at);
        let next = entries.get(place + 1).map_or(text.len(), |entry| entry.key.start);
        if !begins_a_line(entry.key.start) || next < text.len() && !begins_a_line(next) {
            return None;
        }
        let dash =
            |item: &LayoutNode| item.lead.checked_sub(1).filter(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let begin = |n: usize| items.get(n).map_or(Some(next), |item| line_of(text, dash(item)?));
        let before = |at: usize| items.partition_point(|item| item.lead <= at + 1);
        let (first, last) = (before(changed.start).checked_sub(1)?, before(changed.end));
        let read = first.saturating_sub(1)..(last + 1).min(items.len());
        let range = begin(read.start)?..begin(read.end)?;
        let (name, count) = (entry.name.clone(), items.len());
        (changed.end <= range.end).then_some(TopLevelList { name, count, items: read, range })
    }

    /// The layout of the new text, in which the first items of the layout `piece` replace items of the list. `bytes` are the
    /// lengths of the old and of the new text.
    pub(in crate::document) fn with(
        &self,
        list: &TopLevelList,
        piece: &Self,
        pieces: &RereadItems,
        bytes: (usize, usize),
    ) -> Option<Self> {
        let LayoutShape::Mapping { entries: read, .. } = &piece.root.shape else { return None };
        let LayoutEntry { value: read, .. } = read.first()?;
        let LayoutShape::Sequence { flow: false, items: read_items } = &read.shape else { return None };
        let LayoutShape::Mapping { entries, .. } = &self.root.shape else { return None };
        let read_items = read_items.get(..pieces.many)?;
        if piece.has_anchors {
            return None;
        }
        let here = |at: usize| (at + list.range.start).saturating_sub(pieces.head);
        let behind = |at: usize| (at + bytes.1).saturating_sub(bytes.0);
        let place = entries.iter().position(|entry| entry.name == list.name)?;
        let one = |(n, entry): (usize, &LayoutEntry)| {
            if n != place {
                return Some(if n < place { entry.moved(&|at| at) } else { entry.moved(&behind) });
            }
            let LayoutShape::Sequence { items, .. } = &entry.value.shape else { return None };
            let (before, after) = (items.get(..pieces.replaced.start)?, items.get(pieces.replaced.end..)?);
            let before = before.iter().map(|item| item.moved(&|at| at));
            let between = read_items.iter().map(|item| item.moved(&here));
            let items = before.chain(between).chain(after.iter().map(|item| item.moved(&behind))).collect();
            let value = LayoutNode {
                lead: entry.value.lead,
                start: if pieces.replaced.start == 0 { here(read.start) } else { entry.value.start },
                end: if pieces.replaced.end == list.count { here(read.end) } else { behind(entry.value.end) },
                anchor: 0,
                shape: LayoutShape::Sequence { flow: false, items },
            };
            Some(LayoutEntry { key: entry.key.clone(), name: entry.name.clone(), value })
        };
        let entries: Vec<LayoutEntry> = entries.iter().enumerate().map(one).collect::<Option<_>>()?;
        let end = entries.last()?.value.end;
        let LayoutNode { lead, start, anchor, .. } = self.root;
        let root =
            LayoutNode { lead, start, end, anchor, shape: LayoutShape::Mapping { flow: false, entries } };
        Some(Self { root, has_anchors: false })
    }
}

impl LayoutNode {
    /// The node with all offsets mapped by `to`.
    fn moved(&self, to: &impl Fn(usize) -> usize) -> Self {
        let shape = match &self.shape {
            LayoutShape::Scalar => LayoutShape::Scalar,
            LayoutShape::Alias(anchor) => LayoutShape::Alias(*anchor),
            LayoutShape::Sequence { flow, items } => LayoutShape::Sequence {
                flow: *flow,
                items: items.iter().map(|item| item.moved(to)).collect(),
            },
            LayoutShape::Mapping { flow, entries } => LayoutShape::Mapping {
                flow: *flow,
                entries: entries.iter().map(|entry| entry.moved(to)).collect(),
            },
        };
        Self { lead: to(self.lead), start: to(self.start), end: to(self.end), anchor: self.anchor, shape }
    }
}

impl LayoutEntry {
    fn moved(&self, to: &impl Fn(usize) -> usize) -> Self {
        let key = to(self.key.start)..to(self.key.end);
        Self { key, name: self.name.clone(), value: self.value.moved(to) }
    }
}

/// The start of the line of an offset, if there are only blanks between them.
fn line_of(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    before[line..].bytes().all(|byte| byte == b' ').then_some(line)
}
