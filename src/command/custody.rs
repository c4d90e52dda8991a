//! Reading requests about vials.

use std::collections::BTreeSet;

use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_DISPLAY_NAME_CHARS, MAX_DOCUMENT_CHARS, MAX_TEXT_CHARS};
use crate::ident::{DeaNumber, Gtin, Lot, Scan, Serial};
use crate::names::{
    CalculationName, DispensingName, PatientName, PersonName, PlaceName, ProductName, VialName,
    WasteName,
};
use crate::pb::v1::{self, WasteMethod, WasteReason};
use crate::time::{Date, Timestamp};
use crate::units::Amount;

/// Lines of a delivery at most.
pub const MAX_LINES: usize = 50;
/// Containers of a delivery at most: an entry holds a balance for each.
pub const MAX_CONTAINERS: u32 = 250;
/// Containers on an invoice line at most.
const MAX_INVOICED: u32 = 100_000;

/// Who a delivery came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplier {
    /// Name.
    pub display_name: String,
    /// Postal address.
    pub address: String,
    /// DEA registration number, in the United States.
    pub dea_number: Option<DeaNumber>,
}

/// Where the product of a line is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineProduct {
    /// From the barcode.
    Scanned {
        /// The trade item number that it carries.
        gtin: Gtin,
        /// All that it says.
        scan: Box<Scan>,
        /// The product as typed beside it, which must then agree.
        typed: Option<ProductName>,
    },
    /// Typed.
    Typed(ProductName),
}

/// Containers of one product and lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLine {
    /// The product.
    pub product: LineProduct,
    /// Lot as typed.
    pub lot: Option<Lot>,
    /// Last day of use as typed.
    pub expiry: Option<Date>,
    /// Containers counted.
    pub counted: u32,
    /// Containers on the invoice.
    pub invoiced: u32,
    /// Serial numbers: none, or as many as counted.
    pub serials: Vec<Serial>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCommand {
    /// Where it is put.
    pub place: PlaceName,
    /// Who it came from.
    pub supplier: Supplier,
    /// Invoice number.
    pub invoice: String,
    /// Order form number; schedule II needs one.
    pub order_form: Option<String>,
    /// Day on which it came.
    pub received: Date,
    /// What came.
    pub lines: Vec<DeliveryLine>,
}

/// A vial, or a part of one, to a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispenseCommand {
    /// The vial.
    pub vial: VialName,
    /// Who takes it.
    pub holder: PersonName,
    /// Who it is for.
    pub patient: PatientName,
    /// The calculation it is dispensed against; without one there is an emergency reason.
    pub calculation: Option<CalculationName>,
    /// Why there is no calculation.
    pub emergency_reason: Option<String>,
    /// A measured part; the whole container when absent.
    pub amount: Option<Amount>,
    /// Why not the vial that expires first.
    pub expiry_order_reason: Option<String>,
    /// Whether the patient is to take it home.
    pub take_home: bool,
}

/// What a patient received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdministrationCommand {
    /// The dispensing that it came from.
    pub dispensing: DispensingName,
    /// The patient, as scanned at the bedside.
    pub patient: PatientName,
    /// How much.
    pub amount: Amount,
    /// Beginning.
    pub start: Timestamp,
    /// End, not before the beginning.
    pub end: Timestamp,
    /// Why more was given in all than was calculated.
    pub above_dose_reason: Option<String>,
}

/// Where a waste comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WasteSource {
    /// From somebody's hands.
    Dispensing(DispensingName),
    /// From a vial at its place.
    Vial(VialName),
}

/// What was made unusable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasteCommand {
    /// Where it comes from.
    pub source: WasteSource,
    /// How much.
    pub amount: Amount,
    /// Why.
    pub reason: WasteReason,
    /// How.
    pub method: WasteMethod,
    /// When.
    pub occurred: Timestamp,
}

/// A waste that a second person saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessCommand {
    /// The waste.
    pub waste: WasteName,
    /// How much the witness saw.
    pub amount: Amount,
}

/// An intact vial that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnCommand {
    /// The dispensing that ends.
    pub dispensing: DispensingName,
    /// Where the vial is put.
    pub place: PlaceName,
    /// Whether the seal was seen unbroken.
    pub seal_intact: bool,
}

/// A lot that is quarantined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineCommand {
    /// The product.
    pub product: ProductName,
    /// The lot.
    pub lot: Lot,
    /// Why.
    pub reason: String,
}

/// Reads the header of a custody request.
macro_rules! open {
    ($reader:ident, $bytes:ident, $message:ty) => {{
        let Some(m) = $reader.message::<$message>($bytes) else { return (None, None) };
        let header = header($reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
        (m, header)
    }};
}

type Read = (Option<Header>, Option<Act>);

pub(super) fn receive(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::ReceiveVialsRequest);
    let place = reader.name("place", &m.place);
    let supplier = reader.required("supplier", m.supplier.as_ref()).and_then(|supplier| {
        let display_name =
            reader.text("supplier.display_name", &supplier.display_name, MAX_DISPLAY_NAME_CHARS);
        let address = reader.text("supplier.address", &supplier.address, MAX_TEXT_CHARS);
        let dea_number = reader.optional_name("supplier.dea_number", &supplier.dea_number);
        Some(Supplier { display_name: display_name?, address: address?, dea_number })
    });
    let invoice = reader.text("invoice", &m.invoice, MAX_DOCUMENT_CHARS);
    let order_form = reader.optional_text("order_form", &m.order_form, MAX_DOCUMENT_CHARS);
    let received = reader.required("received_date", m.received_date.as_ref());
    let received = reader.optional_date("received_date", received);
    let lines = lines(reader, &m.lines, received);
    let act = (|| {
        Some(Act::ReceiveVials(Box::new(DeliveryCommand {
            place: place?,
            supplier: supplier?,
            invoice: invoice?,
            order_form,
            received: received?,
            lines: lines?,
        })))
    })();
    (header, act)
}

fn lines(
    reader: &mut Reader,
    lines: &[v1::DeliveryLine],
    received: Option<Date>,
) -> Option<Vec<DeliveryLine>> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        let found = lines.len();
        reader.violation("lines", format!("holds {found} lines; send 1 to {MAX_LINES}"));
        return None;
    }
    let total = lines.iter().fold(0_u32, |sum, line| sum.saturating_add(line.counted));
    if total > MAX_CONTAINERS {
        let text =
            format!("holds {total} containers; send at most {MAX_CONTAINERS} in one request");
        reader.violation("lines", text);
        return None;
    }
    // Every line is read, so that everything wrong is reported at once.
    let read: Vec<Option<DeliveryLine>> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| read_line(reader, &format!("lines[{index}]"), line, received))
        .collect();
    read.into_iter().collect()
}

fn read_line(
    reader: &mut Reader,
    field: &str,
    m: &v1::DeliveryLine,
    received: Option<Date>,
) -> Option<DeliveryLine> {
    let product = if m.gs1_scan.is_empty() {
        reader.name(&format!("{field}.product"), &m.product).map(LineProduct::Typed)
    } else {
        let typed = reader.optional_name(&format!("{field}.product"), &m.product);
        // The century of a two-digit year is settled by the day of the delivery, which is itself in the request.
        let year = received.map_or(2000, Date::year);
        let scan = reader.take(&format!("{field}.gs1_scan"), Scan::parse(&m.gs1_scan, year));
        scan.and_then(|scan| {
            let gtin = scan.gtin();
            if gtin.is_none() {
                let text =
                    "holds no GTIN (01); scan the square barcode, or type the label's fields";
                reader.violation(&format!("{field}.gs1_scan"), text);
            }
            Some(LineProduct::Scanned { gtin: gtin?, scan: Box::new(scan), typed })
        })
    };
    let lot = reader.optional_name(&format!("{field}.lot"), &m.lot);
    let expiry = reader.optional_date(&format!("{field}.expiry_date"), m.expiry_date.as_ref());
    if m.counted == 0 {
        reader.violation(
            &format!("{field}.counted"),
            "is zero; count the containers and send how many",
        );
    }
    let invoiced = reader.required(&format!("{field}.invoiced"), m.invoiced);
    if m.invoiced.is_some_and(|invoiced| invoiced > MAX_INVOICED) {
        let text = format!("is more than {MAX_INVOICED}; check the invoice");
        reader.violation(&format!("{field}.invoiced"), text);
    }
    let matching = usize::try_from(m.counted).is_ok_and(|counted| counted == m.serials.len());
    if !m.serials.is_empty() && !matching {
        let text = format!("holds {} serials for {} containers", m.serials.len(), m.counted);
        reader.violation(&format!("{field}.serials"), text);
    }
    let serials: Vec<Option<Serial>> =
        m.serials.iter().map(|text| reader.name(&format!("{field}.serials"), text)).collect();
    let mut met = BTreeSet::new();
    if let Some(twice) = m.serials.iter().find(|serial| !met.insert(serial.as_str())) {
        let text = format!("hold {twice:?} twice; a serial is of one container");
        reader.violation(&format!("{field}.serials"), text);
    }
    Some(DeliveryLine {
        product: product?,
        lot,
        expiry,
        counted: m.counted,
        invoiced: invoiced?,
        serials: serials.into_iter().collect::<Option<_>>()?,
    })
}

pub(super) fn dispense(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::DispenseVialRequest);
    let vial = reader.name("vial", &m.vial);
    let holder = reader.name("holder", &m.holder);
    let patient = reader.name("patient", &m.patient);
    let calculation = reader.optional_name("dose_calculation", &m.dose_calculation);
    let emergency_reason =
        reader.optional_text("emergency_reason", &m.emergency_reason, MAX_TEXT_CHARS);
    match (m.dose_calculation.is_empty(), m.emergency_reason.is_empty()) {
        (true, true) => reader.violation(
            "dose_calculation",
            "is missing; calculate the dose first, or give an emergency reason",
        ),
        (false, false) => reader
            .violation("emergency_reason", "is given beside a calculation; send one of the two"),
        _ => {}
    }
    let amount = m.amount.as_ref().and_then(|amount| reader.amount("amount", Some(amount)));
    let expiry_order_reason =
        reader.optional_text("expiry_order_reason", &m.expiry_order_reason, MAX_TEXT_CHARS);
    let act = (|| {
        Some(Act::Dispense(DispenseCommand {
            vial: vial?,
            holder: holder?,
            patient: patient?,
            calculation,
            emergency_reason,
            amount,
            expiry_order_reason,
            take_home: m.take_home,
        }))
    })();
    (header, act)
}

pub(super) fn administer(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RecordAdministrationRequest);
    let dispensing = reader.name("dispensing", &m.dispensing);
    let patient = reader.name("patient", &m.patient);
    let amount = reader.amount("amount", m.amount.as_ref());
    let start = reader.moment("start_time", m.start_time.as_ref());
    let end = reader.moment("end_time", m.end_time.as_ref());
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        reader.violation("end_time", "is before start_time; check the times");
    }
    let above_dose_reason =
        reader.optional_text("above_dose_reason", &m.above_dose_reason, MAX_TEXT_CHARS);
    let act = (|| {
        Some(Act::Administer(AdministrationCommand {
            dispensing: dispensing?,
            patient: patient?,
            amount: amount?,
            start: start?,
            end: end?,
            above_dose_reason,
        }))
    })();
    (header, act)
}

pub(super) fn waste(reader: &mut Reader, bytes: &[u8]) -> Read {
    use v1::record_waste_request::Source;
    let (m, header) = open!(reader, bytes, v1::RecordWasteRequest);
    let source = match reader.required("source", m.source.as_ref()) {
        Some(Source::Dispensing(name)) => {
            reader.name("dispensing", name).map(WasteSource::Dispensing)
        }
        Some(Source::Vial(name)) => reader.name("vial", name).map(WasteSource::Vial),
        None => None,
    };
    let amount = reader.amount("amount", m.amount.as_ref());
    let reason = reader.choice("reason", m.reason);
    let method = reader.choice("method", m.method);
    let occurred = reader.moment("occurred_time", m.occurred_time.as_ref());
    let act = (|| {
        Some(Act::Waste(WasteCommand {
            source: source?,
            amount: amount?,
            reason: reason?,
            method: method?,
            occurred: occurred?,
        }))
    })();
    (header, act)
}

pub(super) fn witness(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::WitnessRequest);
    let waste = reader.name("waste", &m.waste);
    let amount = reader.amount("amount", m.amount.as_ref());
    let act = waste.zip(amount);
    (header, act.map(|(waste, amount)| Act::Witness(WitnessCommand { waste, amount })))
}

pub(super) fn take_back(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::ReturnVialRequest);
    let dispensing = reader.name("dispensing", &m.dispensing);
    let place = reader.name("place", &m.place);
    let act = dispensing.zip(place).map(|(dispensing, place)| {
        Act::Return(ReturnCommand { dispensing, place, seal_intact: m.seal_intact })
    });
    (header, act)
}

pub(super) fn quarantine(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::QuarantineVialsRequest);
    let product = reader.name("product", &m.product);
    let lot = reader.name("lot", &m.lot);
    let reason = reader.text("reason", &m.reason, MAX_TEXT_CHARS);
    let act = (|| {
        Some(Act::Quarantine(QuarantineCommand { product: product?, lot: lot?, reason: reason? }))
    })();
    (header, act)
}
