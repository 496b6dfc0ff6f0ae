//! Detection of configuration texts that may have been cut off while they were written.
//!
//! It is needed only where the system does not report whether the writer of a file has closed it (no leases). A text
//! is suspect if more text could follow it and it either is a prefix of the live text or removes a plugin from an
//! entity that stays: loading half a file must not remove authentication.

use std::sync::Arc;

use crate::{
    diag::SourceFile,
    entity::{Entities, EntityRecord, plugin},
};

/// Why a new version may have been cut off; `None` if the text is complete by itself or removes nothing of that kind.
pub(super) fn find_truncation(
    before: (&Entities, Option<&Arc<SourceFile>>),
    after: (&Entities, &Arc<SourceFile>),
) -> Option<String> {
    let ((before, text_before), (after, text_after)) = (before, after);
    let parts_of = |source: &'_ Arc<SourceFile>| {
        if source.parts.is_empty() { vec![source.clone()] } else { source.parts.clone() }
    };
    if !parts_of(text_after).iter().any(|part| could_continue(&part.text)) {
        return None;
    }
    let is_prefix = |source: &Arc<SourceFile>| {
        let text = text_after.text.trim_end();
        text.len() < source.text.trim_end().len() && source.text.starts_with(text)
    };
    if text_before.is_some_and(is_prefix) {
        return Some("it is the beginning of the live configuration".to_owned());
    }
    let guard = before.records.iter().find(|record| is_plugin(record) && is_lost_guard(record, after))?;
    let name = guard.text(&plugin::NAME).unwrap_or_default();
    Some(format!("the plugin {name} is missing, but the entity that it applied to is still there"))
}

/// Whether more text could follow: no brackets enclose the whole text, and no `...` line ends the document.
fn could_continue(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}').trim();
    !(text.starts_with(['{', '[']) && text.ends_with(['}', ']'])) && text.lines().next_back() != Some("...")
}

fn is_plugin(record: &EntityRecord) -> bool {
    record.entity == &plugin::ENTITY
}

/// Whether a plugin is missing although the entities that it applied to are still there.
fn is_lost_guard(plugin: &EntityRecord, after: &Entities) -> bool {
    let scopes = |plugin: &EntityRecord| -> Vec<Option<String>> {
        plugin.entity.references().map(|(field, _)| plugin.reference(field).map(str::to_owned)).collect()
    };
    let is_same = |record: &EntityRecord| {
        record.id() == plugin.id()
            || record.text(&plugin::NAME) == plugin.text(&plugin::NAME) && scopes(record) == scopes(plugin)
    };
    if after.records.iter().any(|record| is_plugin(record) && is_same(record)) {
        return false;
    }
    plugin.entity.references().all(|(field, target)| {
        let exists =
            |id: &str| after.records.iter().any(|record| record.entity == target && record.id() == id);
        plugin.reference(field).is_none_or(exists)
    })
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
    fn a_text_that_could_continue_and_removes_a_guard_may_have_been_cut_off() {
        let head = "_format_version: \"3.0\"\n";
        let route = "routes:\n- {name: r, paths: [/]}\n";
        let guard = "plugins:\n- {name: key-auth, route: r}\n";
        let lost_guard =
            Some("the plugin key-auth is missing, but the entity that it applied to is still there");
        let full = format!("{head}{route}{guard}");
        check(&full, &format!("{head}{route}"), Some("it is the beginning of the live configuration"));
        check(&full, &format!("{head}# new\n{route}"), lost_guard);
        // The text is marked as complete.
        check(&full, &format!("{head}# new\n{route}...\n"), None);
        check(
            &full,
            "{\"_format_version\": \"3.0\", \"routes\": [{\"name\": \"r\", \"paths\": [\"/\"]}]}",
            None,
        );
        // The Route is removed too; the plugin has another id; another plugin is added.
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
        check(&global, &format!("{head}# new\n{route}"), lost_guard);
    }
}
