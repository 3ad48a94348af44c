//! Where log lines go: standard error, as text or JSON, with a level that can be changed.
//!
//! Owns: the tracing set-up and the line that a panic leaves. Never: decides what is logged.

use std::io::IsTerminal;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::section::{Log, LogFormat};

/// Changes the level; an error says what is wrong with the text.
pub type SetLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Sets logging up for the process; the second call in one process is an error.
pub fn start(log: &Log) -> Result<SetLevel, String> {
    let (filter, handle) = reload::Layer::new(parse(&log.level)?);
    let format: Box<dyn Layer<_> + Send + Sync> = match log.format {
        LogFormat::Json => {
            Box::new(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
        }
        LogFormat::Text => Box::new(
            fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr),
        ),
    };
    let subscriber = Registry::default().with(filter).with(format);
    subscriber.try_init().map_err(|error| error.to_string())?;
    log_panics();
    Ok(Arc::new(move |level: &str| {
        let filter = parse(level)?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}

fn parse(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(level).map_err(|error| {
        format!(
            "`{level}` is no log level: {error}; write error, warn, info, debug, trace or a filter"
        )
    })
}

/// A panic is a line in the log like any other, in its format.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, %backtrace, "panic: {message}");
    }));
}
