//! The published vectors (`tests/data/vectors/README.md`), which other implementations accepted.

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};
use vialedger::dsse::pae;
use vialedger::tlog::{
    Checkpoint, Cosigner, Hash, KeyKind, NoteSigner, PublicKey, SignedNote, TileKind, Tree,
    VerifierKey, decode_entries, decode_hashes, encode_entries, encode_hashes, leaf_hash, no_tiles,
    parse_verifier_keys, tile_paths, verify_consistency, verify_cosignature, verify_inclusion,
};

use crate::support::{entry, from_hex, seed_key, vector, vector_text};

const COSIGNED_AT: u64 = 1_767_225_600;

fn log_and_cosigner(log: &str) -> (VerifierKey, VerifierKey) {
    let keys = parse_verifier_keys(&vector_text(&format!("{log}.vkeys"))).unwrap();
    let [log, cosigner] = keys.try_into().expect("the ML-DSA key is skipped");
    assert_eq!((log.kind(), cosigner.kind()), (KeyKind::Note, KeyKind::Cosignature));
    (log, cosigner)
}

#[test]
fn the_eight_leaves_of_rfc_6962_have_their_published_roots() {
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut tree = Tree::new();
    for (leaf, root) in leaves.iter().zip(roots) {
        assert!(tree.append(leaf_hash(&from_hex(leaf))).is_empty());
        assert_eq!(tree.root().as_ref(), from_hex(root));
    }
}

#[test]
fn the_golden_logs_verify_and_are_made_again_byte_for_byte() {
    for (log, size) in [("log5", 5), ("log257", 257)] {
        let (log_key, cosigner_key) = log_and_cosigner(log);
        let bytes = vector(&format!("{log}/checkpoint"));
        let note = SignedNote::parse(&bytes).unwrap();
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert_eq!(note.signatures().len(), 3);
        let checkpoint = Checkpoint::verify(&note, &log_key).unwrap();
        assert_eq!(checkpoint.size(), size);
        assert_eq!(verify_cosignature(&note, &cosigner_key), Ok(COSIGNED_AT));

        // The same keys make the same lines.
        let signer = NoteSigner::new(log_key.name().clone(), seed_key(0x00));
        let cosigner = Cosigner::new(cosigner_key.name().clone(), seed_key(0x20));
        assert_eq!(signer.verifier_key(), &log_key);
        assert_eq!(cosigner.verifier_key(), &cosigner_key);
        let again = Checkpoint::new(checkpoint.origin(), size, checkpoint.root()).unwrap();
        let again = again.sign(&signer).unwrap();
        assert_eq!(again.signatures()[0], note.signatures()[0]);
        assert_eq!(cosigner.cosign(&again, COSIGNED_AT).unwrap(), note.signatures()[1]);

        // The tree grows from the entry bundles, and gives the tiles.
        let mut tree = Tree::new();
        let mut stored = crate::support::Stored::default();
        for path in tile_paths(size).filter(|path| path.kind() == TileKind::Entries) {
            let bundle = vector(&format!("{log}/{path}"));
            let entries = decode_entries(&bundle).unwrap();
            assert_eq!(entries.len(), usize::from(path.width()));
            assert_eq!(encode_entries(&entries).unwrap(), bundle);
            for bytes in entries {
                assert_eq!(bytes, entry(tree.size()));
                for tile in tree.append(leaf_hash(bytes)) {
                    stored.tiles.insert((tile.level, tile.number), tile.hashes);
                }
            }
        }
        assert_eq!((tree.size(), tree.root()), (size, checkpoint.root()));
        for path in tile_paths(size) {
            let TileKind::Hashes(level) = path.kind() else { continue };
            let hashes =
                tree.tile(level, path.number(), path.width(), |l, n| stored.read(l, n)).unwrap();
            let bytes = vector(&format!("{log}/{path}"));
            assert_eq!(encode_hashes(&hashes).unwrap(), bytes, "{log}/{path}");
            assert_eq!(decode_hashes(&bytes).unwrap(), hashes);
        }
    }
}

#[test]
fn the_golden_log_has_its_published_roots_tiles_and_proof() {
    let mut tree = Tree::new();
    for index in 0..257 {
        let _ = tree.append(leaf_hash(&entry(index)));
    }
    let root = |size| tree.root_at(size, no_tiles).unwrap().to_string();
    assert_eq!(root(1), "NgUGDhj/TUeOEZ4D4QVldcD7vsg4OgbDH59h4dOAOuk=");
    assert_eq!(root(5), "NFcAqLcy3RYBi8KdTau0rjZMzajoqI4mPlNsfwme7j8=");
    assert_eq!(root(257), "nEvlBBcLGfJbosbDQhec7tZQiFHpnyLiI5BK/ozWQT0=");

    let bundle = encode_entries(&(0..5).map(entry).collect::<Vec<_>>()).unwrap();
    let tile = encode_hashes(&tree.tile(0, 0, 5, no_tiles).unwrap()).unwrap();
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
    let published = "6a627b4ce2b25c40833c9cc108b71e1e7671d6e33def7af6f2116e6f7e3cea19";
    assert_eq!((bundle.len(), sha256(&bundle)), (70, from_hex(published)));
    let published = "ed6f3bc04482c4f50901c41ed3a30094d79a91c9c4ebfb5cac4c842c32e6b2d1";
    assert_eq!((tile.len(), sha256(&tile)), (160, from_hex(published)));

    let path = tree.inclusion_proof(3, 5, no_tiles).unwrap();
    let published = [
        "5Cf30hlnF866CJzpeigsMojkrQI+f0aIhOUxxcY9ZIU=",
        "5QlDsmjNVDdW+cU01x4dGO30/bo0/+/+JqroiU9S3Oc=",
        "S2aLG+EuOfi6AhonluCDZwYOe3RF6TGitTeIdx5d+WA=",
    ];
    assert_eq!(path.iter().map(Hash::to_string).collect::<Vec<_>>(), published);
    let root = tree.root_at(5, no_tiles).unwrap();
    assert_eq!(verify_inclusion(&leaf_hash(&entry(3)), 3, 5, &path, &root), Ok(()));
}

#[test]
fn peter_neumanns_note_is_verified_and_any_change_to_it_is_not() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: VerifierKey = key.parse().unwrap();
    let bytes = "If you think cryptography is the answer to your problem,\nthen you don't know what \
                 your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInN\
                 IuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let note = SignedNote::parse(bytes.as_bytes()).unwrap();
    assert_eq!(note.verify(&key), Ok(()));
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.as_bytes().to_vec();
            changed[position] ^= 1 << bit;
            let verified = SignedNote::parse(&changed).is_ok_and(|note| note.verify(&key).is_ok());
            assert!(!verified, "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn the_dsse_vector_has_its_published_signature() {
    let message = pae("application/vnd.example.ledger-entry.v1+json", br#"{"v":1}"#);
    assert_eq!(message, b"DSSEv1 44 application/vnd.example.ledger-entry.v1+json 7 {\"v\":1}");
    let signature = vialedger::tlog::sign(&seed_key(0x00), &message);
    assert_eq!(
        Base64::encode_string(&signature),
        "2dajLd73UsH6xRqj/rS+FrJ8bNCrqiLv79v4/5Lvr1QLRAiqG7uBK8o/aw6GQYesfJlSc2EfCtGt27PmRKnCBQ=="
    );
    assert_eq!(PublicKey::of(&seed_key(0x00)).verify(&message, &signature), Ok(()));
}

#[test]
fn the_checkpoints_of_the_cosigner_protocol_verify_and_are_consistent() {
    let origin =
        "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
    let public = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";
    let public = PublicKey::from_bytes(&from_hex(public)).unwrap();
    let key = VerifierKey::new(origin.parse().unwrap(), KeyKind::Note, public);
    let published = [
        (
            1,
            "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNU\
             bIQY=",
        ),
        (
            3,
            "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
            "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVr\
             x6go=",
        ),
        (
            5,
            "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
            "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7\
             sDww=",
        ),
    ];
    let mut tree = Tree::new();
    for i in 0..5 {
        let mut leaf = [0; 32];
        (leaf[0], leaf[1]) = (42, i);
        let _ = tree.append(Hash::new(leaf));
    }
    for (size, root, signature) in published {
        let note = format!("{origin}\n{size}\n{root}\n\n— {origin} {signature}\n");
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        let checkpoint = Checkpoint::verify(&note, &key).unwrap();
        assert_eq!(checkpoint.root(), tree.root_at(size, no_tiles).unwrap());
        let proof = tree.consistency_proof(size, 5, no_tiles).unwrap();
        let verdict = verify_consistency(size, &checkpoint.root(), 5, &tree.root(), &proof);
        assert_eq!(verdict, Ok(()));
    }
}
