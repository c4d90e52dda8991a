//! What is inside tiles and entry bundles.

use super::hash::{HASH_BYTES, Hash};
use super::tile::TILE_HASHES;

/// The longest entry, in bytes: its length is written as a 16-bit number.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Why bytes are not a tile or an entry bundle, or entries do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry over the limit.
    #[error("entry {position} of the bundle has {found} bytes, limit {MAX_ENTRY_BYTES}")]
    EntryTooLong {
        /// Which entry of the bundle, from 0.
        position: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// More than a full tile or bundle.
    #[error("a tile or bundle holds 1 to {TILE_HASHES} items, found more")]
    TooMany,
    /// Nothing at all: empty tiles and bundles do not exist.
    #[error("a tile or bundle holds 1 to {TILE_HASHES} items, found none")]
    Empty,
    /// The bytes end within an item.
    #[error("the bytes end within item {position} of the tile or bundle")]
    CutOff {
        /// Which item, from 0.
        position: usize,
    },
}

/// The bytes of a tile: its 1 to 256 hashes, one after the other.
pub fn encode_hashes(hashes: &[Hash]) -> Result<Vec<u8>, BundleError> {
    check_count(hashes.len())?;
    Ok(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
}

/// The hashes of a tile, 1 to 256 of them.
pub fn decode_hashes(bytes: &[u8]) -> Result<Vec<Hash>, BundleError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() {
        return Err(BundleError::CutOff { position: hashes.len() });
    }
    check_count(hashes.len())?;
    Ok(hashes.iter().copied().map(Hash::new).collect())
}

/// The bytes of an entry bundle: each of the 1 to 256 entries behind its length as 16 bits,
/// big-endian.
pub fn encode_entries<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    check_count(entries.len())?;
    let mut bundle = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let found = entry.len();
        let length =
            u16::try_from(found).map_err(|_| BundleError::EntryTooLong { position, found })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle, 1 to 256 of them, as slices of it.
pub fn decode_entries(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        check_count(entries.len() + 1)?;
        let cut_off = BundleError::CutOff { position: entries.len() };
        let Some((length, behind)) = rest.split_first_chunk() else { return Err(cut_off) };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, behind)) = behind.split_at_checked(length) else { return Err(cut_off) };
        entries.push(entry);
        rest = behind;
    }
    check_count(entries.len())?;
    Ok(entries)
}

fn check_count(count: usize) -> Result<(), BundleError> {
    match count {
        0 => Err(BundleError::Empty),
        _ if count > usize::from(TILE_HASHES) => Err(BundleError::TooMany),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    #[test]
    fn entries_come_back_at_the_limits_of_length_and_number() {
        let longest = vec![7; MAX_ENTRY_BYTES];
        let entries = [b"".as_slice(), b"a", &longest];
        let bundle = encode_entries(&entries).unwrap();
        assert_eq!(decode_entries(&bundle).unwrap(), entries);
        let too_long = [b"".as_slice(), &vec![7; MAX_ENTRY_BYTES + 1]];
        let refused = BundleError::EntryTooLong { position: 1, found: MAX_ENTRY_BYTES + 1 };
        assert_eq!(encode_entries(&too_long), Err(refused));

        assert_eq!(decode_entries(&encode_entries(&[b"e"; 256]).unwrap()).unwrap().len(), 256);
        assert_eq!(encode_entries(&[b"e"; 257]), Err(BundleError::TooMany));
        assert_eq!(encode_entries::<&[u8]>(&[]), Err(BundleError::Empty));
        assert_eq!(decode_entries(&[0; 2 * 257]), Err(BundleError::TooMany));
        assert_eq!(decode_entries(&[]), Err(BundleError::Empty));
    }

    #[test]
    fn a_bundle_that_ends_early_is_refused_with_the_entry_named() {
        let cut_off = |position| Err(BundleError::CutOff { position });
        assert_eq!(decode_entries(&[0]), cut_off(0));
        assert_eq!(decode_entries(&[0, 1]), cut_off(0));
        assert_eq!(decode_entries(&[0, 1, b'a', 0, 2, b'b']), cut_off(1));
    }

    #[test]
    fn hashes_come_back_and_odd_lengths_are_refused() {
        let row = vec![leaf_hash(b"a"); 256];
        let bytes = encode_hashes(&row).unwrap();
        assert_eq!(bytes.len(), 8192);
        assert_eq!(decode_hashes(&bytes).unwrap(), row);
        assert_eq!(decode_hashes(&bytes[..33]), Err(BundleError::CutOff { position: 1 }));
        assert_eq!(decode_hashes(&[0; 257 * 32]), Err(BundleError::TooMany));
        assert_eq!(decode_hashes(&[]), Err(BundleError::Empty));
        assert_eq!(encode_hashes(&[]), Err(BundleError::Empty));
    }
}
