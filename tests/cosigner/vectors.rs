//! The published sequence of `add-checkpoint` calls, and every other answer that the protocol names.

use vialedger::cosigner::http::origin_hash;
use vialedger::tlog::{
    Hash, KeyKind, NoteSignature, PublicKey, SignedNote, Tree, VerifierKey, no_tiles,
    verify_cosignature,
};

use crate::support::{Answer, Cosigner, Log, Process, add_checkpoint, exchange, request};

const ORIGIN: &str =
    "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562";
const KEY: &str = "ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f";

/// Sizes, roots and signatures of the vectors' README.
const CHECKPOINTS: [(u64, &str, &str); 3] = [
    (
        1,
        "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    ),
    (
        3,
        "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
        "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
    ),
    (
        5,
        "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
        "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
    ),
];

fn log_key() -> VerifierKey {
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|i| u8::from_str_radix(&KEY[i..i + 2], 16).unwrap()).collect();
    let key = PublicKey::from_bytes(&bytes).unwrap();
    VerifierKey::new(ORIGIN.parse().unwrap(), KeyKind::Note, key)
}

fn note(size: u64) -> String {
    let (_, root, signature) = CHECKPOINTS.iter().find(|(of, ..)| *of == size).unwrap();
    format!("{ORIGIN}\n{size}\n{root}\n\n— {ORIGIN} {signature}\n")
}

/// The consistency proof over the vectors' leaf hashes [42, i, 0, …].
fn proof(old: u64, size: u64) -> Vec<Hash> {
    let mut tree = Tree::new();
    for i in 0..5 {
        let mut leaf = [0; 32];
        (leaf[0], leaf[1]) = (42, i);
        assert!(tree.append(Hash::new(leaf)).is_empty());
    }
    tree.consistency_proof(old, size, no_tiles).unwrap()
}

fn body(old: u64, proof: &[Hash], note: &str) -> String {
    let proof: Vec<String> = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{}\n{note}", proof.concat())
}

fn submit(to: &Process, old: u64, size: u64) -> Answer {
    add_checkpoint(to.address(), body(old, &proof(old, size), &note(size)))
}

/// Holds the answer of a 200 against the cosigner's key.
fn require_cosigned(answer: &Answer, note: &str, key: &VerifierKey) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = answer.body.strip_suffix('\n').unwrap();
    let mut note = SignedNote::parse(note.as_bytes()).unwrap();
    note.add_signature(NoteSignature::parse(line).unwrap()).unwrap();
    assert!(verify_cosignature(&note, key).unwrap() > 1_767_225_600, "the time is not zero");
}

fn require_size(answer: &Answer, size: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (409, size));
    assert!(answer.headers.contains("content-type: text/x.tlog.size"), "{}", answer.headers);
}

#[test]
fn the_sequence_of_the_vectors_gives_exactly_the_listed_answers() {
    let cosigner = Cosigner::begin("cosigner.example/vectors");
    let at = cosigner.serve(&[&log_key()]);
    let newest = format!("/{}/checkpoint", origin_hash(ORIGIN));
    let newest = || exchange(at.address(), &request("GET", &newest, b""));
    assert_eq!(newest().status, 404, "nothing was cosigned yet");

    require_cosigned(&submit(&at, 0, 1), &note(1), &cosigner.vkey);

    let flipped = note(3).replace("6go=", "6gs=");
    for bad in [note(3).replace("2VbtI", "2VbuI"), note(3).replace("6go=", "6gx="), flipped] {
        assert_ne!(bad, note(3));
        let answer = add_checkpoint(at.address(), body(1, &proof(1, 3), &bad));
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let elsewhere = note(3).replace("e562", "e563");
    assert_eq!(add_checkpoint(at.address(), body(1, &proof(1, 3), &elsewhere)).status, 404);
    assert_eq!(add_checkpoint(at.address(), body(1, &[], &note(3))).status, 422);
    let mut altered = proof(1, 3);
    let mut bytes = *altered[1].as_bytes();
    bytes[30] ^= 0x10;
    altered[1] = Hash::new(bytes);
    assert_eq!(add_checkpoint(at.address(), body(1, &altered, &note(3))).status, 422);

    require_cosigned(&submit(&at, 1, 3), &note(3), &cosigner.vkey);
    require_size(&submit(&at, 1, 5), "3\n");
    require_cosigned(&submit(&at, 3, 5), &note(5), &cosigner.vkey);
    require_size(&submit(&at, 0, 5), "5\n");

    let served = newest();
    assert_eq!(served.status, 200);
    let served = SignedNote::parse(served.body.as_bytes()).unwrap();
    served.verify(&log_key()).unwrap();
    verify_cosignature(&served, &cosigner.vkey).unwrap();
    assert!(served.to_string().starts_with(&note(5)), "the log's own note, whole");
}

#[test]
fn every_other_answer_is_the_one_that_the_protocol_names_in_its_order() {
    let cosigner = Cosigner::begin("cosigner.example/table");
    let log = Log::new("log.example/table", 1).grow(9, "");
    let stranger = Log::new("log.example/stranger", 1).grow(9, "");
    let impostor = Log::new("log.example/table", 2).grow(9, "");
    let at = cosigner.serve(&[log.vkey()]);
    let size = |old, new| log.submission(old, new);
    let hash = "\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let with_old = |old: &str| size(0, 5).replacen("old 0", old, 1);
    let empty = Log::new("log.example/table", 1);
    let rooted = vialedger::tlog::Checkpoint::new("log.example/table", 0, proof(1, 3)[0]).unwrap();
    let rooted = rooted.sign(&log.signer).unwrap().to_string();
    let text_only = size(0, 5).rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    let table: Vec<(&str, String, u16)> = vec![
        ("nothing", String::new(), 400),
        ("no old line", size(0, 5).replacen("old 0\n", "", 1), 400),
        ("a decorated size", with_old("old 00"), 400),
        ("a sign", with_old("old +0"), 400),
        ("a proof line that is no hash", with_old("old 0\nx"), 400),
        ("64 proof lines", with_old(&format!("old 1{}", hash.repeat(64))), 400),
        ("a checkpoint without a root", "old 0\n\nlog.example/table\n5\n\n— a b\n".into(), 400),
        ("an unknown log", stranger.submission(0, 5), 404),
        ("an unknown log with a larger old size", with_old("old 7").replace("table", "other"), 404),
        ("another key under a known origin", impostor.submission(0, 5), 403),
        ("no signature at all", text_only, 403),
        (
            "another key, and a larger old size",
            impostor.submission(0, 5).replacen("old 0", "old 7", 1),
            403,
        ),
        ("a larger old size", with_old("old 7"), 400),
        ("another old size", size(3, 5), 409),
        ("a proof from nothing", with_old(&format!("old 0{hash}")), 422),
        ("an empty tree with a root", format!("old 0\n\n{rooted}"), 422),
        ("the empty tree", empty.submission(0, 0), 200),
        ("the empty tree once more", empty.submission(0, 0), 200),
        ("the first entries", size(0, 5), 200),
        ("the same once more", size(5, 5), 200),
        ("the same with a proof", size(5, 5).replacen("old 5", &format!("old 5{hash}"), 1), 422),
        ("less than before", size(4, 4), 409),
        ("the last", size(5, 9), 200),
    ];
    for (what, body, status) in table {
        let answer = add_checkpoint(at.address(), &body);
        assert_eq!(answer.status, status, "{what}: {answer:?}\n{body}");
        if status == 200 {
            let note = body.split_once("\n\n").unwrap().1;
            require_cosigned(&answer, note, &cosigner.vkey);
        }
    }
    let other = |method, path| exchange(at.address(), &request(method, path, b""));
    assert_eq!(other("GET", "/add-checkpoint").status, 405);
    assert!(other("GET", "/add-checkpoint").headers.contains("allow: post"));
    for path in ["/", "/add-checkpoint/", "/checkpoint", "//checkpoint", "/00/checkpoint"] {
        assert_eq!(other("POST", path).status, 404, "{path}");
    }
    let strangers = format!("/{}/checkpoint", origin_hash("log.example/stranger"));
    assert_eq!(other("GET", &strangers).status, 404);
}

#[test]
fn lines_of_strangers_are_ignored_and_not_kept_and_extension_lines_are_signed() {
    let cosigner = Cosigner::begin("cosigner.example/lines");
    let log = Log::new("log.example/lines", 1).grow(9, "");
    let at = cosigner.serve(&[log.vkey()]);
    let extended = log.signer.sign(&format!("{}more\n", log.checkpoint(5).text())).unwrap();
    let stranger = Log::new("log.example/lines", 2).grow(9, "").checkpoint(5);
    let mut many = extended.clone();
    for _ in 0..16 {
        many.add_signature(stranger.signatures()[0].clone()).unwrap();
    }
    let answer = add_checkpoint(at.address(), format!("old 0\n\n{many}"));
    require_cosigned(&answer, &extended.to_string(), &cosigner.vkey);
    let path = format!("/{}/checkpoint", origin_hash("log.example/lines"));
    let kept = exchange(at.address(), &request("GET", &path, b"")).body;
    assert_eq!(kept, format!("{extended}{}", answer.body));
}
