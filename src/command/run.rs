//! `mynah run`: the gateway with a configuration.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use mynah::settings::LoadedSettings;

use super::{
    flags::{ConfigArgument, LogLevelFlag, SpecsFlag, path_value, setting_help},
    gateway,
    load::{config_source, load_settings, specs_folder},
};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    specs: SpecsFlag,
    #[arg(long, value_name = "LISTEN", help = setting_help("proxy_listen"))]
    proxy_listen: Option<String>,
    #[arg(long, value_name = "LISTEN", help = setting_help("admin_listen"))]
    admin_listen: Option<String>,
    #[arg(long, value_name = "LISTEN", help = setting_help("status_listen"))]
    status_listen: Option<String>,
    #[arg(long, value_name = "LISTEN", help = setting_help("portal_gui_listen"))]
    portal_gui_listen: Option<String>,
    #[arg(long, value_name = "LISTEN", help = setting_help("admin_gui_listen"))]
    admin_gui_listen: Option<String>,
    /// Serve a configuration without the entities that have errors; requests that these would have guarded are refused
    #[arg(long)]
    quarantine: bool,
    #[command(flatten)]
    log_level: LogLevelFlag,
    /// File of settings, in the format of kong.conf [default: /etc/kong/kong.conf, else /etc/kong.conf, if it exists]
    #[arg(short, long, value_name = "FILE")]
    conf: Option<PathBuf>,
}

impl RunArgs {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let overrides = [
            ("proxy_listen", self.proxy_listen),
            ("admin_listen", self.admin_listen),
            ("status_listen", self.status_listen),
            ("portal_gui_listen", self.portal_gui_listen),
            ("admin_gui_listen", self.admin_gui_listen),
            ("log_level", self.log_level.log_level),
            ("declarative_config_on_error", self.quarantine.then(|| "quarantine".to_owned())),
            ("declarative_config", path_value(self.config.file)),
            ("specs_dir", path_value(self.specs.specs)),
        ];
        serve(load_settings(overrides, self.conf.as_deref())?)
    }
}

/// Serves the configuration of the settings.
pub(crate) fn serve(mut loaded: LoadedSettings) -> Result<ExitCode> {
    let source = config_source(&loaded.settings);
    loaded.settings.declarative_config = source.file().map(PathBuf::from);
    let specs = specs_folder(&loaded.settings, &source);
    gateway::serve(loaded, &source, specs)
}
