//! Pid file of a running gateway: `pids/nginx.pid` in the folder of the setting `prefix`, under the name that Kong gives it.
//!
//! The gateway keeps it locked while it runs. So a file that a killed process has left behind, or that is from another
//! container, is not taken for a running process.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, getpid, kill_process},
};

/// Kong's folder of the process, where the setting `prefix` names none.
pub(crate) const KONG_PREFIX: &str = "/usr/local/kong";

/// Pid file of this process; dropping it removes the file.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    /// Keeps the lock.
    file: File,
}

/// Gateway that a pid file names, and that runs.
#[derive(Debug)]
pub(crate) struct RunningGateway {
    pub(crate) pid: Pid,
    file: File,
}

impl PidFile {
    /// Writes the file for this process. It takes the place of that of another process, which may still be running.
    pub(crate) fn create(prefix: &Path) -> io::Result<Self> {
        let path = path(prefix);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let pid = getpid().as_raw_nonzero();
        let unnamed = path.with_extension(format!("pid.{pid}"));
        let mut file = File::create(&unnamed)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        writeln!(file, "{pid}")?;
        fs::rename(&unnamed, &path)?;
        Ok(Self { path, file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (own, present) = (self.file.metadata().map(identity), fs::metadata(&self.path).map(identity));
        if own.is_ok_and(|own| present.is_ok_and(|present| present == own)) {
            // If it stays, its lock is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl RunningGateway {
    /// Finds the gateway of a prefix.
    pub(crate) fn find(prefix: &Path) -> Option<Self> {
        let mut file = File::open(path(prefix)).ok()?;
        let mut text = String::new();
        // More than a number is no pid file.
        Read::by_ref(&mut file).take(32).read_to_string(&mut text).ok()?;
        let pid = Pid::from_raw(text.trim().parse().ok()?)?;
        let running = Self { pid, file };
        (!running.has_ended()).then_some(running)
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        match flock(&self.file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.pid, signal)?)
    }
}

fn path(prefix: &Path) -> PathBuf {
    prefix.join("pids/nginx.pid")
}
