//! The path of an operation as a regular expression of a Route.

use crate::uri::normalize_path;

/// The path of a Route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoutePattern {
    /// As a Route says it: `~/pets/(?<id>[^#?/]+)$`.
    pub(super) path: String,
    /// Whether there is a parameter in it.
    pub(super) has_parameters: bool,
}

/// A name longer than this is no name of a group to every version of PCRE.
const MOST_CHARACTERS: usize = 32;

/// The pattern of a path such as `/pets/{id}`; `None` if no request has such a path.
pub(super) fn of(template: &str) -> Option<RoutePattern> {
    // A route sees paths only, and in their normal form.
    let template = template.split(['?', '#']).next().unwrap_or_default();
    let normal = String::from_utf8(normalize_path(template.as_bytes()).into_owned()).ok()?;
    if !has_octets(&normal) {
        return None;
    }
    let mut path = String::from("~");
    let mut names: Vec<String> = Vec::new();
    let mut rest = &*normal;
    while let Some((before, name, after)) = next_parameter(rest) {
        escape(before, &mut path);
        let name = group_name(name, &names);
        path.push_str("(?<");
        path.push_str(&name);
        path.push_str(">[^#?/]+)");
        names.push(name);
        rest = after;
    }
    escape(rest, &mut path);
    path.push('$');
    Some(RoutePattern { path, has_parameters: !names.is_empty() })
}

/// What stands before the next parameter, its name, and what stands behind it.
fn next_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    (!name.contains('/')).then_some((before, name, after))
}

/// Whether every `%` begins an octet.
fn has_octets(path: &str) -> bool {
    let octet = |rest: &str| rest.as_bytes().get(..2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit));
    path.split('%').skip(1).all(octet)
}

fn escape(literal: &str, out: &mut String) {
    for c in literal.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// A name that both PCRE and Rust take for a group, and that no other group of the path has.
fn group_name(parameter: &str, taken: &[String]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = parameter.chars().map(plain).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name.truncate(MOST_CHARACTERS);
    let numbered = (2..).map(|n| {
        let end = format!("_{n}");
        let start = name.len().min(MOST_CHARACTERS - end.len());
        format!("{}{end}", &name[..start])
    });
    let mut all = std::iter::once(name.clone()).chain(numbered);
    all.find(|it| !taken.contains(it)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: Option<&str>) {
        assert_eq!(of(template).map(|it| it.path).as_deref(), expected, "{template}");
    }

    #[test]
    fn paths_of_operations() {
        check("/", Some("~/$"));
        check("/pets", Some("~/pets$"));
        check("/pets/", Some("~/pets/$"));
        check("/pets/{id}", Some("~/pets/(?<id>[^#?/]+)$"));
        check("/a.b/{x}.json/{x}", Some(r"~/a\.b/(?<x>[^#?/]+)\.json/(?<x_2>[^#?/]+)$"));
        check("/{copy-no}{1st}/{}", Some("~/(?<copy_no>[^#?/]+)(?<_1st>[^#?/]+)/(?<_>[^#?/]+)$"));
        check("/f(x)/$count", Some(r"~/f\(x\)/\$count$"));
        check("/a//b/../c", Some("~/a/c$"));
        check("/a%20b/%2f?x={y}", Some("~/a b/%2F$"));
        check("/open{", Some(r"~/open\{$"));
        check("/open{a/b}", Some(r"~/open\{a/b\}$"));
        check("/%zz", None);
        let long = format!("/{{{0}}}/{{{0}}}", "a".repeat(40));
        check(&long, Some(&format!("~/(?<{}>[^#?/]+)/(?<{}_2>[^#?/]+)$", "a".repeat(32), "a".repeat(30))));
    }

    #[test]
    fn what_has_parameters() {
        assert!(of("/{a}").is_some_and(|it| it.has_parameters));
        assert!(of("/a").is_some_and(|it| !it.has_parameters));
    }
}
