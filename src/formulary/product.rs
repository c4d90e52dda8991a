//! Drugs and the packages they come in.

use super::raw::{Number, RawBeyondUse, RawDrug, RawProduct, Text};
use super::reader::{Read, Reader, Refused};
use super::slug::{DrugId, ProductId};
use super::word::words;
use crate::ident::{Gtin, Ndc, NdcLayout};
use crate::units::{
    Amount, AmountKind, CountUnit, Quantity, QuantityError, Rational, Span, Strength,
};
use std::collections::BTreeMap;
use toml::Spanned;

/// Drug names that are written with capitals in the middle wherever they are shown, because they
/// are taken for another name (after the FDA and ISMP lists of look-alike names).
const TALL_MAN: [(&str, &str); 1] = [("hydromorphone", "HYDROmorphone")];

words! {
    /// The schedule of the US Controlled Substances Act (21 CFR 1308) in which a product stands.
    /// Schedule I is not used in care and is not read.
    Schedule "a DEA schedule" {
        /// Schedule II: exact counts, records apart from the rest, order forms.
        Two = "CII",
        /// Schedule III.
        Three = "CIII",
        /// Schedule IV.
        Four = "CIV",
        /// Schedule V.
        Five = "CV",
        /// Not a controlled substance, and kept here all the same.
        NotScheduled = "not scheduled",
    }
}

words! {
    /// What one sealed container is.
    Form "a form" {
        /// A glass vial with a stopper.
        Vial = "vial",
        /// A glass ampule.
        Ampule = "ampule",
        /// A syringe that the maker has filled.
        PrefilledSyringe = "prefilled_syringe",
        /// A cartridge for a holder.
        Cartridge = "cartridge",
        /// A nasal spray device for one use.
        NasalDevice = "nasal_device",
        /// A bottle.
        Bottle = "bottle",
    }
}

words! {
    /// Whether a container may be entered for more than one dose.
    DoseUse "a way of use" {
        /// One patient, and what is left is wasted.
        SingleDose = "single_dose",
        /// Several doses until its beyond-use time.
        MultipleDose = "multiple_dose",
    }
}

/// A substance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drug {
    /// Its id.
    pub id: DrugId,
    /// Its name as it is printed, in tall-man letters where it has them.
    pub name: String,
    /// Its DEA Controlled Substances Code Number (21 CFR 1308.03), four digits, where the source
    /// gives one.
    pub dea_code: Option<String>,
    /// Whether it is given in the clinic only, and never handed to a patient to take home.
    pub clinic_only: bool,
    /// Who says whether it is; `None` where the formulary is silent, and then it may be taken home.
    pub clinic_only_source: Option<String>,
    /// Where code and name come from.
    pub source: String,
}

/// How long an opened container may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeyondUse {
    /// The time from the first puncture.
    pub after: Span,
    /// Who says so.
    pub source: String,
}

/// One package with its own NDC, and the containers in it. No volume is ever inferred from the
/// product segment of an NDC: one covers several sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Its name with strength and size, as it is printed.
    pub name: String,
    /// The substance.
    pub drug: DrugId,
    /// Who made or repackaged it.
    pub labeler: String,
    /// The code of the package.
    pub ndc: Ndc,
    /// The code of one container, where it has one of its own. Two packages may share it.
    pub inner_ndc: Option<Ndc>,
    /// Numbers on the pack that do not follow from its NDC.
    pub other_gtins: Vec<Gtin>,
    /// Its DEA schedule.
    pub schedule: Schedule,
    /// Its substance's DEA code, where known.
    pub dea_code: Option<String>,
    /// What one container is.
    pub form: Form,
    /// Whether one container serves more than one dose.
    pub dose_use: DoseUse,
    /// The strength as on the label. Of the base where the label says so, never converted to the
    /// salt.
    pub strength: Strength,
    /// What one container holds: a volume, or one device. Never zero, and of the kind that the
    /// strength is per.
    pub content: Amount,
    /// Containers in the package, at least one.
    pub containers: u16,
    /// How long an opened container may be used.
    pub beyond_use: BeyondUse,
    /// Where all this comes from.
    pub source: String,
}

impl Product {
    /// The trade item numbers of the package and of one container, both with indicator 0; none for
    /// an NDC that does not fit a GTIN.
    pub fn gtins(&self) -> impl Iterator<Item = Gtin> {
        [Some(&self.ndc), self.inner_ndc.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|ndc| ndc.to_gtin(0).ok())
            .chain(self.other_gtins.iter().copied())
    }

    /// The nanograms in one full container, by its label.
    pub fn container_mass(&self) -> Result<Rational, QuantityError> {
        self.strength.mass_in(self.content)
    }

    /// Whether one container of the other product is the same thing, so that both may carry one
    /// inner NDC.
    pub(super) fn same_container_as(&self, other: &Self) -> bool {
        (&self.drug, &self.labeler, self.schedule, self.form)
            == (&other.drug, &other.labeler, other.schedule, other.form)
            && (self.dose_use, self.strength, self.content)
                == (other.dose_use, other.strength, other.content)
    }
}

/// The periods that hold where a product states none of its own.
pub(super) struct BeyondUseRules {
    multiple_dose: BeyondUse,
    single_dose: BeyondUse,
}

impl BeyondUseRules {
    pub(super) fn read(reader: &mut Reader<'_>, raw: &RawBeyondUse) -> Read<Self> {
        let days = reader.number(&raw.multiple_dose_days, 1..=366);
        let hours = reader.number(&raw.single_dose_hours, 0..=24);
        let multiple_source = reader.prose(&raw.multiple_dose_source);
        let single_source = reader.prose(&raw.single_dose_source);
        Ok(Self {
            multiple_dose: BeyondUse { after: hours_span(days? * 24), source: multiple_source? },
            single_dose: BeyondUse { after: hours_span(hours?), source: single_source? },
        })
    }

    fn of(&self, dose_use: DoseUse) -> BeyondUse {
        match dose_use {
            DoseUse::MultipleDose => self.multiple_dose.clone(),
            DoseUse::SingleDose => self.single_dose.clone(),
        }
    }
}

fn hours_span(hours: u16) -> Span {
    Span::from_microseconds(u64::from(hours) * 3_600_000_000)
        .expect("at most 366 days, which a span holds")
}

pub(super) fn read_drug(reader: &mut Reader<'_>, raw: &RawDrug) -> Read<Drug> {
    let id: Read<DrugId> = reader.value(&raw.id, str::parse);
    let name = reader.prose(&raw.name);
    let dea_code = reader.optional(raw.dea_code.as_ref(), |code| {
        if code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(code.to_owned())
        } else {
            Err("a DEA drug code has four digits, as in 7285; copy it from 21 CFR 1308")
        }
    });
    let clinic_only = read_clinic_only(reader, raw);
    let source = reader.prose(&raw.source);
    let (clinic_only, clinic_only_source) = clinic_only?;
    let drug = Drug {
        id: id?,
        name: name?,
        dea_code: dea_code?,
        clinic_only,
        clinic_only_source,
        source: source?,
    };
    let printed = TALL_MAN.iter().find(|(id, _)| *id == drug.id.as_str());
    if let Some((_, tall)) = printed.filter(|(_, tall)| drug.name != *tall) {
        let message = format!("write this name in tall-man letters: {tall}");
        return Err(reader.refuse(&raw.name.span(), message));
    }
    Ok(drug)
}

fn read_clinic_only(reader: &mut Reader<'_>, raw: &RawDrug) -> Read<(bool, Option<String>)> {
    match (&raw.clinic_only, &raw.clinic_only_source) {
        (None, None) => Ok((false, None)),
        (Some(clinic_only), Some(source)) => {
            let source = reader.prose(source)?;
            Ok((*clinic_only.get_ref(), Some(source)))
        }
        (clinic_only, source) => {
            let place = clinic_only.as_ref().map(Spanned::span).or(source.as_ref().map(Text::span));
            let message = "write both clinic_only and clinic_only_source, or neither";
            Err(reader.refuse(&place.unwrap_or_default(), message))
        }
    }
}

pub(super) fn read_product(
    reader: &mut Reader<'_>,
    raw: &RawProduct,
    drugs: &BTreeMap<DrugId, Drug>,
    rules: Option<&BeyondUseRules>,
) -> Read<Product> {
    let drug = read_drug_reference(reader, &raw.drug, drugs);
    let name = reader.prose(&raw.name);
    if let (Ok(drug), Ok(name)) = (drug, &name)
        && !name.contains(&drug.name)
    {
        let message = format!("the name of a product holds its drug's name `{}`", drug.name);
        reader.refuse(&raw.name.span(), message);
    }
    let id = reader.value(&raw.id, str::parse);
    let labeler = reader.prose(&raw.labeler);
    let ndc = reader.value(&raw.ndc, read_label_ndc);
    let inner_ndc = reader.optional(raw.inner_ndc.as_ref(), read_label_ndc);
    let gtins: Vec<Read<Gtin>> =
        raw.other_gtins.iter().map(|gtin| reader.value(gtin, str::parse)).collect();
    let schedule = reader.word(&raw.schedule);
    let form = reader.word(&raw.form);
    let dose_use = reader.word(&raw.dose_use);
    let strength = reader.value(&raw.strength, Strength::parse);
    let content = reader.value(&raw.content, read_amount);
    let containers = reader.number(&raw.containers, 1..=1_000);
    let beyond_use = read_beyond_use(reader, raw, rules, dose_use.ok());
    let source = reader.prose(&raw.source);
    refuse_mismatched_content(reader, raw, strength.ok(), content.ok(), form.ok());
    Ok(Product {
        id: id?,
        name: name?,
        drug: drug?.id.clone(),
        labeler: labeler?,
        ndc: ndc?,
        inner_ndc: inner_ndc?,
        other_gtins: gtins.into_iter().collect::<Read<_>>()?,
        schedule: schedule?,
        dea_code: drug?.dea_code.clone(),
        form: form?,
        dose_use: dose_use?,
        strength: strength?,
        content: content?,
        containers: containers?,
        beyond_use: beyond_use?,
        source: source?,
    })
}

/// The drug that a product or protocol names, which must stand in the same formulary.
pub(super) fn read_drug_reference<'d>(
    reader: &mut Reader<'_>,
    field: &Text,
    drugs: &'d BTreeMap<DrugId, Drug>,
) -> Read<&'d Drug> {
    let id: DrugId = reader.value(field, str::parse)?;
    drugs.get(&id).ok_or_else(|| {
        let message = format!("there is no good drug `{id}` in this formulary; add or mend it");
        reader.refuse(&field.span(), message)
    })
}

/// An NDC as it stands on a label: the billing form is refused, since it does not tell which zero
/// is padding.
fn read_label_ndc(text: &str) -> Result<Ndc, String> {
    let ndc: Ndc = text.parse().map_err(|error: crate::ident::NdcError| error.to_string())?;
    if ndc.layout() == NdcLayout::Billing {
        return Err(format!("{ndc} is a billing form; write the NDC as on the label"));
    }
    Ok(ndc)
}

fn read_amount(text: &str) -> Result<Amount, QuantityError> {
    Quantity::parse_text(text).and_then(Amount::try_from)
}

fn read_beyond_use(
    reader: &mut Reader<'_>,
    raw: &RawProduct,
    rules: Option<&BeyondUseRules>,
    dose_use: Option<DoseUse>,
) -> Read<BeyondUse> {
    match (&raw.beyond_use_hours, &raw.beyond_use_source) {
        (None, None) => {
            rules.zip(dose_use).map(|(rules, dose_use)| rules.of(dose_use)).ok_or(Refused)
        }
        (Some(hours), Some(source)) => {
            let hours = reader.number(hours, 0..=8_784);
            let source = reader.prose(source);
            Ok(BeyondUse { after: hours_span(hours?), source: source? })
        }
        (hours, source) => {
            let place = hours.as_ref().map(Number::span).or(source.as_ref().map(Text::span));
            let message = "write both beyond_use_hours and beyond_use_source, or neither";
            Err(reader.refuse(&place.unwrap_or_default(), message))
        }
    }
}

fn refuse_mismatched_content(
    reader: &mut Reader<'_>,
    raw: &RawProduct,
    strength: Option<Strength>,
    content: Option<Amount>,
    form: Option<Form>,
) {
    let Some(content) = content else { return };
    let place = raw.content.span();
    if content.is_zero() {
        reader.refuse(&place, "a container holds more than nothing; write its labelled content");
    }
    if let Some(strength) = strength
        && strength.kind() != content.kind()
    {
        let message = format!(
            "{content} and {strength} are of different kinds; \
             give the strength per volume for a liquid and per device for a device"
        );
        reader.refuse(&place, message);
    }
    if let Some(form) = form
        && (form == Form::NasalDevice) != (content.kind() == AmountKind::Count(CountUnit::Device))
    {
        reader.refuse(&place, format!("{content} is not the content of a {form}; write devices"));
    }
}
