//! Texts that may have been cut off: those that could go on, and take guards away.
//!
//! It matters only where the system does not say whether the writer of a file is done.

use std::sync::Arc;

use crate::{
    diag::SourceFile,
    document::Value,
    entity::{Entities, EntityRecord},
};

/// What a new version lacks as it would if its text had been cut off, in words; none if it is complete by itself, or
/// lacks nothing of that kind.
pub(super) fn find_truncation(
    before: (&Entities, Option<&Arc<SourceFile>>),
    after: (&Entities, &Arc<SourceFile>),
) -> Option<String> {
    let ((before, text_before), (after, text_after)) = (before, after);
    let parts =
        |it: &'_ Arc<SourceFile>| if it.parts.is_empty() { vec![it.clone()] } else { it.parts.clone() };
    if !parts(text_after).iter().any(|it| can_go_on(&it.text)) {
        return None;
    }
    let begins = |it: &Arc<SourceFile>| {
        let text = text_after.text.trim_end();
        text.len() < it.text.trim_end().len() && it.text.starts_with(text)
    };
    if text_before.is_some_and(begins) {
        return Some("it is the beginning of what is live".to_owned());
    }
    let guard = before.records.iter().find(|it| is_plugin(it) && is_lost(it, after))?;
    let name = text(&guard.value, "name");
    Some(format!("the plugin {name} is gone, and what it was for is still there"))
}

/// Whether more could follow a text that can be read: no brackets are around all of it, and no `...` says that it ends.
fn can_go_on(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim();
    !(text.starts_with(['{', '[']) && text.ends_with(['}', ']'])) && text.lines().next_back() != Some("...")
}

fn is_plugin(record: &EntityRecord) -> bool {
    record.collection() == "plugins"
}

/// Whether a plugin is gone, and not with what it was for.
fn is_lost(plugin: &EntityRecord, after: &Entities) -> bool {
    let scopes = |it: &EntityRecord| SCOPES.map(|(field, _)| reference(&it.value, field).map(str::to_owned));
    let same = |it: &EntityRecord| {
        it.id() == plugin.id()
            || text(&it.value, "name") == text(&plugin.value, "name") && scopes(it) == scopes(plugin)
    };
    if after.records.iter().any(|it| is_plugin(it) && same(it)) {
        return false;
    }
    SCOPES.iter().all(|(field, collection)| {
        reference(&plugin.value, field)
            .is_none_or(|id| after.records.iter().any(|it| it.collection() == *collection && it.id() == id))
    })
}

/// What a plugin may be for, and where that stands.
const SCOPES: [(&str, &str); 4] = [
    ("route", "routes"),
    ("service", "services"),
    ("consumer", "consumers"),
    ("consumer_group", "consumer_groups"),
];

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn reference<'a>(record: &'a Value, field: &str) -> Option<&'a str> {
    record.get(field)?.get("id")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        plugin::{BundledPlugins, EnabledPlugins},
    };

    #[track_caller]
    fn check(before: &str, after: &str, expected: Option<&str>) {
        let read = |text: &str| {
            let source = SourceFile::new("kong.yaml", text);
            let read = config::parse(
                &source,
                config::DeclarativeFormat::Deck,
                &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
                0,
            );
            (read.unwrap().entities, source)
        };
        let ((before, text_before), (after, text_after)) = (read(before), read(after));
        let truncation = find_truncation((&before, Some(&text_before)), (&after, &text_after));
        assert_eq!(truncation.as_deref(), expected, "{}", text_after.text);
    }

    #[test]
    fn a_text_that_could_go_on_and_takes_a_guard_away_may_have_been_cut_off() {
        let head = "_format_version: \"3.0\"\n";
        let route = "routes:\n- {name: r, paths: [/]}\n";
        let guard = "plugins:\n- {name: key-auth, route: r}\n";
        let gone = Some("the plugin key-auth is gone, and what it was for is still there");
        let full = format!("{head}{route}{guard}");
        check(&full, &format!("{head}{route}"), Some("it is the beginning of what is live"));
        check(&full, &format!("{head}# new\n{route}"), gone);
        // It says itself that it is complete.
        check(&full, &format!("{head}# new\n{route}...\n"), None);
        check(
            &full,
            "{\"_format_version\": \"3.0\", \"routes\": [{\"name\": \"r\", \"paths\": [\"/\"]}]}",
            None,
        );
        // What it was for is gone, too; it is there under another id; something else is new.
        check(&full, &format!("{head}# new\n"), None);
        check(
            &full,
            &format!(
                "{head}{route}plugins:\n- {{id: 7b6ea7ce-9a4e-4b0c-9f2b-3f4d4b5c6d7e, name: key-auth, route: r}}\n"
            ),
            None,
        );
        check(&full, &format!("{full}- {{name: cors}}\n"), None);
        let global = format!("{head}{route}plugins:\n- {{name: key-auth}}\n");
        check(&global, &format!("{head}# new\n{route}"), gone);
    }
}
