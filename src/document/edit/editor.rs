//! Editor of a text: the ranges that a change replaces, and their new content.

use std::{collections::HashMap, ops::Range};

use super::{
    DocumentChange, EditError,
    layout::{LayoutEntry, LayoutNode, LayoutShape, TextLayout},
    node,
    write::{WritingStyle, blanks},
};
use crate::document::{Mapping, PathStep, Value};

/// Editor for a single change of a text.
pub(super) struct TextEditor<'a> {
    pub(super) text: &'a str,
    pub(super) document: &'a Value,
    pub(super) root: &'a LayoutNode,
    has_anchors: bool,
    style: WritingStyle,
    newline: &'static str,
}

/// A range of the text, and its new content.
pub(super) type Splice = (Range<usize>, String);

impl<'a> TextEditor<'a> {
    pub(super) fn new(text: &'a str, document: &'a Value, layout: &'a TextLayout) -> Self {
        let json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
        let newline =
            if text.find('\n').is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" };
        let mut editor = Self {
            text,
            document,
            root: &layout.root,
            has_anchors: layout.has_anchors,
            style: WritingStyle { dash: 0, json, literals: true },
            newline,
        };
        editor.style.dash = editor.dash();
        editor
    }

    /// The steps to the first alias on the path of a change.
    pub(super) fn alias_on_path(&self, change: &DocumentChange) -> Option<Vec<PathStep>> {
        let steps = change.path().steps();
        let is_alias = |node: &LayoutNode| matches!(node.shape, LayoutShape::Alias(_));
        let mut here = self.root;
        for (n, step) in steps.iter().enumerate() {
            if is_alias(here) {
                return Some(steps[..n].to_vec());
            }
            here = here.child(step)?;
        }
        // A node that is replaced or removed as a whole may be an alias; a list that gets an item may not.
        (matches!(change, DocumentChange::Push(..)) && is_alias(here)).then(|| steps.to_vec())
    }

    /// The text with an alias replaced by the content of its anchor.
    pub(super) fn expand_alias(&self, steps: &[PathStep]) -> Result<String, EditError> {
        let value = node(self.document, steps).ok_or(EditError("an alias has no target"))?;
        Ok(self.apply(self.set(steps, value)?))
    }

    pub(super) fn change(&self, change: &DocumentChange) -> Result<String, EditError> {
        let mut splices = match change {
            DocumentChange::Set(path, value) => self.set(path.steps(), value)?,
            DocumentChange::Push(path, value) => self.push(path.steps(), value)?,
            DocumentChange::Remove(path) => self.remove(path.steps())?,
        };
        splices.extend(self.expand_aliases_of(change)?);
        Ok(self.apply(splices))
    }

    fn apply(&self, mut splices: Vec<Splice>) -> String {
        splices.sort_by_key(|(range, _)| range.start);
        let mut text = String::with_capacity(self.text.len() + 256);
        let mut done = 0;
        for (range, with) in splices {
            text.push_str(&self.text[done..range.start]);
            if self.newline == "\n" {
                text.push_str(&with);
            } else {
                text.push_str(&with.replace('\n', self.newline));
            }
            done = range.end;
        }
        text.push_str(&self.text[done..]);
        text
    }

    /// Replaces aliases of changed nodes by the old content, so that their values do not change.
    fn expand_aliases_of(&self, change: &DocumentChange) -> Result<Vec<Splice>, EditError> {
        if !self.has_anchors {
            return Ok(Vec::new());
        }
        let path = change.path().steps();
        let is_removed =
            |steps: &[PathStep]| !matches!(change, DocumentChange::Push(..)) && steps.starts_with(path);
        let mut anchors: HashMap<usize, Vec<PathStep>> = HashMap::new();
        let mut aliases = Vec::new();
        self.root.each(&mut Vec::new(), &mut |node, steps| {
            if node.anchor > 0 && (path.starts_with(steps) || is_removed(steps)) {
                anchors.insert(node.anchor, steps.to_vec());
            }
            if let LayoutShape::Alias(anchor) = node.shape
                && !is_removed(steps)
                && let Some(steps) = anchors.get(&anchor)
            {
                aliases.push((node.start..node.end, steps.clone()));
            }
        });
        let written = aliases.into_iter().map(|(range, steps)| {
            let value = node(self.document, &steps).ok_or(EditError("an alias has no target"))?;
            Ok((range, self.style.flow(value)))
        });
        written.collect()
    }

    pub(super) fn set(&self, steps: &[PathStep], value: &Value) -> Result<Vec<Splice>, EditError> {
        let mut here = self.root;
        for (n, step) in steps.iter().enumerate() {
            let Some(child) = here.child(step) else {
                let PathStep::Key(key) = step else { return Err(EditError("the list has no such item")) };
                // If a merge key provides the node, the new value is based on the merged one.
                let value = with(node(self.document, &steps[..=n]), &steps[n + 1..], value)?;
                return self.insert(here, &steps[..n], key, &value);
            };
            here = child;
        }
        Ok(vec![self.replace(here, self.parent(steps), value)])
    }

    /// The node at the end of the steps.
    pub(super) fn find(&self, steps: &[PathStep]) -> Option<&LayoutNode> {
        steps.iter().try_fold(self.root, |node, step| node.child(step))
    }

    /// The parent of the node at the end of the steps.
    pub(super) fn parent(&self, steps: &[PathStep]) -> Option<&LayoutNode> {
        self.find(steps.split_last()?.1)
    }

    pub(super) fn replace(&self, old: &LayoutNode, parent: Option<&LayoutNode>, value: &Value) -> Splice {
        let Some(parent) = parent else {
            return (old.start..old.end, self.style.flow(value));
        };
        let stays_flow = old.is_flow() && !old.is_empty() && is_long(value);
        let brackets = if stays_flow { self.style.flow(value) } else { String::new() };
        // A flow collection stays one if it fits on a line.
        let brackets = format!(" {brackets}");
        let fits = (2..80).contains(&brackets.len());
        let style = self.style_above(self.solid(old));
        match &parent.shape {
            LayoutShape::Mapping { flow: false, .. } | LayoutShape::Sequence { flow: false, .. } if fits => {
                self.replace_value(old, &brackets)
            }
            LayoutShape::Mapping { flow: false, entries } => {
                let column = entries.first().map_or(0, |entry| self.column(entry.key.start));
                self.replace_value(old, &style.value(value, column))
            }
            LayoutShape::Sequence { flow: false, .. } => {
                let column = self.column(old.lead.saturating_sub(1));
                let item = style.item(value, column);
                self.replace_value(old, item.strip_prefix('-').unwrap_or(&item))
            }
            _ => {
                let from = self.content(old);
                let close = from == old.lead && matches!(parent.shape, LayoutShape::Mapping { .. });
                (from..old.end, format!("{}{}", if close { " " } else { "" }, self.style.flow(value)))
            }
        }
    }

    /// Replaces the value after a key or a dash; comments on its lines are kept, on the first line if there are several.
    fn replace_value(&self, old: &LayoutNode, new: &str) -> Splice {
        let end = self.solid(old);
        let behind = &self.text[old.lead..old.start.min(end).max(old.lead)];
        let head = behind.lines().next().filter(|_| behind.contains('\n')).unwrap_or_default().trim();
        let head = if head.starts_with('#') { head } else { "" };
        let rest = &self.text[end..];
        let line = rest.split(['\r', '\n']).next().unwrap_or_default();
        let tail = if line.trim_start().starts_with('#') { line.trim() } else { "" };
        let Some((first, below)) = new.split_once('\n') else {
            let head = if head.is_empty() { String::new() } else { format!(" {head}") };
            return (old.lead..end, format!("{new}{head}"));
        };
        // A comment after the last line of a literal block would become part of the text.
        let end = if tail.is_empty() { end } else { end + line.trim_end().len() };
        let mut lines = first.to_owned();
        for comment in [head, tail].into_iter().filter(|comment| !comment.is_empty()) {
            lines.extend([" ", comment]);
        }
        (old.lead..end, format!("{lines}\n{below}"))
    }

    /// Inserts a new key into the mapping at the end of the steps.
    fn insert(
        &self,
        here: &LayoutNode,
        steps: &[PathStep],
        key: &str,
        value: &Value,
    ) -> Result<Vec<Splice>, EditError> {
        match &here.shape {
            LayoutShape::Mapping { flow: true, entries } => {
                let last = entries.last().map(|entry| (entry.key.start, entry.value.end));
                Ok(vec![self.insert_into_flow(here, last, Some(key), value)])
            }
            LayoutShape::Mapping { flow: false, entries } => {
                let Some(after) = self.neighbour(entries, value) else {
                    return Err(EditError("an empty mapping has no entry to insert after"));
                };
                let column = self.column(entries.first().map_or(0, |entry| entry.key.start));
                let places = entries.iter().map(|entry| (entry.key.start, entry.value.end));
                let gap = if steps.is_empty() && is_long(value) { self.gap(places) } else { "" };
                let entry = self.style_above(after.value.end).entry(key, value, column);
                Ok(vec![self.insert_below(&after.value, &format!("{gap}{}{entry}", blanks(column)))])
            }
            LayoutShape::Scalar => {
                let mapping: Mapping = [(key, value.clone())].into_iter().collect();
                self.fill(here, steps, &mapping.into())
            }
            _ => Err(EditError("there is a list where a mapping should be")),
        }
    }

    /// Replaces a null by a collection.
    fn fill(&self, here: &LayoutNode, steps: &[PathStep], value: &Value) -> Result<Vec<Splice>, EditError> {
        if node(self.document, steps).is_some_and(|value| !value.is_null()) {
            return Err(EditError("there is a scalar where a collection should be"));
        }
        let parent = self.parent(steps);
        match value {
            Value::Mapping(entries) if parent.is_none() => {
                let lines: Vec<String> =
                    entries.iter().map(|(key, value)| self.style.entry(key, value, 0)).collect();
                let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
                Ok(vec![(self.text.len()..self.text.len(), format!("{gap}{}\n", lines.join("\n")))])
            }
            _ => Ok(vec![self.replace(here, parent, value)]),
        }
    }

    /// The entry after which a new one is inserted: a scalar `is_removed` after the last entry on a single line, so that it does
    /// not follow long lists; a collection `is_removed` to the end.
    fn neighbour<'n>(&self, entries: &'n [LayoutEntry], value: &Value) -> Option<&'n LayoutEntry> {
        let short = |entry: &&LayoutEntry| !self.text[entry.key.start..entry.value.end].contains('\n');
        let last_short = if is_long(value) { None } else { entries.iter().rfind(short) };
        last_short.or(entries.last())
    }

    fn push(&self, steps: &[PathStep], value: &Value) -> Result<Vec<Splice>, EditError> {
        let items = node(self.document, steps).map(Value::items).unwrap_or_default();
        let whole = Value::from(items.iter().chain([value]).cloned().collect::<Vec<_>>());
        let Some(here) = self.find(steps) else { return self.set(steps, &whole) };
        match &here.shape {
            LayoutShape::Sequence { flow: false, items } if !items.is_empty() => {
                let last = &items[items.len() - 1];
                let column = self.column(last.lead.saturating_sub(1));
                let gap = self.gap(items.iter().map(|item| (item.lead.saturating_sub(1), item.end)));
                let added = self.style_above(last.end).item(value, column);
                Ok(vec![self.insert_below(last, &format!("{gap}{}{added}", blanks(column)))])
            }
            LayoutShape::Sequence { items, .. } => {
                let parent = self.parent(steps);
                if items.is_empty() && parent.is_some_and(|parent| !parent.is_flow()) {
                    return Ok(vec![self.replace(here, parent, &whole)]);
                }
                let last = items.last().map(|item| (self.content(item), item.end));
                Ok(vec![self.insert_into_flow(here, last, None, value)])
            }
            LayoutShape::Scalar => self.fill(here, steps, &whole),
            _ => Err(EditError("there is something else where a list should be")),
        }
    }

    /// Inserts a member into a flow collection, on a line of its own if the last member (from, to) has one.
    fn insert_into_flow(
        &self,
        here: &LayoutNode,
        last: Option<(usize, usize)>,
        key: Option<&str>,
        value: &Value,
    ) -> Splice {
        let line = last.map(|(from, _)| self.line(from));
        let column = last.zip(line).and_then(|((from, _), line)| {
            self.text[line..from].chars().all(|c| c == ' ').then_some(from - line)
        });
        let text = match (key, column) {
            (Some(key), Some(column)) if self.style.json => {
                format!("{}: {}", Value::from(key).to_json(), WritingStyle::json_lines(value, Some(column)))
            }
            (None, Some(column)) if self.style.json => WritingStyle::json_lines(value, Some(column)),
            (Some(key), _) => self.style.flow_entry(key, value),
            (None, _) => self.style.flow(value),
        };
        match (last, column) {
            (None, _) => {
                let inside = here.start + 1;
                (inside..here.end.saturating_sub(1).max(inside), text)
            }
            (Some((_, to)), None) => (to..to, format!(", {text}")),
            (Some((_, to)), Some(column)) => (to..to, format!(",\n{}{text}", blanks(column))),
        }
    }

    /// The start of a node, including its anchor and tag.
    pub(super) fn content(&self, node: &LayoutNode) -> usize {
        let behind = &self.text[node.lead..node.start];
        node.lead + behind.len() - behind.trim_start().len()
    }

    /// The end of a node, without blank lines at the end of a `|+` block.
    fn solid(&self, node: &LayoutNode) -> usize {
        node.lead + self.text[node.lead..node.end].trim_end().len()
    }

    fn style_above(&self, byte: usize) -> WritingStyle {
        self.style.above(&self.text[self.next_line(byte)..])
    }

    /// Inserts lines below the last line of a node.
    fn insert_below(&self, node: &LayoutNode, lines: &str) -> Splice {
        let at = self.next_line(node.end);
        let at_line_start = at > 0 && self.text[..at].ends_with('\n');
        if at_line_start { (at..at, format!("{lines}\n")) } else { (at..at, format!("\n{lines}\n")) }
    }

    /// The start of the next line; the offset itself if it is the start of a line.
    pub(super) fn next_line(&self, byte: usize) -> usize {
        if byte > 0 && self.text[..byte].ends_with('\n') {
            return byte;
        }
        self.text[byte..].find('\n').map_or(self.text.len(), |at| byte + at + 1)
    }

    /// The start of the line of an offset.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.text[..byte].rfind('\n').map_or(0, |at| at + 1)
    }

    fn column(&self, byte: usize) -> usize {
        self.text[self.line(byte)..byte].trim_start_matches('\u{feff}').chars().count()
    }

    /// A line break, if there is a blank line before the last of these ranges.
    fn gap(&self, all: impl DoubleEndedIterator<Item = (usize, usize)>) -> &'static str {
        let mut from_last = all.rev();
        let (Some((from, _)), Some((_, to))) = (from_last.next(), from_last.next()) else { return "" };
        let between = self.text.get(to..from).unwrap_or_default().replace('\r', "");
        if between.contains("\n\n") { "\n" } else { "" }
    }

    /// The indentation of the first list relative to its key.
    fn dash(&self) -> usize {
        self.dash_below(self.root).unwrap_or(0)
    }

    fn dash_below(&self, node: &LayoutNode) -> Option<usize> {
        match &node.shape {
            LayoutShape::Sequence { items, .. } => items.iter().find_map(|item| self.dash_below(item)),
            LayoutShape::Mapping { flow: true, .. } | LayoutShape::Scalar | LayoutShape::Alias(_) => None,
            LayoutShape::Mapping { flow: false, entries } => {
                let own = entries.iter().find_map(|entry| {
                    let LayoutShape::Sequence { flow: false, items } = &entry.value.shape else {
                        return None;
                    };
                    let key = self.column(entry.key.start);
                    self.column(items.first()?.lead.saturating_sub(1)).checked_sub(key)
                });
                own.or_else(|| entries.iter().find_map(|entry| self.dash_below(&entry.value)))
            }
        }
    }
}

/// Whether a value is written on lines of its own.
fn is_long(value: &Value) -> bool {
    !value.items().is_empty() || value.entries().next().is_some()
}

/// The value of `base` with another node at the end of the steps.
fn with(base: Option<&Value>, steps: &[PathStep], value: &Value) -> Result<Value, EditError> {
    match steps.split_first() {
        None => Ok(value.clone()),
        Some((PathStep::Key(key), rest)) => {
            let mut mapping = base.and_then(Value::as_mapping).cloned().unwrap_or_default();
            let inner = with(mapping.get(key), rest, value)?;
            mapping.insert(key.clone(), inner);
            Ok(mapping.into())
        }
        Some((PathStep::Index(n), rest)) => {
            let mut items = base.map(Value::items).unwrap_or_default().to_vec();
            let Some(item) = items.get_mut(*n) else { return Err(EditError("the list has no such item")) };
            *item = with(Some(item), rest, value)?;
            Ok(items.into())
        }
        Some((PathStep::Inside, _)) => Err(EditError("the path leads into a string")),
    }
}
