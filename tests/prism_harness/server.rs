//! Server process with the command line of Prism, and its response to a request.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::{case::Case, curl::Request};

/// Timeout of reads.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Server that runs until it is dropped.
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
    address: String,
}

/// Response of a server.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start(case: &Case) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("mynah-prism-harness-{}-{n}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("document.yml"), &case.document).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let mut flags = case.server.split_whitespace();
        while let Some(flag) = flags.next() {
            match flag {
                // Every server gets a port of its own.
                "-p" | "--port" => drop(flags.next()),
                "${document}" => drop(command.arg("document.yml")),
                flag => drop(command.arg(flag)),
            }
        }
        // Many servers run at a time, and the default port of the portal is fixed.
        command.env("KONG_PORTAL_GUI_LISTEN", "off");
        command.args(["--port", "0"]).current_dir(&directory).stdout(Stdio::piped());
        command.stderr(fs::File::create(directory.join("stderr")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                let _ = child.wait();
                let errors = fs::read_to_string(directory.join("stderr")).unwrap_or_default();
                return Err(format!("the server did not start: {errors}"));
            }
            if let Some((_, rest)) = line.split_once("proxy http://") {
                break rest.split([',', ';']).next().unwrap_or_default().trim().to_owned();
            }
        };
        // The output is read to the end, so that it does not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(Self { child, directory, address })
    }

    pub(crate) fn send(&self, request: &Request) -> Result<Response, String> {
        let mut stream = TcpStream::connect(&self.address).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        let Request { method, target, headers, body, .. } = request;
        let mut text =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        text.push_str("User-Agent: harness\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            text.push_str("Accept: */*\r\n");
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.as_deref().unwrap_or_default();
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        stream.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).map_err(|error| error.to_string())?;
        Response::parse(&String::from_utf8_lossy(&received))
    }
}

impl Response {
    fn parse(text: &str) -> Result<Self, String> {
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("not a response: {text:?}"))?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { status: status.ok_or("no status")?, headers: headers.collect(), body: body.to_owned() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
