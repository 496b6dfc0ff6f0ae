//! Hints about single values of files: the text that YAML read as a number, the placeholder that no tool has replaced, and
//! the value that was probably meant.

use crate::{
    diag::{Diagnostic, SourceFile},
    document::{NodePath, PathStep, Value, locate_all},
    entity::document::{FORMAT_VERSION, FORMAT_VERSIONS},
};

/// What the help of an error about a number in place of a text begins with.
const QUOTE_NUMBER: &str = "found a number; quote it: ";

/// What the latest format means for a file of an older one.
const LATEST_FORMAT: &str = "the latest is \"3.0\", where a path that is an expression begins with `~`";

/// Adds hints to the errors about values of a document.
pub(super) fn add_value_hints(diagnostics: &mut [Diagnostic], source: &SourceFile, document: &Value) {
    let is_one_file = source.parts.is_empty();
    if is_one_file {
        quote_as_written(diagnostics, source);
    }
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.is_error()) {
        let value = diagnostic.path.find(document);
        if diagnostic.path == NodePath::root().key(FORMAT_VERSION.name) {
            diagnostic.help = version_help(diagnostic, value);
        } else if let Some(help) = value.and_then(|value| value_help(diagnostic, value)) {
            diagnostic.help = Some(help);
        }
    }
}

/// Shows numbers in place of texts as they are written: `12:30` and not 750.
fn quote_as_written(diagnostics: &mut [Diagnostic], source: &SourceFile) {
    let is_about_number =
        |n: &usize| diagnostics[*n].help.as_deref().is_some_and(|help| help.starts_with(QUOTE_NUMBER));
    let numbers: Vec<usize> = (0..diagnostics.len()).filter(is_about_number).collect();
    let wanted: Vec<_> = numbers.iter().map(|n| (&diagnostics[*n].path, None)).collect();
    let spans = locate_all(&source.text, &wanted);
    for (n, span) in numbers.into_iter().zip(spans) {
        let written = source.text.get(span.value).filter(|text| span.exact && text.len() < 60);
        if let Some(written) = written.filter(|text| !text.contains(['\n', '"', ' '])) {
            diagnostics[n].help = Some(format!("{QUOTE_NUMBER}\"{written}\""));
        }
    }
}

fn version_help(diagnostic: &Diagnostic, value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some("write `_format_version: \"3.0\"` at the top".to_owned()),
        Some(Value::Number(_)) => {
            let quoted = diagnostic.help.as_deref().and_then(|help| help.strip_prefix(QUOTE_NUMBER));
            let version = quoted.map(|quoted| quoted.trim_matches('"'));
            if version.is_some_and(|version| FORMAT_VERSIONS.contains(&version)) {
                diagnostic.help.clone()
            } else {
                Some(format!("found a number; quote a version: {LATEST_FORMAT}"))
            }
        }
        Some(_) => Some(LATEST_FORMAT.to_owned()),
    }
}

fn value_help(diagnostic: &Diagnostic, value: &Value) -> Option<String> {
    if value.is_null() && matches!(diagnostic.path.steps().last(), Some(PathStep::Index(_))) {
        return Some("an item without a value: remove it, or quote what stands there".to_owned());
    }
    let text = value.as_str()?;
    if let Some(placeholder) = unfilled_placeholder(text) {
        return Some(placeholder_help(placeholder));
    }
    if diagnostic.help.is_some() {
        return None;
    }
    let field = last_key(&diagnostic.path)?;
    match (field, &*diagnostic.message) {
        ("methods", message) if message.starts_with("invalid value") => methods_help(text),
        ("hosts", message) if message.starts_with("invalid") => hosts_help(text),
        ("paths", message) if message.starts_with("should start with") => paths_help(text),
        (_, "should start with: /") => Some(format!("write `/{text}`")),
        _ => None,
    }
}

/// The innermost key of a path.
fn last_key(path: &NodePath) -> Option<&str> {
    path.steps().iter().rev().find_map(|step| match step {
        PathStep::Key(key) => Some(&**key),
        _ => None,
    })
}

fn methods_help(text: &str) -> Option<String> {
    let words: Vec<String> =
        text.split([',', ' ', '|']).filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect();
    let are_names = words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
    (are_names && !words.is_empty()).then(|| match words.as_slice() {
        [one] => format!("write it in capitals: {one}"),
        several => format!("each is an item of its own: [{}]", several.join(", ")),
    })
}

fn hosts_help(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        return Some(format!("a host has no scheme and no path: {host}"));
    }
    if let Some((host, path)) = text.split_once('/') {
        return Some(format!("a host has no path: {host} here, and /{path} in `paths`"));
    }
    text.contains('*').then(|| {
        "one `*` may stand for the first or the last labels: *.example.com, example.*; without `hosts`, a route \
         takes every host"
            .to_owned()
    })
}

fn paths_help(text: &str) -> Option<String> {
    match text.chars().next() {
        Some('*') => Some("a path is a prefix: `/` takes every path".to_owned()),
        Some('^') => Some(format!("write the expression with `~`: `~{}`", text.trim_start_matches('^'))),
        Some(first) if first.is_ascii_alphanumeric() && !text.contains("://") => {
            Some(format!("write `/{text}`"))
        }
        _ => None,
    }
}

/// What a placeholder is for: the part of a text that some tool was to replace before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placeholder<'a>(&'a str);

/// Delimiters of placeholders in templates of usual tools.
const DELIMITERS: [(&str, &str); 8] = [
    ("{{", "}}"),
    ("{%", "%}"),
    ("<%", "%>"),
    ("@@", "@@"),
    ("#{", "}"),
    ("__", "__"),
    ("%", "%"),
    ("<", ">"),
];

/// The first placeholder of a text that is not for this program.
pub(super) fn unfilled_placeholder(text: &str) -> Option<Placeholder<'_>> {
    if text.contains('\n') || text.len() > 2000 {
        return None;
    }
    DELIMITERS.iter().find_map(|(open, close)| {
        let start = text.find(open)?;
        let inside = text.get(start + open.len()..)?;
        let name = inside.get(..inside.find(close)?)?;
        let is_name = |character: char| character.is_ascii_alphanumeric() || "_-. ".contains(character);
        let is_plain = !name.trim().is_empty() && name.chars().all(is_name) && !name.contains("  ");
        let is_wide = matches!(*open, "{{" | "{%" | "<%");
        let is_like_name =
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.len() > 1;
        // A reference of decK, the name of a group in an expression and a percent triplet are no placeholders.
        let before = &text[..start];
        let is_other = before.ends_with('$')
            || (*open == "<" && before.ends_with(['?', 'P']))
            || (*open == "%" && name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
        (!is_other && (is_wide || (is_plain && is_like_name)))
            .then(|| text.get(start..start + open.len() + name.len() + close.len()).map(Placeholder))?
    })
}

/// What to do about a placeholder.
pub(super) fn placeholder_help(placeholder: Placeholder<'_>) -> String {
    let Placeholder(text) = placeholder;
    format!(
        "`{text}` is a placeholder that is filled in nowhere here: render the file first, or write the value itself"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_other_tools_are_found() {
        for (text, expected) in [
            ("http://{{ .Values.host }}:80", Some("{{ .Values.host }}")),
            ("{{HOST}}", Some("{{HOST}}")),
            ("http://%HOST%/", Some("%HOST%")),
            ("<YOUR_KEY>", Some("<YOUR_KEY>")),
            ("<your key>", Some("<your key>")),
            ("http://@@HOST@@/", Some("@@HOST@@")),
            ("#{Host}#", Some("#{Host}")),
            ("__HOST__", Some("__HOST__")),
            ("<%= host %>", Some("<%= host %>")),
            ("${{ env \"DECK_X\" }}", None),
            ("/a%2Fb%2Fc", None),
            ("a < b > c", None),
            ("(?<id>[0-9]+)", None),
            ("/caf%C3%A9", None),
            ("__init", None),
            ("100%", None),
            ("a.example", None),
        ] {
            assert_eq!(unfilled_placeholder(text), expected.map(Placeholder), "{text}");
        }
    }

    #[test]
    fn the_value_that_was_meant_is_shown() {
        for (field, message, text, expected) in [
            ("methods", "invalid value: get", "get", Some("write it in capitals: GET")),
            (
                "methods",
                "invalid value: GET,POST",
                "GET,POST",
                Some("each is an item of its own: [GET, POST]"),
            ),
            ("methods", "invalid value: *", "*", None),
            (
                "hosts",
                "invalid hostname: x",
                "http://a.test/b",
                Some("a host has no scheme and no path: a.test"),
            ),
            (
                "hosts",
                "invalid hostname: x",
                "a.test/b",
                Some("a host has no path: a.test here, and /b in `paths`"),
            ),
            (
                "paths",
                "should start with: / (fixed path) or ~/ (regex path)",
                "users",
                Some("write `/users`"),
            ),
            (
                "paths",
                "should start with: / (fixed path) or ~/ (regex path)",
                "*",
                Some("a path is a prefix: `/` takes every path"),
            ),
            (
                "paths",
                "should start with: / (fixed path) or ~/ (regex path)",
                "^/a$",
                Some("write the expression with `~`: `~/a$`"),
            ),
        ] {
            let at = NodePath::root().key("routes").index(0).key(field).index(0);
            let help = value_help(&Diagnostic::error(at, message), &text.into());
            assert_eq!(help.as_deref(), expected, "{field}: {text}");
        }
    }
}
