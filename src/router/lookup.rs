//! The Router itself: compiled once, then asked for each request.

use std::borrow::Borrow;
use std::collections::HashSet;

use super::RouterRequest;
use super::candidates::{Candidate, PortRule};
use super::entry::{self, EntryDraft, PathMatch, RouteEntry};
use super::expressions::ExpressionRoutes;
use super::hosts::{HostName, HostPattern};
use super::index::EntryIndex;
use super::literals::{FoundLiterals, LiteralFilter};
use super::options::{MatchFlavor, RouterOptions};
use super::priority::PriorityKey;
use super::route_match::{MatchCandidate, MatchKind, RouteMatch};
use crate::diag::Diagnostic;
use crate::entity::{Route, RouteIndex};

/// All routes of a configuration, compiled.
#[derive(Debug)]
pub struct Router {
    flavor: MatchFlavor,
    /// Asked before all others; none but in the flavor `expressions`.
    expressions: ExpressionRoutes,
    /// By falling rank; their places are the numbers in the index.
    entries: Vec<RouteEntry>,
    /// Their ranks.
    keys: Vec<PriorityKey>,
    index: EntryIndex,
    /// Tells which regular expressions cannot match a path; none if there are few.
    literals: Option<LiteralFilter>,
}

impl Router {
    /// Compiles the routes that are for HTTP and that `enabled` wants. A Route whose Service is disabled takes
    /// no part; one without a Service does.
    ///
    /// What is wrong is returned beside the router, which does without just that: an invalid expression, regular
    /// expression or header name.
    pub fn new(
        routes: &[impl Borrow<Route>],
        enabled: &dyn Fn(&Route) -> bool,
        options: RouterOptions,
    ) -> (Self, Vec<Diagnostic>) {
        let routes = &*routes.iter().map(Borrow::borrow).collect::<Vec<&Route>>();
        let mut diagnostics = Vec::new();
        let mut drafts = entry::compile(routes, enabled, options, &mut diagnostics);
        // Stable: of equal keys, the first in the file wins.
        drafts.sort_by(|a, b| b.key.cmp(&a.key));
        let expressions = match options.flavor {
            MatchFlavor::Expressions => {
                let wanted = |route: &Route| entry::is_http(route) && enabled(route);
                ExpressionRoutes::compile(routes, &wanted, &mut diagnostics)
            }
            MatchFlavor::TraditionalCompatible | MatchFlavor::Traditional => ExpressionRoutes::default(),
        };
        let mut compiled = Self {
            flavor: options.flavor,
            expressions,
            entries: Vec::with_capacity(drafts.len()),
            keys: Vec::with_capacity(drafts.len()),
            index: EntryIndex::default(),
            literals: None,
        };
        for draft in drafts {
            compiled.push(draft);
        }
        let patterns = compiled.entries.iter().filter_map(|entry| entry.patterns.as_deref()).flatten();
        compiled.literals = LiteralFilter::new(patterns);
        let Self { index, entries, .. } = &mut compiled;
        index.finish(&|entry| entries.get(entry as usize)?.conditions.as_deref());
        (compiled, diagnostics)
    }

    /// The route that gets a request, if any does: of all that match, the one of the highest rank.
    ///
    /// The work does not grow with the number of routes, but for those that are expressions, and for those that
    /// share one host and one path and that neither a method nor the value of a header tells apart. Of regular
    /// expressions that share one, those are run whose own texts the path holds. Nothing is allocated, but for these
    /// texts where there are many expressions, and by an expression that is used for the first time in a thread.
    #[must_use]
    pub fn find(&self, request: &RouterRequest<'_>) -> Option<RouteMatch<'_>> {
        let mut found = None;
        self.expressions.search(request, &mut |written, caught| {
            found = Some(RouteMatch::by_expression(written.route, caught));
            true
        });
        if found.is_some() {
            return found;
        }
        self.search(request, &mut |_, route, PathMatch { prefix, regex }| {
            found =
                Some(RouteMatch { route, prefix, by: regex.map_or(MatchKind::Literal, MatchKind::Regex) });
            true
        });
        found
    }

    /// All routes that match a request, by falling rank; [`find`](Self::find) returns the first.
    #[must_use]
    pub fn candidates(&self, request: &RouterRequest<'_>) -> Vec<MatchCandidate<'_>> {
        let mut found = Vec::new();
        self.search(request, &mut |number, route, PathMatch { prefix, .. }| {
            if let Some(key) = self.keys.get(number as usize) {
                found.push((number, MatchCandidate { route, prefix, key }));
            }
            false
        });
        found.sort_by_key(|(number, _)| *number);
        let mut candidates = Vec::with_capacity(found.len());
        self.expressions.search(request, &mut |written, caught| {
            let RouteMatch { route, prefix, .. } = RouteMatch::by_expression(written.route, caught);
            candidates.push(MatchCandidate { route, prefix, key: &written.key });
            false
        });
        candidates.extend(found.into_iter().map(|(_, candidate)| candidate));
        let mut seen = HashSet::new();
        candidates.retain(|candidate| seen.insert(candidate.route));
        candidates
    }

    fn search<'a>(
        &'a self,
        request: &RouterRequest<'_>,
        take: &mut dyn FnMut(u32, RouteIndex, PathMatch<'a>) -> bool,
    ) {
        let host = request.host.and_then(HostName::parse);
        let named_port = host.as_ref().and_then(|host| host.port);
        let default_port = match (self.flavor, request.scheme) {
            (MatchFlavor::TraditionalCompatible | MatchFlavor::Expressions, _) => request.destination.port(),
            (MatchFlavor::Traditional, scheme) => scheme.default_port(),
        };
        let name = host.as_ref().map(HostName::name);
        let mut literals = FoundLiterals::new(self.literals.as_ref(), request.path);
        self.index.search(name, request, &mut |posting, literal| {
            if !posting.port.accepts(named_port, default_port) {
                return false;
            }
            if let Some(plain) = posting.plain {
                let found = plain.matches(request, literal);
                return found.is_some_and(|found| take(posting.entry, plain.route(), found));
            }
            let Some(entry) = self.entries.get(posting.entry as usize) else { return false };
            entry
                .matches(request, literal, &mut literals)
                .is_some_and(|found| take(posting.entry, entry.route, found))
        });
    }

    fn push(&mut self, draft: EntryDraft) {
        let entry = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let plain = draft.entry.plain();
        for literal in &draft.literals {
            if draft.hosts.is_empty() {
                self.index.insert(None, literal, Candidate { entry, port: PortRule::Any, plain });
            }
            for host in draft.hosts.iter() {
                self.index.insert(
                    Some(host),
                    literal,
                    Candidate { entry, port: self.port_rule(host), plain },
                );
            }
        }
        self.entries.push(draft.entry);
        self.keys.push(draft.key);
    }

    /// In the flavor `traditional`, a client must name the port of a host without wildcard, even the default.
    fn port_rule(&self, host: &HostPattern) -> PortRule {
        match (host.port, self.flavor) {
            (None, _) => PortRule::Any,
            (Some(port), MatchFlavor::Traditional) if !host.name.is_wildcard() => PortRule::Named(port),
            (Some(port), _) => PortRule::NamedOrDefault(port),
        }
    }
}
