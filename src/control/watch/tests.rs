//! Tests of ways in which files are edited, each detected by events and by polling.

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

/// A directory that is removed after the test.
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

async fn next_change(watcher: &mut Watcher) -> FileChange {
    tokio::time::timeout(Duration::from_secs(20), watcher.changed()).await.expect("no change is reported")
}

/// Waits for reports until one of them has this content.
async fn expect_content(watcher: &mut Watcher, file: &Path, content: FileContent) {
    loop {
        let change = next_change(watcher).await;
        assert_eq!(change.files, [file]);
        let report = watcher.reports.borrow();
        if report.files.iter().any(|watched| watched.path == file && watched.content() == content) {
            return;
        }
    }
}

/// Prepares a file, then edits it three times in the same way; each edit must be reported.
async fn check(prepare: fn(&Path, &str) -> PathBuf, edit: fn(&Path, &str)) {
    for mode in [WatchMode::EventsAndPolling, WatchMode::Events, WatchMode::Polling] {
        let folder = Folder::new();
        let file = prepare(&folder.0, "round 0");
        let mut watcher = Watcher::start(vec![file.clone()], mode).await.unwrap();
        for round in 1..=3 {
            let text = format!("round {round}");
            // From now on only an event or a stamp check triggers a read.
            watcher.send_settle().await;
            edit(&folder.0, &text);
            expect_content(&mut watcher, &file, FileContent::of(&text)).await;
        }
    }
}

fn prepare_plain_file(folder: &Path, text: &str) -> PathBuf {
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
async fn a_file_written_in_place_is_reported() {
    check(prepare_plain_file, |folder, text| fs::write(folder.join("kong.yaml"), text).unwrap()).await;
}

#[tokio::test]
async fn a_file_written_in_place_with_its_old_time_is_reported() {
    check(prepare_plain_file, |folder, text| {
        fs::write(folder.join("kong.yaml"), text).unwrap();
        File::open(folder.join("kong.yaml")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_replaced_by_rename_is_reported() {
    check(prepare_plain_file, |folder, text| replace_by_rename(folder, "kong.yaml", text)).await;
}

#[tokio::test]
async fn a_file_moved_to_a_backup_and_written_anew_is_reported() {
    check(prepare_plain_file, |folder, text| {
        fs::rename(folder.join("kong.yaml"), folder.join("kong.yaml~")).unwrap();
        fs::write(folder.join("kong.yaml"), text).unwrap();
        fs::remove_file(folder.join("kong.yaml~")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_deleted_and_created_is_reported() {
    check(prepare_plain_file, |folder, text| {
        fs::remove_file(folder.join("kong.yaml")).unwrap();
        fs::write(folder.join("kong.yaml"), text).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_replaced_by_a_hard_link_is_reported() {
    check(prepare_plain_file, |folder, text| {
        fs::write(folder.join(text), text).unwrap();
        fs::hard_link(folder.join(text), folder.join("new")).unwrap();
        fs::rename(folder.join("new"), folder.join("kong.yaml")).unwrap();
    })
    .await;
}

fn prepare_link(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::write(folder.join("elsewhere/real.yaml"), text).unwrap();
    symlink("elsewhere/real.yaml", folder.join("kong.yaml")).unwrap();
    folder.join("kong.yaml")
}

#[tokio::test]
async fn a_link_to_another_target_is_reported() {
    check(prepare_link, |folder, text| {
        fs::write(folder.join("elsewhere").join(text), text).unwrap();
        relink(folder, "kong.yaml", folder.join("elsewhere").join(text));
    })
    .await;
}

#[tokio::test]
async fn a_link_deleted_and_created_is_reported() {
    check(prepare_link, |folder, text| {
        fs::write(folder.join("elsewhere").join(text), text).unwrap();
        fs::remove_file(folder.join("kong.yaml")).unwrap();
        symlink(folder.join("elsewhere").join(text), folder.join("kong.yaml")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_target_written_in_place_is_reported() {
    check(prepare_link, |folder, text| fs::write(folder.join("elsewhere/real.yaml"), text).unwrap()).await;
}

#[tokio::test]
async fn a_link_target_replaced_by_rename_is_reported() {
    check(prepare_link, |folder, text| replace_by_rename(&folder.join("elsewhere"), "real.yaml", text)).await;
}

fn prepare_linked_directory(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join(text)).unwrap();
    fs::write(folder.join(text).join("kong.yaml"), text).unwrap();
    relink(folder, "current", text);
    folder.join("current/kong.yaml")
}

#[tokio::test]
async fn a_directory_link_to_another_target_is_reported() {
    check(prepare_linked_directory, |folder, text| {
        prepare_linked_directory(folder, text);
    })
    .await;
}

fn prepare_directory(folder: &Path, text: &str) -> PathBuf {
    fs::create_dir(folder.join("conf")).unwrap();
    fs::write(folder.join("conf/kong.yaml"), text).unwrap();
    folder.join("conf/kong.yaml")
}

#[tokio::test]
async fn a_replaced_directory_is_reported() {
    check(prepare_directory, |folder, text| {
        fs::create_dir(folder.join("conf.new")).unwrap();
        fs::write(folder.join("conf.new/kong.yaml"), text).unwrap();
        fs::rename(folder.join("conf"), folder.join("conf.old")).unwrap();
        fs::rename(folder.join("conf.new"), folder.join("conf")).unwrap();
        fs::remove_dir_all(folder.join("conf.old")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_directory_deleted_and_created_is_reported() {
    check(prepare_directory, |folder, text| {
        fs::remove_dir_all(folder.join("conf")).unwrap();
        prepare_directory(folder, text);
    })
    .await;
}

/// The layout that kubelet uses: `kong.yaml -> ..data/kong.yaml`, `..data -> ..VERSION`.
fn prepare_config_map(folder: &Path, text: &str) -> PathBuf {
    write_config_map_version(folder, text);
    symlink("..data/kong.yaml", folder.join("kong.yaml")).unwrap();
    folder.join("kong.yaml")
}

fn write_config_map_version(folder: &Path, text: &str) {
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
async fn an_updated_config_map_is_reported() {
    check(prepare_config_map, write_config_map_version).await;
}

#[tokio::test]
async fn a_created_file_is_reported() {
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
async fn a_deleted_file_and_one_that_becomes_a_directory_are_reported() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    fs::remove_file(&file).unwrap();
    expect_content(&mut watcher, &file, FileContent::ABSENT).await;
    folder.write("kong.yaml", "again");
    expect_content(&mut watcher, &file, FileContent::of("again")).await;
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    // The content of a directory is the names in it.
    expect_content(&mut watcher, &file, FileContent::of("")).await;
}

#[tokio::test]
async fn the_content_of_a_directory_is_the_names_in_it() {
    for mode in [WatchMode::EventsAndPolling, WatchMode::Events, WatchMode::Polling] {
        let folder = Folder::new();
        folder.write("one.yaml", "text");
        let mut watcher = Watcher::start(vec![folder.0.clone()], mode).await.unwrap();
        watcher.send_settle().await;
        // Neither changes the set of visible names.
        folder.write(".hidden", "text");
        folder.write("one.yaml", "other");
        watcher.send_settle().await;
        folder.write("two.yaml", "text");
        expect_content(&mut watcher, &folder.0, FileContent::of("one.yaml\0two.yaml")).await;
        watcher.send_settle().await;
        fs::remove_file(folder.at("one.yaml")).unwrap();
        expect_content(&mut watcher, &folder.0, FileContent::of("two.yaml")).await;
    }
}

#[tokio::test]
async fn the_flag_is_set_while_a_writer_has_not_closed_its_file() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "");
    let has_open_writer = Arc::new(AtomicBool::new(false));
    let mut watcher = Watcher::with_writer_flag(vec![file.clone()], has_open_writer.clone()).await.unwrap();
    let mut writer = File::create(&file).unwrap();
    writeln!(writer, "line").unwrap();
    while !has_open_writer.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    writeln!(writer, "line").unwrap();
    drop(writer);
    expect_content(&mut watcher, &file, FileContent::of("line\nline\n")).await;
    assert!(!has_open_writer.load(Ordering::Acquire));
}

#[tokio::test]
async fn the_last_of_many_changes_is_reported() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    for count in 0..300 {
        folder.write("kong.yaml", &count.to_string());
        tokio::task::yield_now().await;
    }
    expect_content(&mut watcher, &file, FileContent::of("299")).await;
}

#[tokio::test]
async fn writes_that_keep_the_content_are_not_reported() {
    for mode in [WatchMode::EventsAndPolling, WatchMode::Polling] {
        let folder = Folder::new();
        let one = folder.write("one.yaml", "one");
        let other = folder.write("other.yaml", "other");
        let mut watcher = Watcher::start(vec![one.clone(), other.clone()], mode).await.unwrap();
        watcher.send_settle().await;
        File::open(&one).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        folder.write("one.yaml", "one");
        replace_by_rename(&folder.0, "one.yaml", "one");
        for count in 0..300 {
            folder.write(&format!("noise-{count}"), "noise");
        }
        // Only this change may be reported; a report of one of the changes above would name another file.
        watcher.send_settle().await;
        folder.write("other.yaml", "changed");
        expect_content(&mut watcher, &other, FileContent::of("changed")).await;
    }
}

#[tokio::test]
async fn changes_while_the_caller_reads_are_reported() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    folder.write("kong.yaml", "");
    folder.write("kong.yaml", "text");
    expect_content(&mut watcher, &file, FileContent::of("text")).await;
    folder.write("kong.yaml", "half");
    folder.write("kong.yaml", "text");
    expect_content(&mut watcher, &file, FileContent::of("text")).await;
}

#[tokio::test]
async fn a_cancelled_wait_loses_no_change() {
    let folder = Folder::new();
    let file = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![file.clone()]).await.unwrap();
    for round in 1..=3 {
        let text = format!("round {round}");
        for _ in 0..3 {
            let cancelled = tokio::time::timeout(Duration::ZERO, watcher.changed()).await;
            assert!(cancelled.is_err());
        }
        folder.write("kong.yaml", &text);
        expect_content(&mut watcher, &file, FileContent::of(&text)).await;
    }
}

#[tokio::test]
async fn the_set_of_files_can_change() {
    let folder = Folder::new();
    let [config, spec] = ["kong.yaml", "spec.yaml"].map(|name| folder.write(name, "text"));
    let mut watcher = Watcher::new(vec![config.clone()]).await.unwrap();
    // The specification was written a moment ago, so the caller may have read an older text.
    watcher.watch(vec![config.clone(), spec.clone()]);
    expect_content(&mut watcher, &spec, FileContent::of("text")).await;
    for text in ["one", "two", "three"] {
        folder.write("spec.yaml", text);
        expect_content(&mut watcher, &spec, FileContent::of(text)).await;
        folder.write("kong.yaml", text);
        expect_content(&mut watcher, &config, FileContent::of(text)).await;
    }
    watcher.watch(vec![spec.clone()]);
    folder.write("kong.yaml", "not watched");
    folder.write("spec.yaml", "four");
    expect_content(&mut watcher, &spec, FileContent::of("four")).await;
}

#[tokio::test]
async fn an_old_file_joins_the_set_without_a_report() {
    let folder = Folder::new();
    let config = folder.write("kong.yaml", "text");
    let mut watcher = Watcher::new(vec![config.clone()]).await.unwrap();
    // An old file: it was not written during the test.
    watcher.watch(vec![config.clone(), PathBuf::from("/bin/sh")]);
    folder.write("kong.yaml", "other");
    expect_content(&mut watcher, &config, FileContent::of("other")).await;
}
