//! Hostile bytes: no parser panics, and whatever is accepted has one spelling.

use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::*;
use vialedger::tlog::{
    Checkpoint, Hash, NoteSignature, PublicKey, SignedNote, TilePath, TlogProof, VerifierKey,
    decode_entries, decode_hashes, encode_entries, encode_hashes, parse_verifier_keys,
};

use crate::support::{vector, vector_text};

/// Gives the bytes to every parser; what one accepts must be written again as it was.
fn parse_everything(bytes: &[u8]) {
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(proof) = TlogProof::parse(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
    }
    if let Ok(entries) = decode_entries(bytes) {
        assert_eq!(encode_entries(&entries).unwrap(), bytes);
    }
    if let Ok(hashes) = decode_hashes(bytes) {
        assert_eq!(encode_hashes(&hashes).unwrap(), bytes);
    }
    if let Ok(key) = PublicKey::from_bytes(bytes) {
        assert_eq!(key.as_bytes(), bytes);
    }
    if let Ok(hash) = Hash::try_from(bytes) {
        assert_eq!(hash.as_ref(), bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    parse_text(&text);
    text.lines().for_each(parse_text);
    let _ = parse_verifier_keys(&text);
}

fn parse_text(text: &str) {
    round_trip::<Checkpoint>(text);
    round_trip::<VerifierKey>(text);
    round_trip::<TilePath>(text);
    round_trip::<Hash>(text);
    if let Ok(signature) = NoteSignature::parse(text) {
        assert_eq!(signature.to_string(), text);
    }
}

fn round_trip<T: FromStr + ToString>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// Well-formed files to damage.
fn seeds() -> Vec<Vec<u8>> {
    let note = vector_text("log5/checkpoint");
    let hash = "5Cf30hlnF866CJzpeigsMojkrQI+f0aIhOUxxcY9ZIU=";
    let proof = format!("c2sp.org/tlog-proof@v1\nextra AQI=\nindex 3\n{hash}\n\n{note}");
    vec![
        note.into_bytes(),
        proof.into_bytes(),
        vector("log5.vkeys"),
        vector("log5/tile/entries/000.p/5"),
        vector("log5/tile/0/000.p/5"),
        b"tile/0/x001/234.p/5".to_vec(),
        b"tile/entries/x001/234".to_vec(),
    ]
}

#[test]
fn the_seeds_themselves_are_well_formed() {
    let seeds = seeds();
    assert!(SignedNote::parse(&seeds[0]).is_ok());
    assert!(TlogProof::parse(&seeds[1]).is_ok());
    for seed in seeds {
        parse_everything(&seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        parse_everything(&bytes);
    }

    #[test]
    fn random_text_in_the_shape_of_the_formats_never_panics(
        text in "(— |tile/|index |extra |[a-z]{1,4}|[0-9]{1,20}|[A-Za-z0-9+/]{4,44}=?=?\
                 |[ \n+x./é—]){0,30}"
    ) {
        parse_everything(text.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic(
        seed in 0usize..7,
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (place, byte, kind) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 if bytes.len() > 1 => { bytes.remove(place); }
                _ => bytes.truncate(place.max(1)),
            }
        }
        parse_everything(&bytes);
    }
}
