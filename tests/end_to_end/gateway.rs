//! Gateway process, started in a temporary folder.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Instant,
};

use serde_json::Value;

use crate::{
    PATIENCE,
    client::{Answer, Client},
    eventually,
    folder::Folder,
    pause,
};

/// The folder, environment and settings of a process that will be started.
pub(crate) struct Setup {
    pub(crate) folder: Folder,
    environment: Vec<(String, String)>,
}

/// A running gateway, killed when it is dropped.
pub(crate) struct Gateway {
    pub(crate) folder: Folder,
    process: Process,
    /// The first line of its standard output.
    pub(crate) greeting: String,
}

/// The exit code and output of a process.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process whose output is collected; it is killed when dropped.
struct Process {
    child: Child,
    stdout: Words,
    stderr: Words,
}

struct Words {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::in_folder(Folder::new())
    }

    /// Starts with the existing files.
    pub(crate) const fn in_folder(folder: Folder) -> Self {
        Self { folder, environment: Vec::new() }
    }

    /// Starts with this `kong.yaml`.
    pub(crate) fn with(config: &str) -> Self {
        Self::new().file("kong.yaml", config)
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.folder.write(name, content);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the gateway on free ports with the files of its folder.
    #[track_caller]
    pub(crate) fn run(self) -> Gateway {
        self.start(&["run", "--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
    }

    /// Starts a gateway, and returns when it has printed its addresses.
    #[track_caller]
    pub(crate) fn start(self, arguments: &[&str]) -> Gateway {
        let process = self.spawn(arguments);
        let greeting = eventually("the gateway starts", || {
            let printed = process.stdout.get();
            let ended = process.stdout.is_finished();
            assert!(!ended || printed.contains('\n'), "it did not start: {printed}{}", process.stderr.get());
            printed.split_once('\n').map(|(line, _)| line.to_owned())
        });
        Gateway { folder: self.folder, process, greeting }
    }

    /// Runs a command that ends by itself.
    #[track_caller]
    pub(crate) fn call(&self, arguments: &[&str]) -> Outcome {
        self.spawn(arguments).outcome()
    }

    fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        // Many gateways run at a time, and the default ports of the pages are fixed.
        command.env("KONG_PORTAL_GUI_LISTEN", "off").env("KONG_ADMIN_GUI_LISTEN", "off");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Process { child, stdout: Words::of(stdout), stderr: Words::of(stderr) }
    }
}

impl Gateway {
    /// The address of a listener, by its name in the first line.
    #[track_caller]
    pub(crate) fn address(&self, name: &str) -> &str {
        self.place(&format!("{name} http://"))
    }

    /// The address of a TLS listener.
    #[track_caller]
    pub(crate) fn tls_address(&self, name: &str) -> &str {
        self.place(&format!("{name} https://"))
    }

    #[track_caller]
    fn place(&self, name: &str) -> &str {
        let place = self.greeting.split(name).nth(1);
        let place = place.unwrap_or_else(|| panic!("no {name} in {:?}", self.greeting));
        place.split([',', ';', ' ']).next().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("proxy"))
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address("admin"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// Sends a request to the proxy, over a connection of its own.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        Client::fresh().send(method, &self.url(path), headers, None).unwrap()
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Client::fresh().send("POST", &self.url(path), headers, Some(body)).unwrap()
    }

    /// Sends a request to the Admin API, over a connection of its own.
    #[track_caller]
    pub(crate) fn admin(&self, method: &str, path: &str) -> Answer {
        Client::fresh().send(method, &self.admin_url(path), &[], None).unwrap()
    }

    /// Sends a form to the Admin API.
    #[track_caller]
    pub(crate) fn admin_form(&self, method: &str, path: &str, form: &str) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        Client::fresh().send(method, &self.admin_url(path), &headers, Some(form.as_bytes())).unwrap()
    }

    /// Sends JSON to the Admin API.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "tests write it in place")]
    pub(crate) fn admin_json(&self, method: &str, path: &str, json: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        let text = json.to_string();
        Client::fresh().send(method, &self.admin_url(path), &headers, Some(text.as_bytes())).unwrap()
    }

    /// `GET /status` of the Admin API.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.admin("GET", "/status").json()
    }

    /// Waits until the log contains this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        eventually(&format!("the log contains {text:?}"), || self.log().contains(text).then_some(()));
    }

    /// The standard error so far, which is the log.
    pub(crate) fn log(&self) -> String {
        self.process.stderr.get()
    }

    /// Resident memory in bytes.
    #[track_caller]
    pub(crate) fn memory(&self) -> usize {
        self.of_status("VmRSS:")
    }

    /// Peak of the resident memory in bytes.
    #[track_caller]
    pub(crate) fn peak_memory(&self) -> usize {
        self.of_status("VmHWM:")
    }

    /// Processor time in hundredths of a second.
    #[track_caller]
    pub(crate) fn processor_time(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // Fields 14 and 15 (proc_pid_stat(5)).
        let ticks = |n: usize| fields[n].parse::<u64>().unwrap();
        ticks(11) + ticks(12)
    }

    #[track_caller]
    fn of_status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// The standard output so far, which holds the access log.
    pub(crate) fn stdout(&self) -> String {
        self.process.stdout.get()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.process.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub(crate) fn outcome(self) -> Outcome {
        self.process.outcome()
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.child.try_wait().unwrap().is_some()
    }
}

impl Outcome {
    /// Asserts that the process exited with an error and printed the reason.
    #[track_caller]
    pub(crate) fn is_refusal(&self, text: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let printed = format!("{}{}", self.stderr, self.stdout);
        assert!(printed.contains(text), "{text:?} is not in:\n{printed}");
        assert!(printed.lines().count() < 60, "more than a screen:\n{printed}");
    }
}

impl Process {
    #[track_caller]
    fn outcome(mut self) -> Outcome {
        let end = Instant::now() + PATIENCE;
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let printed = self.stdout.get() + &self.stderr.get();
            assert!(Instant::now() < end, "it should have ended; its output:\n{printed}");
            pause(5);
        };
        Outcome { code: status.code(), stdout: self.stdout.all(), stderr: self.stderr.all() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.stdout.all() + &self.stderr.all();
        if std::thread::panicking() {
            eprintln!("output of the process:\n{printed}");
        } else {
            assert!(!printed.contains("panicked"), "{printed}");
        }
    }
}

impl Words {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let collected = text.clone();
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                collected.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn get(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn is_finished(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The whole output, after the process has closed it.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.get()
    }
}
