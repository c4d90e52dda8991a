//! The shape of the source tree, held by a machine: layers, sizes, and what is absent from where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A module may use only modules of the rows above its own.
const LAYERS: [&[&str]; 19] = [
    &["units", "dsse", "tlog", "pb"],
    &["time", "role"],
    &["ident", "identity", "names"],
    &["formulary"],
    &["dosing", "vial", "course"],
    &["wire"],
    &["ledger", "report"],
    &["command", "refusal"],
    &["state"],
    &["decide"],
    &["audit"],
    &["bundle"],
    &["clock", "durable", "handover", "key", "token"],
    &["store", "tiles"],
    &["service"],
    &["grpc", "client", "cosigner", "telemetry"],
    &["server"],
    &["cli"],
    &["app"],
];

/// Rows of [`LAYERS`] that are the core: synchronous and pure.
const CORE_ROWS: usize = 12;

/// Lines of a source file at most, its tests included.
const MAX_LINES: usize = 600;

/// What the core never names, with the reason.
const ABSENT_FROM_CORE: [(&str, &str); 12] = [
    ("SystemTime", "the core reads no clock"),
    ("Instant", "the core reads no clock"),
    ("std::fs", "the core does no I/O"),
    ("std::net", "the core does no I/O"),
    ("std::env", "the core does no I/O"),
    ("std::thread", "the core starts no thread of its own"),
    ("tokio", "the core is synchronous"),
    ("async fn", "the core is synchronous"),
    ("tracing::", "the core does not log"),
    ("getrandom", "the core has no randomness"),
    ("HashMap", "the core iterates over nothing without an order"),
    ("HashSet", "the core iterates over nothing without an order"),
];

/// Crates that one module alone may name.
const ONLY_IN: [(&str, &[&str]); 5] = [
    ("rusqlite", &["store"]),
    ("aws_lc_rs::aead", &["store"]),
    ("jsonwebtoken", &["token"]),
    ("SystemTime::now", &["clock"]),
    ("Instant::now", &["clock"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing was found below {below}: this check would pass on nothing");
    found
}

/// The module that a file of `src` belongs to; nothing for `lib.rs` and `main.rs`.
fn module(file: &str) -> Option<&str> {
    let rest = file.strip_prefix("src/")?;
    let module = rest.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&module)).then_some(module)
}

fn layers() -> BTreeMap<&'static str, usize> {
    let rows = LAYERS.iter().enumerate();
    rows.flat_map(|(row, modules)| modules.iter().map(move |module| (*module, row))).collect()
}

/// Code without comments and without the unit tests at the end, line by line.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// The modules of this crate that a line names as `crate::module`, also in groups.
fn named(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, word)| {
            let rest = &line[at + word.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            rest[..end].to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_module_has_a_layer_and_every_layer_its_modules() {
    let declared: BTreeSet<String> = fs::read_to_string(root().join("src/lib.rs"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    let layered: BTreeSet<String> = layers().keys().map(ToString::to_string).collect();
    assert_eq!(declared, layered);
}

#[test]
fn the_arrows_point_down() {
    let layers = layers();
    let mut wrong = Vec::new();
    for (file, text) in files("src", ".rs") {
        let Some(own) = module(&file) else { continue };
        for line in code(&text) {
            assert!(!line.contains("use crate::{"), "{file}: name one module a line: {line}");
            for other in named(line) {
                let Some(row) = layers.get(other.as_str()) else {
                    panic!("{file} names crate::{other}, which has no layer");
                };
                if other != own && *row >= layers[own] {
                    wrong.push(format!("{file} uses {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or sideways: {wrong:#?}");
}

#[test]
fn the_core_is_pure() {
    let layers = layers();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in files("src", ".rs") {
        let Some(own) = module(&file).filter(|module| layers[module] < CORE_ROWS) else { continue };
        seen += 1;
        for line in code(&text).filter(|_| own != "pb") {
            for (word, why) in ABSENT_FROM_CORE {
                if line.contains(word) {
                    wrong.push(format!("{file}: {word}: {why}: {line}"));
                }
            }
        }
    }
    assert!(seen > 30, "only {seen} files of the core were looked at");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_belongs_in_one_place_stays_there() {
    let mut wrong = Vec::new();
    for (file, text) in files("src", ".rs") {
        for (name, homes) in ONLY_IN {
            let away = module(&file).is_none_or(|own| !homes.contains(&own));
            if away && code(&text).any(|line| line.contains(name)) {
                wrong.push(format!("{file} names {name}, which is for {homes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_float_exists_in_the_crate() {
    for (below, ending, floats) in
        [("src", ".rs", ["f32", "f64"]), ("proto", ".proto", ["float", "double"])]
    {
        for (file, text) in files(below, ending) {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                assert!(!words.any(|word| floats.contains(&word)), "{file}: {line}");
            }
        }
    }
}

#[test]
fn files_are_short_and_lines_are_narrow() {
    let sources = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    for (file, text) in sources {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{file} has {lines} lines; at most {MAX_LINES}");
    }
    for (file, text) in files("proto", ".proto") {
        for line in text.lines() {
            assert!(line.chars().count() <= 120, "{file}: {line}");
        }
    }
}

#[test]
fn nothing_is_left_over() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!(", "#[ignore"];
    let sources = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    for (file, text) in sources.filter(|(file, _)| file != "tests/tidy.rs") {
        for mark in marks {
            assert!(!text.contains(mark), "{file} holds {mark}");
        }
    }
}

#[test]
fn the_top_level_holds_what_was_agreed_and_nothing_else() {
    let agreed: BTreeSet<&str> =
        ["Cargo.toml", "Cargo.lock", "build.rs", "proto", "src", "tests", "deploy", "README.md"]
            .into_iter()
            .chain(["LICENSE-APACHE", "LICENSE-MIT", "target"])
            .collect();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || agreed.contains(name.as_str()), "{name} at the top level");
    }
    for name in agreed.iter().filter(|name| **name != "target") {
        assert!(Path::new(&root()).join(name).exists(), "{name} is missing");
    }
}
