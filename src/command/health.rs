//! `mynah health`: whether a gateway runs, for health checks of containers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;
use mynah::settings::Settings;
use rustix::fs::{Access, access};

use super::{
    flags::path_value,
    load::load_settings,
    output::print_line,
    pid_file::{KONG_PREFIX, RunningGateway},
};

/// Time limit for a connection to a listener.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Folder of the process, whose pids/nginx.pid names it [default: `KONG_PREFIX`]
    #[arg(short, long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// File of settings, in the format of kong.conf
    #[arg(short, long, value_name = "FILE")]
    conf: Option<PathBuf>,
}

impl HealthArgs {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let settings = load_settings([("prefix", path_value(self.prefix))], self.conf.as_deref())?.settings;
        match settings.prefix.clone() {
            Some(prefix) => check_health(&settings, &prefix, "mynah"),
            None if answers(&settings) => {
                print_line("mynah is healthy: a listener accepts connections");
                Ok(ExitCode::SUCCESS)
            }
            None => bail!("mynah is not running: no listener of the settings accepts connections"),
        }
    }
}

/// Reports in Kong's words whether the gateway of a prefix runs: by its pid file, or by its listeners if the prefix cannot
/// be written, as in a container with a read-only file system.
pub(crate) fn check_health(settings: &Settings, prefix: &Path, name: &str) -> Result<ExitCode> {
    let runs = RunningGateway::find(prefix).is_some() || (!is_writable(prefix) && answers(settings));
    if !runs {
        bail!("{name} is not running at {}", prefix.display());
    }
    print_line("nginx.......running\n");
    print_line(format_args!("{name} is healthy at {}", prefix.display()));
    Ok(ExitCode::SUCCESS)
}

/// The prefix of the settings, else Kong's.
pub(crate) fn kong_prefix(settings: &Settings) -> PathBuf {
    settings.prefix.clone().unwrap_or_else(|| PathBuf::from(KONG_PREFIX))
}

/// Whether a process of this user could write a pid file.
fn is_writable(prefix: &Path) -> bool {
    let existing = prefix.ancestors().find(|folder| folder.exists());
    existing.is_some_and(|folder| access(folder, Access::WRITE_OK).is_ok())
}

/// Whether the first listener of the status, the Admin API or the proxy accepts connections.
fn answers(settings: &Settings) -> bool {
    let Settings { status_listen, admin_listen, proxy_listen, .. } = settings;
    let listener = [status_listen, admin_listen, proxy_listen].into_iter().flatten().next();
    listener
        .is_some_and(|listener| TcpStream::connect_timeout(&local(listener.address), CONNECT_TIMEOUT).is_ok())
}

/// The address by which this machine reaches a listener.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
