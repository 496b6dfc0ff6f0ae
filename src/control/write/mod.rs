//! A write through the Admin API: decided on what is current, made in its text, checked, saved, and only then
//! current. Whoever reads their write sees it, and a write that fails has changed nothing.
//!
//! Writes and loads stand in one line ([`Control`]'s compiler). A write reads the file afresh: what an editor has
//! saved since is made current first, and the write is decided on that.

mod file;
mod variables;
mod verify;

use std::sync::{Arc, PoisonError};

use super::{Control, load::compile, read};
use crate::{
    config::{self, Format},
    diag::{Report, Source},
    document::{
        Path, Value,
        edit::{Change, edit},
    },
    entity::Entities,
    snapshot::{Compiled, Compiler, Snapshot},
};
use file::Unsaved;
use variables::escaped;
use verify::Difference;
pub(super) use verify::same;

/// What a write does to the text, and what the text declares afterwards.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The changes, one after the other.
    pub changes: Vec<Change>,
    /// Coarser changes that do the same, where the first ones do not lead there.
    pub instead: Option<Vec<Change>>,
    /// The entity that is created or changed.
    pub wanted: Option<Wanted>,
    /// How many entities come with it, nested in it.
    pub nested: usize,
    /// The collections and ids of the entities that go.
    pub gone: Vec<(&'static str, String)>,
}

/// An entity as it shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its collection.
    pub collection: &'static str,
    /// Where it stands afterwards.
    pub at: Path,
    /// Its record; one without an id gets the one that its text gives it.
    pub record: Value,
}

/// A write that was made.
#[derive(Debug)]
pub struct Written {
    /// What is current now.
    pub snapshot: Arc<Snapshot>,
    /// The record of the entity that was created or changed.
    pub record: Option<Value>,
}

/// A write that was not made; nothing has changed.
#[derive(Debug)]
pub enum WriteError<E> {
    /// Who decides has refused it.
    Refused(E),
    /// The text cannot be saved where it came from.
    ReadOnly(String),
    /// The configuration could not be used afterwards; the place is that of the entity.
    Invalid(Report, Option<Path>),
    /// The text has no room for it, or cannot be read any more.
    Conflict(String),
}

/// How often a write begins again because the file was saved by somebody else meanwhile.
const ATTEMPTS: usize = 5;
/// How often ids are written out so that they stay.
const ROUNDS: usize = 3;

impl Control {
    /// Makes a write; `decide` is told what is current and what its text says, and may be asked again.
    ///
    /// # Errors
    /// It could not be made, and nothing has changed.
    pub fn write<E>(
        &self,
        decide: impl Fn(&Entities, &Value) -> Result<Plan, E>,
    ) -> Result<Written, WriteError<E>> {
        let mut compiler = self.compiler.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let source = self.text(&mut compiler).map_err(WriteError::Conflict)?;
            if !source.parts.is_empty() {
                return Err(WriteError::ReadOnly(format!("{} is several files; edit those", source.name)));
            }
            let before = self.live().current();
            let format = self.state().format;
            let document =
                config::written(&source.text, format).map_err(|error| WriteError::Conflict(error.message))?;
            let plan = decide(&before.entities, &document).map_err(WriteError::Refused)?;
            if plan.changes.is_empty() && plan.gone.is_empty() {
                let record = plan.wanted.map(|wanted| wanted.record);
                return Ok(Written { snapshot: before, record });
            }
            if let Some(file) = self.file_of(&source) {
                file::may_write(file).map_err(WriteError::ReadOnly)?;
            }
            let text = Text { source: &source, format, document: &document };
            let (new, made, record) = make::<E>(&mut compiler, text, &plan, &before.entities)?;
            if let Some(file) = self.file_of(&source) {
                match file::replace(file, source.text.as_bytes(), new.text.as_bytes()) {
                    Ok(()) => (),
                    Err(Unsaved::Changed) => continue,
                    Err(Unsaved::Failed(why)) => return Err(WriteError::ReadOnly(why)),
                }
            }
            let loaded = self.publish(&before, &new, format, made);
            let record = record.and_then(|at| {
                let all = &loaded.snapshot.entities.records;
                all.iter().find(|it| it.at == at).map(|it| it.value.clone())
            });
            return Ok(Written { snapshot: loaded.snapshot, record });
        }
        Err(WriteError::Conflict("somebody else goes on saving the file".to_owned()))
    }

    /// The text of what is current. A file that was saved by somebody else is made current first.
    fn text(&self, compiler: &mut Compiler) -> Result<Arc<Source>, String> {
        let state = self.state();
        if let Some(text) = state.text {
            return Ok(text);
        }
        let file = self.file().ok_or("what is current comes from several files; edit those")?;
        let source = read(file).map_err(|report| report.summary())?;
        if Some(config::hash(source.text.as_bytes())) != state.hash {
            self.load_with(compiler, &source, self.files_format()).map_err(|report| {
                format!("the file was changed, and cannot be used as it is: {}", report.summary())
            })?;
        }
        Ok(source)
    }
}

/// What is current, as it is written.
#[derive(Clone, Copy)]
struct Text<'a> {
    source: &'a Arc<Source>,
    format: Format,
    document: &'a Value,
}

/// The text after a plan, compiled, and where the entity stands.
fn make<E>(
    compiler: &mut Compiler,
    text: Text<'_>,
    plan: &Plan,
    before: &Entities,
) -> Result<(Arc<Source>, Compiled, Option<Path>), WriteError<E>> {
    let mut why = WriteError::Conflict(String::new());
    for changes in [Some(&plan.changes), plan.instead.as_ref()].into_iter().flatten() {
        match attempt(compiler, text, plan, changes, before) {
            Ok(done) => return Ok(done),
            // What the finer changes have to say is nearer to what was asked.
            Err(error) if matches!(&why, WriteError::Conflict(text) if text.is_empty()) => why = error,
            Err(_) => (),
        }
    }
    Err(why)
}

fn attempt<E>(
    compiler: &mut Compiler,
    Text { source, format, document }: Text<'_>,
    plan: &Plan,
    changes: &[Change],
    before: &Entities,
) -> Result<(Arc<Source>, Compiled, Option<Path>), WriteError<E>> {
    let mut text = source.text.clone();
    let mut said = Some(document.clone());
    let mut todo = match format {
        Format::Environment => escaped(changes, document),
        Format::Kong | Format::Deck => changes.to_vec(),
    };
    for _ in 0..ROUNDS {
        for change in todo.drain(..) {
            let document = match said.take() {
                Some(document) => document,
                None => reread::<E>(&text, format)?,
            };
            text = edit(&text, &document, &change)
                .map_err(|why| WriteError::Conflict(format!("the text has no place for it: {why}")))?;
        }
        let new = Source::new(source.name.clone(), text.clone());
        let at = plan.wanted.as_ref().map(|wanted| wanted.at.clone());
        let made =
            compile(compiler, &new, format).map_err(|report| WriteError::Invalid(report, at.clone()))?;
        match verify::verify(before, &made.snapshot.entities, plan) {
            Ok(()) => return Ok((new, made, at)),
            Err(Difference::Ids(ids)) => {
                let fix = |(at, id): (Path, String)| Change::Set(at.key("id"), Value::from(id));
                todo = ids.into_iter().map(fix).collect();
            }
            Err(Difference::Other(why)) => return Err(WriteError::Conflict(why)),
        }
    }
    Err(WriteError::Conflict("ids would not stay as they are".to_owned()))
}

fn reread<E>(text: &str, format: Format) -> Result<Value, WriteError<E>> {
    config::written(text, format)
        .map_err(|error| WriteError::Conflict(format!("the text has no place for it: {}", error.message)))
}
