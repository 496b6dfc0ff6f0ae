//! Conditions of a route other than hosts and paths.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName};

use super::RouterRequest;
use super::hosts::NamePattern;
use super::options::{MatchFlavor, PriorityCalculation, RouterOptions};
use super::path_regex::BytesRegex;
use crate::diag::Diagnostic;
use crate::entity::{Route, StreamEndpoint};
use crate::uri::Scheme;

/// Conditions that must all hold; an empty list always holds.
#[derive(Debug)]
pub(super) struct Conditions {
    methods: MethodSet,
    server_names: Box<[NamePattern]>,
    /// Whether the server names must also match over plain http, where they never do.
    wants_tls: bool,
    headers: Box<[HeaderRule]>,
    sources: Box<[StreamEndpoint]>,
    destinations: Box<[StreamEndpoint]>,
}

impl Conditions {
    /// Compiles the conditions; `None` if no request can satisfy those that remain after errors.
    pub(super) fn compile(
        route: &Route,
        options: RouterOptions,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut headers = Vec::with_capacity(route.headers.len());
        for (name, values) in &route.headers {
            headers.push(HeaderRule::compile(route, name, values, options, diagnostics)?);
        }
        Some(Self {
            methods: MethodSet::new(&route.methods),
            server_names: route.snis.iter().map(|sni| server_name(sni)).collect(),
            wants_tls: options.flavor != MatchFlavor::Traditional
                && options.calculation == PriorityCalculation::Strict
                && !route.protocols.iter().any(|protocol| matches!(protocol.as_str(), "http" | "grpc")),
            headers: headers.into(),
            sources: route.sources.clone().into(),
            destinations: route.destinations.clone().into(),
        })
    }

    /// Whether there are no conditions.
    pub(super) fn are_none(&self) -> bool {
        self.methods.are_all()
            && self.server_names.is_empty()
            && self.headers.is_empty()
            && self.sources.is_empty()
            && self.destinations.is_empty()
    }

    /// The methods, if these are the only condition and all of them are common.
    pub(super) fn only_methods(&self) -> Option<CommonMethods> {
        let only = self.methods.others.is_empty()
            && self.server_names.is_empty()
            && self.headers.is_empty()
            && self.sources.is_empty()
            && self.destinations.is_empty();
        only.then_some(self.methods.common)
    }

    /// The sets of values, for each condition that a table lookup can decide.
    pub(super) fn choices(&self) -> Vec<ValueSet<'_>> {
        let methods = ValueSet {
            header: None,
            values: self.methods.names().map(|method| method.as_bytes().to_vec()).collect(),
        };
        let headers = self.headers.iter().filter_map(HeaderRule::choice);
        headers.chain((!self.methods.are_all()).then_some(methods)).collect()
    }

    pub(super) fn names_servers(&self) -> bool {
        !self.server_names.is_empty()
    }

    pub(super) fn hold(&self, request: &RouterRequest<'_>) -> bool {
        self.methods.hold(request.method)
            && self.server_name_holds(request)
            && self.headers.iter().all(|rule| rule.holds(request.headers))
            && any_contains(&self.sources, request.source)
            && any_contains(&self.destinations, request.destination)
    }

    /// Whether every request that satisfies `other` (`None`: every request) certainly satisfies these conditions.
    pub(super) fn follow_from(&self, other: Option<&Self>) -> bool {
        let Some(other) = other else { return self.are_none() };
        let methods = self.methods.are_all()
            || (!other.methods.are_all() && other.methods.names().all(|method| self.methods.hold(method)));
        let known = |name: &NamePattern| self.server_names.iter().any(|mine| mine.contains(name));
        let server_names = self.server_names.is_empty()
            || (!other.server_names.is_empty()
                && (!self.wants_tls || other.wants_tls)
                && other.server_names.iter().all(known));
        let endpoints = |mine: &[StreamEndpoint], other: &[StreamEndpoint]| {
            mine.is_empty() || (!other.is_empty() && other.iter().all(|condition| mine.contains(condition)))
        };
        methods
            && server_names
            && self.headers.iter().all(|mine| other.headers.iter().any(|header| mine.follows_from(header)))
            && endpoints(&self.sources, &other.sources)
            && endpoints(&self.destinations, &other.destinations)
    }

    /// Whether one request may satisfy both.
    pub(super) fn overlap(&self, other: &Self) -> bool {
        let server_names = !self.names_servers()
            || !other.names_servers()
            || self.server_names.iter().any(|a| other.server_names.iter().any(|b| a.overlaps(b)));
        self.methods.overlap(&other.methods)
            && server_names
            && self.headers.iter().all(|a| other.headers.iter().all(|b| a.name != b.name || a.overlaps(b)))
    }

    fn server_name_holds(&self, request: &RouterRequest<'_>) -> bool {
        if self.server_names.is_empty() || (request.scheme == Scheme::Http && !self.wants_tls) {
            return true;
        }
        let Some(name) = request.sni else { return false };
        self.server_names.iter().any(|pattern| pattern.matches(name.as_bytes()))
    }
}

/// Values of which a request must have one.
#[derive(Debug)]
pub(super) struct ValueSet<'a> {
    /// The header, with values in lower case; `None` for the method.
    pub(super) header: Option<&'a HeaderName>,
    pub(super) values: Vec<Vec<u8>>,
}

/// A set of methods; the empty set means all.
#[derive(Debug)]
struct MethodSet {
    common: CommonMethods,
    others: Box<[String]>,
}

/// The methods of [`COMMON`] whose bits are set; they need no allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CommonMethods(u16);

const COMMON: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];

impl CommonMethods {
    /// The set of one method; empty if the method is not common.
    fn of(method: &str) -> Self {
        Self(COMMON.iter().position(|common| *common == method).map_or(0, |place| 1 << place))
    }

    /// Whether the set means all methods, as the empty one does.
    pub(super) fn are_all(self) -> bool {
        self == Self::default()
    }

    pub(super) fn contain(self, method: &str) -> bool {
        self.overlap(Self::of(method))
    }

    const fn overlap(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl MethodSet {
    fn new(methods: &[String]) -> Self {
        let is_common = |method: &&String| CommonMethods::of(method) != CommonMethods::default();
        Self {
            common: CommonMethods(methods.iter().fold(0, |set, method| set | CommonMethods::of(method).0)),
            others: methods.iter().filter(|method| !is_common(method)).cloned().collect(),
        }
    }

    fn are_all(&self) -> bool {
        self.common.are_all() && self.others.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let common = COMMON.into_iter().filter(|method| self.common.contain(method));
        common.chain(self.others.iter().map(String::as_str))
    }

    fn hold(&self, method: &str) -> bool {
        self.are_all() || self.common.contain(method) || self.others.iter().any(|name| name == method)
    }

    fn overlap(&self, other: &Self) -> bool {
        self.are_all()
            || other.are_all()
            || self.common.overlap(other.common)
            || self.others.iter().any(|method| other.others.contains(method))
    }
}

/// The pattern of a server name, without the root dot of a fully qualified name, which clients never send.
fn server_name(sni: &str) -> NamePattern {
    let name = sni.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(sni);
    NamePattern::parse(name.as_bytes())
}

/// Condition on a header: one of its lines must have one of the values.
#[derive(Debug)]
struct HeaderRule {
    name: HeaderName,
    values: Box<[HeaderPattern]>,
}

#[derive(Debug)]
enum HeaderPattern {
    Text(Box<[u8]>),
    Expression(BytesRegex),
}

impl HeaderRule {
    fn compile(
        route: &Route,
        name: &str,
        values: &[String],
        options: RouterOptions,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let at = || route.at.key("headers").key(name);
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            diagnostics.push(Diagnostic::error(at(), format!("invalid header name '{name}'")).key());
            return None;
        };
        // The flavor `traditional` treats a value as an expression only if it is the single value.
        let expressions = options.flavor != MatchFlavor::Traditional || values.len() == 1;
        let mut patterns = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            match value.strip_prefix("~*").filter(|_| expressions) {
                None => patterns.push(HeaderPattern::Text(value.as_bytes().into())),
                Some(expression) => match BytesRegex::anywhere(expression, options.compilation) {
                    Ok(pattern) => patterns.push(HeaderPattern::Expression(pattern)),
                    Err(error) => {
                        diagnostics.push(super::invalid_regex(route, at().index(index), value, &error));
                    }
                },
            }
        }
        (!patterns.is_empty()).then(|| Self { name: header, values: patterns.into() })
    }

    /// The values in lower case, if none is an expression.
    fn choice(&self) -> Option<ValueSet<'_>> {
        let text = |value: &HeaderPattern| match value {
            HeaderPattern::Text(text) => Some(text.to_ascii_lowercase()),
            HeaderPattern::Expression(_) => None,
        };
        let values = self.values.iter().map(text).collect::<Option<Vec<_>>>()?;
        Some(ValueSet { header: Some(&self.name), values })
    }

    fn holds(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().any(|line| {
            self.values.iter().any(|value| match value {
                HeaderPattern::Text(text) => line.as_bytes().eq_ignore_ascii_case(text),
                HeaderPattern::Expression(pattern) => pattern.is_match(line.as_bytes()),
            })
        })
    }

    /// Whether a line that satisfies `other` certainly satisfies this condition.
    fn follows_from(&self, other: &Self) -> bool {
        let same = |mine: &HeaderPattern, other: &HeaderPattern| match (mine, other) {
            (HeaderPattern::Text(mine), HeaderPattern::Text(other)) => mine.eq_ignore_ascii_case(other),
            (HeaderPattern::Expression(mine), HeaderPattern::Expression(other)) => mine.is_same(other),
            _ => false,
        };
        self.name == other.name
            && other.values.iter().all(|value| self.values.iter().any(|mine| same(mine, value)))
    }

    /// Whether one line can satisfy both; requests with two lines of one name are not considered.
    fn overlaps(&self, other: &Self) -> bool {
        use HeaderPattern::{Expression, Text};
        self.values.iter().any(|a| {
            other.values.iter().any(|b| match (a, b) {
                (Text(a), Text(b)) => a.eq_ignore_ascii_case(b),
                (Text(text), Expression(pattern)) | (Expression(pattern), Text(text)) => {
                    pattern.is_match(text)
                }
                (Expression(_), Expression(_)) => true,
            })
        })
    }
}

fn any_contains(endpoints: &[StreamEndpoint], address: SocketAddr) -> bool {
    endpoints.is_empty()
        || endpoints.iter().any(|endpoint| {
            endpoint.port.is_none_or(|port| port == address.port())
                && endpoint.ip.is_none_or(|network| network.contains(address.ip()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ip_network::IpNetwork;

    #[test]
    fn an_endpoint_needs_its_address_and_its_port() {
        let endpoints = [
            StreamEndpoint { ip: IpNetwork::parse("10.0.0.0/8"), port: Some(80) },
            StreamEndpoint { ip: None, port: Some(90) },
        ];
        for (address, expected) in [("10.1.1.1:80", true), ("10.1.1.1:81", false), ("192.0.2.1:90", true)] {
            assert_eq!(any_contains(&endpoints, address.parse().unwrap()), expected, "{address}");
        }
        assert!(any_contains(&[], "192.0.2.1:1".parse().unwrap()));
    }
}
