//! WHICH: picks a Route, as Kong 3.x does, in time that does not grow with the number of routes.
//!
//! Kong's answer is, by definition, the route of the highest rank among all that match. Kong walks all routes by
//! rank; here an index offers those few whose host and path may match, and the same rank decides. There is no
//! cache that clients could fill or that a reload would have to empty: a lookup costs less than the key of one.
//!
//! | file | what it is about |
//! |---|---|
//! | `options` | which of Kong's routers, and how it ranks |
//! | `priority` | ranks |
//! | `hosts`, `pattern`, `conditions` | what a route asks of a request |
//! | `entry` | a route, split into parts of one rank |
//! | `expressions`, `request_fields` | routes that are expressions, and what these know of a request |
//! | `index`, `candidates`, `text_table`, `small_tables` | from host and path to entries |
//! | `lookup`, `route_match` | the [`Router`], and what it finds |
//! | `rule` | why one rank is higher, in words |
//! | `conflicts` | pairs of routes that the two calculations rank differently |
//! | `shadows` | routes that never match, since others match all that they do |
//! | `path` | the path for the upstream |
//!
//! It is better than Kong's on purpose in these points:
//! - hosts and SNIs compare without case (RFC 4343), and a port behind an address in brackets is understood;
//! - paths are bytes, so that one which is no UTF-8 once decoded still finds its route;
//! - a regular expression for a header is read as it stands and ignores case; Kong's default router changes it to
//!   lower case, so that `\D` means `\d`;
//! - in the flavor `traditional`, nothing but a route's own criteria changes its rank, and the wildcard in
//!   `name.*` stands only at the end.

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
mod pattern;
mod priority;
#[cfg(test)]
mod properties;
mod request_fields;
mod route_match;
mod rule;
#[cfg(test)]
mod rules;
mod shadows;
mod small_tables;
mod text_table;
#[cfg(test)]
mod ties;

pub use conflicts::conflicts;
pub use lookup::Router;
pub use options::{MatchFlavor, PriorityCalculation, RegexCompilation, RouterOptions};
pub use path::join;
pub use pattern::beginning;
pub use priority::PriorityKey;
pub use route_match::{Capture, MatchCandidate, RouteMatch};
pub use shadows::shadowed;

use std::net::SocketAddr;

use http::HeaderMap;

use crate::diag::Diagnostic;
use crate::document::NodePath;
use crate::uri::Scheme;

/// What the router looks at.
#[derive(Clone, Copy, Debug)]
pub struct RouterRequest<'a> {
    /// The method, as the client wrote it.
    pub method: &'a str,
    /// The Host header or the authority, with its port if it has one.
    pub host: Option<&'a [u8]>,
    /// The path without the query, [normalized](crate::uri::normalize_path).
    pub path: &'a [u8],
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// Whether the client uses TLS; of gRPC, too.
    pub scheme: Scheme,
    /// The server name that the client asked for in its TLS handshake.
    pub sni: Option<&'a str>,
    /// The client.
    pub source: SocketAddr,
    /// The listener.
    pub destination: SocketAddr,
}

/// A complaint about a regular expression of a route.
fn invalid_regex(route: &crate::entity::Route, at: NodePath, value: &str, error: &str) -> Diagnostic {
    let mut complaint = Diagnostic::error(at, format!("invalid regex '{value}': {error}"));
    if let Some(told) = told(route, value) {
        // Kong compiles a route to one expression, and complains of that.
        complaint = complaint.with_kong_message(route.at.key("@entity").index(0), told);
    }
    if error.contains("look-around") || error.contains("backreferences") {
        return complaint.help("write it without look-around and back-references, or as several paths");
    }
    complaint
}

/// What Kong's router says of a route whose path or header is an expression that cannot be compiled.
fn told(route: &crate::entity::Route, value: &str) -> Option<String> {
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
    let place = format!(" --> 1:{}\n  |\n1 | {line}\n  | {mark}\n  |\n", column + 1);
    Some(format!("Router Expression failed validation: {place}  = {error}"))
}
