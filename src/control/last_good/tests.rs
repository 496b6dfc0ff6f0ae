//! Tests of the store of the last good configuration.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::file_read::text_hash;

const WAIT: Duration = Duration::from_mins(1);

/// A folder with the folder `specs` in it, removed after its test.
struct StoreFolder(PathBuf);

impl StoreFolder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mynah-last-good-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("specs/deep")).unwrap();
        Self(path)
    }

    fn store(&self) -> LastGoodStore {
        LastGoodStore::new(&self.0.join("prefix"))
    }

    fn live(&self, source: Arc<SourceFile>, files: &[(&str, &str)]) -> LiveText {
        let specs = self.0.join("specs");
        let files = files.iter().map(|(name, text)| (specs.join(name), text_hash(text.as_bytes())));
        LiveText {
            source,
            format: DeclarativeFormat::Environment,
            has_quarantine: true,
            files: files.collect(),
            specs: specs.clone(),
        }
    }
}

impl Drop for StoreFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn save(store: &LastGoodStore, live: LiveText) -> LastGoodStatus {
    store.save(live);
    store.flush(WAIT);
    store.status()
}

#[test]
fn what_was_kept_is_read_again() {
    let folder = StoreFolder::new("again");
    assert!(folder.store().load().unwrap().is_none());
    let parts = vec![SourceFile::new("a.yaml", "a: \"\\u0001\u{e9}\"\n"), SourceFile::new("b.yaml", "")];
    for source in [SourceFile::new("kong.yaml", "x: ${NAME}\n"), SourceFile::of_parts("conf.d", parts)] {
        let status = save(&folder.store(), folder.live(source.clone(), &[]));
        assert!(status.saved_at.is_some() && status.error.is_none(), "{status:?}");
        let kept = folder.store().load().unwrap().unwrap();
        assert_eq!(kept.source, source);
        assert_eq!((kept.format, kept.has_quarantine), (DeclarativeFormat::Environment, true));
    }
    let path = folder.0.join("prefix").join(FILE_NAME);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Nothing else is left in the folder.
    assert_eq!(fs::read_dir(folder.0.join("prefix")).unwrap().count(), 1);
}

#[test]
fn documents_are_kept_with_their_links() {
    let folder = StoreFolder::new("documents");
    let specs = folder.0.join("specs");
    fs::write(specs.join("deep/real.yaml"), "real").unwrap();
    std::os::unix::fs::symlink("deep/real.yaml", specs.join("link.yaml")).unwrap();
    let source = SourceFile::new("kong.yaml", "");
    let files = [("link.yaml", "real"), ("./deep/real.yaml", "real")];
    let mut live = folder.live(source, &files);
    // A reference that leads to no file.
    live.files.push((specs.join("missing.yaml"), 0));
    assert_eq!(save(&folder.store(), live).error, None);
    let kept = folder.store().load().unwrap().unwrap();
    fs::remove_dir_all(&specs).unwrap();
    let unpacked = folder.0.join("unpacked");
    fs::create_dir_all(&unpacked).unwrap();
    kept.unpack_documents(&unpacked).unwrap();
    assert_eq!(fs::read_to_string(unpacked.join("link.yaml")).unwrap(), "real");
    let real = unpacked.join("deep/real.yaml").canonicalize().unwrap();
    assert_eq!(unpacked.join("link.yaml").canonicalize().unwrap(), real);
}

#[test]
fn what_cannot_be_kept_leaves_the_older_configuration() {
    let folder = StoreFolder::new("older");
    let (store, source) = (folder.store(), SourceFile::new("kong.yaml", "older"));
    assert_eq!(save(&store, folder.live(source, &[])).failures, 0);
    fs::write(folder.0.join("specs/a.yaml"), "changed").unwrap();
    fs::write(folder.0.join("outside.yaml"), "a").unwrap();
    for (n, (files, reason)) in [
        ([("a.yaml", "a")], "it has changed since it was loaded"),
        ([("b.yaml", "b")], "No such file"),
        ([("../outside.yaml", "a")], "outside the folder"),
    ]
    .into_iter()
    .enumerate()
    {
        let status = save(&store, folder.live(SourceFile::new("kong.yaml", "newer"), &files));
        assert_eq!(status.failures, n as u64 + 1);
        assert!(status.error.as_ref().unwrap().contains(reason), "{status:?}");
        assert_eq!(store.load().unwrap().unwrap().source.text, "older");
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = StoreFolder::new("damaged");
    let store = folder.store();
    save(&store, folder.live(SourceFile::new("kong.yaml", "_format_version: \"3.0\"\n"), &[]));
    let good = fs::read(store.path()).unwrap();
    let refuse = |bytes: &[u8], reason: &str| {
        fs::write(store.path(), bytes).unwrap();
        let error = store.load().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    for length in 0..good.len() {
        let first_line = length < 40;
        refuse(&good[..length], if first_line { "another one" } else { "" });
    }
    for n in 0..good.len() {
        let mut changed = good.clone();
        changed[n] ^= 1;
        refuse(&changed, "it is");
    }
    refuse(&[&*good, b"more"].concat(), "cut off");
    refuse(b"", "first line");
    fs::write(store.path(), &good).unwrap();
    assert!(store.load().unwrap().is_some());
}
