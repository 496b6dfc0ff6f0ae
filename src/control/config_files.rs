//! Configurations in several files: a folder, or a pattern such as `conf.d/*.yaml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files that a path stands for, in the order of their names; `None` if it is the path of one file.
pub(super) fn list_files(path: &Path) -> Option<Vec<PathBuf>> {
    let folder = watched_folder(path)?;
    if folder == path {
        return Some(entries(path, |name| {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            matches!(ending, "yaml" | "yml" | "json")
        }));
    }
    let pattern = name(path);
    Some(entries(folder, |file| matches(pattern.as_bytes(), file.as_bytes())))
}

/// The folder in which those files are, and new ones may come to be; `None` if it is the path of one file.
pub(super) fn watched_folder(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        return Some(path);
    }
    let is_pattern = name(path).contains(['*', '?']) && !path.exists();
    is_pattern.then(|| path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|it| it.to_str()).unwrap_or_default()
}

/// The files of a folder whose names are wanted; hidden ones never are.
fn entries(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = all
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| !name.starts_with('.') && wanted(name)))
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
        .collect();
    files.sort_unstable();
    files
}

/// Whether a name is one that a pattern of `*` (any characters) and `?` (one character) is for.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on when the rest after the last `*` does not fit: one byte further.
    let mut again: Option<(usize, usize)> = None;
    let (mut at, mut here) = (0, 0);
    while here < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[here] => {
                at += 1;
                here += 1;
            }
            _ => match again {
                Some((after, from)) => {
                    again = Some((after, from + 1));
                    at = after;
                    here = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_for_names() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("?0-*.y*ml", "10-a.b.yaml", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b", "ab-", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
