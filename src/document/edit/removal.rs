//! Where a removal goes: whole lines of a block, members and their commas between brackets; what people wrote
//! beside them stays.

use std::ops::Range;

use super::{
    EditError,
    layout::{LayoutNode, LayoutShape},
    node,
    place::{Splice, TextEditor},
};
use crate::document::{Mapping, PathStep, Value};

impl TextEditor<'_> {
    /// What goes when the node at the end of the steps goes.
    pub(super) fn remove(&self, steps: &[PathStep]) -> Result<Vec<Splice>, EditError> {
        let none = EditError("there is no such node");
        let is_written = self.find(steps).is_some();
        let has_merges = |it: &LayoutNode| matches!(&it.shape, LayoutShape::Mapping { entries, .. } if entries.iter().any(|it| &*it.name == "<<"));
        let merged = !is_written || self.parent(steps).is_some_and(has_merges);
        if merged && node(self.document, steps).is_some() {
            // A merge key brings it, or would bring it back; what stands beside that key wins.
            return self.set(steps, &Value::Null);
        }
        let (Some(parent), Some(step)) = (self.parent(steps), steps.last()) else { return Err(none) };
        let outer = self.parent(&steps[..steps.len() - 1]);
        // Each child: where it begins with its dash or key, and where it ends.
        let (flow, children, wanted): (bool, Vec<(usize, usize)>, Vec<usize>) = match (&parent.shape, step) {
            (LayoutShape::Sequence { flow, items }, PathStep::Index(n)) if *n < items.len() => {
                let from = |it: &LayoutNode| if *flow { self.content(it) } else { it.lead.saturating_sub(1) };
                (*flow, items.iter().map(|it| (from(it), it.end)).collect(), vec![*n])
            }
            (LayoutShape::Mapping { flow, entries }, PathStep::Key(key)) => {
                let these = entries.iter().enumerate().filter(|(_, it)| it.name == *key);
                let these: Vec<usize> = these.map(|(n, _)| n).collect();
                (*flow, entries.iter().map(|it| (it.key.start, it.value.end)).collect(), these)
            }
            _ => return Err(none),
        };
        if wanted.is_empty() {
            return Err(none);
        }
        if wanted.len() == children.len() {
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
        Ok(wanted.into_iter().map(|n| (self.removed(flow, &children, n), String::new())).collect())
    }

    /// The lines of comments between the key of a block and its first child, below what takes the place of the block.
    fn comments_above(&self, block: &LayoutNode) -> Option<Splice> {
        let lines = self.text.get(block.lead..block.start)?.lines().skip(1);
        let comments: Vec<&str> = lines.filter(|line| line.trim_start().starts_with('#')).collect();
        let at = self.next_line(block.end);
        let gap = if self.text[..at].ends_with('\n') { "" } else { "\n" };
        (!comments.is_empty()).then(|| (at..at, format!("{gap}{}\n", comments.join("\n"))))
    }

    /// The range that goes with the child at `n`.
    fn removed(&self, flow: bool, children: &[(usize, usize)], n: usize) -> Range<usize> {
        let (from, to) = children[n];
        let next = children.get(n + 1).map(|it| it.0);
        if flow {
            return match (next, n.checked_sub(1).map(|n| children[n].1)) {
                (Some(next), _) => from..next,
                (None, Some(before)) => before..to,
                (None, None) => from..to,
            };
        }
        let line = self.line(from);
        if !self.text[line..from].trim().is_empty() {
            // It shares its line with the dash of the list that it begins.
            return from..next.unwrap_or(to);
        }
        let end = self.next_line(to);
        let blank_before = line > 0 && self.text[self.line(line - 1)..line].trim().is_empty();
        let rest = &self.text[end..];
        let blank_behind = rest.is_empty() || rest.lines().next().is_some_and(|it| it.trim().is_empty());
        // Of two blank lines that would meet, one is enough.
        // (Unless it is the text of the child before.)
        let kept = n.checked_sub(1).map_or(0, |n| children[n].1);
        let above = self.line(line.saturating_sub(1));
        let start = if blank_before && blank_behind && kept <= above { above } else { line };
        start..end
    }
}
