//! The command `openssl`: makes keys and certificates of every kind, and is a TLS client or server.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::folder::Folder;

/// The command, in a folder of its own.
pub(crate) struct OpenSsl(Folder);

/// A certificate and its key, PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A server process, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl OpenSsl {
    /// The command if it is installed; otherwise a test reports that it is skipped.
    pub(crate) fn find() -> Option<Self> {
        let found =
            Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
        if !found {
            eprintln!("skipped: there is no openssl command");
        }
        found.then(|| Self(Folder::new()))
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        self.0.write(name, content);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.at(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        self.0.read(name)
    }

    /// Runs it with arguments, separated by blanks; returns its output, or `None` if it fails.
    pub(crate) fn try_run(&self, arguments: &str) -> Option<String> {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(self.0.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        output.status.success().then(|| String::from_utf8_lossy(&printed).into_owned())
    }

    #[track_caller]
    pub(crate) fn run(&self, arguments: &str) -> String {
        self.try_run(arguments).unwrap_or_else(|| panic!("openssl {arguments} failed"))
    }

    /// Runs it and returns the content of its output file.
    #[track_caller]
    pub(crate) fn output(&self, arguments: &str) -> String {
        self.run(&format!("{arguments} -out made"));
        self.read("made")
    }

    /// A key, and a certificate for NAME.example that it signs itself, in files NAME.key and NAME.pem.
    #[track_caller]
    pub(crate) fn make(&self, name: &str, kind: &str) -> Pair {
        if kind == "DSA" {
            self.run("dsaparam -genkey -out dsa.parameters 2048");
            self.run(&format!("pkey -in dsa.parameters -out {name}.key"));
        } else if kind == "RSA-8192" {
            // Making one would take a minute.
            self.write(&format!("{name}.key"), include_str!("rsa-8192.key.pem"));
        } else {
            self.run(&format!("genpkey -algorithm {kind} -out {name}.key"));
        }
        self.run(&format!(
            "req -x509 -new -key {name}.key -subj /CN={name}.example -addext subjectAltName=DNS:{name}.example -days 3650 -out {name}.pem"
        ));
        self.pair(name)
    }

    /// A certificate for NAME.example, and `extensions`, which the authority in files ISSUER.pem and ISSUER.key signs.
    #[track_caller]
    pub(crate) fn sign(&self, name: &str, issuer: &str, extensions: &str) -> Pair {
        self.run(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.run(&format!("req -new -key {name}.key -subj /CN={name}.example -out {name}.request"));
        self.write("extensions", extensions);
        let extensions = if extensions.is_empty() { "" } else { " -extfile extensions" };
        self.run(&format!(
            "x509 -req -in {name}.request -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days 3650{extensions} -out {name}.pem"
        ));
        self.pair(name)
    }

    pub(crate) fn pair(&self, name: &str) -> Pair {
        Pair { certificate: self.read(&format!("{name}.pem")), key: self.read(&format!("{name}.key")) }
    }

    /// Does a handshake with a listener; returns the output of the command, without blanks around `=`.
    pub(crate) fn connect(&self, address: &str, name: &str, arguments: &str) -> String {
        let words = format!("s_client -connect {address} -servername {name} {arguments}");
        let mut command = Command::new("openssl");
        command.args(words.split(' ').filter(|word| !word.is_empty()));
        let output = command.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace(" = ", "=")
    }

    /// Serves a page that describes the connection, with the certificate in files NAME.pem and NAME.key.
    #[track_caller]
    pub(crate) fn serve(&self, name: &str, arguments: &str) -> Server {
        let command =
            format!("s_server -www -accept 127.0.0.1:0 -cert {name}.pem -key {name}.key {arguments}");
        let mut command: Vec<&str> = command.split(' ').collect();
        command.retain(|word| !word.is_empty());
        let mut child = Command::new("openssl")
            .args(command)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut places =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
        let place = places.next().unwrap();
        let port = place.rsplit_once(':').unwrap().1.parse().unwrap();
        // Output that is not read must not block it.
        std::thread::spawn(move || places.count());
        Server { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
