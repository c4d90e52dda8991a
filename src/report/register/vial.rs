//! One vial's register.

use std::collections::BTreeMap;

use super::{People, named, number, request};
use crate::ident::Scan;
use crate::pb::v1::{self, outcome};
use crate::report::markup::Markup;
use crate::report::moments::{SiteTime, moment};
use crate::report::page::{bold, cell, facts, table};
use crate::report::words::{adds_up, date, quantity, word};

/// A line of a register.
#[derive(Clone)]
struct Row {
    when: String,
    act: &'static str,
    amount: String,
    /// From whom, to whom, or with what reason.
    whom: String,
    by: String,
    witness: String,
    in_container: String,
    in_hands: String,
    entry: String,
}

/// What happened to one vial.
pub(super) struct Register {
    pub(super) name: String,
    product: String,
    lot: String,
    expiry: String,
    supplier: String,
    rows: Vec<Row>,
    /// The last one that an entry here holds.
    pub(super) balance: v1::VialBalance,
}

/// What is on the label of a delivered container.
#[derive(Clone, Default)]
struct Label {
    product: String,
    lot: String,
    expiry: String,
}

/// The registers of all vials, in the order in which they are met.
pub(super) struct Vials {
    time: SiteTime,
    registers: Vec<Register>,
    places: BTreeMap<String, usize>,
    /// Whom each dispensing is for, and who holds it.
    held: BTreeMap<String, (String, String)>,
    /// The line of each waste: its vial, and its place in the register.
    wastes: BTreeMap<String, (usize, usize)>,
}

impl Vials {
    pub(super) fn new(time: SiteTime) -> Self {
        let (registers, places) = (Vec::new(), BTreeMap::new());
        Self { time, registers, places, held: BTreeMap::new(), wastes: BTreeMap::new() }
    }

    pub(super) fn registers(&self) -> &[Register] {
        &self.registers
    }

    /// Takes in what an entry does to vials.
    pub(super) fn meet(&mut self, entry: &v1::Entry, people: &People) {
        let Some(outcome) = &entry.outcome else { return };
        let Some(result) = &outcome.result else { return };
        let labels = match result {
            outcome::Result::VialsReceived(_) => labels(entry),
            _ => Vec::new(),
        };
        for (number, balance) in outcome.balances.iter().enumerate() {
            let place = self.place(balance);
            let mut row = self.row(entry, balance, people);
            self.told(entry, result, people, &mut row);
            let line = self.registers.get(place).map_or(0, |register| register.rows.len());
            match result {
                outcome::Result::Waste(waste) => {
                    self.wastes.insert(waste.name.clone(), (place, line));
                }
                outcome::Result::WasteWitnessed(seen) => self.witnessed(entry, seen, people),
                _ => {}
            }
            let Some(register) = self.registers.get_mut(place) else { continue };
            if let Some(label) = labels.get(number) {
                register.product.clone_from(&label.product);
                register.lot.clone_from(&label.lot);
                register.expiry.clone_from(&label.expiry);
                register.supplier.clone_from(&row.whom);
            }
            register.balance = balance.clone();
            register.rows.push(row);
        }
    }

    /// Where the register of a vial is, which is begun where there is none.
    fn place(&mut self, balance: &v1::VialBalance) -> usize {
        let (registers, next) = (&mut self.registers, self.places.len());
        *self.places.entry(balance.vial.clone()).or_insert_with(|| {
            registers.push(Register {
                name: balance.vial.clone(),
                product: String::new(),
                lot: String::new(),
                expiry: String::new(),
                supplier: String::new(),
                rows: Vec::new(),
                balance: balance.clone(),
            });
            next
        })
    }

    fn row(&self, entry: &v1::Entry, balance: &v1::VialBalance, people: &People) -> Row {
        Row {
            when: self.time.full(moment(entry.recorded_time.as_ref())),
            act: "changed",
            amount: String::new(),
            whom: String::new(),
            by: people.signer(entry),
            witness: String::new(),
            in_container: quantity(balance.in_container.as_ref()),
            in_hands: quantity(balance.in_hands.as_ref()),
            entry: number(entry),
        }
    }

    /// Fills in what the result says.
    fn told(
        &mut self,
        entry: &v1::Entry,
        result: &outcome::Result,
        people: &People,
        row: &mut Row,
    ) {
        match result {
            outcome::Result::VialsReceived(_) => {
                row.act = "received";
                row.amount.clone_from(&row.in_container);
                row.whom = supplier(entry);
            }
            outcome::Result::Dispensing(it) => {
                row.act = "dispensed";
                row.amount = quantity(it.amount.as_ref());
                let holder = named(people, &it.holder);
                row.whom = format!("to {holder} for {}", it.patient);
                self.held.insert(it.name.clone(), (it.patient.clone(), holder));
            }
            outcome::Result::Administration(it) => {
                row.act = "administered";
                row.amount = quantity(it.amount.as_ref());
                let asked: Option<v1::RecordAdministrationRequest> =
                    request(entry, "RecordAdministration");
                let patient = asked.map(|asked| asked.patient).unwrap_or_default();
                row.whom = format!("{patient}: {}", quantity(it.dose.as_ref()));
            }
            outcome::Result::Waste(it) => {
                row.act = "wasted";
                row.amount = quantity(it.amount.as_ref());
                "NOT WITNESSED".clone_into(&mut row.witness);
                if let Some(asked) = request::<v1::RecordWasteRequest>(entry, "RecordWaste") {
                    let reason = word(asked.reason().as_str_name(), "WASTE_REASON");
                    let method = word(asked.method().as_str_name(), "WASTE_METHOD");
                    row.whom = format!("{reason}, {method}");
                }
            }
            outcome::Result::WasteWitnessed(it) => {
                row.act = "waste witnessed";
                row.whom = format!("{} of {}", it.waste, named(people, &it.wasted_by));
            }
            outcome::Result::LotQuarantined(it) => {
                row.act = "quarantined";
                let asked: Option<v1::QuarantineVialsRequest> = request(entry, "QuarantineVials");
                let why = asked.map(|asked| asked.reason).unwrap_or_default();
                row.whom = format!("with lot {}: {why}", it.lot);
            }
            outcome::Result::VialReturned(it) => {
                row.act = "returned";
                row.whom = format!("to {}", it.place);
            }
            _ => {}
        }
    }

    /// A witness's name goes to the waste that was seen.
    fn witnessed(&mut self, entry: &v1::Entry, seen: &v1::WasteWitnessed, people: &People) {
        let Some((place, line)) = self.wastes.get(&seen.waste) else { return };
        let register = self.registers.get_mut(*place);
        if let Some(row) = register.and_then(|register| register.rows.get_mut(*line)) {
            row.witness = format!("{} ({})", named(people, &seen.witnessed_by), number(entry));
        }
    }
}

impl Register {
    /// What the label says.
    pub(super) fn label(&self) -> String {
        let told = [
            self.product.clone(),
            labelled("lot", &self.lot),
            labelled("expiry", &self.expiry),
            quantity(self.balance.content.as_ref()),
        ];
        let told: Vec<String> = told.into_iter().filter(|text| !text.is_empty()).collect();
        told.join(", ")
    }

    pub(super) fn state(&self) -> String {
        word(self.balance.state().as_str_name(), "VIAL_STATE")
    }

    /// What is in the container, and what is in somebody's hands.
    pub(super) fn left(&self) -> String {
        let (inside, out) = (&self.balance.in_container, &self.balance.in_hands);
        format!("{} and {} in hands", quantity(inside.as_ref()), quantity(out.as_ref()))
    }

    /// The register itself.
    pub(super) fn page(&self) -> Markup {
        let balance = &self.balance;
        let mut found = facts(&[
            ("Product", self.product.clone()),
            ("Content", quantity(balance.content.as_ref())),
            ("Lot", self.lot.clone()),
            ("Expiry", self.expiry.clone()),
            ("Supplier", self.supplier.clone()),
            ("Administered", quantity(balance.administered.as_ref())),
            ("Wasted", quantity(balance.wasted.as_ref())),
            ("Left", self.left()),
        ]);
        let rows: Vec<Vec<Markup>> = self.rows.iter().map(Row::cells).collect();
        let heading =
            ["When", "Act", "Amount", "Whom", "By", "Witness", "In container", "In hands", "Entry"];
        found.add(&table(&heading, &rows, ""));
        found
    }
}

impl Row {
    fn cells(&self) -> Vec<Markup> {
        let Self { when, amount, whom, by, witness, in_container, in_hands, entry, act } = self;
        let texts = [when, *act, amount, whom, by, witness, in_container, in_hands, entry];
        texts.into_iter().map(cell).collect()
    }
}

fn labelled(what: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{what} {text}") }
}

/// Whether a vial balances, worked out here again.
pub(super) fn standing(balance: &v1::VialBalance) -> Markup {
    match adds_up(balance) {
        Some(true) => cell("balances"),
        Some(false) => bold("DOES NOT BALANCE"),
        None => bold("cannot be added up"),
    }
}

fn supplier(entry: &v1::Entry) -> String {
    let Some(asked) = request::<v1::ReceiveVialsRequest>(entry, "ReceiveVials") else {
        return String::new();
    };
    let from = asked.supplier.unwrap_or_default();
    let told = [
        from.display_name,
        from.address,
        labelled("DEA", &from.dea_number),
        labelled("invoice", &asked.invoice),
        labelled("order form", &asked.order_form),
        labelled("received", &date(asked.received_date.as_ref())),
    ];
    let told: Vec<String> = told.into_iter().filter(|text| !text.is_empty()).collect();
    told.join(", ")
}

/// The label of each container of a delivery, in the order of its lines.
fn labels(entry: &v1::Entry) -> Vec<Label> {
    let Some(asked) = request::<v1::ReceiveVialsRequest>(entry, "ReceiveVials") else {
        return Vec::new();
    };
    let year = asked.received_date.and_then(|day| u16::try_from(day.year).ok()).unwrap_or_default();
    let mut labels = Vec::new();
    for line in &asked.lines {
        let scan = Scan::parse(&line.gs1_scan, year).ok();
        let scanned = |text: &str, read: Option<String>| {
            if text.is_empty() { read.unwrap_or_default() } else { text.to_owned() }
        };
        let gtin = scan.as_ref().and_then(Scan::gtin).map(|gtin| format!("GTIN {gtin}"));
        let lot = scan.as_ref().and_then(Scan::lot).map(ToString::to_string);
        let expiry = scan.as_ref().and_then(Scan::expiry).map(|day| day.to_string());
        let label = Label {
            product: scanned(&line.product, gtin),
            lot: scanned(&line.lot, lot),
            expiry: scanned(&date(line.expiry_date.as_ref()), expiry),
        };
        let count = usize::try_from(line.counted).unwrap_or(0);
        labels.extend(std::iter::repeat_n(label, count));
    }
    labels
}
