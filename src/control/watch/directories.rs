//! Directories whose entries decide which content a path leads to.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::observation::FileIdentity;

/// Longest chain of symbolic links that Linux follows in one path.
const MAX_SYMLINKS: usize = 40;

/// The existing directories whose entries decide the content of the files.
pub(super) fn directories<'a>(files: impl Iterator<Item = &'a Path>) -> BTreeMap<PathBuf, FileIdentity> {
    let mut directories = BTreeSet::new();
    for file in files {
        // A link that is removed while it is read causes events in the directories already added.
        let _ = add_directories(file, &mut directories);
    }
    let identified = |path: PathBuf| FileIdentity::take(&path).map(|identity| (path, identity));
    directories.into_iter().filter_map(identified).collect()
}

/// Adds the directory of the file and those of all symbolic links on the way to it, and the file itself if it is a
/// directory. If a part of the path does not exist, the last directory that exists is added instead.
fn add_directories(file: &Path, directories: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut remaining = reversed_components(&std::path::absolute(file)?);
    let mut current = PathBuf::new();
    let mut links = 0;
    while let Some(part) = remaining.pop() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => {
                let next = current.join(name);
                let metadata = fs::symlink_metadata(&next);
                if metadata.as_ref().is_ok_and(fs::Metadata::is_symlink) {
                    directories.insert(current.clone());
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return Ok(());
                    }
                    remaining.extend(reversed_components(&fs::read_link(&next)?));
                } else if metadata.is_err() || remaining.is_empty() {
                    if metadata.is_ok_and(|metadata| metadata.is_dir()) {
                        directories.insert(next);
                    }
                    directories.insert(current);
                    return Ok(());
                } else {
                    current = next;
                }
            }
            Some(Component::ParentDir) => {
                current.pop();
            }
            Some(root @ (Component::RootDir | Component::Prefix(_))) => current.push(root),
            Some(Component::CurDir) | None => {}
        }
    }
    Ok(())
}

fn reversed_components(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}
