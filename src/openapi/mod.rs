//! SPECS: Swagger 2.0, OpenAPI 3.0 and 3.1 documents become one [`Api`]; knows no gateway.
//!
//! [`lower`] reads a document that [`crate::document::read`] made a tree of. The tree stays as it is: an [`Api`]
//! holds the structure (operations, responses, media types) and [`DocumentNode`]s that share the rest with the document.
//! References between nodes are followed by the [`DocumentLibrary`], which holds every file that they reach.
//!
//! A [`sample::Sampler`] makes values from schemas, and a [`body::BodyRenderer`] bytes from values.
//!
//! Documents of the wild break rules. What can be understood is; the rest is a warning at its place, and an
//! operation that cannot be understood at all is `broken` while the others work.

pub mod api;
pub mod body;
pub mod bundle;
mod keywords;
mod library;
mod lint;
mod lower;
pub mod negotiate;
pub mod paths;
pub mod sample;
mod strict;
pub mod validator;
mod version;

pub use api::{
    Api, Example, MediaTypeBody, Operation, Parameter, RequestBody, ResponseHeaderSpec, ResponseSpec,
    StatusKey,
};
pub use library::{DocumentLibrary, DocumentNode, LibraryLocation, ReferenceError};
pub use lint::lint;
pub use lower::lower;
pub use negotiate::{MediaTypeOffers, NegotiatedType, negotiate};
pub use paths::{OperationMatch, PathLookup, PathTable, is_plain};
pub use strict::strict;
pub use version::SpecVersion;
