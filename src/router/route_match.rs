//! What a lookup finds: a route, and what of the request it matched.

use regex::bytes::Regex;

use super::expressions::Captures;
use super::priority::PriorityKey;
use crate::entity::RouteIndex;

/// The route of a request.
#[derive(Clone, Debug)]
pub struct RouteMatch<'a> {
    /// Which one.
    pub route: RouteIndex,
    /// How many bytes of the path its `paths` or its expression matched; nothing if it asks for none.
    pub prefix: Option<usize>,
    pub(super) by: MatchKind<'a>,
}

/// What matched the path.
#[derive(Clone, Debug)]
pub(super) enum MatchKind<'a> {
    /// Its beginning, or nothing.
    Literal,
    /// One of the route's paths.
    Regex(&'a Regex),
    /// The route's expression.
    Expression(Captures<'a>),
}

/// A group of the regular expression that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// What it matched; nothing if it took no part.
    pub value: Option<&'a [u8]>,
}

/// A route that matches a request, and why it stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCandidate<'a> {
    /// Which one.
    pub route: RouteIndex,
    /// How many bytes of the path its `paths` or its expression matched; nothing if it asks for none.
    pub prefix: Option<usize>,
    /// Its rank.
    pub key: &'a PriorityKey,
}

impl<'a> RouteMatch<'a> {
    pub(super) fn by_expression(route: RouteIndex, caught: Captures<'a>) -> Self {
        let prefix = caught.path.as_ref().map(String::len);
        Self { route, prefix, by: MatchKind::Expression(caught) }
    }

    /// What `prefix` counts the bytes of: the beginning of `path`, the path of the request. Of an expression it
    /// is the text that was compared or found, wherever in the path it stands, as Kong tells upstreams.
    #[must_use]
    pub fn prefix_text<'m>(&'m self, path: &'m [u8]) -> Option<&'m [u8]> {
        match &self.by {
            MatchKind::Expression(caught) => caught.path.as_ref().map(String::as_bytes),
            MatchKind::Literal | MatchKind::Regex(_) => path.get(..self.prefix?),
        }
    }

    /// The groups of the regular expression that matched `path`, the path of the request, or, for a route that is
    /// an expression, any part of the request; empty if there was none.
    #[must_use]
    pub fn captures<'m>(&'m self, path: &'m [u8]) -> Vec<Capture<'m>> {
        let regex = match &self.by {
            MatchKind::Literal => return Vec::new(),
            MatchKind::Regex(regex) => regex,
            MatchKind::Expression(caught) => {
                let groups = caught.groups.iter().enumerate();
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
