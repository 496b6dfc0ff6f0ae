//! The trie: a node for each prefix of segments, in which every node is looked at once per path at most.

use std::collections::HashMap;

use http::Method;

use super::{
    Match,
    segment::{Part, Segment, decoded, mixed, same_shape, specificity},
};

/// Segments that a template or a path may have; a walk goes no deeper.
const DEPTH: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, usize>,
    /// The most specific first.
    mixed: Vec<(Vec<Part>, usize)>,
    parameter: Option<usize>,
    leaf: Leaf,
}

/// The operations of one path.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    operations: Vec<(Method, usize)>,
}

impl Leaf {
    /// The operation for a method; GET serves HEAD where there is no HEAD.
    pub(super) fn serve(&self, method: &Method) -> Option<Match> {
        let find = |method: &Method| self.operations.iter().find(|(it, _)| it == method).map(|(_, n)| *n);
        if let Some(operation) = find(method) {
            return Some(Match { operation, head: false });
        }
        let get = find(&Method::GET).filter(|_| *method == Method::HEAD)?;
        Some(Match { operation: get, head: true })
    }

    pub(super) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.operations.iter().map(|(method, _)| method)
    }
}

impl Trie {
    /// Adds an operation; `false` if it cannot be found because another one has its place.
    pub(super) fn insert(&mut self, template: &[Segment], method: &Method, operation: usize) -> bool {
        if template.len() > DEPTH {
            return false;
        }
        let mut here = 0;
        for segment in template {
            let next = self.nodes.len();
            let node = &mut self.nodes[here];
            here = match segment {
                Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(next),
                Segment::Parameter(_) => *node.parameter.get_or_insert(next),
                Segment::Mixed(parts) => match node.mixed.iter().find(|(it, _)| same_shape(it, parts)) {
                    Some((_, known)) => *known,
                    None => {
                        node.mixed.push((parts.clone(), next));
                        next
                    }
                },
            };
            if here == next {
                self.nodes.push(Node::default());
            }
        }
        let leaf = &mut self.nodes[here].leaf;
        let free = leaf.methods().all(|it| it != method);
        if free {
            leaf.operations.push((method.clone(), operation));
        }
        free
    }

    /// Orders what was inserted.
    pub(super) fn sort(&mut self) {
        for node in &mut self.nodes {
            // Stable: of equals the first in the document stays first.
            node.mixed.sort_by_key(|(parts, _)| std::cmp::Reverse(specificity(parts)));
        }
    }

    /// Visits the leaves of a path, the most specific first, until `visit` is content.
    pub(super) fn find<'a>(
        &'a self,
        path: &str,
        visit: &mut impl FnMut(&'a Leaf) -> Option<Match>,
    ) -> Option<Match> {
        self.walk(0, Some(path.strip_prefix('/').unwrap_or(path)), DEPTH, visit)
    }

    fn walk<'a>(
        &'a self,
        node: usize,
        rest: Option<&str>,
        depth: usize,
        visit: &mut impl FnMut(&'a Leaf) -> Option<Match>,
    ) -> Option<Match> {
        let node = &self.nodes[node];
        let Some(rest) = rest else {
            return if node.leaf.operations.is_empty() { None } else { visit(&node.leaf) };
        };
        let depth = depth.checked_sub(1)?;
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let text = decoded(segment);
        if let Some(next) = node.literals.get(&*text)
            && let Some(found) = self.walk(*next, rest, depth, visit)
        {
            return Some(found);
        }
        for (parts, next) in &node.mixed {
            if mixed(parts, &text, |_, _| ())
                && let Some(found) = self.walk(*next, rest, depth, visit)
            {
                return Some(found);
            }
        }
        let next = node.parameter.filter(|_| !text.is_empty())?;
        self.walk(next, rest, depth, visit)
    }
}
