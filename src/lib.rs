//! mynah: a DB-less, Kong-compatible API gateway that mocks what is not built yet.
//!
//! Modules in dependency order; a module uses only modules above it (`tests/architecture.rs` checks this):
//!
//! | module | contents |
//! |---|---|
//! | [`base64_codec`] | Base64: encoding, and decoding of several strictnesses |
//! | [`budget`] | limits of the work and memory that a client or a document can demand, and the thread pool for such work |
//! | [`calendar`] | dates and times of the Gregorian calendar, from and to Unix time |
//! | [`constant_time`] | comparison of secrets in constant time |
//! | [`file_read`] | reads of whole regular files that no process has open for writing |
//! | [`supervise`] | panics: logged, confined to the work in which they happen; background tasks are restarted |
//! | [`document`] | YAML and JSON as an ordered tree of values, and the position of each node in the text |
//! | [`diag`] | diagnostics: a message about a node of a file, rendered with the source text |
//! | [`text_diff`] | differences between two texts, as the lines of a diff |
//! | [`ip_network`] | blocks of IP addresses |
//! | [`uri`] | scheme, host, port and path of URIs: parsing, normalization, encoding |
//! | [`nginx_status`] | status codes that nginx adds to those of HTTP |
//! | [`request_head`] | request heads: the client's, and the one sent to the upstream |
//! | [`schema`] | schemas of records, one row per field, and the checks against them |
//! | [`entity`] | Kong's entities as valid values, with their schemas |
//! | [`config`] | parsing of declarative configurations: read, check, resolve |
//! | [`json_schema`] | JSON Schema of declarative configurations, for editors |
//! | [`export`] | entities as a declarative configuration that can be loaded again |
//! | [`compare`] | differences between two configurations |
//! | [`settings`] | process settings under Kong's names: flags, environment, kong.conf, defaults |
//! | [`body`] | the body type of requests and responses, and the memory for buffered bodies |
//! | [`request_id`] | request identifiers |
//! | [`access_log`] | access logs: one line per request, written by a thread of its own |
//! | [`metrics`] | counters of requests per Route, and the names of all metrics (`control/admin/metrics.rs` writes the page) |
//! | [`reply`] | the gateway's own responses, in the media type that the client accepts |
//! | [`openapi`] | OpenAPI documents of every version as one `Api`: operations, schemas, validation, samples |
//! | [`import`] | conversion of OpenAPI documents to declarative configurations |
//! | [`mock`] | choice and generation of mock responses from an `Api` |
//! | [`router`] | choice of the Route for a request |
//! | [`dns`] | DNS resolution and its cache |
//! | [`tls`] | TLS certificates, private keys and trust stores |
//! | [`upstream`] | connections to upstreams: pool, HTTP, timeouts |
//! | [`balancer`] | load balancing: choice of the target, health checks |
//! | [`plugin`] | plugin contract, plugin chain, and the bundled plugins, one file or folder each |
//! | [`traffic`] | numbers of the last minutes and the last exchanges, for people who watch the gateway |
//! | [`snapshot`] | a compiled configuration: router, plugin chains, destinations; immutable |
//! | [`proxy`] | request lifecycle: route, plugins, upstream attempts, response |
//! | [`control`] | the configuration in force: file watch, SIGHUP, Admin API, reloads |
//! | [`pages`] | the developer portal and the manager: their files, login, the Admin API below their path |
//! | [`server`] | listeners, connections, TLS, graceful shutdown |

pub mod access_log;
pub mod balancer;
pub mod base64_codec;
pub mod body;
pub mod budget;
pub mod calendar;
pub mod compare;
pub mod config;
pub mod constant_time;
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
pub mod nginx_status;
pub mod openapi;
#[cfg(feature = "ui")]
pub mod pages;
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
pub mod text_diff;
pub mod tls;
pub mod traffic;
pub mod upstream;
pub mod uri;
