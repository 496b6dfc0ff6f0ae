//! Atomic replacement of a file: readers and crashes see the old text or the new one, never a mixture.
//!
//! The new text is written and flushed to a temporary file in the same directory. Then the two files are exchanged in
//! one step, and the file that was replaced is checked: if it is not the text from which the new one was made, or is
//! open for writing, they are exchanged back. So there is no instant between a last check and a rename in which a
//! text that another process saves could be lost, and no write goes into a file that is already deleted.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    control::config_source::MAX_CONFIG_BYTES,
    file_read::{self, FileReader},
};

/// Why a text was not saved.
#[derive(Debug)]
pub(super) enum SaveError {
    /// Another process has saved the file.
    Changed,
    /// The file must not be written here.
    ReadOnly(String),
    /// The system failed.
    Failed(String),
}

/// How long a write waits for another gateway that writes in the same directory.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(5);

/// Checks whether a file may be written, as far as that is known before the write.
///
/// # Errors
/// The reason why not.
pub(super) fn check_may_write(path: &Path) -> Result<(), SaveError> {
    // A file that its owner has made read-only is meant to be read-only.
    resolve_links(path).and_then(|target| check_writable(&target)).map_err(|error| save_error(path, &error))
}

/// Checks without opening the file: a FIFO would block, and for other gateways the file would count as being written.
#[cfg(unix)]
fn check_writable(target: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(CWD, target, Access::WRITE_OK, AtFlags::EACCESS)?)
}

#[cfg(not(unix))]
fn check_writable(target: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(target).map(drop)
}

/// A new text in a temporary file, flushed; the temporary file is removed if it does not replace the old one.
#[derive(Debug)]
pub(super) struct PreparedFile {
    path: PathBuf,
    target: PathBuf,
    temp: PathBuf,
    text: Vec<u8>,
    /// Lock of the directory, so that no other gateway uses the temporary file; `None` where directories cannot be
    /// opened.
    directory: Option<File>,
}

/// Writes a new text to the temporary file.
///
/// # Errors
/// The system refused it.
pub(super) fn prepare(path: &Path, new: &[u8]) -> Result<PreparedFile, SaveError> {
    let failed = |error: io::Error| save_error(path, &error);
    let target = resolve_links(path).map_err(failed)?;
    let (temp, directory) = (temp_path(&target), lock_directory(&target).map_err(failed)?);
    let prepared = PreparedFile { path: path.to_owned(), target, temp, text: new.to_owned(), directory };
    prepared.write_temp().map_err(failed)?;
    Ok(prepared)
}

/// Creates a file with a text, complete from the first moment at which others see it.
///
/// # Errors
/// The file exists ([`SaveError::Changed`]), or the system refused it.
pub(super) fn create(path: &Path, text: &[u8]) -> Result<(), SaveError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => SaveError::Changed,
        _ => save_error(path, &error),
    };
    let directory = lock_directory(path).map_err(failed)?;
    let temp = temp_path(path);
    let written = write_new(&temp, text).and_then(|()| rename_new(&temp, path));
    // It exists only if it was not renamed.
    let _ = fs::remove_file(&temp);
    written.map_err(failed)?;
    flush_directory(path, directory.as_ref());
    Ok(())
}

/// Removes a file.
///
/// # Errors
/// The system refused it.
pub(super) fn remove(path: &Path) -> Result<(), SaveError> {
    let failed = |error: io::Error| save_error(path, &error);
    let directory = lock_directory(path).map_err(failed)?;
    fs::remove_file(path).map_err(failed)?;
    flush_directory(path, directory.as_ref());
    Ok(())
}

/// Writes a temporary file, and flushes it.
fn write_new(temp: &Path, text: &[u8]) -> io::Result<()> {
    // A temporary file that exists is left from a crash, since the directory is locked.
    match fs::remove_file(temp) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(temp)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Renames a file to a name that is free; in one step where the file system can do that.
fn rename_new(temp: &Path, path: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, temp, CWD, path, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => (),
            result => return Ok(result?),
        }
    }
    if fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(temp, path)
}

/// Flushes the entries of a directory after a change of `path` in it; not every file system can do that.
fn flush_directory(path: &Path, directory: Option<&File>) {
    match directory.map(File::sync_all) {
        Some(Err(error)) if error.kind() != ErrorKind::InvalidInput => {
            let path = path.display();
            tracing::warn!("{path} has changed, but a power failure may restore the old state: {error}");
        }
        _ => (),
    }
}

impl PreparedFile {
    /// Replaces the text `old` by the new one. A symbolic link stays, and its target is replaced; owner and
    /// permissions stay.
    ///
    /// # Errors
    /// Another process has saved the file, or the system refused the replacement.
    pub(super) fn replace(self, old: &[u8]) -> Result<(), SaveError> {
        let failed = |error: io::Error| match error.kind() {
            // A file that is being written is read again by the retry.
            ErrorKind::NotFound | ErrorKind::WouldBlock => SaveError::Changed,
            _ => save_error(&self.path, &error),
        };
        // The link may have another target by now.
        let is_same_target = resolve_links(&self.path).map_err(failed)? == self.target;
        let read = |path| {
            FileReader::default().with_known_text(Arc::new(old.to_owned())).read(path, MAX_CONFIG_BYTES)
        };
        if !is_same_target || read(&self.target).map_err(failed)? != old {
            return Err(SaveError::Changed);
        }
        if self.exchange().map_err(failed)? {
            let replaced = read(&self.temp);
            if replaced.as_ref().ok().is_none_or(|text| text != old) {
                let newest = replaced.as_ref().map_or(old, |text| text);
                self.restore_original(newest.to_owned()).map_err(failed)?;
                return Err(replaced.map_or_else(failed, |_| SaveError::Changed));
            }
        } else {
            fs::rename(&self.temp, &self.target).map_err(failed)?;
        }
        // The renamed entry has to reach the disk as well.
        flush_directory(&self.path, self.directory.as_ref());
        Ok(())
    }

    fn write_temp(&self) -> io::Result<()> {
        let metadata = fs::metadata(&self.target)?;
        // A temporary file that exists is left from a crash, since the directory is locked.
        match fs::remove_file(&self.temp) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let mut file = create_private_file(&self.temp)?;
        keep_owner(&file, &metadata)?;
        file.set_permissions(metadata.permissions())?;
        file.write_all(&self.text)?;
        file.sync_all()
    }

    /// Exchanges the temporary file and the target; false where the file system cannot do that.
    #[cfg(target_os = "linux")]
    fn exchange(&self) -> io::Result<bool> {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, &self.temp, CWD, &self.target, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "used on Linux")]
    const fn exchange(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Restores the file that was replaced, unless it has been saved again meanwhile: the newest text stays.
    fn restore_original(&self, mut newest: Vec<u8>) -> io::Result<()> {
        let mut written = self.text.clone();
        loop {
            self.exchange()?;
            let replaced = file_read::read_unchecked(&self.temp, MAX_CONFIG_BYTES)?;
            if replaced == written {
                return Ok(());
            }
            (written, newest) = (newest, replaced);
        }
    }
}

impl Drop for PreparedFile {
    fn drop(&mut self) {
        // The temporary file may have been renamed, or may not exist yet.
        let _ = fs::remove_file(&self.temp);
    }
}

/// Locks the directory of a file against other gateways; `None` if it cannot be opened or locked at all.
fn lock_directory(target: &Path) -> io::Result<Option<File>> {
    let Ok(directory) = File::open(target.parent().unwrap_or(Path::new("/"))) else { return Ok(None) };
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match directory.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => wait(),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process holds the lock of its directory"));
            }
            // Where directories cannot be locked, no other gateway locks them either.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(directory)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "writes have a thread of their own")]
fn wait() {
    std::thread::sleep(LOCK_RETRY_INTERVAL);
}

/// Creates a file that did not exist and that only this user can read: its content may be secret.
fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn keep_owner(file: &File, metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (metadata.uid(), metadata.gid()) {
        return Ok(());
    }
    fchown(file, Some(metadata.uid()), Some(metadata.gid()))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot keep its owner: {error}")))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// The file that a chain of symbolic links leads to.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Path of the temporary file: in the same directory, and hidden, so that no tool takes it for a configuration. It is
/// always the same, so that the next write removes what a crash has left.
fn temp_path(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.mynah-new"))
}

/// Classifies an error for the client of a write.
pub(super) fn save_error(path: &Path, error: &io::Error) -> SaveError {
    let why = format!("{} cannot be written: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => SaveError::ReadOnly(why),
        ErrorKind::ResourceBusy => SaveError::ReadOnly(format!(
            "{why}; a file that is a mount point cannot be replaced; mount its directory instead"
        )),
        _ => SaveError::Failed(why),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mynah-file-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("real")).unwrap();
        folder
    }

    #[test]
    fn a_file_is_replaced_behind_its_links_and_keeps_its_permissions() {
        let folder = folder("links");
        let (real, link) = (folder.join("real/kong.yaml"), folder.join("kong.yaml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real/kong.yaml", &link).unwrap();
        prepare(&link, b"new").unwrap().replace(b"old").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(matches!(prepare(&link, b"newer").unwrap().replace(b"old"), Err(SaveError::Changed)));
        drop(prepare(&link, b"newest").unwrap());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.join("real")).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_temporary_file_is_private_until_it_has_the_permissions_of_its_target() {
        let folder = folder("secret");
        let file = folder.join("kong.yaml");
        fs::write(&file, "old").unwrap();
        let new = create_private_file(&temp_path(&file)).unwrap();
        assert_eq!(new.metadata().unwrap().mode() & 0o777, 0o600);
        // An existing file is never written into, wherever it leads.
        fs::remove_file(temp_path(&file)).unwrap();
        symlink("kong.yaml", temp_path(&file)).unwrap();
        prepare(&file, b"new").unwrap().replace(b"old").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_one_gateway_writes_at_a_time() {
        let folder = folder("turns");
        let file = folder.join("kong.yaml");
        fs::write(&file, "").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut made = 0;
                    while made < 10 {
                        let old = fs::read(&file).unwrap();
                        match prepare(&file, &[&*old, b"x"].concat()).unwrap().replace(&old) {
                            Ok(()) => made += 1,
                            Err(why) => assert!(matches!(why, SaveError::Changed), "{why:?}"),
                        }
                    }
                });
            }
        });
        assert_eq!(fs::read(&file).unwrap(), [b'x'; 40]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_newest_text_stays() {
        let folder = folder("newest");
        let file = folder.join("kong.yaml");
        for (there, replaced) in [("new", "first"), ("second", "first")] {
            fs::write(&file, "old").unwrap();
            let prepared = prepare(&file, b"new").unwrap();
            // As if the files had been exchanged just after another process saved the first text, and possibly the
            // second.
            fs::write(&file, there).unwrap();
            fs::write(&prepared.temp, replaced).unwrap();
            prepared.restore_original(replaced.into()).unwrap();
            let newest = if there == "new" { replaced } else { there };
            assert_eq!(fs::read_to_string(&file).unwrap(), newest);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    /// Another process replaces the file again and again while the gateway writes.
    #[test]
    #[cfg(target_os = "linux")]
    fn no_text_of_another_process_is_lost() {
        let folder = folder("lost");
        let (file, other) = (folder.join("kong.yaml"), folder.join("editor"));
        fs::write(&file, "").unwrap();
        let rounds = AtomicUsize::new(0);
        let mut saved = String::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while rounds.load(Ordering::SeqCst) < usize::MAX / 2 {
                    let old = fs::read(&file).unwrap();
                    match prepare(&file, &[&*old, b"ours "].concat()).unwrap().replace(&old) {
                        Ok(()) | Err(SaveError::Changed) => rounds.fetch_add(1, Ordering::SeqCst),
                        Err(why) => panic!("{why:?}"),
                    };
                }
            });
            for n in 0..300 {
                saved = format!("theirs {n} ");
                fs::write(&other, &saved).unwrap();
                fs::rename(&other, &file).unwrap();
                let now = rounds.load(Ordering::SeqCst);
                while rounds.load(Ordering::SeqCst) < now + 2 {
                    std::hint::spin_loop();
                }
                let text = fs::read_to_string(&file).unwrap();
                if !text.starts_with(&saved) {
                    rounds.store(usize::MAX / 2, Ordering::SeqCst);
                    panic!("{text:?} has overwritten {saved:?}");
                }
            }
            rounds.store(usize::MAX / 2, Ordering::SeqCst);
        });
        assert!(fs::read_to_string(&file).unwrap().starts_with(&saved));
        fs::remove_dir_all(folder).unwrap();
    }
}
