//! Decoded stored tiles, kept under a byte budget.
//!
//! A lock is held for a look-up or an insertion, never while a tile is read or decoded. The one
//! exception are tiles larger than a whole shard, such as a picture stored as one strip: they are
//! decoded by one thread at a time, or every thread would hold its own copy of hundreds of MiB.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::SlideError;
use crate::buffer;
use crate::number::to_usize;
use crate::tile::Tile;

const N_SHARDS: usize = 8;
/// Tiles of a shard that are known to have been glimpsed.
const MAX_GLIMPSES: usize = 64;

/// A stored tile: level, column, row, and the look of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoredKey {
    /// Index of the level.
    pub(crate) level: usize,
    /// Stored tiles to the right of the left edge.
    pub(crate) col: u32,
    /// Stored tiles below the top edge.
    pub(crate) row: u32,
    /// [`Look::id`](crate::channel::Look), or 0 for the slide as it is opened.
    pub(crate) look: u64,
}

/// Least recently used tiles go first.
#[derive(Debug)]
pub(crate) struct TileCache {
    shards: [Mutex<Shard>; N_SHARDS],
    large: Mutex<Option<(StoredKey, Arc<Tile>)>>,
    bytes_per_shard: usize,
}

#[derive(Debug)]
struct Shard {
    tiles: LruCache<StoredKey, Arc<Tile>>,
    n_bytes: usize,
    glimpses: Vec<StoredKey>,
}

impl TileCache {
    /// Keeps `n_bytes` of pixels at most, plus one tile that is larger than an eighth of that.
    pub(crate) fn new(n_bytes: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard::new())),
            large: Mutex::new(None),
            bytes_per_shard: n_bytes / N_SHARDS,
        }
    }

    /// The tile of `key`, decoded by `decode` unless it is still here; `n_bytes` is its decoded size.
    pub(crate) fn get_or_decode(
        &self,
        key: StoredKey,
        n_bytes: u64,
        decode: impl FnOnce() -> Result<Tile, SlideError>,
    ) -> Result<Arc<Tile>, SlideError> {
        if (self.bytes_per_shard as u64) < n_bytes {
            return self.get_or_decode_large(key, decode);
        }
        if let Some(tile) = self.shard(key).tiles.get(&key) {
            return Ok(Arc::clone(tile));
        }
        let tile = Arc::new(decode()?);
        self.shard(key).insert(key, Arc::clone(&tile), self.bytes_per_shard);
        Ok(tile)
    }

    /// Whether a tile is neither here nor was asked about lately. The answer is remembered for the last tiles asked about.
    pub(crate) fn is_first_glimpse(&self, key: StoredKey) -> bool {
        let mut shard = self.shard(key);
        if shard.tiles.contains(&key) || shard.glimpses.contains(&key) {
            return false;
        }
        if shard.glimpses.len() == MAX_GLIMPSES {
            shard.glimpses.remove(0);
        }
        shard.glimpses.push(key);
        true
    }

    fn get_or_decode_large(
        &self,
        key: StoredKey,
        decode: impl FnOnce() -> Result<Tile, SlideError>,
    ) -> Result<Arc<Tile>, SlideError> {
        let mut large = lock(&self.large);
        if let Some((_, tile)) = large.as_ref().filter(|(held, _)| *held == key) {
            return Ok(Arc::clone(tile));
        }
        *large = None;
        let tile = Arc::new(decode()?);
        *large = Some((key, Arc::clone(&tile)));
        Ok(tile)
    }

    fn shard(&self, key: StoredKey) -> MutexGuard<'_, Shard> {
        let mixed =
            key.level.wrapping_mul(7) ^ to_usize(key.row).wrapping_mul(3) ^ to_usize(key.col);
        let [first, ..] = &self.shards;
        lock(self.shards.get(mixed % N_SHARDS).unwrap_or(first))
    }
}

impl Shard {
    fn new() -> Self {
        Self { tiles: LruCache::unbounded(), n_bytes: 0, glimpses: Vec::new() }
    }

    fn insert(&mut self, key: StoredKey, tile: Arc<Tile>, budget: usize) {
        self.n_bytes += tile.n_bytes();
        if let Some(replaced) = self.tiles.put(key, tile) {
            self.n_bytes -= replaced.n_bytes();
        }
        while budget < self.n_bytes {
            let Some((_, evicted)) = self.tiles.pop_lru() else { return };
            self.n_bytes -= evicted.n_bytes();
            if let Some(pixels) = Arc::into_inner(evicted).and_then(|tile| tile.pixels) {
                buffer::give(pixels.into_rgba());
            }
        }
    }
}

/// A panic of another reader leaves at worst a cache without its tile.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::PixelSize;
    use domain::pixels::Pixels;

    const SIDE: u32 = 16;
    const TILE_BYTES: usize = 16 * 16 * 4 + 256;

    fn tile() -> Tile {
        Tile::intact(Pixels::filled(PixelSize { width: SIDE, height: SIDE }, [0; 4]))
    }

    fn key(col: u32) -> StoredKey {
        StoredKey { level: 0, col, row: 0, look: 0 }
    }

    fn get(cache: &TileCache, col: u32, n_decoded: &mut usize) {
        let decode = || {
            *n_decoded += 1;
            Ok(tile())
        };
        cache.get_or_decode(key(col), TILE_BYTES as u64, decode).unwrap();
    }

    #[test]
    fn a_tile_is_decoded_once_while_it_is_kept() {
        let cache = TileCache::new(N_SHARDS * 2 * TILE_BYTES);
        let mut n_decoded = 0;
        for col in [0, 1, 0, 1] {
            get(&cache, col, &mut n_decoded);
        }
        assert_eq!(n_decoded, 2);
    }

    #[test]
    fn the_least_recently_used_tile_leaves_first() {
        let cache = TileCache::new(N_SHARDS * 2 * TILE_BYTES);
        let mut n_decoded = 0;
        // Columns 0, 8 and 16 share a shard that holds two.
        for col in [0, 8, 0, 16] {
            get(&cache, col, &mut n_decoded);
        }
        assert_eq!(n_decoded, 3);
        get(&cache, 0, &mut n_decoded);
        assert_eq!(n_decoded, 3);
        get(&cache, 8, &mut n_decoded);
        assert_eq!(n_decoded, 4);
    }

    #[test]
    fn the_budget_holds() {
        let cache = TileCache::new(N_SHARDS * 3 * TILE_BYTES);
        for col in 0..1000 {
            get(&cache, col, &mut 0);
        }
        let n_bytes: usize = cache.shards.iter().map(|shard| lock(shard).n_bytes).sum();
        assert_eq!(n_bytes, N_SHARDS * 3 * TILE_BYTES);
    }

    #[test]
    fn one_tile_larger_than_a_shard_is_kept() {
        let cache = TileCache::new(N_SHARDS);
        let mut n_decoded = 0;
        for col in [5, 5, 6, 6, 5] {
            get(&cache, col, &mut n_decoded);
        }
        assert_eq!(n_decoded, 3);
    }
}
