//! `kong start`, `kong docker-start`, `kong restart`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{
    super::{health::kong_prefix, output::print_line, pid_file::RunningGateway, run},
    flags::KongFlags,
    prepare::create_folders,
    stop,
};

/// Time between two looks at the process that starts.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Most bytes of the log that are shown if the start fails.
const SHOWN_LOG: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    flags: KongFlags,
    /// Has no effect: there is no database
    #[arg(long, hide = true)]
    run_migrations: bool,
    /// Has no effect: there is no database
    #[arg(long, value_name = "SECONDS", hide = true)]
    db_timeout: Option<u32>,
    /// Has no effect: there is no database
    #[arg(long, value_name = "SECONDS", hide = true)]
    lock_timeout: Option<u32>,
}

impl StartArgs {
    /// Starts the gateway in the background, or serves in the foreground.
    pub(super) fn start(self) -> Result<ExitCode> {
        let settings = self.flags.load()?.settings;
        let prefix = kong_prefix(&settings);
        if RunningGateway::find(&prefix).is_some() {
            bail!("Kong is already running in {}", prefix.display());
        }
        // A container ends with its first process.
        if !settings.nginx_daemon || rustix::process::getpid().is_init() {
            return self.serve();
        }
        create_folders(&prefix)?;
        start_in_background(&prefix, &self.flags.arguments())
    }

    /// Serves in the foreground.
    pub(super) fn serve(self) -> Result<ExitCode> {
        let mut loaded = self.flags.load()?;
        if let Some(file) = &self.flags.nginx_conf {
            loaded
                .warnings
                .push(format!("--nginx-conf has no effect, as there is no nginx: {}", file.display()));
        }
        run::serve(loaded)
    }

    /// Stops the gateway, if it runs, and starts it again.
    pub(super) fn restart(self) -> Result<ExitCode> {
        let prefix = kong_prefix(&self.flags.load()?.settings);
        if let Some(gateway) = RunningGateway::find(&prefix) {
            stop::end_now(&gateway)?;
            print_line("Kong stopped");
        }
        self.start()
    }
}

/// Starts this binary as a process of its own, with its output in the folder `logs`, and waits until it serves.
#[expect(clippy::disallowed_methods, reason = "this command serves no requests")]
fn start_in_background(prefix: &Path, arguments: &[String]) -> Result<ExitCode> {
    let log = prefix.join("logs/error.log");
    let before = fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let mut child = Command::new(std::env::current_exe().context("cannot find this binary")?)
        .args(["kong", "docker-start"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(open_log(&prefix.join("logs/access.log"))?)
        .stderr(open_log(&log)?)
        // A signal to the terminal's processes is not for it.
        .process_group(0)
        .spawn()
        .context("cannot start a process")?;
    loop {
        let status = child.try_wait().context("cannot wait for the process")?;
        if let Some(status) = status {
            eprint!("{}", read_from(&log, before).unwrap_or_default());
            bail!("Kong did not start: the process ended with {status}; its log is {}", log.display());
        }
        let pid = RunningGateway::find(prefix).map(|gateway| gateway.pid.as_raw_pid());
        if pid == i32::try_from(child.id()).ok() {
            print_line("Kong started");
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn open_log(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

/// The text of a file from a position, at most [`SHOWN_LOG`].
fn read_from(path: &Path, position: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let mut text = Vec::new();
    file.take(SHOWN_LOG).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
