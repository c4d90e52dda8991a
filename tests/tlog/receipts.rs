//! The tlog-proof that a caller keeps: it proves its entry and nothing else.

use vialedger::tlog::{
    Checkpoint, CheckpointError, MAX_EXTRA_BYTES, MAX_PROOF_HASHES, MAX_TLOG_PROOF_BYTES,
    NoteSigner, TlogProof, TlogProofError, VerifyError,
};

use crate::support::{Stored, entry, leaf, seed_key, vector, vector_text};

const NAME: &str = "ledger.example/clinic";

fn signer() -> NoteSigner {
    NoteSigner::new(NAME.parse().unwrap(), seed_key(7))
}

fn proof(index: u64, size: u64) -> TlogProof {
    let (tree, stored) = Stored::grow(size);
    let note = Checkpoint::new(NAME, size, tree.root()).unwrap().sign(&signer()).unwrap();
    let path = tree.inclusion_proof(index, size, |l, n| stored.read(l, n)).unwrap();
    TlogProof::new(index, path, note).unwrap()
}

#[test]
fn a_proof_of_the_golden_log_reads_as_the_specification_shows_it() {
    let note = vector_text("log5/checkpoint");
    let file = format!(
        "c2sp.org/tlog-proof@v1\nindex 3\n5Cf30hlnF866CJzpeigsMojkrQI+f0aIhOUxxcY9ZIU=\n\
         5QlDsmjNVDdW+cU01x4dGO30/bo0/+/+JqroiU9S3Oc=\n\
         S2aLG+EuOfi6AhonluCDZwYOe3RF6TGitTeIdx5d+WA=\n\n{note}"
    );
    let key = vector_text("log5.vkeys").lines().next().unwrap().parse().unwrap();
    let proof = TlogProof::parse(file.as_bytes()).unwrap();
    assert_eq!(proof.to_string(), file);
    assert_eq!(proof.verify(&entry(3), &key).unwrap().size(), 5);
    assert_eq!(proof.note().to_string().as_bytes(), vector("log5/checkpoint"));

    let (tree, _) = Stored::grow(5);
    let path = tree.inclusion_proof(3, 5, vialedger::tlog::no_tiles).unwrap();
    assert_eq!(TlogProof::new(3, path, proof.note().clone()), Ok(proof));
}

#[test]
fn every_entry_has_a_proof_that_fits_no_other_entry_index_or_key() {
    let key = signer().verifier_key().clone();
    for index in 0..21 {
        let proof = proof(index, 21);
        let read = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(&entry(index), &key).unwrap().origin(), NAME);
        assert_eq!(read.verify_leaf(&leaf(index), &key).unwrap().size(), 21);
        for other in 0..21 {
            if other == index {
                continue;
            }
            let refused = read.verify(&entry(other), &key);
            assert!(matches!(refused, Err(TlogProofError::NotIncluded(_))), "{index} {other}");
            let moved = proof
                .to_string()
                .replace(&format!("\nindex {index}\n"), &format!("\nindex {other}\n"));
            let moved = TlogProof::parse(moved.as_bytes()).unwrap();
            let refused = moved.verify(&entry(index), &key);
            assert!(matches!(refused, Err(TlogProofError::NotIncluded(_))), "{index} {other}");
        }
    }
    let stranger = NoteSigner::new(NAME.parse().unwrap(), seed_key(8));
    let refused = proof(3, 5).verify(&entry(3), stranger.verifier_key());
    assert!(matches!(refused, Err(TlogProofError::Checkpoint(CheckpointError::Note(_)))));
    let outside = TlogProof::new(21, Vec::new(), proof(3, 21).note().clone()).unwrap();
    let refused = VerifyError::IndexOutOfRange { index: 21, size: 21 };
    assert_eq!(outside.verify(&entry(3), &key), Err(TlogProofError::NotIncluded(refused)));
}

#[test]
fn any_flipped_bit_of_a_proof_is_refused() {
    let key = signer().verifier_key().clone();
    let bytes = proof(9, 21).to_string().into_bytes();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            let verdict = TlogProof::parse(&changed).and_then(|p| p.verify(&entry(9), &key));
            assert!(verdict.is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn extra_data_travels_along_and_can_be_the_entry_itself() {
    let key = signer().verifier_key().clone();
    let carried = proof(9, 21).with_extra(entry(9)).unwrap();
    let read = TlogProof::parse(carried.to_string().as_bytes()).unwrap();
    assert_eq!(read, carried);
    assert!(read.verify(read.extra().unwrap(), &key).is_ok());
    let longest = proof(0, 1).with_extra(vec![7; MAX_EXTRA_BYTES]).unwrap();
    assert_eq!(TlogProof::parse(longest.to_string().as_bytes()), Ok(longest));
    for refused in [Vec::new(), vec![7; MAX_EXTRA_BYTES + 1]] {
        assert_eq!(proof(0, 1).with_extra(refused), Err(TlogProofError::Extra));
    }
}

#[test]
fn a_malformed_proof_is_refused_for_its_own_reason() {
    let good = proof(9, 21).to_string();
    let (head, note) = good.split_once("\n\n").unwrap();
    let hash = leaf(0).to_string();
    let of_height = |height| format!("{}\n\n{note}", vec![hash.as_str(); height].join("\n"));
    let start = "c2sp.org/tlog-proof@v1\nindex 9";
    let table = [
        (String::new(), TlogProofError::NoCheckpoint),
        (head.to_owned(), TlogProofError::NoCheckpoint),
        (good.replace("proof@v1", "proof@v2"), TlogProofError::Header),
        (good.replace("index 9", "index 09"), TlogProofError::Index),
        (good.replace("index 9", "index +9"), TlogProofError::Index),
        (good.replace("index 9", "index  9"), TlogProofError::Index),
        (good.replace("index 9\n", ""), TlogProofError::Index),
        (good.replace("index 9", "extra \nindex 9"), TlogProofError::Extra),
        (good.replace("index 9", "extra AQI\nindex 9"), TlogProofError::Extra),
        (good.replace("index 9", "extra AQI=\nextra AQI=\nindex 9"), TlogProofError::Index),
        (good.replace("index 9", "index 9\nextra AQI="), TlogProofError::Hash { line: 1 }),
        (good.replacen("=\n", "\n", 1), TlogProofError::Hash { line: 1 }),
        (format!("{start}\n{}", of_height(MAX_PROOF_HASHES + 1)), TlogProofError::PathTooLong),
        (
            "x".repeat(MAX_TLOG_PROOF_BYTES + 1),
            TlogProofError::TooLong { found: MAX_TLOG_PROOF_BYTES + 1 },
        ),
        (
            good.replace("\n21\n", "\n021\n"),
            TlogProofError::Checkpoint(CheckpointError::Size { found: "021".to_owned() }),
        ),
    ];
    for (file, reason) in table {
        assert_eq!(TlogProof::parse(file.as_bytes()), Err(reason), "{file:?}");
    }
    let unsigned = TlogProof::parse(format!("{head}\n\ntext\n").as_bytes());
    assert!(matches!(unsigned, Err(TlogProofError::Note(_))));
    let longest = format!("{start}\n{}", of_height(MAX_PROOF_HASHES));
    assert!(TlogProof::parse(longest.as_bytes()).is_ok());
}
