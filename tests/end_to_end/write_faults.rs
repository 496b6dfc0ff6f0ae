//! Writes of the Admin API with a fault at each of their steps: the process is killed, the disk is full, the folder
//! is read-only. Steps are system calls, which `faults.c` intercepts, so the gateway has no code for these tests.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command, sync::OnceLock};

use crate::{
    client::{Answer, Client},
    eventually,
    folder::Folder,
    gateway::{Gateway, Setup},
};

const OLD: &str = "_format_version: \"3.0\"\nservices:\n- name: a # the first\n  host: a.example\n";
const NEW: &str =
    "_format_version: \"3.0\"\nservices:\n- name: a # the first\n  host: a.example\n  retries: 1\n";

/// The temporary file beside `kong.yaml` during a write.
const BESIDE: &str = ".kong.yaml.mynah-new";

/// Steps before which the file is the old one, and those before which it is the new one.
const BEFORE: &[&str] = &["remove", "create", "permissions", "write", "half", "flush", "exchange", "rename"];
const AFTER: &[&str] = &["read back", "flush folder", "remove", "answer"];

/// More steps than a write has.
const MANY: usize = 40;

/// Compiles the library that intercepts system calls; returns its path.
fn faults() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/faults.c");
        // The same compiler builds some dependencies, so it is installed.
        let mut compiler = Command::new("cc");
        let made =
            compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
        assert!(made.is_ok_and(|status| status.success()), "{source} is not C to this compiler");
        library.to_str().unwrap().to_owned()
    })
}

/// A gateway that fails at a step, its file in a folder of its own, behind a link.
fn gateway(step: usize, environment: &[(&str, &str)]) -> Gateway {
    let setup = Setup::new().file("real/kong.yaml", OLD);
    symlink("real/kong.yaml", setup.folder.at("kong.yaml")).unwrap();
    let setup = setup.env("LD_PRELOAD", faults()).env("FAULT_STEP", &step.to_string());
    environment.iter().fold(setup, |setup, (name, value)| setup.env(name, value)).run()
}

fn patch(gateway: &Gateway, retries: u8) -> Result<Answer, String> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("retries={retries}");
    let url = gateway.admin_url("/services/a");
    Client::fresh().send("PATCH", &url, &headers, Some(form.as_bytes())).map_err(|error| error.to_string())
}

/// The steps up to the failing one, or up to the answer.
#[track_caller]
fn steps(gateway: &Gateway, failing: usize) -> Vec<String> {
    let step = |line: &str| Some(line.strip_prefix("step ")?.split_once(": ")?.1.to_owned());
    eventually("the steps are recorded", || {
        let all: Vec<String> = gateway.log().lines().filter_map(step).collect();
        (all.len() > failing || all.last().is_some_and(|step| step == "answer")).then_some(all)
    })
}

fn saved(folder: &Folder) -> String {
    assert!(fs::symlink_metadata(folder.at("kong.yaml")).unwrap().is_symlink());
    folder.read("real/kong.yaml")
}

fn temporary_file_exists(folder: &Folder) -> bool {
    folder.at(&format!("real/{BESIDE}")).exists()
}

/// Checks that a gateway starts with the folder, makes a write, and leaves no temporary file.
#[track_caller]
fn assert_recovers(folder: Folder, text: &str) {
    let gateway = Setup::in_folder(folder).run();
    let retries = if text == OLD { 5 } else { 1 };
    assert_eq!(gateway.admin("GET", "/services/a").json()["retries"], retries);
    assert_eq!(gateway.admin("GET", "/services").json()["data"].as_array().unwrap().len(), 1);
    let answer = patch(&gateway, 2).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(saved(&gateway.folder), NEW.replace("retries: 1", "retries: 2"));
    assert!(!temporary_file_exists(&gateway.folder));
}

/// Kills a gateway at each step of a write; the names of the steps.
fn kill_at_each_step(environment: &[(&str, &str)]) -> Vec<String> {
    for step in 0..MANY {
        let mut gateway = gateway(step, environment);
        let answer = patch(&gateway, 1);
        let all = steps(&gateway, step);
        if answer.is_ok() {
            assert_eq!(all.len(), step);
            return all;
        }
        eventually("the process is killed", || gateway.has_ended().then_some(()));
        let (last, before) = all.split_last().unwrap();
        let is_saved = before.iter().any(|step| step == "exchange" || step == "rename");
        let expected = if is_saved { NEW } else { OLD };
        assert!(if is_saved { AFTER } else { BEFORE }.contains(&last.as_str()), "{all:?}");
        let Gateway { folder, .. } = gateway;
        assert_eq!(saved(&folder), expected, "{all:?}");
        assert_recovers(folder, expected);
    }
    panic!("a write has more than {MANY} steps")
}

#[test]
fn a_process_killed_at_any_step_leaves_the_old_text_or_the_new_one() {
    let all = kill_at_each_step(&[]);
    let expected = [
        "remove",
        "create",
        "permissions",
        "write",
        "half",
        "flush",
        "exchange",
        "read back",
        "flush folder",
        "remove",
        "answer",
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_process_killed_without_atomic_exchange_leaves_the_old_text_or_the_new_one() {
    let all = kill_at_each_step(&[("FAULT_PLAIN", "1")]);
    let expected = [
        "remove",
        "create",
        "permissions",
        "write",
        "half",
        "flush",
        "rename",
        "flush folder",
        "remove",
        "answer",
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_leftover_temporary_file_is_not_a_configuration() {
    for length in [0, 1, NEW.len() / 2, NEW.len()] {
        let setup = Setup::new().file("real/kong.yaml", OLD).file(&format!("real/{BESIDE}"), &NEW[..length]);
        symlink("real/kong.yaml", setup.folder.at("kong.yaml")).unwrap();
        assert_recovers(setup.folder, OLD);
    }
}

/// Checks writes in which one step fails with this error, for each step.
#[track_caller]
fn check_each_step(error: &str, status: u16, message: &str) {
    for step in 0..MANY {
        let gateway = gateway(step, &[("FAULT_ERROR", error)]);
        let answer = patch(&gateway, 1);
        let all = steps(&gateway, step);
        if all.len() <= step {
            assert_eq!(answer.unwrap().status, 200);
            return;
        }
        let failed = all[step].as_str();
        let is_late = all[..step].iter().any(|step_name| step_name == "exchange") && failed != "read back";
        let expected = if is_late { NEW } else { OLD };
        match answer {
            // A connection that cannot be written to is closed.
            Err(_) => assert_eq!(failed, "answer"),
            Ok(answer) if is_late => assert_eq!(answer.status, 200, "{failed}: {}", answer.text()),
            Ok(answer) => {
                assert_eq!(answer.status, status, "{failed}: {}", answer.text());
                assert!(
                    answer.text().contains("kong.yaml cannot be written: "),
                    "{failed}: {}",
                    answer.text()
                );
                assert!(answer.text().contains(message), "{failed}: {}", answer.text());
            }
        }
        assert_eq!(saved(&gateway.folder), expected, "{failed}");
        assert_eq!(temporary_file_exists(&gateway.folder), is_late && failed == "remove", "{failed}");
        let retries = if is_late { 1 } else { 5 };
        assert_eq!(gateway.admin("GET", "/services/a").json()["retries"], retries, "{failed}");
        // The next write succeeds.
        assert_eq!(patch(&gateway, 2).unwrap().status, 200, "{failed}");
        assert_eq!(saved(&gateway.folder), NEW.replace("retries: 1", "retries: 2"), "{failed}");
        assert!(!temporary_file_exists(&gateway.folder), "{failed}");
    }
    panic!("a write has more than {MANY} steps")
}

const EIO: &str = "5";
const EACCES: &str = "13";
const EBUSY: &str = "16";
const ENOSPC: &str = "28";
const EROFS: &str = "30";

#[test]
fn a_full_disk_is_reported_and_nothing_changes() {
    check_each_step(ENOSPC, 500, "No space left on device");
}

#[test]
fn a_broken_disk_is_reported_and_nothing_changes() {
    check_each_step(EIO, 500, "Input/output error");
}

#[test]
fn a_read_only_folder_is_reported_and_nothing_changes() {
    for (error, message) in [(EACCES, "Permission denied"), (EROFS, "Read-only file system")] {
        check_each_step(error, 405, message);
    }
}

#[test]
fn a_file_mounted_by_itself_is_not_written_and_the_remedy_is_reported() {
    check_each_step(EBUSY, 405, "mount its directory instead");
}
