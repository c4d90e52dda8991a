//! `vialedger init` and `rebuild`: the beginning of a ledger, and everything derived made again.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use jiff::tz::TimeZone;
use prost::Message as _;
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::identity::serving_key;
use super::output::fields;
use super::parse;
use super::person::RoleName;
use super::session::load_key;
use super::verify::progress_bar;
use crate::client::new_request_id;
use crate::command::Command;
use crate::key::Key;
use crate::ledger::{RequestKind, SignedRequest};
use crate::names::PersonName;
use crate::pb::v1;
use crate::service::{self, Service, ServiceError, ServiceOptions};
use crate::store::{Identities, LedgerFolder, StoreError, rebuild as rebuild_tables};
use crate::time::Timestamp;
use crate::tlog::{KeyName, NoteSigner, VerifierKey};

/// Create a ledger: its folder, its key and its first administrator. Never overwrites anything.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The folder to make
    pub(super) folder: PathBuf,
    /// Origin of the ledger: a URL without its scheme that is yours, such as example.org/clinic
    #[arg(long)]
    pub(super) origin: KeyName,
    /// Name of the registered location
    #[arg(long)]
    pub(super) site: String,
    /// Its postal address
    #[arg(long)]
    pub(super) address: String,
    /// Its DEA registration number, in the United States
    #[arg(long, default_value = "")]
    pub(super) dea: String,
    /// Offset of the site's standard time from UTC, such as -06:00; this machine's when absent
    #[arg(long, value_name = "+HH:MM", allow_hyphen_values = true, value_parser = offset)]
    pub(super) utc_offset: Option<i32>,
    /// Name of the first administrator, such as "Ada Alvarez"
    #[arg(long)]
    pub(super) admin: String,
    /// The administrator's resource name; made from the name when absent
    #[arg(long, value_name = "PERSON", value_parser = parse::person)]
    pub(super) admin_id: Option<String>,
    /// The administrator's key file; a new one is made in the folder's keys/ when absent
    #[arg(long, value_name = "FILE")]
    pub(super) admin_key: Option<PathBuf>,
    /// A further role of the administrator; repeat for several
    #[arg(long, value_name = "ROLE")]
    pub(super) admin_role: Vec<RoleName>,
    /// A place to begin with, such as main="Main safe"; repeat for several
    #[arg(long = "place", value_name = "PLACE=NAME", value_parser = place)]
    pub(super) places: Vec<(String, String)>,
}

/// Make everything that is derived from the entries again, while no server runs.
#[derive(Args, Debug)]
pub struct RebuildArgs {
    /// The ledger's folder
    folder: PathBuf,
}

/// A ledger that was just created.
pub(super) struct Created {
    /// The key that its checkpoints are verified with.
    pub(super) verifier_key: VerifierKey,
    /// The first administrator.
    pub(super) administrator: PersonName,
    /// Where the administrator's key is.
    pub(super) administrator_key: PathBuf,
    /// Where the key is that patients' identities are encrypted with.
    pub(super) identity_key: PathBuf,
}

/// Creates a ledger and says so.
pub(super) async fn run(args: InitArgs, desk: &Desk) -> Result<(), CliError> {
    let made = create(&args, desk).await?;
    let (vkey, person) = (&made.verifier_key, &made.administrator);
    let value = json!({
        "folder": args.folder,
        "origin": args.origin.as_str(),
        "verifier_key": vkey.to_string(),
        "administrator": person.to_string(),
        "administrator_key": made.administrator_key,
        "identity_key": made.identity_key,
        "utc_offset_minutes": utc_offset(args.utc_offset, desk.clock.now())?,
        "places": args.places.iter().map(|(place, _)| place).collect::<Vec<_>>(),
    });
    desk.out.value(&value, || {
        let folder = args.folder.display();
        let facts = fields(&[
            ("Verifier key", vkey),
            ("", &"Hand it out and keep it elsewhere too: whoever verifies must bring it along."),
            (
                "Administrator",
                &format!("{person}, with the key {}", made.administrator_key.display()),
            ),
            ("", &"Move that file to the administrator's own device."),
            ("Identity key", &made.identity_key.display()),
            (
                "",
                &"Keep a copy apart from every backup: it opens the names, and nothing else does.",
            ),
            ("Next", &format!("vialedger serve {folder}")),
        ]);
        format!("The ledger of {} begins in {folder}.{facts}", args.site)
    })
}

/// Creates a ledger: its folder, its key, its first administrator and the places that were named.
pub(super) async fn create(args: &InitArgs, desk: &Desk) -> Result<Created, CliError> {
    let folder = LedgerFolder::new(&args.folder);
    refuse_existing(&folder.database())?;
    refuse_existing(&folder.signing_key())?;
    refuse_existing(&folder.identities())?;
    let person = administrator(args)?;
    let person_file = folder.people_keys().join(format!("{}.pem", person.id()));
    let (admin_key, is_new) = match &args.admin_key {
        Some(path) => (load_key(path, desk.global.passphrase_file.as_deref())?, false),
        None => (Key::generate()?, true),
    };
    let ledger_key = Key::generate()?;
    let vkey = NoteSigner::new(args.origin.clone(), ledger_key.signing_key().clone());
    let vkey = vkey.verifier_key().clone();
    let now = desk.clock.now();
    let request = initialize(args, &person, &admin_key, &vkey, now)?;
    // All that was typed is looked at before a file is made.
    Command::parse(request.kind(), request.bytes()).map_err(ServiceError::Invalid)?;

    make_private_folder(folder.root())?;
    make_private_folder(&folder.people_keys())?;
    if is_new {
        admin_key.save(&person_file, None)?;
    }
    ledger_key.save(&folder.signing_key(), None)?;
    let identities = serving_key(&folder, None)?;
    // A crash up to here leaves keys without a ledger: `init` will name the file that is in its
    // way.
    service::init(folder.root(), &request, ledger_key.signing_key(), now)?;
    // Made with the ledger, so that a key which goes missing before the first patient is missed. A
    // crash before this leaves a ledger without the file, which its first `serve` makes.
    Identities::open(&folder, &identities.key, args.origin.as_str())?;
    create_places(args, desk, &admin_key, &ledger_key).await?;
    Ok(Created {
        verifier_key: vkey,
        administrator: person,
        administrator_key: args.admin_key.clone().unwrap_or(person_file),
        identity_key: identities.path,
    })
}

/// The first request of a ledger, signed by its administrator.
fn initialize(
    args: &InitArgs,
    person: &PersonName,
    admin_key: &Key,
    vkey: &VerifierKey,
    now: Timestamp,
) -> Result<SignedRequest, CliError> {
    let mut roles = vec![v1::Role::Administrator];
    roles.extend(args.admin_role.iter().map(|role| v1::Role::from(*role)));
    roles.dedup();
    let key = admin_key.public_key().as_bytes().to_vec();
    let message = v1::InitializeLedgerRequest {
        ledger: args.origin.to_string(),
        request_id: new_request_id(now)?,
        verifier_key: vkey.to_string(),
        site: Some(v1::Site {
            display_name: args.site.clone(),
            address: args.address.clone(),
            dea_number: args.dea.clone(),
            utc_offset_minutes: utc_offset(args.utc_offset, now)?,
        }),
        administrator: Some(v1::Person {
            name: person.to_string(),
            display_name: args.admin.clone(),
            roles: roles.into_iter().map(i32::from).collect(),
            keys: vec![v1::PersonKey { public_key: key, ..Default::default() }],
        }),
    };
    let bytes = Bytes::from(message.encode_to_vec());
    Ok(SignedRequest::sign(RequestKind::InitializeLedger, bytes, admin_key.signing_key()))
}

/// Records the first places as what they are: acts of the administrator.
async fn create_places(
    args: &InitArgs,
    desk: &Desk,
    admin_key: &Key,
    ledger_key: &Key,
) -> Result<(), CliError> {
    if args.places.is_empty() {
        return Ok(());
    }
    let options = ServiceOptions { clock: desk.clock.clone(), ..ServiceOptions::default() };
    let (service, writer) = Service::open(&args.folder, ledger_key.signing_key(), options)?;
    for (name, display_name) in &args.places {
        let place = v1::Place { name: name.clone(), display_name: display_name.clone() };
        let act = v1::CreatePlaceRequest {
            ledger: args.origin.to_string(),
            request_id: new_request_id(desk.clock.now())?,
            place: Some(place),
            ..Default::default()
        };
        let bytes = Bytes::from(act.encode_to_vec());
        let request = SignedRequest::sign(RequestKind::CreatePlace, bytes, admin_key.signing_key());
        service.submit(request).await?;
    }
    writer.join()?;
    Ok(())
}

/// Makes the derived tables again.
pub(super) fn rebuild(args: &RebuildArgs, desk: &Desk) -> Result<(), CliError> {
    let bar = progress_bar(0);
    let report = rebuild_tables(&args.folder, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let value = json!({
        "entries": report.entries,
        "subjects": report.subjects,
        "tiles": report.tiles,
    });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("Subject index", &format!("{} lines", report.subjects)),
            ("Tiles", &format!("{} full ones", report.tiles)),
        ]);
        format!("Everything derived was made again from {} entries.{facts}", report.entries)
    })
}

fn refuse_existing(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(StoreError::Exists { path: path.to_owned() }.into());
    }
    Ok(())
}

/// A folder that only its owner can look into; one that is there stays as it is.
pub(super) fn make_private_folder(path: &Path) -> Result<(), CliError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// The administrator's resource name: as told, or the name in small letters with hyphens.
fn administrator(args: &InitArgs) -> Result<PersonName, CliError> {
    let name = match &args.admin_id {
        Some(id) => id.parse(),
        None => PersonName::new(&slug(&args.admin)),
    };
    name.map_err(|_| {
        let message = format!("{:?} makes no resource name: say one with --admin-id", args.admin);
        CliError::Usage(message)
    })
}

fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// Minutes east of UTC: `-06:00`, `+05:30`.
fn offset(text: &str) -> Result<i32, String> {
    let expected = "expected an offset such as -06:00 or +05:30";
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(expected.to_owned()),
    };
    let number = |part: &str, below: i32| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i32>().ok().filter(|number| digits && *number < below)
    };
    let (hours, minutes) = rest.split_once(':').ok_or(expected)?;
    let hours = number(hours, 15).ok_or(expected)?;
    let minutes = number(minutes, 60).ok_or(expected)?;
    Ok(sign * (hours * 60 + minutes))
}

/// The offset as told, or the standard time of this machine's zone.
pub(super) fn utc_offset(told: Option<i32>, now: Timestamp) -> Result<i32, CliError> {
    if let Some(minutes) = told {
        return Ok(minutes);
    }
    let unknown =
        || CliError::Config("this machine has no time zone set: say --utc-offset".to_owned());
    let zone = TimeZone::try_system().map_err(|_| unknown())?;
    let now = jiff::Timestamp::from_microsecond(now.micros()).map_err(|_| unknown())?;
    // Half a year away is the other half of the year's clock, where there are two.
    let standard = [0, 183]
        .into_iter()
        .filter_map(|days| now.checked_add(jiff::SignedDuration::from_hours(days * 24)).ok())
        .map(|moment| zone.to_offset_info(moment))
        .find(|info| !info.dst().is_dst())
        .ok_or_else(unknown)?;
    Ok(standard.offset().seconds() / 60)
}

fn place(text: &str) -> Result<(String, String), String> {
    let (place, name) =
        text.split_once('=').ok_or("expected PLACE=NAME, such as main=\"Main safe\"")?;
    Ok((parse::place(place.trim())?, name.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_resource_names() {
        assert_eq!(slug("Ada Alvarez"), "ada-alvarez");
        assert_eq!(slug("  O'Neil, R. "), "o-neil-r");
    }

    #[test]
    fn offsets_are_read_with_their_sign() {
        assert_eq!(offset("-06:00"), Ok(-360));
        assert_eq!(offset("+05:30"), Ok(330));
        for text in ["06:00", "-6:00", "-06", "+15:00", "+05:60", "-+6:00", ""] {
            assert!(offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_has_a_name_for_people() {
        assert_eq!(place("main=Main safe"), Ok(("places/main".into(), "Main safe".into())));
        assert!(place("Main safe").is_err());
    }
}
