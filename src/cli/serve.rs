//! `vialedger serve`: its arguments. A layer above runs it, since no client needs the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;

use super::known::KnownArgs;
use super::parse;
use crate::service::AuditSchedule;
use crate::telemetry::LogFormat;

/// Serve a ledger until SIGTERM or Ctrl-C.
///
/// A ledger that is behind a checkpoint that is known, in its head file, beside it in `cosignatures`, from a cosigner or
/// as --known-checkpoint, was put back to an older state: it is read and not written until what is missing is back.
///
/// Listens in plain text on a loopback address only; anywhere else it needs a certificate, or
/// --insecure-plaintext.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// The ledger's folder
    pub folder: PathBuf,
    /// Address to listen on; port 0 takes any free one
    #[arg(long, env = "VIALEDGER_LISTEN", default_value = "127.0.0.1:7420")]
    pub listen: SocketAddr,
    /// Also serve the ledger as C2SP tlog-tiles over HTTP/1.1 here: checkpoint and hashes to anybody, entries with a
    /// bearer token
    #[arg(long, env = "VIALEDGER_TILES", value_name = "ADDRESS")]
    pub tiles: Option<SocketAddr>,
    /// Certificate chain (PEM); a changed file is read anew by itself
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities of the client certificates that every caller must then show (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
    /// The key that patients' identities are encrypted with; `identity.key` in the folder when
    /// absent
    #[arg(long, env = "VIALEDGER_IDENTITY_KEY", value_name = "FILE")]
    pub identity_key: Option<PathBuf>,
    /// Policy file (c2sp.org/tlog-policy): every checkpoint is handed in to its cosigners, and what
    /// they sign is kept in the folder `cosignatures`
    #[arg(long, value_name = "FILE")]
    pub cosigners: Option<PathBuf>,
    /// How often the ledger audits what is new in it, such as 24h or 30m; 0 for never
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse::span)]
    pub self_audit_every: Duration,
    /// How often it audits all of it instead
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse::span)]
    pub whole_audit_every: Duration,
    /// What the ledger is compared with before it takes writes
    #[command(flatten)]
    pub known: KnownArgs,
    /// Form of the log on standard error
    #[arg(long, default_value = "text")]
    pub log: LogForm,
    /// How much is logged
    #[arg(long, default_value = "info")]
    pub log_level: LogLevel,
}

impl ServeArgs {
    /// When the ledger audits itself.
    #[must_use]
    pub fn self_audit(&self) -> Option<AuditSchedule> {
        let (every, whole_every) = (self.self_audit_every, self.whole_audit_every);
        (!every.is_zero()).then_some(AuditSchedule { every, whole_every })
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogForm {
    /// Lines for people
    Text,
    /// One JSON object a line, for programs
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogLevel {
    /// What went wrong and needs somebody
    Error,
    /// And what may
    Warn,
    /// And what the server does
    Info,
    /// And what each call did
    Debug,
}

impl LogForm {
    /// As the log takes it.
    #[must_use]
    pub fn format(self) -> LogFormat {
        match self {
            Self::Text => LogFormat::Text,
            Self::Json => LogFormat::Json,
        }
    }
}

impl LogLevel {
    /// As the log takes it.
    #[must_use]
    pub fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}
