//! Choice of the Route for a request, as Kong 3.x does, in time that does not depend on the number of routes.
//!
//! The result is the matching route of the highest rank. Kong tests all routes in the order of their ranks and caches
//! results; here an index returns the few candidates whose host and path may match, and the same rank decides. There is
//! no cache that clients could fill or that a reload would have to clear: a lookup costs less than the key of a cache
//! entry.
//!
//! | file | contents |
//! |---|---|
//! | `options` | flavor of Kong's router, calculation of ranks |
//! | `priority` | ranks |
//! | `hosts`, `pattern`, `conditions` | criteria of a route |
//! | `entry` | parts of a route, each with one rank |
//! | `expressions`, `request_fields` | routes that are expressions, and the fields of a request for them |
//! | `index`, `candidates`, `text_table`, `small_tables` | from host and path to entries |
//! | `lookup`, `route_match` | the [`Router`] and its result |
//! | `rule` | reason why one rank is higher, as text |
//! | `conflicts` | lint: pairs of routes that the two calculations rank differently |
//! | `shadows` | lint: routes that never match, since others always take precedence |
//! | `path` | the path for the upstream |
//!
//! Intended differences from Kong:
//! - hosts and SNIs are compared without case (RFC 4343), and a port after an address in brackets is parsed;
//! - paths are bytes, so that a path that is not UTF-8 after decoding still finds its route;
//! - a regular expression for a header is used unchanged and ignores case; Kong's default router converts it to
//!   lower case, so that `\D` means `\d`;
//! - in the flavor `traditional`, only a route's own criteria determine its rank, and the wildcard in `name.*` is allowed
//!   only at the end.

mod candidates;
mod conditions;
mod conflicts;
mod entry;
mod expressions;
#[cfg(test)]
mod fixture;
mod hosts;
mod index;
mod literals;
mod lookup;
mod options;
mod path;
mod path_regex;
mod priority;
#[cfg(test)]
mod properties;
mod ranking_rule;
#[cfg(test)]
mod recorded_cases;
mod request_fields;
mod route_match;
mod shadows;
mod small_tables;
mod text_table;
#[cfg(test)]
mod tie_tests;

pub use conflicts::conflicts;
pub use lookup::Router;
pub use options::{MatchFlavor, PriorityCalculation, RegexCompilation, RouterOptions};
pub use path::join;
pub use path_regex::path_prefix;
pub use priority::PriorityKey;
pub use route_match::{Capture, MatchCandidate, RouteMatch};
pub use shadows::shadowed;

use std::net::SocketAddr;

use http::HeaderMap;

use crate::diag::Diagnostic;
use crate::document::NodePath;
use crate::uri::Scheme;

/// The parts of a request that the router reads.
#[derive(Clone, Copy, Debug)]
pub struct RouterRequest<'a> {
    /// The method, as sent by the client.
    pub method: &'a str,
    /// The Host header or the authority, with the port if there is one.
    pub host: Option<&'a [u8]>,
    /// The path without the query, [normalized](crate::uri::normalize_path).
    pub path: &'a [u8],
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// Whether the client uses TLS, also for gRPC.
    pub scheme: Scheme,
    /// The server name of the TLS handshake.
    pub sni: Option<&'a str>,
    /// The address of the client.
    pub source: SocketAddr,
    /// The address of the listener.
    pub destination: SocketAddr,
}

/// The error about an invalid regular expression of a route.
fn invalid_regex(route: &crate::entity::Route, at: NodePath, value: &str, error: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::error(at, format!("invalid regex '{value}': {error}"));
    if let Some(message) = kong_message(route, value) {
        // Kong compiles a route to one expression and reports the error about that.
        diagnostic = diagnostic.with_kong_message(route.at.key("@entity").index(0), message);
    }
    if error.contains("look-around") || error.contains("backreferences") {
        return diagnostic.help("write it without look-around and back-references, or as several paths");
    }
    diagnostic
}

/// Kong's message for a route with a regular expression that cannot be compiled.
fn kong_message(route: &crate::entity::Route, value: &str) -> Option<String> {
    if let Some(expression) = value.strip_prefix("~*") {
        let error = regex::Regex::new(expression).err()?;
        return Some(format!("Router Expression failed validation: {error}"));
    }
    let expression = value.strip_prefix('~').filter(|expression| expression.starts_with('/'))?;
    let error = regex::Regex::new(&format!("^{expression}")).err()?;
    let methods: Vec<String> =
        route.methods.iter().map(|method| format!("http.method == \"{method}\"")).collect();
    let before = if methods.is_empty() { String::new() } else { format!("({}) && ", methods.join(" || ")) };
    let path = |path: &String| match path.strip_prefix('~') {
        Some(expression) => format!("http.path ~ r#\"^{expression}\"#"),
        None => format!("http.path ^= r#\"{path}\"#"),
    };
    let line = format!("{before}({})", route.paths.iter().map(path).collect::<Vec<_>>().join(" || "));
    let literal = format!("r#\"^{expression}\"#");
    let at = line.find(&literal)?;
    let (column, width) = (line[..at].chars().count(), literal.chars().count());
    let mark = format!("{}^{}^", " ".repeat(column), "-".repeat(width.saturating_sub(2)));
    let position = format!(" --> 1:{}\n  |\n1 | {line}\n  | {mark}\n  |\n", column + 1);
    Some(format!("Router Expression failed validation: {position}  = {error}"))
}
