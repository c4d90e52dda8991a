//! `vialedger cosigner serve`: the cosigner at work.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::serve::{LogForm, LogLevel};
use crate::cli::session::verifier_key;
use crate::cosigner::Watch;
use crate::server::{CosignerServer, CosignerServerOptions, TlsFiles, stop_asked};
use crate::store::CosignerFolder;
use crate::telemetry;

/// Cosign the checkpoints of the logs that are named, until SIGTERM or Ctrl-C.
///
/// Answers POST /add-checkpoint as c2sp.org/tlog-witness says, and GET /HASH/checkpoint with the newest checkpoint of
/// the log whose origin has this SHA-256. Plain text on a loopback address only; anywhere else it needs a certificate,
/// or --insecure-plaintext behind a proxy that has one.
#[derive(Args, Debug)]
pub struct CosignerServeArgs {
    /// The cosigner's folder, begun with `vialedger cosigner key`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:7421")]
    listen: SocketAddr,
    /// Verifier key of a ledger to watch, a file or the line itself; repeat for several
    #[arg(long = "log", value_name = "VKEY", required = true)]
    logs: Vec<String>,
    /// Certificate chain (PEM); a changed file is read anew by itself
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Form of the log on standard error
    #[arg(long, default_value = "text")]
    log_form: LogForm,
    /// How much is logged
    #[arg(long, default_value = "info")]
    log_level: LogLevel,
}

/// Serves until it is told to stop.
pub(super) async fn run(args: CosignerServeArgs, desk: &Desk) -> Result<Exit, CliError> {
    let started = telemetry::start(args.log_form.format(), args.log_level.filter());
    started.map_err(|error| CliError::Config(format!("the log could not be started: {error}")))?;
    let logs: Result<Vec<_>, _> =
        args.logs.iter().map(|log| verifier_key(Some(log), None)).collect();
    let folder = CosignerFolder::new(&args.dir);
    let watch = Watch::open(&folder, logs?, desk.clock.clone())?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key, client_authorities: None });
    let secured = tls.is_some();
    let server = CosignerServer::bind(CosignerServerOptions {
        tls,
        insecure_plaintext: desk.global.insecure_plaintext,
        ..CosignerServerOptions::new(args.listen)
    })
    .await?;
    // Taken before anyone is told that it is there, so that no stop is missed.
    let stop = stop_asked().map_err(CliError::Runtime)?;
    let scheme = if secured { "https" } else { "http" };
    let address = format!("{scheme}://{}", server.local_addr());
    let key = watch.verifier_key().clone();
    let origins: Vec<_> = watch.logs().iter().map(|log| log.name().as_str().to_owned()).collect();
    let value = json!({ "server": address, "verifier_key": key.to_string(), "logs": origins });
    desk.out.value(&value, || {
        format!("{} cosigns {} at {address}. Ctrl-C stops it.", key.name(), origins.join(", "))
    })?;
    if let Some(watch) = server.run(watch, stop).await {
        watch.close()?;
    }
    Ok(Exit::Good)
}
