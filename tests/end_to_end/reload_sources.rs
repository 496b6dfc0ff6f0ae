//! All triggers of a reload, and files that a process is writing: an incomplete file is never live.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
};

use serde_json::json;

use crate::{
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
    pause,
};

const HALF: &str = "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://127.0.0.1:1\n  routes:\n  - name: r\n    \
                    paths: [/r]\n";
const GUARD: &str = "    plugins:\n    - name: key-auth\n";

fn guarded_config() -> String {
    format!("{HALF}{GUARD}")
}

/// Starts to rewrite `kong.yaml`.
fn write_first_half(gateway: &Gateway) -> File {
    let mut writer = File::create(gateway.folder.at("kong.yaml")).unwrap();
    writer.write_all(HALF.as_bytes()).unwrap();
    writer
}

#[track_caller]
fn assert_guarded(gateway: &Gateway) {
    assert_eq!(gateway.get("/r").status, 401);
}

#[track_caller]
fn wait_for_error(gateway: &Gateway, text: &str) {
    eventually(&format!("`{text}` is reported"), || {
        let error = gateway.status()["configuration"]["last_error"]["message"].clone();
        error.as_str().is_some_and(|message| message.contains(text)).then_some(())
    });
}

#[track_caller]
fn wait_for_no_error(gateway: &Gateway) {
    eventually("no error is reported", || {
        gateway.status()["configuration"]["last_error"].is_null().then_some(())
    });
}

#[test]
fn no_trigger_loads_a_file_that_is_being_written() {
    let gateway = Setup::with(&guarded_config()).run();
    let mut writer = write_first_half(&gateway);
    let write = gateway.admin_json("POST", "/consumers", json!({ "username": "a" }));
    assert_eq!(write.status, 409, "{}", write.text());
    assert!(write.text().contains("open for writing"), "{}", write.text());
    assert_guarded(&gateway);
    gateway.signal("HUP");
    gateway.wait_for_log("SIGHUP");
    wait_for_error(&gateway, "open for writing");
    // A second process that opens and closes the file does not make it complete.
    drop(OpenOptions::new().append(true).open(gateway.folder.at("kong.yaml")).unwrap());
    pause(1000);
    assert_guarded(&gateway);
    writer.write_all(format!("    tags: [second]\n{GUARD}").as_bytes()).unwrap();
    drop(writer);
    eventually("the whole file is live", || {
        gateway.admin("GET", "/routes/r").text().contains("second").then_some(())
    });
    assert_guarded(&gateway);
    wait_for_no_error(&gateway);
    assert_eq!(gateway.admin_json("POST", "/consumers", json!({ "username": "a" })).status, 201);
    assert!(gateway.folder.read("kong.yaml").contains("username: a"));
}

#[test]
fn a_start_waits_for_a_writer() {
    let setup = Setup::new().file("kong.yaml", HALF);
    let mut writer = OpenOptions::new().append(true).open(setup.folder.at("kong.yaml")).unwrap();
    let rest = std::thread::spawn(move || {
        pause(500);
        writer.write_all(GUARD.as_bytes()).unwrap();
    });
    let gateway = setup.run();
    rest.join().unwrap();
    assert_guarded(&gateway);
}

#[test]
fn a_specification_that_is_being_written_is_not_loaded() {
    let spec = |n: u32| {
        format!(
            "openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths:\n  /a:\n    get:\n      responses:\n        '200': {{description: d, content: {{application/json: {{example: {n}}}}}}}\n"
        )
    };
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: mocking\n    config: \
                  {api_specification_filename: a.yaml}\n";
    let gateway = Setup::with(config).file("specs/a.yaml", spec(1)).run();
    let mut writer = File::create(gateway.folder.at("specs/a.yaml")).unwrap();
    writer.write_all(b"openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths: {}\n").unwrap();
    gateway.signal("HUP");
    wait_for_error(&gateway, "open for writing");
    gateway.get("/a").assert_response(200, "1");
    writer.set_len(0).unwrap();
    drop(writer);
    gateway.folder.write("specs/a.yaml", spec(2));
    eventually("the new document is live", || (gateway.get("/a").text() == "2").then_some(()));
    wait_for_no_error(&gateway);
}

#[test]
fn a_restored_file_is_live_again() {
    let gateway = Setup::with(&guarded_config()).run();
    for n in 0..6 {
        let name = format!("u{n}");
        assert_eq!(gateway.admin_json("POST", "/consumers", json!({ "username": name })).status, 201);
        pause(n * 10);
        gateway.folder.write("editor", guarded_config());
        fs::rename(gateway.folder.at("editor"), gateway.folder.at("kong.yaml")).unwrap();
        eventually("the file is live", || {
            (gateway.admin("GET", &format!("/consumers/{name}")).status == 404).then_some(())
        });
    }
    wait_for_no_error(&gateway);
}

#[test]
fn a_posted_configuration_is_live_until_the_file_is_saved() {
    let gateway = Setup::with(&guarded_config()).run();
    let url = gateway.admin_url("/config");
    let post = || {
        let headers = [("content-type", "text/yaml")];
        Client::fresh().send("POST", &url, &headers, Some(b"_format_version: \"3.0\"\n")).unwrap().status
    };
    assert_eq!((post(), gateway.get("/r").status), (201, 404));
    let file = gateway.status()["configuration"]["file"].clone();
    assert_eq!(file["is_current"], false);
    assert!(file["replaced"].as_str().unwrap().contains("POST /config"), "{file}");
    pause(600);
    assert_eq!(gateway.get("/r").status, 404);
    // Also with the same text.
    gateway.folder.write("kong.yaml", guarded_config());
    eventually("the file is loaded again", || (gateway.get("/r").status == 401).then_some(()));
    assert_eq!(gateway.status()["configuration"]["file"]["is_current"], true);
}

#[test]
fn a_path_that_is_not_a_regular_file_is_reported() {
    let gateway = Setup::with(&guarded_config()).run();
    let file = gateway.folder.at("kong.yaml");
    fs::remove_file(&file).unwrap();
    make_fifo(&file);
    wait_for_error(&gateway, "it is no regular file but a FIFO");
    let write = gateway.admin_json("POST", "/consumers", json!({ "username": "a" }));
    assert!(write.status == 409 && write.text().contains("FIFO"), "{}", write.text());
    fs::remove_file(&file).unwrap();
    File::create(&file).unwrap().set_len(10 << 30).unwrap();
    wait_for_error(&gateway, "it is larger than 256 MiB");
    assert_guarded(&gateway);
    fs::remove_file(&file).unwrap();
    gateway.folder.write("kong.yaml", guarded_config());
    wait_for_no_error(&gateway);
}

fn make_fifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_configuration_of_too_many_nodes_is_refused_while_others_are_answered() {
    let gateway = Setup::with(&guarded_config()).run();
    let text = format!("{{\"_format_version\": \"3.0\", \"services\": [{}0]}}", "0,".repeat(15_000_000));
    let url = gateway.admin_url("/config");
    let post = std::thread::spawn(move || {
        let headers = [("content-type", "application/json")];
        Client::fresh().send("POST", &url, &headers, Some(text.as_bytes())).unwrap()
    });
    while !post.is_finished() {
        assert_eq!(gateway.admin("GET", "/status").status, 200);
        assert_guarded(&gateway);
        pause(20);
    }
    let answer = post.join().unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("more than 2000000 nodes"), "{}", answer.text());
}

/// Deterministic pseudo-random numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// After any interleaving, the file is soon live, or the reason is reported. A longer property test is in
/// `src/control/tests`.
#[test]
fn the_file_is_live_or_the_reason_is_reported() {
    for seed in 0..3 {
        let gateway = Setup::with(&guarded_config()).run();
        let (file, editor) = (gateway.folder.at("kong.yaml"), gateway.folder.at("editor"));
        let config = gateway.admin_url("/config");
        let mut numbers = Numbers(seed);
        for n in 0..12 {
            let text = if numbers.below(5) == 0 {
                "routes: [".to_owned()
            } else {
                format!("# {n}\n{}", guarded_config())
            };
            match numbers.below(6) {
                0 => fs::write(&file, text).unwrap(),
                1 => {
                    let mut writer = write_first_half(&gateway);
                    pause(numbers.below(100));
                    writer.write_all(GUARD.as_bytes()).unwrap();
                }
                2 => {
                    fs::write(&editor, if numbers.below(2) == 0 { guarded_config() } else { text }).unwrap();
                    fs::rename(&editor, &file).unwrap();
                }
                3 => gateway.signal("HUP"),
                4 => {
                    let user = json!({ "username": format!("u{n}") });
                    let status = gateway.admin_json("POST", "/consumers", user).status;
                    assert!([201, 409].contains(&status), "{status}");
                }
                _ => {
                    let headers = [("content-type", "text/yaml")];
                    Client::fresh()
                        .send("POST", &config, &headers, Some(guarded_config().as_bytes()))
                        .unwrap();
                }
            }
            assert_guarded(&gateway);
        }
        eventually("the file is live, or the reason is reported", || {
            let status = gateway.status();
            let live = status["configuration_hash"].as_str().unwrap().to_owned();
            let file_hash = hex(&fs::read(&file).unwrap());
            let is_reported = status["configuration"]["file"]["is_current"] == false;
            (live == file_hash || is_reported).then_some(())
        });
        assert_guarded(&gateway);
    }
}

fn hex(text: &[u8]) -> String {
    use md5::Digest as _;
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
