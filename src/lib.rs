//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! | module | what it is for |
//! |---|---|
//! | [`document`] | TEXT: YAML and JSON as an ordered tree, and where each node stands |
//! | [`diag`] | WHERE: what is wrong, at which node, drawn on the text |
//! | [`entity`] | WORDS: Service, Route, Plugin, ... as values that cannot be wrong |
//! | [`body`] | BYTES: the one body type of requests and responses |
//! | [`upstream`] | OUT: keeps connections to upstreams |
//! | [`proxy`] | THROUGH: what a request and its response look like on the other side |

pub mod body;
pub mod diag;
pub mod document;
pub mod entity;
pub mod proxy;
pub mod upstream;
