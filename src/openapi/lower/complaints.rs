//! Where the lowering is, and what it complained about: each thing once, however many references lead to it.

use crate::{
    diag::Diagnostic,
    document::{NodePath, NodePlace},
    openapi::{DocumentLibrary, DocumentNode, library::ReferenceTarget},
};

use super::Lowering;

/// How many complaints about one document anybody reads.
const LIMIT: usize = 200;

/// A place on the walk: in the document, or behind the last reference that was followed.
#[derive(Clone, Copy)]
pub(super) struct LoweringPlace<'a> {
    behind: Option<&'a ReferenceTarget>,
    at: NodePlace<'a>,
}

impl<'a> LoweringPlace<'a> {
    pub(super) const fn root(root: &'a NodePath) -> Self {
        Self { behind: None, at: NodePlace::Path(root) }
    }

    pub(super) const fn key(&'a self, key: &'a str) -> Self {
        Self { behind: self.behind, at: self.at.key(key) }
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        Self { behind: self.behind, at: self.at.index(index) }
    }

    /// The same walk after a reference was followed to `place`.
    pub(super) const fn through(self, place: Option<&'a ReferenceTarget>) -> Self {
        static ROOT: NodePath = NodePath::root();
        match place {
            Some(_) => LoweringPlace { behind: place, at: NodePlace::Path(&ROOT) },
            None => self,
        }
    }

    /// The steps since the root, or since the last reference.
    pub(super) fn at_path(&self) -> NodePath {
        self.at.path()
    }

    fn path(&self, library: &DocumentLibrary) -> NodePath {
        let path = self.at.path();
        let Some(place) = self.behind else { return path };
        library.path_of(place).join(path.steps())
    }
}

pub(super) struct LoweringDiagnostics {
    list: Vec<Diagnostic>,
}

impl LoweringDiagnostics {
    pub(super) const fn new(list: Vec<Diagnostic>) -> Self {
        Self { list }
    }

    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }

    fn add(&mut self, complaint: Diagnostic) {
        if self.list.len() < LIMIT {
            if !self.list.contains(&complaint) {
                self.list.push(complaint);
            }
        } else if self.list.len() == LIMIT {
            self.list
                .push(Diagnostic::warning(NodePath::root(), "there are more complaints about this document"));
        }
    }
}

impl Lowering<'_> {
    /// Warns about the value at `here`.
    pub(super) fn warn(&mut self, here: &LoweringPlace<'_>, message: impl Into<String>) {
        let complaint = self.complaint(here, message.into());
        self.complaints.add(complaint);
    }

    /// Warns about the key at `here`.
    pub(super) fn warn_key(&mut self, here: &LoweringPlace<'_>, message: impl Into<String>) {
        let complaint = self.complaint(here, message.into()).key();
        self.complaints.add(complaint);
    }

    /// Warns about the reference at `here`, as the library does about the first place where it stands.
    pub(super) fn unresolved(&mut self, here: &LoweringPlace<'_>, reason: String) {
        self.warn(&here.key("$ref"), reason);
    }

    fn complaint(&self, here: &LoweringPlace<'_>, message: String) -> Diagnostic {
        let complaint = Diagnostic::warning(here.path(self.library), message);
        match here.behind.and_then(|place| self.library.source(place.file)) {
            Some(source) => complaint.in_file(source),
            None => complaint,
        }
    }

    /// Follows a reference, if `node` is one; and where it led to.
    ///
    /// # Errors
    /// Why it leads nowhere, for people.
    pub(super) fn follow(
        &self,
        node: &DocumentNode,
    ) -> Result<(DocumentNode, Option<ReferenceTarget>), String> {
        self.library.follow(node).map_err(|error| error.to_string())
    }
}
