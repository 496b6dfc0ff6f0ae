//! Incremental parsing: after a change inside a list at the top level, only the changed items are parsed.
//!
//! They are parsed as a list under a key of their own, together with one unchanged item on either side where there is one,
//! so that their indentation and their neighbours are the same as in the whole text. Constructs with an effect beyond
//! their item (anchors, document markers, duplicate keys) make the function return `None`; the caller then parses the
//! whole text.

use super::{
    Dialect, Document, Mapping, Value,
    edit::{LayoutDraft, RereadItems, TextLayout},
    read_with_events, share,
};

/// A parsed text: one document without duplicate keys.
#[derive(Clone, Copy, Debug)]
pub struct KnownText<'a> {
    /// The text.
    pub text: &'a str,
    /// Its value.
    pub value: &'a Value,
    /// The positions of its nodes.
    pub layout: &'a TextLayout,
}

/// The key of the list that is parsed, and the entry after the last items of a list that is followed by another key.
const HEAD: &str = "k:\n";
const TAIL: &str = "z:\n";

/// Parses the new version of a known text as [`read_after`](super::read_after) with a layout does; `None` if the whole
/// text has to be parsed.
#[must_use]
pub fn read_changed(text: &str, dialect: Dialect, known: KnownText<'_>) -> Option<(Document, TextLayout)> {
    let (old, new) = (known.text.as_bytes(), text.as_bytes());
    let front = common_length(old, new, from_front);
    let back = common_length(&old[front..], &new[front..], from_back);
    let list = known.layout.list_around(known.text, front..old.len() - back)?;
    let items = known.value.get(&list.name)?.items();
    if items.len() != list.count {
        return None;
    }
    let end = (list.range.end + new.len()).checked_sub(old.len())?;
    let piece = text.get(list.range.start..end).filter(|piece| !may_hold_marker(piece))?;
    let is_last = list.range.end == old.len();
    // The key after the list must begin a line, as before.
    if !is_last && !piece.ends_with('\n') {
        return None;
    }
    let tail = if !is_last && list.items.end == list.count { TAIL } else { "" };
    let piece = [HEAD, piece, tail].concat();
    let previous: Mapping =
        [("k", Value::from(items.get(list.items.clone())?.to_vec()))].into_iter().collect();
    let mut draft = LayoutDraft::new(&piece);
    let read = read_with_events(&piece, dialect, &previous.into(), None, &mut |event, span| {
        draft.event(event, span);
    });
    let Document { value, duplicates, tagged, next } = read.ok()?;
    if !duplicates.is_empty()
        || !tagged.is_empty()
        || next.is_some()
        || value.entries().count() != 1 + usize::from(!tail.is_empty())
    {
        return None;
    }
    let mut read = value.get("k")?.as_sequence()?;
    let mut replaced = list.items.clone();
    // The unchanged item after the changed ones must be equal. It is not replaced, since its old end is the exact one.
    if list.items.end < list.count {
        let (behind, others) = read.split_last()?;
        replaced.end = replaced.end.checked_sub(1)?;
        (*behind == *items.get(replaced.end)?).then_some(())?;
        read = others;
    }
    let pieces = RereadItems { replaced: replaced.clone(), many: read.len(), head: HEAD.len() };
    let layout = known.layout.with(&list, &draft.finish()?, &pieces, (old.len(), new.len()))?;
    let (before, after) = (items.get(..replaced.start)?, items.get(replaced.end..)?);
    let all: Vec<Value> = before.iter().chain(read).chain(after).cloned().collect();
    let mut root = known.value.as_mapping()?.clone();
    root.insert(list.name, all);
    // Items may have moved within their list.
    let value = share(&root.into(), known.value);
    Some((Document { value, duplicates, tagged, next }, layout))
}

/// Splits a number of bytes off one side of a text: these bytes, and the rest.
type CutSide<'a> = fn(&'a [u8], usize) -> (&'a [u8], &'a [u8]);

/// The length of the common part of two texts at the side that `cut` splits off.
fn common_length<'a>(mut one: &'a [u8], mut other: &'a [u8], cut: CutSide<'a>) -> usize {
    let all = one.len();
    for length in [1 << 12, 1 << 8, 1] {
        while length <= one.len().min(other.len()) {
            let ((this, rest), (that, remains)) = (cut(one, length), cut(other, length));
            if this != that {
                break;
            }
            (one, other) = (rest, remains);
        }
    }
    all - one.len()
}

fn from_front(text: &[u8], length: usize) -> (&[u8], &[u8]) {
    text.split_at(length)
}

fn from_back(text: &[u8], length: usize) -> (&[u8], &[u8]) {
    let (rest, end) = text.split_at(text.len() - length);
    (end, rest)
}

/// Whether a line may be a marker: the end of a document, the start of another one, or a directive.
fn may_hold_marker(text: &str) -> bool {
    let marks = ["---", "...", "%"];
    text.split(['\n', '\r']).any(|line| marks.iter().any(|mark| line.starts_with(mark)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::{read, read_after};

    /// The value and the layout of a text, if it qualifies as a [`KnownText`].
    fn known(text: &str) -> Option<(Value, TextLayout)> {
        let (document, layout) = read_after(text, Dialect::Kong, &Value::Null, true, None).ok()?;
        (document.duplicates.is_empty() && document.tagged.is_empty() && document.next.is_none())
            .then_some((document.value, layout?))
    }

    /// Asserts that incremental parsing equals parsing of the whole text; returns whether only a part was parsed.
    #[track_caller]
    fn check(old: &str, new: &str) -> bool {
        let Some((value, layout)) = known(old) else { return false };
        let Some((document, found)) =
            read_changed(new, Dialect::Kong, KnownText { text: old, value: &value, layout: &layout })
        else {
            return false;
        };
        let (alone, expected) = read_after(new, Dialect::Kong, &Value::Null, true, None)
            .unwrap_or_else(|error| panic!("{error:?}\n{old}\n->\n{new}"));
        assert_eq!(document.value.to_json(), alone.value.to_json(), "{old}\n->\n{new}");
        assert_eq!((document.duplicates, document.next), (alone.duplicates, alone.next), "{old}\n->\n{new}");
        assert_eq!(Some(found), expected, "{old}\n->\n{new}");
        true
    }

    const TEXT: &str = "v: \"3\"\ns: # all\n- n: a\n  p: [1]\n# b\n- n: b\n  t: |+\n    x\n\n- n: c\n\nr:\n  - {n: d}\n  - n: e\n";

    #[test]
    fn only_the_changed_items_of_a_list_are_parsed() {
        for (old, new, is_part) in [
            ("p: [1]", "p: [1, 2]", true),
            ("- n: a\n  p: [1]\n", "", true),
            ("- n: c\n", "- n: c\n- n: new\n", true),
            ("\nr:", "- n: new\n\nr:", true),
            ("- n: e\n", "- n: e\n  - n: f\n", true),
            ("  - {n: d}\n", "", true),
            ("n: b", "n: é", true),
            ("# b", "# another", true),
            // Changes with an effect beyond the items, or after which there is no list.
            ("v: \"3\"", "v: \"4\"", false),
            ("n: b", "n: &b b", false),
            ("- n: c\n", "- n: c\n---\n", false),
            ("n: c", "n: \"c", false),
            ("n: c", "n: 1\n  n: 2", false),
            ("- n: c\n", "- n: c\nq: 1\n", false),
            ("  - {n: d}\n  - n: e\n", "", false),
            ("r:", "q:", false),
        ] {
            assert!(TEXT.contains(old));
            assert_eq!(check(TEXT, &TEXT.replace(old, new)), is_part, "{old:?} -> {new:?}");
        }
    }

    #[test]
    fn the_common_part_is_found_on_both_sides() {
        let long = "x".repeat(10_000);
        for (one, other, front, back) in [
            ("", "", 0, 0),
            ("abc", "abd", 2, 0),
            ("abc", "xbc", 0, 2),
            ("ab", "aab", 1, 1),
            (&*format!("{long}a{long}"), &*format!("{long}b{long}"), 10_000, 10_000),
        ] {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            assert_eq!(common_length(one, other, from_front), front);
            assert_eq!(common_length(&one[front..], &other[front..], from_back), back);
        }
    }

    const LINES: &[&str] = &[
        "- n: a",
        "- n: b",
        "  p: [x, y]",
        "  - c",
        "  t: |",
        "    text",
        "  t: >-",
        "  t: |+",
        "",
        "# why",
        "  # in",
        "s:",
        "r:",
        "q: 1",
        "- - x",
        "-",
        "- {a: 1}",
        "- {a: 1,",
        "  b: 2}",
        "  q: \"x",
        "    y\"",
        "- &x a",
        "- *x",
        "  <<: {z: 1}",
        "---",
        "...",
        "  m:",
        "    k: v",
        "    plain",
        "  'q': 'it''s'",
        "  - d: 1",
        "? s",
        ": - v",
        "\t",
        "  n: é",
        "- !!str 1",
        "  \"k\": 010",
    ];

    fn lines() -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(LINES.to_vec()), 0..14)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn incremental_parsing_equals_full_parsing(
            head in prop::sample::select(vec!["s:\n- n: a\n- n: b\n", "", "s:\n  - n: a\n  - n: b\n  - n: c\nr:\n- q\n- z\n", "---\ns:\n- x: 1\n"]),
            mut all in lines(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(LINES.to_vec())), 1..4),
            newline in prop::sample::select(vec!["\n", "\n", "\r\n"]),
        ) {
            let text = |all: &[&str]| {
                let body: String = all.iter().flat_map(|line| [*line, "\n"]).collect();
                [head, &body].concat().replace('\n', newline)
            };
            let old = text(&all);
            for (place, kind, line) in edits {
                let place = place.index(all.len() + 1);
                match kind {
                    0 if place < all.len() => drop(all.remove(place)),
                    1 if place < all.len() => all[place] = line,
                    _ => all.insert(place, line),
                }
            }
            check(&old, &text(&all));
        }

        #[test]
        fn incremental_parsing_of_an_edited_list_equals_full_parsing(
            sizes in prop::collection::vec(1..4_usize, 1..3),
            bodies in prop::collection::vec(prop::collection::vec(0..8_usize, 0..3), 12),
            at in any::<prop::sample::Index>(),
            length in 0..9_usize,
            new in "[ -~\n]{0,12}",
        ) {
            const BODIES: [&str; 8] = [
                "  p: [x]\n", "  t: |\n    text\n", "  # why\n", "\n", "  m:\n    k: v\n", "  l:\n  - 1\n  - b: 2\n",
                "  f: {a: [1],\n    b: c}\n", "  q: 'x\n\n    y'\n",
            ];
            let mut bodies = bodies.iter().cycle();
            let mut old = String::from("v: 1\n");
            for (n, items) in sizes.iter().enumerate() {
                old.extend(["s", &n.to_string(), ":\n"]);
                for item in 0..*items {
                    old.extend(["- n: ", &n.to_string(), &item.to_string(), "\n"]);
                    old.extend(bodies.next().into_iter().flatten().map(|body| BODIES[*body]));
                }
            }
            let at = at.index(old.len());
            let end = (at + length).min(old.len());
            check(&old, &[&old[..at], &new, &old[end..]].concat());
        }
    }

    #[test]
    fn unchanged_items_of_a_long_list_are_shared() {
        let item = |n: usize, path: &str| format!("- n: {n}\n  p: [{path}]\n");
        let text =
            |path: &str| (0..100).map(|n| item(n, if n == 50 { path } else { "x" })).collect::<String>();
        let (old, new) = (format!("s:\n{}", text("x")), format!("s:\n{}", text("y")));
        let (value, layout) = known(&old).unwrap();
        let (document, _) =
            read_changed(&new, Dialect::Kong, KnownText { text: &old, value: &value, layout: &layout })
                .unwrap();
        let addresses =
            |value: &Value| value.get("s").unwrap().items().iter().map(Value::address).collect::<Vec<_>>();
        let (before, after) = (addresses(&value), addresses(&document.value));
        let same = before.iter().zip(&after).filter(|(one, other)| one == other).count();
        assert_eq!(same, 99);
        assert_eq!(document.value, read(&new, Dialect::Kong).unwrap().value);
    }
}
