//! What needs no ledger: usage, help, completions, manual pages, the formulary's check, arithmetic.

use crate::support::run;

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for wrong in [
        &["frobnicate"][..],
        &[],
        &["dispense"],
        &["key", "new"],
        &["dose", "preview", "--weight", "72.5"],
        &["witness", "17", "--amount", "3.6"],
        &["witness", "vials/1-1", "--amount", "3.6 mL"],
        &["serve", "x", "--tls-cert", "only.pem"],
    ] {
        let ended = run(wrong).expect(64);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn pounds_are_refused_with_the_way_out() {
    let refused = run(["witness", "17", "--amount", "160 lb"]).expect(64);
    assert!(refused.stderr.contains("calc convert"), "{}", refused.stderr);
}

#[test]
fn help_and_version_are_answers() {
    assert!(run(["--help"]).expect(0).stdout.contains("verify"));
    assert!(run(["--version"]).expect(0).stdout.starts_with("vialedger "));
    assert!(run(["help", "dispense"]).expect(0).stdout.contains("--emergency"));
}

#[test]
fn completions_and_manual_pages_come_from_the_same_definitions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(["completions", shell]).expect(0).stdout.contains("vialedger"), "{shell}");
    }
    assert!(run(["man"]).expect(0).stdout.contains(".TH vialedger 1"));
    let folder = tempfile::tempdir().unwrap();
    run(["man", folder.path().to_str().unwrap()]).expect(0);
    let page = std::fs::read_to_string(folder.path().join("vialedger-dispense.1")).unwrap();
    assert!(page.contains("emergency"));
}

#[test]
fn the_starter_formulary_passes_its_own_check_and_a_bad_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("formulary.toml");
    let starter = run(["formulary", "starter"]).expect(0).stdout;
    std::fs::write(&path, &starter).unwrap();
    let path = path.to_str().unwrap();
    let checked = run(["formulary", "check", path, "--json"]).expect(0).json();
    assert_eq!(checked["good"], true);
    assert!(checked["formulary"]["products"].as_u64().unwrap() > 10);

    std::fs::write(path, format!("{starter}\nsurprise = 1\n")).unwrap();
    let refused = run(["formulary", "check", path]).expect(1);
    let line = starter.lines().count() + 2;
    assert!(refused.stderr.contains(&format!("line {line}")), "{}", refused.stderr);
    run(["formulary", "check", "/nowhere/formulary.toml"]).expect(66);
}

#[test]
fn arithmetic_needs_no_ledger() {
    let arguments = ["calc", "dose", "--dose", "0.5 mg/kg", "--weight", "72.5 kg", "--json"];
    let answer = run(arguments).expect(0).json();
    assert_eq!(answer["result"], serde_json::json!({ "value": "36.25", "unit": "mg" }));
    let refused = run(["calc", "dose", "--dose", "0.5 mg", "--weight", "72.5 lb", "--json"]);
    assert_eq!(refused.expect(1).json()["result"], serde_json::Value::Null);
}

#[test]
fn what_is_not_set_up_is_said_with_the_way_to_set_it_up() {
    let missing = run(["entries"]).expect(78);
    assert!(missing.stderr.contains("VIALEDGER_KEY"), "{}", missing.stderr);
    let folder = tempfile::tempdir().unwrap();
    let missing = run(["serve", folder.path().to_str().unwrap()]).expect(66);
    assert!(missing.stderr.contains("vialedger init"), "{}", missing.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "serve makes nothing");
}
