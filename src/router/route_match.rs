//! Result of a lookup: a route, and the parts of the request that it matched.

use regex::bytes::Regex;

use super::expressions::Captures;
use super::priority::PriorityKey;
use crate::entity::RouteIndex;

/// The route of a request.
#[derive(Clone, Debug)]
pub struct RouteMatch<'a> {
    /// The index of the route.
    pub route: RouteIndex,
    /// The number of bytes of the path that its `paths` or its expression matched; `None` without a criterion for the path.
    pub prefix: Option<usize>,
    pub(super) by: MatchKind<'a>,
}

/// The criterion that matched the path.
#[derive(Clone, Debug)]
pub(super) enum MatchKind<'a> {
    /// A prefix, or no criterion.
    Literal,
    /// A regular expression among the route's paths.
    Regex(&'a Regex),
    /// The route's expression.
    Expression(Captures<'a>),
}

/// A capture group of the regular expression that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// The text that it matched; `None` if it did not participate in the match.
    pub value: Option<&'a [u8]>,
}

/// A route that matches a request, and its rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCandidate<'a> {
    /// The index of the route.
    pub route: RouteIndex,
    /// The number of bytes of the path that its `paths` or its expression matched; `None` without a criterion for the path.
    pub prefix: Option<usize>,
    /// Its rank.
    pub key: &'a PriorityKey,
}

impl<'a> RouteMatch<'a> {
    pub(super) fn by_expression(route: RouteIndex, captures: Captures<'a>) -> Self {
        let prefix = captures.path.as_ref().map(String::len);
        Self { route, prefix, by: MatchKind::Expression(captures) }
    }

    /// The text of `prefix`: the start of `path`, the path of the request. For an expression it is the text that was compared
    /// or found anywhere in the path, as Kong sends it to upstreams.
    #[must_use]
    pub fn prefix_text<'m>(&'m self, path: &'m [u8]) -> Option<&'m [u8]> {
        match &self.by {
            MatchKind::Expression(captures) => captures.path.as_ref().map(String::as_bytes),
            MatchKind::Literal | MatchKind::Regex(_) => path.get(..self.prefix?),
        }
    }

    /// The capture groups of the regular expression that matched `path`, the path of the request, or, for a route that is
    /// an expression, any part of the request; empty without a regular expression.
    #[must_use]
    pub fn captures<'m>(&'m self, path: &'m [u8]) -> Vec<Capture<'m>> {
        let regex = match &self.by {
            MatchKind::Literal => return Vec::new(),
            MatchKind::Regex(regex) => regex,
            MatchKind::Expression(captures) => {
                let groups = captures.groups.iter().enumerate();
                let capture = |(position, (name, value)): (usize, &'m (Option<&'a str>, Option<String>))| {
                    Capture { number: position + 1, name: *name, value: value.as_ref().map(String::as_bytes) }
                };
                return groups.map(capture).collect();
            }
        };
        let Some(groups) = regex.captures(path) else { return Vec::new() };
        let groups = groups.iter().map(|group| group.map(|group| group.as_bytes()));
        let numbered = regex.capture_names().zip(groups).enumerate().skip(1);
        numbered.map(|(number, (name, value))| Capture { number, name, value }).collect()
    }
}
