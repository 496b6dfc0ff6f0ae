//! Flags that several commands share.

use std::path::PathBuf;

use clap::Args;
use mynah::settings;

use super::output::{ConfigFormat, OutputFormat};

const CONFIG_HELP: &str =
    "Configuration, YAML or JSON [default: `KONG_DECLARATIVE_CONFIG`, else ./kong.yaml or ./kong.yml]";

/// The configuration as an argument.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgument {
    #[arg(help = CONFIG_HELP)]
    pub(crate) file: Option<PathBuf>,
}

/// The configuration as a flag.
#[derive(Debug, Args)]
pub(crate) struct ConfigFlag {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
}

/// The folder of OpenAPI documents.
#[derive(Debug, Args)]
pub(crate) struct SpecsFlag {
    /// Folder of the OpenAPI documents that plugins name [default: `specs` in the folder of the configuration]
    #[arg(long, value_name = "DIR")]
    pub(crate) specs: Option<PathBuf>,
}

/// The log level.
#[derive(Debug, Args)]
pub(crate) struct LogLevelFlag {
    #[arg(long, value_name = "LEVEL", help = setting_help("log_level"))]
    pub(crate) log_level: Option<String>,
}

/// The format of findings, explanations and differences.
#[derive(Debug, Args)]
pub(crate) struct OutputFormatFlag {
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: OutputFormat,
}

/// The format of a configuration that is written.
#[derive(Debug, Args)]
pub(crate) struct ConfigFormatFlag {
    /// Output format
    #[arg(long, value_enum, default_value = "yaml")]
    pub(crate) format: ConfigFormat,
}

/// The help of a flag that sets a setting: the setting's description and default.
pub(crate) fn setting_help(name: &str) -> String {
    settings::supported()
        .find(|setting| setting.name == name)
        .map_or_else(String::new, |setting| format!("{} [default: {}]", setting.description, setting.default))
}

/// A path as the value of a setting.
pub(crate) fn path_value(path: Option<PathBuf>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
