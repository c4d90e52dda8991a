//! Options that many commands share.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::parse;
use super::session::read_text;
use crate::client::{Memory, Stamp};
use crate::pb::v1;

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the server is
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7420",
        help_heading = "Connection"
    )]
    pub server: String,
    /// Your private key (PEM)
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_KEY",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub key: Option<PathBuf>,
    /// Who you are, such as people/ada; the name of the key file when absent
    #[arg(
        long = "as",
        global = true,
        env = "VIALEDGER_AS",
        value_name = "PERSON",
        value_parser = parse::person,
        help_heading = "Connection"
    )]
    pub acting_as: Option<String>,
    /// The ledger's verifier key: a file, or the line itself; `ledger.vkey` beside your keys'
    /// folder when absent
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_VKEY",
        value_name = "FILE|LINE",
        help_heading = "Connection"
    )]
    pub vkey: Option<String>,
    /// Certificates that may vouch for an https server (PEM)
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_CA",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub ca: Option<PathBuf>,
    /// Your certificate, where the server asks for one (PEM)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "client_key",
        help_heading = "Connection"
    )]
    pub client_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "client_cert",
        help_heading = "Connection"
    )]
    pub client_key: Option<PathBuf>,
    /// File whose first line is the passphrase of your key; "-" reads standard input
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_PASSPHRASE_FILE",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    pub passphrase_file: Option<PathBuf>,
    /// Let requests and answers go over a network in plain text
    #[arg(long, global = true, help_heading = "Connection")]
    pub insecure_plaintext: bool,
    /// Folder in which to keep every receipt as a file that proves itself
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_RECEIPTS",
        value_name = "DIR",
        help_heading = "Connection"
    )]
    pub receipts: Option<PathBuf>,
    /// Folder in which this device remembers the newest checkpoint that it saw of each ledger; `vialedger` in
    /// `$XDG_STATE_HOME`, or `~/.local/state/vialedger`, when absent
    #[arg(
        long,
        global = true,
        env = "VIALEDGER_MEMORY",
        value_name = "DIR",
        help_heading = "Connection"
    )]
    pub memory: Option<PathBuf>,
    /// Where this device's programs keep what they remember
    #[arg(long, global = true, env = "XDG_STATE_HOME", value_name = "DIR", hide = true)]
    pub state_home: Option<PathBuf>,
    /// The home of whoever runs this
    #[arg(long, global = true, env = "HOME", value_name = "DIR", hide = true)]
    pub home: Option<PathBuf>,
}

impl Global {
    /// Where this device remembers what it saw.
    pub fn memory(&self) -> Result<Memory, CliError> {
        let is_set = |path: &&PathBuf| !path.as_os_str().is_empty();
        // As the XDG base directory specification has it, a path that is not absolute is not taken.
        let state = self.state_home.as_ref().filter(|path| path.is_absolute()).cloned();
        let home = self.home.as_ref().filter(is_set).map(|home| home.join(".local/state"));
        let folder = match (self.memory.as_ref().filter(is_set), state.or(home)) {
            (Some(named), _) => named.clone(),
            (None, Some(state)) => state.join("vialedger"),
            (None, None) => {
                let message = "nowhere to remember what was seen of the ledger: name a folder of \
                               yours with --memory DIR or VIALEDGER_MEMORY";
                return Err(CliError::Config(message.to_owned()));
            }
        };
        Ok(Memory::new(folder))
    }
}

/// Options of every command that records something.
#[derive(Args, Clone, Debug, Default)]
pub struct Recording {
    /// Run every rule and record nothing
    #[arg(long, help_heading = "Recording")]
    pub dry_run: bool,
    /// Record only if the ledger still has this many entries
    #[arg(long, value_name = "SIZE", help_heading = "Recording")]
    pub expected_size: Option<u64>,
    /// Request id (UUID version 7) of an earlier try that had no answer
    #[arg(long, value_name = "UUID", help_heading = "Recording")]
    pub request_id: Option<String>,
}

impl Recording {
    /// The options as the client takes them.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp {
            request_id: self.request_id.clone(),
            validate_only: self.dry_run,
            expected_size: self.expected_size,
        }
    }
}

/// Options of every list.
#[derive(Args, Clone, Debug)]
pub struct Listing {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: usize,
}

/// Options of every command that records or uses answers to eligibility questions.
#[derive(Args, Clone, Debug)]
pub struct Answering {
    /// Answer to a question, such as psychosis=no; repeat for each
    #[arg(long = "answer", value_name = "QUESTION=ANSWER", value_parser = parse::answer)]
    answers: Vec<v1::EligibilityAnswer>,
    /// File of answers, one a line
    #[arg(long, value_name = "FILE")]
    answers_file: Option<PathBuf>,
}

impl Answering {
    /// The answers that were typed, then those of the file.
    pub(super) fn read(self) -> Result<Vec<v1::EligibilityAnswer>, CliError> {
        let mut answers = self.answers;
        if let Some(path) = &self.answers_file {
            let file = parse::answers(&read_text(path)?);
            answers.extend(file.map_err(|e| CliError::Data(format!("{}: {e}", path.display())))?);
        }
        Ok(answers)
    }
}

/// Options of every command that may pass a soft limit.
#[derive(Args, Clone, Debug)]
pub struct Overriding {
    /// Soft limit passed on purpose, such as DOSE_ABOVE_USUAL=specialist-advice:note, or for an
    /// adverse effect `DOSE_CHANGED=tolerability@adverseEffects/41`; repeat for each
    #[arg(
        long = "override",
        value_name = "LIMIT=REASON[@EFFECT][:NOTE]",
        value_parser = parse::limit_override
    )]
    pub(super) overrides: Vec<v1::LimitOverride>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_device_remembers_where_it_is_told_or_where_its_programs_do() {
        let folder = |memory: &str, state_home: &str, home: &str| {
            let global = Cli::try_parse_from(["vialedger", "balances"]).unwrap().global;
            let path = |text: &str| Some(PathBuf::from(text)).filter(|_| text != "unset");
            let (memory, state_home, home) = (path(memory), path(state_home), path(home));
            Global { memory, state_home, home, ..global }.memory().ok()
        };
        assert_eq!(folder("unset", "unset", "unset"), None);
        assert_eq!(folder("", "relative", ""), None);
        for (memory, state_home, home, expected) in [
            ("unset", "unset", "/h", "/h/.local/state/vialedger"),
            ("", "relative", "/h", "/h/.local/state/vialedger"),
            ("unset", "/s", "/h", "/s/vialedger"),
            ("m", "/s", "/h", "m"),
        ] {
            let found = folder(memory, state_home, home);
            assert_eq!(found, Some(Memory::new(Path::new(expected))), "{expected}");
        }
    }
}
