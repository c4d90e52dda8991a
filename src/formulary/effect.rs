//! Adverse effects, by kind.

use super::word::{Word, words};

words! {
    /// A kind of adverse effect. The list is closed so that effects can be counted; what is none of
    /// these is `other`, and then words say what it was.
    EffectKind "a kind of adverse effect" {
        /// Dizziness.
        Dizziness = "dizziness",
        /// Nausea.
        Nausea = "nausea",
        /// Vomiting.
        Vomiting = "vomiting",
        /// Blurred vision.
        BlurredVision = "blurred_vision",
        /// Headache.
        Headache = "headache",
        /// Dissociation: the patient feels detached from self or surroundings.
        Dissociation = "dissociation",
        /// Sedation.
        Sedation = "sedation",
        /// Respiratory depression.
        RespiratoryDepression = "respiratory_depression",
        /// Pain, urgency or blood in passing water: the bladder suffers from repeated ketamine.
        UrinarySymptoms = "urinary_symptoms",
        /// Raised blood pressure.
        RaisedBloodPressure = "raised_blood_pressure",
        /// Anxiety.
        Anxiety = "anxiety",
        /// Syncope.
        Syncope = "syncope",
        /// An allergic reaction.
        AllergicReaction = "allergic_reaction",
        /// Anything else.
        Other = "other",
    }
}

impl EffectKind {
    /// Every kind, in the order in which they are listed.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::ALL
    }
}
