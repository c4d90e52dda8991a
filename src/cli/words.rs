//! The API's enums as people type them and as people read them.

use clap::ValueEnum;

use crate::pb::v1;
use crate::report::word;

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident of $wire:ident { $($(#[$variant_doc:meta])* $variant:ident,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
            pub enum $name {
                $($(#[$variant_doc])* $variant,)*
            }

            impl From<$name> for v1::$wire {
                fn from(choice: $name) -> Self {
                    match choice {
                        $($name::$variant => Self::$variant,)*
                    }
                }
            }

            impl $name {
                /// As the wire carries it.
                pub(super) fn wire(self) -> i32 {
                    v1::$wire::from(self).into()
                }
            }
        )*
    };
}

choices! {
    /// Why an identity is read.
    PurposeName of IdentityPurpose {
        /// To treat the patient
        Treatment,
        /// For a record or form that the law or a maker's programme asks for
        Reporting,
        /// For an audit or an inspection
        Audit,
        /// Because the patient asked
        PatientRequest,
    }

    /// Why a course ended.
    CourseEndName of CourseEnd {
        /// As planned
        Completed,
        /// The patient is well
        Remission,
        /// It did not help
        NoResponse,
        /// It was not tolerated
        AdverseEffect,
        /// The patient wanted it so
        PatientChoice,
        /// Signs of tolerance, dependence or misuse
        Misuse,
        /// Another reason; --note says which
        Other,
    }

    /// Why a session did not take place.
    SessionEndName of SessionEnd {
        /// The patient did not come
        DidNotCome,
        /// The patient called it off
        CalledOffByPatient,
        /// The clinic called it off
        CalledOffByClinic,
        /// The patient was not well enough, or the vital signs were not
        Unfit,
        /// There was nobody to take the patient home
        NoEscort,
        /// Another reason; --note says which
        Other,
    }

    /// Kind of an adverse effect.
    EffectKindName of EffectKind {
        /// Dizziness
        Dizziness,
        /// Nausea
        Nausea,
        /// Vomiting
        Vomiting,
        /// Blurred vision
        BlurredVision,
        /// Headache
        Headache,
        /// Dissociation
        Dissociation,
        /// Sedation
        Sedation,
        /// Respiratory depression
        RespiratoryDepression,
        /// Urinary symptoms: pain, urgency, blood
        UrinarySymptoms,
        /// Raised blood pressure
        RaisedBloodPressure,
        /// Anxiety
        Anxiety,
        /// Syncope
        Syncope,
        /// Allergic reaction
        AllergicReaction,
        /// Another one; --note says which
        Other,
    }

    /// How bad an adverse effect was at its worst.
    SeverityName of EffectSeverity {
        /// Noticed, needed nothing
        Mild,
        /// Needed watching or a medicine
        Moderate,
        /// Stopped the treatment or needed urgent help
        Severe,
    }

    /// What was done about an adverse effect.
    ActionName of EffectAction {
        /// Nothing was needed
        None,
        /// Watched longer or more closely
        ObservedLonger,
        /// The infusion was slowed
        InfusionSlowed,
        /// The dose was stopped
        DoseStopped,
        /// A medicine was given; --note says which
        MedicineGiven,
        /// The next dose is to be lower
        NextDoseReduced,
        /// The course is to end
        CourseEnded,
        /// Emergency services were called
        EmergencyCalled,
    }
}

/// Why a session did not take place.
#[must_use]
pub(super) fn session_end(reason: v1::SessionEnd) -> String {
    word(reason.as_str_name(), "SESSION_END_")
}

/// Why a course ended.
#[must_use]
pub(super) fn course_end(reason: v1::CourseEnd) -> String {
    word(reason.as_str_name(), "COURSE_END_")
}

/// Why a soft limit was passed.
#[must_use]
pub(super) fn override_reason(reason: v1::OverrideReason) -> String {
    word(reason.as_str_name(), "OVERRIDE_REASON_")
}

/// An answer.
#[must_use]
pub(super) fn answer(answer: v1::Answer) -> String {
    word(answer.as_str_name(), "ANSWER_")
}

/// Where an observation of the schedule stands. What is wanted stands out.
#[must_use]
pub(super) fn due_state(state: v1::DueState) -> &'static str {
    match state {
        v1::DueState::Unspecified => "",
        v1::DueState::Upcoming => "later",
        v1::DueState::Due => "DUE NOW",
        v1::DueState::Overdue => "OVERDUE",
        v1::DueState::Done => "done",
        v1::DueState::Missed => "MISSED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of an enum on the wire but "not set" can be typed, under the name that it has there.
    fn complete<N: ValueEnum>(wire: impl Fn(i32) -> Option<&'static str>, prefix: &str) {
        let typed: Vec<String> = N::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|value| value.get_name().replace('-', " "))
            .collect();
        let on_wire: Vec<String> = (1..).map_while(wire).map(|name| word(name, prefix)).collect();
        assert_eq!(typed, on_wire);
    }

    #[test]
    fn every_choice_of_the_api_can_be_typed() {
        complete::<PurposeName>(
            |n| v1::IdentityPurpose::try_from(n).ok().map(|it| it.as_str_name()),
            "IDENTITY_PURPOSE_",
        );
        complete::<CourseEndName>(
            |n| v1::CourseEnd::try_from(n).ok().map(|it| it.as_str_name()),
            "COURSE_END_",
        );
        complete::<SessionEndName>(
            |n| v1::SessionEnd::try_from(n).ok().map(|it| it.as_str_name()),
            "SESSION_END_",
        );
        complete::<EffectKindName>(
            |n| v1::EffectKind::try_from(n).ok().map(|it| it.as_str_name()),
            "EFFECT_KIND_",
        );
        complete::<SeverityName>(
            |n| v1::EffectSeverity::try_from(n).ok().map(|it| it.as_str_name()),
            "EFFECT_SEVERITY_",
        );
        complete::<ActionName>(
            |n| v1::EffectAction::try_from(n).ok().map(|it| it.as_str_name()),
            "EFFECT_ACTION_",
        );
    }

    #[test]
    fn what_is_not_set_is_blank() {
        assert_eq!(answer(v1::Answer::Unspecified), "");
        assert_eq!(answer(v1::Answer::Unknown), "unknown");
        assert_eq!(override_reason(v1::OverrideReason::SpecialistAdvice), "specialist advice");
    }
}
