//! The real binary on free ports, and its Admin API.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A gateway that runs until it is dropped.
pub(crate) struct Gateway {
    process: Child,
    proxy: SocketAddr,
    proxy_port: String,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts one that has nothing to do yet.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        command.args(["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.env_clear().env("KONG_DECLARATIVE_CONFIG_STRING", "_format_version: \"3.0\"");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut greeting = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let (proxy, admin) = (place(&greeting, "proxy"), place(&greeting, "admin"));
        Self { process, proxy, proxy_port: proxy.port().to_string(), admin }
    }

    pub(crate) fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    pub(crate) fn proxy_port(&self) -> &str {
        &self.proxy_port
    }

    /// Loads a configuration.
    #[track_caller]
    pub(crate) fn load(&self, config: &Value) {
        let mut config = config.clone();
        config["_format_version"] = "3.0".into();
        let mut agent = ureq::Agent::config_builder();
        agent = agent.http_status_as_error(false);
        let request = agent.build().new_agent().post(format!("http://{}/config", self.admin));
        let mut response = request.content_type("application/json").send(config.to_string()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 201, "{text}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where something is served, by its name in the greeting.
#[track_caller]
fn place(greeting: &str, name: &str) -> SocketAddr {
    let rest = greeting.split(&format!("{name} http://")).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {name} in {greeting:?}"));
    rest.split([',', ';', ' ']).next().unwrap().parse().unwrap()
}
