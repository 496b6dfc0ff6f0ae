//! Property tests of reloads and writes: whatever changes arrive in whatever order, the live configuration soon
//! equals the file or the reason why not is reported, and half a file is never live.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path as FilePath, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::spawn_blocking;

use super::{
    ConfigSource, Control, PostError, Reconciled,
    reload::Reloader,
    write::{WriteError, WritePlan},
};
use crate::{
    config::DeclarativeFormat,
    diag::SourceFile,
    document::{Mapping, NodePath, Value, edit::DocumentChange},
    snapshot::{LiveSnapshot, Snapshot, SnapshotCompiler},
};

/// A directory that is removed after its test, and the control of the file in it.
pub(super) struct Scene {
    pub(super) folder: PathBuf,
    pub(super) control: Arc<Control>,
}

impl Scene {
    pub(super) fn new(text: &str, arrange: impl FnOnce(Control) -> Control) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mynah-control-{}-{n}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("kong.yaml"), text).unwrap();
        let compiler = SnapshotCompiler::new(folder.join("specs"), <_>::default());
        let control =
            arrange(Control::new(compiler).with_source(&ConfigSource::File(folder.join("kong.yaml"))));
        control.start().unwrap();
        Self { folder, control: Arc::new(control) }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("kong.yaml")
    }

    pub(super) fn live(&self) -> String {
        self.control.load_history().text.unwrap().text.clone()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A configuration whose Route is guarded by its last lines.
pub(super) fn guarded(version: u32) -> String {
    format!(
        "_format_version: \"3.0\"\n# version {version}\nconsumers:\n- username: base\nroutes:\n- name: r\n  paths: [/r]\n\
         {GUARD}"
    )
}

pub(super) const GUARD: &str = "  plugins:\n  - name: key-auth\n";

pub(super) fn is_guarded(snapshot: &Snapshot) -> bool {
    snapshot.entities.routes.is_empty()
        || snapshot.entities.plugins.iter().any(|plugin| plugin.name == "key-auth")
}

/// One change of the configuration.
#[derive(Clone, Debug)]
enum Step {
    /// The file is written in place, in one call.
    InPlace(String),
    /// The file is written in place, with a pause before the guard.
    Slowly(String, Duration),
    /// The file is replaced by rename.
    Renamed(String),
    /// A process opens the file for writing, and closes it.
    Touched,
    /// The first text is restored.
    Restored,
    Signal,
    Write(u32),
    Post(String),
    Pause(Duration),
}

impl Step {
    fn random(random: &mut StdRng, n: u32) -> Self {
        let text = match random.random_range(0..6) {
            0 => "routes: [".to_owned(),
            1 => String::new(),
            _ => guarded(n),
        };
        let pause = Duration::from_millis(random.random_range(0..120));
        match random.random_range(0..13) {
            0 => Self::InPlace(text),
            1 | 2 => Self::Slowly(guarded(n), pause),
            3 | 4 => Self::Renamed(text),
            5 => Self::Touched,
            6 | 7 => Self::Restored,
            8 => Self::Signal,
            9 | 10 => Self::Write(n),
            11 => Self::Post(text),
            _ => Self::Pause(pause),
        }
    }

    /// Makes the change. Returns whether the file was saved, or `None` if the gateway decides that.
    fn apply(&self, control: &Control, file: &FilePath, first: &str) -> Option<bool> {
        match self {
            Self::InPlace(text) => fs::write(file, text).unwrap(),
            Self::Slowly(text, pause) => {
                let mut open = OpenOptions::new().write(true).truncate(true).open(file).unwrap();
                let (begin, end) = text.split_at(text.len() - GUARD.len());
                open.write_all(begin.as_bytes()).unwrap();
                wait(*pause);
                open.write_all(end.as_bytes()).unwrap();
            }
            Self::Renamed(text) => replace_by_rename(file, text),
            Self::Restored => replace_by_rename(file, first),
            Self::Touched => drop(OpenOptions::new().append(true).open(file).unwrap()),
            Self::Signal => {
                control.reconcile(true);
                return Some(true);
            }
            Self::Write(n) => {
                let name = Value::from(format!("u{n}"));
                let record: Mapping = [("username", name)].into_iter().collect();
                let changes = vec![DocumentChange::Push(NodePath::root().key("consumers"), record.into())];
                let plan = WritePlan { changes, nested: 1, ..WritePlan::default() };
                match control.write(|_, _| Ok::<_, ()>(plan.clone())) {
                    Ok(_) | Err(WriteError::Conflict(_) | WriteError::Unfinished(_)) => (),
                    Err(error) => panic!("{error:?}"),
                }
                return None;
            }
            Self::Post(text) => {
                match control
                    .load_in_memory(&SourceFile::new("POST /config", text.as_str()), DeclarativeFormat::Kong)
                {
                    Ok(_) => return Some(false),
                    Err(PostError::Refused(_)) => return None,
                    Err(error) => panic!("{error:?}"),
                }
            }
            Self::Pause(pause) => {
                wait(*pause);
                return None;
            }
        }
        Some(true)
    }
}

fn replace_by_rename(file: &FilePath, text: &str) {
    let temp = file.with_file_name("editor");
    fs::write(&temp, text).unwrap();
    fs::rename(temp, file).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the thread serves no requests")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Difference between the live configuration and the file if the history does not report a reason. A posted
/// configuration replaces the file if it was loaded after the last save.
fn unreported_difference(scene: &Scene, is_posted: bool) -> Option<String> {
    let history = scene.control.load_history();
    let file = fs::read_to_string(scene.file()).unwrap();
    let live = history.text.map(|text| text.text.clone()).unwrap_or_default();
    let is_replaced = history.replaced_source.is_some() && (is_posted || history.last_error.is_some());
    let is_reported = history.last_error.is_some() || history.pending.is_some() || is_replaced;
    if live != file && !is_reported {
        return Some(format!("live:\n{live}\nfile:\n{file}"));
    }
    // An error in the history must be one of the file as it is.
    let is_good = file.contains("key-auth");
    (is_good && !is_replaced && live != file
        || is_good && history.last_error.is_some()
        || history.pending.is_some())
    .then(|| format!("{:?} {:?}\nlive:\n{live}\nfile:\n{file}", history.last_error, history.pending))
}

async fn wait_until_consistent(scene: &Scene, is_posted: bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Some(why) = unreported_difference(scene, is_posted) {
        assert!(Instant::now() < deadline, "{what}: {why}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Watches whether a Route was ever live without its guard.
fn watch_guard(live: Arc<LiveSnapshot>, ended: Arc<AtomicBool>) -> std::thread::JoinHandle<bool> {
    std::thread::spawn(move || {
        while !ended.load(Ordering::Acquire) {
            if !is_guarded(&live.current()) {
                return false;
            }
            wait(Duration::from_millis(1));
        }
        true
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_configuration_equals_the_file_or_the_reason_is_reported() {
    let seeds = std::env::var("LAWS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(8);
    for seed in 0..seeds {
        let first = guarded(0);
        let scene = Scene::new(&first, |control| control);
        let ended = Arc::new(AtomicBool::new(false));
        let guard = watch_guard(scene.control.live().clone(), ended.clone());
        let reloader = Reloader::new(scene.control.clone(), ConfigSource::File(scene.file())).unwrap();
        let reloader = tokio::spawn(reloader.run());
        let mut random = StdRng::seed_from_u64(seed);
        let mut steps = Vec::new();
        let mut is_posted = false;
        for n in 1..=random.random_range(1..16) {
            let step = Step::random(&mut random, n);
            steps.push(step.clone());
            let (control, file, first) = (scene.control.clone(), scene.file(), first.clone());
            let saved = spawn_blocking(move || step.apply(&control, &file, &first)).await.unwrap();
            is_posted = saved.map_or(is_posted, |saved| !saved);
        }
        wait_until_consistent(&scene, is_posted, &format!("seed {seed}: {steps:?}")).await;
        ended.store(true, Ordering::Release);
        assert!(guard.join().unwrap(), "a route was open, seed {seed}: {steps:?}");
        reloader.abort();
    }
}

#[test]
fn a_write_loads_the_file_first_and_does_not_overwrite_an_open_writer() {
    let scene = Scene::new(&guarded(0), |control| control);
    let mut writer = OpenOptions::new().write(true).truncate(true).open(scene.file()).unwrap();
    let (begin, end) = (guarded(1), GUARD);
    writer.write_all(begin.strip_suffix(end).unwrap().as_bytes()).unwrap();
    let write = |control: &Control| {
        let record: Mapping = [("username", Value::from("new"))].into_iter().collect();
        let changes = vec![DocumentChange::Push(NodePath::root().key("consumers"), record.into())];
        let plan = WritePlan { changes, nested: 1, ..WritePlan::default() };
        control.write(|_, _| Ok::<_, ()>(plan.clone())).map(|_| ())
    };
    assert!(matches!(write(&scene.control), Err(WriteError::Unfinished(_))));
    assert!(matches!(scene.control.reconcile(true), Reconciled::Pending(_)));
    assert!(scene.control.load_history().pending.is_some());
    assert_eq!(scene.live(), guarded(0));
    writer.write_all(end.as_bytes()).unwrap();
    drop(writer);
    write(&scene.control).unwrap();
    assert!(scene.live().contains("# version 1") && scene.live().contains("new"), "{}", scene.live());
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), scene.live());
    assert!(scene.control.load_history().pending.is_none());
}

#[test]
fn without_leases_a_removed_guard_is_held_back_for_a_while() {
    let hold = Duration::from_secs(1);
    let scene = Scene::new(&guarded(0), |control| control.without_leases(hold));
    let open = guarded(1).strip_suffix(GUARD).unwrap().to_owned();
    replace_by_rename(&scene.file(), &open);
    let loaded = |control: &Control| matches!(control.reconcile(false), Reconciled::Loaded(_));
    let begin = Instant::now();
    while !loaded(&scene.control) {
        assert!(is_guarded(&scene.control.live().current()));
        wait(Duration::from_millis(20));
    }
    assert!(begin.elapsed() >= hold);
    // A text that is marked as complete is loaded as soon as it has been stable for a moment.
    replace_by_rename(&scene.file(), &guarded(2));
    while !loaded(&scene.control) {
        wait(Duration::from_millis(20));
    }
    replace_by_rename(&scene.file(), &format!("{open}...\n"));
    let is_reported_incomplete = |control: &Control| matches!(control.reconcile(false), Reconciled::Pending(report) if report.summary().contains("incomplete:"));
    while scene.live().contains("# version 2") {
        assert!(!is_reported_incomplete(&scene.control));
        wait(Duration::from_millis(20));
    }
}

#[test]
fn a_configuration_that_was_compiled_and_not_published_leaves_no_trace() {
    let specs = |n: u32| format!("{{openapi: 3.0.3, info: {{title: t{n}, version: v}}, paths: {{}}}}");
    let text = "_format_version: \"3.0\"\nconsumers:\n- username: a\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - \
                name: mocking\n    config: {api_specification_filename: a.yaml}\n";
    let scene = Scene::new("_format_version: \"3.0\"\n", |control| control);
    fs::create_dir(scene.folder.join("specs")).unwrap();
    let spec = scene.folder.join("specs/a.yaml");
    fs::write(&spec, specs(1)).unwrap();
    fs::write(scene.file(), text).unwrap();
    while !matches!(scene.control.reconcile(false), Reconciled::Unchanged) {}
    // A write compiles the new specification and is then refused.
    fs::write(&spec, specs(2)).unwrap();
    let plan = || {
        let changes =
            vec![DocumentChange::Set(NodePath::root().key("consumers").index(0).key("username"), "b".into())];
        WritePlan { changes, ..WritePlan::default() }
    };
    let generation = scene.control.live().current().generation;
    assert!(matches!(scene.control.write(|_, _| Ok::<_, ()>(plan())), Err(WriteError::Conflict(_))));
    // Either the write or the next comparison has loaded the new specification.
    scene.control.reconcile(false);
    assert!(scene.control.live().current().generation > generation);
    assert!(matches!(scene.control.reconcile(false), Reconciled::Unchanged));
}
