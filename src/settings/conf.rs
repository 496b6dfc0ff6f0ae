//! kong.conf: lines of `name = value`.
//!
//! The format is that of Kong's reader: a line that starts with `#` or `;` is a comment, `#` starts one after a
//! value too unless it is written `\#`, and a `\` at the end of a line continues it on the next one.

use super::error::SettingFault;

/// One setting of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfEntry {
    /// The line on which it starts, from 1.
    pub(super) line: usize,
    pub(super) name: String,
    /// The value, trimmed and without its comment.
    pub(super) value: String,
}

/// Parses a file into settings, and errors with the numbers of their lines.
pub(super) fn parse(text: &str) -> (Vec<ConfEntry>, Vec<(usize, SettingFault)>) {
    let mut entries = Vec::new();
    let mut faults = Vec::new();
    for (line, text) in logical_lines(text) {
        match text.split_once('=') {
            Some((name, value)) if is_name(name.trim()) => entries.push(ConfEntry {
                line,
                name: name.trim().to_ascii_lowercase(),
                value: without_comment(value),
            }),
            _ => faults.push((line, not_a_setting(&text))),
        }
    }
    (entries, faults)
}

/// Lines that are neither empty nor comments, continuations joined, with the number of the first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let (number, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        if let Some(part) = text.strip_suffix('\\') {
            joined.push_str(part);
            open = Some((number, joined));
        } else {
            joined.push_str(text);
            lines.push((number, joined));
        }
    }
    lines.extend(open);
    lines
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn without_comment(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if letter == '#' {
            if !out.ends_with('\\') {
                break;
            }
            out.pop();
        }
        out.push(letter);
    }
    out.trim().to_owned()
}

fn not_a_setting(text: &str) -> SettingFault {
    let start: String = text.chars().take(40).collect();
    SettingFault::new(
        format!("a line of kong.conf must be `name = value`, got '{start}'"),
        "begin the line with `#` if it is a comment",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let (entries, faults) = parse(text);
        assert_eq!(faults, []);
        let entries: Vec<_> = entries.iter().map(|entry| (entry.line, &*entry.name, &*entry.value)).collect();
        assert_eq!(entries, expected, "{text:?}");
    }

    #[test]
    fn settings_are_read_with_their_lines() {
        check("", &[]);
        check("log_level = info", &[(1, "log_level", "info")]);
        check("\u{feff}log_level=info\r\n", &[(1, "log_level", "info")]);
        check("  log_level   =\tinfo  \n\nrole = x", &[(1, "log_level", "info"), (3, "role", "x")]);
        check("LOG_LEVEL = info", &[(1, "log_level", "info")]);
        check("log_level =", &[(1, "log_level", "")]);
        check("a = b = c", &[(1, "a", "b = c")]);
    }

    #[test]
    fn comments_are_ignored() {
        check("# a = b\n; c = d\n   # e\ne = f", &[(4, "e", "f")]);
        check("a = b # and why", &[(1, "a", "b")]);
        check("a = b# and why", &[(1, "a", "b")]);
        check("a = # nothing", &[(1, "a", "")]);
        check(r"a = b\#c # d", &[(1, "a", "b#c")]);
        check(r"a = \#1\#2", &[(1, "a", "#1#2")]);
    }

    #[test]
    fn a_backslash_continues_a_line() {
        check("a = b, \\\n  c\nd = e", &[(1, "a", "b, c"), (3, "d", "e")]);
        check("a = b, \\\n# between\n\n  c", &[(1, "a", "b, c")]);
        check("a = b\\", &[(1, "a", "b")]);
    }

    #[test]
    fn a_line_that_is_not_a_setting_is_an_error() {
        let lines =
            |text| parse(text).1.into_iter().map(|(line, fault)| (line, fault.message)).collect::<Vec<_>>();
        let message = |got| format!("a line of kong.conf must be `name = value`, got '{got}'");
        assert_eq!(lines("log_level info"), [(1, message("log_level info"))]);
        assert_eq!(lines("a = b\n[section]"), [(2, message("[section]"))]);
        assert_eq!(lines("= b"), [(1, message("= b"))]);
        assert_eq!(lines("export A = b"), [(1, message("export A = b"))]);
    }
}
