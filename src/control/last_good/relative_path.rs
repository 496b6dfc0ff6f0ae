//! Paths inside a folder, relative to it.

use std::path::{Component, Path, PathBuf};

/// The path relative to a folder, without `.` and `..`; `None` if it leads out of the folder.
pub(super) fn inside(path: &Path, folder: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.strip_prefix(folder).ok()?.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => (),
            Component::ParentDir if plain.pop() => (),
            _ => return None,
        }
    }
    (!plain.as_os_str().is_empty()).then_some(plain)
}

/// Whether a path is relative and only goes down.
pub(super) fn goes_down(path: &Path) -> bool {
    let mut components = path.components().peekable();
    components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("/s/a.yaml", Some("a.yaml")),
            ("/s/./deep/../a.yaml", Some("a.yaml")),
            ("/s/deep/b.yaml", Some("deep/b.yaml")),
            ("/s/../a.yaml", None),
            ("/s/deep/../../a.yaml", None),
            ("/s", None),
            ("/t/a.yaml", None),
        ] {
            let found = inside(Path::new(path), Path::new("/s"));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{path}");
            assert!(found.is_none_or(|found| goes_down(&found)), "{path}");
        }
        for path in ["", "/a", "../a", "a/../../b"] {
            assert!(!goes_down(Path::new(path)), "{path}");
        }
    }
}
