//! Concurrent writes of many clients of the Admin API, while others read, edit the file and send requests; and the
//! memory that remains.
//!
//! `CROWD_SECONDS=60 CROWD_WRITERS=50 cargo test --test end_to_end admin_concurrency` runs longer than the test
//! suite.

use std::{
    fs::{self, File},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{
    client::{Answer, Client},
    eventually,
    gateway::{Gateway, Setup},
    pause,
};

fn env_number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A Service and a Route for each writer, one Route that is never written, and one Service that is edited in the
/// file.
fn config(writers: usize) -> String {
    let one = |n: usize| {
        format!(
            "- name: w{n} # of writer {n}\n  host: w.example\n  routes:\n  - name: r{n}\n    paths: [/w{n}/first]\n"
        )
    };
    let all: String = (0..writers).map(one).collect();
    format!(
        "_format_version: \"3.0\"\nplugins:\n- name: request-termination\n  config: {{status_code: 200, message: here}}\n\
         routes:\n- name: still\n  paths: [/still]\nservices:\n- name: by-hand\n  host: h.example\n  retries: 0\n{all}"
    )
}

fn patch(client: &Client, gateway: &Gateway, path: &str, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    client.send("PATCH", &gateway.admin_url(path), &headers, Some(form.as_bytes())).unwrap()
}

fn get(client: &Client, url: &str) -> Answer {
    client.send("GET", url, &[], None).unwrap()
}

/// Whether a path has a Route.
fn has_route(client: &Client, gateway: &Gateway, path: &str) -> bool {
    let answer = get(client, &gateway.url(path));
    assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
    answer.status == 200
}

/// Edits the file as an editor that coordinates with gateways: it holds the lock of the directory.
fn edit(gateway: &Gateway, retries: usize) {
    let folder = File::open(gateway.folder.path()).unwrap();
    folder.lock().unwrap();
    let text = gateway.folder.read("kong.yaml");
    let (before, after) = text.split_once("  host: h.example\n  retries: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let text = format!("{before}  host: h.example\n  retries: {retries}\n{after}");
    fs::write(gateway.folder.at("editor"), text).unwrap();
    fs::rename(gateway.folder.at("editor"), gateway.folder.at("kong.yaml")).unwrap();
}

#[test]
fn every_answered_write_persists() {
    let writers = env_number("CROWD_WRITERS", 8);
    let gateway = Setup::with(&config(writers)).run();
    let end = Instant::now() + Duration::from_secs(env_number("CROWD_SECONDS", 3) as u64);
    let (done, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut made = vec![0; writers];
    let mut edits = 0;
    std::thread::scope(|scope| {
        for (n, made) in made.iter_mut().enumerate() {
            let gateway = &gateway;
            scope.spawn(move || {
                let (admin, proxy) = (Client::kept(), Client::kept());
                let mut path = format!("/w{n}/first");
                while Instant::now() < end {
                    let next = format!("/w{n}/{}", *made + 1);
                    let answer = patch(&admin, gateway, &format!("/routes/r{n}"), &format!("paths={next}"));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    *made += 1;
                    // A client that reads after its write sees it, in the Admin API and at the proxy.
                    assert!(has_route(&proxy, gateway, &next), "{next}");
                    assert!(!has_route(&proxy, gateway, &path), "{path}");
                    let seen = get(&admin, &gateway.admin_url(&format!("/routes/r{n}"))).json();
                    assert_eq!(seen["paths"][0], next);
                    path = next;
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Client::kept();
                while !done.load(Ordering::SeqCst) {
                    assert!(has_route(&client, &gateway, "/still"));
                    requests.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while Instant::now() < end {
            edits += 1;
            edit(&gateway, edits);
            pause(150);
        }
        done.store(true, Ordering::SeqCst);
    });
    let text = gateway.folder.read("kong.yaml");
    for (n, made) in made.iter().enumerate() {
        let paths = if *made == 0 { "first".to_owned() } else { made.to_string() };
        let written = format!(
            "- name: w{n} # of writer {n}\n  host: w.example\n  routes:\n  - name: r{n}\n    paths: [/w{n}/{paths}]\n"
        );
        assert!(text.contains(&written), "{written} is not in\n{text}");
    }
    assert!(text.contains(&format!("  retries: {edits}\n")), "{text}");
    let expected = 8 + 5 * writers + 3;
    assert_eq!(text.lines().count(), expected, "{text}");
    eventually("the last edit is current", || {
        (gateway.admin("GET", "/services/by-hand").json()["retries"] == edits).then_some(())
    });
    let (patches, requests) = (made.iter().sum::<usize>(), requests.into_inner());
    eprintln!("{patches} writes of {writers} writers, {edits} edits, {requests} other requests");
    assert!(patches >= writers && requests > 0);
}

/// Number of configurations in memory.
fn configs_in_memory(gateway: &Gateway) -> usize {
    let metrics = gateway.admin("GET", "/metrics");
    let line =
        metrics.text().lines().find_map(|line| line.strip_prefix("mynah_configs_held ")).unwrap().to_owned();
    line.parse().unwrap()
}

#[test]
fn replaced_configurations_are_freed() {
    let gateway = Setup::with(&config(4)).run();
    let (proxy, admin) = (Client::kept(), Client::kept());
    for n in 1..=40 {
        assert!(has_route(&proxy, &gateway, "/still"));
        assert_eq!(patch(&admin, &gateway, "/services/w1", &format!("retries={n}")).status, 200);
        edit(&gateway, n);
        // The next write loads the edited file first.
        assert_eq!(patch(&admin, &gateway, "/routes/r2", &format!("paths=/w2/{n}")).status, 200);
        assert!(has_route(&proxy, &gateway, &format!("/w2/{n}")));
    }
    let config = fs::read(gateway.folder.at("kong.yaml")).unwrap();
    for _ in 0..3 {
        let headers = [("content-type", "text/yaml")];
        let answer = admin.send("POST", &gateway.admin_url("/config"), &headers, Some(&config)).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    // The connections stay open, and none of the remaining configurations is the first one.
    assert!(has_route(&proxy, &gateway, "/still"));
    eventually("only the current one is in memory", || (configs_in_memory(&gateway) == 1).then_some(()));
}
