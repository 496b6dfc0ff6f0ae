//! Lint: routes that never match, since other routes match all their requests and take precedence.
//!
//! Only certain cases are reported. A part of a route, one of its hosts and one of its paths, is covered if a single entry
//! of another route has no further conditions and ranks higher; a route whose parts are all covered never matches.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::entry::{self, EntryDraft};
use super::hosts::{HostPattern, NamePattern};
use super::options::RouterOptions;
use super::path_regex::PathPattern;
use crate::diag::Diagnostic;
use crate::document::NodePath;
use crate::entity::Route;

/// Comparisons at most, to bound the time of a load.
const MAX_COMPARISONS: usize = 1_000_000;

/// Warns about routes that never match, with the route that takes precedence and the rule. Routes that are expressions are
/// neither checked nor considered.
#[must_use]
pub fn shadowed(
    routes: &[impl Borrow<Route>],
    enabled: &dyn Fn(&Route) -> bool,
    options: RouterOptions,
) -> Vec<Diagnostic> {
    let routes = &*routes.iter().map(Borrow::borrow).collect::<Vec<&Route>>();
    let mut drafts = entry::compile(routes, enabled, options, &mut Vec::new());
    // The order of the router: of equal keys, the first in the file takes precedence.
    drafts.sort_by(|a, b| b.key.cmp(&a.key));
    let mut search = ShadowSearch { covers: CoverTable::new(&drafts), left: MAX_COMPARISONS };
    let mut by_route: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (position, draft) in drafts.iter().enumerate() {
        by_route.entry(draft.entry.route.0).or_default().push(position);
    }
    let mut warnings = Vec::new();
    for (number, route) in routes.iter().enumerate() {
        let Some(parts) = by_route.get(&number) else { continue };
        let winners: Option<Vec<usize>> = parts.iter().map(|part| search.winner(*part)).collect();
        if search.left == 0 {
            let at = warnings.last().map_or_else(NodePath::root, |last: &Diagnostic| last.path.clone());
            warnings.push(Diagnostic::warning(at, "more routes may never match; the search ended here"));
            break;
        }
        let winner = winners.and_then(|winners| winners.first().copied());
        if let Some((winner, part)) = winner.zip(parts.first()) {
            let rule = drafts[winner].key.rule_over(&drafts[*part].key, options.calculation);
            warnings
                .extend(routes.get(drafts[winner].entry.route.0).map(|winner| warning(route, winner, rule)));
        }
    }
    warnings
}

fn warning(route: &Route, winner: &Route, rule: &str) -> Diagnostic {
    let name = winner.name.as_ref().map_or_else(|| winner.at.to_string(), |name| format!("`{name}`"));
    let message =
        format!("this route never matches: {name} matches all that it does, and goes before it: {rule}");
    Diagnostic::warning(route.at.clone(), message).help("remove one of them, or give this one other criteria")
}

/// The condition of a part of an entry on the path.
#[derive(Clone, Copy)]
enum PathRequirement<'a> {
    /// The path has this prefix; empty for a route without paths.
    Prefix(&'a [u8]),
    /// The path matches this regular expression.
    Pattern(&'a PathPattern),
}

impl<'a> PathRequirement<'a> {
    fn all(draft: &'a EntryDraft) -> Vec<Self> {
        match &draft.entry.patterns {
            None => draft.literals.iter().map(|literal| Self::Prefix(literal)).collect(),
            Some(patterns) => patterns.iter().map(Self::Pattern).collect(),
        }
    }

    /// The literal prefix of every such path.
    fn literal(self) -> &'a [u8] {
        match self {
            Self::Prefix(literal) => literal,
            Self::Pattern(pattern) => pattern.literal(),
        }
    }
}

/// The hosts under which an entry is grouped.
#[derive(Clone, PartialEq, Eq, Hash)]
enum ShadowHosts<'a> {
    Any,
    Exact(&'a [u8]),
    Wildcards,
}

impl<'a> ShadowHosts<'a> {
    fn of(host: &'a HostPattern) -> Self {
        match &host.name {
            NamePattern::Exact(name) => Self::Exact(name),
            NamePattern::Suffix(_) | NamePattern::Prefix(_) => Self::Wildcards,
        }
    }
}

/// A path of an entry that may cover parts of other routes.
struct CoveringPath<'a> {
    /// The position of the entry in the order of the router.
    position: usize,
    requirement: PathRequirement<'a>,
    /// Whether a regular expression matches every path with its literal prefix.
    covers_prefix: OnceCell<bool>,
}

impl CoveringPath<'_> {
    /// Whether every path of the other requirement matches, given that it has the literal prefix of this one.
    fn covers(&self, requirement: PathRequirement<'_>) -> bool {
        match (self.requirement, requirement) {
            (PathRequirement::Prefix(_), _) => true,
            (PathRequirement::Pattern(mine), PathRequirement::Pattern(other)) if mine.is_same(other) => true,
            (PathRequirement::Pattern(mine), _) => {
                *self.covers_prefix.get_or_init(|| mine.matches_every_extension())
            }
        }
    }
}

/// All entries by literal and host, in falling rank.
struct CoverTable<'a> {
    drafts: &'a [EntryDraft],
    paths: FxHashMap<&'a [u8], FxHashMap<ShadowHosts<'a>, Vec<CoveringPath<'a>>>>,
    lengths: BTreeSet<usize>,
}

impl<'a> CoverTable<'a> {
    fn new(drafts: &'a [EntryDraft]) -> Self {
        let mut covers = Self { drafts, paths: FxHashMap::default(), lengths: BTreeSet::new() };
        for (position, draft) in drafts.iter().enumerate() {
            let mut seen = FxHashSet::default();
            let mut groups: Vec<ShadowHosts<'a>> = draft.hosts.iter().map(ShadowHosts::of).collect();
            groups.retain(|group| seen.insert(group.clone()));
            if draft.hosts.is_empty() {
                groups.push(ShadowHosts::Any);
            }
            for requirement in PathRequirement::all(draft) {
                covers.lengths.insert(requirement.literal().len());
                let by_host = covers.paths.entry(requirement.literal()).or_default();
                for group in &groups {
                    let path = CoveringPath { position, requirement, covers_prefix: OnceCell::new() };
                    by_host.entry(group.clone()).or_default().push(path);
                }
            }
        }
        covers
    }
}

struct ShadowSearch<'a> {
    covers: CoverTable<'a>,
    /// The number of remaining comparisons.
    left: usize,
}

impl ShadowSearch<'_> {
    /// The entry of the highest rank that covers the first part of this one, if all its parts are covered by other routes.
    fn winner(&mut self, position: usize) -> Option<usize> {
        let drafts = self.covers.drafts;
        let draft = drafts.get(position)?;
        let hosts: Vec<Option<&HostPattern>> =
            if draft.hosts.is_empty() { vec![None] } else { draft.hosts.iter().map(Some).collect() };
        let mut first = None;
        for requirement in PathRequirement::all(draft) {
            for host in &hosts {
                let winner = self.cover(position, draft, requirement, *host)?;
                first = first.or(Some(winner));
            }
        }
        first
    }

    fn cover(
        &mut self,
        position: usize,
        draft: &EntryDraft,
        requirement: PathRequirement<'_>,
        host: Option<&HostPattern>,
    ) -> Option<usize> {
        let groups = match host.map(ShadowHosts::of) {
            None => vec![ShadowHosts::Any],
            Some(ShadowHosts::Exact(name)) => {
                vec![ShadowHosts::Any, ShadowHosts::Exact(name), ShadowHosts::Wildcards]
            }
            Some(_) => vec![ShadowHosts::Any, ShadowHosts::Wildcards],
        };
        let literal = requirement.literal();
        for length in self.covers.lengths.range(..=literal.len()) {
            let Some(by_host) = literal.get(..*length).and_then(|prefix| self.covers.paths.get(prefix))
            else {
                continue;
            };
            for path in groups
                .iter()
                .filter_map(|group| by_host.get(group))
                .flat_map(|paths| paths.iter().take_while(|path| path.position < position))
            {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    return None;
                }
                let Some(other) = self.covers.drafts.get(path.position) else { continue };
                if other.entry.route != draft.entry.route
                    && other.entry.is_implied_by(&draft.entry)
                    && host_covered(&other.hosts, host)
                    && path.covers(requirement)
                {
                    return Some(path.position);
                }
            }
        }
        None
    }
}

fn host_covered(hosts: &[HostPattern], host: Option<&HostPattern>) -> bool {
    hosts.is_empty() || host.is_some_and(|host| hosts.iter().any(|mine| mine.contains(host)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::router::{MatchFlavor, PriorityCalculation, fixture::route};

    fn warnings_of(routes: &[Value], options: RouterOptions) -> Vec<String> {
        let routes: Vec<_> = routes.iter().map(route).collect();
        let warnings = shadowed(&routes, &|_| true, options);
        warnings.into_iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect()
    }

    /// Asserts whether `loser` is reported as never matching because of `winner`, in both orders of the file.
    #[track_caller]
    fn check(mut winner: Value, mut loser: Value, expected: Option<&str>) {
        (winner["name"], loser["name"]) = ("winner".into(), "loser".into());
        let message = |rule| {
            format!(
                "routes.loser: this route never matches: `winner` matches all that it does, and goes before it: {rule}"
            )
        };
        let expected: Vec<String> = expected.map(message).into_iter().collect();
        assert_eq!(warnings_of(&[winner.clone(), loser.clone()], RouterOptions::default()), expected);
        assert_eq!(warnings_of(&[loser, winner], RouterOptions::default()), expected);
    }

    const SAME: &str = "they rank the same, and its id is greater";

    #[test]
    fn a_route_that_another_one_covers_never_matches() {
        // The id derived from the winner's name is the greater one.
        check(json!({"paths": ["/a"]}), json!({"paths": ["/a"]}), Some(SAME));
        check(json!({"hosts": ["a.test"]}), json!({"hosts": ["a.test"]}), Some(SAME));
        check(json!({"paths": ["/a", "/b"]}), json!({"paths": ["/b"]}), Some(SAME));
        check(json!({"methods": ["GET", "PUT"]}), json!({"methods": ["PUT"]}), Some(SAME));
        check(
            json!({"paths": ["~/a/\\d+", "~/b"], "regex_priority": 1}),
            json!({"paths": ["~/a/\\d+"]}),
            Some("its regex_priority is greater"),
        );
        check(
            json!({"paths": ["~/a"]}),
            json!({"paths": ["/a/b", "/a"], "methods": ["GET"]}),
            Some("its path is a regular expression"),
        );
        check(
            json!({"paths": ["~/.*"], "regex_priority": 1}),
            json!({"paths": ["~/a/(?<id>\\d+)$", "/x"]}),
            Some("its regex_priority is greater"),
        );
        check(json!({"hosts": ["a.test"]}), json!({"hosts": ["a.test"], "paths": ["/a"]}), None);
        check(json!({"hosts": ["A.test", "b.test"]}), json!({"hosts": ["a.test"]}), Some(SAME));
        check(
            json!({"hosts": ["a.test"], "headers": {"x": ["1", "2"]}}),
            json!({"hosts": ["a.test"], "headers": {"X": ["2"]}}),
            Some(SAME),
        );
        check(json!({"snis": ["*.test"]}), json!({"snis": ["a.test"]}), Some(SAME));
        check(json!({"hosts": ["a.test"]}), json!({"hosts": ["a.test:81"]}), Some(SAME));
        check(json!({"hosts": ["*.test"]}), json!({"hosts": ["*.a.test"]}), Some(SAME));
    }

    #[test]
    fn the_calculation_decides_which_route_takes_precedence() {
        let (winner, loser) =
            (json!({"paths": ["~/x"]}), json!({"paths": ["/x/y"], "methods": ["GET"], "hosts": ["*.test"]}));
        check(winner.clone(), loser.clone(), Some("its path is a regular expression"));
        let strict = RouterOptions { calculation: PriorityCalculation::Strict, ..RouterOptions::default() };
        assert_eq!(warnings_of(&[winner, loser], strict), [""; 0]);
    }

    #[test]
    fn a_route_that_may_match_is_not_reported() {
        for (one, other) in [
            (json!({"paths": ["/a"]}), json!({"paths": ["/a/b"]})),
            (json!({"paths": ["/a"]}), json!({"paths": ["/a"], "methods": ["GET"]})),
            (json!({"paths": ["/a"], "methods": ["GET"]}), json!({"paths": ["/a"], "methods": ["PUT"]})),
            (json!({"paths": ["~/a$"]}), json!({"paths": ["/a"]})),
            (json!({"paths": ["~/a.+"]}), json!({"paths": ["/a"]})),
            (json!({"paths": ["~/a\\b.*"]}), json!({"paths": ["/a"]})),
            (json!({"paths": ["~/a|/b"]}), json!({"paths": ["/a"]})),
            (json!({"paths": ["~/(?i)a"]}), json!({"paths": ["/A"]})),
            (json!({"hosts": ["*.test"]}), json!({"hosts": ["test"]})),
            (json!({"headers": {"x": ["1"]}}), json!({"headers": {"y": ["1"]}})),
            (json!({"snis": ["a.test"]}), json!({"snis": ["b.test"]})),
            (json!({"sources": [{"ip": "10.0.0.0/8"}]}), json!({"sources": [{"ip": "10.1.0.0/16"}]})),
        ] {
            for pair in [[one.clone(), other.clone()], [other.clone(), one.clone()]] {
                let [mut first, mut second] = pair;
                (first["name"], second["name"]) = ("first".into(), "second".into());
                assert_eq!(warnings_of(&[first, second], RouterOptions::default()), [""; 0], "{one} {other}");
            }
        }
    }

    #[test]
    fn several_routes_may_cover_one() {
        let mut routes =
            [json!({"paths": ["~/a"]}), json!({"paths": ["~/b"]}), json!({"paths": ["/a", "/b/c"]})];
        for (name, fields) in ["winner", "other", "loser"].iter().zip(&mut routes) {
            fields["name"] = (*name).into();
        }
        assert_eq!(warnings_of(&routes, RouterOptions::default()).len(), 1);
        assert_eq!(warnings_of(&routes[1..], RouterOptions::default()), [""; 0]);
    }

    #[test]
    fn the_order_of_the_file_decides_in_the_older_flavor() {
        let options = RouterOptions { flavor: MatchFlavor::Traditional, ..RouterOptions::default() };
        let one = json!({"name": "one", "paths": ["/a"]});
        let two = json!({"name": "two", "paths": ["/a"]});
        let all = warnings_of(&[one, two], options);
        assert_eq!(
            all,
            ["routes.two: this route never matches: `one` matches all that it does, and goes before it: \
              they rank the same, and it comes first in the file"]
        );
    }
}
