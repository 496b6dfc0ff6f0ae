//! Fences: routes that cannot be served, reduced to those of their criteria that can be read.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    diag::Diagnostic,
    document::{Mapping, NodePath, PathStep, Value},
    entity::{
        CREATED_AT, DOCUMENT, FORMAT_VERSIONS, ID, Route,
        document::{COMMENT, FORMAT_VERSION, IGNORE},
        entity_id,
        route::{
            self, DESTINATIONS, EXPRESSION, HEADERS, HOSTS, METHODS, PATHS, PRIORITY, PROTOCOLS,
            REGEX_PRIORITY, SNIS, SOURCES,
        },
    },
    schema::{self, Field, PluginSchemas},
};

/// The fields on which it depends which requests a route gets.
const CRITERIA: [&Field; 12] = [
    &PROTOCOLS,
    &METHODS,
    &HOSTS,
    &PATHS,
    &HEADERS,
    &SNIS,
    &SOURCES,
    &DESTINATIONS,
    &EXPRESSION,
    &PRIORITY,
    &REGEX_PRIORITY,
    &CREATED_AT,
];

/// How often the criteria are checked again without those that have errors.
const MAX_CHECKS: usize = CRITERIA.len() + 2;

/// A route whose requests are refused.
#[derive(Clone, Debug)]
pub struct RouteFence {
    /// Its criteria. It has no Service.
    pub route: Arc<Route>,
    /// Whether it takes requests before all other routes, since some of its criteria could not be read, so that its rank
    /// and some of the requests that it would not have got are unknown.
    pub is_widened: bool,
    /// The route whose last good version stays in force: its own requests pass.
    pub kept: Option<Uuid>,
    /// Message for clients.
    pub message: String,
}

impl RouteFence {
    /// The fence for a route as it is written at `at`, with these errors. Its rank is that of the route; a route without a name
    /// ranks before others with equal criteria.
    pub(super) fn new(
        written: &Value,
        at: &NodePath,
        errors: &[Diagnostic],
        plugins: &dyn PluginSchemas,
        message: String,
    ) -> Self {
        let mut criteria = Criteria::read(written, at, errors);
        let mut route = criteria.check(plugins, at);
        // Among routes of equal rank, ids decide.
        if let Some(id) = written_id(written) {
            route.id = id;
        }
        Self { route: Arc::new(route), is_widened: criteria.is_widened, kept: None, message }
    }

    /// The same fence without the criteria that only the router checks: regular expressions.
    #[must_use]
    pub fn widened(&self) -> Self {
        let mut route = Route::clone(&self.route);
        (route.paths, route.headers, route.expression) = (vec!["/".to_owned()], Vec::new(), None);
        Self { route: Arc::new(route), is_widened: true, ..self.clone() }
    }

    /// The same fence, but a route with equal criteria ranks higher.
    pub(super) fn below_equals(mut self) -> Self {
        let route = Arc::make_mut(&mut self.route);
        (route.id, route.created_at) = (Uuid::nil(), None);
        self
    }

    /// The same fence around a route whose last good version stays in force; `None` if it would refuse requests about which
    /// its text says nothing that can be read.
    pub(super) fn around(mut self, kept: &Route) -> Option<Self> {
        self.kept = Some(kept.id);
        (!self.is_widened || self.is_narrow()).then_some(self)
    }

    /// Whether a criterion that can be read names a part of all requests.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        let Route { paths, hosts, headers, snis, .. } = &*self.route;
        let has_paths = !paths.is_empty() && paths.iter().all(|path| path != "/");
        has_paths || !hosts.is_empty() || !headers.is_empty() || !snis.is_empty()
    }

    /// Whether a route gets the same requests.
    pub(super) fn equals(&self, route: &Route) -> bool {
        let criteria = |route: &Route| {
            (
                route.protocols.clone(),
                route.methods.clone(),
                route.hosts.clone(),
                route.paths.clone(),
                route.headers.clone(),
                route.snis.clone(),
                (route.sources.clone(), route.destinations.clone()),
                (route.expression.clone(), route.priority, route.regex_priority),
            )
        };
        criteria(&self.route) == criteria(route)
    }
}

/// The criteria of a route, as far as they can be read.
struct Criteria {
    fields: Mapping,
    is_widened: bool,
}

impl Criteria {
    fn read(written: &Value, at: &NodePath, errors: &[Diagnostic]) -> Self {
        let is_at = |path: &NodePath| errors.iter().any(|error| error.path == *path);
        let is_below =
            |path: &NodePath| errors.iter().any(|error| error.path.steps().starts_with(path.steps()));
        let mut criteria = Self { fields: Mapping::default(), is_widened: false };
        for (name, value) in written.entries().filter(|(_, value)| !value.is_null()) {
            if !is_criterion(name) {
                criteria.is_widened |= may_be_criterion(name);
            } else if !is_below(&at.key(name)) {
                criteria.fields.insert(name, value.clone());
            } else {
                criteria.is_widened = true;
                let list = at.key(name);
                if name == PATHS.name && !is_at(&list) {
                    let path = |(n, path): (usize, &Value)| {
                        if is_below(&list.index(n)) { readable_prefix(path) } else { path.clone() }
                    };
                    let paths: Vec<Value> = value.items().iter().enumerate().map(path).collect();
                    criteria.fields.insert(name, paths);
                }
            }
        }
        criteria
    }

    /// The route with these criteria; those that the check refuses are removed.
    fn check(&mut self, plugins: &dyn PluginSchemas, at: &NodePath) -> Route {
        for _ in 0..MAX_CHECKS {
            let route = NodePath::root().key(route::ENTITY.collection).index(0);
            let checked = schema::check(DOCUMENT, &self.document(), plugins);
            let mut errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).peekable();
            if errors.peek().is_none() {
                let record = checked.items.first().map(|item| item.record.clone()).unwrap_or_default();
                return Self::route(record, at);
            }
            for error in errors {
                match error.path.steps().get(route.steps().len()) {
                    Some(PathStep::Key(key)) if self.fields.contains_key(key) => {
                        self.is_widened = true;
                        self.fields.remove(key);
                    }
                    _ => self.match_all_paths(),
                }
            }
        }
        self.fields = Mapping::default();
        self.match_all_paths();
        let checked = schema::check(DOCUMENT, &self.document(), plugins);
        let record = checked.items.first().map(|item| item.record.clone()).unwrap_or_default();
        Self::route(record, at)
    }

    fn match_all_paths(&mut self) {
        self.is_widened = true;
        self.fields.insert(PATHS.name, vec![Value::from("/")]);
    }

    fn document(&self) -> Value {
        let version = FORMAT_VERSIONS.last().copied().unwrap_or_default();
        let mut document = Mapping::default();
        document.insert(FORMAT_VERSION.name, version);
        document.insert(route::ENTITY.collection, vec![Value::from(self.fields.clone())]);
        document.into()
    }

    /// The route of a checked record; among routes of equal rank it is the first, unless its id is known.
    fn route(record: Value, at: &NodePath) -> Route {
        let mut record = record.into_mapping().unwrap_or_default();
        record.insert(ID.name, Uuid::max().hyphenated().to_string());
        let mut route = Route::new(&record.into(), None, at);
        route.created_at = Some(i64::MIN);
        route
    }
}

/// The id of a route, given or derived from its name.
fn written_id(written: &Value) -> Option<Uuid> {
    let text = |field: &Field| written.get(field.name).and_then(Value::as_str);
    let given = text(&ID).and_then(|id| Uuid::parse_str(id).ok());
    given.or_else(|| text(&route::NAME).map(|name| entity_id(route::ENTITY.collection, name)))
}

fn is_criterion(name: &str) -> bool {
    CRITERIA.iter().any(|field| field.name == name)
}

/// Whether a key that no route has may be a misspelt criterion.
fn may_be_criterion(name: &str) -> bool {
    let fields = route::ENTITY.fields;
    let is_known = fields.iter().chain([&COMMENT, &IGNORE]).any(|field| field.name == name);
    !is_known && schema::nearest(name, fields.iter().map(|field| field.name)).is_none_or(is_criterion)
}

/// A prefix of all paths that a path with an error may match.
fn readable_prefix(path: &Value) -> Value {
    let expression =
        path.as_str().and_then(|path| path.strip_prefix('~')).filter(|path| path.starts_with('/'));
    expression.map_or_else(|| Value::from("/"), |expression| literal_prefix(expression).into())
}

/// The text with which every match of a regular expression begins, as far as it is plain: up to the last segment.
fn literal_prefix(expression: &str) -> String {
    let end = expression.find(|c: char| !c.is_ascii_alphanumeric() && !"/-_~".contains(c));
    // An alternative may begin in another way.
    let literal = if expression.contains('|') { "/" } else { &expression[..end.unwrap_or(expression.len())] };
    // A character before the end may be optional or repeated.
    let segment = literal.rfind('/').map_or(0, |slash| slash + 1);
    if segment > 1 && !literal.contains("//") { literal[..segment - 1].to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_of_an_expression_begins_with_its_prefix() {
        for (expression, prefix) in [
            ("/a/b(", "/a"),
            ("/a/b/c*(", "/a/b"),
            ("/a/?(", "/a"),
            ("/a?(", "/"),
            ("/(", "/"),
            ("/a/(x|y", "/"),
            ("/a|/b(", "/"),
            ("/api/v1/users/[", "/api/v1/users"),
            ("/", "/"),
        ] {
            assert_eq!(literal_prefix(expression), prefix, "{expression}");
        }
    }
}
