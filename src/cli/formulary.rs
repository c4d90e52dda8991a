//! `vialedger formulary`: the products and protocols that doses are worked out with.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::options::Recording;
use super::output::{Output, fields, print};
use super::session::{Session, read_text};
use crate::formulary::{self, MAX_TEXT_BYTES};
use crate::pb::v1;

/// The formulary.
#[derive(Subcommand, Debug)]
pub enum FormularyCommand {
    /// Check a formulary file (TOML), with line numbers; needs no ledger
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print the starter formulary that comes with the program; needs no ledger
    Starter,
    /// Put a formulary forward; a second person approves
    Publish(PublishArgs),
    /// Print the formulary in force
    Show,
}

/// Which formulary to put forward.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("source").required(true).args(["file", "starter"]))]
pub struct PublishArgs {
    /// The file (TOML)
    file: Option<PathBuf>,
    /// The starter formulary that comes with the program
    #[arg(long)]
    starter: bool,
    #[command(flatten)]
    recording: Recording,
}

/// Runs a formulary command.
pub(super) async fn run(command: FormularyCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        FormularyCommand::Check { file } => check(&file, desk.out),
        FormularyCommand::Starter => starter(desk.out),
        FormularyCommand::Publish(args) => publish(args, &Session::open(desk).await?).await,
        FormularyCommand::Show => show(&Session::open(desk).await?).await,
    }
}

fn check(file: &Path, out: Output) -> Result<(), CliError> {
    let text = read_text(file)?;
    match formulary::check(&text) {
        Ok(summary) => out.value(&json!({ "good": true, "formulary": summary }), || {
            let found = [
                format!("{} products", summary.products),
                format!("{} protocols", summary.protocols),
                format!("{} questions", summary.questions),
                format!("{} drugs", summary.drugs),
                format!("{} measures", summary.measures),
                format!("{} monitorings", summary.monitorings),
                format!("{} plans", summary.plans),
            ];
            let bytes = format!("{} of {MAX_TEXT_BYTES}", summary.bytes);
            let facts = fields(&[("Version", &summary.version), ("Bytes", &bytes)]);
            format!("Good: {}.{facts}", found.join(", "))
        }),
        Err(errors) => {
            let lines: Vec<String> =
                errors.iter().map(|error| format!("{}: {error}", file.display())).collect();
            Err(CliError::No(lines.join("\n")))
        }
    }
}

fn starter(out: Output) -> Result<(), CliError> {
    let text = formulary::starter();
    out.value(&json!({ "formulary": text }), || text.to_owned())
}

/// Puts a formulary forward, once it has passed the check here.
async fn publish(args: PublishArgs, session: &Session) -> Result<(), CliError> {
    let text = match &args.file {
        Some(file) => read_text(file)?,
        None => formulary::starter().to_owned(),
    };
    if let Err(errors) = formulary::check(&text) {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        return Err(CliError::No(lines.join("\n")));
    }
    let act = v1::PublishFormularyRequest { formulary: text, ..Default::default() };
    session.record(act, &args.recording).await
}

async fn show(session: &Session) -> Result<(), CliError> {
    let found = session.ask(v1::GetFormularyRequest {}).await?;
    if session.out.is_json() {
        return session.answer("GetFormularyResponse", &found, String::new);
    }
    print(&found.formulary)
}
