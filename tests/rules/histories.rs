//! Random histories: operations that mean something to whatever ledger they meet, sensible or not.

use vialedger::names::VialName;
use vialedger::pb::v1::{self, Role, record_waste_request::Source};
use vialedger::units::{Amount, AmountKind, Rational};
use vialedger::vial::{Portion, Vial};
use vialedger::wire::amount_to_wire;

use crate::requests::{self, EUGIA, KETALAR, NASAL, SAGENT, SPRAVATO, at, calculate_with, line, q};
use crate::support::{Book, MINUTE, calculation};

/// People by number; a nonsensical act is signed by whoever the number falls on.
pub(crate) const PEOPLE: [&str; 8] = ["ada", "ben", "nia", "ned", "pat", "tom", "aud", "ehr"];
const PRODUCTS: [&str; 4] = [KETALAR, EUGIA, SAGENT, SPRAVATO];
const ROLES: [Role; 7] = [
    Role::Pharmacist,
    Role::Technician,
    Role::Prescriber,
    Role::Nurse,
    Role::Auditor,
    Role::Administrator,
    Role::Service,
];

/// How much is taken of what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// All of it.
    All,
    /// Half of it, rounded down to a base unit.
    Half,
    /// A base unit.
    Least,
    /// A base unit more than there is.
    Over,
    /// An amount of another kind.
    OtherKind,
}

/// One operation. Numbers choose among what is there, modulo how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Minutes go by.
    Wait(u32),
    /// Containers of a product come in; the last one of the expiries is past.
    Receive { by: u8, product: u8, count: u8, expiry: u8 },
    /// A dose for a patient.
    Calculate { by: u8, patient: u8, product: u8, tenths_of_mg_per_kg: u8 },
    /// A vial to a holder.
    Dispense {
        by: u8,
        vial: u8,
        holder: u8,
        patient: u8,
        calculated: bool,
        part: Option<Part>,
        any_order: bool,
    },
    /// From somebody's hands into the patient that it is for, or into another.
    Administer { by: Option<u8>, held: u8, part: Part, right_patient: bool },
    /// From somebody's hands into the waste.
    Waste { by: Option<u8>, held: u8, part: Part },
    /// From a vial at its place.
    WasteStock { by: u8, vial: u8, part: Part, broken: bool },
    /// Somebody signs for a waste, for its amount or for another.
    Witness { by: u8, waste: u8, right_amount: bool },
    /// Somebody brings back what they hold.
    Return { by: Option<u8>, held: u8, intact: bool },
    /// A key ends.
    Revoke { by: u8, whose: u8 },
    /// A person gets a new key.
    Renew { by: u8, whose: u8 },
    /// A person's roles become these two.
    Roles { by: u8, whose: u8, first: u8, second: u8 },
    /// The oldest proposal is approved.
    Approve { by: u8 },
}

/// A ledger with the keys that people sign with now.
pub(crate) struct Play {
    pub(crate) book: Book,
    keys: [String; 8],
    dose: Option<String>,
    renewed: u32,
}

impl Play {
    pub(crate) fn new(book: Book) -> Self {
        Self { book, keys: PEOPLE.map(str::to_owned), dose: None, renewed: 0 }
    }

    fn key(&self, number: u8) -> String {
        self.keys[usize::from(number) % self.keys.len()].clone()
    }

    /// The key of the person of this name, or of whoever a number falls on.
    fn key_of(&self, person: &str, by: Option<u8>) -> String {
        let known = PEOPLE.iter().position(|known| format!("people/{known}") == person);
        by.map_or_else(|| self.keys[known.unwrap()].clone(), |number| self.key(number))
    }

    /// Plays one operation; whatever it meets is part of the ledger's life.
    pub(crate) fn play(&mut self, op: Op) {
        match op {
            Op::Wait(minutes) => self.book.wait(i64::from(minutes) * MINUTE),
            Op::Receive { by, product, count, expiry } => {
                let expiries = ["2027-01-31", "2028-01-31", "2026-12-01", "2026-11-01"];
                let product = PRODUCTS[usize::from(product) % PRODUCTS.len()];
                let expiry = expiries[usize::from(expiry) % expiries.len()];
                let lines = [line(product, "L1", expiry, u32::from(count % 3) + 1)];
                let request = requests::receive(&lines);
                let _ = self.book.act(&self.key(by), request);
            }
            Op::Calculate { by, patient, product, tenths_of_mg_per_kg } => {
                self.calculate(by, patient, product, tenths_of_mg_per_kg);
            }
            Op::Dispense { .. } => self.dispense(op),
            Op::WasteStock { by, vial, part, broken } => {
                let Some(vial) = self.vial(vial) else { return };
                let source = Source::Vial(vial.name().to_string());
                let mut request = requests::waste_of(source, "1 mL", self.book.now);
                request.amount = of(vial.balance().in_container, part, &vial);
                if broken {
                    request.set_reason(v1::WasteReason::BrokenOrSpilled);
                }
                let _ = self.book.act(&self.key(by), request);
            }
            Op::Witness { by, waste, right_amount } => self.witness(by, waste, right_amount),
            Op::Administer { .. } | Op::Waste { .. } | Op::Return { .. } => self.in_hands(op),
            Op::Revoke { .. } | Op::Renew { .. } | Op::Roles { .. } | Op::Approve { .. } => {
                self.people(op);
            }
        }
    }

    /// What becomes of a vial in somebody's hands.
    fn in_hands(&mut self, op: Op) {
        match op {
            Op::Administer { by, held, part, right_patient } => {
                let Some((vial, name, portion)) = self.held(held) else { return };
                let patient = if right_patient {
                    portion.patient.to_string()
                } else {
                    "patients/x".to_owned()
                };
                let request = v1::RecordAdministrationRequest {
                    dispensing: name,
                    patient,
                    amount: of(portion.remaining, part, &vial),
                    start_time: at(self.book.now),
                    end_time: at(self.book.now),
                    ..Default::default()
                };
                let _ = self.book.act(&self.key_of(&portion.holder.to_string(), by), request);
            }
            Op::Waste { by, held, part } => {
                let Some((vial, name, portion)) = self.held(held) else { return };
                let request = v1::RecordWasteRequest {
                    amount: of(portion.remaining, part, &vial),
                    ..requests::waste(&name, "1 mL", self.book.now)
                };
                let _ = self.book.act(&self.key_of(&portion.holder.to_string(), by), request);
            }
            Op::Return { by, held, intact } => {
                let Some((_, name, portion)) = self.held(held) else { return };
                let request =
                    v1::ReturnVialRequest { seal_intact: intact, ..requests::take_back(&name) };
                let _ = self.book.act(&self.key_of(&portion.holder.to_string(), by), request);
            }
            _ => unreachable!("{op:?} is about nothing in hands"),
        }
    }

    /// What becomes of people, roles and keys.
    fn people(&mut self, op: Op) {
        match op {
            Op::Revoke { by, whose } => {
                let request = requests::revoke(&self.key(whose));
                let _ = self.book.act(&self.key(by), request);
            }
            Op::Renew { by, whose } => {
                let person = PEOPLE[usize::from(whose) % PEOPLE.len()];
                self.renewed += 1;
                let label = format!("{person}-{}", self.renewed);
                if self.book.act(&self.key(by), requests::enroll_key(person, &label)).is_ok() {
                    self.keys[usize::from(whose) % PEOPLE.len()] = label;
                }
            }
            Op::Roles { by, whose, first, second } => {
                let mut roles = vec![ROLES[usize::from(first) % 7], ROLES[usize::from(second) % 7]];
                roles.dedup();
                let person = PEOPLE[usize::from(whose) % PEOPLE.len()];
                let _ = self.book.act(&self.key(by), requests::change_roles(person, &roles));
            }
            Op::Approve { by } => {
                let Some((index, leaf)) = self
                    .book
                    .state
                    .proposals()
                    .next()
                    .map(|(index, proposal)| (index, proposal.leaf_hash))
                else {
                    return;
                };
                let request = v1::ApproveRequest {
                    proposal: format!("entries/{index}"),
                    leaf_hash: leaf.as_ref().to_vec(),
                    ..Default::default()
                };
                let _ = self.book.act(&self.key(by), request);
            }
            _ => unreachable!("{op:?} is about nobody"),
        }
    }

    fn calculate(&mut self, by: u8, patient: u8, product: u8, tenths: u8) {
        let now = self.book.now;
        let product = PRODUCTS[usize::from(product) % PRODUCTS.len()];
        let request = calculate_with(|inputs| {
            inputs.patient = patient_name(patient);
            inputs.weight.as_mut().unwrap().measured_time = at(now);
            product.clone_into(&mut inputs.product);
            inputs.dose = q(&format!("0.{} mg/kg", tenths % 9 + 1));
            inputs.syringe = if product == SAGENT { q("1 mL") } else { q("10 mL") };
            if product == SPRAVATO {
                NASAL.clone_into(&mut inputs.protocol);
                (inputs.dose, inputs.syringe, inputs.diluted_volume) = (None, None, None);
            }
        });
        if let Ok(step) = self.book.act(&self.key(by), request) {
            self.dose = Some(calculation(&step));
        }
    }

    fn dispense(&mut self, op: Op) {
        let Op::Dispense { by, vial, holder, patient, calculated, part, any_order } = op else {
            return;
        };
        let Some(vial) = self.vial(vial) else { return };
        let dose = self.dose.clone().filter(|_| calculated).unwrap_or_default();
        let some = |wanted: bool| if wanted { "because".to_owned() } else { String::new() };
        let request = v1::DispenseVialRequest {
            vial: vial.name().to_string(),
            holder: format!("people/{}", PEOPLE[usize::from(holder) % PEOPLE.len()]),
            patient: patient_name(patient),
            emergency_reason: some(dose.is_empty()),
            dose_calculation: dose,
            expiry_order_reason: some(any_order),
            amount: part.and_then(|part| of(vial.balance().in_container, part, &vial)),
            ..Default::default()
        };
        let _ = self.book.act(&self.key(by), request);
    }

    fn witness(&mut self, by: u8, waste: u8, right_amount: bool) {
        let vials = self.book.state.vials_from(VialName { delivery: 0, number: 0 });
        let wastes: Vec<_> = vials
            .flat_map(|vial| vial.unwitnessed())
            .map(|(name, waste)| (name.to_string(), waste.amount))
            .collect();
        let Some((waste, amount)) = pick(&wastes, waste) else { return };
        let seen = if right_amount { Some(amount_to_wire(*amount)) } else { q("0.123 mL") };
        let request =
            v1::WitnessRequest { waste: waste.clone(), amount: seen, ..Default::default() };
        let _ = self.book.act(&self.key(by), request);
    }

    /// A vial that is not closed.
    fn vial(&self, number: u8) -> Option<Vial> {
        let first = VialName { delivery: 0, number: 0 };
        let vials: Vec<_> = self.book.state.vials_from(first).collect();
        pick(&vials, number).map(|vial| vial.as_ref().clone())
    }

    /// Something in somebody's hands.
    fn held(&self, number: u8) -> Option<(Vial, String, Portion)> {
        let first = VialName { delivery: 0, number: 0 };
        let vials = self.book.state.vials_from(first);
        let held: Vec<_> = vials
            .flat_map(|vial| {
                vial.portions().iter().map(move |(name, portion)| (vial, name, portion))
            })
            .collect();
        pick(&held, number).map(|(vial, name, portion)| {
            (vial.as_ref().clone(), name.to_string(), (*portion).clone())
        })
    }
}

fn patient_name(number: u8) -> String {
    format!("patients/p{}", number % 3)
}

fn pick<T>(all: &[T], number: u8) -> Option<&T> {
    all.get(usize::from(number).checked_rem(all.len())?)
}

/// So much of what is there; nothing where that would be nothing.
fn of(there: Amount, part: Part, vial: &Vial) -> Option<v1::Quantity> {
    let base = match part {
        Part::All => there.base(),
        Part::Half => there.base() / 2,
        Part::Least => 1,
        Part::Over => there.base() + 1,
        Part::OtherKind => {
            let volume = vial.label().content.kind() == AmountKind::Volume;
            return if volume { q("1 {device}") } else { q("1 mL") };
        }
    };
    let amount = Amount::from_base(there.kind(), Rational::from(base.max(1))).unwrap();
    Some(amount_to_wire(amount))
}

/// Histories that once led where they must not, and others of their kind.
pub(crate) const REMEMBERED: [&[Op]; 4] = [
    // An empty vial whose waste waits for its witness was in stock, could be asked for, and was counted.
    &[
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 2,
            patient: 0,
            calculated: false,
            part: None,
            any_order: true,
        },
        Op::Waste { by: None, held: 0, part: Part::All },
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 3,
            patient: 1,
            calculated: false,
            part: None,
            any_order: true,
        },
        Op::WasteStock { by: 1, vial: 0, part: Part::All, broken: true },
        Op::Witness { by: 3, waste: 0, right_amount: true },
        Op::Witness { by: 4, waste: 0, right_amount: true },
    ],
    // All that was left in a vial is in hands as a part: nobody brings it back, nobody takes more.
    &[
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 2,
            patient: 0,
            calculated: false,
            part: Some(Part::Half),
            any_order: true,
        },
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 3,
            patient: 1,
            calculated: false,
            part: Some(Part::All),
            any_order: true,
        },
        Op::Return { by: None, held: 1, intact: true },
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 3,
            patient: 1,
            calculated: false,
            part: Some(Part::Least),
            any_order: true,
        },
        Op::Administer { by: None, held: 1, part: Part::All, right_patient: true },
        Op::Administer { by: None, held: 0, part: Part::All, right_patient: true },
    ],
    // A calculation that expires while a vial of it is in hands is kept until that is settled, and no longer.
    &[
        Op::Calculate { by: 4, patient: 0, product: 0, tenths_of_mg_per_kg: 4 },
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 2,
            patient: 0,
            calculated: true,
            part: Some(Part::Least),
            any_order: true,
        },
        Op::Wait(61),
        Op::Receive { by: 5, product: 0, count: 0, expiry: 0 },
        Op::Administer { by: None, held: 0, part: Part::All, right_patient: true },
        Op::Receive { by: 5, product: 0, count: 0, expiry: 0 },
    ],
    // Whoever holds a vial loses the key, gets another, and goes on.
    &[
        Op::Dispense {
            by: 1,
            vial: 0,
            holder: 2,
            patient: 0,
            calculated: false,
            part: None,
            any_order: true,
        },
        Op::Revoke { by: 0, whose: 2 },
        Op::Return { by: None, held: 0, intact: true },
        Op::Renew { by: 0, whose: 2 },
        Op::Return { by: None, held: 0, intact: true },
        Op::Approve { by: 1 },
        Op::Return { by: None, held: 0, intact: true },
    ],
];
