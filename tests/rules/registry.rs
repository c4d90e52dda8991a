//! Who may do what: two people, proposals and approvals, keys that begin and end.

use vialedger::pb::v1::{self, FlagKind, Role, outcome};
use vialedger::state::Step;

use crate::requests::{
    approve, calculate, change_roles, create_place, emergency, enroll, enroll_key, publish, revoke,
    small_formulary,
};
use crate::support::{Book, HOUR, ORIGIN, clinic, flags, possession, public, staffed, vial};

fn proposed(step: &Step) -> bool {
    matches!(step.outcome.result, Some(outcome::Result::Proposed(_)))
}

#[test]
fn one_acts_alone_only_while_nobody_else_holds_the_right() {
    let mut book = Book::begin();
    let step = book.act("ada", enroll("nia", &[Role::Nurse])).unwrap();
    assert_eq!(flags(&step), [FlagKind::ActedAlone]);
    let step = book.act("ada", enroll("ben", &[Role::Administrator])).unwrap();
    assert_eq!(flags(&step), [FlagKind::ActedAlone]);
    // From now on there are two.
    let step = book.act("ada", enroll("pat", &[Role::Prescriber])).unwrap();
    assert!(proposed(&step) && flags(&step).is_empty());
    assert!(book.state.person(&"people/pat".parse().unwrap()).is_none());
    assert_eq!(book.refused("pat", calculate("p1")), "UNKNOWN_KEY");
    let step = book.act("ben", approve(&step)).unwrap();
    let Some(outcome::Result::RegistryChanged(changed)) = &step.outcome.result else { panic!() };
    assert_eq!((changed.resource.as_str(), changed.proposal), ("people/pat", Some(3)));
    assert_eq!(changed.approved_by, "people/ben");
    assert_eq!(book.refused("pat", calculate("p1")), "NO_FORMULARY");
    // Once the other's key is gone, one is alone again, and it shows.
    book.act("ben", revoke("ben")).unwrap();
    let step = book.act("ada", enroll("ned", &[Role::Nurse])).unwrap();
    assert_eq!(flags(&step), [FlagKind::ActedAlone]);
    book.audit();
}

#[test]
fn a_proposal_is_approved_once_and_by_another() {
    let mut book = staffed();
    let step = book.act("ada", change_roles("tom", &[Role::Pharmacist])).unwrap();
    assert!(proposed(&step));
    let waiting: Vec<_> = book.state.proposals().map(|(index, _)| index).collect();
    assert_eq!(waiting, [step.entry.index()]);
    assert_eq!(book.refused("ada", approve(&step)), "SELF_APPROVAL");
    let Some(outcome::Result::Refusal(kept)) = book.last_entry().outcome.unwrap().result else {
        panic!("self-approval leaves an entry");
    };
    assert_eq!((kept.reason.as_str(), kept.resource.as_str()), ("SELF_APPROVAL", "people/ada"));
    assert_eq!(book.refused("nia", approve(&step)), "ROLE_NOT_HELD");
    // The leaf hash of another entry: what was read is not what would be approved.
    let other = book.state.last_leaf().as_ref().to_vec();
    let wrong = v1::ApproveRequest { leaf_hash: other, ..approve(&step) };
    assert_eq!(book.refused("ben", wrong), "PROPOSAL_DIFFERS");
    book.act("ben", approve(&step)).unwrap();
    assert_eq!(book.refused("ben", approve(&step)), "UNKNOWN_RESOURCE");
    let tom = book.state.person(&"people/tom".parse().unwrap()).unwrap();
    assert_eq!(tom.roles, [vialedger::role::Role::Pharmacist]);
    book.audit();
}

#[test]
fn a_formulary_takes_a_pharmacist_among_the_two() {
    let mut book = staffed();
    let step = book.act("ada", enroll("eve", &[Role::Administrator])).unwrap();
    book.act("ben", approve(&step)).unwrap();
    // Put forward by one who is no pharmacist: only ben can approve.
    let step = book.act("ada", publish(&small_formulary())).unwrap();
    let Some(outcome::Result::Proposed(proposed)) = &step.outcome.result else { panic!() };
    assert_eq!(proposed.awaiting, "waits for the approval of one of: people/ben");
    assert_eq!(book.refused("eve", approve(&step)), "ROLE_NOT_HELD");
    assert_eq!(book.refused("ada", approve(&step)), "ROLE_NOT_HELD");
    assert!(book.state.formulary().is_none());
    let step = book.act("ben", approve(&step)).unwrap();
    assert_eq!(book.state.formulary().unwrap().entry, step.entry.index());
    // Put forward by the pharmacist: any administrator can.
    let step = book.act("ben", publish(&small_formulary())).unwrap();
    assert_eq!(book.refused("ben", approve(&step)), "SELF_APPROVAL");
    book.act("eve", approve(&step)).unwrap();
    // Neither nurse nor technician puts one forward.
    assert_eq!(book.refused("tom", publish(&small_formulary())), "ROLE_NOT_HELD");
    book.audit();
}

#[test]
fn a_product_id_keeps_its_strength_and_content() {
    let mut book = clinic();
    let changed = small_formulary().replace("strength = \"10 mg/mL\"", "strength = \"50 mg/mL\"");
    let error = book.act("ben", publish(&changed)).unwrap_err();
    assert_eq!(error.reason(), "FORMULARY_INVALID");
    assert!(error.to_string().contains("was 10 mg/mL in 20 mL before and is 50 mg/mL"), "{error}");
    let changed = small_formulary().replace("content = \"20 mL\"", "content = \"10 mL\"");
    assert_eq!(book.refused("ben", publish(&changed)), "FORMULARY_INVALID");
    let renamed = small_formulary().replace("multiple-dose vial", "vial for several doses");
    book.act("ben", publish(&renamed)).unwrap();
    book.audit();
}

#[test]
fn the_last_administrator_stays() {
    let mut book = Book::begin();
    assert_eq!(book.refused("ada", revoke("ada")), "LAST_ADMINISTRATOR");
    assert_eq!(book.refused("ada", change_roles("ada", &[])), "LAST_ADMINISTRATOR");
    assert_eq!(book.refused("ada", change_roles("ada", &[Role::Nurse])), "LAST_ADMINISTRATOR");
    book.act("ada", change_roles("ada", &[Role::Administrator, Role::Nurse])).unwrap();
    // With a second key, the first may go.
    book.act("ada", enroll_key("ada", "ada-2")).unwrap();
    book.act("ada-2", revoke("ada")).unwrap();
    assert_eq!(book.refused("ada-2", revoke("ada-2")), "LAST_ADMINISTRATOR");
    // An administrator without a valid key is none.
    book.act("ada-2", enroll("ben", &[Role::Administrator])).unwrap();
    book.act("ben", revoke("ben")).unwrap();
    assert_eq!(book.refused("ada-2", revoke("ada-2")), "LAST_ADMINISTRATOR");
    book.audit();
}

#[test]
fn two_approvals_cannot_leave_the_ledger_without_an_administrator() {
    let mut book = staffed();
    let ada = book.act("ada", change_roles("ada", &[])).unwrap();
    let ben = book.act("ben", change_roles("ben", &[Role::Pharmacist])).unwrap();
    book.act("ben", approve(&ada)).unwrap();
    // Ada, who would approve the second, holds no right any more, and nobody else can.
    assert_eq!(book.refused("ada", approve(&ben)), "ROLE_NOT_HELD");
    assert_eq!(book.refused("ben", approve(&ben)), "SELF_APPROVAL");
    book.audit();
}

#[test]
fn a_revoked_key_ends_and_what_it_signed_stays() {
    let mut book = clinic();
    let dose = book.act("pat", calculate("p1")).unwrap();
    assert_eq!(book.refused("nia", revoke("pat")), "ROLE_NOT_HELD");
    book.wait(HOUR);
    let step = book.act("ada", revoke("pat")).unwrap();
    let record = book.state.key(&public("pat")).unwrap();
    assert_eq!(record.revoked, Some(step.entry.recorded_time()));
    assert_eq!(book.refused("pat", calculate("p1")), "KEY_REVOKED");
    assert_eq!(book.refused("ada", revoke("pat")), "UNKNOWN_RESOURCE");
    assert_eq!(book.refused("ada", revoke("nobody")), "UNKNOWN_RESOURCE");
    // The same key never comes back, for pat or for another.
    assert_eq!(book.refused("ada", enroll_key("pat", "pat")), "RESOURCE_EXISTS");
    assert_eq!(book.refused("ada", enroll_key("nia", "pat")), "RESOURCE_EXISTS");
    // A new key of the same person does.
    let step = book.act("ada", enroll_key("pat", "pat-2")).unwrap();
    book.act("ben", approve(&step)).unwrap();
    book.act("pat-2", calculate("p1")).unwrap();
    assert!(dose.entry.index() < step.entry.index());
    book.audit();
}

#[test]
fn a_person_ends_a_key_of_their_own_and_holds_nothing_without_one() {
    let mut book = clinic();
    book.act("nia", revoke("nia")).unwrap();
    let to_nia = emergency(&vial(1));
    assert_eq!(book.refused("pat", to_nia), "HOLDER_NOT_LICENSED");
    book.audit();
}

#[test]
fn a_role_that_was_taken_away_is_not_held() {
    let mut book = clinic();
    let step = book.act("ada", change_roles("pat", &[])).unwrap();
    book.act("pat", calculate("p1")).unwrap();
    book.act("ben", approve(&step)).unwrap();
    assert_eq!(book.refused("pat", calculate("p1")), "ROLE_NOT_HELD");
    book.audit();
}

#[test]
fn nobody_enrols_a_key_that_they_do_not_hold() {
    let mut book = staffed();
    let field = |book: &mut Book, request| book.violations::<v1::EnrollPersonRequest>(request);
    for stolen in [
        // Signed by another key, for another person, for another ledger, and not at all.
        possession(ORIGIN, "ada", "people/zoe"),
        possession(ORIGIN, "zoe", "people/zoe-2"),
        possession("ledger.example/other", "zoe", "people/zoe"),
        vec![0; 64],
        Vec::new(),
    ] {
        let request =
            v1::EnrollPersonRequest { possession: stolen.clone(), ..enroll("zoe", &[Role::Nurse]) };
        assert_eq!(field(&mut book, request)[0].field, "possession");
        let request = v1::EnrollKeyRequest { possession: stolen, ..enroll_key("nia", "zoe") };
        assert_eq!(book.violations(request)[0].field, "possession");
    }
    // A weak key: its holder could be anybody.
    let mut weak = enroll("zoe", &[Role::Nurse]);
    weak.person.as_mut().unwrap().keys[0].public_key = [[1].as_slice(), &[0; 31]].concat();
    assert_eq!(field(&mut book, weak)[0].field, "person.keys");
    book.audit();
}

#[test]
fn the_same_thing_is_not_put_into_force_twice() {
    let mut book = staffed();
    let first = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
    let second = book.act("ben", enroll("zoe", &[Role::Pharmacist])).unwrap();
    book.act("ben", approve(&first)).unwrap();
    assert_eq!(book.refused("ada", approve(&second)), "RESOURCE_EXISTS");
    assert_eq!(book.refused("ada", enroll("nia", &[Role::Nurse])), "RESOURCE_EXISTS");
    book.act("ada", create_place("safe")).unwrap();
    assert_eq!(book.refused("ben", create_place("safe")), "RESOURCE_EXISTS");
    assert_eq!(book.refused("tom", create_place("ward")), "ROLE_NOT_HELD");
    book.audit();
}
