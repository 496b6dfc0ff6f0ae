//! Rolling updates: readiness ends before the listeners close, and a second process takes over a port with `reuseport`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
};

/// A configuration that answers with a text of its own.
fn config(text: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: request-termination\n    \
         config: {{status_code: 200, body: {text}, content_type: text/plain}}\n"
    )
}

/// A gateway on this address.
fn start(text: &str, address: &str) -> Gateway {
    let listen = format!("{address} reuseport");
    Setup::with(&config(text)).start(&["run", "--proxy-listen", &listen, "--admin-listen", "off"])
}

#[track_caller]
fn is_not_ready(gateway: &Gateway) {
    eventually("readiness ends", || (gateway.admin("GET", "/status/ready").status == 503).then_some(()));
}

#[test]
fn connections_are_accepted_without_readiness_until_the_delay_ends() {
    let gateway = Setup::with(&config("served")).env("KONG_SHUTDOWN_DELAY", "600").run();
    gateway.signal("TERM");
    is_not_ready(&gateway);
    let answer = gateway.get("/");
    assert_eq!(answer.text(), "served");
    assert_eq!(answer.header("connection"), "close", "the client opens its next connection elsewhere");
    gateway.wait_for_log("connections are accepted for another 600 s");
    gateway.signal("TERM");
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("all requests have finished"), "{outcome:?}");
}

#[test]
fn without_a_delay_sigusr2_ends_readiness_and_the_stop_is_orderly() {
    let gateway = Setup::with(&config("served")).run();
    gateway.signal("USR2");
    is_not_ready(&gateway);
    assert_eq!(gateway.get("/").text(), "served");
    gateway.signal("QUIT");
    assert_eq!(gateway.outcome().code, Some(0));
}

#[test]
fn a_second_process_takes_over_without_a_refused_connection() {
    let first = start("first", "127.0.0.1:0");
    let address = first.address("proxy").to_owned();
    let url = format!("http://{address}/");
    let ask = { move || Client::fresh().send("GET", &url, &[], None).map(|answer| answer.text().to_owned()) };
    let (ends, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (ends, answers, ask) = (ends.clone(), answers.clone(), ask.clone());
            thread::spawn(move || {
                let mut failures = Vec::new();
                while !ends.load(SeqCst) {
                    match ask() {
                        Ok(text) if text == "first" || text == "second" => drop(answers.fetch_add(1, SeqCst)),
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            })
        })
        .collect();
    let more = |number| {
        let before = answers.load(SeqCst);
        eventually("requests are answered", || (answers.load(SeqCst) > before + number).then_some(()));
    };
    more(20);
    let second = start("second", &address);
    eventually("the second process answers", || ask().is_ok_and(|text| text == "second").then_some(()));
    first.signal("TERM");
    assert_eq!(first.outcome().code, Some(0));
    more(20);
    ends.store(true, SeqCst);
    let failures: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(failures, [""; 0]);
    assert_eq!(second.get("/").text(), "second");
}

#[test]
fn a_port_in_use_is_an_error_without_the_flag_in_both_processes() {
    let first = start("first", "127.0.0.1:0");
    let address = first.address("proxy");
    let arguments = ["run", "--proxy-listen", address, "--admin-listen", "off"];
    Setup::with(&config("second")).call(&arguments).is_refusal("reuseport");
}
