//! The lowering of each dialect to the one [`Api`].
//!
//! `items` walks paths and operations, which all dialects write alike; what differs is in `swagger2` and `v3`.
//! Nodes are shared with the document, not copied. What cannot be understood is complained about at its place.

mod complaints;
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
use complaints::{LoweringDiagnostics, LoweringPlace};
pub(super) use examples::{literal, value_of};
pub(super) use swagger2::schema_of_swagger2;

/// Understands a document: any dialect becomes one [`Api`].
///
/// The complaints are warnings; those about the document itself have paths from its root.
///
/// # Errors
/// The document is none of the dialects.
pub fn lower(value: Value, location: &LibraryLocation) -> Result<(Api, Vec<Diagnostic>), Diagnostic> {
    let version = SpecVersion::of(&value)?;
    let (library, complaints) = DocumentLibrary::new(value, location);
    let mut lowering =
        Lowering { library: &library, version, complaints: LoweringDiagnostics::new(complaints) };
    let root = library.root();
    let start = NodePath::root();
    let here = LoweringPlace::root(&start);
    let title = root.get("info").and_then(|info| info.text("title").map(str::to_owned)).unwrap_or_default();
    let base_paths = servers::base_paths(&root, version);
    let security_schemes = lowering.security_schemes(&root, &here);
    let operations = lowering.operations(&root, &here);
    let complaints = lowering.complaints.into_list();
    let library = Arc::new(library);
    Ok((Api { version, title, base_paths, operations, security_schemes, library }, complaints))
}

/// One document on its way to an [`Api`].
struct Lowering<'a> {
    library: &'a DocumentLibrary,
    version: SpecVersion,
    complaints: LoweringDiagnostics,
}
