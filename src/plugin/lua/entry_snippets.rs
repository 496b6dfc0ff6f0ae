//! Snippets that compute values of log entries, for the plugins that log.

use super::{
    call::{FinishedRequest, LuaCall, Phase, RequestState, Stop},
    interpreter::{LuaInterpreters, Snippet},
    snippet_owner::SnippetOwner,
    snippets::{SnippetReader, reads_log_entry},
};
use crate::{
    diag::Diagnostic,
    document::Value,
    plugin::{EditCondition, EntryEdit, PluginSetup, RequestRecord},
};

/// Snippets of one plugin, each with the path of its value in the entry.
pub(in crate::plugin) struct EntrySnippets {
    owner: SnippetOwner,
    interpreters: LuaInterpreters,
    fields: Vec<(String, Snippet)>,
    /// Whether a snippet reads the whole entry.
    reads_entry: bool,
}

impl EntrySnippets {
    /// Compiles the snippets of a setting, by the name of their value.
    ///
    /// # Errors
    /// A snippet is not Lua, or Lua is turned off.
    pub(in crate::plugin) fn compile(
        plugin: &'static str,
        setting: &str,
        setup: &PluginSetup<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = SnippetReader::new(setup);
        let mut reads_entry = false;
        let mut fields = Vec::new();
        for (name, text) in setup.config.get(setting).into_iter().flat_map(Value::entries) {
            let text = text.as_str().unwrap_or_default();
            reads_entry |= reads_log_entry(text);
            let at = setup.at.key(setting).key(name);
            if let Some(snippet) = reader.read(format!("{setting}.{name}"), text, &at) {
                fields.push((name.to_owned(), snippet));
            }
        }
        reader.finish()?;
        let owner = SnippetOwner::new(plugin, setup);
        Ok(Self { owner, interpreters: setup.resources.lua.clone(), fields, reads_entry })
    }

    pub(in crate::plugin) const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The values for the entry of a request. A snippet that fails leaves its value as it is, with a line in the log.
    pub(in crate::plugin) fn edits(&self, record: &RequestRecord) -> Vec<EntryEdit> {
        let state = record.kept.get::<RequestState>().cloned().unwrap_or_default();
        let mut call = LuaCall::new(Phase::Log, self.owner.clone(), state);
        call.finished = Some(FinishedRequest::of_record(record, self.reads_entry));
        let mut edits = Vec::new();
        for (path, snippet) in &self.fields {
            let result;
            (call, result) = self.interpreters.evaluate(snippet, call);
            match (call.stop.take(), result) {
                (Some(Stop::OverBudget(overrun)), _) => self.owner.log_over_budget(snippet, overrun),
                (_, Err(error)) => self.owner.log_error(snippet, &error.to_string()),
                (_, Ok(value)) => {
                    let (path, condition) = (path.clone(), EditCondition::Always);
                    edits.push(EntryEdit { path, value, condition });
                }
            }
        }
        edits
    }
}
