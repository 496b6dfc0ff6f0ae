//! Live reload under load: clients send requests without pause while the configuration changes.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

/// A gateway whose answers contain the version of its configuration, and clients that send requests to it.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    clients: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    answers: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// A version of the configuration: the mock and the service both return its number. Its beginning is valid without
/// its end, so that a part could be taken for the whole.
pub(crate) fn version(n: u64, upstream: &Upstream) -> String {
    format!(
        "\
# version {n}
_format_version: \"3.0\"
services:
- name: echo
  url: http://{}/version-{n}
  routes:
  - name: through
    paths: [/through]
routes:
- name: mock
  paths: [/mock]
  plugins:
  - name: mocking
    config:
      api_specification: |
        openapi: 3.0.3
        info: {{title: mock, version: '{n}'}}
        paths:
          /mock:
            get:
              responses:
                '200':
                  description: tells the version
                  content: {{application/json: {{example: version {n}.}}}}
",
        upstream.address
    )
}

impl Scene {
    /// Starts with version 1 in `kong.yaml`, and clients with persistent and with new connections.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::arranged(|setup, first| setup.file("kong.yaml", first), &[])
    }

    /// Starts with version 1 at the place that `arrange` chooses.
    #[track_caller]
    pub(crate) fn arranged(arrange: impl FnOnce(Setup, &str) -> Setup, arguments: &[&str]) -> Self {
        let upstream = Upstream::start();
        let setup = arrange(Setup::new(), &version(1, &upstream));
        let listen = ["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let gateway = setup.start(&[&listen, arguments].concat());
        let shared = Arc::new(Shared::default());
        let clients = [(Client::kept(), "/mock"), (Client::fresh(), "/mock"), (Client::kept(), "/through")];
        let clients = clients.map(|(client, path)| {
            let (url, shared) = (gateway.url(path), shared.clone());
            std::thread::spawn(move || send_requests(&client, &url, &shared))
        });
        Self { gateway, upstream, clients: clients.into(), shared }
    }

    /// The text of a version.
    pub(crate) fn text(&self, n: u64) -> String {
        version(n, &self.upstream)
    }

    /// Waits until this version is served.
    #[track_caller]
    pub(crate) fn serves(&self, n: u64) {
        eventually(&format!("version {n} is served"), || (self.current() == n).then_some(()));
    }

    /// The version that is served now.
    #[track_caller]
    pub(crate) fn current(&self) -> u64 {
        version_of(&self.gateway.get("/mock")).unwrap()
    }

    /// Waits until the clients have sent more requests.
    #[track_caller]
    pub(crate) fn serves_more_requests(&self) {
        let before = self.shared.answers.load(Ordering::Relaxed);
        eventually("the clients go on", || {
            (self.shared.answers.load(Ordering::Relaxed) > before + 20).then_some(())
        });
    }

    /// Stops the clients, and checks that none of their requests failed and that this version is served.
    #[track_caller]
    pub(crate) fn end(self, last: u64) -> Gateway {
        self.serves_more_requests();
        self.shared.ended.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        let failures = self.shared.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
        for path in ["/mock", "/through"] {
            assert_eq!(version_of(&self.gateway.get(path)), Some(last), "{path}");
        }
        self.gateway
    }
}

/// Sends requests until the end; an answer that is not from this version or a later one is a failure.
fn send_requests(client: &Client, url: &str, shared: &Shared) {
    let mut last = 0;
    while !shared.ended.load(Ordering::Relaxed) {
        let failure = match client.send("GET", url, &[], None) {
            Ok(answer) => match version_of(&answer).filter(|_| answer.status == 200) {
                Some(n) if n >= last => {
                    last = n;
                    None
                }
                Some(n) => Some(format!("{url}: version {n} after {last}")),
                None => Some(format!("{url}: after version {last}: {answer:?}")),
            },
            Err(error) => Some(format!("{url}: after version {last}: {error}")),
        };
        shared.failures.lock().unwrap().extend(failure);
        shared.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// The version in an answer.
fn version_of(answer: &Answer) -> Option<u64> {
    let rest = answer.text().split_once("version")?.1.get(1..)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn the_log_reports_the_changes() {
    let gateway = Setup::with("_format_version: \"3.0\"\nroutes:\n- {name: one, paths: [/one]}\n").run();
    gateway.wait_for_log("loaded kong.yaml (generation 1): 1 route added (one)");
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nroutes:\n- {name: two, paths: [/two]}\n");
    gateway.wait_for_log("(generation 2): 1 route added (two), 1 route removed (one)");
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\nroutes:\n- {name: two, paths: [/2]}\n");
    gateway.wait_for_log("(generation 3): 1 route changed (two)");
}

#[test]
fn a_signal_reloads() {
    let scene = Scene::start();
    scene.gateway.signal("HUP");
    scene.gateway.wait_for_log("SIGHUP");
    eventually("the file is reloaded", || {
        (scene.gateway.status()["configuration"]["loads"] == 2).then_some(())
    });
    scene.end(1);
}

#[test]
fn a_signal_reverts_a_posted_configuration() {
    let gateway = Setup::with("_format_version: \"3.0\"\nroutes:\n- {name: one, paths: [/one]}\n").run();
    let other = "_format_version: \"3.0\"\n";
    let url = gateway.admin_url("/config");
    let client = Client::fresh();
    let answer = client.send("POST", &url, &[("content-type", "text/yaml")], Some(other.as_bytes())).unwrap();
    assert_eq!((answer.status, gateway.get("/one").status), (201, 404));
    gateway.signal("HUP");
    eventually("the file is loaded again", || (gateway.get("/one").status == 503).then_some(()));
}

#[test]
fn a_request_finishes_on_the_version_it_started_with() {
    let upstream = Upstream::start();
    let gateway = Setup::with(&version(1, &upstream)).run();
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    raw.send("GET /through/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\n");
    eventually("the route is gone", || (gateway.get("/through").status == 404).then_some(()));
    upstream.release();
    raw.read_until("/version-1/hold");
    raw.send("GET /through/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    raw.read_until("no Route matched");
}
