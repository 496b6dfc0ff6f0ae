//! Paths of operations as regular expressions of Routes.

use crate::uri::normalize_path;

/// The path of a Route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoutePattern {
    /// In the notation of a Route: `~/pets/(?<id>[^#?/]+)$`.
    pub(super) path: String,
    /// Whether it has parameters.
    pub(super) has_parameters: bool,
}

/// The longest name of a group in every version of PCRE.
const MAX_GROUP_NAME: usize = 32;

/// A template without query and fragment, which are no part of the path of a request.
pub(super) fn path_of(template: &str) -> &str {
    template.split(['?', '#']).next().unwrap_or_default()
}

/// A template without the names of its parameters: equal for paths that the same requests have.
pub(super) fn shape(template: &str) -> String {
    let mut shape = String::new();
    let mut rest = template;
    while let Some((before, _, after)) = next_parameter(rest) {
        shape.push_str(before);
        shape.push_str("{}");
        rest = after;
    }
    shape + rest
}

/// The pattern of a path such as `/pets/{id}`; none if no request can have such a path.
pub(super) fn route_pattern(template: &str) -> Option<RoutePattern> {
    // Routes match normalized paths, without queries.
    let normal = String::from_utf8(normalize_path(path_of(template).as_bytes()).into_owned()).ok()?;
    if !has_valid_escapes(&normal) {
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

/// Splits a text at its first parameter: before, name, after.
fn next_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    (!name.contains('/')).then_some((before, name, after))
}

/// Whether every `%` is followed by two hexadecimal digits.
fn has_valid_escapes(path: &str) -> bool {
    let is_escape =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    path.split('%').skip(1).all(is_escape)
}

/// Appends a literal, with the characters escaped that are special in regular expressions.
fn escape(literal: &str, out: &mut String) {
    for c in literal.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// A name of a group that PCRE and the crate `regex` accept and that no other group of the path has.
fn group_name(parameter: &str, taken: &[String]) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = parameter.chars().map(plain).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name.truncate(MAX_GROUP_NAME);
    let numbered = (2..).map(|n| {
        let end = format!("_{n}");
        let start = name.len().min(MAX_GROUP_NAME - end.len());
        format!("{}{end}", &name[..start])
    });
    let mut all = std::iter::once(name.clone()).chain(numbered);
    all.find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: Option<&str>) {
        assert_eq!(route_pattern(template).map(|pattern| pattern.path).as_deref(), expected, "{template}");
    }

    #[test]
    fn paths_of_operations_become_patterns() {
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
    fn a_pattern_records_whether_it_has_parameters() {
        assert!(route_pattern("/{a}").is_some_and(|pattern| pattern.has_parameters));
        assert!(route_pattern("/a").is_some_and(|pattern| !pattern.has_parameters));
    }
}
