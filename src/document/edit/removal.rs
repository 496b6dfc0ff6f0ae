//! Removal of nodes from a text: whole lines of block collections, members and their commas of flow collections.
//! Comments around them are kept.

use std::ops::Range;

use super::{
    EditError,
    editor::{Splice, TextEditor},
    layout::{LayoutNode, LayoutShape},
    node,
};
use crate::document::{Mapping, PathStep, Value};

impl TextEditor<'_> {
    /// Removes the node at the end of the steps.
    pub(super) fn remove(&self, steps: &[PathStep]) -> Result<Vec<Splice>, EditError> {
        let none = EditError("there is no such node");
        let is_written = self.find(steps).is_some();
        let has_merges = |node: &LayoutNode| match &node.shape {
            LayoutShape::Mapping { entries, .. } => entries.iter().any(|entry| &*entry.name == "<<"),
            _ => false,
        };
        let merged = !is_written || self.parent(steps).is_some_and(has_merges);
        if merged && node(self.document, steps).is_some() {
            // A merge key provides the node, or would provide it again; an explicit null overrides it.
            return self.set(steps, &Value::Null);
        }
        let (Some(parent), Some(step)) = (self.parent(steps), steps.last()) else { return Err(none) };
        let outer = self.parent(&steps[..steps.len() - 1]);
        // The range of each child, from its dash or key to its end.
        let (flow, children, removed): (bool, Vec<(usize, usize)>, Vec<usize>) = match (&parent.shape, step) {
            (LayoutShape::Sequence { flow, items }, PathStep::Index(n)) if *n < items.len() => {
                let from =
                    |item: &LayoutNode| if *flow { self.content(item) } else { item.lead.saturating_sub(1) };
                (*flow, items.iter().map(|item| (from(item), item.end)).collect(), vec![*n])
            }
            (LayoutShape::Mapping { flow, entries }, PathStep::Key(key)) => {
                let matching = entries.iter().enumerate().filter(|(_, entry)| entry.name == *key);
                let matching: Vec<usize> = matching.map(|(n, _)| n).collect();
                (*flow, entries.iter().map(|entry| (entry.key.start, entry.value.end)).collect(), matching)
            }
            _ => return Err(none),
        };
        if removed.is_empty() {
            return Err(none);
        }
        if removed.len() == children.len() {
            let empty = match parent.shape {
                LayoutShape::Sequence { .. } => Value::from(Vec::new()),
                _ => Mapping::default().into(),
            };
            let mut splices = vec![self.replace(parent, outer, &empty)];
            if !flow && outer.is_some() {
                splices.extend(self.comments_above(parent));
            }
            return Ok(splices);
        }
        Ok(removed.into_iter().map(|n| (self.removed_range(flow, &children, n), String::new())).collect())
    }

    /// Inserts the comment lines between the key of a block and its first child below the replacement of the block.
    fn comments_above(&self, block: &LayoutNode) -> Option<Splice> {
        let lines = self.text.get(block.lead..block.start)?.lines().skip(1);
        let comments: Vec<&str> = lines.filter(|line| line.trim_start().starts_with('#')).collect();
        let at = self.next_line(block.end);
        let gap = if self.text[..at].ends_with('\n') { "" } else { "\n" };
        (!comments.is_empty()).then(|| (at..at, format!("{gap}{}\n", comments.join("\n"))))
    }

    /// The range to remove for the child at `n`.
    fn removed_range(&self, flow: bool, children: &[(usize, usize)], n: usize) -> Range<usize> {
        let (from, to) = children[n];
        let next = children.get(n + 1).map(|range| range.0);
        if flow {
            return match (next, n.checked_sub(1).map(|n| children[n].1)) {
                (Some(next), _) => from..next,
                (None, Some(before)) => before..to,
                (None, None) => from..to,
            };
        }
        let line = self.line(from);
        if !self.text[line..from].trim().is_empty() {
            // The child begins on the line of a dash: it is the first entry of a list item.
            return from..next.unwrap_or(to);
        }
        let end = self.next_line(to);
        let blank_before = line > 0 && self.text[self.line(line - 1)..line].trim().is_empty();
        let rest = &self.text[end..];
        let blank_behind = rest.is_empty() || rest.lines().next().is_some_and(|line| line.trim().is_empty());
        // Two blank lines that become adjacent are joined to one, unless the first belongs to the text of the child before.
        let kept = n.checked_sub(1).map_or(0, |n| children[n].1);
        let above = self.line(line.saturating_sub(1));
        let start = if blank_before && blank_behind && kept <= above { above } else { line };
        start..end
    }
}
