//! Which operation a request is for: a trie of path segments, whose cost does not grow with the operations.
//!
//! A concrete segment goes before a templated one (OpenAPI 3.0.3, "Paths Object"), and one with text around its
//! parameters before one that is a parameter. Segments are compared without percent-encoding, one by one, so an
//! encoded slash stays inside its segment.
//!
//! Some documents tell operations apart by what follows a `#` or `?` in their templates. That is no part of a
//! path: the operation of the plain template answers, or failing that the first one of them.

mod segment;
mod trie;

#[cfg(test)]
mod tests;

use std::ops::Range;

use http::Method;

use super::Operation;
pub use segment::is_plain;
use segment::{TemplateSegment, decoded, segments};
use trie::{PathOperations, PathTrie};

/// The paths of some operations, prepared for comparison.
#[derive(Clone, Debug)]
pub struct PathTable {
    trie: PathTrie,
    templates: Vec<Vec<TemplateSegment>>,
    unreachable: Vec<usize>,
}

/// What a method and a path lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathLookup {
    /// An operation.
    Match(OperationMatch),
    /// There is such a path, but only with these methods.
    MethodNotAllowed(Vec<Method>),
    /// There is no such path.
    NotFound,
}

/// An operation that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationMatch {
    /// Its position among those that the [`PathTable`] were made of.
    pub operation: usize,
    /// Whether it is the GET that stands in for a HEAD which is not declared.
    pub head: bool,
}

impl PathTable {
    /// Prepares the paths of operations. Broken operations are found, too.
    #[must_use]
    pub fn new(operations: &[Operation]) -> Self {
        let templates =
            operations.iter().map(|operation| TemplateSegment::of_template(&operation.template)).collect();
        let mut paths = Self { trie: PathTrie::default(), templates, unreachable: Vec::new() };
        let (plain, others): (Vec<usize>, Vec<usize>) =
            (0..operations.len()).partition(|n| is_plain(&operations[*n].template));
        for n in plain.into_iter().chain(others) {
            if !paths.trie.insert(&paths.templates[n], &operations[n].method, n) {
                paths.unreachable.push(n);
            }
        }
        paths.unreachable.sort_unstable();
        paths.trie.sort();
        paths
    }

    /// Operations that are never found because another one has the same method and the same path.
    #[must_use]
    pub fn unreachable(&self) -> &[usize] {
        &self.unreachable
    }

    /// Finds the operation for a path as it was sent, percent-encoded and without its query.
    ///
    /// Allocates nothing for a path without percent signs that matches.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> PathLookup {
        let mut allowed = Vec::new();
        let found = self.trie.find(path, &mut |leaf| match leaf.serve(method) {
            None => {
                allowed.push(leaf);
                None
            }
            found => found,
        });
        match found {
            Some(found) => PathLookup::Match(found),
            None if allowed.is_empty() => PathLookup::NotFound,
            None => PathLookup::MethodNotAllowed(methods(&allowed)),
        }
    }

    /// The values of an operation's path parameters: name, and place in the path, still percent-encoded.
    ///
    /// Empty if the path is not one of the operation.
    pub fn values<'a>(&'a self, operation: usize, path: &str) -> Vec<(&'a str, Range<usize>)> {
        let mut values = Vec::new();
        let template = self.templates.get(operation).map(Vec::as_slice).unwrap_or_default();
        let mut sent = segments(path);
        for segment in template {
            let Some(range) = sent.next() else { return Vec::new() };
            let text = &path[range.clone()];
            if !segment.capture(&decoded(text), |name, place| {
                let encoded = segment::encoded_range(text, &place);
                values.push((name, range.start + encoded.start..range.start + encoded.end));
            }) {
                return Vec::new();
            }
        }
        if sent.next().is_some() { Vec::new() } else { values }
    }
}

/// The methods of some leaves, each once, and HEAD where there is GET.
fn methods(leaves: &[&PathOperations]) -> Vec<Method> {
    let mut methods: Vec<Method> = Vec::new();
    for method in leaves.iter().flat_map(|leaf| leaf.methods()) {
        if !methods.contains(method) {
            methods.push(method.clone());
        }
    }
    if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
        methods.push(Method::HEAD);
    }
    methods
}
