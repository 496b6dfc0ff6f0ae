//! Path of a node: `services[0].routes[1].paths[0]`, also into a document inside a string:
//! `config.api_specification » paths./x.get`.

use std::{fmt, sync::Arc};

use super::{SharedText, Value};

/// One step from a node to a child.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// Into a mapping, by key.
    Key(SharedText),
    /// Into a sequence, by position.
    Index(usize),
    /// Into the document that a string holds.
    Inside,
}

/// The steps from the root of a document to a node. Cloning is cheap, as thousands of entities keep their path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodePath(
    /// `None` for the root, never an empty list.
    Option<Arc<[PathStep]>>,
);

/// The node at the end of steps; `None` if there is none, or if it is inside a string.
pub(super) fn find_node<'a>(document: &'a Value, steps: &[PathStep]) -> Option<&'a Value> {
    steps.iter().try_fold(document, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(n) => value.items().get(*n),
        PathStep::Inside => None,
    })
}

impl NodePath {
    /// The root of a document.
    #[must_use]
    pub const fn root() -> Self {
        Self(None)
    }

    /// The child at `key`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.step(PathStep::Key(key.into()))
    }

    /// The child at `index`.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(PathStep::Index(index))
    }

    /// The root of the document that the string at this path holds.
    #[must_use]
    pub fn inside(&self) -> Self {
        self.step(PathStep::Inside)
    }

    /// The parent node; the root is its own parent.
    #[must_use]
    pub fn parent(&self) -> Self {
        self.steps().split_last().map_or_else(Self::root, |(_, parent)| parent.iter().cloned().collect())
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[PathStep] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The node of a document; `None` if there is none, or if it is inside a string.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        find_node(document, self.steps())
    }

    /// This path as a [`NodePlace`], for a traversal that starts here.
    #[must_use]
    pub fn at(&self) -> NodePlace<'_> {
        NodePlace::Path(self)
    }

    /// The descendant at the end of further steps.
    #[must_use]
    pub fn join(&self, steps: &[PathStep]) -> Self {
        if steps.is_empty() {
            return self.clone();
        }
        self.steps().iter().chain(steps).cloned().collect()
    }

    /// The child at a step.
    #[must_use]
    pub fn step(&self, step: PathStep) -> Self {
        self.steps().iter().cloned().chain([step]).collect()
    }
}

impl FromIterator<PathStep> for NodePath {
    fn from_iter<I: IntoIterator<Item = PathStep>>(steps: I) -> Self {
        let steps: Arc<[PathStep]> = steps.into_iter().collect();
        Self(Some(steps).filter(|steps| !steps.is_empty()))
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut dot = "";
        for step in self.steps() {
            match step {
                PathStep::Key(key) => write!(f, "{dot}{key}")?,
                PathStep::Inside => f.write_str(" » ")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
            dot = if matches!(step, PathStep::Inside) { "" } else { "." };
        }
        Ok(())
    }
}

/// Path of the current node of a traversal: it allocates nothing until [`path`](Self::path) is called for a diagnostic.
#[derive(Clone, Copy, Debug)]
pub enum NodePlace<'a> {
    /// The start of the traversal.
    Path(&'a NodePath),
    /// A child by key.
    Key(&'a NodePlace<'a>, &'a str),
    /// A child by position.
    Index(&'a NodePlace<'a>, usize),
    /// The document inside a string.
    Inside(&'a NodePlace<'a>),
}

impl<'a> NodePlace<'a> {
    /// The child at `key`.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Self {
        NodePlace::Key(self, key)
    }

    /// The child at `index`.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        NodePlace::Index(self, index)
    }

    /// The path, for storage.
    #[must_use]
    pub fn path(&self) -> NodePath {
        let mut steps = Vec::new();
        let mut here = *self;
        loop {
            here = match here {
                NodePlace::Path(path) => {
                    return path.steps().iter().cloned().chain(steps.into_iter().rev()).collect();
                }
                NodePlace::Key(parent, key) => {
                    steps.push(PathStep::Key(key.into()));
                    *parent
                }
                NodePlace::Index(parent, index) => {
                    steps.push(PathStep::Index(index));
                    *parent
                }
                NodePlace::Inside(parent) => {
                    steps.push(PathStep::Inside);
                    *parent
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_a_path_are_equal() {
        let root = NodePath::root().key("services").index(0);
        let (plugins, first);
        let start = root.at();
        plugins = start.key("plugins");
        first = plugins.index(1);
        let spec = first.key("spec");
        let inside = NodePlace::Inside(&spec);
        let node = inside.key("paths");
        assert_eq!(node.path(), root.key("plugins").index(1).key("spec").inside().key("paths"));
        assert_eq!(node.path().to_string(), "services[0].plugins[1].spec » paths");
        assert_eq!(node.path().parent().to_string(), "services[0].plugins[1].spec » ");
    }
}
