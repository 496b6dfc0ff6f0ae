//! Routes that are written as expressions, in the language of Kong's router engine and evaluated by it.
//!
//! They stand in a list of their own and are asked before all others, one after the other: what an expression
//! asks cannot be looked up. Where there are none, they cost nothing.

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

/// All routes that are expressions.
#[derive(Debug, Default)]
pub(super) struct ExpressionRoutes {
    /// By falling rank.
    routes: Vec<ExpressionRoute>,
    /// Everything that one of them asks for.
    facts: Vec<RequestField>,
}

/// One route.
#[derive(Debug)]
pub(super) struct ExpressionRoute {
    pub(super) route: RouteIndex,
    pub(super) key: PriorityKey,
    /// The only scheme it is for, if it is.
    scheme: Option<Scheme>,
    expression: Expression,
    /// The numbers and names of groups in its regular expressions.
    names: Vec<(usize, String)>,
}

/// What an expression found in a request.
#[derive(Clone, Debug)]
pub(super) struct Captures<'a> {
    /// The text that it compared the path with, or found there.
    pub(super) path: Option<String>,
    /// The groups of its regular expressions, from number 1.
    pub(super) groups: Vec<(Option<&'a str>, Option<String>)>,
}

impl ExpressionRoutes {
    /// Compiles the expressions of routes that `wanted` wants; one that is wrong is left out.
    pub(super) fn compile(
        routes: &[&Route],
        wanted: &dyn Fn(&Route) -> bool,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut compiled = Self::default();
        let mut asked = BTreeSet::new();
        for (number, route) in routes.iter().enumerate().filter(|(_, route)| wanted(route)) {
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
                    expression.add_names(&mut asked);
                    compiled.routes.push(ExpressionRoute::new(RouteIndex(number), route, expression));
                }
                Err(complaint) => {
                    let diagnostic =
                        Diagnostic::error(at, format!("invalid expression: {}", complaint.message));
                    diagnostics.push(diagnostic.help(complaint.help));
                }
            }
        }
        compiled.routes.sort_by(|a, b| b.key.cmp(&a.key));
        compiled.facts = asked.iter().map(|name| RequestField::new(name)).collect();
        compiled
    }

    /// Calls `take` with the routes that match, by falling rank, until it says yes.
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
        for fact in &self.facts {
            fact.tell(request, host.as_ref(), &mut context);
        }
        for route in &self.routes {
            if let Some(caught) = route.matches(request.scheme, &mut context)
                && take(route, caught)
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

/// A route for TLS alone takes plain requests too, to send them to https; else its protocols count.
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

/// Why an expression cannot be used.
struct ExpressionError {
    message: String,
    help: String,
}

/// The engine walks an expression by recursion; more parentheses within one another than this are refused.
const DEEPEST: usize = 100;

/// The same for `&&` and `||`, each of which is one step deeper than the one before.
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
        // The position is in the first line: " --> 1:11".
        let place = error.to_string();
        let place = place.lines().next().unwrap_or_default().trim_start_matches([' ', '-', '>']);
        let (line, column) = place.split_once(':').unwrap_or(("1", place));
        // What a regular expression complains of stands in its last line.
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
        let help = format!("known are: {}", request_fields::known());
        return Err(ExpressionError { message: format!("unknown field '{unknown}'"), help });
    }
    expression.validate(&SCHEMA).map_err(|message| {
        let help = "texts compare with ==, !=, ~, ^=, =^ and contains, numbers with ==, !=, <, <=, > and >=, \
                    addresses with ==, != and, for a network, in and not in";
        ExpressionError { message, help: help.to_owned() }
    })?;
    Ok(expression)
}

/// How deep parentheses stand within one another, those in texts counted too.
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

/// Walks over an expression; the depth is bounded where it is parsed.
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
    fn what_is_wrong_is_said_at_the_expression() {
        #[track_caller]
        fn check(expression: &str, expected: &str) {
            let (_, diagnostics) = compiled(expression);
            let said: Vec<_> = diagnostics
                .iter()
                .map(|diagnostic| format!("{}: {}", diagnostic.path, diagnostic.message))
                .collect();
            assert_eq!(said, [format!("routes.e.expression: {expected}")], "{expression}");
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
    fn the_deepest_and_the_longest_that_are_read_are_evaluated() {
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
