//! The shape of the TOML, before anything in it is believed. Every value keeps the place where it
//! stands, so that an error can name its line.

use serde::Deserialize;
use toml::Spanned;

/// A string and where it stands.
pub(super) type Text = Spanned<String>;
/// A small whole number and where it stands.
pub(super) type Number = Spanned<u16>;
/// A whole number that may be negative and where it stands.
pub(super) type Signed = Spanned<i32>;
/// Several strings, where each stands and where their list stands.
pub(super) type Texts = Spanned<Vec<Text>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBeyondUse {
    pub(super) multiple_dose_days: Number,
    pub(super) multiple_dose_source: Text,
    pub(super) single_dose_hours: Number,
    pub(super) single_dose_source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDrug {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) dea_code: Option<Text>,
    pub(super) clinic_only: Option<Spanned<bool>>,
    pub(super) clinic_only_source: Option<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProduct {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) drug: Text,
    pub(super) labeler: Text,
    pub(super) ndc: Text,
    pub(super) inner_ndc: Option<Text>,
    #[serde(default)]
    pub(super) other_gtins: Vec<Text>,
    pub(super) schedule: Text,
    pub(super) form: Text,
    pub(super) dose_use: Text,
    pub(super) strength: Text,
    pub(super) content: Text,
    pub(super) containers: Number,
    pub(super) beyond_use_hours: Option<Number>,
    pub(super) beyond_use_source: Option<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuestion {
    pub(super) id: Text,
    pub(super) text: Text,
    pub(super) weight: Text,
    pub(super) stops_on: Text,
    pub(super) valid_days: Option<Number>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProtocol {
    pub(super) id: Text,
    pub(super) title: Text,
    pub(super) drug: Text,
    pub(super) indication: Text,
    pub(super) route: Text,
    pub(super) minimum_age_years: Number,
    pub(super) below_age_years: Option<Number>,
    pub(super) questions: Vec<Text>,
    pub(super) note: Option<Text>,
    pub(super) source: Text,
    pub(super) dose: RawDose,
    pub(super) weight: Option<RawWeight>,
    pub(super) infusion: Option<RawInfusion>,
    pub(super) dilution: Option<RawDilution>,
    pub(super) devices: Option<RawDevices>,
    pub(super) policy: RawPolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDose {
    pub(super) kind: Text,
    pub(super) default: Option<Text>,
    pub(super) soft_low: Text,
    pub(super) soft_high: Text,
    pub(super) hard_high: Text,
    pub(super) hard_mass: Option<Text>,
    pub(super) hard_source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWeight {
    pub(super) scalar: Text,
    pub(super) below_60_inches: Option<Text>,
    pub(super) methods: Vec<Text>,
    pub(super) max_age_days: Number,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInfusion {
    pub(super) default: Option<Text>,
    pub(super) shortest: Text,
    pub(super) longest: Option<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDilution {
    pub(super) required: Spanned<bool>,
    pub(super) strongest_given: Text,
    pub(super) diluent: Text,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) calculation_valid_minutes: Number,
    pub(super) double_check: Spanned<bool>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevices {
    pub(super) gap_minutes: Number,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMeasure {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) unit: Text,
    pub(super) lowest: Signed,
    pub(super) highest: Signed,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMonitoring {
    pub(super) id: Text,
    pub(super) title: Text,
    pub(super) before: Texts,
    pub(super) before_minutes: Number,
    pub(super) late_minutes: Number,
    #[serde(default)]
    pub(super) due: Vec<RawDue>,
    #[serde(default)]
    pub(super) criterion: Vec<RawCriterion>,
    pub(super) discharge: RawDischarge,
    pub(super) leaflet: RawLeaflet,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDue {
    pub(super) minutes: Spanned<Vec<Number>>,
    pub(super) measures: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCriterion {
    pub(super) id: Text,
    pub(super) when: Text,
    pub(super) measure: Text,
    pub(super) above: Option<Signed>,
    pub(super) below: Option<Signed>,
    pub(super) weight: Option<Text>,
    pub(super) action: Text,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDischarge {
    pub(super) minimum_minutes: Number,
    pub(super) observed_minutes: Number,
    pub(super) measures: Texts,
    pub(super) escort: Spanned<bool>,
    pub(super) no_driving: Spanned<bool>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLeaflet {
    #[serde(rename = "do")]
    pub(super) advised: Texts,
    #[serde(rename = "do_not")]
    pub(super) avoided: Texts,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlan {
    pub(super) id: Text,
    pub(super) title: Text,
    pub(super) drug: Text,
    pub(super) monitoring: Text,
    #[serde(default)]
    pub(super) phase: Vec<RawPhase>,
    #[serde(default)]
    pub(super) window: Vec<RawWindow>,
    pub(super) history: RawHistory,
    pub(super) form: Option<RawForm>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhase {
    pub(super) id: Text,
    pub(super) title: Text,
    pub(super) protocol: Text,
    pub(super) sessions_min: Number,
    pub(super) sessions_max: Number,
    pub(super) interval_days: Number,
    pub(super) soft_min_days: Number,
    pub(super) hard_min_days: Number,
    pub(super) soft_max_days: Number,
    pub(super) lasts_days: Option<Number>,
    pub(super) first_dose: Option<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    pub(super) days: Number,
    pub(super) sessions: Number,
    pub(super) mass: Option<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHistory {
    pub(super) weight_change_percent: Number,
    pub(super) rises_alone: Number,
    pub(super) ask_after: Vec<Text>,
    pub(super) source: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForm {
    pub(super) title: Text,
    pub(super) due_days: Number,
    pub(super) source: Text,
}
