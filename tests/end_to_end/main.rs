//! End-to-end tests: the gateway binary on free ports, between real upstreams and real clients.
//!
//! | module | contents |
//! |---|---|
//! | `gateway`, `folder` | gateway process, started in a temporary folder |
//! | `client`, `raw` | HTTP client, and TCP connection for requests byte for byte |
//! | `secure`, `pem`, `frames` | TLS client, certificates, HTTP/2 connection frame by frame |
//! | `web_socket_peer` | WebSocket client and echo server, frame by frame |
//! | `scripted` | upstream that writes scripted bytes |
//! | `upstream` | upstream that records requests, and can stream, wait and abort |
//! | `collector` | log server |
//! | `targets`, `nameserver` | targets that answer with their names; name server whose records change |
//! | all others | tests, one module for each feature |
#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod access_log;
mod admin;
mod admin_access;
mod admin_certificates;
mod admin_changes;
mod admin_concurrency;
mod admin_config;
mod admin_files;
mod admin_keys;
mod admin_mock;
mod admin_paths;
mod admin_read_only;
mod admin_rows;
mod admin_safety;
mod admin_schemas;
mod admin_text;
mod admin_tutorial;
mod admin_write_properties;
mod admin_writes;
mod admin_writes_files;
mod bad_input;
mod balancing;
mod body_memory;
mod broken_answers;
mod broken_files;
mod certificate_kinds;
mod certificate_kinds_upstream;
mod client;
mod client_aio_kong;
mod client_certificates;
mod client_deck;
mod client_ingress_controller;
mod client_kong_manager;
mod client_portal;
mod collector;
mod command_line;
mod commands;
mod config;
mod consumers;
mod cors;
mod dns;
mod dns_records;
mod documentation;
mod early_answers;
mod empty_configuration;
mod explain;
mod expressions;
mod folder;
mod frames;
mod framing;
mod gateway;
mod grpc;
mod grpc_health;
mod guide;
mod handover;
mod hashing;
mod head_bounds;
mod health;
mod http2;
mod http2_connections;
mod http2_refused;
mod import;
mod keep_alive;
mod kong_command;
mod large_bodies;
mod last_good;
mod lint;
mod log_level;
mod logs;
mod look_alikes;
mod lua;
mod metrics;
mod mock_checks;
mod mock_command;
mod mocking;
mod mocking_extensions;
mod mocking_together;
mod nameserver;
mod openssl;
mod overload;
mod pages;
mod parts;
mod pem;
mod protocols;
mod proxy_protocol;
mod proxying;
mod proxying_failures;
mod proxying_streams;
mod quarantine;
mod raw;
mod reload;
mod reload_edits;
mod reload_invalid;
mod reload_sources;
mod reload_specs;
mod response_cache;
mod scripted;
mod secure;
mod settings;
mod shared_limits;
mod shutdown;
mod supabase;
mod targets;
mod tls;
mod tls_names;
mod tls_upstream;
mod tokens;
mod traffic;
mod trust;
mod upstream;
mod variables;
mod web_socket;
mod web_socket_http2;
mod web_socket_peer;
mod wire_requests;
#[cfg(target_os = "linux")]
mod write_faults;

use std::time::{Duration, Instant};

/// Time limit of conditions that must become true; only failing tests wait that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until there is a value.
#[track_caller]
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: it did not happen within {PATIENCE:?}");
        pause(5);
    }
}

/// Sleeps for some milliseconds: between two polls, or two writes of a slow writer.
#[expect(clippy::disallowed_methods, reason = "a thread of a test may block")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
