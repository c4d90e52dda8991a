//! Names of tiles and entry bundles, as they are requested over HTTP and stored in a folder.

use std::fmt;
use std::str::FromStr;

use super::text;

/// The width of a full tile, in hashes, and of a full entry bundle, in entries.
pub const TILE_HASHES: u16 = 256;

/// The longest path, in bytes: a kind, seven path elements for a 64-bit number, a partial width.
const MAX_PATH_BYTES: usize = 64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of the tree at this tile level, 0 to 63: 0 holds leaf hashes.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// The path of a tile: `tile/<level>/<number>` or `tile/entries/<number>`, with `.p/<width>` if it
/// is not full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    number: u64,
    width: u16,
}

/// Why a path names no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TilePathError {
    /// A level above 63.
    #[error("tile level {level} is over the limit of {}", TilePath::MAX_LEVEL)]
    Level {
        /// The level asked for.
        level: u8,
    },
    /// A width of nothing, or of more than a full tile.
    #[error("a tile is 1 to {TILE_HASHES} wide, found {width}")]
    Width {
        /// The width asked for.
        width: u16,
    },
    /// Text that is not the one spelling of any tile's path.
    #[error(
        "not a tile path: expected tile/<level or `entries`>/<number as x001/234>, then .p/<width> \
         if it is partial"
    )]
    Path,
}

impl TilePath {
    /// The highest tile level that a path can name (tlog-tiles).
    pub const MAX_LEVEL: u8 = 63;

    /// A tile that is `width` wide: 1 to 256, where 256 is a full one.
    pub const fn new(kind: TileKind, number: u64, width: u16) -> Result<Self, TilePathError> {
        match kind {
            TileKind::Hashes(level) if level > Self::MAX_LEVEL => {
                Err(TilePathError::Level { level })
            }
            _ if width == 0 || width > TILE_HASHES => Err(TilePathError::Width { width }),
            _ => Ok(Self { kind, number, width }),
        }
    }

    /// Hashes or entries.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// The tile's number within its level, from 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// How many hashes or entries the tile holds: 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// The index of the first entry below the tile, if that fits 64 bits.
    #[must_use]
    pub fn first_entry(&self) -> Option<u64> {
        let level = match self.kind {
            TileKind::Hashes(level) => u32::from(level),
            TileKind::Entries => 0,
        };
        self.number.checked_mul(1u64.checked_shl(8 * (level + 1))?)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            match place {
                0 => write!(f, "{group:03}")?,
                _ => write!(f, "x{group:03}/")?,
            }
        }
        if self.width < TILE_HASHES { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        // Whatever is read leniently on the way is caught here: a tile has one spelling.
        match read(path) {
            Some(tile) if tile.to_string() == path => Ok(tile),
            _ => Err(TilePathError::Path),
        }
    }
}

fn read(path: &str) -> Option<TilePath> {
    if path.len() > MAX_PATH_BYTES {
        return None;
    }
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(u8::try_from(text::parse_decimal(level)?).ok()?),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, u16::try_from(text::parse_decimal(width)?).ok()?),
        None => (rest, TILE_HASHES),
    };
    let mut value = 0u64;
    for element in number.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        value = value.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    TilePath::new(kind, value, width).ok()
}

/// How many full tiles a level (0 to 63) has in a tree of `size` entries, and how wide the partial
/// one after them is: 0 to 255, where 0 means that there is none.
#[must_use]
pub fn tile_counts(size: u64, level: u8) -> (u64, u16) {
    let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
    let [partial, ..] = hashes.to_le_bytes();
    (hashes >> 8, u16::from(partial))
}

/// The paths of everything that a tree of `size` entries consists of: the entry bundles first, then
/// the tiles of every level from the leaves up, each in the order of their numbers.
pub fn tile_paths(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0..=TilePath::MAX_LEVEL).map(|level| (TileKind::Hashes(level), level));
    std::iter::once((TileKind::Entries, 0)).chain(levels).flat_map(move |(kind, level)| {
        let (full, partial) = tile_counts(size, level);
        let full_tiles = (0..full).map(move |number| TilePath { kind, number, width: TILE_HASHES });
        let partial = (partial > 0).then_some(TilePath { kind, number: full, width: partial });
        full_tiles.chain(partial)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(kind: TileKind, number: u64, width: u16) -> TilePath {
        TilePath::new(kind, number, width).unwrap()
    }

    #[test]
    fn paths_are_written_and_read_as_the_specification_shows() {
        let table = [
            ("tile/0/000", tile(TileKind::Hashes(0), 0, 256)),
            ("tile/0/x001/234.p/5", tile(TileKind::Hashes(0), 1234, 5)),
            ("tile/63/x001/x234/067", tile(TileKind::Hashes(63), 1_234_067, 256)),
            ("tile/entries/x001/000.p/255", tile(TileKind::Entries, 1000, 255)),
            (
                "tile/7/x018/x446/x744/x073/x709/x551/615.p/255",
                tile(TileKind::Hashes(7), u64::MAX, 255),
            ),
        ];
        for (path, tile) in table {
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let refused = [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/x000/001",
            "tile/0/x001",
            "tile/0/001/234",
            "tile/0/x001/x234",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/05",
            "tile/0/000.p/",
            "tile/0/000.p/1.p/1",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/../000",
            "tile/entries/00a",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ];
        for path in refused {
            assert_eq!(path.parse::<TilePath>(), Err(TilePathError::Path), "{path}");
        }
    }

    #[test]
    fn widths_and_levels_stop_at_their_limits() {
        assert_eq!(
            TilePath::new(TileKind::Entries, 0, 257),
            Err(TilePathError::Width { width: 257 })
        );
        assert_eq!(
            TilePath::new(TileKind::Hashes(64), 0, 1),
            Err(TilePathError::Level { level: 64 })
        );
    }

    #[test]
    fn a_tree_of_70000_entries_has_the_tiles_that_the_specification_counts() {
        assert_eq!(tile_counts(70_000, 0), (273, 112));
        assert_eq!(tile_counts(70_000, 1), (1, 17));
        assert_eq!(tile_counts(70_000, 2), (0, 1));
        assert_eq!(tile_counts(70_000, 3), (0, 0));
        assert_eq!(tile_paths(70_000).count(), 274 + 274 + 2 + 1);
        assert_eq!(tile_paths(0).count(), 0);
        let of_256: Vec<String> = tile_paths(256).map(|path| path.to_string()).collect();
        assert_eq!(of_256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(tile(TileKind::Hashes(1), 3, 1).first_entry(), Some(3 * 65_536));
        assert_eq!(tile(TileKind::Hashes(7), 1, 1).first_entry(), None);
    }
}
