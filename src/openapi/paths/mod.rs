//! Lookup of the operation for a method and a path: a trie of segments, whose cost does not grow with the operations.
//!
//! A concrete segment has priority over a templated one (OpenAPI 3.0.3, "Paths Object"), and a segment with text
//! around its parameters over one that is a single parameter. Segments are decoded one by one before they are compared,
//! so an encoded slash stays inside its segment.
//!
//! In some documents, operations differ only in what follows a `#` or `?` in their templates, which is not part of the
//! path. The operation with the plain template is found, else the first of them.

mod segment;
mod trie;

#[cfg(test)]
mod tests;

use std::ops::Range;

use http::Method;

use super::Operation;
pub use segment::is_plain;
use segment::{TemplateSegment, decode, segments};
use trie::{PathOperations, PathTrie};

/// Paths of operations, prepared for lookups.
#[derive(Clone, Debug)]
pub struct PathTable {
    trie: PathTrie,
    templates: Vec<Vec<TemplateSegment>>,
    unreachable: Vec<usize>,
}

/// Result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathLookup {
    /// An operation was found.
    Match(OperationMatch),
    /// The path exists, with these methods only.
    MethodNotAllowed(Vec<Method>),
    /// The path does not exist.
    NotFound,
}

/// An operation that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationMatch {
    /// Its index in the operations that the [`PathTable`] was made of.
    pub operation: usize,
    /// Whether the request is a HEAD that the GET operation serves, because no HEAD is declared.
    pub head: bool,
}

impl PathTable {
    /// Prepares the paths of operations, including those of operations with a defect.
    #[must_use]
    pub fn new(operations: &[Operation]) -> Self {
        let templates =
            operations.iter().map(|operation| TemplateSegment::parse_template(&operation.template)).collect();
        let mut paths = Self { trie: PathTrie::default(), templates, unreachable: Vec::new() };
        let (plain, others): (Vec<usize>, Vec<usize>) =
            (0..operations.len()).partition(|n| is_plain(&operations[*n].template));
        for n in plain.into_iter().chain(others) {
            if !paths.trie.insert(&paths.templates[n], &operations[n].method, n) {
                paths.unreachable.push(n);
            }
        }
        paths.unreachable.sort_unstable();
        paths.trie.sort_by_specificity();
        paths
    }

    /// Operations that no lookup finds, because another one has the same method and path.
    #[must_use]
    pub fn unreachable(&self) -> &[usize] {
        &self.unreachable
    }

    /// Finds the operation for a path, which is percent-encoded and has no query.
    ///
    /// A match of a path without percent signs allocates nothing.
    #[must_use]
    pub fn find(&self, method: &Method, path: &str) -> PathLookup {
        let mut allowed = Vec::new();
        let found = self.trie.find(path, &mut |leaf| match leaf.find(method) {
            None => {
                allowed.push(leaf);
                None
            }
            found => found,
        });
        match found {
            Some(found) => PathLookup::Match(found),
            None if allowed.is_empty() => PathLookup::NotFound,
            None => PathLookup::MethodNotAllowed(merge_methods(&allowed)),
        }
    }

    /// The path parameters of an operation: the name, and the range of the percent-encoded value in the path.
    ///
    /// Empty if the path does not match the operation.
    pub fn values<'a>(&'a self, operation: usize, path: &str) -> Vec<(&'a str, Range<usize>)> {
        let mut values = Vec::new();
        let template = self.templates.get(operation).map(Vec::as_slice).unwrap_or_default();
        let mut segments_of_path = segments(path);
        for segment in template {
            let Some(range) = segments_of_path.next() else { return Vec::new() };
            let text = &path[range.clone()];
            if !segment.capture(&decode(text), |name, decoded_range| {
                let encoded = segment::encoded_range(text, &decoded_range);
                values.push((name, range.start + encoded.start..range.start + encoded.end));
            }) {
                return Vec::new();
            }
        }
        if segments_of_path.next().is_some() { Vec::new() } else { values }
    }
}

/// The methods of some leaves without duplicates; HEAD is added if there is GET.
fn merge_methods(leaves: &[&PathOperations]) -> Vec<Method> {
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
