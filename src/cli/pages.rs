//! `vialedger completions` and `man`: the help, in the forms that shells and `man` read, from the
//! same definitions.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::error::CliError;
use super::output::print;

/// Name of the program, as its files are named after it.
const PROGRAM: &str = "vialedger";

/// Print the completions for a shell.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the manual page, or write the pages of all commands into a folder.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The folder, which must exist
    folder: Option<PathBuf>,
}

/// Prints completions.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints or writes manual pages.
pub(super) fn man(args: &ManArgs) -> Result<(), CliError> {
    if let Some(folder) = &args.folder {
        return clap_mangen::generate_to(Cli::command(), folder)
            .map_err(|source| CliError::Write { path: folder.clone(), source });
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(CliError::Output)?;
    print(&String::from_utf8_lossy(&page))
}
