//! Commitments against vectors that another program computed from the definition, bounds, ages, and free text.

use proptest::prelude::*;

use super::*;
use crate::pb::v1;

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn identity(name: &str, address: &str, birth: &str, identifiers: &[&str]) -> Identity {
    let identifiers = identifiers.iter().map(|text| (*text).to_owned()).collect();
    Identity::new(name.to_owned(), address.to_owned(), date(birth), identifiers).unwrap()
}

fn pia() -> Identity {
    let address = "12 Depot Road, Dayton, OH 45402";
    identity("Pia Petersen", address, "1984-02-29", &["MRN 0042-17", "H1234567"])
}

fn opening(identity: Identity) -> Opening {
    Opening { identity, salts: [[1; 32], [2; 32], [3; 32], [4; 32]] }
}

#[test]
fn commitments_are_those_of_another_program() {
    // Computed in Python with hashlib, from the definition at the head of the module.
    let zoe = identity("Zoë Ångström-Łuk", "7 Rue de l'Église, 1000 Bruxelles", "2008-11-22", &[]);
    let vectors = [
        (pia(), "28f1b927df01ad14c23b7d07d69ca14ffcc1fc23b724a141729854fdb06d9542"),
        (zoe, "d5a3f653984bc857e743ddf4c60c94f26aad8588bdf47de76a7f2339fab47da5"),
    ];
    for (identity, expected) in vectors {
        assert_eq!(opening(identity).commitment().to_string(), expected);
    }
}

#[test]
fn anything_that_differs_in_an_opening_differs_in_the_commitment() {
    let address = "12 Depot Road, Dayton, OH 45402";
    let others = [
        opening(identity("Pia Peterson", address, "1984-02-29", &["MRN 0042-17", "H1234567"])),
        opening(identity("Pia Petersen", "12 Depot Road", "1984-02-29", &["MRN 0042-17"])),
        opening(identity("Pia Petersen", address, "1984-02-28", &["MRN 0042-17", "H1234567"])),
        opening(identity("Pia Petersen", address, "1984-02-29", &["H1234567", "MRN 0042-17"])),
        // Each identifier carries its length, so that two are not one.
        opening(identity("Pia Petersen", address, "1984-02-29", &["MRN 0042-17H1234567"])),
        opening(identity("Pia Petersen", address, "1984-02-29", &["MRN 0042-1", "7H1234567"])),
        Opening { salts: [[2; 32], [1; 32], [3; 32], [4; 32]], ..opening(pia()) },
        Opening { salts: [[1; 32], [2; 32], [3; 32], [5; 32]], ..opening(pia()) },
    ];
    let mut seen = vec![opening(pia()).commitment()];
    for other in others {
        let commitment = other.commitment();
        assert!(!seen.contains(&commitment));
        seen.push(commitment);
    }
}

#[test]
fn a_commitment_has_one_spelling() {
    let commitment = opening(pia()).commitment();
    let text = commitment.to_string();
    assert_eq!(text.parse(), Ok(commitment));
    assert_eq!(Commitment::try_from(commitment.as_bytes().as_slice()), Ok(commitment));
    assert_eq!(serde_json::to_string(&commitment).unwrap(), format!("{text:?}"));
    assert_eq!(serde_json::from_str::<Commitment>(&format!("{text:?}")).unwrap(), commitment);
    let bytes = postcard::to_allocvec(&commitment).unwrap();
    assert_eq!(bytes.len(), COMMITMENT_BYTES);
    assert_eq!(postcard::from_bytes::<Commitment>(&bytes).unwrap(), commitment);
    for refused in ["", "28f1", &text.to_uppercase(), &text[1..], &format!("{text}0"), "é"] {
        assert_eq!(refused.parse::<Commitment>(), Err(CommitmentError::Hex), "{refused}");
    }
    let short = Commitment::try_from(&[0; 31][..]);
    assert_eq!(short, Err(CommitmentError::Length { found: 31 }));
}

#[test]
fn an_opening_comes_back_from_the_wire_as_it_went() {
    assert_eq!(Opening::from_wire(&opening(pia()).to_wire()), Ok(opening(pia())));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_without_what_was_sent() {
    let message = v1::IdentityOpening {
        identity: Some(v1::PatientIdentity {
            display_name: " ".to_owned(),
            address: "a".repeat(MAX_ADDRESS_CHARS + 1),
            birth_date: Some(v1::Date { year: 1981, month: 2, day: 30 }),
            identifiers: vec!["Pia".to_owned(), "one\nline".to_owned(), String::new()],
        }),
        salts: vec![vec![1; 32], vec![1; 32], vec![3; 31]],
    };
    let wrong = Opening::from_wire(&message).unwrap_err();
    let fields: Vec<&str> = wrong.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "identity.display_name",
        "identity.address",
        "identity.birth_date",
        "identity.identifiers[1]",
        "identity.identifiers[2]",
        "salts[1]",
        "salts[2]",
        "salts",
    ];
    assert_eq!(fields, expected);
    let told: String = wrong.into_iter().map(|(_, description)| description).collect();
    for secret in ["Pia", "aaa", "1981"] {
        assert!(!told.contains(secret), "{told}");
    }

    let empty = Opening::from_wire(&v1::IdentityOpening::default()).unwrap_err();
    let fields: Vec<&str> = empty.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["identity", "salts"]);

    let mut many = opening(pia()).to_wire();
    many.identity.as_mut().unwrap().identifiers = vec!["7".to_owned(); MAX_IDENTIFIERS + 1];
    let many = Opening::from_wire(&many).unwrap_err();
    assert_eq!(many[0].0, "identity.identifiers");
    assert!(Identity::new(String::new(), "x".into(), date("1981-07-03"), Vec::new()).is_err());
}

#[test]
fn the_longest_identity_has_a_commitment() {
    let identifiers = vec!["\u{10FFFF}".repeat(MAX_IDENTIFIER_CHARS); MAX_IDENTIFIERS];
    let name = "\u{10FFFF}".repeat(MAX_NAME_CHARS);
    let address = "\u{10FFFF}".repeat(MAX_ADDRESS_CHARS);
    let longest = opening(Identity::new(name, address, Date::MAX, identifiers).unwrap());
    assert_eq!(Opening::from_wire(&longest.to_wire()).unwrap().commitment(), longest.commitment());
}

#[test]
fn nothing_of_an_identity_is_printed_by_accident() {
    let printed = format!("{:?} {:?}", opening(pia()), pia());
    for secret in ["Pia", "Depot", "1984", "0042"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn ages_are_completed_years() {
    let rows = [
        // The day before, at and after the eighteenth birthday.
        ("2008-11-22", "2026-11-21", Some(17)),
        ("2008-11-22", "2026-11-22", Some(18)),
        ("2008-11-22", "2026-11-23", Some(18)),
        // Born on a leap day: a common year waits for 1 March, a leap year has the day.
        ("2008-02-29", "2026-02-28", Some(17)),
        ("2008-02-29", "2026-03-01", Some(18)),
        ("2008-02-29", "2028-02-28", Some(19)),
        ("2008-02-29", "2028-02-29", Some(20)),
        // The day of birth, the day before it, and both ends of a year.
        ("2026-11-21", "2026-11-21", Some(0)),
        ("2026-11-21", "2026-11-20", None),
        ("2008-12-31", "2026-12-30", Some(17)),
        ("2008-01-01", "2026-01-01", Some(18)),
        ("1899-12-31", "2026-11-21", Some(126)),
    ];
    for (birth, day, expected) in rows {
        let age = identity("Pia", "x", birth, &[]).age_on(date(day));
        assert_eq!(age, expected, "born {birth}, on {day}");
    }
}

#[test]
fn an_identity_is_found_in_a_note_however_it_is_typed() {
    let pia = pia();
    let found = [
        "Pia was calm",
        "spoke with mrs PETERSEN.",
        "petersen's daughter",
        "see pia_petersen.pdf",
        "chart MRN 0042-17",
        "chart mrn004217",
        "insurance h1234567",
        "H 1234567",
        "born 1984-02-29",
        "born 29.2.1984",
        "born 29.02.84",
        "born 2/29/1984",
        "dob 02/29/84",
        "29 February 1984",
        "Feb 29th, 1984",
        "the 29th of feb 1984",
        "19840229",
        "id 29021984",
        "lives at 12 Depot Road",
        "12 depot road dayton",
        "Dayton, OH 45402: 12, Depot Road",
    ];
    for text in found {
        assert!(pia.occurs_in(text), "{text}");
    }
    let clean = [
        "",
        "calm, BP 120/70, SpO2 98 %",
        "utopia is a word, and petersens is another",
        "Dayton is a town; the depot is shut",
        "seen 28.2.1984, called 2/28/84 and 29.3.1984",
        "84 mmHg at 2 and at 29 minutes",
        "MRN 0042-18, H12345678",
        "112 Depot Road",
    ];
    for text in clean {
        assert!(!pia.occurs_in(text), "{text}");
    }
}

#[test]
fn names_with_accents_hyphens_and_other_scripts_are_found() {
    let rows = [
        ("José Núñez", "JOSE came", true),
        ("Jose Nunez", "José came", true),
        ("Jose Nunez", "Nun\u{0303}ez came", true),
        ("Anna-Lena Groß", "frau gross", true),
        ("Anna-Lena Groß", "anna lena", true),
        ("Li Wu", "Li Wu was calm", true),
        ("Li Wu", "li was calm", false),
        ("Ann Lee", "annual leeway", false),
        ("Ann Lee", "ann's sister", true),
        ("李小龍", "病人李小龍很平靜", true),
        ("Анна Каренина", "каренина пришла", true),
    ];
    for (name, text, expected) in rows {
        let identity = identity(name, "x", "1981-07-03", &["7"]);
        assert_eq!(identity.occurs_in(text), expected, "{name} in {text}");
    }
}

#[test]
fn an_address_is_found_by_its_street_and_not_by_a_flat_or_a_town() {
    let identity = identity("Bo", "Flat 3, Rosenweg 17; Springfield\u{2003}", "1981-07-03", &[]);
    assert!(identity.occurs_in("lives in rosenweg 17"));
    assert!(!identity.occurs_in("lay flat 3 minutes"));
    assert!(!identity.occurs_in("was in Springfield"));
}

proptest! {
    #[test]
    fn a_name_is_found_in_whatever_text_it_stands(
        name in "\\PC{1,40}", address in "\\PC{1,60}", text in "\\PC{0,80}",
    ) {
        let identifiers = vec!["A-1".to_owned()];
        if let Ok(identity) = Identity::new(name.clone(), address, date("1981-07-03"), identifiers) {
            let nameless = name.chars().all(|c| !c.is_alphanumeric());
            let note = format!("{text} {name} {text}");
            prop_assert!(nameless || identity.occurs_in(&note), "{name:?} in {note:?}");
        }
    }

    #[test]
    fn hex_is_read_as_it_is_written(bytes in any::<[u8; 32]>(), text in "[0-9a-fA-F]{60,66}") {
        let commitment = Commitment::new(bytes);
        prop_assert_eq!(commitment.to_string().parse(), Ok(commitment));
        if let Ok(commitment) = text.parse::<Commitment>() {
            prop_assert_eq!(commitment.to_string(), text);
        }
    }
}
