//! Search for names in a snippet that the sandbox does not have, before the snippet runs.

use regex::Regex;

use super::interpreter::LuaInterpreters;
use crate::{
    diag::Diagnostic,
    document::{NodePath, SyntaxError},
};

/// A name that a snippet uses and that is not there.
pub(super) struct UnknownName {
    byte: usize,
    name: String,
}

impl UnknownName {
    pub(super) fn warning(self, at: &NodePath) -> Diagnostic {
        let message = format!(
            "'{}' is not available here: the request gets a 500 where the snippet uses it",
            self.name
        );
        let error = SyntaxError { byte: self.byte, message };
        let mut warning = Diagnostic::syntax(at.inside(), &error);
        warning.severity = crate::diag::Severity::Warning;
        warning.help("docs/plugins.md lists what snippets can use")
    }
}

/// Names of the libraries that a snippet uses although they are not there, each once.
pub(super) fn unknown(text: &str, interpreters: &LuaInterpreters) -> Vec<UnknownName> {
    let code = without_comments_and_strings(text);
    let Ok(names) = Regex::new(
        r"\b(?:kong|ngx|os|io|debug|package|coroutine|string|table|math)(?:\.[A-Za-z_]\w*)+|\b(?:load|loadstring|loadfile|dofile|collectgarbage|getfenv|setfenv|newproxy)\b",
    ) else {
        return Vec::new();
    };
    let mut found: Vec<UnknownName> = Vec::new();
    for name in names.find_iter(&code) {
        let own_member = code[..name.start()].ends_with(['.', ':']);
        if own_member
            || found.iter().any(|known| known.name == name.as_str())
            || interpreters.knows(name.as_str())
        {
            continue;
        }
        found.push(UnknownName { byte: name.start(), name: name.as_str().to_owned() });
    }
    found
}

/// The text with comments and texts blanked; every byte keeps its place.
fn without_comments_and_strings(text: &str) -> String {
    let Ok(parts) =
        Regex::new(r#"(?s)--\[\[.*?\]\]|--[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\[\[.*?\]\]"#)
    else {
        return text.to_owned();
    };
    parts.replace_all(text, |found: &regex::Captures<'_>| " ".repeat(found[0].len())).into_owned()
}
