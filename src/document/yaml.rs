//! YAML parser: builds values from the events of the YAML library.

use std::collections::HashSet;

pub(super) use granit_parser::{Event, Span};
use granit_parser::{Options, Parser, ScalarStyle, ScanError, Tag, options};

use super::{
    Dialect, Document, Mapping, NodePath, ScalarReplacer, SharedText, SyntaxError, Value, expansion_limit,
    may_be_replaced, path::PathStep, scalar, share::is_same,
};

/// Maximum nesting depth: more than any document written by people has, and little enough for any stack.
const MAX_DEPTH: usize = 128;

/// Duplicate keys reported at most.
const MAX_DUPLICATES: usize = 1000;

/// Tags without a meaning reported at most.
const MAX_TAGS: usize = 20;

/// Different keys that are shared at most: beyond this number keys are names of entities rather than of fields.
const MAX_SHARED_KEYS: usize = 4096;

/// Parses the first document of the text, as Kong does.
pub(super) fn read(
    text: &str,
    dialect: Dialect,
    replace: Option<&mut dyn ScalarReplacer>,
) -> Result<Document, SyntaxError> {
    read_after(text, dialect, &Value::Null, replace, &mut |_, _| ())
}

/// Parses the first document; nodes equal to those at the same path in `before` are shared with it. `on_event` is called
/// with each event of the document and its span, counted from behind a byte order mark.
pub(super) fn read_after(
    text: &str,
    dialect: Dialect,
    before: &Value,
    replace: Option<&mut dyn ScalarReplacer>,
    on_event: &mut dyn FnMut(&Event<'_>, &Span),
) -> Result<Document, SyntaxError> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut builder = TreeBuilder {
        dialect,
        before,
        replace,
        limit: expansion_limit(text.len()),
        open: Vec::new(),
        anchors: Vec::new(),
        duplicates: Vec::new(),
        tagged: Vec::new(),
        root: None,
        names: HashSet::new(),
    };
    let mut events = Parser::new_from_str_with_options(&text[start..], parser_options());
    for item in events.by_ref() {
        let stop = match item {
            Ok((event, span)) => {
                on_event(&event, &span);
                builder.event(event).map_err(|message| (at(&span), message))
            }
            Err(error) => Err(scan_error(&error)),
        };
        match stop {
            Ok(true) => break,
            Ok(false) => (),
            Err((byte, message)) => {
                return Err(SyntaxError { byte: start + byte.min(text.len() - start), message });
            }
        }
    }
    // Only the first event counts: the rest of the text is not parsed, so it may be invalid.
    let next = match events.next() {
        Some(Ok((Event::DocumentStart(..), span))) => Some(start + at(&span)),
        _ => None,
    };
    Ok(Document {
        value: builder.root.unwrap_or_default(),
        duplicates: builder.duplicates,
        tagged: builder.tagged,
        next,
    })
}

/// Options of the YAML library: those of libyaml, with a bounded depth.
pub(super) fn parser_options() -> Options {
    options! {
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

fn scan_error(error: &ScanError) -> (usize, String) {
    (error.marker().byte_offset().unwrap_or_default(), error.info())
}

fn at(span: &Span) -> usize {
    span.byte_range().map_or(0, |range| range.start)
}

/// A node, and the number of its nodes and levels after the expansion of aliases.
#[derive(Clone)]
struct CountedNode {
    value: Value,
    weight: u64,
    height: usize,
}

struct TreeBuilder<'a, 'r> {
    dialect: Dialect,
    /// The value of the text before the change.
    before: &'a Value,
    replace: Option<&'r mut dyn ScalarReplacer>,
    limit: u64,
    open: Vec<TreeFrame<'a>>,
    /// Nodes by the id of their anchor, counted from one; `None` while the node is incomplete.
    anchors: Vec<Option<CountedNode>>,
    duplicates: Vec<NodePath>,
    tagged: Vec<(NodePath, String)>,
    root: Option<Value>,
    /// The keys so far: thousands of records share one text for each.
    names: HashSet<SharedText>,
}

struct TreeFrame<'a> {
    /// The node at this path in the text before the change.
    before: Option<&'a Value>,
    anchor: usize,
    weight: u64,
    height: usize,
    content: FrameContent,
}

enum FrameContent {
    Sequence(Vec<Value>),
    Mapping { done: Mapping, merged: Vec<Value>, key: Option<SharedText> },
}

impl<'a> TreeBuilder<'a, '_> {
    /// Processes an event; true at the end of the document.
    fn event(&mut self, event: Event<'_>) -> Result<bool, String> {
        match event {
            Event::DocumentEnd => return Ok(true),
            Event::Scalar(text, style, anchor, tag) => {
                if self.awaits_key() {
                    // A key is its text, even if that text as a value would have another type: `200`, `on` and `null` are names.
                    let other =
                        self.replaced(&text, TreeBuilder::path, |replacer, at| replacer.key(&text, at));
                    let text = self.shared(other.as_deref().unwrap_or(&text));
                    self.name(anchor, text);
                } else {
                    let value = self.scalar(&text, style, tag.as_deref())?;
                    self.add(anchor, CountedNode { weight: 1 + text.len() as u64 / 64, height: 0, value })?;
                }
            }
            Event::Alias(id) => {
                let Some(known) = self.anchors.get(id).cloned().flatten() else {
                    return Err("this alias stands inside the node that it names".to_owned());
                };
                if !self.awaits_key() {
                    self.add(0, known)?;
                } else if let Some(key) = known.value.as_str() {
                    self.name(0, key.into());
                } else {
                    return Err("a key has to be a text".to_owned());
                }
            }
            Event::SequenceStart(_, anchor, _) => self.start(anchor, FrameContent::Sequence(Vec::new()))?,
            Event::MappingStart(_, anchor, _) => {
                let content =
                    FrameContent::Mapping { done: Mapping::default(), merged: Vec::new(), key: None };
                self.start(anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            _ => (),
        }
        Ok(false)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(TreeFrame { content: FrameContent::Mapping { key: None, .. }, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
        let is_plain = tag.is_none() && style == ScalarStyle::Plain;
        let other =
            self.replaced(text, TreeBuilder::next_path, |replacer, at| replacer.value(text, at, is_plain));
        let written = text;
        let text = other.as_deref().unwrap_or(text);
        if let Some(name) = tag.and_then(Tag::core_suffix) {
            return scalar::tagged(name, text, self.dialect)
                .ok_or_else(|| format!("`{written}` is not valid for its tag `!!{name}`"));
        }
        if let Some(tag) = tag
            && !tag.suffix().is_empty()
            && self.tagged.len() < MAX_TAGS
        {
            self.tagged.push((self.next_path(), format!("{}{}", tag.original_handle(), tag.suffix())));
        }
        if tag.is_some() || style != ScalarStyle::Plain {
            return Ok(self.text(text));
        }
        Ok(scalar::typed(text, self.dialect).unwrap_or_else(|| self.text(text)))
    }

    /// A string, shared with the one at this path before the change if that is equal.
    fn text(&self, text: &str) -> Value {
        match self.previous_node() {
            Some(value) if value.as_str() == Some(text) => value.clone(),
            _ => Value::from(text),
        }
    }

    /// The node at the path of the next node, before the change.
    fn previous_node(&self) -> Option<&'a Value> {
        let Some(TreeFrame { before, content, .. }) = self.open.last() else { return Some(self.before) };
        match content {
            FrameContent::Sequence(items) => before.as_ref()?.items().get(items.len()),
            FrameContent::Mapping { done, key, .. } => {
                before.as_ref()?.as_mapping()?.get_near(done.len(), key.as_deref()?)
            }
        }
    }

    /// The replacement of a scalar, if there is one.
    fn replaced(
        &mut self,
        text: &str,
        at: impl Fn(&Self) -> NodePath,
        ask: impl Fn(&mut dyn ScalarReplacer, &NodePath) -> Option<String>,
    ) -> Option<String> {
        if self.replace.is_none() || !may_be_replaced(text) {
            return None;
        }
        let at = at(self);
        ask(*self.replace.as_mut()?, &at)
    }

    fn start(&mut self, anchor: usize, content: FrameContent) -> Result<(), String> {
        if self.awaits_key() {
            return Err("a key has to be a text".to_owned());
        }
        let before = self.previous_node();
        self.open.push(TreeFrame { before, anchor, weight: 1, height: 0, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(TreeFrame { before, anchor, weight, height, content }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            FrameContent::Sequence(mut items) => {
                items.shrink_to_fit();
                Value::from(items)
            }
            FrameContent::Mapping { done, merged, .. } => Value::from(merge(done, &merged)),
        };
        let value = before.filter(|before| is_same(&value, before)).cloned().unwrap_or(value);
        self.add(anchor, CountedNode { value, weight, height })
    }

    /// The text of a key, shared by equal keys.
    fn shared(&mut self, text: &str) -> SharedText {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let new = SharedText::from(text);
        if self.names.len() < MAX_SHARED_KEYS {
            self.names.insert(new.clone());
        }
        new
    }

    fn name(&mut self, anchor: usize, text: SharedText) {
        self.remember(anchor, || CountedNode { value: Value::String(text.clone()), weight: 1, height: 0 });
        let Some(TreeFrame { content: FrameContent::Mapping { done, key, .. }, .. }) = self.open.last_mut()
        else {
            return;
        };
        let twice = &*text != "<<" && done.contains_key(&text);
        *key = Some(text.clone());
        if twice && self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(self.path().step(PathStep::Key(text)));
        }
    }

    fn add(&mut self, anchor: usize, built: CountedNode) -> Result<(), String> {
        self.remember(anchor, || built.clone());
        let CountedNode { value, weight, height } = built;
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        frame.weight = frame.weight.saturating_add(weight);
        if frame.weight > self.dialect.max_nodes() {
            return Err(self.dialect.too_many_nodes());
        }
        if frame.weight > self.limit {
            return Err(
                "the aliases of this document expand to more nodes than a document of its size may have"
                    .to_owned(),
            );
        }
        frame.height = frame.height.max(height + 1);
        if frame.height > MAX_DEPTH {
            return Err("the aliases of this document nest its nodes too deeply".to_owned());
        }
        match &mut frame.content {
            FrameContent::Sequence(items) => items.push(value),
            FrameContent::Mapping { done, merged, key } => match key.take() {
                Some(key) if &*key == "<<" => {
                    let is_source = |value: &Value| value.as_mapping().is_some();
                    if !is_source(&value) && !value.as_sequence().is_some_and(|all| all.iter().all(is_source))
                    {
                        return Err("a merge key `<<` takes a mapping, or a list of mappings".to_owned());
                    }
                    merged.push(value);
                }
                Some(key) => drop(done.insert(key, value)),
                None => (),
            },
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, built: impl FnOnce() -> CountedNode) {
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some(built());
        }
    }

    /// The path of the next value.
    fn next_path(&self) -> NodePath {
        let path = self.path();
        match self.open.last().map(|frame| &frame.content) {
            Some(FrameContent::Sequence(items)) => path.index(items.len()),
            Some(FrameContent::Mapping { key, .. }) => path.key(key.as_deref().unwrap_or_default()),
            None => path,
        }
    }

    /// The path of the innermost open node.
    fn path(&self) -> NodePath {
        let mut path = NodePath::root();
        for pair in self.open.windows(2) {
            let step = match &pair[0].content {
                FrameContent::Sequence(items) => PathStep::Index(items.len()),
                FrameContent::Mapping { key, .. } => PathStep::Key(key.clone().unwrap_or_default()),
            };
            path = path.step(step);
        }
        path
    }
}

/// Merge keys of YAML 1.1 (yaml.org/type/merge.html): a key of the mapping itself takes precedence over a merged one, and
/// of several merged mappings the first takes precedence.
fn merge(mut done: Mapping, merged: &[Value]) -> Mapping {
    for value in merged {
        let all = value.as_sequence().unwrap_or(std::slice::from_ref(value));
        for source in all.iter().filter_map(Value::as_mapping) {
            for (key, value) in source.iter() {
                if !done.contains_key(key) {
                    done.insert(key, value.clone());
                }
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dialect: Dialect) -> Result<Document, SyntaxError> {
        super::read(text, dialect, None)
    }

    #[track_caller]
    fn check(text: &str, json: &str) {
        assert_eq!(read(text, Dialect::Kong).unwrap().value.to_json(), json);
    }

    #[test]
    fn documents_are_parsed() {
        for (text, json) in [
            ("", "null"),
            ("# only a comment\n", "null"),
            ("\u{feff}a: 1\r\nb: [x, {c: no}]\r\n", r#"{"a":1,"b":["x",{"c":false}]}"#),
            ("a: 'no'\nb: \"1\"\nc: !!str 1\nd: !custom 1\n", r#"{"a":"no","b":"1","c":"1","d":"1"}"#),
            ("200: ok\non: x\n~: y\n", r#"{"200":"ok","on":"x","~":"y"}"#),
            ("a: |\n  one\n  two\nb: >-\n  three\n  four\n", r#"{"a":"one\ntwo\n","b":"three four"}"#),
            ("a: |\n  text", r#"{"a":"text"}"#),
            (
                "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2, e: 3}\n",
                r#"{"a":{"b":1},"c":{"b":1},"d":{"b":2,"e":3}}"#,
            ),
            ("a: {<<: [{b: 1}, {b: 2, c: 3}]}\n", r#"{"a":{"b":1,"c":3}}"#),
            ("a: 1\n---\nb: 2\n", r#"{"a":1}"#),
            ("? a\n: b\n", r#"{"a":"b"}"#),
        ] {
            check(text, json);
        }
    }

    #[test]
    fn the_last_of_duplicate_keys_counts_and_is_reported() {
        let document = read("s:\n- a: 1\n  b: 2\n  a: 3\n", Dialect::Kong).unwrap();
        assert_eq!(document.value.to_json(), r#"{"s":[{"a":3,"b":2}]}"#);
        assert_eq!(document.duplicates, [NodePath::root().key("s").index(0).key("a")]);
    }

    #[test]
    fn errors_have_an_offset() {
        for (text, byte) in [
            ("a: [1, 2\nb: 3", 10),
            ("a: *unknown\n", 3),
            ("a: &x [*x]\n", 7),
            ("{a: 1}: b\n", 0),
            ("a: !!int x\n", 9),
            ("a: {<<: 1}\n", 8),
        ] {
            let error = read(text, Dialect::Kong).unwrap_err();
            assert_eq!(error.byte, byte, "{text:?}: {error:?}");
        }
    }

    #[test]
    fn expansion_bombs_are_rejected() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let all = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb = format!("{bomb}a{n}: &a{n} [{all}]\n");
        }
        assert!(read(&bomb, Dialect::Kong).unwrap_err().message.contains("expand"));
        let quadratic = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 20_000].join(", "));
        assert!(read(&quadratic, Dialect::Kong).unwrap_err().message.contains("expand"));
        let mut tower = String::from("a0: &a0 {a: 1}\n");
        for n in 1..2000 {
            tower = format!("{tower}a{n}: &a{n} {{a: [[[[[[[[*a{}]]]]]]]]}}\n", n - 1);
        }
        assert!(read(&tower, Dialect::Kong).unwrap_err().message.contains("too deeply"));
        assert!(read(&"[".repeat(20_000), Dialect::Kong).is_err());
        assert!(read(&"- ".repeat(20_000), Dialect::Kong).is_err());
    }
}
