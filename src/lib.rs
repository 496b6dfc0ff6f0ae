//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! The map, in reading order; a module uses only what stands above it (`tests/architecture.rs` holds the law):
//!
//! | module | what it is for |
//! |---|---|
//! | [`budget`] | Budgets of work that a client or a document can make large |
//! | [`file_read`] | FILES: whole contents of regular files that no process is writing |
//! | [`supervise`] | A panic ends the work that it happened in, and nothing else |
//! | [`document`] | TEXT: YAML and JSON as an ordered tree, and where each node stands |
//! | [`diag`] | WHERE: what is wrong, at which node, drawn on the text |
//! | [`ip_network`] | Blocks of IP addresses |
//! | [`uri`] | Scheme, host, port and path of URIs |
//! | [`request_head`] | Heads of requests: what the client said, and what goes upstream in its place |
//! | [`schema`] | MAY: what a record may say, one row per field |
//! | [`entity`] | WORDS: Service, Route, Plugin, ... as values that cannot be wrong |
//! | [`config`] | FILE: from the text of `kong.yaml` to Entities |
//! | [`json_schema`] | EDIT: what the file may say, told to editors |
//! | [`export`] | OUT: from Entities to a text of `kong.yaml` |
//! | [`compare`] | CHANGED: what is different between two files |
//! | [`body`], [`request_id`], [`reply`] | the body type, the id of a request, the gateway's own answers |
//! | [`settings`] | TOLD: what the process is told, under Kong's names |
//! | [`access_log`] | LINES: one for each request, written by a thread of its own |
//! | [`metrics`] | COUNTS: what became of the requests of each Route, told to Prometheus |
//! | [`openapi`] | SPECS: every dialect becomes one Api; knows no gateway |
//! | [`mock`] | ANSWERS: which answer a request gets from an Api |
//! | [`import`] | IN: from an Api to a text of `kong.yaml` |
//! | [`router`] | WHICH: picks a Route |
//! | [`dns`] | NAMES: host names become addresses |
//! | [`tls`] | WHO: certificates and keys, which is shown for a name, whom we trust |
//! | [`upstream`] | OUT: keeps connections to upstreams |
//! | [`balancer`] | WHERE: picks the peer of a request, and knows which peers work |
//! | [`plugin`] | STEPS: the contract, the chain, one file per plugin |
//! | [`snapshot`] | NOW: everything a request needs, compiled, immutable |
//! | [`proxy`] | REQUEST: the life of a request |
//! | [`control`] | NEXT: decides what is current: file watch, Admin API |
//! | [`server`] | SOCKETS: listeners, connections, their orderly end |

pub mod access_log;
pub mod balancer;
pub mod body;
pub mod budget;
pub mod compare;
pub mod config;
pub mod control;
pub mod diag;
pub mod dns;
pub mod document;
pub mod entity;
pub mod export;
pub mod file_read;
pub mod import;
pub mod ip_network;
pub mod json_schema;
pub mod metrics;
pub mod mock;
pub mod openapi;
pub mod plugin;
pub mod proxy;
pub mod reply;
pub mod request_head;
pub mod request_id;
pub mod router;
pub mod schema;
pub mod server;
pub mod settings;
pub mod snapshot;
pub mod supervise;
pub mod tls;
pub mod upstream;
pub mod uri;
