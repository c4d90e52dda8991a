//! What sessions came to, counted from the entries alone: no rule is asked, and no state.

use std::collections::{BTreeMap, BTreeSet};

use vialedger::ledger::RequestKind;
use vialedger::pb::v1::{self, outcome::Result as Made};
use vialedger::time::Timestamp;
use vialedger::units::Rational;
use vialedger::wire::{quantity_from_wire, timestamp_from_wire};

use crate::support::{Book, MINUTE, decode};

/// A session as its entries tell it.
#[derive(Default)]
pub(crate) struct Session {
    course: String,
    over: bool,
    /// When the first dose began.
    first: Option<i64>,
    alerts: BTreeSet<String>,
    /// When its newest dispensing was, as long as nothing has become of it.
    in_hands: Option<i64>,
    /// The calculation by which something was given.
    dose: Option<String>,
    /// Nanograms of drug.
    given: Option<Rational>,
}

/// A calculation: its session, and whether it still waits for a second person.
struct Dose {
    session: String,
    waits: bool,
}

/// Everything that is counted.
#[derive(Default)]
pub(crate) struct Recount {
    /// The patient that another name means.
    aliases: BTreeMap<String, String>,
    /// The patient of each course.
    courses: BTreeMap<String, String>,
    pub(crate) sessions: BTreeMap<String, Session>,
    doses: BTreeMap<String, Dose>,
    /// The calculation of each dispensing.
    held: BTreeMap<String, String>,
    /// Names of results and reasons of refusals that were met.
    pub(crate) met: BTreeSet<String>,
}

impl Recount {
    /// Counts every entry of a book and holds the result against its state.
    pub(crate) fn of(book: &Book) -> Self {
        let mut recount = Self::default();
        for row in &book.rows {
            recount.count(&decode(row));
        }
        recount.compare(book);
        recount
    }

    fn count(&mut self, entry: &v1::Entry) {
        let made = entry.outcome.clone().unwrap().result.unwrap();
        let name = match &made {
            Made::Refusal(refusal) => refusal.reason.clone(),
            other => format!("{other:?}").split('(').next().unwrap().to_owned(),
        };
        self.met.insert(name);
        match made {
            Made::CourseOpened(opened) => {
                let asked = request::<v1::OpenCourseRequest>(entry);
                let own = self.aliases.get(&asked.patient).unwrap_or(&asked.patient);
                self.courses.insert(opened.course, own.clone());
            }
            Made::PatientsMerged(merged) => {
                let names = self.courses.values_mut().chain(self.aliases.values_mut());
                names
                    .filter(|it| **it == merged.alias)
                    .for_each(|it| it.clone_from(&merged.patient));
                self.aliases.insert(merged.alias, merged.patient);
            }
            Made::SessionStarted(started) => {
                let patient = &self.courses[&started.course];
                let open = self.sessions.values().filter(|session| !session.over);
                let mut patients = open.map(|session| &self.courses[&session.course]);
                assert!(patients.all(|other| other != patient), "two sessions at once");
                let session = Session { course: started.course, ..Session::default() };
                self.sessions.insert(started.session, session);
            }
            Made::DoseCalculation(dose) if !dose.session.is_empty() => {
                assert!(!self.sessions[&dose.session].over, "a dose after the end");
                let waits = dose.check_requirement() != v1::CheckRequirement::Unspecified;
                self.doses.insert(dose.name, Dose { session: dose.session, waits });
            }
            Made::DoseCheck(check) if check.agreed => {
                self.doses.get_mut(&check.dose_calculation).unwrap().waits = false;
            }
            Made::Dispensing(dispensing) => self.dispensed(entry, &dispensing),
            Made::Administration(given) => self.given(entry, &given),
            Made::Observation(seen) => self.observed(entry, seen),
            Made::AlertAcknowledged(seen) => {
                let session = self.open(&seen.session);
                assert!(session.alerts.remove(&seen.alert), "an alert that was not open");
            }
            Made::SessionCancelled(cancelled) => {
                let session = self.open(&cancelled.session);
                assert!(session.first.is_none(), "called off after a dose");
                assert!(session.alerts.is_empty(), "called off with an alert open");
                session.over = true;
            }
            Made::Discharge(discharge) => self.went_home(entry, &discharge),
            Made::Waste(_) => {
                let source = request::<v1::RecordWasteRequest>(entry).source;
                if let Some(v1::record_waste_request::Source::Dispensing(name)) = source {
                    self.settled(&name);
                }
            }
            Made::VialReturned(_) => {
                self.settled(&request::<v1::ReturnVialRequest>(entry).dispensing);
            }
            _ => {}
        }
    }

    /// Whoever is hardly awake with the drug in the body, or about to have it, raises an alert.
    fn observed(&mut self, entry: &v1::Entry, seen: v1::Observation) {
        let asked = request::<v1::RecordObservationRequest>(entry);
        let at = micros(asked.observed_time.as_ref());
        let deep = asked.readings.iter().any(|it| it.measure == "moaa-s" && it.value < 3);
        let session = self.open(&seen.session);
        session.alerts.extend(seen.alerts.into_iter().map(|alert| alert.name));
        let watched = session.first.or(session.in_hands).is_some_and(|since| at >= since);
        if !(deep && watched) {
            return;
        }
        assert!(!session.alerts.is_empty(), "nobody was called");
        if session.first.is_none() {
            self.met.insert("watched with the dose in hands".to_owned());
        }
    }

    fn settled(&mut self, dispensing: &str) {
        if let Some((session, _)) = self.of_dispensing(dispensing) {
            session.in_hands = None;
        }
    }

    fn went_home(&mut self, entry: &v1::Entry, discharge: &v1::Discharge) {
        let now = micros(entry.recorded_time.as_ref());
        let session = self.open(&discharge.session);
        let waited = now - session.first.expect("sent home without a dose");
        assert_eq!(u64::from(discharge.minutes_since_first_dose), minutes(waited));
        if discharge.unmet.is_empty() {
            assert!(waited >= 120 * MINUTE, "home after {waited} us");
            assert!(session.alerts.is_empty(), "home with an alert");
        } else {
            assert!(!discharge.approved_by.is_empty(), "home early, and nobody agreed");
        }
        session.over = true;
    }

    fn open(&mut self, name: &str) -> &mut Session {
        let session = self.sessions.get_mut(name).unwrap();
        assert!(!session.over, "{name} is over");
        session
    }

    fn dispensed(&mut self, entry: &v1::Entry, dispensing: &v1::Dispensing) {
        let asked = request::<v1::DispenseVialRequest>(entry);
        assert!(!asked.take_home, "taken home");
        let Some(dose) = self.doses.get(&asked.dose_calculation) else { return };
        assert!(!dose.waits, "dispensed without its check");
        let session = dose.session.clone();
        let session = self.open(&session);
        assert!(session.alerts.is_empty(), "dispensed with an alert open");
        let other = session.dose.as_ref().filter(|dose| **dose != asked.dose_calculation);
        assert_eq!(other, None, "dispensed for a second dose");
        session.in_hands = Some(micros(entry.recorded_time.as_ref()));
        self.held.insert(dispensing.name.clone(), asked.dose_calculation);
    }

    fn of_dispensing(&mut self, name: &str) -> Option<(&mut Session, String)> {
        let dose = self.held.get(name)?.clone();
        let session = self.doses[&dose].session.clone();
        Some((self.open(&session), dose))
    }

    fn given(&mut self, entry: &v1::Entry, given: &v1::Administration) {
        let asked = request::<v1::RecordAdministrationRequest>(entry);
        let Some((session, dose)) = self.of_dispensing(&given.dispensing) else { return };
        assert_eq!(session.dose.get_or_insert_with(|| dose.clone()), &dose, "two doses");
        session.in_hands = None;
        let start = micros(asked.start_time.as_ref());
        session.first = Some(session.first.map_or(start, |first| first.min(start)));
        let dose = quantity_from_wire(given.dose.as_ref().unwrap()).unwrap().to_base().unwrap();
        let before = session.given.unwrap_or(Rational::ZERO);
        session.given = Some(before.plus(dose).unwrap());
    }

    /// The state says what was counted.
    fn compare(&self, book: &Book) {
        let open: BTreeSet<String> =
            book.state.sessions().map(|session| session.name.to_string()).collect();
        let counted = self.sessions.iter().filter(|(_, session)| !session.over);
        assert_eq!(open, counted.map(|(name, _)| name.clone()).collect());
        for (name, counted) in &self.sessions {
            let (course, kept) = book.state.course_of_session(name.parse().unwrap()).unwrap();
            assert_eq!(course.to_string(), counted.course);
            assert_eq!(kept.patient.to_string(), self.courses[&counted.course]);
            let line = kept.sessions.iter().find(|line| line.name.to_string() == *name).unwrap();
            assert_eq!(line.ended.is_some(), counted.over);
            let given = counted.given.unwrap_or(Rational::ZERO);
            assert_eq!(line.given.rational(), given, "{name}");
            let first = line.first_dose.map(Timestamp::micros);
            assert_eq!(first, counted.first);
            let Some(session) = book.state.session(line.name) else { continue };
            let alerts = session.alerts.iter().map(|alert| alert.name.to_string()).collect();
            assert_eq!(counted.alerts, alerts);
            let patient = book.state.patient(&session.patient).unwrap();
            assert_eq!(patient.open_session, Some(session.name));
        }
        for (name, record) in book.state.patients() {
            if let Some(own) = &record.merged_into {
                let own = book.state.patient_as_named(own).unwrap();
                assert!(own.merged_into.is_none(), "{name} is another name of another name");
                assert!(record.courses.is_empty() && record.open_session.is_none());
            }
        }
    }
}

fn request<M: prost::Message + Default>(entry: &v1::Entry) -> M {
    assert!(RequestKind::from_message_name(&entry.request_type).is_some());
    M::decode(entry.request.as_slice()).unwrap()
}

fn micros(time: Option<&prost_types::Timestamp>) -> i64 {
    timestamp_from_wire(time.unwrap()).unwrap().micros()
}

fn minutes(micros: i64) -> u64 {
    u64::try_from(micros / MINUTE).unwrap()
}
