//! Reader of Swagger 2.0, OpenAPI 3.0 and 3.1 documents, with one model ([`Api`]) for all; independent of the gateway.
//!
//! [`lower()`] reads the tree that [`crate::document::read`] makes of a text. The tree does not change: an [`Api`] holds
//! the structure (operations, responses, media types), and [`DocumentNode`]s that share the rest with the document.
//! The [`DocumentLibrary`] follows references between nodes and holds every file that they reach.
//!
//! A [`sample::Sampler`] makes values from schemas; a [`body::BodyRenderer`] makes bytes from values.
//!
//! Published documents often violate their specification, so the reader is lenient: a part that cannot be read is a
//! warning at its position, and an operation that cannot be read has a `defect` while the others work.

pub mod api;
pub mod body;
pub mod bundle;
mod decimal;
mod keywords;
mod library;
mod lint;
mod lower;
pub mod media_type;
mod messages;
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
pub use lint::{lint, lint_text};
pub use lower::lower;
pub use negotiate::{MediaTypeOffers, NegotiatedType, negotiate};
pub use paths::{OperationMatch, PathLookup, PathTable, is_plain};
pub use strict::strict;
pub use version::SpecVersion;
