//! Trie of path templates: a node for each prefix of segments; a lookup visits every node at most once.

use std::collections::HashMap;

use http::Method;

use super::{
    OperationMatch,
    segment::{SegmentPart, TemplateSegment, decode, has_same_shape, match_mixed, specificity},
};

/// Bound on the segments of a template or a path.
const MAX_DEPTH: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct PathTrie {
    nodes: Vec<TrieNode>,
}

impl Default for PathTrie {
    fn default() -> Self {
        Self { nodes: vec![TrieNode::default()] }
    }
}

#[derive(Clone, Debug, Default)]
struct TrieNode {
    literals: HashMap<Box<[u8]>, usize>,
    /// Sorted by specificity, the most specific first.
    mixed: Vec<(Vec<SegmentPart>, usize)>,
    parameter: Option<usize>,
    leaf: PathOperations,
}

/// The operations of one path.
#[derive(Clone, Debug, Default)]
pub(super) struct PathOperations {
    operations: Vec<(Method, usize)>,
}

impl PathOperations {
    /// The operation for a method; GET serves HEAD if no HEAD is declared.
    pub(super) fn find(&self, method: &Method) -> Option<OperationMatch> {
        let find = |method: &Method| {
            self.operations.iter().find(|(declared, _)| declared == method).map(|(_, n)| *n)
        };
        if let Some(operation) = find(method) {
            return Some(OperationMatch { operation, head: false });
        }
        let get = find(&Method::GET).filter(|_| *method == Method::HEAD)?;
        Some(OperationMatch { operation: get, head: true })
    }

    pub(super) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.operations.iter().map(|(method, _)| method)
    }
}

impl PathTrie {
    /// Adds an operation; `false` if it is unreachable, because another one has its method and path, or because it has
    /// too many segments.
    pub(super) fn insert(&mut self, template: &[TemplateSegment], method: &Method, operation: usize) -> bool {
        if template.len() > MAX_DEPTH {
            return false;
        }
        let mut here = 0;
        for segment in template {
            let next = self.nodes.len();
            let node = &mut self.nodes[here];
            here = match segment {
                TemplateSegment::Literal(text) => *node.literals.entry(text.clone()).or_insert(next),
                TemplateSegment::Parameter(_) => *node.parameter.get_or_insert(next),
                TemplateSegment::Mixed(parts) => {
                    match node.mixed.iter().find(|(known, _)| has_same_shape(known, parts)) {
                        Some((_, known)) => *known,
                        None => {
                            node.mixed.push((parts.clone(), next));
                            next
                        }
                    }
                }
            };
            if here == next {
                self.nodes.push(TrieNode::default());
            }
        }
        let leaf = &mut self.nodes[here].leaf;
        let is_free = leaf.methods().all(|taken| taken != method);
        if is_free {
            leaf.operations.push((method.clone(), operation));
        }
        is_free
    }

    /// Sorts mixed segments by specificity; called once after all operations are inserted.
    pub(super) fn sort_by_specificity(&mut self) {
        for node in &mut self.nodes {
            // The sort is stable: of equally specific segments, the first in the document stays first.
            node.mixed.sort_by_key(|(parts, _)| std::cmp::Reverse(specificity(parts)));
        }
    }

    /// Visits the leaves that match a path, the most specific first, until `visit` returns an operation.
    pub(super) fn find<'a>(
        &'a self,
        path: &str,
        visit: &mut impl FnMut(&'a PathOperations) -> Option<OperationMatch>,
    ) -> Option<OperationMatch> {
        self.walk(0, Some(path.strip_prefix('/').unwrap_or(path)), MAX_DEPTH, visit)
    }

    fn walk<'a>(
        &'a self,
        node: usize,
        rest: Option<&str>,
        depth: usize,
        visit: &mut impl FnMut(&'a PathOperations) -> Option<OperationMatch>,
    ) -> Option<OperationMatch> {
        let node = &self.nodes[node];
        let Some(rest) = rest else {
            return if node.leaf.operations.is_empty() { None } else { visit(&node.leaf) };
        };
        let depth = depth.checked_sub(1)?;
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let text = decode(segment);
        if let Some(next) = node.literals.get(&*text)
            && let Some(found) = self.walk(*next, rest, depth, visit)
        {
            return Some(found);
        }
        for (parts, next) in &node.mixed {
            if match_mixed(parts, &text, |_, _| ())
                && let Some(found) = self.walk(*next, rest, depth, visit)
            {
                return Some(found);
            }
        }
        let next = node.parameter.filter(|_| !text.is_empty())?;
        self.walk(next, rest, depth, visit)
    }
}
