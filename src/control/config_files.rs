//! File lists of configurations that are a directory or a pattern such as `conf.d/*.yaml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files of a directory or pattern, sorted by name; `None` if the path is that of a single file.
pub(super) fn list_files(path: &Path) -> Option<Vec<PathBuf>> {
    let directory = watched_directory(path)?;
    if directory == path {
        return Some(list_directory(path, |name| {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            matches!(ending, "yaml" | "yml" | "json")
        }));
    }
    let pattern = file_name(path);
    Some(list_directory(directory, |file| matches_pattern(pattern.as_bytes(), file.as_bytes())))
}

/// The directory that holds those files and in which new ones may appear; `None` if the path is that of a single
/// file.
pub(super) fn watched_directory(path: &Path) -> Option<&Path> {
    if path.is_dir() {
        return Some(path);
    }
    let is_pattern = file_name(path).contains(['*', '?']) && !path.exists();
    is_pattern
        .then(|| path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The files of a directory whose names are accepted; hidden files never are.
fn list_directory(directory: &Path, accepts: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let all = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = all
        .filter(|entry| {
            entry.file_name().to_str().is_some_and(|name| !name.starts_with('.') && accepts(name))
        })
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
        .collect();
    files.sort_unstable();
    files
}

/// Whether a file name matches a pattern of `*` (any characters) and `?` (one character).
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    // Position to retry from when the text after the last `*` does not match: one byte further in the name.
    let mut retry: Option<(usize, usize)> = None;
    let (mut pattern_at, mut name_at) = (0, 0);
    while name_at < name.len() {
        match pattern.get(pattern_at) {
            Some(b'*') => {
                retry = Some((pattern_at + 1, name_at));
                pattern_at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[name_at] => {
                pattern_at += 1;
                name_at += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    pattern_at = after;
                    name_at = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[pattern_at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_file_names() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("?0-*.y*ml", "10-a.b.yaml", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b", "ab-", false),
            ("*", "", true),
        ] {
            assert_eq!(matches_pattern(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
