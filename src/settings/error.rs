//! Errors of settings: message, origin, and help.

use std::fmt;

/// Origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingOrigin {
    /// A flag.
    CommandLine,
    /// This environment variable.
    Environment(String),
    /// A kong.conf.
    File {
        /// The path as given.
        path: String,
        /// The line, from 1; none for the file as a whole.
        line: Option<usize>,
    },
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Self::File { path, line: None } => f.write_str(path),
        }
    }
}

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    /// Where the value comes from.
    pub origin: SettingOrigin,
    /// The message, which names the setting; Kong's where Kong has one.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// All errors of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// At least one error, in the order of the rows.
    pub wrong: Vec<WrongSetting>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, WrongSetting { origin, message, help }) in self.wrong.iter().enumerate() {
            let gap = if n == 0 { "" } else { "\n\n" };
            write!(f, "{gap}error: {message}\n  --> {origin}\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// An error of a value, without its origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SettingFault {
    pub(super) message: String,
    pub(super) help: String,
}

impl SettingFault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    pub(super) fn at(self, origin: SettingOrigin) -> WrongSetting {
        WrongSetting { origin, message: self.message, help: self.help }
    }
}
