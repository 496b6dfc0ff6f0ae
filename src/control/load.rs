//! Who may publish a Snapshot: a file, a text, the Admin API. Three doors, one corridor.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use super::Door;
use crate::{
    config::{self, Format, Reader},
    diag::{Report, Source},
    document::Known,
    snapshot::{Checker, Compiled, Compiler, Live, Snapshot, changes},
};

/// Makes configurations current, one at a time, and remembers how that went.
#[derive(Debug)]
pub struct Control {
    live: Arc<Live>,
    /// Loads and writes stand in line for it.
    pub(super) compiler: Mutex<Compiler>,
    state: Mutex<State>,
    /// The file that is loaded and written, if it is one.
    file: Option<PathBuf>,
    /// How files are read.
    files: Format,
    checker: Checker,
}

/// How the last loads went.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The name of what is current.
    pub source: Option<String>,
    /// The hash of its text.
    pub hash: Option<String>,
    /// Its text.
    pub text: Option<Arc<Source>>,
    /// Whether that stands in the file that is loaded and written.
    pub is_file: bool,
    /// How its text is read.
    pub format: Format,
    /// Why the last try failed, if it did.
    pub last_error: Option<Failure>,
    /// How often a configuration was made current.
    pub loads: u64,
    /// How often one was refused.
    pub failures: u64,
}

/// A configuration that was refused.
#[derive(Clone, Debug)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// Everything that is wrong with it.
    pub report: Report,
}

/// A configuration that is current now.
#[derive(Debug)]
pub struct Loaded {
    /// What it became.
    pub snapshot: Arc<Snapshot>,
    /// What its author should know.
    pub warnings: Report,
    /// What is different from before, in words.
    pub changes: String,
    /// The files beside the configuration that it was made from.
    pub files: Vec<PathBuf>,
}

impl Control {
    /// Begins with an empty configuration.
    #[must_use]
    pub fn new(compiler: Compiler) -> Self {
        let live = Live::new(compiler.empty());
        let (files, checker) = (Format::default(), compiler.checker());
        Self { live, compiler: Mutex::new(compiler), state: Mutex::default(), file: None, files, checker }
    }

    /// The same, reading files like this.
    #[must_use]
    pub fn reading(self, files: Format) -> Self {
        Self { files, ..self }
    }

    /// The same, for what comes through this door: a file is where writes are saved.
    #[must_use]
    pub fn behind(mut self, door: &Door) -> Self {
        self.file = if let Door::File(path) = door { Some(path.clone()) } else { None };
        self
    }

    /// Looks at single records as a load does.
    #[must_use]
    pub const fn checker(&self) -> Checker {
        self.checker
    }

    /// The file that is loaded and written, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&FilePath> {
        self.file.as_deref()
    }

    /// The file that a text came from.
    pub(super) fn file_of(&self, source: &Source) -> Option<&FilePath> {
        self.file().filter(|it| it.display().to_string() == source.name)
    }

    /// The current Snapshot and those to come.
    #[must_use]
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// How the last loads went.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Makes a text current, if it can be; else nothing changes.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn load(&self, source: &Arc<Source>) -> Result<Loaded, Report> {
        self.load_as(source, self.files)
    }

    /// Makes a text of this format current, if it can be; else nothing changes.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn load_as(&self, source: &Arc<Source>, format: Format) -> Result<Loaded, Report> {
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = self.load_with(&mut compiler, source, format)?;
        // A plugin that is used again begins again, too.
        loaded.snapshot.forget();
        Ok(loaded)
    }

    /// Makes what is behind a door current, if it can be and is not (what was written here is), and if `holds` says
    /// afterwards that what was read is whole.
    ///
    /// # Errors
    /// Everything that is wrong with it, and the text, if it could be read.
    pub fn load_news(
        &self,
        door: &Door,
        holds: &dyn Fn() -> bool,
    ) -> Result<Option<Loaded>, (Option<Arc<Source>>, Report)> {
        // Read while nobody writes here, so that no older text follows a newer one.
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = door.open();
        if !holds() {
            return Ok(None);
        }
        let source = opened.map_err(|report| (None, report))?;
        let state = self.state();
        let is_current = state.text.as_ref().is_some_and(|it| it.text == source.text)
            && state.last_error.is_none()
            && state.is_file;
        if is_current && !compiler.is_outdated() {
            return Ok(None);
        }
        match self.load_with(&mut compiler, &source, self.files) {
            Ok(loaded) => {
                loaded.snapshot.forget();
                Ok(Some(loaded))
            }
            Err(report) => Err((Some(source), report)),
        }
    }

    pub(super) fn load_with(
        &self,
        compiler: &mut Compiler,
        source: &Arc<Source>,
        format: Format,
    ) -> Result<Loaded, Report> {
        let before = self.live.current();
        let reading =
            Reading { format, before: &before, advise: format != Format::Kong, layout: false, known: None };
        let made = reading.compile(compiler, source)?;
        Ok(self.publish(&before, source, format, made))
    }

    /// How files are read.
    pub(super) const fn files_format(&self) -> Format {
        self.files
    }

    /// Makes a Snapshot of this text current.
    pub(super) fn publish(
        &self,
        before: &Snapshot,
        source: &Arc<Source>,
        format: Format,
        compiled: Compiled,
    ) -> Loaded {
        let Compiled { snapshot, warnings, files } = compiled;
        let changes = changes(&before.entities, &snapshot.entities);
        // Whoever is served the new version finds no old error in the state.
        let mut state = self.lock();
        let snapshot = self.live.publish(snapshot);
        state.source = Some(source.name.clone());
        state.hash = Some(snapshot.origin.hash.clone());
        state.text = Some(source.clone());
        state.is_file = self.file_of(source).is_some();
        state.format = format;
        state.last_error = None;
        state.loads += 1;
        Loaded { snapshot, warnings: Report::new(source.clone(), warnings), changes, files }
    }

    /// The files beside the last configuration that it names, whether it could be used or not.
    #[must_use]
    pub fn named_files(&self) -> Vec<PathBuf> {
        self.compiler.lock().unwrap_or_else(PoisonError::into_inner).named().to_vec()
    }

    /// Whether a file beside the configuration says something else than when it was loaded.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.compiler.lock().unwrap_or_else(PoisonError::into_inner).is_outdated()
    }

    /// Notes that the configuration which should be current was refused.
    pub fn refused(&self, report: Report) {
        let mut state = self.lock();
        state.failures += 1;
        state.last_error = Some(Failure { at: SystemTime::now(), report });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can stop half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
fn unix_time() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    i64::try_from(now).unwrap_or_default()
}

/// Reads, checks and compiles a configuration by itself.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(compiler: &mut Compiler, source: &Arc<Source>, format: Format) -> Result<Compiled, Report> {
    let before = &compiler.empty();
    Reading { format, before, advise: format != Format::Kong, layout: false, known: None }
        .compile(compiler, source)
}

/// How a configuration is read.
pub(super) struct Reading<'a> {
    pub(super) format: Format,
    /// What is current: what does not change is taken from there.
    pub(super) before: &'a Snapshot,
    /// Whether somebody will be told of what looks like a mistake and can be used.
    pub(super) advise: bool,
    /// Whether it is noted where its nodes stand, for the next write.
    pub(super) layout: bool,
    /// What is known of the text of what is current.
    pub(super) known: Option<Known<'a>>,
}

impl Reading<'_> {
    /// Reads, checks and compiles a configuration.
    pub(super) fn compile(&self, compiler: &mut Compiler, source: &Arc<Source>) -> Result<Compiled, Report> {
        let plugins = compiler.plugins();
        let reader = Reader {
            format: self.format,
            plugins: &plugins,
            now: unix_time(),
            before: Some((&self.before.entities, &self.before.origin)),
            layout: self.layout,
            known: self.known,
        };
        let made = match reader.parse(source).map(|config| compiler.compile(config, self.before, self.advise))
        {
            Ok(made) => made,
            Err(report) => Err(report.diagnostics().to_vec()),
        };
        match made {
            Ok(mut made) => {
                config::relocate(source, &mut made.warnings);
                Ok(made)
            }
            Err(mut complaints) => {
                config::relocate(source, &mut complaints);
                Err(Report::new(source.clone(), complaints))
            }
        }
    }
}
