//! What is observed in a patient: vital signs and scales.

use super::raw::{RawMeasure, Text, Texts};
use super::reader::{Read, Reader, Refused};
use super::slug::MeasureId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest unit of a measure, in characters.
const MAX_UNIT_CHARS: usize = 20;

/// Every measure of a formulary, to which its monitorings refer.
pub(super) type Measures = BTreeMap<MeasureId, Arc<Measure>>;

/// A vital sign or a scale. Readings are whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its id, by which monitorings and readings name it.
    pub id: MeasureId,
    /// Its name as it is printed.
    pub name: String,
    /// Its unit as a UCUM code, `mm[Hg]`; `{score}` for a scale.
    pub unit: String,
    /// The lowest plausible reading, in its unit; may be negative. Below it a reading is a slip.
    pub lowest: i32,
    /// The highest plausible reading, in its unit; more than `lowest`. Above it a reading is a slip.
    pub highest: i32,
    /// Who defined it and who set the bounds.
    pub source: String,
}

pub(super) fn read_measure(reader: &mut Reader<'_>, raw: &RawMeasure) -> Read<Measure> {
    let id = reader.value(&raw.id, str::parse);
    let name = reader.prose(&raw.name);
    let unit = reader.value(&raw.unit, read_unit);
    let source = reader.prose(&raw.source);
    let (lowest, highest) = (*raw.lowest.get_ref(), *raw.highest.get_ref());
    if lowest >= highest {
        let message = format!("{highest} is not more than lowest, {lowest}; mend one of them");
        return Err(reader.refuse(&raw.highest.span(), message));
    }
    Ok(Measure { id: id?, name: name?, unit: unit?, lowest, highest, source: source? })
}

fn read_unit(text: &str) -> Result<String, String> {
    if (1..=MAX_UNIT_CHARS).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "this is not a unit; write 1 to {MAX_UNIT_CHARS} characters without spaces, as in \
             mm[Hg], and {{score}} for a scale"
        ))
    }
}

/// The measure that a field names, which must stand in the same formulary.
pub(super) fn read_measure_reference<'m>(
    reader: &mut Reader<'_>,
    field: &Text,
    measures: &'m Measures,
) -> Read<&'m Arc<Measure>> {
    let id: MeasureId = reader.value(field, str::parse)?;
    measures.get(&id).ok_or_else(|| {
        let message = format!("there is no good measure `{id}` in this formulary; add or mend it");
        reader.refuse(&field.span(), message)
    })
}

/// The measures that a list names: at least one, each once.
pub(super) fn read_measure_references(
    reader: &mut Reader<'_>,
    fields: &Texts,
    measures: &Measures,
) -> Read<Vec<MeasureId>> {
    if fields.get_ref().is_empty() {
        return Err(reader.refuse(&fields.span(), "nothing is measured; name at least one measure"));
    }
    let mut ids: Vec<MeasureId> = Vec::with_capacity(fields.get_ref().len());
    let mut outcome = Ok(());
    for field in fields.get_ref() {
        match read_measure_reference(reader, field, measures) {
            Ok(measure) if ids.contains(&measure.id) => {
                let message = format!("measure `{}` stands twice; name it once", measure.id);
                outcome = Err(reader.refuse(&field.span(), message));
            }
            Ok(measure) => ids.push(measure.id.clone()),
            Err(Refused) => outcome = Err(Refused),
        }
    }
    outcome.map(|()| ids)
}
