//! `bot-detection`: refusal of crawlers by their User-Agent. (Kong: Bot Detection plugin.)

mod crawlers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use fancy_regex::Regex;
use http::{StatusCode, header::USER_AGENT};

use super::{
    Exchange, Flow, Plugin, PluginDef, PluginResult, PluginSetup, pcre::search_regex, setting_values,
};
use crate::{
    diag::Diagnostic,
    document::Value,
    schema::{Field, FieldKind, FieldRule},
};

/// Definition of the plugin.
pub(super) const DEF: PluginDef = PluginDef::new("bot-detection", 2500, FIELDS, compile);

const PATTERNS: FieldKind =
    FieldKind::Array(&Field::item(FieldKind::String).rules(&[FieldRule::Holds(is_pattern)]));

const FIELDS: &[Field] = &[
    Field::new("allow", PATTERNS).default("[]").describe("regular expressions of clients that are let in"),
    Field::new("deny", PATTERNS).default("[]").describe("regular expressions of clients that are refused"),
];

struct BotDetection {
    allow: Vec<Regex>,
    deny: Vec<Regex>,
}

fn compile(setup: &PluginSetup<'_>) -> PluginResult {
    let mut diagnostics = Vec::new();
    let mut patterns = |field| -> Vec<Regex> {
        let all = setting_values::strings(setup.config, field);
        all.filter_map(|(n, text)| {
            let fault = |message| diagnostics.push(Diagnostic::error(setup.at.key(field).index(n), message));
            compile_pattern(text).map_err(fault).ok()
        })
        .collect()
    };
    let (allow, deny) = (patterns("allow"), patterns("deny"));
    if diagnostics.is_empty() { Ok(Arc::new(BotDetection { allow, deny })) } else { Err(diagnostics) }
}

fn is_pattern(value: &Value) -> Result<(), String> {
    compile_pattern(value.as_str().unwrap_or_default()).map(drop)
}

fn compile_pattern(text: &str) -> Result<Regex, String> {
    search_regex(text, "").map_err(|error| format!("not a valid regex: {text}: {error}"))
}

impl Plugin for BotDetection {
    fn access<'a>(&'a self, exchange: &'a mut Exchange) -> Flow<'a> {
        let mut values = exchange.head().fields().get_all(USER_AGENT).iter();
        let Some(user_agent) = values.next() else { return Flow::Continue };
        if values.next().is_some() {
            return Flow::Respond(
                exchange.error(StatusCode::BAD_REQUEST, "Only one User-Agent header allowed"),
            );
        }
        if self.admits(user_agent.as_bytes().trim_ascii()) {
            return Flow::Continue;
        }
        Flow::Respond(exchange.error(StatusCode::FORBIDDEN, "Forbidden"))
    }
}

impl BotDetection {
    /// Whether a client is let in: `allow` decides before `deny`, and `deny` before the default rules. A search that
    /// exceeds its limit of steps counts against the client.
    fn admits(&self, user_agent: &[u8]) -> bool {
        let text = String::from_utf8_lossy(user_agent);
        let matches = |patterns: &[Regex], unfinished| {
            patterns.iter().any(|pattern| pattern.is_match(&*text).unwrap_or(unfinished))
        };
        matches(&self.allow, false) || !matches(&self.deny, true) && !crawlers::is_crawler(user_agent)
    }
}
