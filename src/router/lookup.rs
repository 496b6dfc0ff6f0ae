//! The Router itself: compiled once, then asked for each request.

use std::collections::HashSet;

use regex::bytes::Regex;

use super::entry::{self, Draft, Entry, PathMatch};
use super::hosts::{HostName, HostPattern};
use super::index::{Index, PortRule, Posting};
use super::options::{Flavor, Options};
use super::priority::Key;
use super::{Request, Scheme};
use crate::diag::Diagnostic;
use crate::entity::{Route, RouteIndex};

/// All routes of a configuration, compiled.
#[derive(Debug)]
pub struct Router {
    flavor: Flavor,
    /// By falling rank; their places are the numbers in the index.
    entries: Vec<Entry>,
    index: Index,
}

/// The route of a request.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// Which one.
    pub route: RouteIndex,
    /// How many bytes of the path its `paths` matched; nothing if it has none.
    pub prefix: Option<usize>,
    regex: Option<&'a Regex>,
}

/// A group of the regular expression that matched a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture<'a, 'path> {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// What it matched; nothing if it took no part.
    pub value: Option<&'path [u8]>,
}

/// A route that matches a request, and why it stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Which one.
    pub route: RouteIndex,
    /// How many bytes of the path its `paths` matched; nothing if it has none.
    pub prefix: Option<usize>,
    /// Its rank.
    pub key: &'a Key,
}

impl Router {
    /// Compiles the routes that are for HTTP and that `enabled` wants. A Route whose Service is disabled takes
    /// no part; one without a Service does.
    ///
    /// What is wrong is returned beside the router, which does without just that: an invalid regular expression
    /// or header name.
    pub fn new(
        routes: &[Route],
        enabled: &dyn Fn(&Route) -> bool,
        options: Options,
    ) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut drafts = entry::compile(routes, enabled, options, &mut diagnostics);
        // Stable: of equal keys, the first in the file wins.
        drafts.sort_by(|a, b| b.entry.key.cmp(&a.entry.key));
        let mut compiled = Self {
            flavor: options.flavor,
            entries: Vec::with_capacity(drafts.len()),
            index: Index::default(),
        };
        for draft in drafts {
            compiled.push(draft);
        }
        (compiled, diagnostics)
    }

    /// The route that gets a request, if any does: of all that match, the one of the highest rank.
    ///
    /// The time does not grow with the number of routes, but for those that share one host and one path and
    /// differ in nothing but methods, headers or SNIs. Nothing is allocated, but by a regular expression that
    /// is used for the first time in a thread.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<Match<'_>> {
        let mut found = None;
        self.search(request, &mut |_, entry, PathMatch { prefix, regex }| {
            found = Some(Match { route: entry.route, prefix, regex });
            true
        });
        found
    }

    /// All routes that match a request, by falling rank; [`find`](Self::find) returns the first.
    #[must_use]
    pub fn candidates(&self, request: &Request<'_>) -> Vec<Candidate<'_>> {
        let mut found = Vec::new();
        self.search(request, &mut |number, entry, PathMatch { prefix, .. }| {
            found.push((number, Candidate { route: entry.route, prefix, key: &entry.key }));
            false
        });
        found.sort_by_key(|(number, _)| *number);
        let mut seen = HashSet::new();
        let mut candidates: Vec<_> = found.into_iter().map(|(_, candidate)| candidate).collect();
        candidates.retain(|candidate| seen.insert(candidate.route));
        candidates
    }

    fn search<'a>(
        &'a self,
        request: &Request<'_>,
        take: &mut dyn FnMut(u32, &'a Entry, PathMatch<'a>) -> bool,
    ) {
        let host = request.host.and_then(HostName::parse);
        let named_port = host.as_ref().and_then(|host| host.port);
        let default_port = match (self.flavor, request.scheme) {
            (Flavor::TraditionalCompatible, _) => request.destination.port(),
            (Flavor::Traditional, Scheme::Http) => 80,
            (Flavor::Traditional, Scheme::Https) => 443,
        };
        let name = host.as_ref().map(HostName::name);
        self.index.search(name, request.path, &mut |posting, literal| {
            let Some(entry) = self.entries.get(posting.entry as usize) else { return false };
            posting.port.accepts(named_port, default_port)
                && entry.matches(request, literal).is_some_and(|found| take(posting.entry, entry, found))
        });
    }

    fn push(&mut self, draft: Draft) {
        let entry = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        for literal in &draft.literals {
            if draft.hosts.is_empty() {
                self.index.insert(None, literal, Posting { entry, port: PortRule::Any });
            }
            for host in draft.hosts.iter() {
                self.index.insert(Some(host), literal, Posting { entry, port: self.port_rule(host) });
            }
        }
        self.entries.push(draft.entry);
    }

    /// In the flavor `traditional`, a client must name the port of a host without wildcard, even the default.
    fn port_rule(&self, host: &HostPattern) -> PortRule {
        match (host.port, self.flavor) {
            (None, _) => PortRule::Any,
            (Some(port), Flavor::Traditional) if !host.name.is_wildcard() => PortRule::Named(port),
            (Some(port), _) => PortRule::NamedOrDefault(port),
        }
    }
}

impl<'a> Match<'a> {
    /// The groups of the regular expression that matched `path`, the path of the request; empty if a prefix did.
    #[must_use]
    pub fn captures<'path>(&self, path: &'path [u8]) -> Vec<Capture<'a, 'path>> {
        let Some(regex) = self.regex else { return Vec::new() };
        let Some(groups) = regex.captures(path) else { return Vec::new() };
        let groups = groups.iter().map(|group| group.map(|group| group.as_bytes()));
        let numbered = regex.capture_names().zip(groups).enumerate().skip(1);
        numbered.map(|(number, (name, value))| Capture { number, name, value }).collect()
    }
}
