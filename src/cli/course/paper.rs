//! What is printed: reports, the leaflet, the monitoring form. Made on this device from what the server answers.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message as _;
use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::options::Recording;
use crate::cli::output::pretty;
use crate::cli::patient::look;
use crate::cli::receipt;
use crate::cli::session::{Session as Connection, write_new};
use crate::cli::words::PurposeName;
use crate::pb::v1;
use crate::report::{self, CourseInput, FormInput, SessionInput};

/// Writes the report of a session.
pub(super) async fn session(
    name: String,
    out: &Path,
    connection: &Connection,
) -> Result<(), CliError> {
    // The size first: everything up to it is in what is read after it.
    let (_, size) = receipt::newest(connection).await?;
    let Whole { session, plan, site } = Whole::read(name, connection).await?;
    let page = report::session_page(&SessionInput {
        session: &session,
        plan: &plan,
        site: &site,
        people: &people(connection).await?,
        printed: connection.now(),
        ledger: connection.client.origin(),
        size,
    });
    write(out, &page, &format!("The report of {}", session.name), connection)
}

/// Writes the report of a course, with all of its sessions in full.
pub(super) async fn course(
    name: String,
    out: &Path,
    connection: &Connection,
) -> Result<(), CliError> {
    let (_, size) = receipt::newest(connection).await?;
    let found = connection.ask(v1::GetCourseRequest { name }).await?;
    let course = found.course.unwrap_or_default();
    let mut plan = found.plan;
    let mut sessions = Vec::new();
    for line in &course.sessions {
        let whole = Whole::read(line.name.clone(), connection).await?;
        // The plan in force, or the last one that the course went by where there is none any more.
        plan = plan.or(Some(whole.plan));
        sessions.push(whole.session);
    }
    let page = report::course_page(&CourseInput {
        course: &course,
        plan: &plan.unwrap_or_default(),
        sessions: &sessions,
        site: &site(connection).await?,
        people: &people(connection).await?,
        printed: connection.now(),
        ledger: connection.client.origin(),
        size,
    });
    write(out, &page, &format!("The report of {}", course.name), connection)
}

/// Writes the leaflet that a patient takes home.
pub(super) async fn leaflet(
    name: String,
    out: &Path,
    connection: &Connection,
) -> Result<(), CliError> {
    let Whole { session, plan, site } = Whole::read(name, connection).await?;
    let page = report::leaflet_page(&plan, &site, &plan.title);
    write(out, &page, &format!("The leaflet for the patient of {}", session.name), connection)
}

/// Prints the data of the monitoring form, or writes its page. With `identity`, who the patient is stands in it, and
/// the look is recorded.
pub(super) async fn form(
    name: String,
    out: Option<&Path>,
    identity: Option<&Recording>,
    connection: &Connection,
) -> Result<(), CliError> {
    let Whole { session, plan, site } = Whole::read(name, connection).await?;
    if plan.form_title.is_empty() {
        let (name, plan) = (&session.name, &session.plan);
        return Err(CliError::No(format!("{name} has no form to send: {plan} asks for none")));
    }
    let mut opened = None;
    if let Some(recording) = identity {
        let patient = session.patient.clone();
        let look = look(patient, PurposeName::Reporting, recording, connection).await?;
        let Some(look) = look else { return Ok(()) };
        opened = look.found.opening.and_then(|opening| opening.identity);
    }
    let input = FormInput {
        session: &session,
        plan: &plan,
        site: &site,
        people: &people(connection).await?,
        identity: opened.as_ref(),
        printed: connection.now(),
    };
    let data = report::monitoring_form(&input);
    let Some(out) = out else {
        let text = pretty(&data)?;
        return connection.out.value(&data, || text);
    };
    write_new(out, &report::monitoring_form_page(&input))?;
    connection.out.value(&data, || {
        let missing = data.get("missing").and_then(Value::as_array).map_or(0, Vec::len);
        let file = out.display();
        let missing = match missing {
            0 => "nothing that was to be recorded is missing in it".to_owned(),
            missing => format!("{missing} MISSING in it, and named there"),
        };
        format!("The form of {} is in {file}; {missing}.", session.name)
    })
}

/// A session with what its pages need besides.
struct Whole {
    session: v1::Session,
    plan: v1::Plan,
    site: v1::Site,
}

impl Whole {
    async fn read(name: String, connection: &Connection) -> Result<Self, CliError> {
        let found = connection.ask(v1::GetSessionRequest { name }).await?;
        let (session, site) = (found.session.unwrap_or_default(), found.site.unwrap_or_default());
        let plan = found.plan.ok_or_else(|| {
            let (name, plan) = (&session.name, &session.plan);
            CliError::Data(format!("the server does not know {plan}, which {name} began by"))
        })?;
        Ok(Self { session, plan, site })
    }
}

/// The registered location, as the first entry has it.
async fn site(connection: &Connection) -> Result<v1::Site, CliError> {
    let request = v1::GetEntryRequest { name: "entries/0".to_owned() };
    let stored = connection.ask(request).await?.entry.unwrap_or_default();
    let unreadable = |_| CliError::Data("entry 0 cannot be read: verify the ledger".to_owned());
    let entry = v1::Entry::decode(stored.entry.as_slice()).map_err(unreadable)?;
    let first =
        v1::InitializeLedgerRequest::decode(entry.request.as_slice()).map_err(unreadable)?;
    Ok(first.site.unwrap_or_default())
}

/// Display names of people by resource name.
async fn people(connection: &Connection) -> Result<BTreeMap<String, String>, CliError> {
    let people = connection.list(v1::ListPeopleRequest::default(), usize::MAX).await?.people;
    Ok(people.into_iter().map(|person| (person.name, person.display_name)).collect())
}

/// Writes a page into a new file and says where it is.
fn write(out: &Path, page: &str, what: &str, connection: &Connection) -> Result<(), CliError> {
    write_new(out, page)?;
    let file = out.display().to_string();
    let value: Value = json!({ "file": file });
    connection.out.value(&value, || format!("{what} is in {file}."))
}
