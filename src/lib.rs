//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! | module | what it is for |
//! |---|---|
//! | [`document`] | TEXT: YAML and JSON as an ordered tree, and where each node stands |
//! | [`diag`] | WHERE: what is wrong, at which node, drawn on the text |
//! | [`schema`] | MAY: what a record may say, one row per field |
//! | [`entity`] | WORDS: Service, Route, Plugin, ... as values that cannot be wrong |
//! | [`config`] | FILE: from the text of `kong.yaml` to Entities |

pub mod config;
pub mod diag;
pub mod document;
pub mod entity;
pub mod schema;
