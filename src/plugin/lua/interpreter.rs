//! Interpreters of Lua, one for each worker, with budgets for what a call may use.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value, VmState,
};

use super::{
    api::SandboxApi,
    call::{LuaCall, Overrun, RequestState, Stop},
    call_budget::{CallBudget, HOOK_INTERVAL, charge},
    json,
};

/// Memory of one interpreter, in bytes.
const MEMORY: usize = 64 << 20;

/// Number of the next snippet or interpreter.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The interpreters of a process. A clone is another handle to the same. They are made at their first use, so that a
/// configuration without Lua pays nothing.
#[derive(Clone)]
pub struct LuaInterpreters(Arc<[Mutex<Option<Interpreter>>]>);

impl Default for LuaInterpreters {
    fn default() -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        Self((0..workers).map(|_| Mutex::new(None)).collect())
    }
}

impl std::fmt::Debug for LuaInterpreters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LuaInterpreters").field(&self.0.len()).finish()
    }
}

/// A snippet whose syntax is right.
pub(super) struct Snippet {
    number: u64,
    /// The name in messages of Lua: where the snippet stands in the configuration.
    name: String,
    text: String,
    interpreters: LuaInterpreters,
}

/// Where a snippet cannot be read.
pub(super) struct SnippetError {
    /// The line, counted from 1.
    pub(super) line: usize,
    pub(super) message: String,
}

impl Snippet {
    /// Checks the syntax of a snippet.
    ///
    /// # Errors
    /// Lua cannot compile it.
    pub(super) fn new(
        name: String,
        text: &str,
        interpreters: &LuaInterpreters,
    ) -> std::result::Result<Self, SnippetError> {
        let mut free = interpreters.any();
        let compiled = interpreter(&mut free).and_then(|interpreter| {
            interpreter.renew_budget();
            interpreter.compile(&name, text)
        });
        if let Err(error) = compiled {
            return Err(syntax_error(&error));
        }
        drop(free);
        let (text, interpreters) = (text.to_owned(), interpreters.clone());
        Ok(Self { number: NEXT.fetch_add(1, Relaxed), name, text, interpreters })
    }
}

impl Snippet {
    /// The name in messages of Lua: its list and place in it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The error of a call that used up a budget.
    pub(super) fn over_budget(&self, overrun: Overrun) -> String {
        format!("{}: {}", self.name, overrun.message())
    }
}

impl Drop for Snippet {
    fn drop(&mut self) {
        for interpreter in &*self.interpreters.0 {
            if let Some(interpreter) = lock(interpreter).as_mut() {
                interpreter.functions.remove(&self.number);
            }
        }
    }
}

/// The place and the text of `[string "name"]:3: message near 'x'`.
fn syntax_error(error: &Error) -> SnippetError {
    let text = match error {
        Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    let rest = text.split_once("]:").map_or(text.as_str(), |(_, rest)| rest);
    let (line, message) = rest.split_once(": ").unwrap_or(("1", rest));
    SnippetError { line: line.parse().unwrap_or(1), message: message.trim().to_owned() }
}

struct Interpreter {
    /// A number that no other interpreter has.
    number: u64,
    lua: Lua,
    /// Functions of snippets that have run here, by the number of the snippet.
    functions: HashMap<u64, Function>,
    api: SandboxApi,
}

fn lock(interpreter: &Mutex<Option<Interpreter>>) -> MutexGuard<'_, Option<Interpreter>> {
    interpreter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn interpreter<'a>(place: &'a mut MutexGuard<'_, Option<Interpreter>>) -> Result<&'a mut Interpreter> {
    if place.is_none() {
        **place = Some(Interpreter::new()?);
    }
    place.as_mut().ok_or_else(|| Error::runtime("no interpreter"))
}

impl LuaInterpreters {
    /// The interpreter that holds the tables of a request; any for a request that has none yet.
    fn of(&self, state: &RequestState) -> (usize, MutexGuard<'_, Option<Interpreter>>) {
        match state.interpreter() {
            Some((place, _)) => (place, lock(&self.0[place % self.0.len()])),
            None => self.free(),
        }
    }

    fn any(&self) -> MutexGuard<'_, Option<Interpreter>> {
        self.free().1
    }

    /// An interpreter that nothing uses, or the first one when it is free.
    fn free(&self) -> (usize, MutexGuard<'_, Option<Interpreter>>) {
        for (number, interpreter) in self.0.iter().enumerate() {
            match interpreter.try_lock() {
                Ok(guard) => return (number, guard),
                Err(TryLockError::Poisoned(poisoned)) => return (number, poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => (),
            }
        }
        (0, lock(&self.0[0]))
    }

    /// Whether a dotted name is there in the sandbox.
    pub(super) fn knows(&self, name: &str) -> bool {
        let mut free = self.any();
        let known = interpreter(&mut free).and_then(|interpreter| {
            interpreter.renew_budget();
            interpreter.api.is_known.call::<bool>(name)
        });
        known.unwrap_or(true)
    }

    /// Runs a snippet for a request. The call comes back, with what became of it.
    pub(super) fn run(&self, snippet: &Snippet, call: LuaCall) -> (LuaCall, Result<()>) {
        self.enter(call, |interpreter| interpreter.function(snippet)?.call::<()>(()))
    }

    /// Runs a snippet of the body filter for a piece of a body; the piece that takes its place, if any.
    pub(super) fn filter_body(
        &self,
        snippet: &Snippet,
        call: LuaCall,
        piece: &[u8],
        last: bool,
    ) -> (LuaCall, Result<Option<Vec<u8>>>) {
        self.enter(call, |interpreter| {
            let piece = interpreter.lua.create_string(piece)?;
            let function = interpreter.function(snippet)?;
            let changed: Option<LuaString> = interpreter.api.filter_body.call((function, piece, last))?;
            Ok(changed.map(|text| text.as_bytes().to_vec()))
        })
    }

    /// Runs a snippet for the value that it returns; nil is none.
    pub(super) fn evaluate(
        &self,
        snippet: &Snippet,
        call: LuaCall,
    ) -> (LuaCall, Result<Option<serde_json::Value>>) {
        self.enter(call, |interpreter| {
            let value: Value = interpreter.chunk(snippet)?.call(())?;
            (!value.is_nil()).then(|| json::to_json(&interpreter.lua, &value)).transpose()
        })
    }

    fn enter<T>(
        &self,
        call: LuaCall,
        run: impl FnOnce(&mut Interpreter) -> Result<T>,
    ) -> (LuaCall, Result<T>) {
        let (place, mut guard) = self.of(&call.state);
        let interpreter = match interpreter(&mut guard) {
            Ok(interpreter) => interpreter,
            Err(error) => return (call, Err(error)),
        };
        match call.state.interpreter() {
            None => call.state.set_interpreter(place, interpreter.number),
            Some((_, number)) if number == interpreter.number => (),
            // Its tables went with the interpreter that held them.
            Some(_) => return (call, Err(Error::runtime("what the request kept in kong.ctx is lost"))),
        }
        let owner = call.owner.clone();
        interpreter.renew_budget();
        interpreter.lua.set_app_data(call);
        let result = run(interpreter);
        let call = interpreter.lua.remove_app_data::<LuaCall>();
        let call = call.expect("the call was put there above, and nothing else takes it");
        let is_out_of_memory = matches!(call.stop, Some(Stop::OverBudget(Overrun::Memory)))
            || result.as_ref().is_err_and(|error| error.to_string().contains("not enough memory"));
        if !interpreter.has_memory(if is_out_of_memory { MEMORY / 4 } else { MEMORY / 4 * 3 }) {
            owner.log_memory();
            *guard = None;
        }
        (call, result)
    }
}

impl Interpreter {
    fn new() -> Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(MEMORY)?;
        lua.set_app_data(CallBudget::default());
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(HOOK_INTERVAL), |lua, _| {
            charge(lua, HOOK_INTERVAL as usize).map(|()| VmState::Continue)
        })?;
        let number = NEXT.fetch_add(1, Relaxed);
        let api = SandboxApi::install(&lua)?;
        Ok(Self { number, lua, functions: HashMap::new(), api })
    }

    /// Gives the next call a whole budget.
    fn renew_budget(&self) {
        if let Some(budget) = self.lua.app_data_ref::<CallBudget>() {
            budget.begin();
        }
    }

    /// Whether what snippets keep between calls leaves enough memory for the next one.
    fn has_memory(&self, most: usize) -> bool {
        self.lua.used_memory() <= most || self.lua.gc_collect().is_ok() && self.lua.used_memory() <= most
    }

    fn compile(&self, name: &str, text: &str) -> Result<Function> {
        let environment: Table = self.api.new_environment.call(())?;
        let chunk = self.lua.load(text).set_name(format!("={name}")).set_mode(mlua::chunk::ChunkMode::Text);
        chunk.set_environment(environment).into_function()
    }

    /// A snippet as a function that runs it as it stands.
    fn chunk(&mut self, snippet: &Snippet) -> Result<Function> {
        if let Some(function) = self.functions.get(&snippet.number) {
            return Ok(function.clone());
        }
        let chunk = self.compile(&snippet.name, &snippet.text)?;
        self.functions.insert(snippet.number, chunk.clone());
        Ok(chunk)
    }

    /// The function of a snippet. A snippet that returns a function is run once, and its function from then on.
    /// (Kong: Pre-Function plugin, "Upvalues".)
    fn function(&mut self, snippet: &Snippet) -> Result<Function> {
        if let Some(function) = self.functions.get(&snippet.number) {
            return Ok(function.clone());
        }
        let chunk = self.compile(&snippet.name, &snippet.text)?;
        let function: Function = self.api.load_snippet.call(chunk)?;
        self.functions.insert(snippet.number, function.clone());
        Ok(function)
    }
}
