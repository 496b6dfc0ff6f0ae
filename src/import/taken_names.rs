//! Names that Kong accepts, each used once. (Kong: Service and Route objects, `name`.)

use std::collections::HashSet;

/// Names in use.
#[derive(Default)]
pub(super) struct TakenNames {
    services: HashSet<String>,
    routes: HashSet<String>,
    upstreams: HashSet<String>,
}

impl TakenNames {
    /// A free name of a Service.
    pub(super) fn service(&mut self, name: &str) -> String {
        unique(name, &mut self.services)
    }

    /// A free name of a Route.
    pub(super) fn route(&mut self, name: &str) -> String {
        unique(name, &mut self.routes)
    }

    /// A free name of an Upstream, which must be a host name.
    pub(super) fn upstream(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let host: String = name.chars().map(plain).collect();
        unique(host.trim_matches(['-', '.']), &mut self.upstreams)
    }
}

/// The name, or the first of `name_2`, `name_3`, ... that is free.
fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut all = std::iter::once(name.to_owned()).chain((2_u64..).map(|n| format!("{name}_{n}")));
    // There are more numbers than names in use.
    let free = all.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

/// The text in lower case, with a hyphen for other characters than letters, digits and underscores.
pub(super) fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            out.extend(c.to_lowercase().filter(|c| c.is_alphanumeric() || *c == '_'));
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_have_lower_case_letters_digits_and_hyphens() {
        for (text, expected) in [
            ("Weird Paths & Names (v2)", "weird-paths-names-v2"),
            ("getPetById", "getpetbyid"),
            ("/pets/{petId}/toys", "pets-petid-toys"),
            ("/", ""),
            ("Überweisung", "überweisung"),
            ("GET /stock/historical", "get-stock-historical"),
        ] {
            assert_eq!(slug(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_in_use_gets_a_number() {
        let mut names = TakenNames::default();
        let all = ["a", "a", "a_2", "a"].map(|name| names.route(name));
        assert_eq!(all, ["a", "a_2", "a_2_2", "a_3"]);
        assert_eq!(names.service("a"), "a");
        assert_eq!(names.upstream("über.upstream"), "ber.upstream");
    }
}
