//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! | module | what it is for |
//! |---|---|
//! | [`document`] | TEXT: YAML and JSON as an ordered tree, and where each node stands |
//! | [`diag`] | WHERE: what is wrong, at which node, drawn on the text |
//! | [`entity`] | WORDS: Service, Route, Plugin, ... as values that cannot be wrong |
//! | [`settings`] | TOLD: what the process is told when it starts, under Kong's names |
//! | [`control`] | WHEN: who decides what is current |

pub mod control;
pub mod diag;
pub mod document;
pub mod entity;
pub mod settings;
