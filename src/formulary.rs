//! The formulary: products, protocols, plans, their limits and who says so.
//!
//! It is written in TOML by a pharmacist, checked here with line and column for every error,
//! published into the ledger by two people, and never changed afterwards: a new version is a new
//! text. A version is named by the SHA-256 of exactly the bytes that were published, so a
//! calculation that names its version can be worked out again years later.
//!
//! What stands in no source does not stand in a formulary: every product, protocol, limit, question,
//! criterion and plan carries its source, and what a site decides for itself says that it is site
//! policy. No number of a clinical rule stands in code: all of them are here.

mod document;
mod effect;
mod measure;
mod monitoring;
mod plan;
mod product;
mod protocol;
mod question;
mod raw;
mod reader;
mod slug;
mod word;

use crate::ident::{Gtin, Ndc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use effect::EffectKind;
pub use measure::Measure;
pub use monitoring::{
    Bound, Criterion, CriterionWhen, DischargeRule, DueObservation, Leaflet, Monitoring,
};
pub use plan::{FormRule, HistoryRule, Phase, Plan, Window};
pub use product::{BeyondUse, DoseUse, Drug, Form, Product, Schedule};
pub use protocol::{
    BelowSixtyInches, DeviceRule, DilutionRule, DoseKind, DoseLimits, InfusionRule, PolicyRule,
    Protocol, Route, WeightMethod, WeightRule, WeightScalar,
};
pub use question::{Question, QuestionWeight, StoppingAnswer};
pub use reader::FormularyError;
pub use slug::{
    CriterionId, DrugId, IdError, MeasureId, MonitoringId, PhaseId, PlanId, ProductId, ProtocolId,
    QuestionId,
};

/// The largest text of a formulary, in bytes: with its request around it, it must fit one ledger
/// entry (65,535 bytes).
pub const MAX_TEXT_BYTES: usize = 56 * 1024;

/// The formulary that ships in the program, as text.
#[must_use]
pub fn starter() -> &'static str {
    include_str!("formulary/starter.toml")
}

/// Checks a text without keeping it: what it holds, or everything that is wrong with it.
pub fn check(text: &str) -> Result<Summary, Vec<FormularyError>> {
    Formulary::parse(text).map(|formulary| formulary.summary())
}

/// A checked formulary. Cloning it is cheap; nothing in it can change.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formulary {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    version: [u8; 32],
    drugs: BTreeMap<DrugId, Drug>,
    products: BTreeMap<ProductId, Arc<Product>>,
    /// Outer and inner NDC, in the twelve-digit form that all layouts share.
    by_ndc: BTreeMap<String, Arc<Product>>,
    /// The same for a GTIN at indicator 0; `true` if it names the package, which other indicators
    /// may name too.
    by_gtin: BTreeMap<Gtin, (Arc<Product>, bool)>,
    questions: BTreeMap<QuestionId, Arc<Question>>,
    protocols: BTreeMap<ProtocolId, Arc<Protocol>>,
    measures: BTreeMap<MeasureId, Arc<Measure>>,
    monitorings: BTreeMap<MonitoringId, Arc<Monitoring>>,
    plans: BTreeMap<PlanId, Arc<Plan>>,
    /// The one plan in whose phases a protocol stands, for protocols that stand in one.
    plan_by_protocol: BTreeMap<ProtocolId, Arc<Plan>>,
}

/// What a formulary holds, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The version, in small hexadecimal digits.
    pub version: String,
    /// The length of the text, in bytes.
    pub bytes: usize,
    /// How many substances.
    pub drugs: usize,
    /// How many products.
    pub products: usize,
    /// How many eligibility questions.
    pub questions: usize,
    /// How many protocols.
    pub protocols: usize,
    /// How many vital signs and scales.
    pub measures: usize,
    /// How many ways to observe a patient around a dose.
    pub monitorings: usize,
    /// How many courses of treatment.
    pub plans: usize,
}

impl Formulary {
    /// Reads and checks a text of at most [`MAX_TEXT_BYTES`]. The errors come in the order of the
    /// text, as many as can be told apart at once.
    pub fn parse(text: &str) -> Result<Self, Vec<FormularyError>> {
        document::read(text).map(|inner| Self { inner: Arc::new(inner) })
    }

    /// The SHA-256 of exactly the bytes of the text.
    #[must_use]
    pub fn version(&self) -> [u8; 32] {
        self.inner.version
    }

    /// The text as it was published.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The product of this id.
    #[must_use]
    pub fn product(&self, id: &ProductId) -> Option<&Arc<Product>> {
        self.inner.products.get(id)
    }

    /// The product whose package or container carries this NDC, in whichever form either is
    /// written. Where two packages share the NDC of their containers, the containers are the same,
    /// and the product whose id comes first is given.
    #[must_use]
    pub fn product_by_ndc(&self, ndc: &Ndc) -> Option<&Arc<Product>> {
        self.inner.by_ndc.get(&ndc.to_twelve_digits_hyphenated())
    }

    /// The product whose package or container carries this trade item number. A package is known by
    /// any indicator from 0 to 8, since shippers mark bundles of it so; a container only by its own
    /// number. For shared container codes see [`Formulary::product_by_ndc`].
    #[must_use]
    pub fn product_by_gtin(&self, gtin: &Gtin) -> Option<&Arc<Product>> {
        if let Some((product, _)) = self.inner.by_gtin.get(gtin) {
            return Some(product);
        }
        if gtin.indicator() == 9 {
            return None;
        }
        let (product, package) = self.inner.by_gtin.get(&gtin.with_indicator(0).ok()?)?;
        package.then_some(product)
    }

    /// The protocol of this id.
    #[must_use]
    pub fn protocol(&self, id: &ProtocolId) -> Option<&Arc<Protocol>> {
        self.inner.protocols.get(id)
    }

    /// The substance of this id.
    #[must_use]
    pub fn drug(&self, id: &DrugId) -> Option<&Drug> {
        self.inner.drugs.get(id)
    }

    /// Every product, by id.
    pub fn products(&self) -> impl Iterator<Item = &Arc<Product>> {
        self.inner.products.values()
    }

    /// Every protocol, by id.
    pub fn protocols(&self) -> impl Iterator<Item = &Arc<Protocol>> {
        self.inner.protocols.values()
    }

    /// Every question, by id.
    pub fn questions(&self) -> impl Iterator<Item = &Arc<Question>> {
        self.inner.questions.values()
    }

    /// The vital sign or scale of this id.
    #[must_use]
    pub fn measure(&self, id: &MeasureId) -> Option<&Arc<Measure>> {
        self.inner.measures.get(id)
    }

    /// Every vital sign and scale, by id.
    pub fn measures(&self) -> impl Iterator<Item = &Arc<Measure>> {
        self.inner.measures.values()
    }

    /// The monitoring of this id.
    #[must_use]
    pub fn monitoring(&self, id: &MonitoringId) -> Option<&Arc<Monitoring>> {
        self.inner.monitorings.get(id)
    }

    /// Every monitoring, by id.
    pub fn monitorings(&self) -> impl Iterator<Item = &Arc<Monitoring>> {
        self.inner.monitorings.values()
    }

    /// The plan of this id.
    #[must_use]
    pub fn plan(&self, id: &PlanId) -> Option<&Arc<Plan>> {
        self.inner.plans.get(id)
    }

    /// Every plan, by id.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.inner.plans.values()
    }

    /// The plan one of whose phases uses this protocol. There is never a second: a protocol stands
    /// in the phases of one plan at most.
    #[must_use]
    pub fn plan_of(&self, protocol: &ProtocolId) -> Option<&Arc<Plan>> {
        self.inner.plan_by_protocol.get(protocol)
    }

    /// What it holds, in numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            version: self
                .inner
                .version
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")),
            bytes: self.inner.text.len(),
            drugs: self.inner.drugs.len(),
            products: self.inner.products.len(),
            questions: self.inner.questions.len(),
            protocols: self.inner.protocols.len(),
            measures: self.inner.measures.len(),
            monitorings: self.inner.monitorings.len(),
            plans: self.inner.plans.len(),
        }
    }
}

fn version_of(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Two formularies are equal if their texts are, to the byte.
impl PartialEq for Formulary {
    fn eq(&self, other: &Self) -> bool {
        self.inner.version == other.inner.version
    }
}

impl Eq for Formulary {}

impl fmt::Debug for Formulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

/// A snapshot keeps the text, and a formulary is read from it anew: its checks hold there too.
impl TryFrom<String> for Formulary {
    type Error = FormularyError;

    fn try_from(text: String) -> Result<Self, FormularyError> {
        Self::parse(&text).map_err(|errors| {
            errors.into_iter().next().expect("a refused formulary has at least one error")
        })
    }
}

impl From<Formulary> for String {
    fn from(formulary: Formulary) -> Self {
        formulary.inner.text.clone()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} drugs, {} products, {} questions, {} protocols, {} measures, {} monitorings, \
             {} plans in {} of {MAX_TEXT_BYTES} bytes; version {}",
            self.drugs,
            self.products,
            self.questions,
            self.protocols,
            self.measures,
            self.monitorings,
            self.plans,
            self.bytes,
            self.version
        )
    }
}

#[cfg(test)]
mod tests;
