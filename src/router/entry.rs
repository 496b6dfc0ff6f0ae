//! Route entries: what a route is split into so that each part has one rank.
//!
//! A route with paths of several lengths has a rank for each: its expressions are one entry, its prefixes of one
//! length another. All entries of a route share its conditions.

use std::sync::Arc;

use regex::bytes::Regex;
use uuid::{Uuid, uuid};

use super::RouterRequest;
use super::conditions::{CommonMethods, Conditions};
use super::hosts::HostPattern;
use super::literals::FoundLiterals;
use super::options::{MatchFlavor, RouterOptions};
use super::pattern::PathPattern;
use super::priority::{PathKind, PriorityKey};
use crate::diag::Diagnostic;
use crate::entity::{Route, RouteIndex};
use crate::uri::Scheme;

/// Kong's name space for the ids of a route's parts.
const PARTS: Uuid = uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");

/// One part of a route.
#[derive(Debug)]
pub(super) struct RouteEntry {
    pub(super) route: RouteIndex,
    /// The only scheme it is for, if it is.
    scheme: Option<Scheme>,
    has_path: bool,
    /// Nothing if all requests meet them.
    pub(super) conditions: Option<Arc<Conditions>>,
    /// The expressions of which one must match; nothing if a literal is all that is asked.
    pub(super) patterns: Option<Arc<[PathPattern]>>,
}

/// What an entry found in a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathMatch<'a> {
    pub(super) prefix: Option<usize>,
    pub(super) regex: Option<&'a Regex>,
}

impl RouteEntry {
    /// Matches all but the host; that the path begins with a literal of `literal` bytes is known.
    pub(super) fn matches(
        &self,
        request: &RouterRequest<'_>,
        literal: usize,
        literals: &mut FoundLiterals<'_>,
    ) -> Option<PathMatch<'_>> {
        if self.scheme.is_some_and(|scheme| scheme != request.scheme)
            || self.conditions.as_ref().is_some_and(|conditions| !conditions.hold(request))
        {
            return None;
        }
        let Some(patterns) = &self.patterns else {
            return Some(PathMatch { prefix: self.has_path.then_some(literal), regex: None });
        };
        let mut candidates = patterns.iter().filter(|pattern| literals.may_match(pattern));
        let (regex, length) = candidates.find_map(|pattern| pattern.find(request.path))?;
        Some(PathMatch { prefix: Some(length), regex: Some(regex) })
    }

    /// Whether a request that meets `other` but for its host and its path surely meets this one, too.
    pub(super) fn asks_no_more_than(&self, other: &Self) -> bool {
        (self.scheme.is_none() || self.scheme == other.scheme)
            && self.conditions.as_ref().is_none_or(|mine| mine.follow_from(other.conditions.as_deref()))
    }

    /// All of it, if it asks for nothing but a host, a literal and methods.
    pub(super) fn plain(&self) -> Option<InlineEntry> {
        let methods = match &self.conditions {
            None => CommonMethods::default(),
            Some(conditions) => conditions.only_methods()?,
        };
        let RouteIndex(route) = self.route;
        let route = u32::try_from(route).ok()?;
        let plain = self.scheme.is_none() && self.patterns.is_none();
        plain.then_some(InlineEntry { route, methods, has_path: self.has_path })
    }
}

/// An entry that asks for nothing but a host, a literal and methods: most do. It is kept where it is found, since a
/// look at the entry itself is a look elsewhere in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InlineEntry {
    route: u32,
    methods: CommonMethods,
    has_path: bool,
}

impl InlineEntry {
    /// The same as [`RouteEntry::matches`].
    pub(super) fn matches(self, request: &RouterRequest<'_>, literal: usize) -> Option<PathMatch<'static>> {
        let matches = self.methods.are_all() || self.methods.contain(request.method);
        matches.then(|| PathMatch { prefix: self.has_path.then_some(literal), regex: None })
    }

    pub(super) const fn route(self) -> RouteIndex {
        RouteIndex(self.route as usize)
    }
}

/// An entry, and the keys under which it is looked up.
#[derive(Debug)]
pub(super) struct EntryDraft {
    pub(super) entry: RouteEntry,
    pub(super) key: PriorityKey,
    pub(super) kind: PathKind,
    pub(super) id: Uuid,
    /// Empty means any host.
    pub(super) hosts: Arc<[HostPattern]>,
    /// Texts of which a path must begin with one; at least one, maybe empty.
    pub(super) literals: Vec<Box<[u8]>>,
}

/// Compiles all routes that are for HTTP, are no expressions and that `enabled` wants; what is wrong with one leaves out only that.
pub(super) fn compile(
    routes: &[&Route],
    enabled: &dyn Fn(&Route) -> bool,
    options: RouterOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<EntryDraft> {
    let mut drafts = Vec::with_capacity(routes.len());
    let wanted = |route: &Route| is_http(route) && route.expression.is_none() && enabled(route);
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| wanted(route)) {
        let Some(conditions) = Conditions::compile(route, options, diagnostics) else { continue };
        let splitter = EntryBuilder {
            index: RouteIndex(index),
            route,
            options,
            names_servers: conditions.names_servers(),
            conditions: (!conditions.are_none()).then(|| Arc::new(conditions)),
            hosts: route.hosts.iter().map(|host| HostPattern::parse(host)).collect(),
        };
        splitter.split(&mut drafts, diagnostics);
    }
    drafts
}

pub(super) fn is_http(route: &Route) -> bool {
    let stream = |protocol: &String| matches!(protocol.as_str(), "tcp" | "tls" | "udp" | "tls_passthrough");
    route.protocols.is_empty() || !route.protocols.iter().all(stream)
}

/// Makes the entries of one route.
struct EntryBuilder<'a> {
    index: RouteIndex,
    route: &'a Route,
    options: RouterOptions,
    conditions: Option<Arc<Conditions>>,
    names_servers: bool,
    hosts: Arc<[HostPattern]>,
}

impl EntryBuilder<'_> {
    fn split(&self, drafts: &mut Vec<EntryDraft>, diagnostics: &mut Vec<Diagnostic>) {
        if self.route.paths.is_empty() {
            self.push(drafts, PathKind::Absent, self.route.id, Vec::new(), &[Box::default()]);
            return;
        }
        let groups = self.groups();
        for (number, (kind, members)) in groups.iter().enumerate() {
            let id = if groups.len() == 1 {
                self.route.id
            } else {
                Uuid::new_v5(&PARTS, format!("{}#{}", self.route.id, number + 1).as_bytes())
            };
            let (patterns, literals) = self.paths(members, diagnostics);
            if !literals.is_empty() {
                self.push(drafts, *kind, id, patterns, &literals);
            }
        }
    }

    /// Positions of paths that rank alike, in the order of the first of each. The flavor `traditional` ranks each
    /// path by itself.
    fn groups(&self) -> Vec<(PathKind, Vec<usize>)> {
        let mut groups: Vec<(PathKind, Vec<usize>)> = Vec::new();
        for (position, path) in self.route.paths.iter().enumerate() {
            let kind = if path.starts_with('~') { PathKind::Regex } else { PathKind::Prefix(path.len()) };
            let alike = match self.options.flavor {
                MatchFlavor::TraditionalCompatible | MatchFlavor::Expressions => {
                    groups.iter_mut().find(|(other, _)| *other == kind)
                }
                MatchFlavor::Traditional => None,
            };
            match alike {
                Some((_, members)) => members.push(position),
                None => groups.push((kind, vec![position])),
            }
        }
        groups
    }

    fn paths(
        &self,
        members: &[usize],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> (Vec<PathPattern>, Vec<Box<[u8]>>) {
        let (mut patterns, mut literals) = (Vec::new(), Vec::<Box<[u8]>>::new());
        let paths = members.iter().filter_map(|position| Some((*position, self.route.paths.get(*position)?)));
        for (position, path) in paths {
            let literal = match path.strip_prefix('~') {
                None => path.as_bytes().into(),
                Some(expression) => match PathPattern::new(expression, self.options.compilation) {
                    Ok(pattern) => {
                        let literal = pattern.literal().into();
                        patterns.push(pattern);
                        literal
                    }
                    Err(error) => {
                        let at = self.route.at.key("paths").index(position);
                        diagnostics.push(super::invalid_regex(self.route, at, path, &error));
                        continue;
                    }
                },
            };
            literals.push(literal);
        }
        literals.sort_unstable();
        literals.dedup();
        (patterns, literals)
    }

    fn push(
        &self,
        drafts: &mut Vec<EntryDraft>,
        kind: PathKind,
        id: Uuid,
        patterns: Vec<PathPattern>,
        literals: &[Box<[u8]>],
    ) {
        let patterns = (!patterns.is_empty()).then(|| Arc::<[PathPattern]>::from(patterns));
        for (scheme, key) in self.keys(kind, id) {
            let entry = RouteEntry {
                route: self.index,
                scheme,
                has_path: kind != PathKind::Absent,
                conditions: self.conditions.clone(),
                patterns: patterns.clone(),
            };
            drafts.push(EntryDraft {
                entry,
                key,
                kind,
                id,
                hosts: self.hosts.clone(),
                literals: literals.to_vec(),
            });
        }
    }

    /// The key for both schemes. In the flavor `traditional`, a route that names servers ranks lower over plain
    /// http, where these do not count.
    fn keys(&self, kind: PathKind, id: Uuid) -> Vec<(Option<Scheme>, PriorityKey)> {
        let route = self.route;
        match self.options.flavor {
            MatchFlavor::TraditionalCompatible | MatchFlavor::Expressions => {
                vec![(None, PriorityKey::compatible(route, kind, id, self.options.calculation))]
            }
            MatchFlavor::Traditional if self.names_servers => vec![
                (Some(Scheme::Https), PriorityKey::traditional(route, kind, true)),
                (Some(Scheme::Http), PriorityKey::traditional(route, kind, false)),
            ],
            MatchFlavor::Traditional => vec![(None, PriorityKey::traditional(route, kind, true))],
        }
    }
}
