//! `GET /`, `/status`, `/status/ready`, `/timers`, `/plugins/enabled`: identity and state of the node.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Response, StatusCode, header, uri::Authority};
use serde_json::{Value, json};

use super::{AdminApi, metrics::resident_memory_kib};
use crate::{
    body::Body,
    config::QuarantinedEntity,
    control::{
        LoadHistory,
        last_good::{LastGoodStatus, LastGoodStore},
    },
    diag::{DiagnosticReport, Position, SourceFile},
    plugin, reply,
    settings::{Listener, RouterFlavor, Settings},
    snapshot::Snapshot,
};

/// The version of Kong whose Admin API is implemented. Clients such as decK and the Ingress Controller choose their
/// requests by it.
pub const KONG_VERSION: &str = "3.9.3";

/// Why the live configuration is not that of the file.
const REPLACED_IN_MEMORY: &str =
    "POST /config has replaced it in memory; the file is loaded again when it is saved, or on SIGHUP";

impl AdminApi {
    /// Describes the node. `headers` are those of the request: its host reaches pages that listen on all addresses.
    pub(super) fn node(&self, headers: &HeaderMap) -> Response<Body> {
        let snapshot = self.control.live().current();
        let available: serde_json::Map<String, Value> = plugin::ALL
            .iter()
            .map(|def| {
                let info = json!({ "version": env!("CARGO_PKG_VERSION"), "priority": def.priority });
                (def.name.to_owned(), info)
            })
            .collect();
        let mut in_use: Vec<&str> =
            snapshot.entities.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        in_use.sort_unstable();
        in_use.dedup();
        let text = json!({
            "version": KONG_VERSION,
            "edition": "community",
            "mynah": { "version": env!("CARGO_PKG_VERSION") },
            "tagline": "Welcome to mynah",
            "hostname": hostname(),
            "node_id": self.node_id.to_string(),
            "lua_version": "none",
            "pids": { "master": std::process::id(), "workers": [std::process::id()] },
            "timers": { "running": 0, "pending": 0 },
            "plugins": { "available_on_server": available, "enabled_in_cluster": in_use },
            "configuration": configuration(&self.settings, headers),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// The timers of Kong's Lua code, of which there are none here. (Kong: Admin API, "Retrieve runtime debugging
    /// info".)
    pub(super) fn timers() -> Response<Body> {
        let text = json!({
            "worker": { "id": 0, "count": 1 },
            "stats": {
                "sys": { "total": 0, "runs": 0, "running": 0, "pending": 0, "waiting": 0 },
                "timers": {},
                "flamegraph": { "running": "", "pending": "", "elapsed_time": "" },
            },
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// Lists the plugins that are available.
    pub(super) fn enabled_plugins() -> Response<Body> {
        let names: Vec<&str> = plugin::ALL.iter().map(|def| def.name).collect();
        reply::json(StatusCode::OK, json!({ "enabled_plugins": names }).to_string())
    }

    /// The state of the node; `with_source` adds source lines to diagnostics.
    pub(super) fn status(&self, query: &str, with_source: bool) -> Response<Body> {
        let unit = match SizeUnit::parse(query) {
            Ok(unit) => unit,
            Err(message) => return reply::message(StatusCode::BAD_REQUEST, &message),
        };
        let history = self.control.load_history();
        let snapshot = self.control.live().current();
        let report_json = |at: SystemTime, report: &DiagnosticReport| {
            let mut diagnostics = report.to_json();
            for diagnostic in diagnostics.as_array_mut().into_iter().flatten().filter(|_| !with_source) {
                diagnostic["source"] = Value::Array(Vec::new());
            }
            json!({ "at": unix_seconds(at), "message": report.summary(), "diagnostics": diagnostics })
        };
        let pending = history.pending.as_ref().map(|pending| report_json(pending.at, &pending.report));
        // A postponed load is also a reason why the live configuration differs from the file.
        let failure = history.last_error.as_ref().map(|failure| report_json(failure.at, &failure.report));
        let last_error = pending.clone().or(failure);
        let file = self.control.file().map(|file| {
            let why = history.replaced_source.is_some().then_some(REPLACED_IN_MEMORY);
            let is_current = why.is_none() && last_error.is_none();
            json!({ "name": file.display().to_string(), "is_current": is_current, "replaced": why })
        });
        let text = json!({
            "configuration_hash": snapshot.hash,
            "configuration": {
                "source": history.source,
                "generation": snapshot.generation,
                "loaded_at": unix_seconds(snapshot.loaded_at),
                "loads": history.loads,
                "failures": history.failures,
                "last_error": last_error,
                "pending": pending,
                "file": file,
                "quarantined": quarantined_json(&snapshot, history.text.as_ref()),
                "last_good": self.control.last_good().map(|store| last_good_json(store, &history)),
            },
            // The memory of the process; Kong reports that of its Lua VMs here.
            "memory": {
                "workers_lua_vms": resident_memory_kib()
                    .map(|kib| json!({ "pid": std::process::id(), "http_allocated_gc": unit.format(kib) }))
                    .into_iter()
                    .collect::<Vec<_>>(),
                "lua_shared_dicts": {},
            },
            "server": self.connection_counters(),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// Counters of client connections, in nginx's terms.
    fn connection_counters(&self) -> Value {
        let connections = self.connections.states();
        json!({
            "connections_accepted": connections.accepted,
            "connections_active": connections.active(),
            "connections_handled": connections.accepted,
            "connections_reading": connections.reading,
            "connections_waiting": connections.waiting,
            "connections_writing": connections.writing,
            "total_requests": connections.requests,
            "uptime_seconds": self.started.elapsed().as_secs(),
        })
    }

    pub(super) fn ready(&self) -> Response<Body> {
        if self.readiness.is_draining() {
            return reply::message(StatusCode::SERVICE_UNAVAILABLE, "draining");
        }
        if self.control.live().current().entities.is_empty() {
            let text = "no configuration available (empty configuration present)";
            return reply::message(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        reply::message(StatusCode::OK, "ready")
    }
}

/// The last good configuration on the disk.
fn last_good_json(store: &LastGoodStore, history: &LoadHistory) -> Value {
    let LastGoodStatus { saved_at, error, failures } = store.status();
    json!({
        "file": store.path().display().to_string(),
        "saved_at": saved_at.map(unix_seconds),
        "is_live": history.restored.is_some(),
        "error": error,
        "failures": failures,
    })
}

/// The entities in quarantine, with their places in the text.
fn quarantined_json(snapshot: &Snapshot, text: Option<&Arc<SourceFile>>) -> Vec<Value> {
    let Some(text) = text.filter(|_| !snapshot.quarantined().is_empty()) else { return Vec::new() };
    let errors = snapshot.quarantined().iter().map(|entity| entity.error.clone()).collect();
    let report = DiagnosticReport::new(text.clone(), errors);
    let places = report.positions(report.diagnostics());
    let all = snapshot.quarantined().iter().zip(places);
    let entry = |(quarantined, place): (&QuarantinedEntity, Position)| {
        json!({
            "entity": quarantined.entity.singular(),
            "name": quarantined.name,
            "path": quarantined.at.to_string(),
            "file": report.source_of(&quarantined.error).name,
            "line": place.line,
            "column": place.column,
            "reason": quarantined.error.message,
            "effect": quarantined.effect,
        })
    };
    all.map(entry).collect()
}

/// Unit and digits of memory sizes. (Kong: Admin API, "Retrieve node status", `unit` and `scale`.)
struct SizeUnit {
    unit: &'static str,
    /// Size of the unit in KiB.
    kib: u32,
    digits: usize,
}

impl SizeUnit {
    /// The unit of a query; MiB with two digits by default.
    fn parse(query: &str) -> Result<Self, String> {
        let mut sizes = Self { unit: "MiB", kib: 1 << 10, digits: 2 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("unit", "k" | "K") => (sizes.unit, sizes.kib) = ("KiB", 1),
                ("unit", "m" | "M") => (sizes.unit, sizes.kib) = ("MiB", 1 << 10),
                ("unit", "g" | "G") => (sizes.unit, sizes.kib) = ("GiB", 1 << 20),
                ("unit", other) => {
                    return Err(format!("invalid unit '{other}' (expected 'k/K', 'm/M', or 'g/G')"));
                }
                ("scale", text) => match text.parse::<f64>() {
                    Ok(number) if number < 0.0 => {
                        return Err("scale must be equal or greater than 0".to_owned());
                    }
                    // The size is a whole number of KiB, so more digits carry no information.
                    _ => sizes.digits = text.parse().map_or(2, |digits: usize| digits.min(12)),
                },
                _ => (),
            }
        }
        Ok(sizes)
    }

    fn format(&self, kib: u64) -> String {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        format!("{:.*} {}", self.digits, f64::from(kib) / f64::from(self.kib), self.unit)
    }
}

/// The settings of the process that clients of the Admin API read.
fn configuration(settings: &Settings, headers: &HeaderMap) -> Value {
    let listeners = |all: &[Listener]| -> Vec<Value> {
        let convert = |listener: &Listener| json!({ "ip": listener.address.ip(), "port": listener.address.port(), "ssl": listener.tls, "http2": listener.http2, "listener": listener.address.to_string() });
        all.iter().map(convert).collect()
    };
    let listens = |all: &[Listener]| -> Vec<String> {
        let convert = |listener: &Listener| {
            let flags = [
                (listener.tls, " ssl"),
                (listener.http2, " http2"),
                (listener.proxy_protocol, " proxy_protocol"),
            ];
            let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag);
            format!("{}{}", listener.address, flags.collect::<String>())
        };
        all.iter().map(convert).collect()
    };
    let plugins: serde_json::Map<String, Value> = plugin::ALL
        .iter()
        .filter(|def| settings.plugins.allows(def.name))
        .map(|def| (def.name.to_owned(), true.into()))
        .collect();
    json!({
        "database": "off",
        "proxy_listen": listens(&settings.proxy_listen),
        "admin_listen": listens(&settings.admin_listen),
        "status_listen": listens(&settings.status_listen),
        "admin_gui_listen": listens(&settings.manager_listeners().listeners),
        "admin_gui_path": settings.admin_gui_path,
        "portal": !settings.portal_listeners().listeners.is_empty(),
        "portal_gui_host": portal_host(settings, headers),
        "portal_gui_protocol": "http",
        "portal_is_legacy": false,
        "portal_gui_listen": listens(&settings.portal_listeners().listeners),
        "loaded_plugins": plugins,
        "upstream_keepalive_pool_size": settings.upstream_keepalive_pool_size,
        "upstream_keepalive_max_requests":
            settings.upstream_keepalive_max_requests.map_or(0, std::num::NonZeroU64::get),
        "upstream_keepalive_idle_timeout":
            settings.upstream_keepalive_idle_timeout.map_or(0, |timeout| timeout.as_secs()),
        "allow_debug_header": settings.allow_debug_header,
        "anonymous_reports": false,
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
        "admin_gui_listeners": listeners(&settings.manager_listeners().listeners),
        "portal_gui_listeners": listeners(&settings.portal_listeners().listeners),
        "admin_gui_url": settings.admin_gui_url,
        "log_level": settings.log_level.name(),
    })
}

/// Host and port of the portal, with which clients make its URL.
fn portal_host(settings: &Settings, headers: &HeaderMap) -> Option<String> {
    let listeners = settings.portal_listeners().listeners;
    let address = listeners.iter().find(|listener| !listener.tls)?.address;
    if !address.ip().is_unspecified() {
        return Some(address.to_string());
    }
    let host = host_name(headers);
    Some(format!("{}:{}", host.as_deref().unwrap_or("127.0.0.1"), address.port()))
}

/// The host of a request, without the port.
pub(super) fn host_name(headers: &HeaderMap) -> Option<String> {
    let host: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(host.host().to_owned())
}

pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs())
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
