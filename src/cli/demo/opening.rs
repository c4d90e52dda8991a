//! Before the first patient: the people, the rules, and what was delivered.

use super::actor::{Actor, Done};
use super::stage::Stage;
use super::story::Story;
use super::unexpected;
use crate::cli::error::CliError;
use crate::cli::output::{date, quantity};
use crate::cli::registry::approval;
use crate::cli::tell;
use crate::formulary;
use crate::ident::Ndc;
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::time::Date;
use crate::wire::date_to_wire;

/// The package that is delivered: Ketalar 10 mg/mL, ten vials of 20 mL.
const NDC: &str = "42023-113-10";
/// Its product in the starter formulary.
pub(super) const PRODUCT: &str = "products/ketamine-42023-113-10";
/// Where the vials are kept.
const PLACE: &str = "places/main-safe";
/// The place as people say it.
const PLACE_NAME: &str = "Main safe";
/// Vials in a carton.
const CARTON: u32 = 10;
/// How long the good carton is still to be used, in days, before its month ends.
const GOOD_FOR_DAYS: i64 = 480;
/// How long the other carton has been expired, in days.
const EXPIRED_FOR_DAYS: i64 = 21;

/// The people of the story.
pub(super) struct Cast {
    /// Administrator.
    pub(super) ada: Actor,
    /// Administrator and pharmacist.
    pub(super) ben: Actor,
    /// Nurse.
    pub(super) nina: Actor,
    /// Nurse.
    pub(super) omar: Actor,
    /// Prescriber.
    pub(super) priya: Actor,
}

impl Cast {
    /// Everybody.
    pub(super) fn all(&self) -> [&Actor; 5] {
        [&self.ada, &self.ben, &self.nina, &self.omar, &self.priya]
    }

    /// The name of a person as people say it.
    pub(super) fn name<'a>(&self, resource: &'a str) -> &'a str {
        let found = self.all().into_iter().find(|actor| actor.resource() == resource);
        found.map_or(resource, |actor| actor.name)
    }
}

/// What was delivered.
pub(super) struct Shelf {
    /// A vial that may be used.
    pub(super) good: String,
    /// A vial that may not.
    pub(super) expired: String,
}

/// The people are enrolled.
pub(super) async fn people(story: &mut Story, stage: &Stage, ada: Actor) -> Result<Cast, CliError> {
    story.chapter("The people")?;
    story.event(&stage.at(), Some(0), "Ada Alvarez begins the ledger, as its administrator.")?;
    stage.pass(1);
    let roles = [v1::Role::Administrator, v1::Role::Pharmacist];
    let (ben, request) = stage.newcomer("Ben Baker", "ben-baker", &roles).await?;
    let done = ada.does(request).await?;
    let text = "Ada enrols Ben Baker, administrator and pharmacist.";
    story.event(&stage.at(), Some(done.entry), text)?;
    story.detail(
        "Two people must agree to this, and there is no second one yet. So the entry carries a flag:",
    )?;
    let alone = done.flags().find(|flag| flag.contains("acted alone"));
    let alone = alone.ok_or_else(|| unexpected("Ada acted alone, and no flag says so"))?;
    story.detail(&format!("\"{alone}\""))?;

    story.detail(
        "From here on Ada puts each change forward and Ben approves it, or the other way.",
    )?;
    let nurse = [v1::Role::Nurse];
    let nina = enroll(story, stage, (&ada, &ben), ("Nina Novak", "nina-novak", &nurse)).await?;
    let omar = enroll(story, stage, (&ada, &ben), ("Omar Okafor", "omar-okafor", &nurse)).await?;
    let prescriber = [v1::Role::Prescriber];
    let part = ("Priya Patel", "priya-patel", &prescriber);
    let priya = enroll(story, stage, (&ada, &ben), part).await?;
    Ok(Cast { ada, ben, nina, omar, priya })
}

/// One puts a new person forward, the other approves.
async fn enroll(
    story: &Story,
    stage: &Stage,
    (first, second): (&Actor, &Actor),
    (name, id, roles): (&'static str, &str, &[v1::Role; 1]),
) -> Result<Actor, CliError> {
    stage.pass(1);
    let (person, request) = stage.newcomer(name, id, roles).await?;
    let proposal = first.does(request).await?;
    let approved = approve(second, &proposal).await?;
    let role = tell::roles(roles.iter().copied());
    let (put, agreed) = (proposal.entry, approved.entry);
    let text = format!("{name}, {role}: put forward by Ada (entry {put}), approved by Ben.");
    story.event(&stage.at(), Some(agreed), &text)?;
    Ok(person)
}

/// The second person reads what was put forward and signs for exactly that.
async fn approve(second: &Actor, proposal: &Done) -> Result<Done, CliError> {
    if !matches!(proposal.outcome.result, Some(Made::Proposed(_))) {
        return Err(unexpected(format!("entry {} took effect without approval", proposal.entry)));
    }
    let request = approval(&second.client, format!("entries/{}", proposal.entry)).await?;
    second.does(request).await
}

/// The formulary is published and the safe gets its name.
pub(super) async fn rules(story: &mut Story, stage: &Stage, cast: &Cast) -> Result<(), CliError> {
    story.chapter("The rules and the safe")?;
    stage.pass(2);
    let text = formulary::starter().to_owned();
    let request = v1::PublishFormularyRequest { formulary: text, ..Default::default() };
    let proposal = cast.ben.does(request).await?;
    let approved = approve(&cast.ada, &proposal).await?;
    let request = v1::ListProductsRequest { page_size: 1_000, ..Default::default() };
    let products = cast.ben.asks(request).await?.products.len();
    let request = v1::ListProtocolsRequest { page_size: 1_000, ..Default::default() };
    let protocols = cast.ben.asks(request).await?.protocols.len();
    story.event(
        &stage.at(),
        Some(approved.entry),
        &format!(
            "The starter formulary, {products} real products and {protocols} published protocols: put forward by \
             pharmacist Ben (entry {}), approved by Ada.",
            proposal.entry
        ),
    )?;
    let place = v1::Place { name: PLACE.to_owned(), display_name: PLACE_NAME.to_owned() };
    let request = v1::CreatePlaceRequest { place: Some(place), ..Default::default() };
    let done = cast.ada.does(request).await?;
    story.event(
        &stage.at(),
        Some(done.entry),
        "Ada names the place where vials are kept: Main safe.",
    )
}

/// A good carton and an expired one.
pub(super) async fn delivery(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
) -> Result<Shelf, CliError> {
    story.chapter("The delivery")?;
    story.tell(
        "Ketalar (ketamine) 10 mg/mL, NDC 42023-113-10: cartons of 10 vials, 20 mL each. Ben scans each carton and \
         counts the vials; the ledger compares his count with the invoice.",
    )?;
    stage.pass(3);
    let today = stage.today()?;
    let day = |days| today.add_days(days).map_err(|error| unexpected(error.to_string()));
    let good =
        Carton { lot: "PK7K2201", serial: "10048213377", expiry: day(GOOD_FOR_DAYS)?.month_end() };
    let old = Carton { lot: "PK4B0917", serial: "10031540962", expiry: day(-EXPIRED_FOR_DAYS)? };
    let done = receive(story, stage, &cast.ben, &good).await?;
    if done.flags().next().is_some() {
        return Err(unexpected("the good carton was flagged"));
    }
    story.detail("All 10 are in stock in the Main safe.")?;
    let first = first_vial(&done)?;
    stage.pass(1);
    let done = receive(story, stage, &cast.ben, &old).await?;
    let expired = first_vial(&done)?;
    let flag = done.flags().next().ok_or_else(|| unexpected("an expired carton has no flag"))?;
    story.detail(&format!("Flagged: \"{flag}\""))?;
    in_state(&cast.ben, &first, v1::VialState::InStock).await?;
    in_state(&cast.ben, &expired, v1::VialState::Quarantined).await?;
    Ok(Shelf { good: first, expired })
}

/// What is printed on a carton besides its product.
struct Carton {
    lot: &'static str,
    serial: &'static str,
    expiry: Date,
}

impl Carton {
    /// The GS1 element string, as a scanner sends it (GS1 General Specifications, 7.8: the group separator ends a value
    /// of variable length).
    fn scan(&self) -> Result<String, CliError> {
        let ndc: Ndc = NDC.parse().expect("the demo's NDC is one");
        let gtin = ndc.to_gtin(0).map_err(|error| unexpected(error.to_string()))?;
        let (year, month, day) = (self.expiry.year(), self.expiry.month(), self.expiry.day());
        let (lot, serial) = (self.lot, self.serial);
        Ok(format!("01{gtin}17{:02}{month:02}{day:02}10{lot}\u{1d}21{serial}", year % 100))
    }
}

async fn receive(
    story: &Story,
    stage: &Stage,
    ben: &Actor,
    carton: &Carton,
) -> Result<Done, CliError> {
    let scan = carton.scan()?;
    let line = v1::DeliveryLine {
        gs1_scan: scan.clone(),
        counted: CARTON,
        invoiced: Some(CARTON),
        ..Default::default()
    };
    let request = v1::ReceiveVialsRequest {
        place: PLACE.to_owned(),
        supplier: Some(v1::Supplier {
            display_name: "Prairie Pharmaceutical Supply".to_owned(),
            address: "400 Depot Road, Peoria, IL 61602".to_owned(),
            dea_number: "RP1234563".to_owned(),
        }),
        invoice: "INV-20817".to_owned(),
        received_date: Some(date_to_wire(stage.today()?)),
        lines: vec![line],
        ..Default::default()
    };
    let done = ben.does(request).await?;
    let count = done.outcome.balances.len();
    if u32::try_from(count) != Ok(CARTON) {
        return Err(unexpected(format!("{count} vials came of a carton of {CARTON}")));
    }
    let (lot, expiry) = (carton.lot, date(Some(&date_to_wire(carton.expiry))));
    let text = format!("Ben receives lot {lot}, expiry {expiry}: 10 counted, 10 invoiced.");
    story.event(&stage.at(), Some(done.entry), &text)?;
    story.detail(&format!("Scanned: {}", scan.replace('\u{1d}', "<GS>")))?;
    Ok(done)
}

fn first_vial(done: &Done) -> Result<String, CliError> {
    match &done.outcome.result {
        Some(Made::VialsReceived(received)) => received.vials.first().cloned(),
        _ => None,
    }
    .ok_or_else(|| unexpected(format!("entry {} received no vial", done.entry)))
}

async fn in_state(who: &Actor, vial: &str, expected: v1::VialState) -> Result<(), CliError> {
    let found = who.asks(v1::GetVialRequest { name: vial.to_owned() }).await?;
    let balance = found.vial.and_then(|vial| vial.balance).unwrap_or_default();
    let (state, content) = (balance.state(), quantity(balance.content.as_ref()));
    if state == expected && content == "20 mL" {
        return Ok(());
    }
    Err(unexpected(format!("{vial} with {content} is {state:?}, not {expected:?}")))
}
