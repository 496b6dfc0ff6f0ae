//! A file with a new text: the old one whole, or the new one whole, whatever happens in between.
//!
//! The new text stands beside the file until it is flushed. Then the two change places in one step, and what stood in
//! the place of the file decides: if it is not the text from which the new one was made, or is open for writing, it goes
//! back. So there is no instant between a last look and a rename in which what another process has saved could be lost,
//! and none that writes into a file which is gone.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    control::config_source::MOST_BYTES,
    file_read::{self, FileReader},
};

/// Why a text was not saved.
#[derive(Debug)]
pub(super) enum SaveError {
    /// Somebody else has saved the file.
    Changed,
    /// It is not to be written here.
    ReadOnly(String),
    /// The system failed.
    Failed(String),
}

/// A gateway that writes a file of the same folder is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
const TURN: Duration = Duration::from_millis(5);

/// Whether a file may be written, as far as that can be told before.
///
/// # Errors
/// Why not.
pub(super) fn may_write(path: &Path) -> Result<(), SaveError> {
    // A file that its owner has made read-only is meant to be.
    target(path).and_then(|target| may_be_opened(&target)).map_err(|error| unsaved(path, &error))
}

/// Asked without opening it: a FIFO would wait, and for other gateways the file would be one that is being written.
#[cfg(unix)]
fn may_be_opened(target: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(CWD, target, Access::WRITE_OK, AtFlags::EACCESS)?)
}

#[cfg(not(unix))]
fn may_be_opened(target: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(target).map(drop)
}

/// A new text beside its file, flushed; gone again if it is not put in the place of the old one.
#[derive(Debug)]
pub(super) struct PreparedFile {
    path: PathBuf,
    target: PathBuf,
    beside: PathBuf,
    text: Vec<u8>,
    /// Locked, so that what stands beside the file is ours alone; none where folders cannot be opened.
    folder: Option<File>,
}

/// Writes a new text beside its file.
///
/// # Errors
/// The system refused it.
pub(super) fn prepare(path: &Path, new: &[u8]) -> Result<PreparedFile, SaveError> {
    let failed = |error: io::Error| unsaved(path, &error);
    let target = target(path).map_err(failed)?;
    let (beside, folder) = (beside(&target), locked(&target).map_err(failed)?);
    let prepared = PreparedFile { path: path.to_owned(), target, beside, text: new.to_owned(), folder };
    prepared.save().map_err(failed)?;
    Ok(prepared)
}

impl PreparedFile {
    /// Puts the text in the place of `old`. A link stays, and what it leads to is replaced; owner and permissions stay.
    ///
    /// # Errors
    /// Somebody else has saved the file, or the system refused it.
    pub(super) fn replace(self, old: &[u8]) -> Result<(), SaveError> {
        let failed = |error: io::Error| match error.kind() {
            // What is being written is looked at again.
            ErrorKind::NotFound | ErrorKind::WouldBlock => SaveError::Changed,
            _ => unsaved(&self.path, &error),
        };
        // A link may lead elsewhere by now.
        let is_there = target(&self.path).map_err(failed)? == self.target;
        let read = |path| FileReader::default().expecting(Arc::new(old.to_owned())).read(path, MOST_BYTES);
        if !is_there || read(&self.target).map_err(failed)? != old {
            return Err(SaveError::Changed);
        }
        if self.exchange().map_err(failed)? {
            let replaced = read(&self.beside);
            if replaced.as_ref().ok().is_none_or(|it| it != old) {
                let newest = replaced.as_ref().map_or(old, |it| it);
                self.give_back(newest.to_owned()).map_err(failed)?;
                return Err(replaced.map_or_else(failed, |_| SaveError::Changed));
            }
        } else {
            fs::rename(&self.beside, &self.target).map_err(failed)?;
        }
        // The new name itself has to reach the disk; not every file system can flush a folder.
        match self.folder.as_ref().map(File::sync_all) {
            Some(Err(error)) if error.kind() != ErrorKind::InvalidInput => {
                let path = self.path.display();
                tracing::warn!("{path} is written, but a power cut may bring the old text back: {error}");
            }
            _ => (),
        }
        Ok(())
    }

    fn save(&self) -> io::Result<()> {
        let facts = fs::metadata(&self.target)?;
        // Whoever left it there was killed: the folder is locked.
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let mut file = new_file(&self.beside)?;
        keep_owner(&file, &facts)?;
        file.set_permissions(facts.permissions())?;
        file.write_all(&self.text)?;
        file.sync_all()
    }

    /// Lets the text and the file change places; false where the file system cannot do that.
    #[cfg(target_os = "linux")]
    fn exchange(&self) -> io::Result<bool> {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, &self.beside, CWD, &self.target, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "elsewhere it is done")]
    const fn exchange(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Puts back what stood in the place of the file, unless it has been saved again meanwhile: the newest text stays.
    fn give_back(&self, mut newest: Vec<u8>) -> io::Result<()> {
        let mut placed = self.text.clone();
        loop {
            self.exchange()?;
            let replaced = file_read::as_it_is(&self.beside, MOST_BYTES)?;
            if replaced == placed {
                return Ok(());
            }
            (placed, newest) = (newest, replaced);
        }
    }
}

impl Drop for PreparedFile {
    fn drop(&mut self) {
        // It may have been renamed, or not even have been made.
        let _ = fs::remove_file(&self.beside);
    }
}

/// The folder of a file, for us alone among all gateways; none if it cannot be opened or locked at all.
fn locked(target: &Path) -> io::Result<Option<File>> {
    let Ok(folder) = File::open(target.parent().unwrap_or(Path::new("/"))) else { return Ok(None) };
    let end = Instant::now() + PATIENCE;
    loop {
        match folder.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => wait(),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(
                    "another process writes in its folder and does not come to an end",
                ));
            }
            // Where nothing can be locked, nobody else does.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(folder)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "writes have a thread of their own")]
fn wait() {
    std::thread::sleep(TURN);
}

/// A file that was not there and that nobody else may read: what it is going to say may be secret.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn keep_owner(file: &File, facts: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (facts.uid(), facts.gid()) {
        return Ok(());
    }
    fchown(file, Some(facts.uid()), Some(facts.gid()))
        .map_err(|error| io::Error::new(error.kind(), format!("its owner would not stay: {error}")))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// The file at the end of all links.
fn target(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// A name in the same folder that no tool takes for a configuration, the same one every time: what a crash leaves
/// there is gone with the next write.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.mynah-new"))
}

/// What an error means for whoever wants to write.
fn unsaved(path: &Path, error: &io::Error) -> SaveError {
    let why = format!("{} cannot be written: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => SaveError::ReadOnly(why),
        ErrorKind::ResourceBusy => SaveError::ReadOnly(format!(
            "{why}; a file that is mounted by itself cannot be replaced, so mount the folder that it is in"
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
    fn what_is_written_is_secret_until_it_has_the_permissions_of_its_file() {
        let folder = folder("secret");
        let file = folder.join("kong.yaml");
        fs::write(&file, "old").unwrap();
        let new = new_file(&beside(&file)).unwrap();
        assert_eq!(new.metadata().unwrap().mode() & 0o777, 0o600);
        // What is there is never written into, wherever it leads.
        fs::remove_file(beside(&file)).unwrap();
        symlink("kong.yaml", beside(&file)).unwrap();
        prepare(&file, b"new").unwrap().replace(b"old").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn one_gateway_writes_at_a_time() {
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
            // As if the two had changed places just when somebody saved the first text, and then perhaps the second.
            fs::write(&file, there).unwrap();
            fs::write(&prepared.beside, replaced).unwrap();
            prepared.give_back(replaced.into()).unwrap();
            let newest = if there == "new" { replaced } else { there };
            assert_eq!(fs::read_to_string(&file).unwrap(), newest);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    /// Somebody puts one text after the other in the place of the file, whatever we do at that instant.
    #[test]
    #[cfg(target_os = "linux")]
    fn no_text_of_somebody_else_is_lost() {
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
                    panic!("{text:?} was written over {saved:?}");
                }
            }
            rounds.store(usize::MAX / 2, Ordering::SeqCst);
        });
        assert!(fs::read_to_string(&file).unwrap().starts_with(&saved));
        fs::remove_dir_all(folder).unwrap();
    }
}
