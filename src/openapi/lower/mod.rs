//! Conversion of a document of any version to an [`Api`].
//!
//! `items` walks paths and operations, which are the same in all versions; `swagger2` and `v3` have what differs.
//! Nodes are shared with the document, not copied. A part that cannot be read is a warning at its position.

mod diagnostics;
mod examples;
mod items;
mod parameters;
mod responses;
mod security;
mod servers;
mod swagger2;
mod v3;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::{
    diag::Diagnostic,
    document::{NodePath, Value},
};

use super::{Api, DocumentLibrary, LibraryLocation, SpecVersion};
use diagnostics::{LoweringDiagnostics, LoweringPlace};
pub(super) use examples::{example_value, resolve_literal};
pub(super) use swagger2::schema_of_swagger2;

/// Converts a document of any supported version to an [`Api`].
///
/// The diagnostics are warnings. Paths start at the root of the file that a diagnostic is about.
///
/// # Errors
/// The version of the document is not supported.
pub fn lower(value: Value, location: &LibraryLocation) -> Result<(Api, Vec<Diagnostic>), Diagnostic> {
    let version = SpecVersion::of(&value)?;
    let (library, diagnostics) = DocumentLibrary::new(value, location);
    let mut lowering =
        Lowering { library: &library, version, diagnostics: LoweringDiagnostics::new(diagnostics) };
    let root = library.root();
    let start = NodePath::root();
    let here = LoweringPlace::root(&start);
    let title = root.get("info").and_then(|info| info.text("title").map(str::to_owned)).unwrap_or_default();
    let base_paths = servers::read_base_paths(&root, version);
    let security_schemes = lowering.read_security_schemes(&root, &here);
    let operations = lowering.read_operations(&root, &here);
    let diagnostics = lowering.diagnostics.into_list();
    let library = Arc::new(library);
    Ok((Api { version, title, base_paths, operations, security_schemes, library }, diagnostics))
}

/// State of the conversion of one document.
struct Lowering<'a> {
    library: &'a DocumentLibrary,
    version: SpecVersion,
    diagnostics: LoweringDiagnostics,
}
