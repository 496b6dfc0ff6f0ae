//! Diagnostics of the check, with hints: what was found, and what would be right.

use super::{EntityFault, Field, FieldCondition, FieldKind, Shorthand, check::RecordChecker, nearest};
use crate::{
    diag::{Diagnostic, ENTITY, KongMessage, push_bounded},
    document::{Mapping, NodePlace, Number, Value},
};

/// Older names of settings, and the present ones.
const RENAMED: [(&str, &str); 2] = [("whitelist", "allow"), ("blacklist", "deny")];

/// What to do about a plugin that does not exist.
const WITHOUT_PLUGIN: &str = "remove it, or have the rest served by `mynah run --quarantine`";

/// Settings that are gone or belong to other gateways, and what to do.
const LEFT_OUT: [(&[&str], &str); 3] = [
    (&["run_on"], "Kong 2.0 removed it: leave it out"),
    (
        &[
            "include_consumer_groups",
            "groups",
            "consumer_group",
            "consumer_groups",
            "ws_handshake",
            "ws_client_frame",
            "ws_upstream_frame",
            "ws_close",
            "partials",
        ],
        "it belongs to Kong's Enterprise gateway and has no counterpart here",
    ),
    (&["strip_uri", "uris", "upstream_url"], "it belongs to the APIs of Kong 0.x: write services and routes"),
];

impl RecordChecker<'_> {
    pub(super) fn unknown(&mut self, key: &str, fields: &'static [Field], at: &NodePlace<'_>) {
        if self.checked.diagnostics.len() > self.most {
            return;
        }
        let mut diagnostic = Diagnostic::error(at.key(key).path(), "unknown field").key();
        let known: Vec<&str> = self.known(fields).map(|field| field.name).collect();
        let renamed = RENAMED.iter().find(|(old, new)| *old == key && known.contains(new));
        let names = || known.iter().copied().filter(|name| !name.starts_with('_'));
        let left_out = LEFT_OUT
            .iter()
            .find(|(left_out, _)| left_out.contains(&key) && !known.contains(&key.trim_end_matches('s')));
        if let Some((_, new)) = renamed {
            diagnostic = diagnostic.help(format!("it is `{new}` now"));
        } else if let Some((_, help)) = left_out {
            diagnostic = diagnostic.help(*help);
        } else if key.starts_with("//") || key.starts_with("/*") {
            diagnostic =
                diagnostic.help("there are no such comments here: `#` begins one in YAML, and JSON has none");
        } else if let Some(near) = nearest(key, names()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        } else if at.path().steps().is_empty() && (key.starts_with('_') || key.starts_with("x-")) {
            diagnostic = diagnostic.help("no alias names an anchor in it; what stands in the file for readers belongs under `_ignore`, a list");
        } else if known.len() <= 30 {
            diagnostic = diagnostic.help(format!("known are: {}", names().collect::<Vec<_>>().join(", ")));
        }
        self.push(diagnostic);
    }

    pub(super) fn unknown_plugin(&mut self, name: &str, at: &NodePlace<'_>) {
        let names = self.plugins.names();
        let message = format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property");
        let path = at.key("name").path();
        let help = if let Some(instead) = self.plugins.instead_of(name) {
            instead.to_owned()
        } else if self.plugins.is_kongs(name) {
            format!("Kong has this plugin, this version of mynah does not; {WITHOUT_PLUGIN}")
        } else if let Some(near) = nearest(name, names.iter().copied()) {
            format!("did you mean `{near}`?")
        } else {
            format!("known are: {}; {WITHOUT_PLUGIN}", names.join(", "))
        };
        self.push(Diagnostic::error(path, message).help(help));
    }

    pub(super) fn wrong_kind(&mut self, kind: FieldKind, value: &Value, at: &NodePlace<'_>) {
        let name = kind.name();
        let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
        let mut diagnostic = Diagnostic::error(at.path(), format!("expected {article} {name}"));
        let help = match (kind, value) {
            (FieldKind::String | FieldKind::Text | FieldKind::Uuid, Value::Number(number)) => {
                Some(format!("found a number; quote it: \"{}\"", number.as_str()))
            }
            (FieldKind::Secret, Value::Number(_)) => Some("found a number; quote it".to_owned()),
            (FieldKind::String | FieldKind::Text | FieldKind::Secret, Value::Bool(_)) => Some(
                "found a boolean (unquoted yes, no, on and off are booleans in YAML 1.1); quote it"
                    .to_owned(),
            ),
            (
                FieldKind::String | FieldKind::Text | FieldKind::Secret | FieldKind::Uuid,
                Value::Mapping(found),
            ) => Some(mapping_help(found, kind)),
            (FieldKind::Integer | FieldKind::Number, Value::String(text)) if Number::new(text).is_some() => {
                Some(format!("found a text; write it without quotes: {text}"))
            }
            (FieldKind::Boolean, Value::String(text)) if matches!(&**text, "true" | "false") => {
                Some(format!("found a text; write it without quotes: {text}"))
            }
            (FieldKind::Integer | FieldKind::Number | FieldKind::Boolean, Value::String(_)) => {
                Some("found a text".to_owned())
            }
            (FieldKind::Array(_) | FieldKind::Set(_), Value::String(text)) if text.len() < 60 => {
                Some(format!("found a text; write a list: [{text}]"))
            }
            _ => None,
        };
        if let Some(help) = help {
            diagnostic = diagnostic.help(help);
        }
        self.push(diagnostic);
    }

    pub(super) fn condition(
        &mut self,
        condition: &FieldCondition,
        message: String,
        record: &Value,
        at: &NodePlace<'_>,
    ) {
        let given = record.get(condition.given).and_then(Value::as_str).unwrap_or_default();
        let diagnostic = Diagnostic::error(at.key(condition.field).path(), message)
            .help(format!("because {} is {given}", condition.given))
            .with_record_message(at.path(), condition.entity_message());
        self.push(diagnostic);
    }

    pub(super) fn fault(&mut self, fault: EntityFault, at: &NodePlace<'_>) {
        let mut diagnostic = match fault.field {
            Some(field) => Diagnostic::error(at.key(field).path(), fault.message),
            None => Diagnostic::error(at.path(), fault.message).record(),
        };
        diagnostic.help = fault.help;
        if let Some(message) = fault.entity_message {
            diagnostic = diagnostic.with_record_message(at.path(), message);
        }
        self.push(diagnostic);
    }

    /// A fault of the settings at `at`. A rule that names settings in full, such as `'config.policy'`, is one of the whole
    /// entry to Kong.
    pub(super) fn settings_fault(&mut self, fault: EntityFault, of_entity: bool, at: &NodePlace<'_>) {
        let keys = fault.field.into_iter().flat_map(|field| field.split('.'));
        let path = keys.fold(at.path(), |path, key| path.key(key));
        let mut diagnostic = Diagnostic::error(path, fault.message);
        if of_entity {
            diagnostic = diagnostic.in_list_at(at.path().parent().key(ENTITY));
        } else if let Some(message) = fault.entity_message {
            diagnostic = diagnostic.with_record_message(at.path().parent(), message);
        }
        diagnostic.help = fault.help;
        self.push(diagnostic);
    }

    /// Leaves the key of a map out of the paths that machines see: Kong says what is wrong with a value, and not which
    /// value it is.
    pub(super) fn report_at_map(&mut self, since: usize, map: &NodePlace<'_>) {
        let map = map.path();
        let depth = map.steps().len();
        for diagnostic in self.checked.diagnostics.iter_mut().skip(since) {
            let (path, message) = match &diagnostic.kong_message {
                Some(kong_message) => (&kong_message.path, &kong_message.message),
                None => (&diagnostic.path, &diagnostic.message),
            };
            if path.steps().starts_with(map.steps()) {
                let path = map.join(path.steps().get(depth + 1..).unwrap_or_default());
                *diagnostic = diagnostic.clone().with_kong_message(path, message.clone());
            }
        }
    }

    pub(super) fn refuse_consumer(&mut self, name: &str, at: &NodePlace<'_>) {
        let help = format!("{name} runs before the consumer of a request is known");
        self.push(Diagnostic::error(at.key("consumer").path(), "value must be null").help(help));
    }

    /// Moves diagnostics of the fields that a shorthand stands for to the shorthand, which is what the author wrote.
    pub(super) fn point_at_shorthand(
        &mut self,
        shorthand: &Shorthand,
        url: &str,
        since: usize,
        at: &NodePlace<'_>,
    ) {
        let help = if url.contains("://") {
            "a url is such as http://example.com:8080/path".to_owned()
        } else {
            format!("write the scheme too: http://{url}")
        };
        let here = at.path();
        for diagnostic in self.checked.diagnostics.iter_mut().skip(since) {
            let is_at = |field: &&&'static Field| diagnostic.path == here.key(field.name);
            let Some(field) = shorthand.fields.iter().find(is_at) else { continue };
            let (path, message) = (diagnostic.path.clone(), diagnostic.message.clone());
            diagnostic.path = here.key(shorthand.name);
            diagnostic.message = format!("{}: {message}", field.name);
            diagnostic.help = Some(help.clone());
            let record_message =
                diagnostic.kong_message.take().and_then(|kong_message| kong_message.record_message);
            diagnostic.kong_message = Some(Box::new(KongMessage {
                path,
                message,
                is_list_item: false,
                record_message,
                first: None,
            }));
        }
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        push_bounded(&mut self.checked.diagnostics, diagnostic, self.most);
    }

    pub(super) fn push_error(&mut self, at: &NodePlace<'_>, message: impl Into<String>) {
        self.push(Diagnostic::error(at.path(), message));
    }
}

/// A hint for a mapping in place of a text: a colon or braces without quotes.
fn mapping_help(found: &Mapping, kind: FieldKind) -> String {
    let quote = "found a mapping; a text with `: ` or `{` in it needs quotes";
    match found.iter().next() {
        Some((key, Value::Null)) if found.len() == 1 && key.starts_with("vault://") => {
            format!("found a mapping; quote it: \"{{{key}}}\"")
        }
        Some((key, _)) if found.len() == 1 && key.len() < 60 && !matches!(kind, FieldKind::Secret) => {
            format!("{quote}: \"{key}: ...\"")
        }
        _ => quote.to_owned(),
    }
}
