//! The plugin that a snippet belongs to, and its lines in the log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use uuid::Uuid;

use super::{call::Overrun, interpreter::Snippet};
use crate::{ip_network::IpNetwork, plugin::PluginSetup};

/// Number of the next plugin, for `kong.ctx.plugin`.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The plugin that a snippet belongs to.
#[derive(Clone)]
pub(super) struct SnippetOwner {
    number: u64,
    /// The id of the gateway's process, for `kong.node.get_id`.
    pub(super) node: Uuid,
    /// Peers that are trusted to name the client, for `kong.ip.is_trusted`.
    pub(super) trusted: Arc<[IpNetwork]>,
    /// Name of the plugin, for the log.
    pub(super) name: &'static str,
    /// The path of its settings, for the log.
    place: Arc<str>,
}

impl SnippetOwner {
    pub(super) fn new(name: &'static str, setup: &PluginSetup<'_>) -> Self {
        let (number, node) = (NEXT.fetch_add(1, Relaxed), setup.resources.node_id);
        let trusted = setup.resources.trusted_networks.clone();
        Self { number, node, trusted, name, place: setup.at.to_string().into() }
    }

    /// Logs the first line of an error; what follows is a trace of the interpreter.
    pub(super) fn log_error(&self, snippet: &Snippet, error: &str) {
        let message = error.lines().next().unwrap_or_default();
        let message = message.strip_prefix("runtime error: ").unwrap_or(message);
        let (name, place) = (self.name, &self.place);
        if message.contains(snippet.name()) {
            tracing::error!("{name} at {place}: {message}");
        } else {
            // Functions of the gateway name no position; the trace does.
            let position = position(snippet.name(), error);
            tracing::error!("{name} at {place}: {position}: {message}");
        }
    }

    /// A number that no other plugin has, for `kong.ctx.plugin`.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn log_over_budget(&self, snippet: &Snippet, overrun: Overrun) {
        self.log_error(snippet, &snippet.over_budget(overrun));
    }

    /// Logs that an interpreter was replaced after a call of this plugin.
    pub(super) fn log_memory(&self) {
        let (name, place) = (self.name, &self.place);
        tracing::warn!(
            "{name} at {place}: an interpreter of Lua has no memory left, and is replaced by a new one: what snippets kept \
             in variables between requests is lost; keep less in them"
        );
    }
}

/// The name of a snippet, with the line that the trace in an error names first.
fn position(snippet: &str, error: &str) -> String {
    let line = error.match_indices(snippet).find_map(|(at, _)| {
        let rest = error[at + snippet.len()..].strip_prefix(':')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then(|| &rest[..digits])
    });
    line.map_or_else(|| snippet.to_owned(), |line| format!("{snippet}:{line}"))
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn the_line_of_an_error_comes_from_its_trace() {
        for (error, expected) in [
            ("invalid\nstack traceback:\n\t[C]: in ?\n\taccess[0]:12: in main chunk", "access[0]:12"),
            ("invalid\nstack traceback:\n\taccess[0]: in ?\n\taccess[0]:3: in f", "access[0]:3"),
            ("invalid", "access[0]"),
        ] {
            assert_eq!(position("access[0]", error), expected, "{error}");
        }
    }
}
