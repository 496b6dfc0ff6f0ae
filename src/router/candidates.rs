//! Candidates: the entries for one host and one literal, in falling rank.
//!
//! Long lists are indexed by the values of a header or by the method.

use http::{HeaderMap, HeaderName};
use rustc_hash::FxHashMap;

use super::RouterRequest;
use super::conditions::{Conditions, ValueSet};
use super::entry::InlineEntry;
use super::text_table::TextTable;

/// An entry of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) entry: u32,
    pub(super) port: PortRule,
    /// The entry itself, if its only other conditions are methods.
    pub(super) inline: Option<InlineEntry>,
}

/// Condition of a route's host on the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortRule {
    /// Any port.
    Any,
    /// The Host header must have this port.
    Named(u16),
    /// The Host header must have this port, or none if this is the default.
    NamedOrDefault(u16),
}

impl PortRule {
    pub(super) fn accepts(self, named: Option<u16>, default: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Named(port) => named == Some(port),
            Self::NamedOrDefault(port) => named.unwrap_or(default) == port,
        }
    }
}

/// A list of entries in falling rank.
#[derive(Debug, Default)]
pub(super) enum Candidates {
    #[default]
    None,
    One(Candidate),
    #[expect(
        clippy::box_collection,
        reason = "most literals have one candidate, and the box keeps the rows small"
    )]
    Some(Box<Vec<Candidate>>),
    Many(Box<CandidateGroup>),
}

/// Many entries, indexed by one of their conditions.
#[derive(Debug, Default)]
pub(super) struct CandidateGroup {
    /// Entries that require neither a header with a literal value nor a method.
    rest: Vec<Candidate>,
    /// Entries by method (space 0) or by header value in lower case (the space is the position in `headers`, from 1).
    by_value: TextTable<Candidates>,
    headers: Vec<HeaderName>,
}

/// The space of methods.
const METHODS: u32 = 0;

/// Lists of up to this length are searched linearly, which is faster.
const LINEAR_SEARCH: usize = 8;

/// Maximum length of header values that are indexed, in bytes.
const MAX_VALUE_LENGTH: usize = 256;

/// Callback that tests a candidate and returns whether it matches.
pub(super) type TakeCandidate<'a> = dyn FnMut(Candidate) -> bool + 'a;

impl Candidates {
    /// Appends an entry; entries must be added in falling rank.
    pub(super) fn push(&mut self, candidate: Candidate) {
        match self {
            Self::None => *self = Self::One(candidate),
            Self::One(first) => *self = Self::Some(Box::new(vec![*first, candidate])),
            Self::Some(all) => all.push(candidate),
            Self::Many(group) => group.rest.push(candidate),
        }
    }

    /// Builds the index by conditions if the list is long; `conditions` returns those of an entry.
    pub(super) fn group<'a>(&mut self, conditions: &dyn Fn(u32) -> Option<&'a Conditions>) {
        if let Self::Some(all) = self
            && all.len() > LINEAR_SEARCH
        {
            *self = Self::Many(Box::new(CandidateGroup::new(all, conditions)));
        }
    }

    /// Tests entries with a number below `limit`, and sets `limit` to the number of the one that matches.
    pub(super) fn search(&self, request: &RouterRequest<'_>, limit: &mut u32, take: &mut TakeCandidate<'_>) {
        match self {
            Self::None => {}
            Self::One(candidate) => test_candidates(std::slice::from_ref(candidate), limit, take),
            Self::Some(all) => test_candidates(all, limit, take),
            Self::Many(group) => group.search(request, limit, take),
        }
    }
}

fn test_candidates(candidates: &[Candidate], limit: &mut u32, take: &mut TakeCandidate<'_>) {
    for &candidate in candidates.iter().take_while(|candidate| candidate.entry < *limit) {
        if take(candidate) {
            *limit = candidate.entry;
            return;
        }
    }
}

impl CandidateGroup {
    fn new<'a>(all: &[Candidate], conditions: &dyn Fn(u32) -> Option<&'a Conditions>) -> Self {
        let choices =
            |candidate: &Candidate| conditions(candidate.entry).map(Conditions::choices).unwrap_or_default();
        // The most selective condition is the one with the values that the fewest entries share.
        let mut frequencies = FxHashMap::<(Option<&HeaderName>, Vec<u8>), usize>::default();
        for ValueSet { header, values } in all.iter().flat_map(choices) {
            for value in values {
                *frequencies.entry((header, value)).or_default() += 1;
            }
        }
        let frequency = |choice: &ValueSet<'_>| -> usize {
            choice.values.iter().filter_map(|value| frequencies.get(&(choice.header, value.clone()))).sum()
        };
        let mut group = Self::default();
        for candidate in all {
            let mut choices = choices(candidate);
            choices.retain(|choice| choice.values.iter().all(|value| value.len() <= MAX_VALUE_LENGTH));
            match choices.into_iter().min_by_key(frequency) {
                None => group.rest.push(*candidate),
                Some(choice) => group.push(&choice, *candidate),
            }
        }
        group.by_value.shrink();
        group
    }

    fn push(&mut self, choice: &ValueSet<'_>, candidate: Candidate) {
        let space = choice.header.map_or(METHODS, |name| self.space(name));
        let mut values = choice.values.clone();
        values.sort_unstable();
        values.dedup();
        for value in values {
            self.by_value.get_or_insert(space, &value).push(candidate);
        }
    }

    fn space(&mut self, name: &HeaderName) -> u32 {
        let known = self.headers.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.headers.push(name.clone());
            self.headers.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    fn search(&self, request: &RouterRequest<'_>, limit: &mut u32, take: &mut TakeCandidate<'_>) {
        let mut visit = |space, value: &[u8]| {
            if let Some(candidates) = self.by_value.get(space, value) {
                candidates.search(request, limit, take);
            }
        };
        for (space, name) in (1..).zip(&self.headers) {
            for_each_value(request.headers, name, &mut |value| visit(space, value));
        }
        visit(METHODS, request.method.as_bytes());
        test_candidates(&self.rest, limit, take);
    }
}

/// Calls `visit` with the value of each line of a header, in lower case.
fn for_each_value(headers: &HeaderMap, name: &HeaderName, visit: &mut dyn FnMut(&[u8])) {
    for line in headers.get_all(name) {
        let mut bytes = [0; MAX_VALUE_LENGTH];
        if let Some(value) = bytes.get_mut(..line.len()) {
            value.copy_from_slice(line.as_bytes());
            value.make_ascii_lowercase();
            visit(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::router::fixture::{get, route};
    use crate::router::options::RouterOptions;

    /// Asserts which entries are tested for `PUT` with the header `x-k: B`, of routes with these fields.
    #[track_caller]
    fn check(routes: &[Value], expected: &[u32]) {
        let compile = |fields| Conditions::compile(&route(fields), RouterOptions::default(), &mut Vec::new());
        let conditions: Vec<_> = routes.iter().map(|fields| compile(fields).unwrap()).collect();
        let mut candidates = Candidates::default();
        for entry in 0..u32::try_from(routes.len()).unwrap() {
            candidates.push(Candidate { entry, port: PortRule::Any, inline: None });
        }
        candidates.group(&|entry| conditions.get(entry as usize));
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-k"), "B".parse().unwrap())]);
        let (mut offered, mut limit) = (Vec::new(), u32::MAX);
        let request = RouterRequest { method: "PUT", ..get("/", &headers) };
        candidates.search(&request, &mut limit, &mut |candidate| {
            offered.push(candidate.entry);
            false
        });
        offered.sort_unstable();
        assert_eq!(offered, expected);
    }

    #[test]
    fn a_long_list_is_searched_by_method_or_header() {
        let few = [json!({"methods": ["GET"]}), json!({"headers": {"x-k": ["c"]}})];
        check(&few, &[0, 1]);
        let mut routes: Vec<_> =
            (0..100).map(|number| json!({"headers": {"x-k": [number.to_string()]}})).collect();
        check(&routes, &[]);
        routes.push(json!({"headers": {"X-K": ["b", "c"]}}));
        routes.push(json!({"headers": {"x-k": ["c"]}, "methods": ["PUT"]}));
        routes.push(json!({"methods": ["GET"]}));
        routes.push(json!({"methods": ["PUT", "GET"]}));
        routes.push(json!({"headers": {"x-k": ["~*b"]}}));
        routes.push(json!({"snis": ["a.test"]}));
        check(&routes, &[100, 103, 104, 105]);
    }

    #[test]
    fn a_long_list_is_indexed_by_its_most_selective_condition() {
        let routes: Vec<_> = (0..100)
            .map(
                |number| json!({"headers": {"x-k": ["b"], "x-id": [number.to_string()]}, "methods": ["PUT"]}),
            )
            .collect();
        check(&routes, &[]);
    }

    #[test]
    fn a_port_rule_accepts_the_default_port() {
        assert!(PortRule::Any.accepts(None, 80));
        assert!(PortRule::Named(80).accepts(Some(80), 8000));
        assert!(!PortRule::Named(80).accepts(None, 80));
        assert!(PortRule::NamedOrDefault(80).accepts(None, 80));
        assert!(!PortRule::NamedOrDefault(80).accepts(Some(81), 80));
    }
}
