//! Reading of snippets from settings: their syntax, and names in them that are not there.

use super::{
    interpreter::{LuaInterpreters, Snippet},
    unknown_names,
};
use crate::{
    diag::Diagnostic,
    document::{NodePath, SyntaxError},
    plugin::PluginSetup,
};

/// Whether a snippet may read the log entry (`kong.log.serialize`).
pub(super) fn reads_log_entry(text: &str) -> bool {
    text.matches("serialize").count() > text.matches("set_serialize_value").count()
}

/// Reads the snippets of one plugin, and collects what is wrong in them.
pub(super) struct SnippetReader<'a> {
    setup: &'a PluginSetup<'a>,
    errors: Vec<Diagnostic>,
}

impl<'a> SnippetReader<'a> {
    pub(super) const fn new(setup: &'a PluginSetup<'a>) -> Self {
        Self { setup, errors: Vec::new() }
    }

    /// Reads a snippet. `name` stands for it in messages of Lua, `at` is its place in the configuration.
    pub(super) fn read(&mut self, name: String, text: &str, at: &NodePath) -> Option<Snippet> {
        if !self.setup.resources.runs_lua {
            let message = "Lua is turned off: untrusted_lua is `off`";
            let help = "remove the setting untrusted_lua (KONG_UNTRUSTED_LUA), or this snippet";
            self.errors.push(Diagnostic::error(at.clone(), message).help(help));
            return None;
        }
        let interpreters: &LuaInterpreters = &self.setup.resources.lua;
        match Snippet::new(name, text, interpreters) {
            Ok(snippet) => {
                let unknown = unknown_names::unknown(text, interpreters);
                let warnings = unknown.into_iter().map(|unknown| unknown.warning(at));
                self.setup.warnings.borrow_mut().extend(warnings);
                Some(snippet)
            }
            Err(error) => {
                let lines = text.split_inclusive('\n').take(error.line.saturating_sub(1));
                // The end of the text is shown at its last line.
                let byte = lines.map(str::len).sum::<usize>().min(text.trim_end().len().saturating_sub(1));
                let message = format!("invalid Lua in line {}: {}", error.line, error.message);
                self.errors.push(Diagnostic::syntax(at.inside(), &SyntaxError { byte, message }));
                None
            }
        }
    }

    /// # Errors
    /// All that is wrong in the snippets.
    pub(super) fn finish(self) -> Result<(), Vec<Diagnostic>> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}
