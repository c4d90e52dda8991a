//! The dose: how it was worked out, who checked it, what was given.

use super::View;
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::moments::moment;
use crate::report::page::{alarm, cell, facts, paragraph, table};
use crate::report::words::{date, quantity, sum, word};

/// The calculation with its whole working, and the independent check.
pub(super) fn worked_out(view: &View<'_>) -> Markup {
    let session = view.input.session;
    let Some(dose) = &session.dose_calculation else {
        return paragraph("No dose calculation is recorded.");
    };
    let weight = session.weight.as_ref().map_or_else(String::new, |weight| {
        let method = word(weight.method().as_str_name(), "WEIGHT_METHOD");
        let at = view.time.full(moment(weight.measured_time.as_ref()));
        format!("{}, {method} {at}", quantity(weight.quantity.as_ref()))
    });
    let before = dose.context.as_ref();
    let mut found = facts(&[
        ("Calculation", dose.name.clone()),
        ("Product", dose.product.clone()),
        ("Body weight", weight),
        ("Dosing weight", quantity(dose.dosing_weight.as_ref())),
        ("Exact dose", quantity(dose.exact_dose.as_ref())),
        ("Exact amount", quantity(dose.exact_amount.as_ref())),
        ("Measured dose", quantity(dose.measured_dose.as_ref())),
        ("Measured amount", quantity(dose.measured_amount.as_ref())),
        ("Containers to open", dose.containers.to_string()),
        ("Left to waste", quantity(dose.remainder.as_ref())),
        ("Pump rate", quantity(dose.pump_rate.as_ref())),
        ("Good until", view.at(dose.expire_time.as_ref())),
        ("Weight before", quantity(before.and_then(|it| it.last_weight.as_ref()))),
        ("Dose before", quantity(before.and_then(|it| it.last_dose.as_ref()))),
    ]);
    let rows: Vec<Vec<Markup>> = dose
        .steps
        .iter()
        .map(|step| vec![cell(&step.label), cell(&step.working), cell(&step.result)])
        .collect();
    found.add(&table(&["Step", "Working", "Result"], &rows, "No working is recorded."));
    if !dose.readback.is_empty() {
        let said = Markup::element("span", &[("class", &"said")], &Markup::of(&dose.readback));
        let said = Markup::tagged("b", "Read back: ").and(&said);
        found.add(&Markup::element("div", &[("class", &"box")], &said).line());
    }
    found.and(&check(view, dose))
}

fn check(view: &View<'_>, dose: &v1::DoseCalculation) -> Markup {
    let checked_by = &view.input.session.checked_by;
    let asked = match dose.check_requirement() {
        v1::CheckRequirement::Unspecified => None,
        v1::CheckRequirement::SecondPerson => Some("a second person"),
        v1::CheckRequirement::SecondPrescriber => Some("a second prescriber"),
    };
    match (checked_by.is_empty(), asked) {
        (false, asked) => {
            let who = view.person(checked_by);
            let rule = asked.map_or_else(
                || "The rules asked for none.".to_owned(),
                |asked| format!("The rules asked for {asked}."),
            );
            paragraph(&format!("Independent check: worked out anew by {who} and agreed. {rule}"))
        }
        (true, Some(asked)) => {
            alarm(&format!("Independent check by {asked} was required; none is recorded."), &[])
        }
        (true, None) => paragraph("Independent check: none was required and none is recorded."),
    }
}

/// What the patient received, container by container.
pub(super) fn given(view: &View<'_>) -> Markup {
    let doses = &view.input.session.doses;
    let rows: Vec<Vec<Markup>> = (1..)
        .zip(doses)
        .map(|(number, dose)| {
            let container = [
                ("lot", dose.lot.clone()),
                ("serial", dose.serial.clone()),
                ("expiry", date(dose.expiry_date.as_ref())),
            ];
            let mut label = cell(&dose.product);
            for (word, value) in container {
                let value = if value.is_empty() { "not recorded".to_owned() } else { value };
                label.add(&Markup::void("br", &[]).and(&cell(&format!("{word} {value}"))));
            }
            let mut times = cell(&view.at_and_after(dose.start_time.as_ref()));
            let end = view.at_and_after(dose.end_time.as_ref());
            times.add(&Markup::void("br", &[]).and(&Markup::of("to ")).and(&cell(&end)));
            let mut from = cell(&dose.vial);
            from.add(&Markup::void("br", &[]).and(&cell(&dose.dispensing)));
            vec![
                cell(&format!("{number}")),
                label,
                cell(&quantity(dose.amount.as_ref())),
                cell(&quantity(dose.dose.as_ref())),
                times,
                cell(&view.person(&dose.given_by)),
                from,
                cell(&dose.entry),
            ]
        })
        .collect();
    let heading =
        ["", "Product and container", "Amount", "Mass", "Time", "Given by", "From", "Entry"];
    let mut found = table(&heading, &rows, "Nothing was given.");
    if let Some(total) = sum(doses.iter().map(|dose| dose.dose.as_ref())) {
        let total = Markup::tagged("b", &format!("In all: {total}"));
        found.add(&Markup::element("p", &[], &total).line());
    }
    found
}
