//! Hints for people, added to the errors of files: what YAML made of a value that was meant otherwise, variables that are not
//! replaced, fields with new names.

use super::{
    DeclarativeFormat,
    foreign_files::{foreign_file, is_template},
    is_substituted,
    value_hints::add_value_hints,
};
use crate::{
    diag::{Diagnostic, MarkedPart, SourceFile},
    document::{NodePath, NodeSpan, Value, locate_all},
    entity::{DOCUMENT, document::IGNORE},
};

/// Most warnings about variables.
const MAX_VARIABLE_WARNINGS: usize = 20;

/// Adds hints to the errors about a document.
pub(super) fn add_hints(
    diagnostics: &mut Vec<Diagnostic>,
    source: &SourceFile,
    document: &Value,
    format: DeclarativeFormat,
) {
    if source.parts.is_empty()
        && let Some(foreign) = foreign_file(document)
    {
        *diagnostics = vec![foreign];
        return;
    }
    remove_consequences(diagnostics);
    add_value_hints(diagnostics, source, document);
    if format == DeclarativeFormat::Deck {
        for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.is_error()) {
            let text = diagnostic.path.find(document).and_then(Value::as_str);
            if let Some(name) = text.filter(|text| is_substituted(text)).and_then(variable_name) {
                diagnostic.help = Some(not_replaced_help(name));
            }
        }
    }
    // Paths of several files are those of the whole; the hints are for the text of one.
    if source.parts.is_empty() {
        add_quote_hints(diagnostics, source);
    }
}

/// Removes errors that follow from others: that a list is missing, where it only has its old name.
fn remove_consequences(diagnostics: &mut Vec<Diagnostic>) {
    let renamed: Vec<NodePath> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.help.as_deref().is_some_and(|help| help.starts_with("it is `")))
        .map(|diagnostic| diagnostic.path.parent())
        .collect();
    if !renamed.is_empty() {
        diagnostics.retain(|diagnostic| {
            let is_missing = diagnostic.message.contains("of these fields must be non-empty");
            !(is_missing && renamed.iter().any(|path| diagnostic.path.steps().starts_with(path.steps())))
        });
    }
    let misspelt: Vec<NodePath> = diagnostics
        .iter()
        .filter(|diagnostic| MATCHING_HELP.iter().any(|help| diagnostic.help.as_deref() == Some(help)))
        .map(|diagnostic| diagnostic.path.parent())
        .collect();
    diagnostics.retain(|diagnostic| {
        !(diagnostic.message.starts_with("must set one of") && misspelt.contains(&diagnostic.path))
    });
    let wrong: Vec<NodePath> =
        diagnostics.iter().filter(|found| found.is_error()).map(|found| found.path.clone()).collect();
    diagnostics.retain(|diagnostic| !(is_about_tag(diagnostic) && wrong.contains(&diagnostic.path)));
}

/// The help about misspelt fields of a route that match requests.
const MATCHING_HELP: [&str; 5] = [
    "did you mean `methods`?",
    "did you mean `hosts`?",
    "did you mean `headers`?",
    "did you mean `paths`?",
    "did you mean `snis`?",
];

/// Warns of a tag that has no meaning, with which a text was probably meant to begin.
pub(super) fn meaningless_tag(path: NodePath, tag: &str) -> Diagnostic {
    let message = format!("{TAG_BEGINS} `{tag}` has no meaning here, and is no part of the text");
    Diagnostic::warning(path, message).help("quote a text that begins with `!`")
}

const TAG_BEGINS: &str = "the tag";

fn is_about_tag(diagnostic: &Diagnostic) -> bool {
    !diagnostic.is_error() && diagnostic.message.starts_with(TAG_BEGINS)
}

/// Adds a hint to an error of YAML: about templates, tabs and indentation, and characters that a text without quotes cannot
/// begin with.
pub(super) fn add_syntax_hint(diagnostic: &mut Diagnostic, source: &SourceFile) {
    let MarkedPart::Byte(byte) = diagnostic.mark else { return };
    let first = source.text.get(byte..).and_then(|rest| rest.chars().next());
    let has = |part: &str| diagnostic.message.contains(part);
    let help = if is_template(&source.text, byte) {
        "this looks like a template: render it first, with the tool that it is for".to_owned()
    } else if has("unknown anchor") {
        "the anchor of an alias, `&name`, must stand above it; quote a text that begins with `*`".to_owned()
    } else if has("a key has to be a text") {
        "quote a text that begins with `{` or `[`".to_owned()
    } else if has("a merge key") {
        "such as `<<: *name`, where `&name` stands before a mapping".to_owned()
    } else if has("a tab") || has("tabs") || source.text.get(..byte).is_some_and(ends_with_indenting_tab) {
        "YAML is indented with spaces: replace the tab".to_owned()
    } else if let Some(first @ ('@' | '`' | '%' | '*' | '!' | '&')) = first {
        format!("quote a text that begins with `{first}`")
    } else if has("mapping values are not allowed") {
        "quote a text with `: ` in it, or begin a new line with the indentation of its siblings".to_owned()
    } else if has("did not find expected") || has("indent") || has("block collection") || has("block mapping")
    {
        "compare the indentation of this line with that of its siblings above".to_owned()
    } else if has("simple key") {
        "a key is a text of one line and at most 1,024 characters, followed by `: `".to_owned()
    } else {
        return;
    };
    diagnostic.help = Some(help);
}

/// Whether a text ends with a tab in the indentation of its last line.
fn ends_with_indenting_tab(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    line.ends_with('\t') && line.chars().all(char::is_whitespace)
}

/// Adds hints about values that YAML takes for a comment, a tag or an anchor, since they are not in quotes.
fn add_quote_hints(diagnostics: &mut [Diagnostic], source: &SourceFile) {
    let is_empty_value = |diagnostic: &Diagnostic| {
        let empty = ["required field missing", "length must be at least 1"];
        diagnostic.is_error() && empty.contains(&diagnostic.message.as_str())
    };
    let empty: Vec<usize> = (0..diagnostics.len()).filter(|n| is_empty_value(&diagnostics[*n])).collect();
    let wanted: Vec<(&NodePath, Option<usize>)> =
        empty.iter().map(|n| (&diagnostics[*n].path, None)).collect();
    let spans = locate_all(&source.text, &wanted);
    for (n, span) in empty.into_iter().zip(spans) {
        if let Some(help) = unquoted_help(&source.text, &span) {
            diagnostics[n].help = Some(help);
        }
    }
}

/// A hint for a node that has no value, where something stands behind its key.
fn unquoted_help(text: &str, span: &NodeSpan) -> Option<String> {
    let start = match &span.key {
        Some(key) => key.end,
        None => span.value.start,
    };
    let line = text.get(start..).filter(|_| span.exact)?.lines().next()?;
    let value = line.trim_start_matches(['"', '\'']).trim_start_matches([':', ' ', '-']);
    let first = value.chars().next()?;
    let meaning = match first {
        '#' => "a comment",
        '!' => "a tag",
        '&' => "an anchor",
        _ => return None,
    };
    Some(format!("`{first}` begins {meaning} here; quote a text that begins with it"))
}

/// Warns of texts that look like variables where variables are not replaced; once for each name.
pub(super) fn warn_of_variables(document: &Value, format: DeclarativeFormat) -> Vec<Diagnostic> {
    let mut found = VariableFinder { names: Vec::new(), warnings: Vec::new() };
    if format == DeclarativeFormat::Deck {
        let is_annotation = |key: &str| key == IGNORE.name || DOCUMENT.iter().all(|field| field.name != key);
        for (key, value) in document.entries().filter(|(key, _)| !is_annotation(key) && !key.starts_with('_'))
        {
            found.visit(value, &NodePath::root().key(key));
        }
    }
    found.warnings
}

struct VariableFinder {
    names: Vec<String>,
    warnings: Vec<Diagnostic>,
}

impl VariableFinder {
    fn visit(&mut self, value: &Value, at: &NodePath) {
        if self.warnings.len() >= MAX_VARIABLE_WARNINGS {
            return;
        }
        match value {
            Value::String(text) => {
                let name = whole_variable(text).or_else(|| braced_variable(text));
                if let Some(name) = name.filter(|name| !self.names.iter().any(|known| known == name)) {
                    self.names.push(name.to_owned());
                    let message = format!("`{name}` is not replaced: the text goes on as it is written");
                    self.warnings
                        .push(Diagnostic::warning(at.clone(), message).help(not_replaced_help(name)));
                }
            }
            Value::Sequence(items) => {
                items.iter().enumerate().for_each(|(n, item)| self.visit(item, &at.index(n)));
            }
            Value::Mapping(members) => {
                members.iter().filter(|(key, _)| *key != "_comment").for_each(|(key, value)| {
                    self.visit(value, &at.key(key));
                });
            }
            _ => (),
        }
    }
}

fn not_replaced_help(name: &str) -> String {
    format!(
        "to have the environment variable {name} in its place, set KONG_ENV_SUBSTITUTION=on; else write the value itself"
    )
}

/// The name of the variable that is the whole text: `$NAME`, `${NAME}` or `${NAME:-default}`.
fn whole_variable(text: &str) -> Option<&str> {
    let name = variable_name(text)?;
    let rest = text.strip_prefix('$')?;
    let is_whole = rest == name
        || rest.strip_prefix('{').and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| {
            rest == "}" || (rest.starts_with(":-") && rest.find('}') == Some(rest.len() - 1))
        });
    is_whole.then_some(name)
}

/// The name of the first variable in capitals and in braces, in a text of one line.
fn braced_variable(text: &str) -> Option<&str> {
    if text.contains('\n') {
        return None;
    }
    text.match_indices("${").find_map(|(at, _)| {
        let inside = text.get(at + 2..)?;
        let name = inside.get(..capitals(inside))?;
        let closes = inside.get(name.len()..).is_some_and(|rest| rest.starts_with(['}', ':']));
        (!name.is_empty() && closes).then_some(name)
    })
}

/// The name of the first variable of a text.
fn variable_name(text: &str) -> Option<&str> {
    text.match_indices('$').find_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let inside = rest.strip_prefix('{').unwrap_or(rest);
        let length = if rest.starts_with('{') {
            inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
        } else {
            capitals(inside)
        };
        inside.get(..length).filter(|name| !name.is_empty())
    })
}

/// The length of a name in capitals.
fn capitals(text: &str) -> usize {
    let is_in_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_') {
        text.bytes().take_while(is_in_name).count()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};

    #[test]
    fn texts_that_look_like_variables_are_found_once_for_each_name() {
        for (text, expected) in [
            (
                "keyauth_credentials: [{key: '${ANON_KEY}'}, {key: '$ANON_KEY'}]",
                vec!["keyauth_credentials[0].key"],
            ),
            ("plugins: [{config: {origins: ['${URL:-x}']}}]", vec!["plugins[0].config.origins[0]"]),
            (
                "plugins: [{config: {add: {headers: ['A: Bearer ${TOKEN}']}}}]",
                vec!["plugins[0].config.add.headers[0]"],
            ),
            (
                "consumers: [{username: $(headers.x), custom_id: $5, tags: [$lower, '/a$|/B$', 'US$']}]",
                vec![],
            ),
            ("_comment: ${A}\nplugins: [{_comment: '${A}', config: {access: \"x\\n${A}\"}}]", vec![]),
        ] {
            let document = read(text, Dialect::Kong).map(|document| document.value).unwrap_or_default();
            let paths = |format| {
                let warnings = warn_of_variables(&document, format);
                warnings.iter().map(|warning| warning.path.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(paths(DeclarativeFormat::Deck), expected, "{text}");
            assert!(
                paths(DeclarativeFormat::Environment).is_empty() && paths(DeclarativeFormat::Kong).is_empty()
            );
        }
    }
}
