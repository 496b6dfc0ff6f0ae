//! Tests of edits: single changes and their texts, and the property that an edit makes exactly the requested change.

use proptest::prelude::*;

use super::*;
use crate::document::{Dialect, Mapping, PathStep, read, read_after};

fn at(path: &str) -> NodePath {
    path.split('.').filter(|step| !step.is_empty()).fold(NodePath::root(), |path, step| match step.parse() {
        Ok(n) => path.index(n),
        Err(_) => path.key(step),
    })
}

fn value(yaml: &str) -> Value {
    read(yaml, Dialect::Kong).unwrap().value
}

fn set(path: &str, yaml: &str) -> DocumentChange {
    DocumentChange::Set(at(path), value(yaml))
}

fn push(path: &str, yaml: &str) -> DocumentChange {
    DocumentChange::Push(at(path), value(yaml))
}

fn remove(path: &str) -> DocumentChange {
    DocumentChange::Remove(at(path))
}

/// Asserts the text after a change.
#[track_caller]
fn check(text: &str, change: &DocumentChange, expected: &str) {
    let edited = edit(text, &value(text), None, change).unwrap();
    assert_eq!(edited, expected, "{change:?}");
}

const TEXT: &str = "\
_format_version: \"3.0\" # v

services:
# first
- name: a   # the a
  host: h

# second
- name: b
  routes:
    - name: r
      paths: [ /x, \"/y\" ]   # list
  # tail
plugins: []
";

/// Asserts that a change of [`TEXT`] replaces one piece of it.
#[track_caller]
fn check_piece(change: &DocumentChange, old: &str, new: &str) {
    assert!(TEXT.contains(old));
    check(TEXT, change, &TEXT.replace(old, new));
}

#[test]
fn unchanged_parts_of_a_block_are_kept() {
    check_piece(&set("services.0.host", "new"), "host: h\n", "host: new\n");
    check_piece(&set("services.0.host", "'on'"), "host: h\n", "host: 'on'\n");
    check_piece(&set("services.0.name", "z"), "name: a   # the a", "name: z   # the a");
    check_piece(&set("services.0.port", "8080"), "host: h\n", "host: h\n  port: 8080\n");
    check_piece(&set("services.1.enabled", "false"), "- name: b\n", "- name: b\n  enabled: false\n");
    check_piece(&set("services.0.tags", "[x, 'y']"), "host: h\n", "host: h\n  tags:\n  - x\n  - 'y'\n");
    check_piece(
        &push("services", "{name: c, routes: [{name: q, paths: [/q]}]}"),
        "# list\n",
        "# list\n\n- name: c\n  routes:\n  - name: q\n    paths:\n    - /q\n",
    );
    check_piece(&push("plugins", "{name: cors}"), "plugins: []\n", "plugins:\n- name: cors\n");
    check_piece(&push("services.1.routes.0.paths", "/z"), ", \"/y\" ]", ", \"/y\", /z ]");
    check_piece(&push("services.1.routes.0.paths", "'a, b'"), ", \"/y\" ]", ", \"/y\", 'a, b' ]");
    check_piece(&remove("services.1.routes.0.paths.0"), "[ /x, \"/y\" ]", "[ \"/y\" ]");
    check_piece(&remove("services.0.name"), "name: a   # the a\n  host: h", "host: h");
    check_piece(&remove("services.0"), "- name: a   # the a\n  host: h\n", "");
    check_piece(&remove("services.0.host"), "  host: h\n", "");
    check_piece(
        &remove("services.1.routes.0"),
        "  routes:\n    - name: r\n      paths: [ /x, \"/y\" ]   # list\n",
        "  routes: []   # list\n",
    );
}

#[test]
fn other_styles_are_kept_too() {
    check("a:\r\n- b: 1\r\n", &set("a.0.c", "[x]"), "a:\r\n- b: 1\r\n  c:\r\n  - x\r\n");
    check("a:\n- b: 1", &set("a.0.c", "2"), "a:\n- b: 1\n  c: 2\n");
    check("", &set("a.b", "1"), "a:\n  b: 1\n");
    check("# only this\n", &push("a", "1"), "# only this\na:\n- 1\n");
    check("a:\n  b: # why\n    c: 1\n", &set("a.b", "{d: 2}"), "a:\n  b: # why\n    d: 2\n");
    check("a:\n  b:   # why\nc: 1\n", &set("a.b", "2"), "a:\n  b: 2   # why\nc: 1\n");
    check("a: 1  # why\n", &set("a", "\"x\\ny\\n\""), "a: | # why\n  x\n  y\n");
    check("a: [1]  # why\n", &set("a", "[2]"), "a: [2]  # why\n");
    check("a: [1]  # why\n", &set("a", "5"), "a: 5  # why\n");
    check("a: [1]  # why\n", &remove("a.0"), "a: []  # why\n");
    check("a: # of a\n# why\n- b # of b\nc: 1\n", &remove("a.0"), "a: [] # of a # of b\n# why\nc: 1\n");
    check("a:\r\n  # why\r\n\r\n  # so\r\n  - b", &remove("a.0"), "a: []\r\n  # why\r\n  # so\r\n");
    check("- {a: 1} # why\n- b\n", &set("0", "{c: 1, d: 2}"), "- {c: 1, d: 2} # why\n- b\n");
    check("a: |\n  x\n\nb: 1\n", &set("c", "2"), "a: |\n  x\n\nb: 1\nc: 2\n");
    check("a: {b: 1}\n", &set("a.c", "{d: [x, 'y z']}"), "a: {b: 1, c: {d: [x, 'y z']}}\n");
    check("a: {}\n", &set("a.c", "2"), "a: {c: 2}\n");
    check("a: [\n  x,\n  y # z\n]\n", &push("a", "w"), "a: [\n  x,\n  y,\n  w # z\n]\n");
    check("a: 1\nb: 2\na: 3\n", &set("a", "4"), "a: 1\nb: 2\na: 4\n");
    check("a: 1\nb: 2\na: 3\n", &remove("a"), "b: 2\n");
    check("- - a\n  - b\n", &push("0", "c"), "- - a\n  - b\n  - c\n");
}

#[test]
fn json_stays_json() {
    check(
        r#"{"a": [ {"b": 1} ]}"#,
        &push("a", "{c: no, d: x}"),
        r#"{"a": [ {"b": 1}, {"c": false, "d": "x"} ]}"#,
    );
    check(r#"{"a":{}}"#, &set("a.b", "é"), r#"{"a":{"b": "é"}}"#);
    check(
        "{\n  \"a\": [\n    {\n      \"b\": 1\n    }\n  ]\n}\n",
        &push("a", "{c: [1]}"),
        "{\n  \"a\": [\n    {\n      \"b\": 1\n    },\n    {\n      \"c\": [\n        1\n      ]\n    }\n  ]\n}\n",
    );
    check("{\n  \"a\": 1\n}\n", &set("b", "2"), "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
    check("{\"a\": 1, \"b\": 2}", &remove("b"), "{\"a\": 1}");
}

#[test]
fn a_change_affects_only_its_path() {
    check("a: &x [1]\nb: *x\n", &push("a", "2"), "a: &x [1, 2]\nb: [1]\n");
    check("a: &x [1]\nb: *x\n", &push("b", "2"), "a: &x [1]\nb:\n- 1\n- 2\n");
    check("a: &x {k: 1}\nb: *x\n", &set("b.k", "2"), "a: &x {k: 1}\nb:\n  k: 2\n");
    check("a: &x {k: 1}\nb:\n  <<: *x\n", &set("a.k", "2"), "a: &x {k: 2}\nb:\n  <<: {k: 1}\n");
    check("a: &x {k: 1}\nb:\n  <<: *x\n", &remove("b.k"), "a: &x {k: 1}\nb:\n  <<: *x\n  k: null\n");
    check("a: [&x 1, 2]\nb: *x\n", &remove("a.0"), "a: [2]\nb: 1\n");
}

/// The value with the node at the end of the steps changed; `None` if the steps lead nowhere.
#[expect(
    clippy::option_option,
    reason = "one says whether there is a way, the other whether there is a node"
)]
fn change_at(
    value: &Value,
    steps: &[PathStep],
    end: &dyn Fn(Option<&Value>) -> Option<Value>,
) -> Option<Option<Value>> {
    let Some((step, rest)) = steps.split_first() else { return Some(end(Some(value))) };
    let below = |child: Option<&Value>| match child {
        None if rest.is_empty() => Some(end(None)),
        child => change_at(child.unwrap_or(&Value::Null), rest, end),
    };
    match (step, value) {
        (PathStep::Key(key), Value::Mapping(_) | Value::Null) => {
            let mut mapping = value.as_mapping().cloned().unwrap_or_default();
            match below(mapping.get(key))? {
                Some(child) => drop(mapping.insert(key.clone(), child)),
                None => drop(mapping.remove(key)),
            }
            Some(Some(mapping.into()))
        }
        (PathStep::Index(n), Value::Sequence(items)) => {
            let mut items = items.to_vec();
            match below(items.get(*n))? {
                Some(child) => items[*n] = child,
                None => drop(items.remove(*n)),
            }
            Some(Some(items.into()))
        }
        _ => None,
    }
}

/// The value of a document after a change.
fn changed(document: &Value, change: &DocumentChange) -> Option<Value> {
    match change {
        DocumentChange::Set(path, value) => change_at(document, path.steps(), &|_| Some(value.clone()))?,
        DocumentChange::Remove(path) => change_at(document, path.steps(), &|_| None)?,
        DocumentChange::Push(path, value) => change_at(document, path.steps(), &|list| {
            let items = list.map(Value::items).unwrap_or_default();
            Some(items.iter().chain([value]).cloned().collect::<Vec<_>>().into())
        })?,
    }
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(i64::from(number))),
        "[a-z/.:# ~'\"\\\\{},*&!%@|>\n-]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["on", "12:30", "~", "0x1", "é\u{2028}", "a\nb\n", "- x", "k: v", "?"])
            .prop_map(Value::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-d]|on|: x", inner), 0..3)
                .prop_map(|all| all.into_iter().collect::<Mapping>().into()),
        ]
    })
}

/// Collects the paths of all nodes of a document.
fn paths(value: &Value, path: &NodePath, all: &mut Vec<(NodePath, bool)>) {
    all.push((path.clone(), matches!(value, Value::Sequence(_) | Value::Null)));
    for (key, child) in value.entries() {
        paths(child, &path.key(key), all);
    }
    for (n, child) in value.items().iter().enumerate() {
        paths(child, &path.index(n), all);
    }
}

#[test]
fn an_indented_comment_below_does_not_become_a_part_of_a_text() {
    let text = "services:\n  - a\n  # tail\nx: 1\n";
    check(
        text,
        &DocumentChange::Set(at("services"), "\\\n".into()),
        "services: \"\\\\\\n\"\n  # tail\nx: 1\n",
    );
    let unindented = "services:\n  - a\n# tail\nx: 1\n";
    check(unindented, &DocumentChange::Set(at("services"), "b\n".into()), "services: |\n  b\n# tail\nx: 1\n");
    let nested = "a:\n  k: 1\n    # tail\n";
    check(nested, &DocumentChange::Set(at("a.l"), "b\n".into()), "a:\n  k: 1\n  l: \"b\\n\"\n    # tail\n");
}

/// Texts of several styles.
const TEXTS: &[&str] = &[
    TEXT,
    "services:\n  - &s\n    name: a # x\n    tags: &t [p, q]\n\n  - name: b\n    tags: *t\n    config:\n      k: |\n        one\n\n        two\n\n# end\n",
    "{\n  \"a\": [\n    {\"b\": 1, \"c\": []}\n  ],\n  \"d\": {}, \"e\": \"x\"\n}\n",
    "a: {b: [x, {y: z}], c: , d: 'q'} # end\ne:\nf: >-\n  folded\n  text\ng: \"a\n  b\"\n",
    "- a\n- - b\n  - c\n-\n  d: 1\n- # why\n  e: 2\n",
    "base: &b\n  k: 1\n  l: [x]\nother:\n  <<: *b\n  m: 2\nlast: *b\n",
    "a:\r\n- b: |+\r\n    x\r\n\r\n- c\r\n",
];

proptest! {
    #[test]
    fn an_edit_makes_exactly_the_requested_change(
        text in prop::sample::select(TEXTS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4, "[a-z]", values()), 1..6),
    ) {
        let mut text = text.to_owned();
        for (which, kind, key, new) in changes {
            let document = value(&text);
            let mut all = Vec::new();
            paths(&document, &NodePath::root(), &mut all);
            let (path, is_list) = which.get(&all).clone();
            let is_root = path.steps().is_empty();
            let change = match kind {
                0 if is_list && !is_root => DocumentChange::Push(path, new),
                1 if !is_root => DocumentChange::Remove(path),
                2 if !is_root => DocumentChange::Set(path, new),
                _ => DocumentChange::Set(path.key(&key), new),
            };
            let Some(expected) = changed(&document, &change) else { continue };
            let edited = edit(&text, &document, None, &change);
            // The result does not depend on whether the layout came with the document.
            let (_, layout) = read_after(&text, Dialect::Kong, &document, true, None).unwrap();
            prop_assert_eq!(&edited, &edit(&text, &document, layout.map(Arc::new), &change));
            match edited {
                Ok(edited) => {
                    let parsed = read(&edited, Dialect::Kong);
                    prop_assert!(parsed.is_ok(), "{change:?}\n{text}\n->\n{edited}\n{parsed:?}");
                    let parsed = parsed.unwrap().value;
                    // A merged key cannot be removed; it is set to null instead.
                    let unset = DocumentChange::Set(change.path().clone(), Value::Null);
                    let expected = match change {
                        DocumentChange::Remove(_) if parsed != expected => changed(&document, &unset).unwrap(),
                        _ => expected,
                    };
                    prop_assert_eq!(&parsed, &expected, "{:?}\n{}\n->\n{}", change, text, edited);
                    text = edited;
                }
                Err(why) => prop_assert!(document.is_null() || !text.is_empty(), "{why}"),
            }
        }
    }
}
