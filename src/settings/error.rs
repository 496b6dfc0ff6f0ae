//! Wrong settings: which, where they were given, and what to write instead.

use std::fmt;

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingOrigin {
    /// On the command line.
    CommandLine,
    /// In this variable of the environment.
    Environment(String),
    /// In a configuration file.
    File {
        /// The path as it was given.
        path: String,
        /// The line, from one; none if the file as a whole is meant.
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

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    /// Where it was given.
    pub origin: SettingOrigin,
    /// What is wrong; it names the setting, in Kong's words where Kong has some.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// At least one complaint, in the order in which the settings are read.
    pub wrong: Vec<WrongSetting>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, WrongSetting { origin, message, help }) in self.wrong.iter().enumerate() {
            let gap = if place == 0 { "" } else { "\n\n" };
            write!(f, "{gap}error: {message}\n  --> {origin}\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// What is wrong with a value, before it is known where the value came from.
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
