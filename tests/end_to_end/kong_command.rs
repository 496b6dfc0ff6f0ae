//! The command line of Kong: `kong start`, `health`, `reload`, `quit`, `stop` and the others, by exit codes and output.

use std::{os::unix::fs::symlink, process::Command};

use crate::{
    eventually,
    gateway::{Outcome, Setup},
};

const CONFIG: &str = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: \
                      request-termination\n    config: {status_code: 200, message: served}\n";

/// A configuration, and the environment of a container: its prefix is a folder of the test.
fn setup(config: &str) -> Setup {
    let setup = Setup::with(config);
    let prefix = setup.folder.at("prefix").display().to_string();
    setup
        .env("KONG_PREFIX", &prefix)
        .env("KONG_DATABASE", "off")
        .env("KONG_DECLARATIVE_CONFIG", "kong.yaml")
        .env("KONG_PROXY_LISTEN", "127.0.0.1:0")
        .env("KONG_ADMIN_LISTEN", "127.0.0.1:0")
}

/// A gateway in the background, which is stopped when the test ends.
struct Daemon(Setup);

impl Daemon {
    fn kong(&self, arguments: &str) -> Outcome {
        let arguments: Vec<&str> = ["kong"].into_iter().chain(arguments.split_whitespace()).collect();
        self.0.call(&arguments)
    }

    #[track_caller]
    fn assert_succeeds(&self, arguments: &str, text: &str) {
        let outcome = self.kong(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments}: {outcome:?}");
        assert!(outcome.stdout.contains(text), "{arguments}: {outcome:?}");
    }

    #[track_caller]
    fn assert_fails(&self, arguments: &str, text: &str) {
        let outcome = self.kong(arguments);
        assert_eq!(outcome.code, Some(1), "{arguments}: {outcome:?}");
        assert!(outcome.stderr.contains(text), "{arguments}: {outcome:?}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kong("stop");
    }
}

#[test]
fn a_gateway_is_started_reloaded_and_stopped() {
    let daemon = Daemon(setup(CONFIG));
    daemon.assert_fails("health", "Kong is not running at ");
    daemon.assert_fails("reload", "not running in prefix");
    daemon.assert_succeeds("start", "Kong started");
    daemon.assert_fails("start", "Kong is already running in ");
    daemon.assert_succeeds("health", "nginx.......running\n\nKong is healthy at ");
    let prefix = daemon.0.folder.at("prefix");
    let logs = prefix.join("logs/error.log");
    let loads = || std::fs::read_to_string(&logs).unwrap_or_default();
    daemon.0.folder.write("kong.yaml", CONFIG.replace("served", "other"));
    daemon.assert_succeeds("reload", "Kong reloaded");
    eventually("the log tells of the reload", || loads().contains("SIGHUP").then_some(()));
    daemon.assert_succeeds("restart", "Kong started");
    daemon.assert_succeeds("quit", "Kong stopped (gracefully)");
    daemon.assert_fails("quit", "not running in prefix");
    assert!(!prefix.join("pids/nginx.pid").exists());
}

#[test]
fn the_prefix_and_the_settings_file_are_flags_under_short_and_long_names() {
    let daemon = Daemon(setup(CONFIG));
    daemon.0.folder.write("kong.conf", "log_level = warn\n");
    daemon.assert_succeeds("start -c kong.conf -p elsewhere --nginx-conf x.template --vv", "Kong started");
    daemon.assert_succeeds("health --prefix elsewhere", "Kong is healthy at elsewhere");
    daemon.assert_fails("health", "Kong is not running at ");
    daemon.assert_succeeds("stop --prefix=elsewhere --conf=kong.conf", "Kong stopped");
}

#[test]
fn a_failed_start_prints_the_reason() {
    let daemon = Daemon(setup("_format_version: \"3.0\"\nservises: []\n"));
    daemon.assert_fails("start", "did you mean `services`?");
    daemon.assert_fails("health", "Kong is not running at ");
}

#[test]
fn quit_ends_readiness_waits_and_then_stops_gracefully() {
    let daemon = setup(CONFIG).start(&["kong", "docker-start"]);
    let prefix = daemon.folder.at("prefix").display().to_string();
    let quit = Setup::new().call(&["kong", "quit", "--wait=1", "--prefix", &prefix]);
    assert_eq!((quit.code, quit.stdout.trim()), (Some(0), "Kong stopped (gracefully)"), "{quit:?}");
    let outcome = daemon.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let [unready, stop] =
        ["SIGUSR2: not ready", "SIGQUIT: no new connections"].map(|text| outcome.stderr.find(text));
    assert!(unready.is_some() && unready < stop, "{outcome:?}");
}

#[test]
fn a_stale_pid_file_is_not_a_running_gateway() {
    let daemon = Daemon(setup(CONFIG));
    let gateway = setup(CONFIG).env("KONG_PREFIX", &daemon.0.folder.at("prefix").display().to_string());
    let gateway = gateway.start(&["run"]);
    daemon.assert_succeeds("health", "healthy");
    gateway.signal("KILL");
    gateway.outcome();
    assert!(daemon.0.folder.at("prefix").join("pids/nginx.pid").exists());
    daemon.assert_fails("health", "Kong is not running at ");
    // The same pid, but another process.
    daemon.0.folder.write("prefix/pids/nginx.pid", format!("{}\n", std::process::id()));
    daemon.assert_fails("health", "Kong is not running at ");
    daemon.assert_succeeds("start", "Kong started");
}

#[test]
fn health_without_a_prefix_queries_a_listener() {
    let gateway = Setup::with(CONFIG).run();
    let setup = Setup::new().env("KONG_ADMIN_LISTEN", gateway.address("admin"));
    assert_eq!(setup.call(&["health"]).code, Some(0));
    let (address, gateway) = (gateway.address("admin").to_owned(), gateway);
    gateway.signal("TERM");
    gateway.outcome();
    Setup::new().env("KONG_ADMIN_LISTEN", &address).call(&["health"]).is_refusal("mynah is not running");
}

#[test]
fn other_commands_end_as_scripts_expect() {
    let daemon = Daemon(setup(CONFIG).file("broken.yaml", "services: 1\n"));
    for command in
        ["bootstrap", "up --yes", "finish -c /etc/kong/kong.conf", "list", "up -v --db-timeout 60", ""]
    {
        daemon.assert_succeeds(&format!("migrations {command}"), "no migrations: there is no database\n");
    }
    daemon.assert_succeeds("version", "3.");
    daemon.assert_succeeds("version -a", "mynah: ");
    daemon.assert_succeeds("check", "configuration is valid");
    daemon.assert_succeeds("config parse kong.yaml", "parse successful\n");
    daemon.assert_fails("config parse broken.yaml", "Failed parsing broken.yaml");
    daemon.assert_succeeds("config init", "");
    daemon.assert_succeeds("config parse kong.yml", "parse successful\n");
    daemon.assert_fails("config init", "kong.yml");
    daemon.assert_fails("config db_import kong.yml", "there is no database");
    daemon.assert_succeeds("prepare -p made", "");
    assert!(daemon.0.folder.at("made/pids").is_dir() && daemon.0.folder.at("made/logs").is_dir());
    // Arguments of a database do not prevent the success of a job.
    let job = setup(CONFIG).env("KONG_DATABASE", "postgres").call(&["kong", "migrations", "bootstrap"]);
    assert_eq!(job.code, Some(0), "{job:?}");
}

#[test]
fn a_link_named_kong_has_this_command_line() {
    let setup = Setup::new();
    let link = setup.folder.at("kong");
    symlink(env!("CARGO_BIN_EXE_mynah"), &link).unwrap();
    let output = Command::new(link).arg("version").output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"3."), "{output:?}");
}
