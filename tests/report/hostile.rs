//! Markup and quotes in every text of every message stay text.

use std::collections::BTreeMap;

use prost::Message;
use vialedger::pb::v1;
use vialedger::report::{course_page, leaflet_page, monitoring_form_page, session_page};

use crate::desk::Desk;
use crate::fixtures::{course, esketamine, esketamine_plan, identity, infusion};
use crate::support::{elements, parse};

const HOSTILE: &str = "<script>alert('1')</script>\"]]>&amp;<!--\u{0}\u{202e}";

/// Replaces every text in a message by the hostile one, on the wire, so that no field can be forgotten: a field of
/// letters that does not read as a message is a text.
fn poisoned(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        put(&mut out, key);
        match key & 7 {
            0 => put(&mut out, varint(&mut rest)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let inside = rest.get(..length)?;
                rest = &rest[length..];
                let inside = if is_text(inside) {
                    HOSTILE.as_bytes().to_vec()
                } else {
                    // Packed enums and hashes are left as they are.
                    poisoned(inside).unwrap_or_else(|| inside.to_vec())
                };
                put(&mut out, u64::try_from(inside.len()).unwrap());
                out.extend(inside);
            }
            _ => return None,
        }
        if key >> 3 == 0 {
            return None;
        }
    }
    Some(out)
}

fn is_text(bytes: &[u8]) -> bool {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte);
    !bytes.is_empty() && bytes.iter().all(plain)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn poison<M: Message + Default>(message: &M) -> M {
    M::decode(poisoned(&message.encode_to_vec()).unwrap().as_slice()).unwrap()
}

/// Well-formed, of the tags that are ours, without a script.
fn is_harmless(page: &str, tags: &[&str]) {
    let tree = parse(page);
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        assert!(tags.contains(&node.tag_name().name()), "{node:?}");
        assert!(node.attributes().all(|it| !it.name().starts_with("on")), "{node:?}");
    }
    assert!(elements(&tree, "script").is_empty());
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{0}'));
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;"));
}

const TAGS: [&str; 40] = [
    "html", "head", "meta", "title", "style", "body", "header", "footer", "section", "div", "h1",
    "h2", "p", "b", "br", "span", "dl", "dt", "dd", "ul", "li", "table", "thead", "tbody", "tr",
    "th", "td", "svg", "desc", "text", "line", "path", "rect", "circle", "g", "i", "em", "strong",
    "small", "hr",
];

fn desk(plan: &v1::Plan) -> Desk {
    let mut desk = Desk::with(poison(plan));
    desk.site = poison(&desk.site);
    desk.people = BTreeMap::from([(HOSTILE.to_owned(), HOSTILE.to_owned())]);
    desk
}

#[test]
fn a_hostile_session_is_shown_as_text() {
    let session = poison(&infusion());
    assert_eq!(session.observations[0].readings[0].measure, HOSTILE);
    assert_eq!(session.doses[0].lot, HOSTILE);
    assert_eq!(session.dose_calculation.as_ref().unwrap().steps[0].working, HOSTILE);
    let desk = desk(&crate::fixtures::plan());
    let mut input = desk.session(&session);
    input.ledger = HOSTILE;
    is_harmless(&session_page(&input), &TAGS);
}

#[test]
fn a_hostile_text_in_any_one_place_is_shown_as_text() {
    // With its numbers intact, so that the charts are drawn with their lines.
    let mut session = infusion();
    session.adverse_effects[0].note = HOSTILE.into();
    session.doses[0].serial = HOSTILE.into();
    let mut desk = Desk::with(crate::fixtures::plan());
    let monitoring = desk.plan.monitoring.as_mut().unwrap();
    monitoring.measures[0].name = HOSTILE.into();
    desk.people.insert("people/ben".into(), HOSTILE.into());
    is_harmless(&session_page(&desk.session(&session)), &TAGS);
}

#[test]
fn a_hostile_course_is_shown_as_text() {
    let (course, sessions) = course();
    let desk = desk(&crate::fixtures::plan());
    let (course, sessions) = (poison(&course), sessions.iter().map(poison).collect::<Vec<_>>());
    is_harmless(&course_page(&desk.course(&course, &sessions)), &TAGS);
}

#[test]
fn a_hostile_leaflet_and_form_are_shown_as_text() {
    let desk = desk(&esketamine_plan());
    is_harmless(&leaflet_page(&desk.plan, &desk.site, HOSTILE), &TAGS);
    let (session, identity) = (poison(&esketamine()), poison(&identity()));
    is_harmless(&monitoring_form_page(&desk.form(&session, Some(&identity))), &TAGS);
}
