//! `vialedger proof`: inclusion and consistency, as proofs that other people's tools check.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tonic::Code;

use super::error::CliError;
use super::exit::Exit;
use super::files::{Files, Grown};
use super::output::fields;
use super::session::{Session, verifier_key, write_new};
use super::verify::checkpoint;
use super::{Desk, parse};
use crate::client::ClientError;
use crate::names::EntryName;
use crate::pb::v1;
use crate::tlog::{
    Checkpoint, Hash, ProofError, SignedNote, TlogProof, VerifierKey, leaf_hash, verify_consistency,
};

/// Proofs.
#[derive(Subcommand, Debug)]
pub enum ProofCommand {
    /// Prove that an entry is in the ledger, as a C2SP tlog-proof
    ///
    /// The proof holds the index, the path to the root and the signed checkpoint, and not the entry: whoever checks it
    /// needs the entry's bytes as well. A receipt (`receipt get`) is the same proof with the entry in it.
    Inclusion {
        /// The entry, such as entries/17 or 17
        #[arg(value_parser = parse::entry)]
        entry: String,
        /// Prove it against the checkpoint that was signed at this size; the newest when absent
        #[arg(long, value_name = "ENTRIES")]
        size: Option<u64>,
        /// Where from and where to
        #[command(flatten)]
        way: Way,
    },
    /// Prove that the ledger of today begins with the ledger that you kept a checkpoint of
    ///
    /// What --out writes is the body of an add-checkpoint request to a C2SP tlog-witness: the old size, the proof, and
    /// the newer checkpoint. Exit status 1 says that the two contradict each other: keep both, they are the evidence.
    Consistency {
        /// A checkpoint or a receipt that was kept, or the size at which a checkpoint was signed
        #[arg(value_name = "FILE|SIZE")]
        old: String,
        /// Up to the checkpoint that was signed at this size; the newest when absent
        #[arg(long, value_name = "ENTRIES")]
        size: Option<u64>,
        /// Where from and where to
        #[command(flatten)]
        way: Way,
    },
}

/// Where the proof is made from, and where it goes.
#[derive(Args, Debug)]
pub struct Way {
    /// A ledger's database, the folder that it is in, or exported tiles; the server when absent
    #[arg(long, value_name = "PATH")]
    ledger: Option<PathBuf>,
    /// The file to make; standard output when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Makes a proof and verifies it before it is handed on.
pub(super) async fn run(command: ProofCommand, desk: &Desk) -> Result<Exit, CliError> {
    match command {
        ProofCommand::Inclusion { entry, size, way } => inclusion(&entry, size, &way, desk).await,
        ProofCommand::Consistency { old, size, way } => consistency(&old, size, &way, desk).await,
    }
}

async fn inclusion(
    entry: &str,
    size: Option<u64>,
    way: &Way,
    desk: &Desk,
) -> Result<Exit, CliError> {
    let name: EntryName = entry.parse().map_err(|_| not_an_entry(entry))?;
    let (key, leaf, proof) = if let Some(path) = &way.ledger {
        let key = verifier_key(desk.global.vkey.as_deref(), desk.global.key.as_deref())?;
        let files = Files::open(path)?;
        let (leaf, proof) = included(&files.tree(&key)?, name.0, size)?;
        (key, leaf, proof)
    } else {
        let session = Session::open(desk).await?;
        let (leaf, proof) = ask_inclusion(&session, name.0, size).await?;
        (session.client.verifier_key().clone(), leaf, proof)
    };
    let verified = proof.verify_leaf(&leaf, &key);
    let checkpoint = verified.map_err(|error| CliError::No(error.to_string()))?;
    let text = proof.to_string();
    if let Some(path) = &way.out {
        write_new(path, &text)?;
    }
    let value = json!({
        "good": true,
        "index": proof.index(),
        "size": checkpoint.size(),
        "leaf_hash": leaf.to_string(),
        "root": checkpoint.root().to_string(),
        "path": texts(proof.path()),
        "proof": text,
    });
    desk.out.value(&value, || match &way.out {
        None => text.clone(),
        Some(path) => {
            let facts = fields(&[("Leaf hash", &leaf), ("Root", &checkpoint.root())]);
            format!(
                "The proof that entry {} is in the ledger of {} entries is in {}.{facts}",
                proof.index(),
                checkpoint.size(),
                path.display()
            )
        }
    })?;
    Ok(Exit::Good)
}

fn included(
    grown: &Grown<'_>,
    index: u64,
    size: Option<u64>,
) -> Result<(Hash, TlogProof), CliError> {
    let size = size.unwrap_or(grown.checkpoint.size());
    let note = grown.note_at(size)?.ok_or_else(|| no_checkpoint(size))?;
    let path = grown.inclusion(index, size)?;
    let entry = grown.entry(index)?;
    let entry = entry
        .ok_or_else(|| CliError::No(format!("the ledger is bad: entry {index} is missing")))?;
    Ok((leaf_hash(&entry), proof(index, path, note)?))
}

async fn ask_inclusion(
    session: &Session,
    index: u64,
    size: Option<u64>,
) -> Result<(Hash, TlogProof), CliError> {
    let note = ask_note(session, size).await?;
    let newest = read(&note, session.client.verifier_key())?.size();
    if index >= newest {
        // The same words as where the ledger is at hand.
        let error = ProofError::<CliError>::IndexOutOfRange { index, size: newest };
        return Err(CliError::Usage(error.to_string()));
    }
    let size = Some(newest);
    let answer = session.ask(v1::GetInclusionProofRequest { index, size }).await?;
    let leaf = hash(&answer.leaf_hash)?;
    Ok((leaf, proof(index, hashes(&answer.path)?, note)?))
}

async fn consistency(
    old: &str,
    size: Option<u64>,
    way: &Way,
    desk: &Desk,
) -> Result<Exit, CliError> {
    let link = match &way.ledger {
        Some(path) => {
            let key = verifier_key(desk.global.vkey.as_deref(), desk.global.key.as_deref())?;
            Link::of_files(&Files::open(path)?.tree(&key)?, &Old::read(old)?, size, &key)?
        }
        None => Link::of_server(&Session::open(desk).await?, &Old::read(old)?, size).await?,
    };
    let told = link.verdict();
    if told.is_ok()
        && let Some(path) = &way.out
    {
        write_new(path, &link.body())?;
    }
    desk.out.value(&link.json(told.as_ref().err()), || match (&told, &way.out) {
        (Err(why), _) => format!("NOT CONSISTENT: {why}{}", link.facts()),
        (Ok(()), Some(path)) => {
            format!("{}The proof is in {}.{}", link.good(), path.display(), link.facts())
        }
        (Ok(()), None) => format!("{}{}", link.good().trim_end(), link.facts()),
    })?;
    Ok(if told.is_ok() { Exit::Good } else { Exit::No })
}

/// What the auditor kept.
enum Old {
    Note(SignedNote),
    Size(u64),
}

impl Old {
    fn read(text: &str) -> Result<Self, CliError> {
        match text.parse() {
            Ok(size) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Size(size)),
            _ => checkpoint(text.as_ref()).map(Self::Note),
        }
    }
}

/// Two checkpoints and the path between them.
struct Link {
    old: Checkpoint,
    new: Checkpoint,
    note: SignedNote,
    path: Vec<Hash>,
}

impl Link {
    fn of_files(
        grown: &Grown<'_>,
        old: &Old,
        size: Option<u64>,
        key: &VerifierKey,
    ) -> Result<Self, CliError> {
        let note_at = |size| grown.note_at(size)?.ok_or_else(|| no_checkpoint(size));
        let note = note_at(size.unwrap_or(grown.checkpoint.size()))?;
        let new = read(&note, key)?;
        let old = match old {
            Old::Note(note) => read(note, key)?,
            Old::Size(size) => read(&note_at(*size)?, key)?,
        };
        let ordered = old.size() <= new.size();
        let path = if ordered { grown.consistency(old.size(), new.size())? } else { Vec::new() };
        Ok(Self { old, new, note, path })
    }

    async fn of_server(session: &Session, old: &Old, size: Option<u64>) -> Result<Self, CliError> {
        let key = session.client.verifier_key();
        let note = ask_note(session, size).await?;
        let new = read(&note, key)?;
        let old = match old {
            Old::Note(note) => read(note, key)?,
            Old::Size(size) => read(&ask_note(session, Some(*size)).await?, key)?,
        };
        let mut path = Vec::new();
        if old.size() <= new.size() {
            let (old_size, new_size) = (old.size(), Some(new.size()));
            let asked = v1::GetConsistencyProofRequest { old_size, new_size };
            path = hashes(&session.ask(asked).await?.path)?;
        }
        Ok(Self { old, new, note, path })
    }

    /// Whether the newer ledger begins with the older one.
    fn verdict(&self) -> Result<(), String> {
        let (old, new) = (&self.old, &self.new);
        if old.size() > new.size() {
            let (had, has) = (old.size(), new.size());
            return Err(format!("the ledger had {had} entries and has {has}: its end is cut off"));
        }
        verify_consistency(old.size(), &old.root(), new.size(), &new.root(), &self.path)
            .map_err(|error| error.to_string())
    }

    /// The body of an add-checkpoint request to a tlog-witness.
    fn body(&self) -> String {
        let lines = [format!("old {}", self.old.size())].into_iter().chain(texts(&self.path));
        format!("{}\n\n{}", lines.collect::<Vec<_>>().join("\n"), self.note)
    }

    fn good(&self) -> String {
        let (old, new) = (self.old.size(), self.new.size());
        format!("Good: the ledger of {new} entries begins with the ledger of {old} entries. ")
    }

    fn facts(&self) -> String {
        fields(&[("Old root", &self.old.root()), ("New root", &self.new.root())])
    }

    fn json(&self, why: Option<&String>) -> Value {
        json!({
            "good": why.is_none(),
            "why": why,
            "old_size": self.old.size(),
            "old_root": self.old.root().to_string(),
            "new_size": self.new.size(),
            "new_root": self.new.root().to_string(),
            "path": texts(&self.path),
            "checkpoint": self.note.to_string(),
        })
    }
}

/// The checkpoint that the server signed at a size, or the newest.
async fn ask_note(session: &Session, size: Option<u64>) -> Result<SignedNote, CliError> {
    let answer = match (session.ask(v1::GetCheckpointRequest { size }).await, size) {
        (Err(CliError::Client(ClientError::Rejected(rejection))), Some(size))
            if rejection.code == Code::NotFound =>
        {
            return Err(no_checkpoint(size));
        }
        (answer, _) => answer?,
    };
    SignedNote::parse(answer.checkpoint.as_bytes())
        .map_err(|error| CliError::Data(format!("the server's checkpoint: {error}")))
}

fn read(note: &SignedNote, key: &VerifierKey) -> Result<Checkpoint, CliError> {
    Checkpoint::verify(note, key)
        .map_err(|error| CliError::No(format!("the checkpoint does not hold: {error}")))
}

fn proof(index: u64, path: Vec<Hash>, note: SignedNote) -> Result<TlogProof, CliError> {
    TlogProof::new(index, path, note).map_err(|error| CliError::Data(error.to_string()))
}

fn hash(bytes: &[u8]) -> Result<Hash, CliError> {
    Hash::try_from(bytes).map_err(|error| CliError::Data(format!("the server's proof: {error}")))
}

fn hashes(path: &[Vec<u8>]) -> Result<Vec<Hash>, CliError> {
    path.iter().map(|bytes| hash(bytes)).collect()
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

fn not_an_entry(text: &str) -> CliError {
    CliError::Usage(format!("{text:?} is no entry; expected entries/17 or 17"))
}

fn no_checkpoint(size: u64) -> CliError {
    CliError::Usage(format!(
        "no checkpoint of {size} entries is at hand: one is signed with every commit, and exported tiles hold the \
         newest alone"
    ))
}
