//! Reading requests about people, keys, places and formularies.

use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_DISPLAY_NAME_CHARS, MAX_TEXT_CHARS};
use crate::dsse;
use crate::formulary::MAX_TEXT_BYTES;
use crate::ident::DeaNumber;
use crate::ledger::{KEY_POSSESSION_TYPE, possession_body};
use crate::names::{EntryName, PersonName, PlaceName};
use crate::pb::v1;
use crate::role::Role;
use crate::time::Timestamp;
use crate::tlog::{Hash, KeyKind, PublicKey, VerifierKey};

/// Offsets from UTC that are in use, in minutes.
const UTC_OFFSET_MINUTES: std::ops::RangeInclusive<i32> = -840..=840;

/// The registered location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteCommand {
    /// Name as on the registration.
    pub display_name: String,
    /// Postal address.
    pub address: String,
    /// DEA registration number, in the United States.
    pub dea_number: Option<DeaNumber>,
    /// Offset of the site's standard time from UTC, in minutes.
    pub utc_offset_minutes: i32,
}

/// The first act in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitializeCommand {
    /// Verifier key of the ledger, as a C2SP vkey line.
    pub verifier_key: String,
    /// The registered location.
    pub site: SiteCommand,
    /// The first administrator.
    pub administrator: PersonName,
    /// The first administrator's name for people.
    pub display_name: String,
    /// The first administrator's roles; ADMINISTRATOR is among them.
    pub roles: Vec<Role>,
    /// The first administrator's key.
    pub key: [u8; 32],
}

/// A person with a first key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollPersonCommand {
    /// The person.
    pub person: PersonName,
    /// Name for people.
    pub display_name: String,
    /// Roles, each once.
    pub roles: Vec<Role>,
    /// The key, shown to be held by whoever made the request up.
    pub key: [u8; 32],
}

/// All roles of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolesCommand {
    /// The person.
    pub person: PersonName,
    /// Roles from now on, each once; none takes every right away.
    pub roles: Vec<Role>,
}

/// A further key of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrollKeyCommand {
    /// The person.
    pub person: PersonName,
    /// The key.
    pub key: [u8; 32],
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeKeyCommand {
    /// The key.
    pub key: [u8; 32],
    /// Why.
    pub reason: String,
    /// Since when it may have been in other hands.
    pub compromised: Option<Timestamp>,
}

/// A place where vials are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceCommand {
    /// The place.
    pub place: PlaceName,
    /// Name for people.
    pub display_name: String,
}

/// A formulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishCommand {
    /// Its TOML text.
    pub text: String,
}

/// The second person's consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApproveCommand {
    /// The entry that put it forward.
    pub proposal: EntryName,
    /// That entry's leaf hash.
    pub leaf_hash: Hash,
}

/// Reads the header of a registry request.
macro_rules! open {
    ($reader:ident, $bytes:ident, $message:ty) => {{
        let Some(m) = $reader.message::<$message>($bytes) else { return (None, None) };
        let header = header($reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
        (m, header)
    }};
}

type Read = (Option<Header>, Option<Act>);

pub(super) fn initialize(reader: &mut Reader, bytes: &[u8]) -> Read {
    let Some(m) = reader.message::<v1::InitializeLedgerRequest>(bytes) else {
        return (None, None);
    };
    let header = header(reader, &m.ledger, &m.request_id, false, None);
    (header, initialize_act(reader, &m))
}

fn initialize_act(reader: &mut Reader, m: &v1::InitializeLedgerRequest) -> Option<Act> {
    let verifier_key = reader.take("verifier_key", m.verifier_key.parse::<VerifierKey>());
    if verifier_key.as_ref().is_some_and(|key| key.name().to_string() != m.ledger) {
        reader.violation("verifier_key", "names another ledger; its name must equal `ledger`");
    }
    if verifier_key.as_ref().is_some_and(|key| key.kind() != KeyKind::Note) {
        reader.violation("verifier_key", "is a log cosigner's; send the ledger's own (type 0x01)");
    }
    let site = reader.required("site", m.site.as_ref()).and_then(|site| {
        let display_name =
            reader.text("site.display_name", &site.display_name, MAX_DISPLAY_NAME_CHARS);
        let address = reader.text("site.address", &site.address, MAX_TEXT_CHARS);
        let dea_number = reader.optional_name("site.dea_number", &site.dea_number);
        let utc_offset_minutes = site.utc_offset_minutes;
        if !UTC_OFFSET_MINUTES.contains(&utc_offset_minutes) {
            reader.violation("site.utc_offset_minutes", "is out of range; send -840 to 840");
        }
        Some(SiteCommand {
            display_name: display_name?,
            address: address?,
            dea_number,
            utc_offset_minutes,
        })
    });
    let person = reader.required("administrator", m.administrator.as_ref());
    let person = person.and_then(|person| read_person(reader, "administrator", person));
    let (administrator, display_name, roles, key) = person?;
    if !roles.contains(&Role::Administrator) {
        reader.violation("administrator.roles", "lack ROLE_ADMINISTRATOR");
    }
    Some(Act::Initialize(Box::new(InitializeCommand {
        verifier_key: verifier_key?.to_string(),
        site: site?,
        administrator,
        display_name,
        roles,
        key,
    })))
}

pub(super) fn enroll_person(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::EnrollPersonRequest);
    let person = reader.required("person", m.person.as_ref());
    let person = person.and_then(|person| read_person(reader, "person", person));
    let act = person.and_then(|(person, display_name, roles, key)| {
        possession(reader, &m.ledger, &person, &key, &m.possession)?;
        Some(Act::EnrollPerson(EnrollPersonCommand { person, display_name, roles, key }))
    });
    (header, act)
}

pub(super) fn change_roles(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::ChangeRolesRequest);
    let person = reader.name("person", &m.person);
    let roles = read_roles(reader, "roles", &m.roles);
    let act = person.zip(roles);
    (header, act.map(|(person, roles)| Act::ChangeRoles(RolesCommand { person, roles })))
}

pub(super) fn enroll_key(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::EnrollKeyRequest);
    let person: Option<PersonName> = reader.name("person", &m.person);
    let key = public_key(reader, "public_key", &m.public_key);
    let act = person.zip(key).and_then(|(person, key)| {
        possession(reader, &m.ledger, &person, &key, &m.possession)?;
        Some(Act::EnrollKey(EnrollKeyCommand { person, key }))
    });
    (header, act)
}

pub(super) fn revoke_key(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RevokeKeyRequest);
    let key = reader.bytes("public_key", &m.public_key);
    let reason = reader.text("reason", &m.reason, MAX_TEXT_CHARS);
    let compromised = m
        .compromised_time
        .as_ref()
        .and_then(|moment| reader.moment("compromised_time", Some(moment)));
    let act = key.zip(reason);
    let act = act.map(|(key, reason)| RevokeKeyCommand { key, reason, compromised });
    (header, act.map(Act::RevokeKey))
}

pub(super) fn create_place(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::CreatePlaceRequest);
    let act = reader.required("place", m.place.as_ref()).and_then(|place| {
        let name = reader.name("place.name", &place.name);
        let display_name =
            reader.text("place.display_name", &place.display_name, MAX_DISPLAY_NAME_CHARS);
        Some(PlaceCommand { place: name?, display_name: display_name? })
    });
    (header, act.map(Act::CreatePlace))
}

pub(super) fn publish_formulary(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::PublishFormularyRequest);
    let found = m.formulary.len();
    if found > MAX_TEXT_BYTES {
        let text = format!("has {found} bytes; send at most {MAX_TEXT_BYTES}");
        reader.violation("formulary", text);
    }
    let text = reader.required("formulary", (found > 0).then_some(m.formulary));
    (header, text.map(|text| Act::PublishFormulary(PublishCommand { text })))
}

pub(super) fn approve(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::ApproveRequest);
    let proposal = reader.name("proposal", &m.proposal);
    let leaf_hash = reader.take("leaf_hash", Hash::try_from(m.leaf_hash.as_slice()));
    let act = proposal.zip(leaf_hash);
    (header, act.map(|(proposal, leaf_hash)| Act::Approve(ApproveCommand { proposal, leaf_hash })))
}

type PersonParts = (PersonName, String, Vec<Role>, [u8; 32]);

fn read_person(reader: &mut Reader, field: &str, person: &v1::Person) -> Option<PersonParts> {
    let name = reader.name(&format!("{field}.name"), &person.name);
    let display_name =
        reader.text(&format!("{field}.display_name"), &person.display_name, MAX_DISPLAY_NAME_CHARS);
    let roles = read_roles(reader, &format!("{field}.roles"), &person.roles);
    if person.roles.is_empty() {
        reader.violation(&format!("{field}.roles"), "is empty; give at least one role");
    }
    let keys = format!("{field}.keys");
    let key = match person.keys.as_slice() {
        [key] => public_key(reader, &keys, &key.public_key),
        other => {
            reader.violation(&keys, format!("holds {} keys; send exactly one", other.len()));
            None
        }
    };
    Some((name?, display_name?, roles?, key?))
}

fn read_roles(reader: &mut Reader, field: &str, numbers: &[i32]) -> Option<Vec<Role>> {
    let mut roles = Vec::with_capacity(numbers.len().min(Role::ALL.len()));
    for number in numbers {
        match Role::from_wire(*number) {
            Some(role) if roles.contains(&role) => {
                reader.violation(field, format!("name {role} twice; send each role once"));
                return None;
            }
            Some(role) => roles.push(role),
            None => {
                reader.violation(field, format!("hold {number}, which is not a role"));
                return None;
            }
        }
    }
    roles.sort_unstable();
    Some(roles)
}

fn public_key(reader: &mut Reader, field: &str, bytes: &[u8]) -> Option<[u8; 32]> {
    reader.take(field, PublicKey::from_bytes(bytes)).map(|key| *key.as_bytes())
}

/// The new key must have signed for this ledger and this person: nobody enrols a key that they do not hold.
fn possession(
    reader: &mut Reader,
    ledger: &str,
    person: &PersonName,
    key: &[u8; 32],
    signature: &[u8],
) -> Option<()> {
    let key = reader.take("possession", PublicKey::from_bytes(key))?;
    let body = possession_body(ledger, &person.to_string());
    let proof = key.verify(&dsse::pae(KEY_POSSESSION_TYPE, &body), signature);
    reader.take(
        "possession",
        proof.map_err(|_| "is not the new key's signature for this ledger and person"),
    )
}
