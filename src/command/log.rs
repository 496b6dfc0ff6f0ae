//! The log of the process: lines on standard error, with a level that can change while it runs.

use std::{
    io::{IsTerminal, stderr},
    sync::Arc,
};

use mynah::{control::LogLevelHandle, settings::LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts the log; the handle changes its level.
pub(crate) fn start_log(level: LogLevel) -> Arc<LogLevelHandle> {
    let filter = |level| {
        let level = match level {
            LogLevel::Debug => LevelFilter::DEBUG,
            // Operators expect Kong's notices by default; what mynah logs as info is of that kind.
            LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            _ => LevelFilter::ERROR,
        };
        // The HTTP/2 library warns of each invalid frame, so any client could fill a disk.
        let frames = if level == LevelFilter::DEBUG { level } else { LevelFilter::ERROR };
        Targets::new().with_default(level).with_target("h2", frames)
    };
    let (layer, reload) = tracing_subscriber::reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    tracing_subscriber::registry().with(layer).with(lines).init();
    // The hook logs where a panic happened; the code that catches it logs what it ended.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    LogLevelHandle::new(level, move |level| {
        // It fails only if the subscriber is gone.
        let _ = reload.reload(filter(level));
    })
}
