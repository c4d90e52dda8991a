//! What is printed of a course that was really recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use vialedger::pb::v1;
use vialedger::report::{
    CourseInput, FormInput, SessionInput, course_page, leaflet_page, monitoring_form,
    monitoring_form_page, session_page,
};

use crate::ward::Ward;

/// A course with all its sessions, as a client reads it.
pub(crate) struct Pages {
    people: BTreeMap<String, String>,
    course: v1::Course,
    plan: v1::Plan,
    site: v1::Site,
    sessions: Vec<v1::Session>,
}

impl Pages {
    pub(crate) async fn of(ward: &Ward, course: &str) -> Self {
        let people = ward.asks("audrey", v1::ListPeopleRequest::default()).await.people;
        let people = people.into_iter().map(|person| (person.name, person.display_name)).collect();
        let found = ward.asks("audrey", v1::GetCourseRequest { name: course.to_owned() }).await;
        let course = found.course.unwrap();
        let mut sessions = Vec::new();
        let mut site = None;
        for line in &course.sessions {
            let found = ward.session(&line.name).await;
            site = found.site;
            sessions.push(found.session.unwrap());
        }
        Self { people, course, plan: found.plan.unwrap(), site: site.unwrap(), sessions }
    }

    /// The report of a session, by its number from 1.
    pub(crate) fn session(&self, ward: &Ward, number: usize) -> String {
        session_page(&SessionInput {
            session: &self.sessions[number - 1],
            plan: &self.plan,
            site: &self.site,
            people: &self.people,
            printed: ward.now(),
            ledger: crate::ward::ORIGIN,
            size: 1_000,
        })
    }

    pub(crate) fn course(&self, ward: &Ward) -> String {
        course_page(&CourseInput {
            course: &self.course,
            plan: &self.plan,
            sessions: &self.sessions,
            site: &self.site,
            people: &self.people,
            printed: ward.now(),
            ledger: crate::ward::ORIGIN,
            size: 1_000,
        })
    }

    pub(crate) fn leaflet(&self) -> String {
        leaflet_page(&self.plan, &self.site, "Nasal esketamine")
    }

    /// The monitoring form of a session, by its number from 1: the data and the page.
    pub(crate) fn form(
        &self,
        ward: &Ward,
        number: usize,
        identity: Option<&v1::PatientIdentity>,
    ) -> (serde_json::Value, String) {
        let input = FormInput {
            session: &self.sessions[number - 1],
            plan: &self.plan,
            site: &self.site,
            people: &self.people,
            identity,
            printed: ward.now(),
        };
        (monitoring_form(&input), monitoring_form_page(&input))
    }
}

/// Every one of these stands in a page.
pub(crate) fn says(page: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(page.contains(words), "{words:?} is not in the page");
    }
}

/// Keeps a page where a person can look at it: beside the test's other files, until the next build.
pub(crate) fn keep(name: &str, page: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), page).unwrap();
}
