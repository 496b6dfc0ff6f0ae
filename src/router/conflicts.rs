//! Lint: pairs of routes that the two calculations of the rank order differently.
//!
//! After a switch from one calculation to the other, requests change their route exactly for these pairs. Routes are
//! first grouped by literal, host and rank, so that only pairs are compared that may overlap and differ.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use rustc_hash::FxHashMap;

use super::entry::{self, EntryDraft};
use super::hosts::NamePattern;
use super::options::{PriorityCalculation, RouterOptions};
use super::priority;
use crate::diag::Diagnostic;
use crate::document::NodePath;
use crate::entity::Route;

/// Warnings at most: a longer list would not be read.
const MAX_WARNINGS: usize = 50;

/// Comparisons at most, to bound the time of a load.
const MAX_COMPARISONS: usize = 1_000_000;

/// Warns for pairs of routes that one request may match and that
/// [`Original`](PriorityCalculation::Original) and [`Strict`](PriorityCalculation::Strict) rank differently; at most 50, and a
/// last one if there may be more. For the flavor `traditional_compatible`, the only one with these calculations.
///
/// Whether two regular expressions can match the same path is not decided; they are assumed to, if their literal
/// prefixes allow it.
#[must_use]
pub fn conflicts(routes: &[impl Borrow<Route>], enabled: &dyn Fn(&Route) -> bool) -> Vec<Diagnostic> {
    let routes = &*routes.iter().map(Borrow::borrow).collect::<Vec<&Route>>();
    let drafts = entry::compile(routes, enabled, RouterOptions::default(), &mut Vec::new());
    let contend = |draft| RankedEntry::new(routes, draft);
    let entries: Vec<_> = drafts.iter().filter_map(contend).collect();
    let table = ConflictTable::new(&entries);
    let mut search = ConflictSearch { pairs: BTreeSet::new(), comparisons: 0 };
    for entry in &entries {
        table.visit(entry, &mut |other| search.compare(entry, other));
    }
    search.report(routes)
}

/// A route entry with both ranks.
struct RankedEntry<'a> {
    draft: &'a EntryDraft,
    ranks: CalculationRanks,
}

/// The ranks by the two calculations; the id decides between equal ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CalculationRanks {
    strict: u64,
    original: u64,
}

impl CalculationRanks {
    /// Whether both calculations order two entries with these ranks alike.
    fn agree(self, other: Self) -> bool {
        let (strict, original) = (self.strict.cmp(&other.strict), self.original.cmp(&other.original));
        strict == original
    }
}

impl<'a> RankedEntry<'a> {
    fn new(routes: &[&Route], draft: &'a EntryDraft) -> Option<Self> {
        let route = routes.get(draft.entry.route.0)?;
        let rank = |calculation| priority::priority(route, draft.kind, calculation);
        let ranks = CalculationRanks {
            strict: rank(PriorityCalculation::Strict),
            original: rank(PriorityCalculation::Original),
        };
        Some(Self { draft, ranks })
    }

    const fn route(&self) -> usize {
        self.draft.entry.route.0
    }

    /// The order of this entry and another one, by both calculations.
    fn orders(&self, other: &Self) -> (Ordering, Ordering) {
        let ids = self.draft.id.cmp(&other.draft.id);
        (
            self.ranks.strict.cmp(&other.ranks.strict).then(ids),
            self.ranks.original.cmp(&other.ranks.original).then(ids),
        )
    }

    /// Whether the hosts and the conditions of both can match one request.
    fn overlaps(&self, other: &Self) -> bool {
        let (mine, others) = (&self.draft.hosts, &other.draft.hosts);
        let hosts = mine.is_empty()
            || others.is_empty()
            || mine.iter().any(|host| others.iter().any(|other| host.overlaps(other)));
        let conditions = self.draft.entry.conditions.as_ref().zip(other.draft.entry.conditions.as_ref());
        hosts && conditions.is_none_or(|(mine, others)| mine.overlap(others))
    }
}

/// The hosts of a group of entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum ConflictHosts<'a> {
    /// All entries of a literal, in addition to their other groups.
    All,
    /// Entries without hosts.
    Any,
    /// Entries with this host.
    Exact(&'a [u8]),
    /// Entries with a wildcard host.
    Wildcards,
}

/// Entries by the literal of their path and by host.
struct ConflictTable<'a> {
    groups: FxHashMap<&'a [u8], FxHashMap<ConflictHosts<'a>, RankGroup<'a>>>,
    lengths: BTreeSet<usize>,
}

/// Entries by rank; where ranks agree, all entries of a rank are skipped at once.
type RankGroup<'a> = BTreeMap<CalculationRanks, Vec<&'a RankedEntry<'a>>>;

impl<'a> ConflictTable<'a> {
    fn new(entries: &'a [RankedEntry<'a>]) -> Self {
        let mut table = Self { groups: FxHashMap::default(), lengths: BTreeSet::new() };
        for entry in entries {
            for literal in &entry.draft.literals {
                table.lengths.insert(literal.len());
                let groups = table.groups.entry(literal).or_default();
                for host_group in groups_of(entry) {
                    groups.entry(host_group).or_default().entry(entry.ranks).or_default().push(entry);
                }
            }
        }
        table
    }

    /// Calls `visit` with all entries whose literal is a prefix of this one's, whose hosts may overlap and whose ranks
    /// disagree, until it returns false. Entries with a longer literal are compared when it is their turn.
    fn visit(&self, entry: &RankedEntry<'_>, visit: &mut dyn FnMut(&'a RankedEntry<'a>) -> bool) {
        let groups_to_visit = overlapping_groups(entry);
        for literal in &entry.draft.literals {
            let prefixes = self.lengths.range(..=literal.len()).filter_map(|length| literal.get(..*length));
            for groups in prefixes.filter_map(|prefix| self.groups.get(prefix)) {
                let groups = groups_to_visit.iter().filter_map(|host_group| groups.get(host_group)).flatten();
                let disagreeing = groups.filter(|(ranks, _)| !entry.ranks.agree(**ranks));
                for other in disagreeing.flat_map(|(_, members)| members) {
                    if !visit(other) {
                        return;
                    }
                }
            }
        }
    }
}

/// The groups that contain an entry.
fn groups_of<'a>(entry: &'a RankedEntry<'_>) -> HashSet<ConflictHosts<'a>> {
    let hosts = entry.draft.hosts.iter().map(|host| match &host.name {
        NamePattern::Exact(name) => ConflictHosts::Exact(name),
        NamePattern::Suffix(_) | NamePattern::Prefix(_) => ConflictHosts::Wildcards,
    });
    let mut groups: HashSet<_> = hosts.collect();
    if groups.is_empty() {
        groups.insert(ConflictHosts::Any);
    }
    groups.insert(ConflictHosts::All);
    groups
}

/// The groups whose entries may share a host with an entry.
fn overlapping_groups<'a>(entry: &'a RankedEntry<'_>) -> HashSet<ConflictHosts<'a>> {
    let mut groups = groups_of(entry);
    if groups.contains(&ConflictHosts::Any) || groups.contains(&ConflictHosts::Wildcards) {
        return HashSet::from([ConflictHosts::All]);
    }
    groups.remove(&ConflictHosts::All);
    groups.extend([ConflictHosts::Any, ConflictHosts::Wildcards]);
    groups
}

/// State of the search.
struct ConflictSearch {
    /// The winner by the original calculation, then the winner by the strict one.
    pairs: BTreeSet<(usize, usize)>,
    comparisons: usize,
}

impl ConflictSearch {
    fn is_over(&self) -> bool {
        self.pairs.len() > MAX_WARNINGS || self.comparisons > MAX_COMPARISONS
    }

    /// Compares two entries; returns whether to continue.
    fn compare(&mut self, one: &RankedEntry<'_>, other: &RankedEntry<'_>) -> bool {
        if self.is_over() {
            return false;
        }
        self.comparisons += 1;
        let (strict, original) = one.orders(other);
        if strict != original && one.route() != other.route() && one.overlaps(other) {
            let pair = match original {
                Ordering::Greater => (one.route(), other.route()),
                _ => (other.route(), one.route()),
            };
            self.pairs.insert(pair);
        }
        true
    }

    fn report(self, routes: &[&Route]) -> Vec<Diagnostic> {
        let pairs = self.pairs.iter().take(MAX_WARNINGS);
        let mut warnings: Vec<_> = pairs
            .filter_map(|(winner, loser)| Some(warning(routes.get(*winner)?, routes.get(*loser)?)))
            .collect();
        if self.is_over() {
            let at = warnings.last().map_or_else(NodePath::root, |last| last.path.clone());
            warnings
                .push(Diagnostic::warning(at, "there may be more routes like these; the search ended here"));
        }
        warnings
    }
}

fn warning(winner: &Route, loser: &Route) -> Diagnostic {
    let (winner_name, loser_name) = (name(winner), name(loser));
    Diagnostic::warning(
        winner.at.clone(),
        format!("route {winner_name} goes before route {loser_name}, against Kong's documentation"),
    )
    .help(format!("where both match, route_match_calculation 'strict' would choose {loser_name}"))
}

fn name(route: &Route) -> String {
    route.name.as_ref().map_or_else(|| route.id.to_string(), |name| format!("'{name}'"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::router::fixture::route;

    fn pairs(routes: &[Value]) -> Vec<(String, String)> {
        let routes: Vec<_> = routes.iter().map(route).collect();
        let warnings = conflicts(&routes, &|_| true);
        warnings.into_iter().map(|warning| (warning.path.to_string(), warning.message)).collect()
    }

    #[track_caller]
    fn check(mut one: Value, mut other: Value, expected: bool) {
        (one["name"], other["name"]) = ("one".into(), "other".into());
        let message = "route 'one' goes before route 'other', against Kong's documentation";
        let expected = if expected { vec![("routes.one".to_owned(), message.to_owned())] } else { vec![] };
        assert_eq!(pairs(&[one.clone(), other.clone()]), expected);
        assert_eq!(pairs(&[other, one]), expected);
    }

    #[test]
    fn a_plain_host_or_a_regular_expression_ranks_too_high() {
        check(json!({"hosts": ["a.test"]}), json!({"paths": ["/x"], "methods": ["GET"]}), true);
        check(
            json!({"hosts": ["a.test"]}),
            json!({"hosts": ["*.test"], "paths": ["/x"], "methods": ["GET"]}),
            true,
        );
        check(json!({"paths": ["~/x/\\d+"]}), json!({"paths": ["/x"], "methods": ["GET"]}), true);
        check(json!({"paths": ["~/x/\\d+"]}), json!({"paths": ["/x/1/2"], "methods": ["GET"]}), true);
    }

    #[test]
    fn routes_that_both_calculations_rank_alike_are_not_reported() {
        check(json!({"hosts": ["a.test"], "paths": ["/x"]}), json!({"paths": ["/x"]}), false);
        check(json!({"paths": ["/x/y"]}), json!({"paths": ["/x"]}), false);
        check(json!({"hosts": ["a.test"]}), json!({"hosts": ["*.test"]}), false);
    }

    #[test]
    fn routes_that_do_not_overlap_are_not_reported() {
        let host = json!({"hosts": ["a.test"], "paths": ["/a"]});
        let path = json!({"paths": ["/b"], "methods": ["GET"], "headers": {"a": ["1"]}});
        check(host, path, false);
        let expression = json!({"paths": ["~/x/\\d+"]});
        check(expression, json!({"paths": ["/y"], "methods": ["GET"]}), false);
        let host = json!({"hosts": ["a.test"]});
        check(host, json!({"hosts": ["*.example"], "paths": ["/x"], "methods": ["GET"]}), false);
        let post = json!({"hosts": ["a.test"], "methods": ["POST"]});
        check(post, json!({"paths": ["/x"], "methods": ["GET"], "headers": {"a": ["1"]}}), false);
        let header = json!({"hosts": ["a.test"], "headers": {"a": ["1"]}});
        let other = json!({"paths": ["/x"], "methods": ["GET"], "headers": {"a": ["2", "~*^3$"]}});
        check(header, other, false);
    }

    #[test]
    fn many_routes_end_the_search() {
        let mut routes: Vec<_> = (0..300)
            .map(|number| json!({"name": number.to_string(), "paths": ["/x"], "methods": ["GET"]}))
            .collect();
        routes.push(json!({"name": "host", "hosts": ["a.test"]}));
        let pairs = pairs(&routes);
        assert_eq!(pairs.len(), MAX_WARNINGS + 1);
        assert!(pairs.iter().all(|(path, _)| path == "routes.host"));
        assert!(pairs.last().is_some_and(|(_, message)| message.contains("may be more")));
    }
}
