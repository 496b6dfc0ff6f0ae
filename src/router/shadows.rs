//! A linter: routes that no request ever gets, since others match all that they do and go before them.
//!
//! Only what is certain is told. A part of a route, one of its hosts and one of its paths, is covered by a single entry
//! of another route that asks for no more and ranks higher; a route whose parts are all covered never wins.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::entry::{self, EntryDraft};
use super::hosts::{HostPattern, NamePattern};
use super::options::RouterOptions;
use super::pattern::PathPattern;
use crate::diag::Diagnostic;
use crate::document::NodePath;
use crate::entity::Route;

/// More comparisons than this would take too long at each load.
const MOST_COMPARISONS: usize = 1_000_000;

/// Warns of every route that never wins, whatever the request, with the one that goes before it and why. Routes that
/// are expressions are not looked at, and nothing is said of them.
#[must_use]
pub fn shadowed(
    routes: &[impl Borrow<Route>],
    enabled: &dyn Fn(&Route) -> bool,
    options: RouterOptions,
) -> Vec<Diagnostic> {
    let routes = &*routes.iter().map(Borrow::borrow).collect::<Vec<&Route>>();
    let mut drafts = entry::compile(routes, enabled, options, &mut Vec::new());
    // The order of the router: of equal keys, the first in the file wins.
    drafts.sort_by(|a, b| b.key.cmp(&a.key));
    let mut search = ShadowSearch { covers: CoverTable::new(&drafts), left: MOST_COMPARISONS };
    let mut by_route: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (place, draft) in drafts.iter().enumerate() {
        by_route.entry(draft.entry.route.0).or_default().push(place);
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
    Diagnostic::warning(route.at.clone(), message)
        .help("remove one of them, or let this one ask for something else")
}

/// What a path has to be for a part of a draft.
#[derive(Clone, Copy)]
enum PathRequirement<'a> {
    /// It begins with this; with nothing for a route without paths.
    Prefix(&'a [u8]),
    /// It matches this expression.
    Pattern(&'a PathPattern),
}

impl<'a> PathRequirement<'a> {
    fn all(draft: &'a EntryDraft) -> Vec<Self> {
        match &draft.entry.patterns {
            None => draft.literals.iter().map(|literal| Self::Prefix(literal)).collect(),
            Some(patterns) => patterns.iter().map(Self::Pattern).collect(),
        }
    }

    /// What every such path begins with.
    fn literal(self) -> &'a [u8] {
        match self {
            Self::Prefix(literal) => literal,
            Self::Pattern(pattern) => pattern.literal(),
        }
    }
}

/// The hosts under which a draft is found.
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

/// One thing that a draft offers to cover others with.
struct CoverOffer<'a> {
    /// The place of the draft in the order of the router.
    place: usize,
    wanted: PathRequirement<'a>,
    /// Whether an expression matches all that begins with its literal.
    is_open: OnceCell<bool>,
}

impl CoverOffer<'_> {
    /// Whether every path that is wanted is one of these, too, if it begins with their literal.
    fn covers(&self, wanted: PathRequirement<'_>) -> bool {
        match (self.wanted, wanted) {
            (PathRequirement::Prefix(_), _) => true,
            (PathRequirement::Pattern(mine), PathRequirement::Pattern(other)) if mine.is_same(other) => true,
            (PathRequirement::Pattern(mine), _) => {
                *self.is_open.get_or_init(|| mine.matches_all_beginnings())
            }
        }
    }
}

/// All drafts by literal and host, the best first.
struct CoverTable<'a> {
    drafts: &'a [EntryDraft],
    offers: FxHashMap<&'a [u8], FxHashMap<ShadowHosts<'a>, Vec<CoverOffer<'a>>>>,
    lengths: BTreeSet<usize>,
}

impl<'a> CoverTable<'a> {
    fn new(drafts: &'a [EntryDraft]) -> Self {
        let mut covers = Self { drafts, offers: FxHashMap::default(), lengths: BTreeSet::new() };
        for (place, draft) in drafts.iter().enumerate() {
            let mut seen = FxHashSet::default();
            let mut groups: Vec<ShadowHosts<'a>> = draft.hosts.iter().map(ShadowHosts::of).collect();
            groups.retain(|group| seen.insert(group.clone()));
            if draft.hosts.is_empty() {
                groups.push(ShadowHosts::Any);
            }
            for wanted in PathRequirement::all(draft) {
                covers.lengths.insert(wanted.literal().len());
                let by_host = covers.offers.entry(wanted.literal()).or_default();
                for group in &groups {
                    let offer = CoverOffer { place, wanted, is_open: OnceCell::new() };
                    by_host.entry(group.clone()).or_default().push(offer);
                }
            }
        }
        covers
    }
}

struct ShadowSearch<'a> {
    covers: CoverTable<'a>,
    /// How many comparisons may still be made.
    left: usize,
}

impl ShadowSearch<'_> {
    /// The best draft of another route that covers the first part of this one, if all its parts are covered.
    fn winner(&mut self, place: usize) -> Option<usize> {
        let drafts = self.covers.drafts;
        let draft = drafts.get(place)?;
        let hosts: Vec<Option<&HostPattern>> =
            if draft.hosts.is_empty() { vec![None] } else { draft.hosts.iter().map(Some).collect() };
        let mut first = None;
        for wanted in PathRequirement::all(draft) {
            for host in &hosts {
                let winner = self.cover(place, draft, wanted, *host)?;
                first = first.or(Some(winner));
            }
        }
        first
    }

    fn cover(
        &mut self,
        place: usize,
        draft: &EntryDraft,
        wanted: PathRequirement<'_>,
        host: Option<&HostPattern>,
    ) -> Option<usize> {
        let groups = match host.map(ShadowHosts::of) {
            None => vec![ShadowHosts::Any],
            Some(ShadowHosts::Exact(name)) => {
                vec![ShadowHosts::Any, ShadowHosts::Exact(name), ShadowHosts::Wildcards]
            }
            Some(_) => vec![ShadowHosts::Any, ShadowHosts::Wildcards],
        };
        let literal = wanted.literal();
        for length in self.covers.lengths.range(..=literal.len()) {
            let Some(by_host) = literal.get(..*length).and_then(|prefix| self.covers.offers.get(prefix))
            else {
                continue;
            };
            for offer in groups
                .iter()
                .filter_map(|group| by_host.get(group))
                .flat_map(|offers| offers.iter().take_while(|offer| offer.place < place))
            {
                self.left = self.left.saturating_sub(1);
                if self.left == 0 {
                    return None;
                }
                let Some(other) = self.covers.drafts.get(offer.place) else { continue };
                if other.entry.route != draft.entry.route
                    && other.entry.asks_no_more_than(&draft.entry)
                    && host_covered(&other.hosts, host)
                    && offer.covers(wanted)
                {
                    return Some(offer.place);
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

    fn told(routes: &[Value], options: RouterOptions) -> Vec<String> {
        let routes: Vec<_> = routes.iter().map(route).collect();
        let warnings = shadowed(&routes, &|_| true, options);
        warnings.into_iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect()
    }

    /// Checks whether `loser` is told to never match beside `winner`, in both orders of the file.
    #[track_caller]
    fn check(mut winner: Value, mut loser: Value, expected: Option<&str>) {
        (winner["name"], loser["name"]) = ("winner".into(), "loser".into());
        let message = |rule| {
            format!(
                "routes.loser: this route never matches: `winner` matches all that it does, and goes before it: {rule}"
            )
        };
        let expected: Vec<String> = expected.map(message).into_iter().collect();
        assert_eq!(told(&[winner.clone(), loser.clone()], RouterOptions::default()), expected);
        assert_eq!(told(&[loser, winner], RouterOptions::default()), expected);
    }

    const SAME: &str = "they rank the same, and its id is greater";

    #[test]
    fn what_another_one_always_takes_never_matches() {
        // The ids of these names are such that the winner's is greater.
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
    fn the_calculation_decides_who_goes_first() {
        let (winner, loser) =
            (json!({"paths": ["~/x"]}), json!({"paths": ["/x/y"], "methods": ["GET"], "hosts": ["*.test"]}));
        check(winner.clone(), loser.clone(), Some("its path is a regular expression"));
        let strict = RouterOptions { calculation: PriorityCalculation::Strict, ..RouterOptions::default() };
        assert_eq!(told(&[winner, loser], strict), [""; 0]);
    }

    #[test]
    fn what_may_match_is_not_told() {
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
                assert_eq!(told(&[first, second], RouterOptions::default()), [""; 0], "{one} {other}");
            }
        }
    }

    #[test]
    fn several_may_share_what_one_asks_for() {
        let mut routes =
            [json!({"paths": ["~/a"]}), json!({"paths": ["~/b"]}), json!({"paths": ["/a", "/b/c"]})];
        for (name, fields) in ["winner", "other", "loser"].iter().zip(&mut routes) {
            fields["name"] = (*name).into();
        }
        assert_eq!(told(&routes, RouterOptions::default()).len(), 1);
        assert_eq!(told(&routes[1..], RouterOptions::default()), [""; 0]);
    }

    #[test]
    fn the_order_of_the_file_decides_in_the_older_flavor() {
        let options = RouterOptions { flavor: MatchFlavor::Traditional, ..RouterOptions::default() };
        let one = json!({"name": "one", "paths": ["/a"]});
        let two = json!({"name": "two", "paths": ["/a"]});
        let all = told(&[one, two], options);
        assert_eq!(
            all,
            ["routes.two: this route never matches: `one` matches all that it does, and goes before it: \
              they rank the same, and it comes first in the file"]
        );
    }
}
