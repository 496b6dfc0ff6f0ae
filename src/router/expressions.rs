//! Routes that are expressions, in the language of Kong's router engine and evaluated by it.
//!
//! They are tested before all other routes, one after the other, since an expression cannot be indexed. Without such
//! routes there is no cost.

use std::collections::BTreeSet;

use atc_router::ast::{Expression, LogicalExpression, Predicate, Value};
use atc_router::context::{Context, Match as Matched};
use atc_router::interpreter::Execute;
use atc_router::parser;
use atc_router::semantics::Validate;
use regex::Regex;

use super::RouterRequest;
use super::hosts::HostName;
use super::priority::PriorityKey;
use super::request_fields::{self, RequestField, SCHEMA};
use crate::diag::Diagnostic;
use crate::entity::{Route, RouteIndex};
use crate::uri::Scheme;

/// The routes that are expressions.
#[derive(Debug, Default)]
pub(super) struct ExpressionRoutes {
    /// The routes in falling rank.
    routes: Vec<ExpressionRoute>,
    /// The fields that the expressions use.
    fields: Vec<RequestField>,
}

/// A route that is an expression.
#[derive(Debug)]
pub(super) struct ExpressionRoute {
    pub(super) route: RouteIndex,
    pub(super) key: PriorityKey,
    /// The scheme, if the route is for one only.
    scheme: Option<Scheme>,
    expression: Expression,
    /// The numbers and names of the groups in its regular expressions.
    names: Vec<(usize, String)>,
}

/// The parts of a request that an expression matched.
#[derive(Clone, Debug)]
pub(super) struct Captures<'a> {
    /// The text that the path was compared with, or that was found in it.
    pub(super) path: Option<String>,
    /// The groups of the regular expressions, from number 1.
    pub(super) groups: Vec<(Option<&'a str>, Option<String>)>,
}

impl ExpressionRoutes {
    /// Compiles the expressions of routes that `is_enabled` accepts; an invalid one is left out with a diagnostic.
    pub(super) fn compile(
        routes: &[&Route],
        is_enabled: &dyn Fn(&Route) -> bool,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut compiled = Self::default();
        let mut names = BTreeSet::new();
        for (number, route) in routes.iter().enumerate().filter(|(_, route)| is_enabled(route)) {
            let Some(text) = &route.expression else { continue };
            let at = route.at.key("expression");
            let text = if text.contains("net.port") {
                let message = "'net.port' is deprecated; it is read as 'net.dst.port'";
                diagnostics.push(Diagnostic::warning(at.clone(), message));
                &text.replace("net.port", "net.dst.port")
            } else {
                text
            };
            match parse(text) {
                Ok(expression) => {
                    expression.add_names(&mut names);
                    compiled.routes.push(ExpressionRoute::new(RouteIndex(number), route, expression));
                }
                Err(error) => {
                    let diagnostic = Diagnostic::error(at, format!("invalid expression: {}", error.message));
                    diagnostics.push(diagnostic.help(error.help));
                }
            }
        }
        compiled.routes.sort_by(|a, b| b.key.cmp(&a.key));
        compiled.fields = names.iter().map(|name| RequestField::new(name)).collect();
        compiled
    }

    /// Calls `take` with the routes that match, in falling rank, until it returns true.
    pub(super) fn search<'a>(
        &'a self,
        request: &RouterRequest<'_>,
        take: &mut dyn FnMut(&'a ExpressionRoute, Captures<'a>) -> bool,
    ) {
        if self.routes.is_empty() {
            return;
        }
        let host = request.host.and_then(HostName::parse);
        let mut context = Context::new(&SCHEMA);
        for field in &self.fields {
            field.add_to(request, host.as_ref(), &mut context);
        }
        for route in &self.routes {
            if let Some(captures) = route.matches(request.scheme, &mut context)
                && take(route, captures)
            {
                return;
            }
        }
    }
}

impl ExpressionRoute {
    fn new(index: RouteIndex, route: &Route, expression: Expression) -> Self {
        let mut names = Vec::new();
        expression.visit(&mut |predicate| {
            if let Value::Regex(regex) = &predicate.rhs {
                names.extend(groups(regex));
            }
        });
        let key = PriorityKey::expression(route);
        Self { route: index, key, scheme: only_scheme(route), expression, names }
    }

    fn matches(&self, scheme: Scheme, context: &mut Context<'_>) -> Option<Captures<'_>> {
        let mut matched = Matched::new();
        if self.scheme.is_some_and(|only| only != scheme) || !self.expression.execute(context, &mut matched) {
            return None;
        }
        let path = match matched.matches.remove(request_fields::PATH) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let count = matched.captures.keys().filter_map(|name| name.parse::<usize>().ok()).max();
        let group = |number: usize| {
            let value = matched.captures.get(&number.to_string());
            let name =
                self.names.iter().find(|(at, name)| *at == number && matched.captures.get(name) == value);
            (name.map(|(_, name)| &**name), value.cloned())
        };
        Some(Captures { path, groups: (1..=count.unwrap_or(0)).map(group).collect() })
    }
}

fn groups(regex: &Regex) -> impl Iterator<Item = (usize, String)> {
    regex.capture_names().enumerate().filter_map(|(number, name)| Some((number, name?.to_owned())))
}

/// The scheme of a route, if its protocols allow one only. A route for TLS only also matches plain requests, to redirect
/// them to https.
fn only_scheme(route: &Route) -> Option<Scheme> {
    let secure = |protocol: &String| matches!(protocol.as_str(), "https" | "grpcs" | "tls");
    if route.protocols.is_empty() || route.protocols == ["https"] {
        None
    } else if route.protocols.iter().all(secure) {
        Some(Scheme::Https)
    } else if route.protocols.iter().any(secure) {
        None
    } else {
        Some(Scheme::Http)
    }
}

/// The error of an invalid expression.
struct ExpressionError {
    message: String,
    help: String,
}

/// Maximum nesting of parentheses: the engine evaluates expressions by recursion.
const DEEPEST: usize = 100;

/// Maximum number of `&&` and `||`, each of which is one level of recursion.
const MOST_OPERATORS: usize = 1000;

fn parse(text: &str) -> Result<Expression, ExpressionError> {
    if depth(text) > DEEPEST {
        let message = format!("more than {DEEPEST} parentheses within one another");
        return Err(ExpressionError { message, help: "make it flatter".to_owned() });
    }
    if text.matches("&&").count() + text.matches("||").count() > MOST_OPERATORS {
        let message = format!("more than {MOST_OPERATORS} times '&&' or '||'");
        return Err(ExpressionError { message, help: "make several routes of it".to_owned() });
    }
    let expression = parser::parse(text).map_err(|error| {
        // The first line of the error holds the position: " --> 1:11".
        let position = error.to_string();
        let position = position.lines().next().unwrap_or_default().trim_start_matches([' ', '-', '>']);
        let (line, column) = position.split_once(':').unwrap_or(("1", position));
        // The last line of the error of a regular expression holds its cause.
        let message = error.variant.message();
        let reason = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
        ExpressionError {
            message: reason.to_owned(),
            help: format!("see line {line}, column {column} of the expression"),
        }
    })?;
    let mut names = BTreeSet::new();
    expression.add_names(&mut names);
    if let Some(unknown) = names.iter().find(|name| SCHEMA.type_of(name).is_none()) {
        let help = format!("known are: {}", request_fields::field_names());
        return Err(ExpressionError { message: format!("unknown field '{unknown}'"), help });
    }
    expression.validate(&SCHEMA).map_err(|message| {
        let help = "texts compare with ==, !=, ~, ^=, =^ and contains, numbers with ==, !=, <, <=, > and >=, \
                    addresses with ==, != and, for a network, in and not in";
        ExpressionError { message, help: help.to_owned() }
    })?;
    Ok(expression)
}

/// Nesting depth of parentheses, including those in strings.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// Traversal of an expression; the depth is bounded by [`parse`].
trait ExpressionVisitor {
    fn visit(&self, visit: &mut dyn FnMut(&Predicate));
    fn add_names(&self, names: &mut BTreeSet<String>);
}

impl ExpressionVisitor for Expression {
    fn visit(&self, visit: &mut dyn FnMut(&Predicate)) {
        match self {
            Self::Predicate(predicate) => visit(predicate),
            Self::Logical(parts) => match &**parts {
                LogicalExpression::And(a, b) | LogicalExpression::Or(a, b) => {
                    a.visit(visit);
                    b.visit(visit);
                }
                LogicalExpression::Not(inner) => inner.visit(visit),
            },
        }
    }

    fn add_names(&self, names: &mut BTreeSet<String>) {
        self.visit(&mut |predicate| {
            names.insert(predicate.lhs.var_name.clone());
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::router::fixture::{get, route};
    use crate::router::{Capture, MatchFlavor, Router, RouterOptions};

    fn compiled(expression: &str) -> (Router, Vec<Diagnostic>) {
        let routes = [route(&json!({"name": "e", "expression": expression}))];
        Router::new(
            &routes,
            &|_| true,
            RouterOptions { flavor: MatchFlavor::Expressions, ..RouterOptions::default() },
        )
    }

    #[test]
    fn errors_are_reported_at_the_expression() {
        #[track_caller]
        fn check(expression: &str, expected: &str) {
            let (_, diagnostics) = compiled(expression);
            let messages: Vec<_> = diagnostics
                .iter()
                .map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message))
                .collect();
            assert_eq!(messages, [format!("routes.e.expression: {expected}")], "{expression}");
        }
        check("! http.path == \"/\"", "invalid expression: expected term");
        check(
            "http.path == 1",
            "invalid expression: Type mismatch between the LHS and RHS values of predicate",
        );
        check("http.paths == \"/\"", "invalid expression: unknown field 'http.paths'");
        check("http.path ~ \"(\"", "invalid expression: unclosed group");
        check("upper(http.path) == \"/\"", "invalid expression: unknown transformation function: upper");
        check(
            "net.src.ip in 10.0.0.0/40",
            "invalid expression: invalid length for network: Network length 40 is too long for Ipv4 (maximum: 32)",
        );
        check("net.port == 80", "'net.port' is deprecated; it is read as 'net.dst.port'");
        let deep = format!("{}http.path == \"/\"{}", "(".repeat(100_000), ")".repeat(100_000));
        check(&deep, "invalid expression: more than 100 parentheses within one another");
        let long = vec!["net.dst.port == 1"; 100_000].join(" || ");
        check(&long, "invalid expression: more than 1000 times '&&' or '||'");
    }

    #[test]
    fn the_deepest_and_the_longest_accepted_expressions_are_evaluated() {
        let deep = format!("{}http.path == \"/\"{}", "!(".repeat(DEEPEST), ")".repeat(DEEPEST));
        let long = vec!["http.path == \"/\""; MOST_OPERATORS + 1].join(" && ");
        for expression in [deep, long] {
            let (router, diagnostics) = compiled(&expression);
            assert_eq!(diagnostics, []);
            assert!(router.find(&get("/", &http::HeaderMap::new())).is_some());
        }
    }

    #[test]
    fn groups_have_their_numbers_and_names() {
        let (router, _) = compiled("http.path ~ r#\"^/(a)?(?<id>\\d+)(z)?\"#");
        let headers = http::HeaderMap::new();
        let found = router.find(&get("/77z/x", &headers)).unwrap();
        assert_eq!((found.prefix, found.prefix_text(b"/77z/x")), (Some(4), Some(&b"/77z"[..])));
        assert_eq!(
            found.captures(b"/77z/x"),
            [
                Capture { number: 1, name: None, value: None },
                Capture { number: 2, name: Some("id"), value: Some(b"77") },
                Capture { number: 3, name: None, value: Some(b"z") },
            ]
        );
    }

    #[test]
    fn protocols_are_part_of_an_expression_unless_a_redirect_needs_them() {
        #[track_caller]
        fn check(protocols: &[&str], expected: Option<Scheme>) {
            assert_eq!(only_scheme(&route(&json!({"protocols": protocols}))), expected, "{protocols:?}");
        }
        check(&["http", "https"], None);
        check(&["http"], Some(Scheme::Http));
        check(&["https"], None);
        check(&["grpc"], Some(Scheme::Http));
        check(&["grpcs"], Some(Scheme::Https));
        check(&["grpc", "grpcs"], None);
    }

    #[test]
    fn in_other_flavors_an_expression_matches_nothing() {
        let routes = [route(&json!({"expression": "http.path ^= \"/\""}))];
        let (compiled, diagnostics) = Router::new(&routes, &|_| true, RouterOptions::default());
        assert_eq!(diagnostics, []);
        assert!(compiled.find(&get("/", &http::HeaderMap::new())).is_none());
    }
}
