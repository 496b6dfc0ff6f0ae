//! Read leases of Linux: whether a file is open for writing anywhere. (fcntl(2), "Leases".)
//!
//! A package of its own, because no crate has a safe interface to leases, and mynah itself forbids unsafe code.
//!
//! The system grants a read lease only if no process has the file open for writing; mapped memory counts as open. While the
//! lease is held, a process that opens the file for writing, or truncates it, waits until the lease is released, for at most
//! `/proc/sys/fs/lease-break-time` seconds; the holder can see that a process waits.

use std::{fs::File, io};

/// The state of a file that is open for reading.
#[derive(Debug)]
pub enum LeaseState<'a> {
    /// No process has it open for writing, and none can open it so while the lease is held.
    Leased(ReadLease<'a>),
    /// This process or another one has it open for writing.
    OpenForWriting,
    /// The system grants no lease: the file belongs to another user, or its file system has no leases.
    Unknown(io::Error),
}

/// A lease, which is released on drop.
#[derive(Debug)]
pub struct ReadLease<'a> {
    // Other systems have no leases to release.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    file: &'a File,
}

/// Requests a lease of a file. The file must be open for reading only.
#[must_use]
pub fn request_lease(file: &File) -> LeaseState<'_> {
    system::take(file)
}

impl ReadLease<'_> {
    /// Whether no process has opened the file for writing since the lease was granted.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        system::is_held(self.file)
    }
}

impl Drop for ReadLease<'_> {
    fn drop(&mut self) {
        system::release(self.file);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        fs::File,
        io::{self, ErrorKind},
        os::fd::AsRawFd as _,
    };

    use super::{LeaseState, ReadLease};

    /// `F_SETSIG` of <fcntl.h>, which the crate libc lacks for some platforms.
    const F_SETSIG: libc::c_int = 10;

    /// Calls fcntl with a number as the argument.
    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and none of the commands below reads or writes
        // memory of ours: their argument is a number.
        match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
            -1 => Err(io::Error::last_os_error()),
            result => Ok(result),
        }
    }

    pub(super) fn take(file: &File) -> LeaseState<'_> {
        // When a process opens the file for writing, the system sends a signal to the holder: by default SIGIO, which would end
        // this process. SIGURG is ignored without a handler.
        let signal = fcntl(file, F_SETSIG, libc::SIGURG);
        match signal.and_then(|_| fcntl(file, libc::F_SETLEASE, libc::F_RDLCK)) {
            Ok(_) => LeaseState::Leased(ReadLease { file }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => LeaseState::OpenForWriting,
            Err(error) => LeaseState::Unknown(error),
        }
    }

    pub(super) fn is_held(file: &File) -> bool {
        fcntl(file, libc::F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_RDLCK)
    }

    pub(super) fn release(file: &File) {
        // An error is ignored: closing the descriptor releases the lease.
        let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{fs::File, io};

    use super::LeaseState;

    pub(super) fn take(_: &File) -> LeaseState<'_> {
        LeaseState::Unknown(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_held(_: &File) -> bool {
        false
    }

    pub(super) fn release(_: &File) {}
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::*;

    #[test]
    fn a_lease_is_granted_while_no_process_has_the_file_open_for_writing() {
        let path = std::env::temp_dir().join(format!("mynah-lease-{}", std::process::id()));
        fs::write(&path, "text").unwrap();
        let file = File::open(&path).unwrap();
        let LeaseState::Leased(lease) = request_lease(&file) else { panic!("no lease") };
        assert!(lease.is_intact());
        // A second reader breaks no lease, and gets one too.
        assert!(matches!(request_lease(&File::open(&path).unwrap()), LeaseState::Leased(_)));
        let writer = std::thread::spawn({
            let path = path.clone();
            move || OpenOptions::new().append(true).open(path).unwrap()
        });
        // The writer waits for the release, and the signal did not end this process.
        while lease.is_intact() {
            std::thread::yield_now();
        }
        drop(lease);
        let writer = writer.join().unwrap();
        assert!(matches!(request_lease(&file), LeaseState::OpenForWriting));
        drop(writer);
        assert!(matches!(request_lease(&file), LeaseState::Leased(_)));
        fs::remove_file(path).unwrap();
    }
}
