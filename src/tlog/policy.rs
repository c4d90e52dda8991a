//! Trust policies: which logs are accepted, which cosigners are known, and how many of them must
//! have signed: <https://c2sp.org/tlog-policy>.
//!
//! The format says "witness" where this project says log cosigner.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::cosignature::{CosignatureError, verify_cosignature};
use super::note::{NoteError, SignedNote};
use super::text;
use super::vkey::{KeyKind, VerifierKey, VerifierKeyError};

/// The largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

/// The most logs, the most cosigners, and the most groups of a policy. The specification asks for
/// at least 32.
pub const MAX_POLICY_ITEMS: usize = 256;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyKey>,
    cosigners: Vec<PolicyKey>,
    rules: Vec<Rule>,
    quorum: Quorum,
}

/// A log or a cosigner of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyKey {
    name: String,
    line: String,
    key: Option<VerifierKey>,
    url: Option<String>,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quorum {
    /// No cosignature is asked for.
    Nobody,
    /// Position in the list of rules.
    Rule(usize),
}

/// What has cosigned: a cosigner, or enough members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// Position in the list of cosigners.
    Cosigner(usize),
    /// At least so many of these rules, each defined before.
    Group { threshold: usize, members: Vec<usize> },
}

/// A line of a policy that does not hold, or a policy that lacks one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy line {line}: {fault}")]
pub struct PolicyError {
    /// Which line, from 1; the number of lines where something is missing.
    pub line: usize,
    /// What is wrong.
    pub fault: PolicyFault,
}

/// What is wrong with a line of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// A file over the limit.
    #[error("the file has {found} bytes, limit {MAX_POLICY_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// A control character other than tab and newline.
    #[error("control characters are not allowed, other than tab and newline")]
    ControlCharacter,
    /// A line that is none of the four.
    #[error(
        "expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K NAME…` or \
         `quorum NAME|none`"
    )]
    Line,
    /// More of one kind than are read.
    #[error("a policy has at most {MAX_POLICY_ITEMS} logs, cosigners and groups each")]
    TooMany,
    /// A key that cannot be read.
    #[error("{0}")]
    Key(#[from] VerifierKeyError),
    /// A key of the wrong kind for the line it is in.
    #[error("this is {found}, expected {expected}")]
    Kind {
        /// The key's kind.
        found: KeyKind,
        /// The kind that belongs here.
        expected: KeyKind,
    },
    /// The same public key twice.
    #[error("this public key stands in an earlier line already")]
    SameKey,
    /// A name that is taken, or `none`.
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    /// A name that no earlier line defines.
    #[error("{0:?} is defined in no earlier line")]
    Unknown(String),
    /// A name that is a member already, here or in another group.
    #[error("{0:?} is a member of a group already: each name counts once")]
    MemberTwice(String),
    /// A threshold that the group cannot have.
    #[error("a group's threshold is `any`, `all`, or from 1 to its {members} members")]
    Threshold {
        /// How many members are listed.
        members: usize,
    },
    /// A second `quorum` line.
    #[error("there is more than one quorum line")]
    QuorumTwice,
    /// No `quorum` line.
    #[error("there is no quorum line: say `quorum none` if no cosignature is asked for")]
    NoQuorum,
}

/// What a checkpoint is under a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReport {
    /// Who cosigned, by the names in the policy, and when, in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// Whether the quorum is reached.
    pub quorum: bool,
}

/// Why a checkpoint was not judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefusal {
    /// No log of the policy signed it.
    #[error("none of the policy's logs signed the checkpoint")]
    NoLog,
    /// A log's signature that does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A cosignature that does not hold.
    #[error("the cosignature of {name}: {source}")]
    Cosignature {
        /// The cosigner's name in the policy.
        name: String,
        /// What is wrong.
        source: CosignatureError,
    },
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        let mut last = 0;
        if file.len() > MAX_POLICY_BYTES {
            let fault = PolicyFault::TooLong { found: file.len() };
            return Err(PolicyError { line: 0, fault });
        }
        let file = file.strip_suffix(b"\n").unwrap_or(file);
        for (line, bytes) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            reader.line(bytes).map_err(|fault| PolicyError { line, fault })?;
            last = line;
        }
        let Some(quorum) = reader.quorum else {
            return Err(PolicyError { line: last, fault: PolicyFault::NoQuorum });
        };
        let Reader { logs, cosigners, rules, .. } = reader;
        Ok(Self { logs, cosigners, rules, quorum })
    }

    /// The logs; none where the policy leaves that to its user.
    #[must_use]
    pub fn logs(&self) -> &[PolicyKey] {
        &self.logs
    }

    /// The cosigners.
    #[must_use]
    pub fn cosigners(&self) -> &[PolicyKey] {
        &self.cosigners
    }

    /// Whether the policy asks for any cosignature.
    #[must_use]
    pub const fn asks_for_cosignatures(&self) -> bool {
        matches!(self.quorum, Quorum::Rule(_))
    }

    /// Who cosigned a checkpoint, and whether they are enough. A cosignature that claims to be a
    /// known cosigner's and is not refuses the whole note, as signed-note advises.
    pub fn cosignatures(&self, note: &SignedNote) -> Result<PolicyReport, PolicyRefusal> {
        let mut cosigned = Vec::new();
        let mut signed = BTreeSet::new();
        for (position, cosigner) in self.cosigners.iter().enumerate() {
            let Some(key) = &cosigner.key else { continue };
            match verify_cosignature(note, key) {
                Ok(time) => {
                    cosigned.push((cosigner.name.clone(), time));
                    signed.insert(position);
                }
                Err(CosignatureError::Note(NoteError::NotSignedBy { .. })) => {}
                Err(source) => {
                    let name = cosigner.name.clone();
                    return Err(PolicyRefusal::Cosignature { name, source });
                }
            }
        }
        Ok(PolicyReport { cosigned, quorum: self.quorum_reached(&signed) })
    }

    /// The checkpoint in a note, if one of the policy's logs signed it.
    pub fn checkpoint(&self, note: &SignedNote) -> Result<Checkpoint, PolicyRefusal> {
        for key in self.logs.iter().filter_map(|log| log.key.as_ref()) {
            match Checkpoint::verify(note, key) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(CheckpointError::Note(NoteError::NotSignedBy { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(PolicyRefusal::NoLog)
    }

    fn quorum_reached(&self, signed: &BTreeSet<usize>) -> bool {
        // A rule names only rules before it, so one pass in order decides them all.
        let mut holds: Vec<bool> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let held = match rule {
                Rule::Cosigner(position) => signed.contains(position),
                Rule::Group { threshold, members } => {
                    let hold = |member: &&usize| holds.get(**member).copied().unwrap_or(false);
                    members.iter().filter(hold).count() >= *threshold
                }
            };
            holds.push(held);
        }
        match self.quorum {
            Quorum::Nobody => true,
            Quorum::Rule(rule) => holds.get(rule).copied().unwrap_or(false),
        }
    }
}

impl PolicyKey {
    /// The name that the policy gives it; of a log, its key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key. Nothing where it is of a kind that is not known here: such a log is never
    /// recognised, and such a cosigner never counts.
    #[must_use]
    pub const fn key(&self) -> Option<&VerifierKey> {
        self.key.as_ref()
    }

    /// Where it can be reached; of a cosigner, its submission prefix.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A policy that is being read.
#[derive(Default)]
struct Reader {
    logs: Vec<PolicyKey>,
    cosigners: Vec<PolicyKey>,
    rules: Vec<Rule>,
    /// Which rule a name means. Names are octets and compared as such.
    names: BTreeMap<Vec<u8>, usize>,
    members: BTreeSet<usize>,
    quorum: Option<Quorum>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        if line.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7F) {
            return Err(PolicyFault::ControlCharacter);
        }
        let words: Vec<&[u8]> = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .collect();
        let Some((kind, words)) = words.split_first() else { return Ok(()) };
        if kind.starts_with(b"#") {
            return Ok(());
        }
        match (*kind, words) {
            (b"log", [key, url @ ..]) => self.log(key, url),
            (b"witness", [name, key, url @ ..]) => self.cosigner(name, key, url),
            (b"group", [name, threshold, members @ ..]) => self.group(name, threshold, members),
            (b"quorum", [name]) => self.quorum(name),
            _ => Err(PolicyFault::Line),
        }
    }

    fn log(&mut self, key: &[u8], url: &[&[u8]]) -> Result<(), PolicyFault> {
        let log = policy_key(None, key, url, KeyKind::Note)?;
        add(&mut self.logs, log).map(|_| ())
    }

    fn cosigner(&mut self, name: &[u8], key: &[u8], url: &[&[u8]]) -> Result<(), PolicyFault> {
        let cosigner = policy_key(Some(name), key, url, KeyKind::Cosignature)?;
        let position = add(&mut self.cosigners, cosigner)?;
        self.rule(name, Rule::Cosigner(position))
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], names: &[&[u8]]) -> Result<(), PolicyFault> {
        let mut members = Vec::new();
        for name in names {
            let member = self.known(name)?;
            if !self.members.insert(member) {
                return Err(PolicyFault::MemberTwice(lossy(name)));
            }
            members.push(member);
        }
        let count = members.len();
        let wrong = PolicyFault::Threshold { members: count };
        let threshold = match threshold {
            b"any" => Some(1),
            b"all" => Some(count),
            number => str::from_utf8(number)
                .ok()
                .and_then(text::parse_decimal)
                .and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold.filter(|k| (1..=count).contains(k)).ok_or(wrong)?;
        if self.rules.len() - self.cosigners.len() >= MAX_POLICY_ITEMS {
            return Err(PolicyFault::TooMany);
        }
        self.rule(name, Rule::Group { threshold, members })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::QuorumTwice);
        }
        let rule = if name == b"none" { Quorum::Nobody } else { Quorum::Rule(self.known(name)?) };
        self.quorum = Some(rule);
        Ok(())
    }

    fn rule(&mut self, name: &[u8], rule: Rule) -> Result<(), PolicyFault> {
        if name == b"none" || self.names.contains_key(name) {
            return Err(PolicyFault::NameTaken(lossy(name)));
        }
        self.names.insert(name.to_vec(), self.rules.len());
        self.rules.push(rule);
        Ok(())
    }

    fn known(&self, name: &[u8]) -> Result<usize, PolicyFault> {
        self.names.get(name).copied().ok_or_else(|| PolicyFault::Unknown(lossy(name)))
    }
}

fn policy_key(
    name: Option<&[u8]>,
    key: &[u8],
    url: &[&[u8]],
    expected: KeyKind,
) -> Result<PolicyKey, PolicyFault> {
    let url = match url {
        [] => None,
        [url] => Some(lossy(url)),
        _ => return Err(PolicyFault::Line),
    };
    let line = str::from_utf8(key).map_err(|_| VerifierKeyError::Malformed)?.to_owned();
    let key: Option<VerifierKey> = match line.parse() {
        Ok(key) => Some(key),
        Err(VerifierKeyError::UnknownType { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = key.as_ref().map(VerifierKey::kind).filter(|kind| *kind != expected) {
        return Err(PolicyFault::Kind { found, expected });
    }
    let own_name = || line.split('+').next().unwrap_or_default().to_owned();
    let name = name.map_or_else(own_name, lossy);
    Ok(PolicyKey { name, line, key, url })
}

/// Adds a key that no earlier line has, and answers with its position.
fn add(keys: &mut Vec<PolicyKey>, new: PolicyKey) -> Result<usize, PolicyFault> {
    // The last part of a line is type and public key: the same key under two names is still one.
    let public = |key: &PolicyKey| key.line.splitn(3, '+').nth(2).map(str::to_owned);
    if keys.iter().any(|known| public(known) == public(&new)) {
        return Err(PolicyFault::SameKey);
    }
    if keys.len() >= MAX_POLICY_ITEMS {
        return Err(PolicyFault::TooMany);
    }
    keys.push(new);
    Ok(keys.len() - 1)
}

/// Octets for a person to read.
fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::tlog::{Cosigner, NoteSigner, PublicKey, leaf_hash};

    fn log() -> NoteSigner {
        NoteSigner::new("example.com/log".parse().unwrap(), SigningKey::from_bytes(&[1; 32]))
    }

    fn cosigner(seed: u8) -> Cosigner {
        let name = format!("example.com/w{seed}").parse().unwrap();
        Cosigner::new(name, SigningKey::from_bytes(&[seed; 32]))
    }

    fn vkey(seed: u8) -> String {
        cosigner(seed).verifier_key().to_string()
    }

    fn note(cosigners: &[u8]) -> SignedNote {
        let checkpoint = Checkpoint::new("example.com/log", 7, leaf_hash(b"")).unwrap();
        let mut note = checkpoint.sign(&log()).unwrap();
        for seed in cosigners {
            let line = cosigner(*seed).cosign(&note, 1_767_225_600 + u64::from(*seed)).unwrap();
            note.add_signature(line).unwrap();
        }
        note
    }

    /// The example of the specification, with keys.
    fn example() -> String {
        let lines: Vec<String> = (2..8)
            .map(|seed| format!("witness N{seed} {}\thttps://w{seed}.example\n", vkey(seed)))
            .collect();
        let lines = lines.concat();
        format!(
            " # two organizations\n\nlog {} \n{lines}group X 2 N2 N3 N4\n\tgroup Y any N5 N6 N7\n\
             group X-and-Y all X Y\nquorum X-and-Y\n",
            log().verifier_key()
        )
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_decides_as_it_says() {
        let policy = Policy::parse(example().as_bytes()).unwrap();
        assert_eq!(policy.logs()[0].name(), "example.com/log");
        assert_eq!(policy.cosigners()[5].url(), Some("https://w7.example"));
        for (signed, reached) in [
            (&[2, 3, 5][..], true),
            (&[2, 4, 7], true),
            (&[2, 3, 4, 5, 6, 7], true),
            (&[], false),
            (&[2, 3, 4], false),
            (&[2, 5, 6, 7], false),
            (&[9, 10, 5, 6], false),
        ] {
            let note = note(signed);
            assert_eq!(policy.checkpoint(&note).unwrap().size(), 7);
            assert_eq!(policy.cosignatures(&note).unwrap().quorum, reached, "{signed:?}");
        }
        let report = policy.cosignatures(&note(&[3])).unwrap();
        assert_eq!(report.cosigned, [("N3".to_owned(), 1_767_225_603)]);
    }

    #[test]
    fn a_quorum_can_be_one_cosigner_or_nobody() {
        let one = format!("witness A {}\nquorum A", vkey(2));
        let one = Policy::parse(one.as_bytes()).unwrap();
        assert!(one.cosignatures(&note(&[2])).unwrap().quorum);
        assert!(!one.cosignatures(&note(&[3])).unwrap().quorum);
        assert_eq!(one.checkpoint(&note(&[2])), Err(PolicyRefusal::NoLog));
        let none = Policy::parse(b"quorum none\n").unwrap();
        assert!(!none.asks_for_cosignatures());
        assert!(none.cosignatures(&note(&[])).unwrap().quorum);
    }

    #[test]
    fn a_forged_cosignature_refuses_the_note_and_a_forged_log_signature_too() {
        let policy = Policy::parse(example().as_bytes()).unwrap();
        let other = Checkpoint::new("example.com/log", 8, leaf_hash(b"")).unwrap();
        let mut forged = other.sign(&log()).unwrap();
        forged.add_signature(note(&[2]).signatures()[1].clone()).unwrap();
        let refused = policy.cosignatures(&forged).unwrap_err();
        assert!(matches!(refused, PolicyRefusal::Cosignature { .. }), "{refused}");
        let text = note(&[]).to_string().replace("\n7\n", "\n8\n");
        let altered = SignedNote::parse(text.as_bytes()).unwrap();
        assert!(matches!(policy.checkpoint(&altered), Err(PolicyRefusal::Checkpoint(_))));
    }

    #[test]
    fn a_cosigner_with_a_key_of_an_unknown_kind_never_counts() {
        let unknown = "example.com/pq+01020304+BgEC";
        let file = format!("witness A {}\nwitness B {unknown}\ngroup G all A B\nquorum G", vkey(2));
        let policy = Policy::parse(file.as_bytes()).unwrap();
        assert!(policy.cosigners()[1].key().is_none());
        assert!(!policy.cosignatures(&note(&[2])).unwrap().quorum);
    }

    #[test]
    fn every_other_line_is_refused_and_named() {
        let a = format!("witness A {}\n", vkey(2));
        let b = format!("witness B {}\n", vkey(3));
        let as_log = VerifierKey::new(
            "x".parse().unwrap(),
            KeyKind::Note,
            PublicKey::of(&SigningKey::from_bytes(&[2; 32])),
        );
        let key_of = log().verifier_key().to_string();
        let renamed = Cosigner::new("other".parse().unwrap(), SigningKey::from_bytes(&[2; 32]));
        let renamed = renamed.verifier_key();
        let table: Vec<(String, usize, &str)> = vec![
            (String::new(), 1, "no quorum line"),
            ("quorum none\nquorum none".into(), 2, "more than one"),
            ("quorum A".into(), 1, "\"A\" is defined in no earlier line"),
            (format!("quorum A\n{a}"), 1, "in no earlier line"),
            (format!("{a}quorum A B"), 2, "expected"),
            ("nonsense".into(), 1, "expected"),
            ("log".into(), 1, "expected"),
            (format!("log {key_of} u v"), 1, "expected"),
            (format!("log {key_of}\nlog {key_of}"), 2, "earlier line already"),
            (format!("log {}", vkey(2)), 1, "expected a log's key"),
            (format!("witness A {as_log}"), 1, "expected a log cosigner's key"),
            (format!("{a}witness B {renamed}"), 2, "earlier line already"),
            (format!("{a}witness A {}", vkey(3)), 2, "\"A\" is taken"),
            (format!("witness none {}", vkey(3)), 1, "\"none\" is taken"),
            (format!("{a}group A any A"), 2, "\"A\" is taken"),
            (format!("{a}group G any"), 2, "0 members"),
            (format!("{a}group G 0 A"), 2, "1 members"),
            (format!("{a}group G 2 A"), 2, "1 members"),
            (format!("{a}group G +1 A"), 2, "1 members"),
            (format!("{a}group G any none"), 2, "\"none\" is defined in no"),
            (format!("{a}{b}group G any A A"), 3, "\"A\" is a member"),
            (format!("{a}{b}group G any A\ngroup H any A B"), 4, "\"A\" is a member"),
            (format!("{a}quorum A\r\n"), 2, "control characters"),
            ("witness A x".into(), 1, "not a verifier key"),
        ];
        for (file, line, reason) in table {
            let error = Policy::parse(file.as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{file}: {error}");
            assert!(error.to_string().contains(reason), "{file}: {error}");
        }
        let long = vec![b'#'; MAX_POLICY_BYTES + 1];
        assert!(Policy::parse(&long).is_err());
        let names = [b"witness \xFF ".to_vec(), vkey(2).into_bytes(), b"\nquorum \xFF".to_vec()];
        assert!(Policy::parse(&names.concat()).is_ok(), "names are octets");
    }
}
