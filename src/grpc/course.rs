//! `CourseService`: patients, their courses and sessions.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::error::{Failure, unreadable};
use super::handlers::{Handlers, name, optional_name, violation, writes};
use super::page::Page;
use super::session::{History, answers};
use super::{plan, summary};
use crate::command::Violation;
use crate::decide::REGISTRARS;
use crate::formulary::PlanId;
use crate::identity::Opening;
use crate::ledger::{ParsedEntry, RequestKind};
use crate::names::{CourseName, EntryName, PatientName, PersonName, SessionName};
use crate::pb::v1::{self, course_service_server::CourseService, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::service::Published;
use crate::wire::{timestamp_from_wire, timestamp_to_wire};

/// How often a wall display is told where things stand although nothing was recorded: what is due becomes overdue by
/// time alone.
const BOARD_INTERVAL: Duration = Duration::from_secs(30);
/// Boards that wait for a slow display, at most.
const BOARD_BUFFER: usize = 2;

#[async_trait]
impl CourseService for Handlers {
    writes! {
        register_patient: RegisterPatientRequest => RegisterPatientResponse,
        merge_patients: MergePatientsRequest => MergePatientsResponse,
        open_identity: OpenIdentityRequest => OpenIdentityResponse,
        record_eligibility: RecordEligibilityRequest => RecordEligibilityResponse,
        open_course: OpenCourseRequest => OpenCourseResponse,
        close_course: CloseCourseRequest => CloseCourseResponse,
        start_session: StartSessionRequest => StartSessionResponse,
        record_missed_session: RecordMissedSessionRequest => RecordMissedSessionResponse,
        cancel_session: CancelSessionRequest => CancelSessionResponse,
        record_observation: RecordObservationRequest => RecordObservationResponse,
        acknowledge_alert: AcknowledgeAlertRequest => AcknowledgeAlertResponse,
        record_adverse_effect: RecordAdverseEffectRequest => RecordAdverseEffectResponse,
        discharge_patient: DischargePatientRequest => DischargePatientResponse,
        record_form_sent: RecordFormSentRequest => RecordFormSentResponse,
    }

    type WatchSessionsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchSessionsResponse, Status>> + Send>>;

    async fn seal_identity(
        &self,
        request: Request<v1::SealIdentityRequest>,
    ) -> Result<Response<v1::SealIdentityResponse>, Status> {
        let asking = Self::asking(&request)?;
        let published = self.published();
        let person = published.state.person(&asking);
        if !person.is_some_and(|person| person.holds(REGISTRARS)) {
            let needed = REGISTRARS;
            return Err(Failure::Refused(Refusal::RoleNotHeld { person: asking, needed }).into());
        }
        drop(published);
        let opening = request.into_inner().opening.unwrap_or_default();
        let opening = Opening::from_wire(&opening).map_err(|wrong| {
            let violations = wrong.into_iter().map(|(field, description)| Violation {
                field: format!("opening.{field}"),
                description,
            });
            Failure::Invalid(violations.collect())
        })?;
        let today = self.published().state.day_of(self.clock.now());
        if opening.identity.age_on(today).is_none() {
            let text = "is in the future; check the year";
            return Err(violation("opening.identity.birth_date", text).into());
        }
        let commitment = self.service.seal_identity(opening).await.map_err(Failure::from)?;
        let identity_commitment = commitment.as_bytes().to_vec();
        Ok(Response::new(v1::SealIdentityResponse { identity_commitment }))
    }

    async fn read_identity(
        &self,
        request: Request<v1::ReadIdentityRequest>,
    ) -> Result<Response<v1::ReadIdentityResponse>, Status> {
        let asking = Self::asking(&request)?;
        let EntryName(index) = name("entry", &request.get_ref().entry)?;
        Ok(Response::new(self.opened_identity(&asking, index).await?))
    }

    async fn get_patient(
        &self,
        request: Request<v1::GetPatientRequest>,
    ) -> Result<Response<v1::GetPatientResponse>, Status> {
        let asked: PatientName = name("name", &request.get_ref().name)?;
        let published = self.published();
        let record = published.state.patient_as_named(&asked);
        let record = record.ok_or(Failure::Refused(TreatmentRefusal::PatientUnknown.into()))?;
        // Of a patient who is known by two names, the age is that of the name that stays.
        let age_years = self.age(published.state.patient_name(&asked)).await?;
        let patient = v1::Patient { age_years, ..summary::patient(&asked, record) };
        Ok(Response::new(v1::GetPatientResponse { patient: Some(patient) }))
    }

    async fn list_patients(
        &self,
        request: Request<v1::ListPatientsRequest>,
    ) -> Result<Response<v1::ListPatientsResponse>, Status> {
        let asked = request.into_inner();
        let page =
            Page::<PatientName>::read(asked.page_size, &asked.page_token, "ListPatients", &[])?;
        let published = self.published();
        let (patients, next_page_token) =
            page.cut(published.state.patients(), |(name, _)| (*name).clone());
        let patients =
            patients.into_iter().map(|(name, record)| summary::patient(name, record)).collect();
        Ok(Response::new(v1::ListPatientsResponse { patients, next_page_token }))
    }

    async fn get_course(
        &self,
        request: Request<v1::GetCourseRequest>,
    ) -> Result<Response<v1::GetCourseResponse>, Status> {
        let asked: CourseName = name("name", &request.get_ref().name)?;
        let published = self.published();
        let state = &published.state;
        let course = state.course(asked).ok_or_else(|| Failure::NotFound(asked.to_string()))?;
        let plan = state.formulary().and_then(|record| {
            let plan = record.formulary.plan(&course.plan)?;
            Some(plan::plan(&record.formulary, plan))
        });
        let course = Some(summary::course(state, asked, course, self.clock.now()));
        Ok(Response::new(v1::GetCourseResponse { course, plan }))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let asking = Self::asking(&request)?;
        let asked: SessionName = name("name", &request.get_ref().name)?;
        let mut found = self.session(asked).await?;
        if let Some(session) = &mut found.session {
            self.hide_unchecked(&asking, session);
        }
        Ok(Response::new(found))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let asked = request.into_inner();
        let patient: Option<PatientName> = optional_name("patient", &asked.patient)?;
        let page = Page::<SessionName>::read(
            asked.page_size,
            &asked.page_token,
            "ListSessions",
            &[&asked.patient],
        )?;
        let published = self.published();
        let names = sessions(&published, patient.as_ref())?;
        let (names, next_page_token) = page.cut(names, |name| *name);
        let now = self.clock.now();
        let state = &published.state;
        let sessions = names.into_iter().filter_map(|name| {
            let (course_name, course) = state.course_of_session(name)?;
            let line = course.sessions.iter().find(|line| line.name == name)?;
            Some(summary::past_session(state, course_name, course, line, now))
        });
        let sessions = sessions.collect();
        Ok(Response::new(v1::ListSessionsResponse { sessions, next_page_token }))
    }

    async fn watch_sessions(
        &self,
        _request: Request<v1::WatchSessionsRequest>,
    ) -> Result<Response<Self::WatchSessionsStream>, Status> {
        let (boards, stream) = mpsc::channel(BOARD_BUFFER);
        tokio::spawn(self.clone().show(boards));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        let asked = request.into_inner();
        let page = Page::<PlanId>::read(asked.page_size, &asked.page_token, "ListPlans", &[])?;
        let published = self.published();
        let record = published.state.formulary().ok_or(Failure::Refused(Refusal::NoFormulary))?;
        let formulary = &record.formulary;
        let (plans, next_page_token) = page.cut(formulary.plans(), |plan| plan.id.clone());
        Ok(Response::new(v1::ListPlansResponse {
            plans: plans.into_iter().map(|plan| plan::plan(formulary, plan)).collect(),
            next_page_token,
            formulary_version: formulary.version().to_vec(),
        }))
    }
}

/// The sessions of a patient; without one those that are open, and those with a form to send.
fn sessions(
    published: &Published,
    patient: Option<&PatientName>,
) -> Result<BTreeSet<SessionName>, Failure> {
    let state = &published.state;
    let Some(patient) = patient else {
        let open = state.sessions().map(|session| session.name);
        let forms = state.forms_to_send().map(|(_, _, session)| session);
        return Ok(open.chain(forms).collect());
    };
    let record =
        state.patient(patient).ok_or(Failure::Refused(TreatmentRefusal::PatientUnknown.into()))?;
    let courses = record.courses.iter().filter_map(|course| state.course(*course));
    Ok(courses.flat_map(|course| course.sessions.iter().map(|line| line.name)).collect())
}

impl Handlers {
    /// A session, put together from its entries.
    async fn session(&self, asked: SessionName) -> Result<v1::GetSessionResponse, Failure> {
        let published = self.published();
        let state = &published.state;
        let (course_name, course) =
            state.course_of_session(asked).ok_or_else(|| Failure::NotFound(asked.to_string()))?;
        let mut history = History::new(state, asked, (course_name, course));
        for entry in self.entries_of(asked.to_string(), asked.0, None).await? {
            history.add(&entry)?;
        }
        for name in history.vials() {
            let vial = name.parse().map_err(|_| unreadable(asked.0))?;
            let vial = self.vial(vial).await?;
            history.session.balances.extend(vial.balance.clone());
            for dose in history.session.doses.iter_mut().filter(|dose| dose.vial == name) {
                dose.product.clone_from(&vial.product);
                dose.lot.clone_from(&vial.lot);
                dose.serial.clone_from(&vial.serial);
                dose.expiry_date = vial.expiry_date;
            }
        }
        let asked_before = self.answers_of(&course.patient).await?;
        history.session.answers = answers(state, &asked_before, asked);
        let session = history.finish(asked, self.clock.now());
        let record = state.formulary_of(session.formulary_entry);
        let plan = record.and_then(|record| {
            let plan = record.formulary.plan(&course.plan)?;
            Some(plan::plan(&record.formulary, plan))
        });
        let site = state.site().map(|site| v1::Site {
            display_name: site.display_name.clone(),
            address: site.address.clone(),
            dea_number: site.dea_number.clone().unwrap_or_default(),
            utc_offset_minutes: site.utc_offset_minutes,
        });
        Ok(v1::GetSessionResponse { session: Some(session), plan, site })
    }

    /// The identity that an entry opened, to the person who signed it and while it is open.
    async fn opened_identity(
        &self,
        asking: &PersonName,
        index: u64,
    ) -> Result<v1::ReadIdentityResponse, Failure> {
        let entry = self.service.entry(index).await?;
        let entry = ParsedEntry::parse(entry).map_err(|_| unreadable(index))?;
        let Some(outcome::Result::IdentityOpened(opened)) = entry.outcome.result else {
            let text = "is no entry that opened an identity; sign an OpenIdentity first";
            return Err(violation("entry", text));
        };
        let published = self.published();
        let signer = published.state.key(entry.request.key());
        if signer.is_none_or(|signer| signer.person != *asking) {
            return Err(Failure::NotYours);
        }
        let until = opened.expire_time.as_ref().map(timestamp_from_wire).transpose();
        let until = until.ok().flatten().ok_or_else(|| unreadable(index))?;
        if self.clock.now() >= until {
            return Err(Failure::IdentityClosed { until });
        }
        let patient: PatientName = opened.patient.parse().map_err(|_| unreadable(index))?;
        let opening = self.service.identity_of(&patient).await?;
        let opening = opening.ok_or(Failure::Refused(TreatmentRefusal::IdentityNotHeld.into()))?;
        let opening = Some(opening.to_wire());
        Ok(v1::ReadIdentityResponse { patient: opened.patient, opening })
    }

    /// Today's age of a patient at the site, from the sealed date of birth.
    async fn age(&self, patient: &PatientName) -> Result<Option<u32>, Failure> {
        let today = self.published().state.day_of(self.clock.now());
        let opening = self.service.identity_of(patient).await?;
        Ok(opening.and_then(|opening| opening.identity.age_on(today)))
    }

    /// A dose that waits for its independent check is not shown to whoever may have to check it.
    fn hide_unchecked(&self, asking: &PersonName, session: &mut v1::Session) {
        let Some(calculation) = &session.dose_calculation else { return };
        let name = calculation.name.parse();
        if name.is_ok_and(|name| self.may_see(asking, name, &session.calculated_by).is_ok()) {
            return;
        }
        // That it is there, and what it waits for, is no secret.
        session.dose_calculation = Some(v1::DoseCalculation {
            name: calculation.name.clone(),
            patient: calculation.patient.clone(),
            session: calculation.session.clone(),
            check_requirement: calculation.check_requirement,
            ..v1::DoseCalculation::default()
        });
        session.weight = None;
    }

    /// The entries that recorded answers of a patient, under any of the patient's names.
    async fn answers_of(&self, patient: &PatientName) -> Result<Vec<ParsedEntry>, Failure> {
        let published = self.published();
        let record = published.state.patient(patient);
        let aliases = record.map(|record| record.aliases.clone()).unwrap_or_default();
        drop(published);
        let names = std::iter::once(patient).chain(&aliases).map(ToString::to_string);
        let mut entries = Vec::new();
        for name in names {
            let kind = Some(RequestKind::RecordEligibility);
            entries.extend(self.entries_of(name, 0, kind).await?);
        }
        entries.sort_by_key(|entry| entry.sealed.index());
        entries.dedup_by_key(|entry| entry.sealed.index());
        Ok(entries)
    }

    /// Shows the open sessions at once, after every change, and from time to time, for as long as anybody looks.
    async fn show(self, boards: mpsc::Sender<Result<v1::WatchSessionsResponse, Status>>) {
        let mut sizes = self.service.subscribe();
        loop {
            sizes.borrow_and_update();
            let published = self.published();
            let now = self.clock.now();
            let sessions = published.state.sessions();
            let board = v1::WatchSessionsResponse {
                server_time: Some(timestamp_to_wire(now)),
                size: published.size(),
                sessions: sessions
                    .map(|session| summary::open_session(&published.state, session, now))
                    .collect(),
            };
            drop(published);
            if boards.send(Ok(board)).await.is_err() {
                return;
            }
            tokio::select! {
                changed = sizes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(BOARD_INTERVAL) => {}
                () = boards.closed() => return,
            }
        }
    }
}
