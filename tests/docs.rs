//! What the documents say exists: every command that they show is one that the program takes, every limit that they
//! name is the one in the code, and the systemd unit fits the server that it starts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use clap::Parser as _;
use vialedger::cli::Cli;
use vialedger::cli::exit::Exit;
use vialedger::cosigner;
use vialedger::grpc::limits;
use vialedger::server;
use vialedger::service;
use vialedger::store;
use vialedger::tlog;
use vialedger::token;

/// The documents, and at least how many commands of ours each shows.
const DOCUMENTS: [(&str, usize); 2] = [("README.md", 25), ("deploy/README.md", 15)];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of all `sh` blocks, with continued lines joined, and where each begins.
fn shell_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut inside = false;
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```sh";
            assert!(open.is_none(), "line {}: a block ends in the middle of a command", number + 1);
            continue;
        }
        if !inside {
            continue;
        }
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        let (start, mut whole) = open.take().unwrap_or((number + 1, String::new()));
        whole.push_str(line);
        if goes_on {
            open = Some((start, whole));
        } else {
            lines.push((start, whole));
        }
    }
    lines
}

/// The `sh` blocks of one section, as one script.
fn script_of(text: &str, heading: &str) -> String {
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

/// Divides a line as a shell does: words, quotes, and no further than a comment, a pipe, a redirection or a `;`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, '#') if word.is_none() => break,
            (_, _) => word.get_or_insert_default().push(character),
        }
    }
    assert!(quote.is_none(), "an open quote: {line}");
    words.extend(word);
    words
}

/// The arguments that a line gives to vialedger, if it runs it: as the program itself, after settings of variables or
/// `sudo -u USER`, or as `cargo run --release --`.
fn arguments(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    let mut rest = words.as_slice();
    while rest.first()?.contains('=') {
        rest = &rest[1..];
    }
    if rest.starts_with(&["sudo", "-u"].map(str::to_owned)) {
        rest = rest.get(3..)?;
    }
    if let Some(rest) = rest.strip_prefix(&["cargo", "run", "--release", "--"].map(str::to_owned)) {
        return Some(rest.to_vec());
    }
    let program = Path::new(rest.first()?).file_name()?;
    (program == "vialedger").then(|| rest[1..].to_vec())
}

#[test]
fn every_command_in_the_documents_is_one_that_the_program_takes() {
    for (document, at_least) in DOCUMENTS {
        let mut found = 0;
        for (line, text) in shell_lines(&read(document)) {
            let Some(arguments) = arguments(&text) else { continue };
            let parsed = Cli::try_parse_from([&["vialedger".to_owned()], &arguments[..]].concat());
            if let Err(error) = parsed {
                panic!("{document}:{line}: {text}\n{error}");
            }
            found += 1;
        }
        assert!(found >= at_least, "{document}: only {found} commands were found");
    }
}

/// A server that does not outlive the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(folder: &Path, server: &str, script: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_vialedger"));
    let folders = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&folders).chain([program.parent().unwrap().to_owned()]);
    let mut path: Vec<_> = folders.collect();
    path.rotate_right(1);
    let path = std::env::join_paths(path).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", script]).current_dir(folder).env("PATH", path);
    shell.env("VIALEDGER_SERVER", server);
    shell.env("VIALEDGER_MEMORY", folder.join("memory"));
    for inherited in ["VIALEDGER_KEY", "VIALEDGER_AS", "VIALEDGER_VKEY", "VIALEDGER_RECEIPTS"] {
        shell.env_remove(inherited);
    }
    shell.output().unwrap()
}

fn succeed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

#[test]
fn the_day_in_the_readme_can_be_lived_as_it_stands_and_ends_with_a_good_verdict() {
    let script = script_of(&read("README.md"), "A day with vialedger");
    let (begin, day) = script.split_once("\nvialedger serve clinic\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    succeed(&shell(folder.path(), "", begin));

    let mut command = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    command
        .args(["serve", "clinic"])
        .current_dir(folder.path())
        .env("VIALEDGER_LISTEN", "127.0.0.1:0");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(command.spawn().unwrap());
    let mut said = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.split_once(" is served at ").unwrap().1.split_once(". ").unwrap().0;

    let told = succeed(&shell(folder.path(), address, day));
    for shown in [
        "acted alone",
        "vials/9-1 to vials/9-10",
        "sessions/13 is session 1 of courses/12 (induction)",
        "Read back: ketamine 0.5 mg/kg",
        "closed",
        "only 0 min since the first dose",
        "BEFORE THE RULES ALLOWED IT, approved by people/cleo",
        "The report of sessions/13 is in session.html",
        "Good. All 24 entries",
    ] {
        assert!(told.contains(shown), "{shown:?} is not in the day:\n{told}");
    }
    succeed(&Command::new("kill").arg(server.0.id().to_string()).output().unwrap());
    assert!(server.0.wait().unwrap().success(), "SIGTERM is a good end");

    let inspection = script_of(&read("README.md"), "For auditors");
    let (_, inspection) = inspection.split_once("mkdir copy").expect("an inspector's day");
    let told = succeed(&shell(folder.path(), "", &format!("mkdir copy{inspection}")));
    for shown in [
        "Good. All 25 entries",
        "Good. All 5 entries of the bundle hold",
        "is in the ledger of 24 entries",
        "the entries that touch vials/9-1",
        "25 entries are packed in copy/pack",
        ": truncated.",
        "status 1",
    ] {
        assert!(told.contains(shown), "{shown:?} is not in the inspection:\n{told}");
    }
    assert_eq!(told.matches("BAD. Line").count(), 2, "{told}");
}

#[test]
fn every_file_that_the_documents_point_to_is_there() {
    for (document, _) in DOCUMENTS {
        let text = read(document);
        let folder = root().join(document).parent().unwrap().to_owned();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let mut found = 0;
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(document) } else { folder.join(path) };
            assert!(file.exists(), "{document} points to {target}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&file).unwrap();
                let anchors: Vec<_> = text.lines().filter_map(heading_anchor).collect();
                assert!(
                    anchors.iter().any(|one| one == anchor),
                    "{document}: {target} in {anchors:?}"
                );
            }
            found += 1;
        }
        assert!(found > 3, "{document}: only {found} links were found");
    }
}

#[test]
fn every_test_that_is_named_as_a_proof_is_there() {
    for (document, at_least) in [("README.md", 12), ("deploy/README.md", 4), ("src/lib.rs", 10)] {
        let text = read(document);
        let named =
            text.split('`').filter(|text| text.starts_with("tests/") && !text.contains(' '));
        let missing: Vec<_> = named.clone().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{document} names {missing:?}");
        assert!(named.count() >= at_least, "{document}: few tests are named");
    }
}

/// The anchor of a heading: small letters, digits and hyphens.
fn heading_anchor(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#');
    let is_heading = title.len() < line.len() && title.starts_with(' ');
    let kept = |c: char| match c {
        ' ' | '-' => Some('-'),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    is_heading.then(|| title.trim().chars().filter_map(kept).collect())
}

fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_limits_in_the_operators_book_are_those_of_the_code() {
    let book = read("deploy/README.md");
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let headers = usize::try_from(limits::MAX_HEADER_LIST_BYTES).unwrap();
    let streams = usize::try_from(limits::MAX_STREAMS_PER_CONNECTION).unwrap();
    let tolerance = service::CLOCK_TOLERANCE_MICROS / 1_000_000;
    let rows = [
        ("Request message", format!("{} bytes", with_commas(limits::MAX_REQUEST_BYTES))),
        ("Headers of a call", kib(headers)),
        ("Connections", limits::MAX_CONNECTIONS.to_string()),
        ("Connections for tiles", server::MAX_TILE_CONNECTIONS.to_string()),
        ("Time of a connection for tiles", seconds(server::MAX_TILE_CONNECTION_TIME)),
        ("TLS handshakes at a time", limits::MAX_HANDSHAKES.to_string()),
        ("Calls open on one connection", streams.to_string()),
        ("Calls in work", with_commas(limits::MAX_CALLS_IN_WORK)),
        ("Open streams", limits::MAX_OPEN_STREAMS.to_string()),
        ("Requests waiting for the writer", with_commas(service::QUEUE_CAPACITY)),
        ("Requests in one commit", service::MAX_BATCH.to_string()),
        ("Time for a handshake", seconds(limits::HANDSHAKE_TIMEOUT)),
        ("Time for a call, unless its caller says otherwise", seconds(limits::DEFAULT_DEADLINE)),
        ("Time for a call at most", seconds(limits::MAX_DEADLINE)),
        ("Time to finish after SIGTERM", seconds(limits::DRAIN_LIMIT)),
        (
            "Items on a page",
            format!(
                "{}, at most {}",
                limits::DEFAULT_PAGE_SIZE,
                with_commas(limits::MAX_PAGE_SIZE)
            ),
        ),
        ("Life of a bearer token", format!("{} min", token::MAX_TOKEN_LIFETIME.as_secs() / 60)),
        ("Clock behind the last entry", format!("{tolerance} s")),
        ("Body of a submission to a cosigner", kib(tlog::MAX_SUBMISSION_BYTES)),
        ("Time for that body", seconds(cosigner::http::BODY_TIMEOUT)),
        (
            "Unproven conflicts that a cosigner keeps for each log",
            with_commas(store::MAX_UNPROVEN.try_into().unwrap()),
        ),
        (
            "Cosigner's clock behind its last cosignature",
            format!("{} s", cosigner::CLOCK_TOLERANCE_SECONDS),
        ),
        ("Pause after a cosignature", seconds(cosigner::PAUSE)),
        ("Longest pause after failures", seconds(cosigner::MAX_BACKOFF)),
        (
            "Time until the same checkpoint is handed in again",
            format!("{} min", cosigner::REFRESH.as_secs() / 60),
        ),
        (
            "Time that a start waits for the cosigners' first answers",
            seconds(cosigner::FIRST_ANSWERS),
        ),
        (
            "Pause between two writes of the head file",
            format!("{} ms", service::HEAD_PAUSE.as_millis()),
        ),
        ("Cosigned checkpoints that a start compares with", with_commas(cosigner::MAX_COMPARED)),
        ("Entries between two snapshots", with_commas(service::SNAPSHOT_EVERY.try_into().unwrap())),
    ];
    for (what, limit) in rows {
        let row = format!("| {what} | {limit} |");
        assert!(book.contains(&row), "the operator's book has no row {row}");
    }
}

#[test]
fn the_unit_starts_the_server_gives_it_time_to_stop_and_leaves_bad_evidence_alone() {
    for unit in ["deploy/vialedger.service", "deploy/vialedger-cosigner.service"] {
        require_fitting_unit(&read(unit));
    }
}

fn require_fitting_unit(unit: &str) {
    let setting = |name: &str| {
        let mut values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let value = values.next().unwrap_or_else(|| panic!("the unit has no {name}"));
        assert!(values.next().is_none(), "{name} stands twice");
        value
    };
    let command = arguments(setting("ExecStart")).expect("the unit runs vialedger");
    Cli::try_parse_from([&["vialedger".to_owned()], &command[..]].concat()).unwrap();
    let stop: u64 = setting("TimeoutStopSec").strip_suffix('s').unwrap().parse().unwrap();
    assert!(
        stop >= 2 * limits::DRAIN_LIMIT.as_secs(),
        "connections have their time, then the writer"
    );
    assert_eq!(setting("Restart"), "on-failure");
    let final_statuses: Vec<u8> = setting("RestartPreventExitStatus")
        .split(' ')
        .map(|status| status.parse().unwrap())
        .collect();
    let never =
        [Exit::No, Exit::CouldNotTell, Exit::Usage, Exit::Data, Exit::NoInput, Exit::CantCreate];
    let never = never.into_iter().chain([Exit::Protocol, Exit::NoPermission, Exit::Config]);
    assert_eq!(final_statuses, never.map(Exit::status).collect::<Vec<_>>());
}

#[test]
fn a_line_is_divided_as_a_shell_divides_it() {
    assert_eq!(words(r#"a "b c" 'd e'f # g"#), ["a", "b c", "d ef"]);
    assert_eq!(words("a '' | b > c"), ["a", ""]);
    let of = |line| arguments(line).map(|words| words.join(" "));
    assert_eq!(of("sudo -u vialedger vialedger verify x").as_deref(), Some("verify x"));
    assert_eq!(of("VIALEDGER_KEY=a.pem vialedger token > t").as_deref(), Some("token"));
    assert_eq!(of("cargo run --release -- demo").as_deref(), Some("demo"));
    assert_eq!(of("systemctl stop vialedger"), None);
    assert_eq!(of("cp target/release/vialedger /usr/local/bin/vialedger"), None);
}
