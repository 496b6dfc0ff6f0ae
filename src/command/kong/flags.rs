//! Flags that commands of Kong share.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use mynah::settings::LoadedSettings;

use super::super::{flags::path_value, health::kong_prefix, load::load_settings, pid_file::RunningGateway};

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KongFlags {
    /// File of settings [default: /etc/kong/kong.conf, else /etc/kong.conf, if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub(super) conf: Option<PathBuf>,
    /// Folder of the process [default: `KONG_PREFIX`, else /usr/local/kong]
    #[arg(short, long, value_name = "DIR")]
    pub(super) prefix: Option<PathBuf>,
    /// Has no effect: there is no nginx
    #[arg(long, value_name = "FILE")]
    pub(super) nginx_conf: Option<PathBuf>,
    /// Has no effect: there is no nginx
    #[arg(long, value_name = "FLAGS", hide = true)]
    nginx_conf_flags: Option<String>,
    /// Log more
    #[arg(long)]
    v: bool,
    /// Log everything
    #[arg(long)]
    pub(super) vv: bool,
}

impl KongFlags {
    /// The settings, with a prefix in any case.
    pub(super) fn load(&self) -> Result<LoadedSettings> {
        let level = if self.vv { Some("debug") } else { self.v.then_some("info") };
        let overrides =
            [("prefix", path_value(self.prefix.clone())), ("log_level", level.map(str::to_owned))];
        let mut loaded = load_settings(overrides, self.conf.as_deref())?;
        loaded.settings.prefix = Some(kong_prefix(&loaded.settings));
        Ok(loaded)
    }

    /// The gateway that runs.
    pub(super) fn running(&self) -> Result<RunningGateway> {
        let prefix = kong_prefix(&self.load()?.settings);
        RunningGateway::find(&prefix).ok_or_else(|| {
            anyhow!(
                "nginx not running in prefix: {}\nhelp: name the folder of the gateway by --prefix or KONG_PREFIX",
                prefix.display()
            )
        })
    }

    /// The flags as arguments.
    pub(super) fn arguments(&self) -> Vec<String> {
        let paths = [("--conf", &self.conf), ("--prefix", &self.prefix), ("--nginx-conf", &self.nginx_conf)];
        let mut arguments: Vec<String> = paths
            .into_iter()
            .filter_map(|(flag, path)| Some(format!("{flag}={}", path.as_ref()?.display())))
            .collect();
        arguments.extend(self.v.then(|| "--v".to_owned()));
        arguments.extend(self.vv.then(|| "--vv".to_owned()));
        arguments
    }
}
