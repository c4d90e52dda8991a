//! Lines of opened identities against the commitments of entries, and entries that register nobody.

use super::*;

fn patient(id: &str) -> PatientName {
    PatientName::new(id).unwrap()
}

fn opening(name: &str) -> Opening {
    let address = "12 Depot Road, Dayton".to_owned();
    let birth = "1984-02-29".parse().unwrap();
    let identity = Identity::new(name.to_owned(), address, birth, vec!["MRN 42".to_owned()]);
    Opening { identity: identity.unwrap(), salts: [[1; 32], [2; 32], [3; 32], [4; 32]] }
}

fn opened(id: &str, name: &str) -> OpenedIdentity {
    let opening = opening(name);
    OpenedIdentity { patients: vec![patient(id)], commitment: opening.commitment(), opening }
}

/// An entry that registers a patient.
fn entry(id: &str, commitment: &[u8]) -> v1::Entry {
    let name = format!("patients/{id}");
    let request = v1::RegisterPatientRequest {
        patient: name.clone(),
        identity_commitment: commitment.to_vec(),
        ..Default::default()
    };
    let registered = v1::PatientRegistered { patient: name };
    let result = Some(outcome::Result::PatientRegistered(registered));
    v1::Entry {
        request_type: REGISTER.to_owned(),
        request: request.encode_to_vec(),
        outcome: Some(v1::Outcome { result, ..Default::default() }),
        ..Default::default()
    }
}

/// Pia, Max and Zoe, registered by the entries 3, 4 and 5.
fn registrations() -> Registrations {
    let mut registrations = Registrations::default();
    for (index, (id, name)) in (3..).zip([("p7", "Pia"), ("p8", "Max"), ("p9", "Zoe")]) {
        let commitment = opening(name).commitment();
        registrations.see(index, &entry(id, commitment.as_bytes()).encode_to_vec());
    }
    registrations
}

fn prove(lines: &[String]) -> IdentityReport {
    let registrations = registrations();
    let mut proof = IdentityProof::new(&registrations);
    for line in lines {
        proof.line(line.as_bytes());
    }
    proof.finish()
}

#[test]
fn what_was_opened_holds_and_what_was_not_is_withheld() {
    let report = prove(&[opened("p7", "Pia").to_line(), opened("p9", "Zoe").to_line()]);
    let expected = IdentityReport { registered: 3, opened: 2, withheld: 1, ..Default::default() };
    assert_eq!(report, expected);
    assert!(report.holds());
    assert_eq!(prove(&[]).withheld, 3);
}

#[test]
fn whatever_is_altered_in_a_line_is_found_and_no_name_is_told() {
    let pia = opened("p7", "Pia").to_line();
    let max = opening("Max").commitment();
    let rows = [
        (pia.replace("Pia", "Pib"), "is not the identity that the entry commits to"),
        (pia.replace("12 Depot", "21 Depot"), "is not the identity that the entry commits to"),
        (pia.replace("1984-02-29", "1984-02-28"), "is not the identity that the entry commits to"),
        (pia.replace("MRN 42", "MRN 43"), "is not the identity that the entry commits to"),
        (pia.replace("AQEB", "AQEC"), "is not the identity that the entry commits to"),
        (pia.replace("patients/p7", "patients/p8"), "is the one of patients/p7"),
        (pia.replace("patients/p7", "patients/p7\",\"patients/p8"), "is the one of patients/p7"),
        (opened("p7", "Stranger").to_line(), "no entry registers a patient"),
        (
            pia.replace(&opening("Pia").commitment().to_string(), &max.to_string()),
            "is the one of patients/p8",
        ),
        (pia.replace("\"salts\"", "\"verified\":true,\"salts\""), "no opened identity"),
        (pia.replace("1984-02-29", "29.2.1984"), "no opened identity"),
        (pia.replace("[\"MRN 42\"]", "\"MRN 42\""), "no opened identity"),
        (format!("{pia}{pia}"), "no opened identity"),
        (" ".repeat(MAX_LINE_BYTES) + &pia, "no opened identity"),
        (String::new(), "no opened identity"),
    ];
    for (line, expected) in rows {
        let report = prove(&[opened("p8", "Max").to_line(), line.clone()]);
        let findings = &report.findings;
        let told = findings.iter().map(ToString::to_string).collect::<String>();
        assert_eq!(report.wrong, 1, "{line}: {told}");
        // Where the commitment was Max's, the line before is what opened it.
        let again = told.contains("in line 1 already");
        assert!(told.contains(expected) || again, "{line}: {told}");
        assert!(told.starts_with("line 2"), "{told}");
        for secret in ["Pia", "Pib", "Depot", "1984", "MRN", "Stranger"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[test]
fn nothing_is_opened_twice() {
    let pia = opened("p7", "Pia").to_line();
    let report = prove(&[pia.clone(), pia]);
    assert_eq!((report.opened, report.wrong, report.withheld), (1, 1, 2));
    let told = report.findings[0].to_string();
    assert_eq!(told, "line 2 (patients/p7): its commitment was opened in line 1 already");
}

#[test]
fn two_ids_that_were_registered_with_one_identity_are_one_line() {
    let mut registrations = registrations();
    let commitment = opening("Pia").commitment();
    registrations.see(9, &entry("p2", commitment.as_bytes()).encode_to_vec());
    let in_order = registrations.in_order();
    assert_eq!(in_order[0], (commitment, vec![patient("p7"), patient("p2")]));
    assert_eq!(in_order.len(), 3);
    let both = OpenedIdentity { patients: in_order[0].1.clone(), ..opened("p7", "Pia") };
    let mut proof = IdentityProof::new(&registrations);
    proof.line(both.to_line().as_bytes());
    assert_eq!(proof.finish().opened, 1);
}

#[test]
fn a_line_comes_back_as_it_was_written() {
    let pia = opened("p7", "Zoë \"Pia\" \\ Ångström");
    assert_eq!(OpenedIdentity::parse(pia.to_line().as_bytes()), Some(pia));
}

#[test]
fn only_registrations_that_were_not_refused_count() {
    let commitment = opening("Pia").commitment();
    let good = entry("p7", commitment.as_bytes());
    let refusal = v1::Refusal::default();
    let refused = Some(outcome::Result::Refusal(refusal));
    let other = v1::PatientRegistered { patient: "patients/p8".to_owned() };
    let other = Some(outcome::Result::PatientRegistered(other));
    let with = |result| {
        let outcome = Some(v1::Outcome { result, ..Default::default() });
        v1::Entry { outcome, ..good.clone() }
    };
    let rows = [
        with(refused),
        with(other),
        with(None),
        v1::Entry { outcome: None, ..good.clone() },
        v1::Entry { request_type: "vialedger.v1.MergePatientsRequest".into(), ..good.clone() },
        v1::Entry { request: b"not this".to_vec(), ..good.clone() },
        entry("p7", &commitment.as_bytes()[1..]),
        entry("No Name", commitment.as_bytes()),
    ];
    let mut registrations = Registrations::default();
    for entry in rows {
        registrations.see(3, &entry.encode_to_vec());
    }
    registrations.see(3, REGISTER.as_bytes());
    assert_eq!(registrations.count(), 0);
    registrations.see(3, &good.encode_to_vec());
    assert_eq!(registrations.count(), 1);
}

#[test]
fn of_many_that_do_not_hold_only_the_first_are_named() {
    let lines = vec!["{}".to_owned(); MAX_FINDINGS + 5];
    let report = prove(&lines);
    assert_eq!(report.findings.len(), MAX_FINDINGS);
    assert_eq!(report.wrong, 105);
    assert!(!report.holds());
}
