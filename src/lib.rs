//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! | module | what it is for |
//! |---|---|
//! | [`document`] | TEXT: YAML and JSON as an ordered tree, and where each node stands |
//! | [`diag`] | WHERE: what is wrong, at which node, drawn on the text |
//! | [`entity`] | WORDS: Service, Route, Plugin, ... as values that cannot be wrong |
//! | [`openapi`] | SPECS: Swagger 2.0, OpenAPI 3.0 and 3.1 documents become one Api |

pub mod diag;
pub mod document;
pub mod entity;
pub mod openapi;
