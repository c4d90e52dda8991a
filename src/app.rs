//! The program as a whole: which command runs where, and what its end means.

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tracing::subscriber::SetGlobalDefaultError;

use crate::cli::error::{CliError, server_exit};
use crate::cli::exit::Exit;
use crate::cli::identity;
use crate::cli::output::{Output, print};
use crate::cli::serve::ServeArgs;
use crate::cli::{self, Cli, Command, Desk};
use crate::clock::Clock;
use crate::cosigner::{Connector, Cosignatures, Plan, Submitter};
use crate::key::Key;
use crate::server::{Server, ServerError, ServerOptions, TlsFiles, stop_asked};
use crate::service::{Service, ServiceOptions, Settled, settle, verifier_key};
use crate::store::{LedgerFolder, StoreError};
use crate::telemetry;
use crate::tlog::{Policy, VerifierKey};

/// Why the program ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
enum AppError {
    /// A command.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The log did not start.
    #[error("the log could not be started: {0}")]
    Log(#[from] SetGlobalDefaultError),
    /// Signals cannot be waited for.
    #[error("the system's signals cannot be waited for: {0}")]
    Signals(io::Error),
}

impl AppError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cli(error) => error.exit(),
            Self::Server(error) => server_exit(error),
            Self::Log(_) | Self::Signals(_) => Exit::Software,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Cli(error) => error.text(),
            other => format!("vialedger: {other}"),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Cli(error) => error.json(),
            other => {
                let status = self.exit().status();
                json!({ "error": { "message": other.to_string(), "status": status } })
            }
        }
    }
}

/// Reads the command line, does what it says, reports an error, and answers with the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let out = Output::new(cli.global.json);
    let desk = Desk { global: cli.global, clock: Clock::system(), out };
    let done = match cli.command {
        Command::Serve(args) => serve(&args, &desk),
        Command::Task(task) => client_runtime()
            .and_then(|runtime| runtime.block_on(cli::run(task, &desk)))
            .map_err(AppError::from),
    };
    done.unwrap_or_else(|error| report(&error, out)).into()
}

/// Help and version are answers; anything else that the parser says is a wrong command line.
fn usage(error: &clap::Error) -> Exit {
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Good,
        _ => Exit::Usage,
    };
    match error.print() {
        Ok(()) => exit,
        Err(_) => Exit::Io,
    }
}

/// Says why: to people on standard error, to programs on standard output.
fn report(error: &AppError, out: Output) -> Exit {
    let told = if out.is_json() {
        print(&format!("{:#}", error.json()))
    } else {
        anstream::eprintln!("{}", error.text());
        Ok(())
    };
    told.map_or(Exit::Io, |()| error.exit())
}

/// A client does one thing at a time.
fn client_runtime() -> Result<Runtime, CliError> {
    Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)
}

/// Opens the ledger and serves it until the operator or the system asks for a stop.
fn serve(args: &ServeArgs, desk: &Desk) -> Result<Exit, AppError> {
    telemetry::start(args.log.format(), args.log_level.filter())?;
    let folder = LedgerFolder::new(&args.folder);
    let path = folder.database();
    if !path.is_file() {
        return Err(CliError::from(StoreError::Missing { path }).into());
    }
    match settle(&folder).map_err(CliError::from)? {
        Settled::Nothing => {}
        Settled::Undone => {
            tracing::warn!("a rotation of the ledger's key that was broken off was undone");
        }
        Settled::Finished => {
            tracing::warn!("a rotation of the ledger's key that was broken off was finished");
        }
    }
    let key = Key::load(&folder.signing_key(), None).map_err(CliError::from)?;
    // Read before anything is opened: a policy that does not hold is a reason not to start.
    let policy = args.cosigners.as_deref().map(cli::cosigner::read_policy).transpose()?;
    let identities = identity::serving_key(&folder, args.identity_key.as_deref())?;
    if identities.is_new {
        let path = identities.path.display();
        tracing::warn!(%path, "a new identity key was made: keep a copy, nothing else opens what it seals");
    }
    let own = verifier_key(&args.folder, key.signing_key()).map_err(CliError::from)?;
    let options = ServiceOptions {
        clock: desk.clock.clone(),
        identity_key: Some(identities.key),
        self_audit: args.self_audit(),
        head_file: args.known.head_file.clone(),
        known: args.known.gather(&folder, &own)?,
        ..ServiceOptions::default()
    };
    let (service, writer) =
        Service::open(&args.folder, key.signing_key(), options).map_err(CliError::from)?;
    let plan = policy.map(|policy| plan(&policy, &own, desk)).transpose()?;
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    let served = runtime.block_on(async {
        let server = Server::bind(server_options(args, desk)).await?;
        // Taken before anyone is told that the server is there, so that no stop is missed.
        let stop = stop_asked().map_err(AppError::Signals)?;
        // Dropped with this block: nothing is handed in any more once the server has stopped.
        let mut submitter = plan.map(|plan| {
            Submitter::start(plan, &service, &Cosignatures::beside(&args.folder), &desk.clock)
        });
        if let Some(submitter) = &mut submitter {
            submitter.first_answers().await;
        }
        announce(&server, &service, args, desk)?;
        let auditing = service.clone();
        tokio::select! {
            () = server.run(service, stop) => Ok(Exit::Good),
            never = auditing.keep_auditing() => match never {},
        }
    });
    writer.join().map_err(CliError::from)?;
    served
}

/// Whom the ledger's checkpoints are handed in to.
fn plan(policy: &Policy, own: &VerifierKey, desk: &Desk) -> Result<Plan, CliError> {
    let config = |error: &dyn ToString| CliError::Config(error.to_string());
    let connector = Connector::new(desk.global.ca.as_deref()).map_err(|error| config(&error))?;
    Plan::new(policy, own, &connector).map_err(|error| config(&error))
}

fn server_options(args: &ServeArgs, desk: &Desk) -> ServerOptions {
    let files = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = files.map(|(certificate, key)| TlsFiles {
        certificate,
        key,
        client_authorities: args.client_ca.clone(),
    });
    ServerOptions {
        tiles: args.tiles,
        tls,
        insecure_plaintext: desk.global.insecure_plaintext,
        clock: desk.clock.clone(),
        ..ServerOptions::new(args.listen)
    }
}

/// Says on standard output where the server is, for whoever waits for it to be there.
fn announce(
    server: &Server,
    service: &Service,
    args: &ServeArgs,
    desk: &Desk,
) -> Result<(), CliError> {
    let published = service.published();
    let (origin, size) = (published.state.origin(), published.state.size());
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", server.local_addr());
    let tiles = server.tiles_addr().map(|address| format!("{scheme}://{address}"));
    let value = json!({ "server": address, "tiles": tiles, "origin": origin, "size": size });
    desk.out.value(&value, || {
        let tiles = tiles.as_ref().map_or_else(String::new, |at| format!(", and as tiles at {at}"));
        format!("{origin} ({size} entries) is served at {address}{tiles}. Ctrl-C stops it.")
    })
}
