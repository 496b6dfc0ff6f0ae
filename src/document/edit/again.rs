//! The layout of a text that is like another one but for some items of a list.

use std::ops::Range;

use super::layout::{self, LayoutEntry, LayoutNode, LayoutShape, TextLayout};
use crate::document::SharedText;

/// A list at the top of a text, and the items of it that have to be read again.
#[derive(Debug)]
pub(in crate::document) struct TopLevelList {
    pub(in crate::document) name: SharedText,
    /// How many items it has.
    pub(in crate::document) count: usize,
    /// Those that are read again.
    pub(in crate::document) items: Range<usize>,
    /// Where these stand, in whole lines.
    pub(in crate::document) range: Range<usize>,
}

/// Items of a list that were read again.
#[derive(Debug)]
pub(in crate::document) struct RereadItems {
    /// The items whose place they take.
    pub(in crate::document) replaced: Range<usize>,
    /// How many they are.
    pub(in crate::document) many: usize,
    /// How many bytes stood before them when they were read.
    pub(in crate::document) head: usize,
}

impl TextLayout {
    /// The layout of a text; none if it is no document.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        layout::read(text)
    }

    /// The list at the top of the text that holds all of what has changed, if there is one, and its items there with
    /// one more on either side.
    pub(in crate::document) fn list_around(&self, text: &str, changed: Range<usize>) -> Option<TopLevelList> {
        let LayoutShape::Mapping { flow: false, entries } = &self.root.shape else { return None };
        // What is merged in, or repeated, is about something else, too.
        if self.has_anchors || entries.iter().any(|it| it.name.is_empty() || &*it.name == "<<") {
            return None;
        }
        // What comes right before a key belongs to the entry before it.
        let place = entries.partition_point(|it| it.key.start < changed.start).checked_sub(1)?;
        let entry = entries.get(place)?;
        let LayoutShape::Sequence { flow: false, items } = &entry.value.shape else { return None };
        let begins_a_line = |at: usize| line_of(text, at) == Some(at);
        let next = entries.get(place + 1).map_or(text.len(), |it| it.key.start);
        if !begins_a_line(entry.key.start) || next < text.len() && !begins_a_line(next) {
            return None;
        }
        let dash =
            |item: &LayoutNode| item.lead.checked_sub(1).filter(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let begin = |n: usize| items.get(n).map_or(Some(next), |item| line_of(text, dash(item)?));
        let before = |at: usize| items.partition_point(|it| it.lead <= at + 1);
        let (first, last) = (before(changed.start).checked_sub(1)?, before(changed.end));
        let read = first.saturating_sub(1)..(last + 1).min(items.len());
        let range = begin(read.start)?..begin(read.end)?;
        let (name, count) = (entry.name.clone(), items.len());
        (changed.end <= range.end).then_some(TopLevelList { name, count, items: read, range })
    }

    /// The layout of the text in which items of the list are the first ones of a `piece` of it; the text had the first
    /// number of `bytes`, and has the second.
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
        let place = entries.iter().position(|it| it.name == list.name)?;
        let one = |(n, entry): (usize, &LayoutEntry)| {
            if n != place {
                return Some(if n < place { entry.moved(&|at| at) } else { entry.moved(&behind) });
            }
            let LayoutShape::Sequence { items, .. } = &entry.value.shape else { return None };
            let (before, after) = (items.get(..pieces.replaced.start)?, items.get(pieces.replaced.end..)?);
            let before = before.iter().map(|it| it.moved(&|at| at));
            let between = read_items.iter().map(|it| it.moved(&here));
            let items = before.chain(between).chain(after.iter().map(|it| it.moved(&behind))).collect();
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
    /// The same node of a text in which everything stands elsewhere.
    fn moved(&self, to: &impl Fn(usize) -> usize) -> Self {
        let shape = match &self.shape {
            LayoutShape::Scalar => LayoutShape::Scalar,
            LayoutShape::Alias(anchor) => LayoutShape::Alias(*anchor),
            LayoutShape::Sequence { flow, items } => {
                LayoutShape::Sequence { flow: *flow, items: items.iter().map(|it| it.moved(to)).collect() }
            }
            LayoutShape::Mapping { flow, entries } => {
                LayoutShape::Mapping { flow: *flow, entries: entries.iter().map(|it| it.moved(to)).collect() }
            }
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

/// Where the line begins in which something stands behind nothing but blanks.
fn line_of(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    let line = before.rfind('\n').map_or(0, |it| it + 1);
    before[line..].bytes().all(|it| it == b' ').then_some(line)
}
