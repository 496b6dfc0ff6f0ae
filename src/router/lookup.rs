//! The router: compiled once per configuration, then searched for each request.

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

/// The compiled routes of a configuration.
#[derive(Debug)]
pub struct Router {
    flavor: MatchFlavor,
    /// Tested before all others; empty except in the flavor `expressions`.
    expressions: ExpressionRoutes,
    /// Entries in falling rank; their positions are the numbers in the index.
    entries: Vec<RouteEntry>,
    /// The ranks of the entries.
    keys: Vec<PriorityKey>,
    index: EntryIndex,
    /// Prefilter of regular expressions; `None` if there are few.
    literals: Option<LiteralFilter>,
}

impl Router {
    /// Compiles the routes for HTTP that `enabled` accepts. The caller excludes routes of disabled Services; routes without
    /// a Service are included.
    ///
    /// Invalid expressions, regular expressions and header names are left out of the router and returned as diagnostics.
    pub fn new(
        routes: &[impl Borrow<Route>],
        enabled: &dyn Fn(&Route) -> bool,
        options: RouterOptions,
    ) -> (Self, Vec<Diagnostic>) {
        let routes = &*routes.iter().map(Borrow::borrow).collect::<Vec<&Route>>();
        let mut diagnostics = Vec::new();
        let mut drafts = entry::compile(routes, enabled, options, &mut diagnostics);
        // The sort is stable: of equal keys, the first in the file takes precedence.
        drafts.sort_by(|a, b| b.key.cmp(&a.key));
        let expressions = match options.flavor {
            MatchFlavor::Expressions => {
                let is_compiled = |route: &Route| entry::is_http(route) && enabled(route);
                ExpressionRoutes::compile(routes, &is_compiled, &mut diagnostics)
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

    /// The matching route of the highest rank, if any matches.
    ///
    /// The cost does not depend on the number of routes, with two exceptions: routes that are expressions, and routes that
    /// share one host and one path and differ neither in a method nor in the value of a header. Of regular expressions with
    /// the same literal prefix only those are evaluated whose literal is in the path. There are no allocations, except for
    /// the set of these literals if there are many expressions, and for the first use of a regular expression in a thread.
    #[must_use]
    pub fn find(&self, request: &RouterRequest<'_>) -> Option<RouteMatch<'_>> {
        let mut found = None;
        self.expressions.search(request, &mut |expression_route, captures| {
            found = Some(RouteMatch::by_expression(expression_route.route, captures));
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

    /// All routes that match a request, in falling rank; [`find`](Self::find) returns the first.
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
        self.expressions.search(request, &mut |expression_route, captures| {
            let RouteMatch { route, prefix, .. } =
                RouteMatch::by_expression(expression_route.route, captures);
            candidates.push(MatchCandidate { route, prefix, key: &expression_route.key });
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
        self.index.search(name, request, &mut |candidate, literal| {
            if !candidate.port.accepts(named_port, default_port) {
                return false;
            }
            if let Some(inline) = candidate.inline {
                let found = inline.matches(request, literal);
                return found.is_some_and(|found| take(candidate.entry, inline.route(), found));
            }
            let Some(entry) = self.entries.get(candidate.entry as usize) else { return false };
            entry
                .matches(request, literal, &mut literals)
                .is_some_and(|found| take(candidate.entry, entry.route, found))
        });
    }

    fn push(&mut self, draft: EntryDraft) {
        let entry = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let inline = draft.entry.inline();
        for literal in &draft.literals {
            if draft.hosts.is_empty() {
                self.index.insert(None, literal, Candidate { entry, port: PortRule::Any, inline });
            }
            for host in draft.hosts.iter() {
                self.index.insert(
                    Some(host),
                    literal,
                    Candidate { entry, port: self.port_rule(host), inline },
                );
            }
        }
        self.entries.push(draft.entry);
        self.keys.push(draft.key);
    }

    /// The condition on the port. In the flavor `traditional`, the Host header must have the port of a host without wildcard,
    /// even if it is the default.
    fn port_rule(&self, host: &HostPattern) -> PortRule {
        match (host.port, self.flavor) {
            (None, _) => PortRule::Any,
            (Some(port), MatchFlavor::Traditional) if !host.name.is_wildcard() => PortRule::Named(port),
            (Some(port), _) => PortRule::NamedOrDefault(port),
        }
    }
}
