//! Each way in which files are edited, by events and by polling.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use super::{FileChange, WatchMode, Watcher, observation::FileContent};

/// A directory that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mynah-watch-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.at(name), text).unwrap();
        self.at(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn changed(watcher: &mut Watcher) -> FileChange {
    tokio::time::timeout(Duration::from_secs(20), watcher.changed()).await.expect("no change is reported")
}

/// Waits for reports until one of them has seen this content.
async fn sees(watcher: &mut Watcher, file: &Path, content: FileContent) {
    loop {
        let change = changed(watcher).await;
        assert_eq!(change.files, [file]);
        let report = watcher.reports.borrow();
        if report.files.iter().any(|it| it.path == file && it.content() == content) {
            return;
        }
    }
}

/// Prepares a file, then edits it three times in the same way; each time must be seen.
async fn check(prepare: fn(&Path, &str) -> PathBuf, edit: fn(&Path, &str)) {
    for senses in [WatchMode::EventsAndPolling, WatchMode::Events, WatchMode::Polling] {
        let folder = Folder::new();
        let file = prepare(&folder.0, "round 0");
        let mut watcher = Watcher::start(vec![file.clone()], senses).await.unwrap();
        for round in 1..=3 {
            let text = format!("round {round}");
            // From now on nothing but a sense leads to a look.
            watcher.settle().await;
            edit(&folder.0, &text);
            sees(&mut watcher, &file, FileContent::of(&text)).await;
        }
    }
}

fn plain(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("kong.yaml");
    fs::write(&file, text).unwrap();
    file
}

fn replace_by_rename(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join("new"), text).unwrap();
    fs::rename(folder.join("new"), folder.join(name)).unwrap();
}

fn relink(folder: &Path, link: &str, target: impl AsRef<Path>) {
    symlink(target, folder.join("link")).unwrap();
    fs::rename(folder.join("link"), folder.join(link)).unwrap();
}

#[tokio::test]
async fn written_in_place() {
    check(plain, |folder, text| fs::write(folder.join("kong.yaml"), text).unwrap()).await;
}

#[tokio::test]
async fn written_in_place_with_the_old_time() {
    check(plain, |folder, text| {
        fs::write(folder.join("kong.yaml"), text).unwrap();
        File::open(folder.join("kong.yaml")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    })
    .await;
}

#[tokio::test]
async fn replaced_by_rename() {
    check(plain, |folder, text| replace_by_rename(folder, "kong.yaml", text)).await;
}

#[tokio::test]
async fn written_beside_a_backup() {
    check(plain, |folder, text| {
        fs::rename(folder.join("kong.yaml"), folder.join("kong.yaml~")).unwrap();
        fs::write(folder.join("kong.yaml"), text).unwrap();
        fs::remove_file(folder.join("kong.yaml~")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn deleted_and_created() {
    check(plain, |folder, text| {
        fs::remove_file(folder.join("kong.yaml")).unwrap();
        fs::write(folder.join("kong.yaml"), text).unwrap();
    })
    .await;
}

#[tokio::test]
async fn swapped_for_a_hard_link() {
    check(plain, |folder, text| {
        fs::write(folder.join(text), text).unwrap();
        fs::hard_link(folder.join(text), folder.join("new")).unwrap();
        fs::rename(folder.join("new"), folder.join("kong.yaml")).unwrap();
    })
    .await;
}

fn linked(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::write(folder.join("elsewhere/real.yaml"), text).unwrap();
    symlink("elsewhere/real.yaml", folder.join("kong.yaml")).unwrap();
    folder.join("kong.yaml")
}

#[tokio::test]
async fn a_link_that_is_led_elsewhere() {
    check(linked, |folder, text| {
        fs::write(folder.join("elsewhere").join(text), text).unwrap();
        relink(folder, "kong.yaml", folder.join("elsewhere").join(text));
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_deleted_and_created() {
    check(linked, |folder, text| {
        fs::write(folder.join("elsewhere").join(text), text).unwrap();
        fs::remove_file(folder.join("kong.yaml")).unwrap();
        symlink(folder.join("elsewhere").join(text), folder.join("kong.yaml")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_target_of_a_link_written_in_place() {
    check(linked, |folder, text| fs::write(folder.join("elsewhere/real.yaml"), text).unwrap()).await;
}

#[tokio::test]
async fn the_target_of_a_link_replaced_by_rename() {
    check(linked, |folder, text| replace_by_rename(&folder.join("elsewhere"), "real.yaml", text)).await;
}

fn in_linked_folder(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join(text)).unwrap();
    fs::write(folder.join(text).join("kong.yaml"), text).unwrap();
    relink(folder, "current", text);
    folder.join("current/kong.yaml")
}

#[tokio::test]
async fn a_linked_folder_that_is_led_elsewhere() {
    check(in_linked_folder, |folder, text| {
        in_linked_folder(folder, text);
    })
    .await;
}

fn in_folder(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join("conf")).unwrap();
    fs::write(folder.join("conf/kong.yaml"), text).unwrap();
    folder.join("conf/kong.yaml")
}

#[tokio::test]
async fn a_folder_that_is_replaced() {
    check(in_folder, |folder, text| {
        fs::create_dir(folder.join("conf.new")).unwrap();
        fs::write(folder.join("conf.new/kong.yaml"), text).unwrap();
        fs::rename(folder.join("conf"), folder.join("conf.old")).unwrap();
        fs::rename(folder.join("conf.new"), folder.join("conf")).unwrap();
        fs::remove_dir_all(folder.join("conf.old")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_created() {
    check(in_folder, |folder, text| {
        fs::remove_dir_all(folder.join("conf")).unwrap();
        in_folder(folder, text);
    })
    .await;
}

/// What kubelet does: `kong.yaml -> ..data/kong.yaml`, `..data -> ..VERSION`.
fn config_map(folder: &Path, text: &str) -> PathBuf {
    config_map_version(folder, text);
    symlink("..data/kong.yaml", folder.join("kong.yaml")).unwrap();
    folder.join("kong.yaml")
}

fn config_map_version(folder: &Path, text: &str) {
    let old = fs::read_link(folder.join("..data"));
    let version = format!("..{}", text.replace(' ', "_"));
    fs::create_dir(folder.join(&version)).unwrap();
    fs::write(folder.join(&version).join("kong.yaml"), text).unwrap();
    symlink(&version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Ok(old) = old {
        fs::remove_dir_all(folder.join(old)).unwrap();
    }
}

#[tokio::test]
async fn a_config_map_that_is_updated() {
    check(config_map, config_map_version).await;
}

#[tokio::test]
async fn a_file_that_does_not_exist_yet() {
    check(
        |folder, _| folder.join("not/yet/kong.yaml"),
        |folder, text| {
            fs::create_dir_all(folder.join("not/yet")).unwrap();
            fs::write(folder.join("not/yet/kong.yaml"), text).unwrap();
        },
    )
    .await;
}

#[tokio::test]
async fn a_file_that_vanishes_and_one_that_becomes_a_folder() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    fs::remove_file(&file).unwrap();
    sees(&mut watcher, &file, FileContent::ABSENT).await;
    folder.write("kong.yaml", "again");
    sees(&mut watcher, &file, FileContent::of("again")).await;
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    // A folder says the names in it.
    sees(&mut watcher, &file, FileContent::of("")).await;
}

#[tokio::test]
async fn a_folder_says_the_names_in_it() {
    for senses in [WatchMode::EventsAndPolling, WatchMode::Events, WatchMode::Polling] {
        let folder = Folder::new();
        folder.write("one.yaml", "text");
        let mut watcher = Watcher::start(vec![folder.0.clone()], senses).await.unwrap();
        watcher.settle().await;
        // Neither is a name that counts.
        folder.write(".hidden", "text");
        folder.write("one.yaml", "other");
        watcher.settle().await;
        folder.write("two.yaml", "text");
        sees(&mut watcher, &folder.0, FileContent::of("one.yaml\0two.yaml")).await;
        watcher.settle().await;
        fs::remove_file(folder.at("one.yaml")).unwrap();
        sees(&mut watcher, &folder.0, FileContent::of("two.yaml")).await;
    }
}

#[tokio::test]
async fn a_writer_that_has_not_closed_its_file_is_told_of() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "");
    let writing = Arc::new(AtomicBool::new(false));
    let mut watcher = Watcher::telling(vec![file.clone()], writing.clone()).await.unwrap();
    let mut writer = File::create(&file).unwrap();
    writeln!(writer, "line").unwrap();
    while !writing.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    writeln!(writer, "line").unwrap();
    drop(writer);
    sees(&mut watcher, &file, FileContent::of("line\nline\n")).await;
    assert!(!writing.load(Ordering::Acquire));
}

#[tokio::test]
async fn the_last_of_many_changes_is_seen() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    for count in 0..300 {
        folder.write("kong.yaml", &count.to_string());
        tokio::task::yield_now().await;
    }
    sees(&mut watcher, &file, FileContent::of("299")).await;
}

#[tokio::test]
async fn what_is_no_change_of_content_is_not_reported() {
    for senses in [WatchMode::EventsAndPolling, WatchMode::Polling] {
        let folder = Folder::new();
        let one = folder.write("one.yaml", "one");
        let other = folder.write("other.yaml", "other");
        let mut watcher = Watcher::start(vec![one.clone(), other.clone()], senses).await.unwrap();
        watcher.settle().await;
        File::open(&one).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        folder.write("one.yaml", "one");
        replace_by_rename(&folder.0, "one.yaml", "one");
        for count in 0..300 {
            folder.write(&format!("noise-{count}"), "noise");
        }
        // Only now is there something to report; had anything above been, it would be named here or earlier.
        watcher.settle().await;
        folder.write("other.yaml", "changed");
        sees(&mut watcher, &other, FileContent::of("changed")).await;
    }
}

#[tokio::test]
async fn what_happens_while_the_caller_reads_is_reported() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    folder.write("kong.yaml", "");
    folder.write("kong.yaml", "text");
    sees(&mut watcher, &file, FileContent::of("text")).await;
    folder.write("kong.yaml", "half");
    folder.write("kong.yaml", "text");
    sees(&mut watcher, &file, FileContent::of("text")).await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    for round in 1..=3 {
        let text = format!("round {round}");
        for _ in 0..3 {
            let given_up = tokio::time::timeout(Duration::ZERO, watcher.changed()).await;
            assert!(given_up.is_err());
        }
        folder.write("kong.yaml", &text);
        sees(&mut watcher, &file, FileContent::of(&text)).await;
    }
}

#[tokio::test]
async fn the_set_of_files_can_change() {
    let folder = Folder::new();
    let [config, spec] = ["kong.yaml", "spec.yaml"].map(|name| folder.write(name, "text"));
    let mut watcher = Watcher::new(vec![config.clone()]).await.unwrap();
    // The spec was written a moment ago: the caller may have read it before that.
    watcher.watch(vec![config.clone(), spec.clone()]);
    sees(&mut watcher, &spec, FileContent::of("text")).await;
    for text in ["one", "two", "three"] {
        folder.write("spec.yaml", text);
        sees(&mut watcher, &spec, FileContent::of(text)).await;
        folder.write("kong.yaml", text);
        sees(&mut watcher, &config, FileContent::of(text)).await;
    }
    watcher.watch(vec![spec.clone()]);
    folder.write("kong.yaml", "nobody cares");
    folder.write("spec.yaml", "four");
    sees(&mut watcher, &spec, FileContent::of("four")).await;
}

#[tokio::test]
async fn an_old_file_joins_the_set_without_a_report() {
    let folder = Folder::new();
    let config = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![config.clone()]).await.unwrap();
    // What this test is run from may have been made a moment ago.
    watcher.watch(vec![config.clone(), PathBuf::from("/bin/sh")]);
    folder.write("kong.yaml", "other");
    sees(&mut watcher, &config, FileContent::of("other")).await;
}
