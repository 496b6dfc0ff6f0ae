//! The directories in which something must happen before a path leads to another content.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// More symbolic links than Linux follows on one path.
const LINKS: usize = 40;

/// Adds the directory of the file and those of all symbolic links on the way to it, and the file itself if it is a
/// directory. Where the way ends early, the last directory that exists stands for the rest.
pub(super) fn add_directories(file: &Path, directories: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut way = reversed(&std::path::absolute(file)?);
    let mut here = PathBuf::new();
    let mut links = 0;
    while let Some(part) = way.pop() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => {
                let next = here.join(name);
                let kind = fs::symlink_metadata(&next);
                if kind.as_ref().is_ok_and(fs::Metadata::is_symlink) {
                    directories.insert(here.clone());
                    links += 1;
                    if links > LINKS {
                        return Ok(());
                    }
                    way.extend(reversed(&fs::read_link(&next)?));
                } else if kind.is_err() || way.is_empty() {
                    if kind.is_ok_and(|kind| kind.is_dir()) {
                        directories.insert(next);
                    }
                    directories.insert(here);
                    return Ok(());
                } else {
                    here = next;
                }
            }
            Some(Component::ParentDir) => {
                here.pop();
            }
            Some(root @ (Component::RootDir | Component::Prefix(_))) => here.push(root),
            Some(Component::CurDir) | None => {}
        }
    }
    Ok(())
}

fn reversed(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}
