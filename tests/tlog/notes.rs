//! Signed notes, checkpoints and cosignatures: what we accept, and what others accept of ours.

use base64ct::{Base64, Encoding};
use proptest::prelude::*;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use vialedger::tlog::{
    Checkpoint, CheckpointError, CosignatureError, Cosigner, KeyKind, MAX_NOTE_BYTES,
    MAX_NOTE_SIGNATURES, MAX_TIMESTAMP_SECONDS, NoteError, NoteSignature, NoteSigner, SignedNote,
    VerifierKey, verify_cosignature,
};

use crate::support::{leaf, seed_key, vector};

const NAME: &str = "ledger.example/clinic";

fn signer() -> NoteSigner {
    NoteSigner::new(NAME.parse().unwrap(), seed_key(7))
}

fn cosigner() -> Cosigner {
    Cosigner::new("cosigner.example/c1".parse().unwrap(), seed_key(9))
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint::new(NAME, size, leaf(0)).unwrap()
}

/// Whether the foreign implementation accepts the note as signed by the key.
fn foreign_accepts(note: &[u8], key: &VerifierKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    Note::from_bytes(note).is_ok_and(|note| note.verify(&known).is_ok())
}

#[test]
fn another_implementation_accepts_our_notes() {
    let signer = signer();
    for text in ["\n", "one line\n", "two\n\nparagraphs — with a dash\n\n"] {
        let note = signer.sign(text).unwrap();
        assert!(foreign_accepts(note.to_string().as_bytes(), signer.verifier_key()), "{text:?}");
        assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
    }
}

#[test]
fn we_accept_the_notes_of_another_implementation() {
    let ours = signer();
    let seed = [[1u8].as_slice(), &seed_key(7).to_bytes()].concat();
    let id = ours.verifier_key().id();
    let theirs = format!("PRIVATE+KEY+{NAME}+{id}+{}", Base64::encode_string(&seed));
    let theirs = StandardSigner::new(&theirs).unwrap();
    let mut note = Note::new(b"text\n\nmore\n", &[]).unwrap();
    note.add_sigs(&[&theirs]).unwrap();
    let note = SignedNote::parse(&note.to_bytes()).unwrap();
    assert_eq!(note.verify(ours.verifier_key()), Ok(()));
    assert_eq!(note, ours.sign("text\n\nmore\n").unwrap());
}

proptest! {
    #[test]
    fn any_text_that_can_be_signed_comes_back_and_verifies_for_both(
        text in "([^\u{0}-\u{1f}]{0,20}\n){1,6}"
    ) {
        let signer = signer();
        let note = signer.sign(&text).unwrap();
        let bytes = note.to_string().into_bytes();
        prop_assert_eq!(SignedNote::parse(&bytes).unwrap().verify(signer.verifier_key()), Ok(()));
        prop_assert!(foreign_accepts(&bytes, signer.verifier_key()));
    }

    #[test]
    fn what_we_accept_of_a_damaged_note_the_other_implementation_accepts_too(
        position in 0usize..180, byte: u8, insert: bool
    ) {
        let signer = signer();
        let mut bytes = checkpoint(12).sign(&signer).unwrap().to_string().into_bytes();
        let position = position.min(bytes.len() - 1);
        if insert { bytes.insert(position, byte) } else { bytes[position] = byte }
        let key = signer.verifier_key();
        if SignedNote::parse(&bytes).is_ok_and(|note| note.verify(key).is_ok()) {
            prop_assert!(foreign_accepts(&bytes, key));
        }
    }
}

#[test]
fn a_malformed_note_is_refused_for_its_own_reason() {
    let good = signer().sign("text\n").unwrap().to_string();
    let line = |line| NoteError::SignatureLine { line };
    let (text, signature) = good.split_once("\n\n").unwrap();
    let table = [
        (String::new(), NoteError::Unsigned),
        ("text\n".to_owned(), NoteError::Unsigned),
        ("text\n\n".to_owned(), NoteError::Unsigned),
        (format!("{text}\n{signature}"), NoteError::Unsigned),
        (good.trim_end().to_owned(), line(1)),
        (format!("{good}\n"), NoteError::Unsigned),
        (format!("{good}— second"), line(2)),
        (format!("{good}— second \n"), line(2)),
        (format!("{good}— second AAAAAA==\n"), line(2)),
        (format!("{good}— second AAAAAAB=\n"), line(2)),
        (format!("{good}— second AAAAAAA= \n"), line(2)),
        (format!("{good}- second AAAAAAA=\n"), line(2)),
        (format!("{good}—second AAAAAAA=\n"), line(2)),
        (good.replace('\n', "\r\n"), NoteError::ControlCharacter),
        (good.replace("text", "te\0xt"), NoteError::ControlCharacter),
        ("x".repeat(MAX_NOTE_BYTES + 1), NoteError::TooLong { found: MAX_NOTE_BYTES + 1 }),
    ];
    for (note, reason) in table {
        assert_eq!(SignedNote::parse(note.as_bytes()), Err(reason), "{note:?}");
    }
    let name = SignedNote::parse(format!("{good}— se+cond AAAAAAA=\n").as_bytes());
    assert!(matches!(name, Err(NoteError::Name { line: 2, .. })));
    assert_eq!(SignedNote::parse(b"te\xffxt\n\n"), Err(NoteError::NotUtf8));
    for (text, reason) in [
        ("", NoteError::TextEnd),
        ("text", NoteError::TextEnd),
        ("te\txt\n", NoteError::ControlCharacter),
    ] {
        assert_eq!(signer().sign(text), Err(reason));
    }
}

#[test]
fn signatures_of_unknown_keys_are_carried_along_up_to_the_limit() {
    let mut note = signer().sign("text\n").unwrap();
    let unknown = NoteSignature::parse("— unknown.example/pq AAAAAAA=").unwrap();
    for _ in 1..MAX_NOTE_SIGNATURES {
        note.add_signature(unknown.clone()).unwrap();
    }
    let read = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read.verify(signer().verifier_key()), Ok(()));
    assert_eq!(note.add_signature(unknown.clone()), Err(NoteError::TooManySignatures));
    let over = format!("{note}{unknown}\n");
    assert_eq!(SignedNote::parse(over.as_bytes()), Err(NoteError::TooManySignatures));
}

#[test]
fn sixteen_signatures_of_the_largest_kind_are_accepted() {
    let mut note = signer().sign("text\n").unwrap();
    let large = Base64::encode_string(&[7; 5000]);
    let large = NoteSignature::parse(&format!("— unknown.example/pq {large}")).unwrap();
    for _ in 1..16 {
        note.add_signature(large.clone()).unwrap();
    }
    assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
}

#[test]
fn a_note_never_grows_over_its_limit() {
    let text = "x".repeat(MAX_NOTE_BYTES - 200) + "\n";
    let mut note = signer().sign(&text).unwrap();
    let before = note.clone();
    let refused =
        note.add_signature(NoteSignature::parse("— unknown.example/pq AAAAAAA=").unwrap());
    let large = Base64::encode_string(&[7; 500]);
    let large = NoteSignature::parse(&format!("— unknown.example/pq {large}")).unwrap();
    assert_eq!(refused, Ok(()));
    assert!(matches!(note.add_signature(large), Err(NoteError::TooLong { .. })));
    assert_eq!(note.signatures().len(), before.signatures().len() + 1);
}

#[test]
fn one_bad_signature_under_a_known_key_refuses_the_note() {
    let signer = signer();
    let key = signer.verifier_key();
    let mut note = signer.sign("text\n").unwrap();
    let other = signer.sign("other\n").unwrap();
    note.add_signature(other.signatures()[0].clone()).unwrap();
    assert!(matches!(note.verify(key), Err(NoteError::BadSignature { .. })));
    let unsigned = NoteSigner::new("other.example".parse().unwrap(), seed_key(7));
    let missing = signer.sign("text\n").unwrap().verify(unsigned.verifier_key());
    assert!(matches!(missing, Err(NoteError::NotSignedBy { .. })));
}

#[test]
fn a_checkpoint_is_only_accepted_from_the_log_that_it_names() {
    let signer = signer();
    let note = checkpoint(12).sign(&signer).unwrap();
    assert_eq!(Checkpoint::verify(&note, signer.verifier_key()), Ok(checkpoint(12)));

    let elsewhere = Checkpoint::new("ledger.example/other", 12, leaf(0)).unwrap();
    let refused = CheckpointError::OtherOrigin {
        expected: NAME.to_owned(),
        found: "ledger.example/other".to_owned(),
    };
    assert_eq!(elsewhere.sign(&signer), Err(refused.clone()));
    let forged = signer.sign(&elsewhere.to_string()).unwrap();
    assert_eq!(Checkpoint::verify(&forged, signer.verifier_key()), Err(refused));

    let not_one = signer.sign("text\n").unwrap();
    let refused = Checkpoint::verify(&not_one, signer.verifier_key());
    assert_eq!(refused, Err(CheckpointError::Lines));
}

#[test]
fn a_cosignature_holds_for_its_time_its_checkpoint_and_its_kind_of_key() {
    let (signer, cosigner) = (signer(), cosigner());
    let key = cosigner.verifier_key();
    let mut note = checkpoint(12).sign(&signer).unwrap();
    let unsigned = verify_cosignature(&note, key);
    assert!(matches!(unsigned, Err(CosignatureError::Note(NoteError::NotSignedBy { .. }))));
    let line = cosigner.cosign(&note, 1_700_000_000).unwrap();
    note.add_signature(line.clone()).unwrap();
    assert_eq!(verify_cosignature(&note, key), Ok(1_700_000_000));
    assert_eq!(Checkpoint::verify(&note, signer.verifier_key()), Ok(checkpoint(12)));
    note.add_signature(cosigner.cosign(&note, 1_600_000_000).unwrap()).unwrap();
    assert_eq!(verify_cosignature(&note, key), Ok(1_700_000_000));

    let mut other = checkpoint(13).sign(&signer).unwrap();
    other.add_signature(line).unwrap();
    let moved = verify_cosignature(&other, key);
    assert!(matches!(moved, Err(CosignatureError::Note(NoteError::BadSignature { .. }))));

    let log_wanted = note.verify(key);
    assert!(matches!(log_wanted, Err(NoteError::WrongKind { expected: KeyKind::Note, .. })));
    let Err(CosignatureError::Note(NoteError::WrongKind { expected, .. })) =
        verify_cosignature(&note, signer.verifier_key())
    else {
        panic!("a log's key verified a cosignature")
    };
    assert_eq!(expected, KeyKind::Cosignature);
}

#[test]
fn times_past_the_limit_wrong_lengths_and_other_texts_are_not_cosigned() {
    let (signer, cosigner) = (signer(), cosigner());
    let mut note = checkpoint(12).sign(&signer).unwrap();
    let found = MAX_TIMESTAMP_SECONDS + 1;
    assert_eq!(cosigner.cosign(&note, found), Err(CosignatureError::Timestamp { found }));
    note.add_signature(cosigner.cosign(&note, MAX_TIMESTAMP_SECONDS).unwrap()).unwrap();
    assert_eq!(verify_cosignature(&note, cosigner.verifier_key()), Ok(MAX_TIMESTAMP_SECONDS));

    let text = signer.sign("not a checkpoint\n").unwrap();
    let refused = CosignatureError::Checkpoint(CheckpointError::Lines);
    assert_eq!(cosigner.cosign(&text, 1), Err(refused));

    let key = cosigner.verifier_key();
    for length in [1, 7, 8, 64, 71, 73] {
        let bytes = [key.id().as_bytes().as_slice(), &vec![0; length]].concat();
        let line = format!("— {} {}", key.name(), Base64::encode_string(&bytes));
        let mut note = checkpoint(12).sign(&signer).unwrap();
        note.add_signature(NoteSignature::parse(&line).unwrap()).unwrap();
        let refused = CosignatureError::Length { found: length };
        assert_eq!(verify_cosignature(&note, key), Err(refused));
    }
}

#[test]
fn a_changed_time_breaks_a_published_cosignature() {
    let note = String::from_utf8(vector("log5/checkpoint")).unwrap();
    let keys = String::from_utf8(vector("log5.vkeys")).unwrap();
    let key: VerifierKey = keys.lines().nth(1).unwrap().parse().unwrap();
    let later = note.replace("IDJKvgAAAABpVbkA", "IDJKvgAAAABpVbkB");
    assert_ne!(note, later);
    let verdict = verify_cosignature(&SignedNote::parse(later.as_bytes()).unwrap(), &key);
    assert!(matches!(verdict, Err(CosignatureError::Note(NoteError::BadSignature { .. }))));
}
