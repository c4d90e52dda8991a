//! The log: what reaches it, and in which form.
//!
//! Only this program's own events reach it, at any level. The libraries below see whole messages
//! and tokens and would print them when asked to be talkative; so nobody can ask them. Our own
//! events carry a call's method, code, reason, request id and duration, and never a body, a token or
//! a patient: `tests/promises/authentication.rs` reads the log to see that.

use std::io;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Sends the log to standard error, from this level up. Fails when a log was started already.
pub fn start(format: LogFormat, level: LevelFilter) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber(format, level, io::stderr))
}

/// A log that goes where it is told.
pub fn subscriber<W>(
    format: LogFormat,
    level: LevelFilter,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let own = filter_fn(|event| {
        let target = event.target();
        target == OWN || target.strip_prefix(OWN).is_some_and(|rest| rest.starts_with("::"))
    });
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let layer = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Box::new(tracing_subscriber::registry().with(layer.with_filter(own).with_filter(level)))
}

/// Where our own events come from.
const OWN: &str = env!("CARGO_PKG_NAME");

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log_of(format: LogFormat, level: LevelFilter, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log = subscriber(format, level, move || writer.clone());
        tracing::subscriber::with_default(log, events);
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn only_our_own_events_are_written_whatever_the_level() {
        let log = log_of(LogFormat::Text, LevelFilter::TRACE, || {
            tracing::trace!(code = "OK", "a call of ours");
            tracing::error!(target: "h2::codec", "a body of somebody's");
            tracing::error!(target: "vialedgerish", "somebody else's");
        });
        assert!(log.contains("a call of ours"), "{log}");
        assert!(!log.contains("somebody"), "{log}");
    }

    #[test]
    fn below_the_level_nothing_is_written() {
        let log = log_of(LogFormat::Text, LevelFilter::INFO, || {
            tracing::debug!("quiet");
            tracing::info!("loud");
        });
        assert!(log.contains("loud") && !log.contains("quiet"), "{log}");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_on_top() {
        let log = log_of(LogFormat::Json, LevelFilter::INFO, || {
            tracing::info!(method = "/vialedger.v1.AuditService/GetEntry", code = "OK", "call");
        });
        let line: serde_json::Value = serde_json::from_str(log.trim()).unwrap();
        assert_eq!(line["method"], "/vialedger.v1.AuditService/GetEntry");
        assert_eq!(line["code"], "OK");
    }
}
