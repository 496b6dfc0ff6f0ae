//! Warnings about configurations that can be loaded, and are probably not what their authors mean.

use std::fmt::Write;

use crate::{
    diag::Diagnostic,
    entity::{Entities, Route, plugin, route},
};

/// Warnings about probable mistakes in a configuration without errors.
#[must_use]
pub fn lint(entities: &Entities) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for route in &entities.routes {
        check_paths(route, &mut found);
    }
    check_plugins(entities, &mut found);
    found
}

/// Warns of templates and regular expressions among prefixes, where each character stands for itself.
fn check_paths(route: &Route, found: &mut Vec<Diagnostic>) {
    let prefixes = route.paths.iter().enumerate().filter(|(_, path)| path.starts_with('/'));
    for (n, path) in prefixes {
        let at = route.at.key(route::PATHS.name).index(n);
        if let Some(end) = path.find(['?', '#']).filter(|_| !looks_like_expression(path)) {
            let (path, rest) = path.split_at(end);
            let part = if rest.starts_with('?') { "query" } else { "fragment" };
            let message = format!("`{path}{rest}` never matches: the path of a request has no {part}");
            found.push(Diagnostic::warning(at, message).help(format!("write `{path}`")));
        } else if let Some(expression) = template_to_regex(path) {
            let message = format!("`{path}` matches its braces only: paths of routes have no templates");
            found.push(Diagnostic::warning(at, message).help(format!("write it as `{expression}`")));
        } else if let Some(expression) = placeholders_to_regex(path) {
            let message = format!("`{path}` has no placeholders: each character stands for itself");
            found.push(Diagnostic::warning(at, message).help(placeholder_help(path, &expression)));
        } else if looks_like_expression(path) {
            let message = format!("`{path}` is a prefix, in which each character stands for itself");
            found.push(Diagnostic::warning(at, message).help(format!("an expression is `~{path}`")));
        }
    }
}

/// The regular expression for a path with segments such as `*` and `:id`.
fn placeholders_to_regex(path: &str) -> Option<String> {
    let mut placeholders = 0;
    let segment = |segment: &str| {
        let name = segment.strip_prefix(':').filter(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        });
        placeholders += usize::from(name.is_some() || matches!(segment, "*" | "**"));
        match (segment, name) {
            ("*", _) => "[^/]+".to_owned(),
            ("**", _) => ".*".to_owned(),
            (_, Some(name)) => format!("(?<{}>[^/]+)", name.replace('-', "_")),
            (text, None) => regex::escape(text),
        }
    };
    let segments: Vec<String> = path.split('/').map(segment).collect();
    (placeholders > 0).then(|| format!("~{}$", segments.join("/")))
}

/// What to write instead of a path with placeholders: a prefix, if the only one is a `*` at its end.
fn placeholder_help(path: &str, expression: &str) -> String {
    let prefix = path.trim_end_matches('*');
    if placeholders_to_regex(prefix).is_none() {
        format!("a path is a prefix anyway: write `{prefix}`")
    } else {
        format!("write it as `{expression}`")
    }
}

/// The regular expression for a path with parameters in braces.
fn template_to_regex(path: &str) -> Option<String> {
    let mut expression = String::from("~");
    let mut rest = path;
    let mut parameters = 0;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let valid = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        // `{2,3}` is a quantifier.
        if !valid || !before.ends_with('/') || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let _ = write!(expression, "{before}(?<{name}>[^/]+)");
        parameters += 1;
        rest = after;
    }
    (parameters > 0).then(|| format!("{expression}{rest}$"))
}

/// Whether a path contains something that only a regular expression needs.
fn looks_like_expression(path: &str) -> bool {
    let marks = ["\\d", "\\w", "\\s", "\\.", "\\/", ".*", ".+", "[^", "(?", "[0-9", "[a-z", "[A-Z"];
    marks.iter().any(|mark| path.contains(mark)) || (path.len() > 1 && path.ends_with('$'))
}

/// Warns of plugins whose protocols none of the requests of their Route can have.
fn check_plugins(entities: &Entities, found: &mut Vec<Diagnostic>) {
    for plugin in entities.plugins.iter().filter(|plugin| plugin.enabled) {
        let route = plugin.scope.route.and_then(|route| entities.routes.get(route.0));
        let is_seen = |protocol: &String| plugin.protocols.contains(protocol);
        let Some(route) = route.filter(|route| !route.protocols.iter().any(is_seen)) else {
            continue;
        };
        let message = format!(
            "this plugin never runs: it is for {}, its route for {}",
            plugin.protocols.join(", "),
            route.protocols.join(", ")
        );
        found.push(Diagnostic::warning(plugin.at.key(plugin::PROTOCOLS.name), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_a_regular_expression() {
        for (path, expected) in [
            ("/users/{id}", Some("~/users/(?<id>[^/]+)$")),
            ("/a/{user-id}/b", Some("~/a/(?<user_id>[^/]+)/b$")),
            ("/a{2,3}", None),
            ("/a", None),
        ] {
            assert_eq!(template_to_regex(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn placeholders_have_a_prefix_or_a_regular_expression() {
        for (path, expected) in [
            ("/services/*", Some("a path is a prefix anyway: write `/services/`")),
            ("/services/**", Some("a path is a prefix anyway: write `/services/`")),
            ("/users/:id", Some("write it as `~/users/(?<id>[^/]+)$`")),
            ("/a.b/*/:user-id/c", Some("write it as `~/a\\.b/[^/]+/(?<user_id>[^/]+)/c$`")),
            ("/v1/things:batch", None),
            ("/a*", None),
            ("/:", None),
        ] {
            let help = placeholders_to_regex(path).map(|expression| placeholder_help(path, &expression));
            assert_eq!(help.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn regular_expressions_are_recognised_among_prefixes() {
        for (path, expected) in [
            ("/re/\\d+", true),
            ("/tasks$", true),
            ("/a/.*", true),
            ("/a.b", false),
            ("/a(b)", false),
            ("/", false),
        ] {
            assert_eq!(looks_like_expression(path), expected, "{path}");
        }
    }
}
