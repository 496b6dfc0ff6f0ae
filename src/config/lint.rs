//! What can be loaded, and yet is hardly what its author means: warnings.

use std::fmt::Write;

use crate::{
    diag::Diagnostic,
    entity::{Entities, Route},
};

/// Everything that looks like a mistake in a configuration without errors.
#[must_use]
pub fn lint(entities: &Entities) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for route in &entities.routes {
        paths(route, &mut found);
    }
    idle_plugins(entities, &mut found);
    found
}

/// Templates and regular expressions among prefixes, where each character stands for itself.
fn paths(route: &Route, found: &mut Vec<Diagnostic>) {
    let prefixes = route.paths.iter().enumerate().filter(|(_, path)| path.starts_with('/'));
    for (n, path) in prefixes {
        let at = route.at.key("paths").index(n);
        if let Some(expression) = template(path) {
            let message = format!("`{path}` matches its braces only: paths of routes have no templates");
            found.push(Diagnostic::warning(at, message).help(format!("write it as `{expression}`")));
        } else if looks_like_expression(path) {
            let message = format!("`{path}` is a prefix, in which each character stands for itself");
            found.push(Diagnostic::warning(at, message).help(format!("an expression is `~{path}`")));
        }
    }
}

/// The expression that a path with parameters in braces means.
fn template(path: &str) -> Option<String> {
    let mut expression = String::from("~");
    let mut rest = path;
    let mut parameters = 0;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let valid = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
        // `{2,3}` repeats what is before it.
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

/// Whether a path holds what makes sense in expressions only.
fn looks_like_expression(path: &str) -> bool {
    let marks = ["\\d", "\\w", "\\s", "\\.", "\\/", ".*", ".+", "[^", "(?", "[0-9", "[a-z", "[A-Z"];
    marks.iter().any(|mark| path.contains(mark)) || (path.len() > 1 && path.ends_with('$'))
}

/// Plugins that see no request, since none of their route is of a protocol that they are for.
fn idle_plugins(entities: &Entities, found: &mut Vec<Diagnostic>) {
    for plugin in entities.plugins.iter().filter(|it| it.enabled) {
        let route = plugin.scope.route.and_then(|it| entities.routes.get(it.0));
        let Some(route) =
            route.filter(|route| !route.protocols.iter().any(|it| plugin.protocols.contains(it)))
        else {
            continue;
        };
        let message = format!(
            "this plugin never runs: it is for {}, its route for {}",
            plugin.protocols.join(", "),
            route.protocols.join(", ")
        );
        found.push(Diagnostic::warning(plugin.at.key("protocols"), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_told_as_expressions() {
        for (path, expected) in [
            ("/users/{id}", Some("~/users/(?<id>[^/]+)$")),
            ("/a/{user-id}/b", Some("~/a/(?<user_id>[^/]+)/b$")),
            ("/a{2,3}", None),
            ("/a", None),
        ] {
            assert_eq!(template(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn expressions_are_told_from_prefixes() {
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
