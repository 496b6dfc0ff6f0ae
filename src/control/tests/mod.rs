//! The law of what is current: whatever comes through whichever doors, and however it interleaves, soon after the last
//! change what is live is what the file says, or it is told why not; and at no time is half a file live.

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

/// A folder that goes with its test, and the control of the file in it.
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
        self.control.state().text.unwrap().text.clone()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A text whose route is guarded by its last lines.
pub(super) fn guarded(version: u32) -> String {
    format!(
        "_format_version: \"3.0\"\n# version {version}\nconsumers:\n- username: base\nroutes:\n- name: r\n  paths: [/r]\n\
         {GUARD}"
    )
}

pub(super) const GUARD: &str = "  plugins:\n  - name: key-auth\n";

pub(super) fn is_guarded(snapshot: &Snapshot) -> bool {
    snapshot.entities.routes.is_empty() || snapshot.entities.plugins.iter().any(|it| it.name == "key-auth")
}

/// One change, through one of the doors.
#[derive(Clone, Debug)]
enum Step {
    /// The file is written in its place, in one go.
    InPlace(String),
    /// The file is written in its place, with a pause before the guard.
    Slowly(String, Duration),
    /// A new file takes its place.
    Renamed(String),
    /// A process opens the file for writing, and closes it.
    Touched,
    /// What the file said before the last writes comes back.
    Restored,
    Signal,
    Write(u32),
    Post(String),
    Pause(Duration),
}

impl Step {
    fn any(random: &mut StdRng, n: u32) -> Self {
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

    /// Makes the change; whether the file was saved, if that is not up to the gateway.
    fn make(&self, control: &Control, file: &FilePath, first: &str) -> Option<bool> {
        match self {
            Self::InPlace(text) => fs::write(file, text).unwrap(),
            Self::Slowly(text, pause) => {
                let mut open = OpenOptions::new().write(true).truncate(true).open(file).unwrap();
                let (begin, end) = text.split_at(text.len() - GUARD.len());
                open.write_all(begin.as_bytes()).unwrap();
                wait(*pause);
                open.write_all(end.as_bytes()).unwrap();
            }
            Self::Renamed(text) => rename(file, text),
            Self::Restored => rename(file, first),
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
                match control.post(&SourceFile::new("POST /config", text.as_str()), DeclarativeFormat::Kong) {
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

fn rename(file: &FilePath, text: &str) {
    let beside = file.with_file_name("editor");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a thread of a test serves nobody")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// Why what is live is not what the file says, if it is not, and nothing tells why. What was posted replaces the file if it
/// came after the last save.
fn untold(scene: &Scene, is_posted: bool) -> Option<String> {
    let state = scene.control.state();
    let file = fs::read_to_string(scene.file()).unwrap();
    let live = state.text.map(|it| it.text.clone()).unwrap_or_default();
    let is_over = state.over.is_some() && (is_posted || state.last_error.is_some());
    let is_told = state.last_error.is_some() || state.pending.is_some() || is_over;
    if live != file && !is_told {
        return Some(format!("live:\n{live}\nfile:\n{file}"));
    }
    // An error that is told is one of the file as it is.
    let is_good = file.contains("key-auth");
    (is_good && !is_over && live != file || is_good && state.last_error.is_some() || state.pending.is_some())
        .then(|| format!("{:?} {:?}\nlive:\n{live}\nfile:\n{file}", state.last_error, state.pending))
}

async fn soon(scene: &Scene, is_posted: bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while let Some(why) = untold(scene, is_posted) {
        assert!(Instant::now() < end, "{what}: {why}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a route was ever live without its guard.
fn watch(live: Arc<LiveSnapshot>, ended: Arc<AtomicBool>) -> std::thread::JoinHandle<bool> {
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
async fn live_is_what_the_file_says_or_it_is_told_why_not() {
    let seeds = std::env::var("LAWS_SEEDS").ok().and_then(|it| it.parse().ok()).unwrap_or(8);
    for seed in 0..seeds {
        let first = guarded(0);
        let scene = Scene::new(&first, |it| it);
        let ended = Arc::new(AtomicBool::new(false));
        let guard = watch(scene.control.live().clone(), ended.clone());
        let reloader = Reloader::new(scene.control.clone(), ConfigSource::File(scene.file())).unwrap();
        let reloader = tokio::spawn(reloader.run());
        let mut random = StdRng::seed_from_u64(seed);
        let mut steps = Vec::new();
        let mut is_posted = false;
        for n in 1..=random.random_range(1..16) {
            let step = Step::any(&mut random, n);
            steps.push(step.clone());
            let (control, file, first) = (scene.control.clone(), scene.file(), first.clone());
            let saved = spawn_blocking(move || step.make(&control, &file, &first)).await.unwrap();
            is_posted = saved.map_or(is_posted, |saved| !saved);
        }
        soon(&scene, is_posted, &format!("seed {seed}: {steps:?}")).await;
        ended.store(true, Ordering::Release);
        assert!(guard.join().unwrap(), "a route was open, seed {seed}: {steps:?}");
        reloader.abort();
    }
}

#[test]
fn a_write_is_compared_with_the_file_and_not_written_over_a_writer() {
    let scene = Scene::new(&guarded(0), |it| it);
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
    assert!(scene.control.state().pending.is_some());
    assert_eq!(scene.live(), guarded(0));
    writer.write_all(end.as_bytes()).unwrap();
    drop(writer);
    write(&scene.control).unwrap();
    assert!(scene.live().contains("# version 1") && scene.live().contains("new"), "{}", scene.live());
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), scene.live());
    assert!(scene.control.state().pending.is_none());
}

#[test]
fn where_nobody_knows_whether_a_writer_is_done_a_guard_that_goes_is_held_back_for_a_while() {
    let hold = Duration::from_secs(1);
    let scene = Scene::new(&guarded(0), |control| control.without_leases(hold));
    let open = guarded(1).strip_suffix(GUARD).unwrap().to_owned();
    rename(&scene.file(), &open);
    let loaded = |control: &Control| matches!(control.reconcile(false), Reconciled::Loaded(_));
    let begin = Instant::now();
    while !loaded(&scene.control) {
        assert!(is_guarded(&scene.control.live().current()));
        wait(Duration::from_millis(20));
    }
    assert!(begin.elapsed() >= hold);
    // A text that says that it is complete is loaded as soon as it is unchanged for a moment.
    rename(&scene.file(), &guarded(2));
    while !loaded(&scene.control) {
        wait(Duration::from_millis(20));
    }
    rename(&scene.file(), &format!("{open}...\n"));
    let is_told_incomplete = |control: &Control| matches!(control.reconcile(false), Reconciled::Pending(report) if report.summary().contains("incomplete:"));
    while scene.live().contains("# version 2") {
        assert!(!is_told_incomplete(&scene.control));
        wait(Duration::from_millis(20));
    }
}

#[test]
fn what_was_compiled_and_not_made_current_leaves_no_trace() {
    let specs = |n: u32| format!("{{openapi: 3.0.3, info: {{title: t{n}, version: v}}, paths: {{}}}}");
    let text = "_format_version: \"3.0\"\nconsumers:\n- username: a\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - \
                name: mocking\n    config: {api_specification_filename: a.yaml}\n";
    let scene = Scene::new("_format_version: \"3.0\"\n", |it| it);
    fs::create_dir(scene.folder.join("specs")).unwrap();
    let spec = scene.folder.join("specs/a.yaml");
    fs::write(&spec, specs(1)).unwrap();
    fs::write(scene.file(), text).unwrap();
    while !matches!(scene.control.reconcile(false), Reconciled::Same) {}
    // A write that compiles the new document and is then refused.
    fs::write(&spec, specs(2)).unwrap();
    let plan = || {
        let changes =
            vec![DocumentChange::Set(NodePath::root().key("consumers").index(0).key("username"), "b".into())];
        WritePlan { changes, ..WritePlan::default() }
    };
    let generation = scene.control.live().current().generation;
    assert!(matches!(scene.control.write(|_, _| Ok::<_, ()>(plan())), Err(WriteError::Conflict(_))));
    // Either the write or the next look has made the new document current.
    scene.control.reconcile(false);
    assert!(scene.control.live().current().generation > generation);
    assert!(matches!(scene.control.reconcile(false), Reconciled::Same));
}
