//! `vialedger demo`: a ketamine clinic's day, played for real and then proved.
//!
//! A real server on a loopback port, a real database, and five people who each sign with a key of their own over gRPC.
//! Every step is checked: an act that should have been refused and was not ends the story as surely as one that failed.
//! Only the clock is not real. It begins in the past and is moved, so that nobody waits for an infusion, and it ends
//! before now, so that the ledger can be served afterwards. The patient is made up.

mod actor;
mod course;
mod history;
mod opening;
mod proof;
mod stage;
mod story;
mod treatment;

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Desk;
use super::error::CliError;
use super::init::make_private_folder;
use super::output::quantity;
use crate::client::new_request_id;
use crate::server::stop_asked;
use stage::Stage;
use story::Story;
use treatment::Treated;

/// Play a ketamine clinic's day on a ledger of its own, and prove it.
///
/// Starts a real server on a loopback port and plays the people as signed clients: a delivery, a patient's course and
/// session, a weight-based dose, an infusion that is watched, a witnessed waste, the way home, seven refusals, an audit,
/// and two forgeries that the audit finds.
///
/// Exit status: 0 when everything went as told.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Keep the ledger in this folder, which must be new or empty; a temporary one is used and removed otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Plays the story, from an empty folder to the proof.
pub(super) async fn run(args: DemoArgs, desk: &Desk) -> Result<(), CliError> {
    let signals = |error| CliError::Unexpected(format!("signals cannot be waited for: {error}"));
    let stopped = stop_asked().map_err(signals)?;
    let home = Home::find(args.dir, desk)?;
    let summary = tokio::select! {
        told = play(&home, desk) => told?,
        () = stopped => return Err(CliError::No("stopped before the end of the story".to_owned())),
    };
    if desk.out.is_json() { desk.out.value(&summary, String::new) } else { Ok(()) }
}

/// The chapters, in order.
async fn play(home: &Home, desk: &Desk) -> Result<Value, CliError> {
    let mut story = Story::new(desk.out);
    let (stage, ada) = Stage::open(home.path(), desk).await?;
    beginning(&story, &stage, home)?;
    let cast = opening::people(&mut story, &stage, ada).await?;
    opening::rules(&mut story, &stage, &cast).await?;
    let shelf = opening::delivery(&mut story, &stage, &cast).await?;
    let opened = course::patient(&mut story, &stage, &cast).await?;
    let session = course::session(&mut story, &stage, &cast, &opened).await?;
    let mut refused = Vec::new();
    let dose = treatment::dose(&mut story, &stage, &cast, &session, &mut refused).await?;
    let treated = treatment::vial(&mut story, &stage, &cast, &shelf, dose, refused).await?;
    history::refusals(&mut story, &treated.refused)?;
    let account = history::vial(&mut story, &stage, &cast, &treated).await?;
    let people: Vec<&str> = cast.all().map(|actor| actor.name).to_vec();
    let (origin, server) = (stage.verifier_key.name().to_string(), stage.server.clone());
    let verifier_key = stage.verifier_key.to_string();
    let folder = stage.stop().await?;
    let audits = proof::audits(&mut story, &folder, &treated)?;
    ending(&story, home, &treated)?;
    let dose = &treated.dose;
    Ok(json!({
        "went_as_told": true,
        "folder": home.kept(),
        "origin": origin,
        "verifier_key": verifier_key,
        "server": server,
        "people": people,
        "session": dose.session,
        "dose": {
            "name": dose.name,
            "exact": quantity(dose.exact_dose.as_ref()),
            "measured": quantity(dose.measured_amount.as_ref()),
            "measured_dose": quantity(dose.measured_dose.as_ref()),
            "pump_rate": quantity(dose.pump_rate.as_ref()),
            "readback": dose.readback,
        },
        "refusals": treated.refused,
        "vial": account,
        "audit": audits.good,
        "audit_of_one_changed_byte": audits.edited,
        "audit_of_a_cut_tail": audits.cut,
    }))
}

fn beginning(story: &Story, stage: &Stage, home: &Home) -> Result<(), CliError> {
    story.title("A day at a ketamine clinic, kept in a ledger that proves itself")?;
    story.gap()?;
    story.tell(&format!(
        "The {} is made up. The products, the doses and the arithmetic are real; so are the server ({}), the database \
         and five people's keys: whatever a person records is signed with that person's key.",
        stage::SITE, stage.server
    ))?;
    story.tell(&format!(
        "Only the demo's clock is moved: it begins at {} and jumps ahead, so that nobody waits for an infusion, and it \
         ends before now.",
        stage::full(stage.now())
    ))?;
    match home.kept() {
        Some(folder) => story.tell(&format!("The ledger is kept in {}.", folder.display())),
        None => story
            .tell("The ledger is in a temporary folder and will be removed; --dir DIR keeps it."),
    }
}

/// What to type next, as it works from here.
fn ending(story: &Story, home: &Home, treated: &Treated) -> Result<(), CliError> {
    story.gap()?;
    story.title("Everything went as told")?;
    story.tell(
        "Each step above was checked; one that went otherwise would have ended the story there.",
    )?;
    story.gap()?;
    story.title("What to try next")?;
    let program = std::env::args_os().next().unwrap_or_else(|| "vialedger".into());
    let program = quoted(Path::new(&program));
    if home.kept().is_none() {
        story.command(&format!("{program} demo --dir clinic"))?;
    }
    let folder = home.kept().unwrap_or(Path::new("clinic"));
    let path = |end: &str| quoted(&folder.join(end));
    let (dir, vkey) = (quoted(folder), path("ledger.vkey"));
    let receipt = treated.receipt.file_name().map_or(treated.receipt.as_path(), Path::new);
    let receipt = quoted(&folder.join("receipts").join(receipt));
    let (vial, edited, nina) = (&treated.vial, path("copies/edited"), path("keys/nina-novak.pem"));
    for line in [
        format!("{program} verify {dir} --vkey {vkey} --checkpoint {receipt}"),
        format!("{program} verify {edited} --vkey {vkey}"),
        format!("{program} serve {dir}"),
        format!("{program} vial show {vial} --key {nina}"),
    ] {
        story.command(&line)?;
    }
    story
        .tell("The last one asks the server that the line before it starts: use a second terminal.")
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:,@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The folder that the ledger is in.
enum Home {
    /// It stays.
    Kept(PathBuf),
    /// It goes when this is dropped.
    Temporary(PathBuf),
}

impl Home {
    /// The folder that was named, which must be new or empty, or a temporary one.
    fn find(dir: Option<PathBuf>, desk: &Desk) -> Result<Self, CliError> {
        let Some(path) = dir else {
            let name = format!("vialedger-demo-{}", new_request_id(desk.clock.now())?);
            let home = Self::Temporary(std::env::temp_dir().join(name));
            make_private_folder(home.path())?;
            return Ok(home);
        };
        match std::fs::read_dir(&path).map(|mut content| content.next().is_none()) {
            Ok(true) => Ok(Self::Kept(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Kept(path)),
            Ok(false) => {
                let text = "the folder is not empty; name a new one, the demo never overwrites";
                let source = io::Error::new(ErrorKind::AlreadyExists, text);
                Err(CliError::Write { path, source })
            }
            Err(source) => Err(CliError::Read { path, source }),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) | Self::Temporary(path) => path,
        }
    }

    /// The folder, where it stays.
    fn kept(&self) -> Option<&Path> {
        match self {
            Self::Kept(path) => Some(path),
            Self::Temporary(_) => None,
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Self::Temporary(path) = self {
            // Nothing is left to be told about it; the system clears its temporary folder in any case.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// The story went otherwise than it is told.
fn unexpected(what: impl Display) -> CliError {
    CliError::Unexpected(what.to_string())
}

/// Checks one thing that the story says.
fn same(what: &str, found: &str, expected: &str) -> Result<(), CliError> {
    if found == expected {
        return Ok(());
    }
    Err(unexpected(format!("{what} should be {expected} and is {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_stumble() {
        assert_eq!(quoted(Path::new("/srv/a-b.c")), "/srv/a-b.c");
        assert_eq!(quoted(Path::new("my ledger")), "'my ledger'");
        assert_eq!(quoted(Path::new("it's")), "'it'\\''s'");
    }
}
