//! A file with a new text: the old one whole, or the new one whole, whatever happens in between.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Why a text was not saved.
#[derive(Debug)]
pub(super) enum Unsaved {
    /// Somebody else has saved the file.
    Changed,
    /// The system refused it.
    Failed(String),
}

/// Whether a file may be written, as far as that can be told before.
///
/// # Errors
/// Why not.
pub(super) fn may_write(path: &Path) -> Result<(), String> {
    let target = target(path).map_err(|error| why(path, &error))?;
    // A file that its owner has made read-only is meant to be.
    OpenOptions::new().write(true).open(&target).map(drop).map_err(|error| why(path, &error))
}

/// A new text beside its file, flushed; gone again if it is not put in the place of the old one.
#[derive(Debug)]
pub(super) struct Prepared {
    path: PathBuf,
    target: PathBuf,
    beside: PathBuf,
}

/// Writes a new text beside its file.
///
/// # Errors
/// The system refused it.
pub(super) fn prepare(path: &Path, new: &[u8]) -> Result<Prepared, Unsaved> {
    let failed = |error: io::Error| Unsaved::Failed(why(path, &error));
    let target = target(path).map_err(failed)?;
    let prepared = Prepared { path: path.to_owned(), beside: beside(&target), target };
    save(&prepared.target, &prepared.beside, new).map_err(failed)?;
    Ok(prepared)
}

impl Prepared {
    /// Puts the text in the place of `old` by a rename. A link stays, and what it leads to is replaced; owner and
    /// permissions stay.
    ///
    /// # Errors
    /// Somebody else has saved the file, or the system refused it.
    pub(super) fn replace(self, old: &[u8]) -> Result<(), Unsaved> {
        let failed = |error: io::Error| Unsaved::Failed(why(&self.path, &error));
        // As late as can be: what an editor has saved in between is not written over.
        if fs::read(&self.target).map_err(failed)? != old {
            return Err(Unsaved::Changed);
        }
        fs::rename(&self.beside, &self.target).map_err(failed)?;
        // The new name itself has to reach the disk; where folders cannot be flushed, nothing is lost but the write.
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let _ = File::open(folder).and_then(|it| it.sync_all());
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // It may have been renamed, or not even have been made.
        let _ = fs::remove_file(&self.beside);
    }
}

fn save(target: &Path, beside: &Path, text: &[u8]) -> io::Result<()> {
    let facts = fs::metadata(target)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(beside)?;
    file.set_permissions(facts.permissions())?;
    keep_owner(&file, &facts)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(unix)]
fn keep_owner(file: &File, facts: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (facts.uid(), facts.gid()) {
        return Ok(());
    }
    fchown(file, Some(facts.uid()), Some(facts.gid()))?;
    // A change of owner may take permissions away.
    file.set_permissions(facts.permissions())
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
/// there is written over by the next write.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.mynah-new"))
}

fn why(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_behind_its_links_and_keeps_its_permissions() {
        let folder = std::env::temp_dir().join(format!("mynah-file-{}", std::process::id()));
        fs::create_dir_all(folder.join("real")).unwrap();
        let (real, link) = (folder.join("real/kong.yaml"), folder.join("kong.yaml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real/kong.yaml", &link).unwrap();
        prepare(&link, b"new").unwrap().replace(b"old").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(matches!(prepare(&link, b"newer").unwrap().replace(b"old"), Err(Unsaved::Changed)));
        drop(prepare(&link, b"newest").unwrap());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.join("real")).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
