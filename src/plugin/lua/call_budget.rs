//! Budget of a call: the instructions and the time that it may use, and the size of the texts that it may make.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use mlua::{Error, Lua, Result};
use rustix::time::{ClockId, clock_gettime};

use super::call::{LuaCall, Overrun, Stop};

/// Instructions that one call may run. At some 100 million a second this is a twentieth of a second, for which other
/// requests of the worker wait.
const INSTRUCTIONS: i64 = 5_000_000;

/// Instructions between two looks at the budget.
pub(super) const HOOK_INTERVAL: u32 = 1_000;

/// Time of one call. Some instructions take far longer than others, for example on texts of many megabytes.
const TIME: Duration = Duration::from_millis(500);

/// The longest text that functions of the gateway read or make, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// How deep functions of the gateway may be nested that call functions of the snippet.
const MAX_NESTED: u32 = 8;

/// Bytes of a text that are charged as one instruction.
const BYTES_PER_INSTRUCTION: usize = 16;

/// What is left of the budget of the running call; kept in its interpreter.
pub(super) struct CallBudget {
    instructions: Cell<i64>,
    began: Cell<Option<Instant>>,
    /// The processor time of the thread when the time was over. The system may have stopped the thread, so the call has the
    /// same time once more, of the processor.
    over_time: Cell<Option<Duration>>,
    /// Functions of the gateway that wait for a function of the snippet.
    nested: Cell<u32>,
}

impl Default for CallBudget {
    fn default() -> Self {
        Self {
            instructions: Cell::new(INSTRUCTIONS),
            began: Cell::default(),
            over_time: Cell::default(),
            nested: Cell::default(),
        }
    }
}

impl CallBudget {
    /// Begins a call.
    pub(super) fn begin(&self) {
        self.instructions.set(INSTRUCTIONS);
        self.began.set(Some(Instant::now()));
        self.over_time.set(None);
        self.nested.set(0);
    }

    /// Spends instructions; what is used up, if anything is.
    fn spend(&self, instructions: i64) -> Option<Overrun> {
        let left = self.instructions.get().saturating_sub(instructions);
        self.instructions.set(left);
        if left < 0 {
            return Some(Overrun::Instructions);
        }
        let is_late = self.began.get().is_some_and(|began| began.elapsed() > TIME);
        (is_late && self.is_processor_time_over()).then_some(Overrun::Time)
    }

    fn is_processor_time_over(&self) -> bool {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let now = Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default());
        let Some(since) = self.over_time.get() else {
            self.over_time.set(Some(now));
            return false;
        };
        now.saturating_sub(since) > TIME
    }
}

/// Charges work to the running call.
///
/// # Errors
/// Its budget is used up. The call ends, whatever catches the error.
pub(super) fn charge(lua: &Lua, instructions: usize) -> Result<()> {
    let instructions = i64::try_from(instructions).unwrap_or(i64::MAX);
    let overrun = lua.app_data_ref::<CallBudget>().and_then(|budget| budget.spend(instructions));
    overrun.map_or(Ok(()), |overrun| Err(stop(lua, overrun)))
}

/// Charges work on a text to the running call.
///
/// # Errors
/// Its budget is used up, or the text is too long.
pub(super) fn charge_text(lua: &Lua, length: usize) -> Result<()> {
    if length > MAX_TEXT {
        return Err(Error::runtime(format!("a text is longer than {} MiB", MAX_TEXT >> 20)));
    }
    charge(lua, length / BYTES_PER_INSTRUCTION)
}

/// Runs what calls a function of the snippet, from within a function of the gateway. Such calls may be nested only so deep as
/// the stack of the thread allows.
///
/// # Errors
/// Those of `run`, or they are nested too deep.
pub(super) fn call_back<T>(lua: &Lua, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let nest = |change: i32| {
        lua.app_data_ref::<CallBudget>().map_or(0, |budget| {
            budget.nested.set(budget.nested.get().saturating_add_signed(change));
            budget.nested.get()
        })
    };
    let result =
        if nest(1) > MAX_NESTED { Err(Error::runtime("functions are nested too deep")) } else { run() };
    nest(-1);
    result
}

/// Ends the running call, since it has used up a budget; the error that unwinds it.
pub(super) fn stop(lua: &Lua, overrun: Overrun) -> Error {
    if let Ok(Some(mut call)) = lua.try_app_data_mut::<LuaCall>() {
        call.stop.get_or_insert(Stop::OverBudget(overrun));
    }
    Error::runtime(overrun.message())
}
