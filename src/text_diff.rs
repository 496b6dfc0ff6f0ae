//! Differences between two texts: the part that changed, its lines as a diff, and the way back.

use std::time::Duration;

use similar::{Algorithm, ChangeTag, TextDiff};

/// Unchanged lines shown before and after a change.
const CONTEXT_LINES: usize = 3;

/// Longest search for a short diff; after that time a longer one is made.
const SEARCH_TIME: Duration = Duration::from_millis(300);

/// Largest changed parts whose lines are compared; larger ones are shown as removed and added as a whole.
const MAX_COMPARED_BYTES: usize = 8 << 20;

/// Bytes of one shown line; a longer line is cut.
const MAX_LINE_BYTES: usize = 2000;

/// Bytes of all shown lines; further lines are left out.
const MAX_SHOWN_BYTES: usize = 512 << 10;

/// The part of a text that changed, in both versions: whole lines, with some unchanged lines around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPatch {
    /// Offset of the part, which is the same in both versions.
    start: usize,
    /// Number of lines before the part.
    lines_before: usize,
    old: String,
    new: String,
}

/// Kind of a line of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffLineKind {
    /// In both versions.
    Same,
    /// Only in the old version.
    Removed,
    /// Only in the new version.
    Added,
}

impl DiffLineKind {
    /// Its name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Removed => "removed",
            Self::Added => "added",
        }
    }
}

/// One line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// Its kind.
    pub kind: DiffLineKind,
    /// Its number in the old version, from one.
    pub old_line: Option<usize>,
    /// Its number in the new version, from one.
    pub new_line: Option<usize>,
    /// The line without its end; cut if it is long.
    pub text: String,
}

/// The lines of a diff, with gaps between changes that are far apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffLines {
    /// The lines, in order.
    pub lines: Vec<DiffLine>,
    /// Whether lines are left out because there are too many.
    pub is_truncated: bool,
}

impl TextPatch {
    /// The change from one text to another; `None` if they are equal.
    #[must_use]
    pub fn between(old: &str, new: &str) -> Option<Self> {
        let prefix = common_prefix(old.as_bytes(), new.as_bytes());
        if prefix == old.len() && prefix == new.len() {
            return None;
        }
        let start = line_start_before(old, prefix, CONTEXT_LINES);
        let most = old.len().min(new.len()) - prefix;
        let suffix = common_suffix(&old.as_bytes()[prefix..], &new.as_bytes()[prefix..]).min(most);
        // The end of the part is a line end of both versions, or the end of both.
        let old_end = line_end_after(old, old.len() - suffix, CONTEXT_LINES);
        let new_end = new.len() - (old.len() - old_end);
        let lines_before = memchr::memchr_iter(b'\n', &old.as_bytes()[..start]).count();
        let (old, new) = (old[start..old_end].to_owned(), new[start..new_end].to_owned());
        Some(Self { start, lines_before, old, new })
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub const fn size(&self) -> usize {
        size_of::<Self>() + self.old.len() + self.new.len()
    }

    /// The old version of a text in the new version; `None` if the text is not the new version.
    #[must_use]
    pub fn revert(&self, text: &str) -> Option<String> {
        let (before, rest) = text.split_at_checked(self.start)?;
        let after = rest.strip_prefix(&*self.new)?;
        Some([before, &*self.old, after].concat())
    }

    /// The lines that changed, with the lines around them.
    #[must_use]
    pub fn lines(&self) -> DiffLines {
        let mut out = DiffCollector { lines_before: self.lines_before, shown: 0, diff: DiffLines::default() };
        if self.old.len() + self.new.len() > MAX_COMPARED_BYTES {
            let removed = self.old.split_inclusive('\n').enumerate();
            let added = self.new.split_inclusive('\n').enumerate();
            let _ =
                removed.map(|(n, line)| (Some(n), None, line)).try_for_each(|line| out.push(line)).and_then(
                    |()| added.map(|(n, line)| (None, Some(n), line)).try_for_each(|line| out.push(line)),
                );
            return out.diff;
        }
        let diff = TextDiff::configure()
            .algorithm(Algorithm::Myers)
            .timeout(SEARCH_TIME)
            .diff_lines(&*self.old, &*self.new);
        for group in diff.grouped_ops(CONTEXT_LINES) {
            for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
                let (old, new) = match change.tag() {
                    ChangeTag::Equal => (change.old_index(), change.new_index()),
                    ChangeTag::Delete => (change.old_index(), None),
                    ChangeTag::Insert => (None, change.new_index()),
                };
                if out.push((old, new, change.value())).is_none() {
                    return out.diff;
                }
            }
        }
        out.diff
    }
}

/// The shown lines of a diff, up to [`MAX_SHOWN_BYTES`].
struct DiffCollector {
    lines_before: usize,
    shown: usize,
    diff: DiffLines,
}

impl DiffCollector {
    /// Adds a line with its indices in the part; `None` if there are too many.
    fn push(&mut self, (old, new, line): (Option<usize>, Option<usize>, &str)) -> Option<()> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let text = cut(line, MAX_LINE_BYTES);
        self.shown += text.len() + size_of::<DiffLine>();
        if self.shown > MAX_SHOWN_BYTES {
            self.diff.is_truncated = true;
            return None;
        }
        let kind = match (old, new) {
            (Some(_), Some(_)) => DiffLineKind::Same,
            (Some(_), None) => DiffLineKind::Removed,
            _ => DiffLineKind::Added,
        };
        let number = |index: Option<usize>| index.map(|index| self.lines_before + index + 1);
        self.diff.lines.push(DiffLine { kind, old_line: number(old), new_line: number(new), text });
        Some(())
    }
}

/// The beginning of a text, with an ellipsis if it is longer than this.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}

/// The length of the longest common beginning.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    const CHUNK: usize = 256;
    let equal = one.chunks(CHUNK).zip(other.chunks(CHUNK)).take_while(|(one, other)| one == other);
    let whole: usize = equal.map(|(chunk, _)| chunk.len()).sum();
    let rest = one[whole..].iter().zip(&other[whole..]).take_while(|(one, other)| one == other);
    whole + rest.count()
}

/// The length of the longest common end.
fn common_suffix(one: &[u8], other: &[u8]) -> usize {
    const CHUNK: usize = 256;
    let equal = one.rchunks(CHUNK).zip(other.rchunks(CHUNK)).take_while(|(one, other)| one == other);
    let whole: usize = equal.map(|(chunk, _)| chunk.len()).sum();
    let (one, other) = (&one[..one.len() - whole], &other[..other.len() - whole]);
    whole + one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}

/// The start of the line with this offset, or of one some lines before.
fn line_start_before(text: &str, offset: usize, lines: usize) -> usize {
    let mut ends = memchr::memrchr_iter(b'\n', &text.as_bytes()[..offset]);
    ends.nth(lines).map_or(0, |end| end + 1)
}

/// The end of the line with this offset, or of one some lines after.
fn line_end_after(text: &str, offset: usize, lines: usize) -> usize {
    let mut ends = memchr::memchr_iter(b'\n', &text.as_bytes()[offset..]);
    ends.nth(lines).map_or(text.len(), |end| offset + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        let patch = TextPatch::between(old, new).unwrap();
        assert_eq!(patch.revert(new).as_deref(), Some(old));
        let number = |number: Option<usize>| number.map_or("-".to_owned(), |number| number.to_string());
        let line = |line: &DiffLine| {
            let (old, new) = (number(line.old_line), number(line.new_line));
            format!("{old} {new} {} {}", line.kind.as_str(), line.text)
        };
        patch.lines().lines.iter().map(line).collect()
    }

    #[test]
    fn changed_lines_have_three_lines_around_them() {
        let text = "a\nb\nc\nd\ne\nf\ng\nh\n";
        assert_eq!(
            shown(text, &text.replace('e', "E")),
            [
                "2 2 same b",
                "3 3 same c",
                "4 4 same d",
                "5 - removed e",
                "- 5 added E",
                "6 6 same f",
                "7 7 same g",
                "8 8 same h"
            ]
        );
    }

    #[test]
    fn the_way_back_leads_to_the_old_text_and_from_the_new_text_only() {
        let texts = [
            "",
            "a",
            "a\n",
            "a\nb",
            "b\na\n",
            "a\na\na\n",
            "a\na\n",
            "ä\n",
            "ö\n",
            "a\r\nb\r\n",
            "é",
            "è",
            "aa",
            "aba",
            "\n\n",
            "\n",
            "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n",
            "a\nb\nc\nd\nE\nf\ng\nh\ni\nj",
            "x\nb\nc\nd\ne\nf\ng\nh\ni\ny\n",
        ];
        for old in texts {
            for new in texts {
                let Some(patch) = TextPatch::between(old, new) else {
                    assert_eq!(old, new);
                    continue;
                };
                assert_eq!(patch.revert(new).as_deref(), Some(old), "{old:?} {new:?}");
                let lines = patch.lines().lines;
                let changed = lines.iter().any(|line| line.kind != DiffLineKind::Same);
                assert!(changed, "{old:?} {new:?}");
            }
        }
        let patch = TextPatch::between("a\nb\n", "a\nc\n").unwrap();
        assert_eq!(patch.revert("a\nd\n"), None);
    }

    #[test]
    fn changes_far_apart_have_a_gap_between_them() {
        let text: String = (1..=40).fold(String::new(), |text, n| text + &format!("line {n}\n"));
        let changed = text.replace("line 10\n", "").replace("line 30\n", "line 30a\nline 30b\n");
        let lines = shown(&text, &changed);
        assert_eq!(lines[3], "10 - removed line 10");
        assert_eq!(lines[7..10], ["27 26 same line 27", "28 27 same line 28", "29 28 same line 29"]);
        assert_eq!(lines.len(), 7 + 9);
    }

    #[test]
    fn large_diffs_are_cut() {
        let line = "x".repeat(MAX_LINE_BYTES + 9);
        let patch = TextPatch::between("", &line).unwrap();
        assert_eq!(patch.lines().lines[0].text.len(), MAX_LINE_BYTES + '…'.len_utf8());
        let many = |word: &str| format!("{word}\n").repeat(MAX_SHOWN_BYTES / 10);
        let diff = TextPatch::between(&many("old"), &many("new")).unwrap().lines();
        assert!(diff.is_truncated && diff.lines.len() < MAX_SHOWN_BYTES / 50);
        let huge = |word: &str| format!("{word}\n").repeat(MAX_COMPARED_BYTES / 4);
        let diff = TextPatch::between(&huge("old"), &huge("new")).unwrap().lines();
        assert!(diff.is_truncated && diff.lines[0].kind == DiffLineKind::Removed);
    }
}
