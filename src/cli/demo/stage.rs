//! Where the story is played: a new ledger, its server, and a clock that can be moved.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::actor::Actor;
use super::unexpected;
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::identity::serving_key;
use crate::cli::init::{self, InitArgs};
use crate::client::{Client, ConnectOptions};
use crate::clock::{Clock, ManualClock};
use crate::key::{Key, prove_possession};
use crate::names::PersonName;
use crate::pb::v1;
use crate::server::{Server, ServerOptions};
use crate::service::{Service, ServiceOptions, WriterHandle};
use crate::store::LedgerFolder;
use crate::time::{Date, Timestamp};
use crate::tlog::VerifierKey;

/// The ledger's name: an origin that belongs to nobody (RFC 2606).
const ORIGIN: &str = "demo.example.org/main-street";
/// The clinic.
pub(super) const SITE: &str = "Main Street Ketamine Clinic";
/// A DEA registration number with a right check digit, made up for this story.
const SITE_DEA: &str = "AB1234563";
/// The first administrator.
pub(super) const FIRST: &str = "Ada Alvarez";
/// How long the story takes by its own clock. It begins so long ago, so that it ends about now, and the ledger can be
/// served and written to by the real clock afterwards.
const DAY: Duration = Duration::from_mins(210);
/// Microseconds in a day and a night.
const MIDNIGHT_TO_MIDNIGHT: i64 = 86_400_000_000;

/// A ledger that is being served.
pub(super) struct Stage {
    pub(super) folder: LedgerFolder,
    pub(super) verifier_key: VerifierKey,
    /// Where the server listens.
    pub(super) server: String,
    hand: ManualClock,
    utc_offset: i32,
    running: Running,
}

/// The server in its own task. It stops when this is dropped.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    writer: WriterHandle,
}

impl Stage {
    /// Creates the ledger in `folder`, with Ada as its administrator, and serves it on a loopback port.
    pub(super) async fn open(folder: &Path, desk: &Desk) -> Result<(Self, Actor), CliError> {
        let now = desk.clock.now();
        // A machine without a time zone plays in UTC.
        let utc_offset = init::utc_offset(None, now).unwrap_or(0);
        let hand = ManualClock::at(beginning(now, utc_offset));
        let clock = Clock::from(hand.clone());
        let origin = ORIGIN.parse().expect("the demo's origin is one");
        let args = InitArgs {
            folder: folder.to_owned(),
            origin,
            site: SITE.to_owned(),
            address: "12 Main Street, Springfield, IL 62701".to_owned(),
            dea: SITE_DEA.to_owned(),
            utc_offset: Some(utc_offset),
            admin: FIRST.to_owned(),
            admin_id: None,
            admin_key: None,
            admin_role: Vec::new(),
            places: Vec::new(),
        };
        let made = init::create(&args, &Desk { clock: clock.clone(), ..desk.clone() }).await?;
        let folder = LedgerFolder::new(folder);
        let (server, running) = serve(&folder, clock).await?;
        let verifier_key = made.verifier_key;
        let stage = Self { folder, verifier_key, server, hand, utc_offset, running };
        let key = Key::load(&made.administrator_key, None)?;
        let ada = stage.actor(FIRST, made.administrator, key).await?;
        Ok((stage, ada))
    }

    /// Makes a person's key, and whatever an administrator needs to enrol that person with it.
    pub(super) async fn newcomer(
        &self,
        name: &'static str,
        id: &str,
        roles: &[v1::Role],
    ) -> Result<(Actor, v1::EnrollPersonRequest), CliError> {
        let key = Key::generate()?;
        key.save(&self.folder.people_keys().join(format!("{id}.pem")), None)?;
        let person = PersonName::new(id).map_err(|error| unexpected(error.to_string()))?;
        let origin = self.verifier_key.name().as_str();
        let possession = prove_possession(key.signing_key(), origin, &person).to_vec();
        let public_key = key.public_key().as_bytes().to_vec();
        let request = v1::EnrollPersonRequest {
            person: Some(v1::Person {
                name: person.to_string(),
                display_name: name.to_owned(),
                roles: roles.iter().map(|role| i32::from(*role)).collect(),
                keys: vec![v1::PersonKey { public_key, ..Default::default() }],
            }),
            possession,
            ..Default::default()
        };
        Ok((self.actor(name, person, key).await?, request))
    }

    async fn actor(
        &self,
        name: &'static str,
        person: PersonName,
        key: Key,
    ) -> Result<Actor, CliError> {
        let options = ConnectOptions {
            server: self.server.clone(),
            ca: None,
            identity: None,
            insecure_plaintext: false,
        };
        let clock = Clock::from(self.hand.clone());
        let ledger = self.verifier_key.clone();
        let client = Client::connect(&options, ledger, person, key, clock).await?;
        Ok(Actor { client, name })
    }

    /// Lets minutes pass on the story's clock.
    pub(super) fn pass(&self, minutes: u64) {
        self.hand.advance(Duration::from_mins(minutes));
    }

    /// The story's time.
    pub(super) fn now(&self) -> Timestamp {
        self.hand.now()
    }

    /// The story's day at the clinic.
    pub(super) fn today(&self) -> Result<Date, CliError> {
        Date::of(self.now(), self.utc_offset).map_err(|error| unexpected(error.to_string()))
    }

    /// The story's time on this machine's clock face: `22:15`.
    pub(super) fn at(&self) -> String {
        face(self.now())
    }

    /// Where Nina's device keeps her receipts. In life that is far from the ledger.
    pub(super) fn receipts(&self) -> PathBuf {
        self.folder.root().join("receipts")
    }

    /// Copies the database as it is now, while nobody writes, into a folder of its own below `copies/`.
    pub(super) fn copy(&self, name: &str) -> Result<PathBuf, CliError> {
        copy(&self.folder, name)
    }

    /// Stops the server: it finishes what it has, closes the ledger and lets go of it.
    pub(super) async fn stop(self) -> Result<LedgerFolder, CliError> {
        // Nobody listening any more means that it has stopped already, which the next line finds out.
        let _ = self.running.stop.send(());
        let task = self.running.task;
        task.await.map_err(|error| unexpected(format!("the server did not stop: {error}")))?;
        self.running.writer.join()?;
        Ok(self.folder)
    }
}

/// When the story begins: so long ago that it ends before now, and within one day at the site, because some answers count
/// until midnight.
fn beginning(now: Timestamp, utc_offset: i32) -> Timestamp {
    let day = i64::try_from(DAY.as_micros()).expect("hours fit");
    let local = now.micros().saturating_add(i64::from(utc_offset) * 60_000_000);
    let since_midnight = local.rem_euclid(MIDNIGHT_TO_MIDNIGHT);
    let ago = if since_midnight < day { since_midnight + day } else { day };
    now.checked_add_micros(-ago).unwrap_or(now)
}

async fn serve(folder: &LedgerFolder, clock: Clock) -> Result<(String, Running), CliError> {
    let key = Key::load(&folder.signing_key(), None)?;
    let identity_key = Some(serving_key(folder, None)?.key);
    let options =
        ServiceOptions { clock: clock.clone(), identity_key, ..ServiceOptions::default() };
    let (service, writer) = Service::open(folder.root(), key.signing_key(), options)?;
    let any_port = ([127, 0, 0, 1], 0).into();
    let server = Server::bind(ServerOptions { clock, ..ServerOptions::new(any_port) }).await;
    let server = server.map_err(|error| unexpected(format!("no server: {error}")))?;
    let address = format!("http://{}", server.local_addr());
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(service, async {
        // A story that ended early lets go of its end, which stops the server too.
        let _ = stopped.await;
    }));
    Ok((address, Running { stop, task, writer }))
}

/// Copies a database, with the WAL beside it where there is one, into `copies/name`.
pub(super) fn copy(folder: &LedgerFolder, name: &str) -> Result<PathBuf, CliError> {
    let to = folder.root().join("copies").join(name);
    init::make_private_folder(&to)?;
    for end in ["", "-wal"] {
        let beside = |path: PathBuf| {
            let mut path = path.into_os_string();
            path.push(end);
            PathBuf::from(path)
        };
        let (source, target) = (beside(folder.database()), beside(to.join("ledger.db")));
        if end.is_empty() || source.exists() {
            let failed = |source| CliError::Write { path: target.clone(), source };
            std::fs::copy(&source, &target).map_err(failed)?;
        }
    }
    Ok(to)
}

/// A moment on this machine's clock face: `22:15`.
pub(super) fn face(moment: Timestamp) -> String {
    shown(moment, "%H:%M")
}

/// A moment with its day and its zone: `Saturday 21 November 2026, 22:15 (UTC-05:00)`.
pub(super) fn full(moment: Timestamp) -> String {
    shown(moment, "%A %-d %B %Y, %H:%M (UTC%:z)")
}

fn shown(moment: Timestamp, format: &str) -> String {
    let moment = jiff::Timestamp::from_microsecond(moment.micros()).unwrap_or_default();
    moment.to_zoned(TimeZone::system()).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_keeps_to_one_day_at_the_site_and_ends_before_now() {
        for now in ["2026-11-21T00:00:00Z", "2026-11-21T03:29:59Z", "2026-11-21T12:00:00Z"] {
            let now: Timestamp = now.parse().unwrap();
            for offset in [-720, -360, 0, 210, 840] {
                let begin = beginning(now, offset);
                let length = i64::try_from(DAY.as_micros()).unwrap();
                let end = begin.checked_add_micros(length - 1).unwrap();
                assert!(end < now);
                assert_eq!(Date::of(begin, offset), Date::of(end, offset), "{now} {offset}");
            }
        }
    }
}
