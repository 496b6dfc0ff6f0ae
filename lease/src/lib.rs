//! Read leases of Linux: whether a file is open for writing anywhere. (fcntl(2), "Leases".)
//!
//! A package of its own, because no crate has a safe interface of them and mynah itself forbids unsafe code.
//!
//! A read lease is given only while no process has the file open for writing, and mapped memory counts as open. While it
//! is held, whoever opens the file for writing, or truncates it, waits until it is given back, for
//! `/proc/sys/fs/lease-break-time` seconds at most; the holder can see that somebody waits.

use std::{fs::File, io};

/// What the system says about a file that is open for reading.
#[derive(Debug)]
pub enum Answer<'a> {
    /// It is open for writing nowhere, and will not be while the lease is held.
    Closed(ReadLease<'a>),
    /// It is open for writing, in this process or in another one.
    OpenForWriting,
    /// The system does not say: the file belongs to another user, or its file system has no leases.
    Unknown(io::Error),
}

/// A lease, which is given back when it is dropped.
#[derive(Debug)]
pub struct ReadLease<'a> {
    // Elsewhere there are no leases, and nothing to give back.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code))]
    file: &'a File,
}

/// Asks for a lease of a file that was opened for reading, and for nothing else.
#[must_use]
pub fn ask(file: &File) -> Answer<'_> {
    system::take(file)
}

impl ReadLease<'_> {
    /// Whether no process has tried to write since the lease was given.
    #[must_use]
    pub fn is_undisturbed(&self) -> bool {
        system::is_held(self.file)
    }
}

impl Drop for ReadLease<'_> {
    fn drop(&mut self) {
        system::give_back(self.file);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        fs::File,
        io::{self, ErrorKind},
        os::fd::AsRawFd as _,
    };

    use super::{Answer, ReadLease};

    /// `F_SETSIG` of <fcntl.h>, which the crate libc does not have for every kind of machine.
    const F_SETSIG: libc::c_int = 10;

    /// A call of fcntl whose argument is a number.
    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and none of the commands below reads or writes
        // memory of ours: their argument is a number.
        match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
            -1 => Err(io::Error::last_os_error()),
            result => Ok(result),
        }
    }

    pub(super) fn take(file: &File) -> Answer<'_> {
        // Whoever wants to write makes the system send a signal: SIGIO, which would end the process, unless another one
        // is named. SIGURG is ignored where no handler is set.
        let named = fcntl(file, F_SETSIG, libc::SIGURG);
        match named.and_then(|_| fcntl(file, libc::F_SETLEASE, libc::F_RDLCK)) {
            Ok(_) => Answer::Closed(ReadLease { file }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Answer::OpenForWriting,
            Err(error) => Answer::Unknown(error),
        }
    }

    pub(super) fn is_held(file: &File) -> bool {
        fcntl(file, libc::F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_RDLCK)
    }

    pub(super) fn give_back(file: &File) {
        // It goes with the descriptor at the latest.
        let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{fs::File, io};

    use super::Answer;

    pub(super) fn take(_: &File) -> Answer<'_> {
        Answer::Unknown(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn is_held(_: &File) -> bool {
        false
    }

    pub(super) fn give_back(_: &File) {}
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::*;

    #[test]
    fn a_lease_is_given_while_no_process_has_the_file_open_for_writing() {
        let path = std::env::temp_dir().join(format!("mynah-lease-{}", std::process::id()));
        fs::write(&path, "text").unwrap();
        let file = File::open(&path).unwrap();
        let Answer::Closed(lease) = ask(&file) else { panic!("no lease") };
        assert!(lease.is_undisturbed());
        // A second reader disturbs no lease, and has one too.
        assert!(matches!(ask(&File::open(&path).unwrap()), Answer::Closed(_)));
        let writer = std::thread::spawn({
            let path = path.clone();
            move || OpenOptions::new().append(true).open(path).unwrap()
        });
        // The writer waits for us, and we are alive in spite of the signal.
        while lease.is_undisturbed() {
            std::thread::yield_now();
        }
        drop(lease);
        let writer = writer.join().unwrap();
        assert!(matches!(ask(&file), Answer::OpenForWriting));
        drop(writer);
        assert!(matches!(ask(&file), Answer::Closed(_)));
        fs::remove_file(path).unwrap();
    }
}
