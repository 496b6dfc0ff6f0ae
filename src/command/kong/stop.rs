//! `kong quit` and `kong stop`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustix::process::Signal;

use super::{
    super::{output::print_line, pid_file::RunningGateway},
    flags::KongFlags,
};

/// Time between two looks at the process that ends.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Time between two signals, each of which shortens the stop.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(200);

/// Time for a stop without its requests: log entries of plugins are still delivered.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct QuitArgs {
    #[command(flatten)]
    flags: KongFlags,
    /// Seconds that requests have to finish
    #[arg(short, long, value_name = "SECONDS", default_value = "10")]
    timeout: u32,
    /// Seconds before that in which connections are still accepted; readiness ends at once
    #[arg(short, long, value_name = "SECONDS", default_value = "0")]
    wait: u32,
}

impl QuitArgs {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let gateway = self.flags.running()?;
        if self.wait > 0 {
            gateway.signal(Signal::USR2).context("cannot signal the gateway")?;
            if has_ended_within(&gateway, Duration::from_secs(self.wait.into())) {
                print_line("Kong stopped (gracefully)");
                return Ok(ExitCode::SUCCESS);
            }
        }
        gateway.signal(Signal::QUIT).context("cannot signal the gateway")?;
        if has_ended_within(&gateway, Duration::from_secs(self.timeout.into())) {
            print_line("Kong stopped (gracefully)");
        } else {
            end_now(&gateway)?;
            print_line("Timeout, Kong stopped forcefully");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `kong stop`.
pub(super) fn execute(flags: &KongFlags) -> Result<ExitCode> {
    end_now(&flags.running()?)?;
    print_line("Kong stopped");
    Ok(ExitCode::SUCCESS)
}

/// Ends a gateway; open requests are cut off.
pub(super) fn end_now(gateway: &RunningGateway) -> Result<()> {
    let end = Instant::now() + STOP_TIMEOUT;
    while Instant::now() < end {
        if let Err(error) = gateway.signal(Signal::TERM)
            && !gateway.has_ended()
        {
            return Err(error).context("cannot signal the gateway");
        }
        if has_ended_within(gateway, SIGNAL_INTERVAL) {
            return Ok(());
        }
    }
    bail!("the process {} has not ended after {} s", gateway.pid, STOP_TIMEOUT.as_secs());
}

#[expect(clippy::disallowed_methods, reason = "this command serves no requests")]
fn has_ended_within(gateway: &RunningGateway, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        if gateway.has_ended() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_INTERVAL.min(limit));
    }
}
