//! Commands: one file each, with its flags and its execution.
//!
//! `flags` holds the flags that several commands share, `output` the output formats, `load` what commands derive from
//! the settings. `run` and `mock` both start the gateway of `gateway`. `kong` has the command line of Kong.

pub(crate) mod bulk;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod flags;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod kong;
pub(crate) mod lint;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod mock;
pub(crate) mod output;
#[cfg(feature = "ui")]
pub(crate) mod pages;
pub(crate) mod pid_file;
pub(crate) mod run;
pub(crate) mod schema;

use std::process::ExitCode;

/// The exit code of a command that found everything in order, or not.
pub(crate) const fn exit_code(success: bool) -> ExitCode {
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
