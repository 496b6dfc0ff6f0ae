//! All doors through which a configuration comes, and a file that a process is writing: half of it is never live.

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

fn whole() -> String {
    format!("{HALF}{GUARD}")
}

/// Begins to write `kong.yaml` anew.
fn half_written(gateway: &Gateway) -> File {
    let mut writer = File::create(gateway.folder.at("kong.yaml")).unwrap();
    writer.write_all(HALF.as_bytes()).unwrap();
    writer
}

#[track_caller]
fn is_guarded(gateway: &Gateway) {
    assert_eq!(gateway.get("/r").status, 401);
}

#[track_caller]
fn is_told(gateway: &Gateway, text: &str) {
    eventually(&format!("`{text}` is told"), || {
        let error = gateway.status()["configuration"]["last_error"]["message"].clone();
        error.as_str().is_some_and(|it| it.contains(text)).then_some(())
    });
}

#[track_caller]
fn nothing_is_wrong(gateway: &Gateway) {
    eventually("nothing is wrong", || {
        gateway.status()["configuration"]["last_error"].is_null().then_some(())
    });
}

#[test]
fn no_door_reads_a_file_that_is_being_written() {
    let gateway = Setup::with(&whole()).run();
    let mut writer = half_written(&gateway);
    let write = gateway.admin_json("POST", "/consumers", json!({ "username": "a" }));
    assert_eq!(write.status, 409, "{}", write.text());
    assert!(write.text().contains("open for writing"), "{}", write.text());
    is_guarded(&gateway);
    gateway.signal("HUP");
    gateway.logs("SIGHUP");
    is_told(&gateway, "open for writing");
    // Another process that opens and closes the file does not make it complete.
    drop(OpenOptions::new().append(true).open(gateway.folder.at("kong.yaml")).unwrap());
    pause(1000);
    is_guarded(&gateway);
    writer.write_all(format!("    tags: [second]\n{GUARD}").as_bytes()).unwrap();
    drop(writer);
    eventually("the whole file is live", || {
        gateway.admin("GET", "/routes/r").text().contains("second").then_some(())
    });
    is_guarded(&gateway);
    nothing_is_wrong(&gateway);
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
    is_guarded(&gateway);
}

#[test]
fn a_document_that_is_being_written_is_not_read() {
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
    is_told(&gateway, "open for writing");
    gateway.get("/a").is(200, "1");
    writer.set_len(0).unwrap();
    drop(writer);
    gateway.folder.write("specs/a.yaml", spec(2));
    eventually("the new document is live", || (gateway.get("/a").text() == "2").then_some(()));
    nothing_is_wrong(&gateway);
}

#[test]
fn what_the_file_says_again_is_live_again() {
    let gateway = Setup::with(&whole()).run();
    for n in 0..6 {
        let name = format!("u{n}");
        assert_eq!(gateway.admin_json("POST", "/consumers", json!({ "username": name })).status, 201);
        pause(n * 10);
        gateway.folder.write("editor", whole());
        fs::rename(gateway.folder.at("editor"), gateway.folder.at("kong.yaml")).unwrap();
        eventually("the file is live", || {
            (gateway.admin("GET", &format!("/consumers/{name}")).status == 404).then_some(())
        });
    }
    nothing_is_wrong(&gateway);
}

#[test]
fn what_was_posted_is_live_until_the_file_is_saved() {
    let gateway = Setup::with(&whole()).run();
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
    gateway.folder.write("kong.yaml", whole());
    eventually("the file counts again", || (gateway.get("/r").status == 401).then_some(()));
    assert_eq!(gateway.status()["configuration"]["file"]["is_current"], true);
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let gateway = Setup::with(&whole()).run();
    let file = gateway.folder.at("kong.yaml");
    fs::remove_file(&file).unwrap();
    make_fifo(&file);
    is_told(&gateway, "it is no regular file but a FIFO");
    let write = gateway.admin_json("POST", "/consumers", json!({ "username": "a" }));
    assert!(write.status == 409 && write.text().contains("FIFO"), "{}", write.text());
    fs::remove_file(&file).unwrap();
    File::create(&file).unwrap().set_len(10 << 30).unwrap();
    is_told(&gateway, "it is larger than 256 MiB");
    is_guarded(&gateway);
    fs::remove_file(&file).unwrap();
    gateway.folder.write("kong.yaml", whole());
    nothing_is_wrong(&gateway);
}

fn make_fifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_configuration_of_too_many_nodes_is_refused_while_others_are_answered() {
    let gateway = Setup::with(&whole()).run();
    let text = format!("{{\"_format_version\": \"3.0\", \"services\": [{}0]}}", "0,".repeat(15_000_000));
    let url = gateway.admin_url("/config");
    let post = std::thread::spawn(move || {
        let headers = [("content-type", "application/json")];
        Client::fresh().send("POST", &url, &headers, Some(text.as_bytes())).unwrap()
    });
    while !post.is_finished() {
        assert_eq!(gateway.admin("GET", "/status").status, 200);
        is_guarded(&gateway);
        pause(20);
    }
    let answer = post.join().unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("more than 2000000 nodes"), "{}", answer.text());
}

/// A sequence of numbers that is the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Whatever interleaves: soon afterwards the file is live, or it is told why not. The law that asks more often stands beside
/// the code (`src/control/tests`).
#[test]
fn the_file_is_live_or_it_is_told_why_not() {
    for seed in 0..3 {
        let gateway = Setup::with(&whole()).run();
        let (file, editor) = (gateway.folder.at("kong.yaml"), gateway.folder.at("editor"));
        let config = gateway.admin_url("/config");
        let mut numbers = Numbers(seed);
        for n in 0..12 {
            let text =
                if numbers.below(5) == 0 { "routes: [".to_owned() } else { format!("# {n}\n{}", whole()) };
            match numbers.below(6) {
                0 => fs::write(&file, text).unwrap(),
                1 => {
                    let mut writer = half_written(&gateway);
                    pause(numbers.below(100));
                    writer.write_all(GUARD.as_bytes()).unwrap();
                }
                2 => {
                    fs::write(&editor, if numbers.below(2) == 0 { whole() } else { text }).unwrap();
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
                    Client::fresh().send("POST", &config, &headers, Some(whole().as_bytes())).unwrap();
                }
            }
            is_guarded(&gateway);
        }
        eventually("the file is live, or it is told why not", || {
            let status = gateway.status();
            let live = status["configuration_hash"].as_str().unwrap().to_owned();
            let said = hex(&fs::read(&file).unwrap());
            let is_told = status["configuration"]["file"]["is_current"] == false;
            (live == said || is_told).then_some(())
        });
        is_guarded(&gateway);
    }
}

fn hex(text: &[u8]) -> String {
    use md5::Digest as _;
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
