//! Postings: the entries for one host and one literal, best first.
//!
//! Where there are many, a header or the method of the request picks those that may match.

use http::{HeaderMap, HeaderName};
use rustc_hash::FxHashMap;

use super::RouterRequest;
use super::conditions::{Conditions, ValueSet};
use super::entry::InlineEntry;
use super::text_table::TextTable;

/// Where an entry stands in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) entry: u32,
    pub(super) port: PortRule,
    /// The entry itself, if it is so simple.
    pub(super) plain: Option<InlineEntry>,
}

/// What a route's host says about the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortRule {
    /// Nothing.
    Any,
    /// The client must name this one.
    Named(u16),
    /// The client must name this one, or none if it is the default.
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

/// Entries, best first.
#[derive(Debug, Default)]
pub(super) enum Candidates {
    #[default]
    None,
    One(Candidate),
    #[expect(
        clippy::box_collection,
        reason = "most literals have one posting, and their rows are to be small"
    )]
    Some(Box<Vec<Candidate>>),
    Many(Box<CandidateGroup>),
}

/// Many entries, by what they ask for.
#[derive(Debug, Default)]
pub(super) struct CandidateGroup {
    /// Those that ask neither for a header of known value nor for a method.
    rest: Vec<Candidate>,
    /// Methods in space 0, the values of each header, in lower case, in the space that is its place counted from 1.
    chosen: TextTable<Candidates>,
    headers: Vec<HeaderName>,
}

/// The space of methods.
const METHODS: u32 = 0;

/// Up to so many, looking at each is faster.
const FEW: usize = 8;

/// Header values longer than this are not looked up.
const LONGEST_VALUE: usize = 256;

/// Looks at a posting; whether it matches.
pub(super) type TakeCandidate<'a> = dyn FnMut(Candidate) -> bool + 'a;

impl Candidates {
    /// Adds an entry; those of higher rank must have been added.
    pub(super) fn push(&mut self, posting: Candidate) {
        match self {
            Self::None => *self = Self::One(posting),
            Self::One(first) => *self = Self::Some(Box::new(vec![*first, posting])),
            Self::Some(all) => all.push(posting),
            Self::Many(group) => group.rest.push(posting),
        }
    }

    /// Groups them if there are many; `conditions` knows what an entry asks for.
    pub(super) fn group<'a>(&mut self, conditions: &dyn Fn(u32) -> Option<&'a Conditions>) {
        if let Self::Some(all) = self
            && all.len() > FEW
        {
            *self = Self::Many(Box::new(CandidateGroup::new(all, conditions)));
        }
    }

    /// Offers those with a number below `limit`, which becomes that of the one that matches.
    pub(super) fn search(&self, request: &RouterRequest<'_>, limit: &mut u32, take: &mut TakeCandidate<'_>) {
        match self {
            Self::None => {}
            Self::One(posting) => offer(std::slice::from_ref(posting), limit, take),
            Self::Some(all) => offer(all, limit, take),
            Self::Many(group) => group.search(request, limit, take),
        }
    }
}

fn offer(postings: &[Candidate], limit: &mut u32, take: &mut TakeCandidate<'_>) {
    for &posting in postings.iter().take_while(|posting| posting.entry < *limit) {
        if take(posting) {
            *limit = posting.entry;
            return;
        }
    }
}

impl CandidateGroup {
    fn new<'a>(all: &[Candidate], conditions: &dyn Fn(u32) -> Option<&'a Conditions>) -> Self {
        let choices =
            |posting: &Candidate| conditions(posting.entry).map(Conditions::choices).unwrap_or_default();
        // What fewest ask for tells most.
        let mut asked = FxHashMap::<(Option<&HeaderName>, Vec<u8>), usize>::default();
        for ValueSet { header, values } in all.iter().flat_map(choices) {
            for value in values {
                *asked.entry((header, value)).or_default() += 1;
            }
        }
        let crowd = |choice: &ValueSet<'_>| -> usize {
            choice.values.iter().filter_map(|value| asked.get(&(choice.header, value.clone()))).sum()
        };
        let mut group = Self::default();
        for posting in all {
            let mut choices = choices(posting);
            choices.retain(|choice| choice.values.iter().all(|value| value.len() <= LONGEST_VALUE));
            match choices.into_iter().min_by_key(crowd) {
                None => group.rest.push(*posting),
                Some(choice) => group.push(&choice, *posting),
            }
        }
        group.chosen.shrink();
        group
    }

    fn push(&mut self, choice: &ValueSet<'_>, posting: Candidate) {
        let space = choice.header.map_or(METHODS, |name| self.space(name));
        let mut values = choice.values.clone();
        values.sort_unstable();
        values.dedup();
        for value in values {
            self.chosen.get_or_insert(space, &value).push(posting);
        }
    }

    fn space(&mut self, name: &HeaderName) -> u32 {
        let known = self.headers.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.headers.push(name.clone());
            self.headers.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }

    fn search(&self, request: &RouterRequest<'_>, limit: &mut u32, take: &mut TakeCandidate<'_>) {
        let mut look = |space, value: &[u8]| {
            if let Some(postings) = self.chosen.get(space, value) {
                postings.search(request, limit, take);
            }
        };
        for (space, name) in (1..).zip(&self.headers) {
            for_each_value(request.headers, name, &mut |value| look(space, value));
        }
        look(METHODS, request.method.as_bytes());
        offer(&self.rest, limit, take);
    }
}

/// Calls `look` with the value of each line of a header, in lower case.
fn for_each_value(headers: &HeaderMap, name: &HeaderName, look: &mut dyn FnMut(&[u8])) {
    for line in headers.get_all(name) {
        let mut bytes = [0; LONGEST_VALUE];
        if let Some(value) = bytes.get_mut(..line.len()) {
            value.copy_from_slice(line.as_bytes());
            value.make_ascii_lowercase();
            look(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::router::fixture::{get, route};
    use crate::router::options::RouterOptions;

    /// The entries that are offered for `PUT`, with the header `x-k: B`, of routes that ask for this.
    #[track_caller]
    fn check(routes: &[Value], expected: &[u32]) {
        let compile = |fields| Conditions::compile(&route(fields), RouterOptions::default(), &mut Vec::new());
        let conditions: Vec<_> = routes.iter().map(|fields| compile(fields).unwrap()).collect();
        let mut postings = Candidates::default();
        for entry in 0..u32::try_from(routes.len()).unwrap() {
            postings.push(Candidate { entry, port: PortRule::Any, plain: None });
        }
        postings.group(&|entry| conditions.get(entry as usize));
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-k"), "B".parse().unwrap())]);
        let (mut offered, mut limit) = (Vec::new(), u32::MAX);
        let request = RouterRequest { method: "PUT", ..get("/", &headers) };
        postings.search(&request, &mut limit, &mut |posting| {
            offered.push(posting.entry);
            false
        });
        offered.sort_unstable();
        assert_eq!(offered, expected);
    }

    #[test]
    fn of_many_only_those_are_offered_whose_method_or_header_is_asked_for() {
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
    fn what_fewest_ask_for_tells_them_apart() {
        let routes: Vec<_> = (0..100)
            .map(
                |number| json!({"headers": {"x-k": ["b"], "x-id": [number.to_string()]}, "methods": ["PUT"]}),
            )
            .collect();
        check(&routes, &[]);
    }

    #[test]
    fn a_port_rule_knows_the_default() {
        assert!(PortRule::Any.accepts(None, 80));
        assert!(PortRule::Named(80).accepts(Some(80), 8000));
        assert!(!PortRule::Named(80).accepts(None, 80));
        assert!(PortRule::NamedOrDefault(80).accepts(None, 80));
        assert!(!PortRule::NamedOrDefault(80).accepts(Some(81), 80));
    }
}
