//! `GET /`, `/status`, `/status/ready`: who this is, and how it is.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Admin;
use crate::{
    body::Body,
    plugin, reply,
    settings::{Listener, RouterFlavor, Settings},
};

/// The version of Kong whose Admin API is spoken here: by it clients such as decK and the Ingress Controller decide
/// what they may ask for.
const KONG: &str = "3.9.3";

impl Admin {
    pub(super) fn node(&self) -> Response<Body> {
        let snapshot = self.control.live().current();
        let available: serde_json::Map<String, Value> = plugin::ALL
            .iter()
            .map(|def| {
                let facts = json!({ "version": env!("CARGO_PKG_VERSION"), "priority": def.priority });
                (def.name.to_owned(), facts)
            })
            .collect();
        let mut in_use: Vec<&str> = snapshot.entities.plugins.iter().map(|it| it.name.as_str()).collect();
        in_use.sort_unstable();
        in_use.dedup();
        let text = json!({
            "version": KONG,
            "edition": "community",
            "mynah": { "version": env!("CARGO_PKG_VERSION") },
            "tagline": "Welcome to mynah",
            "hostname": hostname(),
            "node_id": self.node_id.to_string(),
            "pids": { "master": std::process::id() },
            "plugins": { "available_on_server": available, "enabled_in_cluster": in_use },
            "configuration": configuration(&self.settings),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    pub(super) fn status(&self, query: &str) -> Response<Body> {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let bad = |message: &str| reply::message(StatusCode::BAD_REQUEST, message);
            if name == "unit" && !matches!(&*value, "k" | "K" | "m" | "M" | "g" | "G") {
                return bad(&format!("invalid unit '{value}' (expected 'k/K', 'm/M', or 'g/G')"));
            }
            if name == "scale" && value.parse::<f64>().is_ok_and(|it| it < 0.0) {
                return bad("scale must be equal or greater than 0");
            }
        }
        let state = self.control.state();
        let snapshot = self.control.live().current();
        let last_error = state.last_error.as_ref().map(|failure| {
            json!({
                "at": seconds(failure.at),
                "message": failure.report.summary(),
                "diagnostics": failure.report.to_json(),
            })
        });
        let text = json!({
            "configuration_hash": snapshot.hash,
            "configuration": {
                "source": state.source,
                "generation": snapshot.generation,
                "loaded_at": seconds(snapshot.loaded_at),
                "loads": state.loads,
                "failures": state.failures,
                "last_error": last_error,
            },
            "memory": { "workers_lua_vms": [], "lua_shared_dicts": {} },
            "server": self.server(),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// What nginx would tell of its connections.
    fn server(&self) -> Value {
        let doing = self.connections.doing();
        json!({
            "connections_accepted": doing.accepted,
            "connections_active": doing.active(),
            "connections_handled": doing.accepted,
            "connections_reading": doing.reading,
            "connections_waiting": doing.waiting,
            "connections_writing": doing.writing,
            "total_requests": doing.requests,
            "uptime_seconds": self.started.elapsed().as_secs(),
        })
    }

    pub(super) fn ready(&self) -> Response<Body> {
        if self.ready.is_draining() {
            return reply::message(StatusCode::SERVICE_UNAVAILABLE, "draining");
        }
        if self.control.live().current().entities.is_empty() {
            let text = "no configuration available (empty configuration present)";
            return reply::message(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        reply::message(StatusCode::OK, "ready")
    }
}

/// The settings of the process, as far as those who ask the Admin API read them.
fn configuration(settings: &Settings) -> Value {
    let listeners = |all: &[Listener]| -> Vec<Value> {
        let one = |it: &Listener| json!({ "ip": it.address.ip(), "port": it.address.port(), "ssl": it.tls, "http2": it.http2, "listener": it.address.to_string() });
        all.iter().map(one).collect()
    };
    json!({
        "database": "off",
        "role": "traditional",
        "router_flavor": match settings.router_flavor {
            RouterFlavor::Traditional => "traditional",
            RouterFlavor::TraditionalCompatible => "traditional_compatible",
            RouterFlavor::Expressions => "expressions",
        },
        "declarative_config": settings.declarative_config,
        "proxy_listeners": listeners(&settings.proxy_listen),
        "admin_listeners": listeners(&settings.admin_listen),
        "status_listeners": listeners(&settings.status_listen),
        "admin_gui_listeners": [],
        "admin_gui_url": settings.admin_gui_url,
        "log_level": settings.log_level.name(),
    })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
