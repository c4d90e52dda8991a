//! The ids of all requests so far: the only thing that an audit must remember of every entry, in 16 bytes each.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::command::RequestId;

/// Bytes of an id.
const ID_BYTES: usize = 16;

/// Ids in one run at most.
const RUN_IDS: usize = 1_024;

/// A set of ids, in short sorted runs. Ids begin with the time at which they were made, so almost every one is added
/// behind all others, and the runs are full; whoever sends them in another order makes them half full at worst.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RequestIds {
    /// None is empty, and all ids of one are less than those of the next.
    runs: Vec<Vec<[u8; ID_BYTES]>>,
}

impl RequestIds {
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    pub(super) fn contains(&self, id: RequestId) -> bool {
        let run = self.runs.get(self.run_of(id.as_bytes()));
        run.is_some_and(|run| run.binary_search(id.as_bytes()).is_ok())
    }

    /// Adds an id; false where it is there already.
    pub(super) fn insert(&mut self, id: RequestId) -> bool {
        let (id, at) = (*id.as_bytes(), self.run_of(id.as_bytes()));
        let last = at + 1 >= self.runs.len();
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(vec![id]);
            return true;
        };
        let Err(place) = run.binary_search(&id) else { return false };
        if run.len() < RUN_IDS {
            run.insert(place, id);
        } else if last && place == run.len() {
            let mut next = Vec::with_capacity(RUN_IDS);
            next.push(id);
            self.runs.push(next);
        } else {
            // What comes a little out of order does so near the end, and leaves the run before it full.
            let cut = if last { place.max(RUN_IDS / 2) } else { RUN_IDS / 2 };
            let mut upper = Vec::with_capacity(RUN_IDS);
            upper.extend(run.drain(cut..));
            match place.checked_sub(cut) {
                Some(place) if place > 0 => upper.insert(place, id),
                _ => run.insert(place, id),
            }
            self.runs.insert(at + 1, upper);
        }
        true
    }

    /// The run that an id is in, if it is in any: the last that does not begin behind it, or else the first.
    fn run_of(&self, id: &[u8; ID_BYTES]) -> usize {
        let begin = |run: &Vec<[u8; ID_BYTES]>| run.first().is_some_and(|first| first <= id);
        self.runs.partition_point(begin).saturating_sub(1)
    }

    /// From all ids in order, one after the other.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (ids, rest) = bytes.as_chunks::<ID_BYTES>();
        let ordered = ids.windows(2).all(|pair| pair.first() < pair.last());
        (ordered && rest.is_empty())
            .then(|| Self { runs: ids.chunks(RUN_IDS).map(<[_]>::to_vec).collect() })
    }
}

impl Serialize for RequestIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.runs.concat().as_flattened())
    }
}

impl<'de> Deserialize<'de> for RequestIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;

        impl Visitor<'_> for Ids {
            type Value = RequestIds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("request ids of 16 bytes each, in order")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<RequestIds, E> {
                RequestIds::from_bytes(bytes).ok_or_else(|| E::custom("ids that are not in order"))
            }
        }

        deserializer.deserialize_bytes(Ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn id(number: u64) -> RequestId {
        let mut bytes = [0; ID_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        RequestId::from_bytes(bytes)
    }

    #[test]
    fn it_knows_what_a_set_knows_in_whatever_order_ids_come() {
        let orders: [fn(u64) -> u64; 4] =
            [|n| n, |n| 9_999 - n, |n| n * 7_919 % 5_003, |n| n ^ 0x155];
        for order in orders {
            let (mut ids, mut set) = (RequestIds::default(), BTreeSet::new());
            for number in (0..5_000).map(order) {
                assert_eq!(ids.contains(id(number)), set.contains(&number));
                assert_eq!(ids.insert(id(number)), set.insert(number));
                assert!(ids.contains(id(number)) && !ids.insert(id(number)));
            }
            assert_eq!(ids.len(), set.len());
            assert!(ids.runs.iter().all(|run| (1..=RUN_IDS).contains(&run.len())));
            let all: Vec<[u8; 16]> = ids.runs.concat();
            assert!(all.is_sorted() && !ids.contains(id(u64::MAX)));
            let bytes = postcard::to_allocvec(&ids).unwrap();
            let again: RequestIds = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(again.runs.concat(), all);
        }
    }

    #[test]
    fn bytes_that_are_no_ids_in_order_are_refused() {
        let id = |first: u8| [first; ID_BYTES];
        assert!(RequestIds::from_bytes(&[id(1), id(2)].concat()).is_some());
        for bytes in [[id(2), id(1)].concat(), [id(1), id(1)].concat(), vec![1; 17]] {
            assert_eq!(RequestIds::from_bytes(&bytes), None);
        }
    }
}
