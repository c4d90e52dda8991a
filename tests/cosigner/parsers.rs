//! Whatever strangers send, nothing panics, and nothing is cosigned that should not be.

use proptest::collection::vec;
use proptest::prelude::*;
use vialedger::tlog::{Policy, Refused, SplitView, Submission, authenticate};

use crate::support::Log;

fn log() -> Log {
    Log::new("log.example/parsers", 1).grow(9, "")
}

/// Well-formed files to damage.
fn seeds() -> Vec<String> {
    let (log, fork) = (log(), Log::new("log.example/parsers", 1).grow(2, "").grow(9, "fork"));
    let key = log.vkey();
    let cosigner = "w.example/1+74fc69c7+BL95aR4F67GHxAiHm+rSX70q59qLUm2hBTOj1VRmePGQ";
    vec![
        log.submission(0, 5),
        log.submission(3, 9),
        SplitView::new(log.checkpoint(5), fork.checkpoint(5), Vec::new()).to_string(),
        format!("log {key}\nwitness A {cosigner} https://a\ngroup G 1 A\nquorum G\n"),
    ]
}

/// Everything that reads bytes of strangers; what is read is written again as it was.
fn parse_everything(bytes: &[u8]) {
    if let Ok(submission) = Submission::parse(bytes) {
        assert_eq!(submission.to_string().as_bytes(), bytes);
        let _ = submission.note();
    }
    if let Ok(split) = SplitView::parse(bytes) {
        assert_eq!(split.to_string().as_bytes(), bytes);
        let _ = split.verify(log().vkey());
    }
    let _ = Policy::parse(bytes);
    if let Err(refused) = authenticate(bytes, &[log().vkey().clone()]) {
        assert!((400..=422).contains(&refused.http_status()));
    }
}

#[test]
fn the_seeds_themselves_are_well_formed() {
    let seeds = seeds();
    assert!(authenticate(seeds[0].as_bytes(), &[log().vkey().clone()]).is_ok());
    assert!(authenticate(seeds[1].as_bytes(), &[log().vkey().clone()]).is_ok());
    let split = SplitView::parse(seeds[2].as_bytes()).unwrap();
    assert_eq!(split.verify(log().vkey()).unwrap().name(), "same-size");
    assert!(Policy::parse(seeds[3].as_bytes()).is_ok());
    for seed in seeds {
        parse_everything(seed.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        parse_everything(&bytes);
    }

    #[test]
    fn random_text_in_the_shape_of_the_formats_never_panics(
        text in "(old |log |witness |group |quorum |any|all|none|— |vialedger-split-view@v1\n\
                 |[0-9]{1,20}|[A-Za-z0-9+/]{43}=|log.example/parsers|[ \n\t+x./é—]){0,40}"
    ) {
        parse_everything(text.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic_and_a_damaged_checkpoint_is_never_authentic(
        seed in 0usize..4,
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let good = seeds().swap_remove(seed);
        let mut bytes = good.clone().into_bytes();
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
        if let Ok(authentic) = authenticate(&bytes, &[log().vkey().clone()]) {
            let whole = authentic.note().to_string();
            prop_assert!(good.ends_with(&whole), "only what was before the checkpoint changed");
        }
    }

    #[test]
    fn a_flipped_bit_in_a_checkpoint_is_refused(place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let good = log().submission(0, 5);
        let mut bytes = good.clone().into_bytes();
        let start = good.find("\n\n").unwrap() + 2;
        let place = start + place.index(bytes.len() - start);
        bytes[place] ^= 1 << bit;
        let refused = authenticate(&bytes, &[log().vkey().clone()]).unwrap_err();
        prop_assert!(matches!(
            refused,
            Refused::Malformed(_) | Refused::UnknownLog | Refused::NotSigned(_)
        ));
    }
}
