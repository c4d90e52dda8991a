//! Keys, tokens, and the beginning of a ledger.

use std::path::Path;

use serde_json::Value;

use crate::support::{Clinic, ORIGIN, init_arguments, program, run};

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn init_makes_a_folder_that_only_its_owner_can_read_and_says_what_to_do_next() {
    let clinic = Clinic::new();
    let ledger = clinic.ledger();
    assert_eq!(mode(&ledger), 0o700);
    assert_eq!(mode(&ledger.join("ledger.key")), 0o600);
    assert_eq!(mode(&clinic.key("ada-alvarez")), 0o600);
    let vkey = std::fs::read_to_string(ledger.join("ledger.vkey")).unwrap();
    assert_eq!(vkey.trim_end(), clinic.vkey);
    assert!(vkey.starts_with(ORIGIN));
    clinic.verify(&ledger).expect(0);
}

#[test]
fn init_never_overwrites_a_ledger() {
    let clinic = Clinic::new();
    let before = std::fs::read(clinic.ledger().join("ledger.db")).unwrap();
    let refused = run(init_arguments(&clinic.ledger())).expect(73);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("never overwritten"));
    assert_eq!(std::fs::read(clinic.ledger().join("ledger.db")).unwrap(), before);
}

#[test]
fn init_looks_at_everything_before_it_makes_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let arguments = init_arguments(&ledger);
    let wrong =
        arguments.into_iter().map(|a| if a == "AB1234563" { "AB1234560".into() } else { a });
    let refused = run(wrong).expect(1);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("dea_number"));
    assert!(!ledger.exists());
}

#[test]
fn a_key_is_shown_without_its_private_half_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nina.pem");
    let path = path.to_str().unwrap();
    let made = run(["key", "new", path, "--json"]).expect(0).json();
    let shown = run(["key", "show", path, "--json"]).expect(0).json();
    assert_eq!(made, shown);
    let public = run(["key", "public", path]).expect(0).stdout;
    assert_eq!(Value::from(public.trim_end()), shown["public_key"]);
    assert_eq!(shown["public_key_hex"].as_str().unwrap().len(), 64);
    run(["key", "new", path]).expect(73);
    assert_eq!(run(["key", "show", path, "--json"]).json(), made);
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nina.pem");
    run(["key", "new", path.to_str().unwrap()]).expect(0);
    set_mode(&path, 0o640);
    let refused = run(["key", "show", path.to_str().unwrap()]).expect(77);
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
}

#[test]
fn a_protected_key_needs_its_passphrase_from_a_file_and_never_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("nina.pem"), folder.path().join("passphrase"));
    std::fs::write(&secret, "night shift, bed 4\n").unwrap();
    let (path, secret) = (path.to_str().unwrap(), secret.to_str().unwrap());
    run(["key", "new", path, "--protect", "--passphrase-file", secret]).expect(0);
    assert!(std::fs::read_to_string(path).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    run(["key", "show", path]).expect(78);
    run(["key", "show", path, "--passphrase-file", secret]).expect(0);
    std::fs::write(secret, "night shift, bed 5\n").unwrap();
    run(["key", "show", path, "--passphrase-file", secret]).expect(77);
    run(["key", "show", path, "--passphrase", "night shift, bed 4"]).expect(64);
}

#[test]
fn a_token_is_for_this_ledger_and_this_person_and_short_lived() {
    let clinic = Clinic::new();
    let key = clinic.key("ada-alvarez");
    let key = key.to_str().unwrap();
    // The verifier key is found beside the folder of the key.
    let issued = run(["token", "--key", key, "--minutes", "5", "--json"]).expect(0).json();
    assert_eq!(issued["person"], "people/ada-alvarez");
    assert_eq!(issued["expires_in_seconds"], 300);
    assert_eq!(issued["token"].as_str().unwrap().split('.').count(), 3);
    run(["token", "--key", key, "--minutes", "61"]).expect(64);
    run(["token"]).expect(78);
}

#[test]
fn the_key_and_the_server_may_come_from_the_environment() {
    let clinic = Clinic::new();
    let token = program()
        .args(["token", "--json"])
        .env("VIALEDGER_KEY", clinic.key("ada-alvarez"))
        .env("VIALEDGER_VKEY", &clinic.vkey)
        .env("VIALEDGER_AS", "people/somebody-else")
        .output()
        .unwrap();
    let token: Value = serde_json::from_slice(&token.stdout).unwrap();
    assert_eq!(token["person"], "people/somebody-else");
}
