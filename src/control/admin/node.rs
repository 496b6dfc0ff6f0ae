//! `GET /`, `/status`, `/status/ready`: who this is, and how it is.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{AdminApi, metrics::resident_kib};
use crate::{
    body::Body,
    diag::DiagnosticReport,
    plugin, reply,
    settings::{Listener, RouterFlavor, Settings},
};

/// The version of Kong whose Admin API is spoken here: by it clients such as decK and the Ingress Controller decide
/// what they may ask for.
const KONG: &str = "3.9.3";

/// Why what is current is not what the file says.
const REPLACED: &str =
    "POST /config has replaced it in memory; the file counts again once it is saved, or after SIGHUP";

impl AdminApi {
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
            "lua_version": "none",
            "pids": { "master": std::process::id(), "workers": [std::process::id()] },
            "timers": { "running": 0, "pending": 0 },
            "plugins": { "available_on_server": available, "enabled_in_cluster": in_use },
            "configuration": configuration(&self.settings),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// The timers of Kong's scripts, of which there are none here. (Kong: Admin API, "Retrieve runtime debugging info".)
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

    pub(super) fn status(&self, query: &str) -> Response<Body> {
        let sizes = match SizeUnit::read(query) {
            Ok(sizes) => sizes,
            Err(message) => return reply::message(StatusCode::BAD_REQUEST, &message),
        };
        let state = self.control.state();
        let snapshot = self.control.live().current();
        let told = |at: SystemTime, report: &DiagnosticReport| json!({ "at": seconds(at), "message": report.summary(), "diagnostics": report.to_json() });
        let pending = state.pending.as_ref().map(|it| told(it.at, &it.report));
        // What is not loaded yet is a reason why the file and what is live differ, too.
        let failure = state.last_error.as_ref().map(|it| told(it.at, &it.report));
        let last_error = pending.clone().or(failure);
        let file = self.control.file().map(|file| {
            let why = state.over.is_some().then_some(REPLACED);
            let is_current = why.is_none() && last_error.is_none();
            json!({ "name": file.display().to_string(), "is_current": is_current, "replaced": why })
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
                "pending": pending,
                "file": file,
            },
            // The memory of the process, where Kong tells that of its scripts.
            "memory": {
                "workers_lua_vms": resident_kib()
                    .map(|kib| json!({ "pid": std::process::id(), "http_allocated_gc": sizes.write(kib) }))
                    .into_iter()
                    .collect::<Vec<_>>(),
                "lua_shared_dicts": {},
            },
            "server": self.server(),
        });
        reply::json(StatusCode::OK, text.to_string())
    }

    /// What nginx would tell of its connections.
    fn server(&self) -> Value {
        let doing = self.connections.states();
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

/// How sizes of memory are written. (Kong: Admin API, "Retrieve node status", `unit` and `scale`.)
struct SizeUnit {
    unit: &'static str,
    /// The unit in KiB.
    kib: u32,
    digits: usize,
}

impl SizeUnit {
    /// What a query asks for; by default MiB with two digits.
    fn read(query: &str) -> Result<Self, String> {
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
                    // More digits than this say nothing of a whole number of KiB.
                    _ => sizes.digits = text.parse().map_or(2, |digits: usize| digits.min(12)),
                },
                _ => (),
            }
        }
        Ok(sizes)
    }

    fn write(&self, kib: u64) -> String {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        format!("{:.*} {}", self.digits, f64::from(kib) / f64::from(self.kib), self.unit)
    }
}

/// The settings of the process, as far as those who ask the Admin API read them.
fn configuration(settings: &Settings) -> Value {
    let listeners = |all: &[Listener]| -> Vec<Value> {
        let one = |it: &Listener| json!({ "ip": it.address.ip(), "port": it.address.port(), "ssl": it.tls, "http2": it.http2, "listener": it.address.to_string() });
        all.iter().map(one).collect()
    };
    let listens = |all: &[Listener]| -> Vec<String> {
        let one = |it: &Listener| {
            let flags = [(it.tls, " ssl"), (it.http2, " http2"), (it.proxy_protocol, " proxy_protocol")];
            let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag);
            format!("{}{}", it.address, flags.collect::<String>())
        };
        all.iter().map(one).collect()
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
        "admin_gui_listen": [],
        "loaded_plugins": plugins,
        "upstream_keepalive_pool_size": settings.upstream_keepalive_pool_size,
        "upstream_keepalive_max_requests":
            settings.upstream_keepalive_max_requests.map_or(0, std::num::NonZeroU64::get),
        "upstream_keepalive_idle_timeout":
            settings.upstream_keepalive_idle_timeout.map_or(0, |it| it.as_secs()),
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
