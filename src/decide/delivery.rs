//! Deliveries: counted, labelled, and put where they belong.

use super::authority::RECEIVERS;
use super::{Case, Draft, Signer};
use crate::command::{Act, Command, DeliveryCommand, DeliveryLine, LineProduct};
use crate::formulary::{DoseUse, Product, Schedule};
use crate::ledger::ParsedEntry;
use crate::names::{ProductName, VialName};
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::Refusal;
use crate::state::{Change, FormularyRecord, State};
use crate::time::Date;
use crate::vial::{Label, Vial};

impl Case<'_> {
    pub(super) fn receive(&self, signer: &Signer, act: &DeliveryCommand) -> Result<Draft, Refusal> {
        self.need(signer, RECEIVERS)?;
        if self.state.place(&act.place).is_none() {
            return Err(Refusal::Unknown { resource: act.place.to_string() });
        }
        let formulary = self.state.formulary().ok_or(Refusal::NoFormulary)?;
        // All lines must name products that are there before any label is looked at.
        for line in &act.lines {
            product(formulary, line)?;
        }
        let mut lines = Vec::with_capacity(act.lines.len());
        for (number, line) in (1..).zip(&act.lines) {
            lines.push(read_line(formulary, number, line)?);
        }
        for line in &lines {
            if line.schedule == Schedule::Two && act.order_form.is_none() {
                return Err(Refusal::OrderFormMissing { product: line.label.product.to_string() });
            }
        }
        let today = self.state.day_of(self.now);
        if act.received > today {
            let moment = act.received.to_string();
            return Err(Refusal::InFuture { field: "received_date", moment });
        }

        // From here the delivery is accepted.
        let mut draft = Draft::new(outcome::Result::VialsReceived(v1::VialsReceived::default()));
        draft.touch(&act.place);
        let mut names = Vec::new();
        for vial in self.containers(&mut draft, &lines, act) {
            names.push(vial.name().to_string());
            draft.put_vial(vial);
        }
        let count = u32::try_from(names.len()).expect("at most MAX_CONTAINERS");
        draft.change(Change::Deliver(count));
        draft.outcome.result =
            Some(outcome::Result::VialsReceived(v1::VialsReceived { vials: names }));
        Ok(draft)
    }

    /// The containers of a delivery, one by one, and a flag for each line that a reviewer should look at.
    fn containers(&self, draft: &mut Draft, lines: &[Line], act: &DeliveryCommand) -> Vec<Vial> {
        let today = self.state.day_of(self.now);
        let mut vials = Vec::new();
        for (number, (line, of)) in (1_usize..).zip(lines.iter().zip(&act.lines)) {
            let quarantined =
                flag_line(draft, number, line, of, today) | self.flag_lot(draft, number, line);
            for count in 0..of.counted {
                let name = self.next_vial(vials.len());
                let serial = usize::try_from(count).ok().and_then(|count| of.serials.get(count));
                let serial = serial.map(ToString::to_string).or_else(|| line.label.serial.clone());
                let label = Label { serial, ..line.label.clone() };
                vials.push(Vial::receive(name, label, act.place.clone(), quarantined));
            }
        }
        vials
    }

    /// Flags a lot that was quarantined before this entry, and says whether it was.
    fn flag_lot(&self, draft: &mut Draft, number: usize, line: &Line) -> bool {
        let found = self.state.quarantined_lot(&line.label);
        let Some(found) = found.filter(|found| found.entry < self.index) else { return false };
        let (lot, since) = (line.label.lot.as_deref().unwrap_or_default(), found.since);
        draft.flag(
            FlagKind::ReceivedQuarantinedLot,
            format!(
                "line {number}: lot {lot} is quarantined since {since}: {}; so are the vials",
                found.reason
            ),
        );
        true
    }

    fn next_vial(&self, before: usize) -> VialName {
        let before = u32::try_from(before).expect("at most MAX_CONTAINERS");
        VialName { delivery: self.index, number: before + 1 }
    }
}

/// The vials of a delivery as they came in, worked out again from the entry that received them; `state` is any later
/// one. Nothing where the entry is no delivery.
#[must_use]
pub fn received(state: &State, entry: &ParsedEntry) -> Option<Vec<Vial>> {
    let request = &entry.request;
    let command = Command::parse(request.kind(), request.bytes()).ok()?;
    let Act::ReceiveVials(act) = &command.act else { return None };
    let (index, now) = (entry.sealed.index(), entry.sealed.recorded_time());
    let formulary = state.formulary_at(index)?;
    let case = Case { version: entry.rules_version, state, request, command: &command, index, now };
    let lines = (1..).zip(&act.lines).map(|(number, line)| read_line(formulary, number, line));
    let lines: Vec<Line> = lines.collect::<Result<_, _>>().ok()?;
    let mut draft = Draft::new(outcome::Result::VialsReceived(v1::VialsReceived::default()));
    Some(case.containers(&mut draft, &lines, act))
}

/// The product and label of a line. A blank never overwrites what was scanned, and what is given twice must agree.
fn read_line(
    record: &FormularyRecord,
    number: usize,
    line: &DeliveryLine,
) -> Result<Line, Refusal> {
    let product = product(record, line)?;
    let (typed_product, scan) = match &line.product {
        LineProduct::Typed(_) => (None, None),
        LineProduct::Scanned { scan, typed, .. } => (typed.as_ref(), Some(scan)),
    };
    let name = ProductName::new(product.id.as_str())
        .expect("a formulary's product ids are resource names");
    let differs = |field, typed: String, scanned: String| Refusal::ScanDiffers {
        line: number,
        field,
        typed,
        scanned,
    };
    if let Some(typed) = typed_product.filter(|typed| **typed != name) {
        return Err(differs("product", typed.to_string(), name.to_string()));
    }
    let scanned_lot = scan.and_then(|scan| scan.lot()).cloned();
    if let (Some(typed), Some(scanned)) = (&line.lot, &scanned_lot)
        && typed != scanned
    {
        return Err(differs("lot", typed.to_string(), scanned.to_string()));
    }
    let scanned_expiry = scan.and_then(|scan| scan.expiry());
    if let (Some(typed), Some(scanned)) = (line.expiry, scanned_expiry)
        && typed != scanned
    {
        return Err(differs("expiry_date", typed.to_string(), scanned.to_string()));
    }
    // A serial on the barcode belongs to one thing: to the container only where the line is one container.
    let serial = scan.and_then(|scan| scan.serial()).filter(|_| line.counted == 1);
    let label = Label {
        product: name,
        formulary: record.entry,
        lot: line.lot.clone().or(scanned_lot).map(|lot| lot.to_string()),
        expiry: line.expiry.or(scanned_expiry),
        serial: serial.map(ToString::to_string),
        content: product.content,
        multiple_dose: product.dose_use == DoseUse::MultipleDose,
        beyond_use_micros: i64::try_from(product.beyond_use.after.microseconds())
            .expect("a span is less than the years that a timestamp holds"),
    };
    Ok(Line { schedule: product.schedule, label })
}

/// A line as it is understood.
struct Line {
    schedule: Schedule,
    label: Label,
}

/// The product of a line, by what was scanned, else by what was typed.
fn product<'a>(record: &'a FormularyRecord, line: &DeliveryLine) -> Result<&'a Product, Refusal> {
    let found = match &line.product {
        LineProduct::Scanned { gtin, .. } => record
            .formulary
            .product_by_gtin(gtin)
            .ok_or_else(|| Refusal::UnknownGtin { gtin: gtin.to_string() })?,
        LineProduct::Typed(name) => {
            let id = name.id().parse().ok();
            id.and_then(|id| record.formulary.product(&id))
                .ok_or_else(|| Refusal::Unknown { resource: name.to_string() })?
        }
    };
    Ok(found)
}

/// Flags what a reviewer should look at, and says whether the line goes to quarantine.
fn flag_line(
    draft: &mut Draft,
    number: usize,
    line: &Line,
    of: &DeliveryLine,
    today: Date,
) -> bool {
    if of.counted != of.invoiced {
        draft.flag(
            FlagKind::CountDiffersFromInvoice,
            format!("line {number}: {} counted, {} invoiced", of.counted, of.invoiced),
        );
    }
    let incomplete = line.label.lot.is_none() || line.label.expiry.is_none();
    if incomplete {
        draft.flag(
            FlagKind::IncompleteLabel,
            format!("line {number}: lot or expiry is missing; the vials are quarantined"),
        );
    }
    let expired = line.label.expiry.filter(|expiry| *expiry < today);
    if let Some(expiry) = expired {
        draft.flag(
            FlagKind::ReceivedExpired,
            format!("line {number}: expired on {expiry}; the vials are quarantined"),
        );
    }
    incomplete || expired.is_some()
}
