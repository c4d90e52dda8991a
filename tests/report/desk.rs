//! What pages are made from, kept together so that it can be borrowed.

use std::collections::BTreeMap;

use vialedger::pb::v1;
use vialedger::report::{CourseInput, FormInput, SessionInput};

use crate::fixtures::{people, printed, site};

/// A plan, the site and its people.
pub struct Desk {
    pub plan: v1::Plan,
    pub site: v1::Site,
    pub people: BTreeMap<String, String>,
}

impl Desk {
    pub fn with(plan: v1::Plan) -> Self {
        Self { plan, site: site(), people: people() }
    }

    pub fn session<'a>(&'a self, session: &'a v1::Session) -> SessionInput<'a> {
        SessionInput {
            session,
            plan: &self.plan,
            site: &self.site,
            people: &self.people,
            printed: printed(),
            ledger: "harbour.example/clinic",
            size: 412,
        }
    }

    pub fn course<'a>(
        &'a self,
        course: &'a v1::Course,
        sessions: &'a [v1::Session],
    ) -> CourseInput<'a> {
        CourseInput {
            course,
            plan: &self.plan,
            sessions,
            site: &self.site,
            people: &self.people,
            printed: printed(),
            ledger: "harbour.example/clinic",
            size: 412,
        }
    }

    pub fn form<'a>(
        &'a self,
        session: &'a v1::Session,
        identity: Option<&'a v1::PatientIdentity>,
    ) -> FormInput<'a> {
        FormInput {
            session,
            plan: &self.plan,
            site: &self.site,
            people: &self.people,
            identity,
            printed: printed(),
        }
    }
}
