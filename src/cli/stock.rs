//! `vialedger stock`, `balances` and `vial`: what came in, what is on hand, and the life of one
//! vial.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;

use super::error::CliError;
use super::options::{Listing, Recording};
use super::output::{date, quantity, table};
use super::parse::{self, Day};
use super::session::{Session, read_text};
use super::{Desk, entries, tell};
use crate::pb::v1;
use crate::time::Date;
use crate::wire::date_to_wire;

/// Stock.
#[derive(Subcommand, Debug)]
pub enum StockCommand {
    /// Take a delivery in, counted by you
    Receive(Box<ReceiveArgs>),
    /// List what is on hand, by place and product
    List(BalancesArgs),
    /// Quarantine a lot, such as after a recall: nothing of it is dispensed any more
    Quarantine(QuarantineArgs),
}

/// A lot and why.
#[derive(Args, Debug)]
pub struct QuarantineArgs {
    /// The product
    #[arg(long, value_parser = parse::product)]
    product: String,
    /// The lot, as on the label
    #[arg(long, value_parser = parse::lot)]
    lot: String,
    /// Why, such as the number of the recall notice
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    recording: Recording,
}

/// A delivery: one line by options, or several in a file.
#[derive(Args, Debug)]
pub struct ReceiveArgs {
    /// Where the vials are put
    #[arg(long, value_parser = parse::place)]
    place: String,
    /// Supplier's name
    #[arg(long)]
    supplier: String,
    /// Supplier's postal address
    #[arg(long)]
    supplier_address: String,
    /// Supplier's DEA registration number
    #[arg(long, default_value = "")]
    supplier_dea: String,
    /// Invoice number
    #[arg(long)]
    invoice: String,
    /// Order form number, for schedule II
    #[arg(long, default_value = "")]
    order_form: String,
    /// Day on which it came: today, or a day such as 2026-11-20
    #[arg(long, value_parser = parse::day)]
    received: Day,
    /// File with several lines (TOML): [[line]] with scan, or product, lot and expiry; counted;
    /// invoiced; serials
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["scan", "product", "lot", "expiry", "counted", "invoiced", "serial"]
    )]
    lines: Option<PathBuf>,
    /// What the scanner read from the package; its separator may be spelled `<GS>`, {GS} or \x1d
    #[arg(long, value_parser = parse::scan)]
    scan: Option<String>,
    /// Product, where there is no scan
    #[arg(long, value_parser = parse::product)]
    product: Option<String>,
    /// Lot, where there is no scan
    #[arg(long, value_parser = parse::lot)]
    lot: Option<String>,
    /// Last day of use, where there is no scan
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse::date)]
    expiry: Option<v1::Date>,
    /// Containers that you counted
    #[arg(long, required_unless_present = "lines")]
    counted: Option<u32>,
    /// Containers on the invoice
    #[arg(long, required_unless_present = "lines")]
    invoiced: Option<u32>,
    /// Serial number of a container; repeat for each
    #[arg(long)]
    serial: Vec<String>,
    #[command(flatten)]
    recording: Recording,
}

/// What is on hand.
#[derive(Args, Debug)]
pub struct BalancesArgs {
    /// Only at this place
    #[arg(long, value_parser = parse::place)]
    place: Option<String>,
}

/// Vials.
#[derive(Subcommand, Debug)]
pub enum VialCommand {
    /// Show one vial: its label, where its content went, and every entry that touched it
    Show {
        /// The vial, such as vials/12-1
        #[arg(value_parser = parse::vial)]
        vial: String,
    },
    /// List the vials that are not closed
    List {
        /// Only at this place
        #[arg(long, value_parser = parse::place)]
        place: Option<String>,
        /// Only of this product
        #[arg(long, value_parser = parse::product)]
        product: Option<String>,
        /// Only in this state
        #[arg(long)]
        state: Option<StateName>,
        #[command(flatten)]
        listing: Listing,
    },
}

/// Where a vial stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StateName {
    /// At its place, to be dispensed
    InStock,
    /// At its place, not to be dispensed
    Quarantined,
    /// In somebody's hands
    Dispensed,
}

/// A file of delivery lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesFile {
    line: Vec<LineRow>,
}

/// One line of it, as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineRow {
    #[serde(default)]
    scan: Option<String>,
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    lot: String,
    #[serde(default)]
    expiry: Option<Date>,
    counted: u32,
    invoiced: u32,
    #[serde(default)]
    serials: Vec<String>,
}

/// Runs a stock command.
pub(super) async fn stock(command: StockCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        StockCommand::Receive(args) => receive(*args, &Session::open(desk).await?).await,
        StockCommand::List(args) => balances(args, desk).await,
        StockCommand::Quarantine(args) => {
            let QuarantineArgs { product, lot, reason, recording } = args;
            let act = v1::QuarantineVialsRequest { product, lot, reason, ..Default::default() };
            Session::open(desk).await?.record(act, &recording).await
        }
    }
}

async fn receive(args: ReceiveArgs, session: &Session) -> Result<(), CliError> {
    let received = args.received.resolve(session.now())?;
    let lines = match &args.lines {
        Some(path) => lines_of(&read_text(path)?)
            .map_err(|error| CliError::Data(format!("{}: {error}", path.display())))?,
        None => vec![v1::DeliveryLine {
            gs1_scan: args.scan.unwrap_or_default(),
            product: args.product.unwrap_or_default(),
            lot: args.lot.unwrap_or_default(),
            expiry_date: args.expiry,
            counted: args.counted.unwrap_or_default(),
            invoiced: args.invoiced,
            serials: args.serial,
        }],
    };
    let act = v1::ReceiveVialsRequest {
        place: args.place,
        supplier: Some(v1::Supplier {
            display_name: args.supplier,
            address: args.supplier_address,
            dea_number: args.supplier_dea,
        }),
        invoice: args.invoice,
        order_form: args.order_form,
        received_date: Some(date_to_wire(received)),
        lines,
        ..Default::default()
    };
    session.record(act, &args.recording).await
}

/// What is on hand, by place and product.
pub(super) async fn balances(args: BalancesArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let request = v1::GetBalancesRequest { place: args.place.unwrap_or_default() };
    let found = session.ask(request).await?;
    session.answer("GetBalancesResponse", &found, || {
        if found.balances.is_empty() {
            return "Nothing is on hand.".to_owned();
        }
        let rows = found.balances.iter().map(|balance| {
            [
                balance.place.clone(),
                balance.product.clone(),
                balance.sealed.to_string(),
                balance.opened.to_string(),
                balance.quarantined.to_string(),
                balance.in_hands.to_string(),
                quantity(balance.on_hand.as_ref()),
            ]
        });
        let heading =
            ["Place", "Product", "Sealed", "Opened", "Quarantined", "In hands", "On hand"];
        let size = found.size;
        format!("{}\n\nAs of {size} entries.", table(heading, rows.collect()))
    })
}

/// Runs a vial command.
pub(super) async fn vial(command: VialCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    match command {
        VialCommand::Show { vial } => show(vial, session).await,
        VialCommand::List { place, product, state, listing } => {
            let request = v1::ListVialsRequest {
                place: place.unwrap_or_default(),
                product: product.unwrap_or_default(),
                state: state.map_or(v1::VialState::Unspecified, v1::VialState::from).into(),
                ..Default::default()
            };
            let found = session.list(request, listing.limit).await?;
            session.answer("ListVialsResponse", &found, || {
                if found.vials.is_empty() {
                    return "No such vial.".to_owned();
                }
                table(
                    ["Vial", "Product", "Lot", "Expiry", "Place", "State", "In container"],
                    found.vials.iter().map(vial_row).collect(),
                )
            })
        }
    }
}

async fn show(vial: String, session: &Session) -> Result<(), CliError> {
    let found = session.ask(v1::GetVialRequest { name: vial.clone() }).await?;
    if session.out.is_json() {
        return session.answer("GetVialResponse", &found, String::new);
    }
    let request = v1::ListEntriesRequest { subject: vial, ..Default::default() };
    let history = session.list(request, usize::MAX).await?;
    let people = entries::names(session).await?;
    let shown = found.vial.as_ref().map(tell::vial).unwrap_or_default();
    let text = format!("{shown}\n\nHistory\n{}", entries::text(&history.entries, &people));
    super::output::print(&text)
}

fn vial_row(vial: &v1::Vial) -> [String; 7] {
    let balance = vial.balance.clone().unwrap_or_default();
    [
        vial.name.clone(),
        vial.product.clone(),
        vial.lot.clone(),
        date(vial.expiry_date.as_ref()),
        vial.place.clone(),
        tell::state(balance.state()).to_owned(),
        quantity(balance.in_container.as_ref()),
    ]
}

impl From<StateName> for v1::VialState {
    fn from(state: StateName) -> Self {
        match state {
            StateName::InStock => Self::InStock,
            StateName::Quarantined => Self::Quarantined,
            StateName::Dispensed => Self::Dispensed,
        }
    }
}

fn lines_of(text: &str) -> Result<Vec<v1::DeliveryLine>, String> {
    let file: LinesFile = toml::from_str(text).map_err(|error| error.to_string())?;
    file.line
        .into_iter()
        .map(|row| {
            Ok(v1::DeliveryLine {
                gs1_scan: row.scan.as_deref().map(parse::scan).transpose()?.unwrap_or_default(),
                product: row
                    .product
                    .as_deref()
                    .map(parse::product)
                    .transpose()?
                    .unwrap_or_default(),
                lot: row.lot,
                expiry_date: row.expiry.map(date_to_wire),
                counted: row.counted,
                invoiced: Some(row.invoiced),
                serials: row.serials,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_of_several_lines_is_read_from_a_file() {
        let lines = lines_of(
            "[[line]]\nscan = '0100304092053105<GS>10A1'\ncounted = 10\ninvoiced = 10\n\
             [[line]]\nproduct = 'ketalar'\nlot = 'B2'\nexpiry = '2028-03-31'\ncounted = 4\n\
             invoiced = 5\n",
        )
        .unwrap();
        assert_eq!(lines[0].gs1_scan, "0100304092053105\u{1d}10A1");
        assert_eq!(lines[1].product, "products/ketalar");
        assert_eq!(lines[1].invoiced, Some(5));
        assert_eq!(lines[1].expiry_date.as_ref().map(|d| d.day), Some(31));
    }

    #[test]
    fn a_misspelled_field_of_a_delivery_is_refused() {
        assert!(lines_of("[[line]]\ncount = 10\ninvoiced = 10\n").is_err());
        assert!(lines_of("").is_err());
    }
}
