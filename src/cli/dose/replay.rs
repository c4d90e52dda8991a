//! An old calculation, worked out again: as it was recorded, as it comes out now, and by the formulary of today.

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::{Tone, quantity, table};
use crate::cli::session::Session;
use crate::pb::v1;

/// Replays a calculation.
pub(super) async fn run(calculation: String, session: &Session) -> Result<Exit, CliError> {
    let found = session.ask(v1::ReplayDoseRequest { name: calculation }).await?;
    session.answer("ReplayDoseResponse", &found, || text(&found))?;
    Ok(if found.identical { Exit::Good } else { Exit::No })
}

fn text(found: &v1::ReplayDoseResponse) -> String {
    let recorded = found.recorded.clone().unwrap_or_default();
    let columns = [found.recorded.as_ref(), found.replayed.as_ref(), found.today.as_ref()];
    let columns = columns.map(|dose| dose.map(values));
    let rows = LABELS.iter().enumerate().map(|(row, label)| {
        let [first, replayed, today] = columns.each_ref().map(|column| {
            let cell = column.as_ref().and_then(|column| column.get(row));
            cell.cloned().unwrap_or_default()
        });
        [(*label).to_owned(), first, replayed, today]
    });
    let rows = table(["", "As recorded", "Replayed", "By the formulary of today"], rows.collect());
    let verdict = if found.identical {
        Tone::Good.paint(&format!("Identical: {} comes out again, digit for digit.", recorded.name))
    } else {
        let text =
            format!("NOT IDENTICAL: {} does not come out again as it was recorded.", recorded.name);
        Tone::Bad.paint(&text)
    };
    let today = match found.today_refusal.as_str() {
        "" => String::new(),
        why => format!("\nBy the formulary of today there would be no dose: {why}"),
    };
    format!("{rows}\n\nRead back: {}\n{verdict}{today}", recorded.readback)
}

/// What [`values`] are, in their order.
const LABELS: [&str; 9] = [
    "Formulary",
    "Dosing weight",
    "Exact dose",
    "Exact amount",
    "Measured amount",
    "Measured dose",
    "Containers",
    "Remainder",
    "Pump rate",
];

fn values(dose: &v1::DoseCalculation) -> [String; LABELS.len()] {
    // As many digits as tell two formularies apart.
    let formulary = dose.formulary_version.iter().take(4).map(|byte| format!("{byte:02x}"));
    [
        formulary.collect(),
        quantity(dose.dosing_weight.as_ref()),
        quantity(dose.exact_dose.as_ref()),
        quantity(dose.exact_amount.as_ref()),
        quantity(dose.measured_amount.as_ref()),
        quantity(dose.measured_dose.as_ref()),
        dose.containers.to_string(),
        quantity(dose.remainder.as_ref()),
        quantity(dose.pump_rate.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_out_again_stands_out_and_a_refusal_of_today_is_said() {
        let dose = |milligrams: &str| {
            let dose = v1::Quantity { value: milligrams.to_owned(), unit: "mg".to_owned() };
            Some(v1::DoseCalculation {
                name: "doseCalculations/35".into(),
                measured_dose: Some(dose),
                ..Default::default()
            })
        };
        let mut found = v1::ReplayDoseResponse {
            recorded: dose("36"),
            replayed: dose("36"),
            identical: true,
            today: None,
            today_refusal: "0.5 mg/kg is over 0.4 mg/kg".into(),
            ..Default::default()
        };
        let same = text(&found);
        assert!(same.contains("digit for digit"), "{same}");
        assert!(same.ends_with("no dose: 0.5 mg/kg is over 0.4 mg/kg"), "{same}");
        found.replayed = dose("37");
        found.identical = false;
        let differs = text(&found);
        assert!(differs.contains("NOT IDENTICAL") && differs.contains("37 mg"), "{differs}");
    }
}
