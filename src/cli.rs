//! The command line: what can be asked of the program, and who answers.
//!
//! Each command has its arguments and its doing in one file of `cli/`. Commands that need a server
//! open a `session::Session`; the others need files at most. Nothing here decides anything about
//! doses or vials: requests are put together from what was typed, signed by the client, and what
//! comes back is shown, as tables for people or as JSON for programs.
//!
//! `serve` is only read here; a layer above runs it, since no client needs the server. The demo does: it is both sides.

mod audit;
mod backup;
pub mod calc;
pub mod cosigner;
mod course;
mod custody;
mod demo;
mod doctor;
mod dose;
mod entries;
pub mod error;
pub mod exit;
mod export;
mod files;
mod formulary;
pub mod identity;
mod init;
pub mod json;
mod key;
pub mod known;
mod ledger;
mod list;
pub mod options;
pub mod output;
mod pages;
mod parse;
mod patient;
mod person;
mod proof;
mod receipt;
mod registry;
pub mod serve;
mod session;
mod stock;
mod tell;
mod verify;
mod words;

use clap::{Parser, Subcommand};

use crate::clock::Clock;

use error::CliError;
use exit::Exit;
use options::Global;
use output::Output;

/// The controlled-substance ledger whose audits pass by proof: server, client and verifier in one
/// program.
///
/// Exit status: 0 good; 1 the answer is no (refused, bad evidence); 2 could not tell; 64 to 78 as
/// in sysexits.
#[derive(Parser, Debug)]
#[command(name = "vialedger", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve a ledger
    Serve(serve::ServeArgs),
    /// What [`run`] does.
    #[command(flatten)]
    Task(Task),
}

/// Whatever a client or a verifier can do.
#[derive(Subcommand, Debug)]
pub enum Task {
    /// Play a clinic's day on a ledger of its own, from delivery to proof
    Demo(demo::DemoArgs),
    /// Create a ledger: its folder, its key and its first administrator
    Init(Box<init::InitArgs>),
    /// Make, show and share a person's key
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Print a short-lived bearer token, for any gRPC client that reads
    Token(key::TokenArgs),
    /// Enrol people, list them, change their roles, add and revoke keys
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Show what waits for a second person
    #[command(subcommand)]
    Proposals(registry::ProposalsCommand),
    /// Approve, as the second person, what another put forward
    Approve(registry::ApproveArgs),
    /// Add and list the places where vials are kept
    #[command(subcommand)]
    Place(registry::PlaceCommand),
    /// Check, publish and show the formulary
    #[command(subcommand)]
    Formulary(formulary::FormularyCommand),
    /// Show the protocols of the formulary in force
    #[command(subcommand)]
    Protocols(dose::ProtocolsCommand),
    /// List the products of the formulary in force
    #[command(subcommand)]
    Products(dose::ProductsCommand),
    /// Take deliveries in, and list what is on hand
    #[command(subcommand)]
    Stock(stock::StockCommand),
    /// List what is on hand, by place and product
    Balances(stock::BalancesArgs),
    /// Show a vial with its history, and list vials
    #[command(subcommand)]
    Vial(stock::VialCommand),
    /// Register patients, record their answers, and read who they are
    #[command(subcommand)]
    Patient(patient::PatientCommand),
    /// Open and close courses of treatment, and see what is due now
    #[command(subcommand)]
    Course(course::CourseCommand),
    /// Take a patient through a session, from the first readings to the way home
    #[command(subcommand)]
    Session(course::session::SessionCommand),
    /// Work out a weight-based dose, check one as the second person, or replay an old one
    #[command(subcommand)]
    Dose(dose::DoseCommand),
    /// Hand a vial, or a measured part of one, to a nurse or prescriber for a patient
    Dispense(custody::DispenseArgs),
    /// Record what a patient received
    Administer(custody::AdministerArgs),
    /// Record what was made unusable; it waits for its witness
    Waste(custody::WasteArgs),
    /// Sign, as a second person, that you saw a waste
    Witness(custody::WitnessArgs),
    /// Take an intact vial back
    Return(custody::ReturnArgs),
    /// List the ledger's entries, by vial, patient, person, product, lot, act or time
    Entries(entries::EntriesArgs),
    /// Fetch and verify the proofs that entries are in the ledger
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// Prove that an entry is in the ledger, or that the ledger begins with an older one
    #[command(subcommand)]
    Proof(proof::ProofCommand),
    /// Verify a ledger file, or a bundle, from itself and the verifier key alone, without any server
    Verify(verify::VerifyArgs),
    /// Watch other ledgers as a log cosigner, and have others watch yours
    #[command(subcommand)]
    Cosigner(cosigner::CosignerCommand),
    /// Write what is to be handed over into a folder of its own, without any server
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Put together what an inspector is handed, without any server
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Change the key that patients' identities are encrypted with
    #[command(subcommand)]
    Identity(identity::IdentityCommand),
    /// Rotate the ledger's own key
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Copy a ledger as it is at one moment, also beside a running server
    Backup(backup::BackupArgs),
    /// Make a ledger again from a copy, and say whether anything that is known is missing
    Restore(backup::RestoreArgs),
    /// Look at a ledger's folder and say what ails it and what to do
    Doctor(doctor::DoctorArgs),
    /// Make everything that is derived from the entries again
    Rebuild(init::RebuildArgs),
    /// Dose arithmetic and code checks for anyone, without a ledger
    #[command(subcommand)]
    Calc(calc::CalcCommand),
    /// Print completions for a shell
    Completions(pages::CompletionsArgs),
    /// Print the manual page, or write all of them into a folder
    Man(pages::ManArgs),
}

/// What a task is done with: the options of every command, the time, and where the answer goes.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Options of every command.
    pub global: Global,
    /// This device's time.
    pub clock: Clock,
    /// Where the answer goes.
    pub out: Output,
}

/// Does a task. An error is the caller's to report.
pub async fn run(task: Task, desk: &Desk) -> Result<Exit, CliError> {
    match task {
        Task::Demo(args) => Box::pin(demo::run(args, desk)).await?,
        Task::Init(args) => init::run(*args, desk).await?,
        Task::Key(command) => key::run(&command, desk)?,
        Task::Token(args) => key::token(&args, desk)?,
        Task::Person(command) => person::run(command, desk).await?,
        Task::Proposals(command) => registry::proposals(command, desk).await?,
        Task::Approve(args) => registry::approve(args, desk).await?,
        Task::Place(command) => registry::place(command, desk).await?,
        Task::Formulary(command) => formulary::run(command, desk).await?,
        Task::Protocols(command) => dose::protocols(command, desk).await?,
        Task::Products(command) => dose::products(command, desk).await?,
        Task::Stock(command) => stock::stock(command, desk).await?,
        Task::Balances(args) => stock::balances(args, desk).await?,
        Task::Vial(command) => stock::vial(command, desk).await?,
        Task::Patient(command) => patient::run(command, desk).await?,
        Task::Course(command) => course::run(command, desk).await?,
        Task::Session(command) => course::session::run(command, desk).await?,
        Task::Dose(command) => return dose::run(command, desk).await,
        Task::Dispense(args) => custody::dispense(args, desk).await?,
        Task::Administer(args) => custody::administer(args, desk).await?,
        Task::Waste(args) => custody::waste(args, desk).await?,
        Task::Witness(args) => custody::witness(args, desk).await?,
        Task::Return(args) => custody::give_back(args, desk).await?,
        Task::Entries(args) => entries::entries(args, desk).await?,
        Task::Receipt(command) => return receipt::run(command, desk).await,
        Task::Proof(command) => return proof::run(command, desk).await,
        Task::Verify(args) => return verify::run(&args, desk),
        Task::Cosigner(command) => return cosigner::run(command, desk).await,
        Task::Export(command) => export::run(&command, desk)?,
        Task::Audit(command) => audit::run(&command, desk)?,
        Task::Identity(command) => identity::run(&command, desk)?,
        Task::Ledger(command) => ledger::run(&command, desk)?,
        Task::Backup(args) => return backup::backup(&args, desk),
        Task::Restore(args) => return backup::restore(&args, desk),
        Task::Doctor(args) => return doctor::run(&args, desk),
        Task::Rebuild(args) => init::rebuild(&args, desk)?,
        Task::Calc(command) => return calculate(&command, desk),
        Task::Completions(args) => pages::completions(&args)?,
        Task::Man(args) => pages::man(&args)?,
    }
    Ok(Exit::Good)
}

/// Calculates; a refusal is an answer in JSON too, and says no.
fn calculate(command: &calc::CalcCommand, desk: &Desk) -> Result<Exit, CliError> {
    match command.answer(desk.clock.now()) {
        Ok(answer) => desk.out.value(&answer, || answer.to_string()).map(|()| Exit::Good),
        Err(refused) if desk.out.is_json() => {
            desk.out.value(&refused, String::new).map(|()| Exit::No)
        }
        Err(refused) => Err(CliError::No(format!("refused: {refused}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    /// Ids of the arguments that commands below this one declare themselves.
    fn own_ids(command: &clap::Command, ids: &mut BTreeSet<String>) {
        for inner in command.get_subcommands() {
            let own = inner.get_arguments().filter(|argument| !argument.is_global_set());
            ids.extend(own.map(|argument| argument.get_id().to_string()));
            own_ids(inner, ids);
        }
    }

    #[test]
    fn the_definitions_hold() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_has_an_argument_that_hides_an_option_of_every_command() {
        let command = Cli::command();
        let mut ids = BTreeSet::new();
        own_ids(&command, &mut ids);
        assert!(ids.contains("vial"), "the walk finds arguments");
        for global in command.get_arguments().filter(|argument| argument.is_global_set()) {
            assert!(!ids.contains(global.get_id().as_str()), "{}", global.get_id());
        }
    }
}
