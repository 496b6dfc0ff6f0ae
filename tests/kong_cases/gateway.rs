//! The gateway binary on free ports, and its Admin API.

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
    tls: SocketAddr,
    tls_port: String,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts a gateway with an empty configuration.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a gateway with further environment variables.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let listen = "127.0.0.1:0, 127.0.0.1:0 http2 ssl";
        command.args(["run", "--proxy-listen", listen, "--admin-listen", "127.0.0.1:0"]);
        command.env_clear().env("KONG_DECLARATIVE_CONFIG_STRING", "_format_version: \"3.0\"");
        // Many gateways run at a time, and the default ports of the pages are fixed.
        command.env("KONG_PORTAL_GUI_LISTEN", "off").env("KONG_ADMIN_GUI_LISTEN", "off");
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut greeting = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let [proxy, tls, admin] =
            ["proxy http", "proxy https", "admin http"].map(|name| listener_address(&greeting, name));
        let [proxy_port, tls_port] = [proxy, tls].map(|address| address.port().to_string());
        Self { process, proxy, proxy_port, tls, tls_port, admin }
    }

    pub(crate) fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    pub(crate) fn proxy_port(&self) -> &str {
        &self.proxy_port
    }

    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls
    }

    pub(crate) fn tls_port(&self) -> &str {
        &self.tls_port
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Loads a configuration.
    #[track_caller]
    pub(crate) fn load(&self, config: &Value) {
        let mut config = config.clone();
        config["_format_version"] = "3.0".into();
        let (status, body) = self.send("/config", "application/json", &config.to_string());
        assert_eq!(status, 201, "{body}");
    }

    /// Posts a text of YAML to the Admin API.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, yaml: &str) -> (u16, Value) {
        self.send(path, "text/yaml", yaml)
    }

    #[track_caller]
    fn send(&self, path: &str, media_type: &str, body: &str) -> (u16, Value) {
        let mut agent = ureq::Agent::config_builder();
        agent = agent.http_status_as_error(false);
        let request = agent.build().new_agent().post(format!("http://{}{path}", self.admin));
        let mut response = request.content_type(media_type).send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address of a listener by its name in the greeting.
#[track_caller]
fn listener_address(greeting: &str, name: &str) -> SocketAddr {
    let rest = greeting.split(&format!("{name}://")).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {name} in {greeting:?}"));
    rest.split([',', ';', ' ']).next().unwrap().parse().unwrap()
}
