//! Pages of a list: their size, and the opaque token that goes on where the last one ended.
//!
//! A token holds the position after which to go on, and a digest of the call and its other
//! arguments: with any of them changed it is refused, so that no two filters are ever mixed into
//! one listing. It is no secret and gives no right.

use std::fmt::Display;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

use super::error::Failure;
use super::limits::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, MAX_PAGE_TOKEN_CHARS};
use crate::command::Violation;

/// Bytes of the digest in a token: enough that no two argument lists are confused by accident.
const DIGEST_BYTES: usize = 12;

/// A page that was asked for, of a list in the order of its keys `K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page<K> {
    /// How many items at most, 1 to [`MAX_PAGE_SIZE`].
    pub(super) size: usize,
    /// Key of the last item of the page before; nothing on the first page.
    pub(super) after: Option<K>,
    digest: [u8; DIGEST_BYTES],
}

impl<K: Ord + Display + FromStr> Page<K> {
    /// Reads the two paging fields of a list call, bound to the call's name and its other
    /// arguments. Both are checked and reported together.
    pub(super) fn read(
        size: i32,
        token: &str,
        call: &str,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let digest = digest(call, arguments);
        let mut violations = Vec::new();
        let size = match usize::try_from(size) {
            Ok(0) => DEFAULT_PAGE_SIZE,
            Ok(size) if size <= MAX_PAGE_SIZE => size,
            _ => {
                violations.push(Violation {
                    field: "page_size".to_owned(),
                    description: format!("is {size}; send 0 to {MAX_PAGE_SIZE}"),
                });
                DEFAULT_PAGE_SIZE
            }
        };
        let after = if token.is_empty() {
            None
        } else {
            let key = key(token, digest);
            if key.is_none() {
                violations.push(Violation {
                    field: "page_token".to_owned(),
                    description: "is not a token of this call with these arguments; \
                                  begin again without a token"
                        .to_owned(),
                });
            }
            key
        };
        if violations.is_empty() {
            Ok(Self { size, after, digest })
        } else {
            Err(Failure::Invalid(violations))
        }
    }

    /// The page's part of a list that is at hand, sorted by its keys, and the token of the next
    /// page (empty on the last).
    pub(super) fn cut<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> K,
    ) -> (Vec<T>, String) {
        let mut rest = items
            .into_iter()
            .skip_while(|item| self.after.as_ref().is_some_and(|after| key(item) <= *after));
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let next = match (page.last(), rest.next()) {
            (Some(last), Some(_)) => self.next_token(&key(last)),
            _ => String::new(),
        };
        (page, next)
    }

    /// The token that goes on after the item with this key.
    #[must_use]
    pub(super) fn next_token(&self, key: &K) -> String {
        Base64UrlUnpadded::encode_string(&[&self.digest[..], key.to_string().as_bytes()].concat())
    }
}

fn key<K: FromStr>(token: &str, digest: [u8; DIGEST_BYTES]) -> Option<K> {
    if token.len() > MAX_PAGE_TOKEN_CHARS {
        return None;
    }
    let bytes = Base64UrlUnpadded::decode_vec(token).ok()?;
    let key = bytes.strip_prefix(&digest)?;
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// Each part stands behind its length, so that no two lists of arguments look the same.
fn digest(call: &str, arguments: &[&str]) -> [u8; DIGEST_BYTES] {
    let mut hash = Sha256::new();
    for part in std::iter::once(&call).chain(arguments) {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    *hash.finalize().first_chunk().expect("SHA-256 has 32 bytes, more than the digest keeps")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::VialName;

    /// More than ten in one delivery, so that an order by digits and one by letters differ.
    fn vials() -> Vec<VialName> {
        (1..=12).map(|number| VialName { delivery: 9, number }).collect()
    }

    fn of_vials(size: i32, token: &str, arguments: &[&str]) -> Result<Page<VialName>, Failure> {
        Page::read(size, token, "ListVials", arguments)
    }

    #[test]
    fn pages_follow_one_another_without_a_gap_or_a_double() {
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let (items, next) = of_vials(5, &token, &[]).unwrap().cut(vials(), |vial| *vial);
            assert!(items.len() <= 5);
            seen.extend(items);
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, vials());
    }

    #[test]
    fn the_last_full_page_has_no_token() {
        let (items, next) = of_vials(12, "", &[]).unwrap().cut(vials(), |vial| *vial);
        assert_eq!((items, next), (vials(), String::new()));
        let (_, next) = of_vials(11, "", &[]).unwrap().cut(vials(), |vial| *vial);
        assert!(!next.is_empty());
    }

    #[test]
    fn the_size_is_fifty_unless_asked_and_a_thousand_at_most() {
        for (asked, size) in [
            (0, Some(DEFAULT_PAGE_SIZE)),
            (1, Some(1)),
            (999, Some(999)),
            (1_000, Some(1_000)),
            (1_001, None),
            (-1, None),
            (i32::MIN, None),
        ] {
            let page = of_vials(asked, "", &[]).ok();
            assert_eq!(page.map(|page| page.size), size, "{asked}");
        }
    }

    #[test]
    fn a_token_is_bound_to_the_call_and_its_arguments() {
        let last = VialName { delivery: 1, number: 1 };
        let token = of_vials(1, "", &["places/safe", ""]).unwrap().next_token(&last);
        let page = of_vials(1, &token, &["places/safe", ""]).unwrap();
        assert_eq!(page.after, Some(last));
        assert!(Page::<VialName>::read(1, &token, "Other", &["places/safe", ""]).is_err());
        for other in [&["places/safe", "products/x"][..], &["", "places/safe"], &["places/safe"]] {
            assert!(of_vials(1, &token, other).is_err(), "{other:?}");
        }
        for token in ["x", "💉", &"A".repeat(MAX_PAGE_TOKEN_CHARS + 1)] {
            assert!(of_vials(1, token, &[]).is_err(), "{token}");
        }
    }

    #[test]
    fn both_fields_are_reported_together() {
        let Err(Failure::Invalid(violations)) = of_vials(-1, "x", &[]) else {
            panic!("both fields are wrong");
        };
        let fields: Vec<&str> = violations.iter().map(|found| found.field.as_str()).collect();
        assert_eq!(fields, ["page_size", "page_token"]);
    }
}
