//! Route entries: the parts of a route, each with one rank.
//!
//! A route with paths of several lengths has a rank for each: its regular expressions are one entry, its prefixes of the
//! same length another. All entries of a route share its conditions.

use std::sync::Arc;

use regex::bytes::Regex;
use uuid::{Uuid, uuid};

use super::RouterRequest;
use super::conditions::{CommonMethods, Conditions};
use super::hosts::HostPattern;
use super::literals::FoundLiterals;
use super::options::{MatchFlavor, RouterOptions};
use super::path_regex::PathPattern;
use super::priority::{PathKind, PriorityKey};
use crate::diag::Diagnostic;
use crate::entity::{Route, RouteIndex};
use crate::uri::Scheme;

/// Kong's UUID namespace for the ids of the parts of a route.
const PARTS: Uuid = uuid!("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");

/// A part of a route with one rank.
#[derive(Debug)]
pub(super) struct RouteEntry {
    pub(super) route: RouteIndex,
    /// The scheme, if the entry is for one only.
    scheme: Option<Scheme>,
    has_path: bool,
    /// `None` if there are no conditions.
    pub(super) conditions: Option<Arc<Conditions>>,
    /// The regular expressions of which one must match; `None` for prefixes, which the index decides.
    pub(super) patterns: Option<Arc<[PathPattern]>>,
}

/// The match of an entry in a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathMatch<'a> {
    pub(super) prefix: Option<usize>,
    pub(super) regex: Option<&'a Regex>,
}

impl RouteEntry {
    /// Tests everything but the host; the index has found that the path begins with a literal of `literal` bytes.
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

    /// Whether every request that satisfies the scheme and the conditions of `other` certainly satisfies those of this entry.
    pub(super) fn is_implied_by(&self, other: &Self) -> bool {
        (self.scheme.is_none() || self.scheme == other.scheme)
            && self.conditions.as_ref().is_none_or(|mine| mine.follow_from(other.conditions.as_deref()))
    }

    /// The entry in its inline form, if its only criteria are a host, a literal and methods.
    pub(super) fn inline(&self) -> Option<InlineEntry> {
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

/// An entry whose only criteria are a host, a literal and methods, as most entries have. It is stored in the index, since
/// access to the list of entries would be a further cache miss.
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

/// An entry, and the keys under which it is indexed.
#[derive(Debug)]
pub(super) struct EntryDraft {
    pub(super) entry: RouteEntry,
    pub(super) key: PriorityKey,
    pub(super) kind: PathKind,
    pub(super) id: Uuid,
    /// The hosts; empty for any host.
    pub(super) hosts: Arc<[HostPattern]>,
    /// Literals of which one must be a prefix of the path: at least one, which may be empty.
    pub(super) literals: Vec<Box<[u8]>>,
}

/// Compiles the routes for HTTP that are not expressions and that `enabled` accepts. An invalid criterion is left out
/// with a diagnostic.
pub(super) fn compile(
    routes: &[&Route],
    enabled: &dyn Fn(&Route) -> bool,
    options: RouterOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<EntryDraft> {
    let mut drafts = Vec::with_capacity(routes.len());
    let is_compiled = |route: &Route| is_http(route) && route.expression.is_none() && enabled(route);
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| is_compiled(route)) {
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

/// Builder of the entries of one route.
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

    /// Positions of the paths of each rank, ordered by the first of each. The flavor `traditional` ranks each path
    /// separately.
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

    /// The keys by scheme. In the flavor `traditional`, a route with SNIs ranks lower over plain http, where they do not
    /// count.
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
