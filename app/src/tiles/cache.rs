//! Decoded tiles under a byte budget; the least recently drawn leave first, the coarsest level never.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::id::{LevelIndex, TileKey};
use domain::pixels::Pixels;

/// What is known about a tile.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Loaded {
        pixels: Arc<Pixels>,
        /// Some of it could not be decoded.
        is_damaged: bool,
    },
    /// It cannot be read; asking again would not help.
    Failed,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    /// Of which look of the channels it is.
    look: u64,
    /// When it was last drawn, in ticks of `clock`.
    last_use: u64,
}

/// Tiles of one slide.
#[derive(Debug)]
pub(crate) struct TileCache {
    slots: BTreeMap<TileKey, Slot>,
    budget_bytes: usize,
    used_bytes: usize,
    clock: u64,
    pinned: Option<LevelIndex>,
}

impl TileCache {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        Self { slots: BTreeMap::new(), budget_bytes, used_bytes: 0, clock: 0, pinned: None }
    }

    /// Tiles of this level stay.
    pub(crate) fn pin(&mut self, level: LevelIndex) {
        self.pinned = Some(level);
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.used_bytes = 0;
        self.pinned = None;
    }

    /// Keeps `entry` unless there is one of a later look, and lets go of others until the budget holds.
    pub(crate) fn insert(&mut self, key: TileKey, entry: Entry, look: u64) {
        if self.slots.get(&key).is_some_and(|slot| look < slot.look) {
            return;
        }
        self.remove(key);
        self.used_bytes += bytes(&entry);
        self.clock += 1;
        self.slots.insert(key, Slot { entry, look, last_use: self.clock });
        while self.budget_bytes < self.used_bytes {
            let Some(oldest) = self.oldest(key) else { break };
            self.remove(oldest);
        }
    }

    fn oldest(&self, but: TileKey) -> Option<TileKey> {
        let may_go = |key: &TileKey| *key != but && Some(key.level) != self.pinned;
        let candidates = self.slots.iter().filter(|(key, _)| may_go(key));
        candidates.min_by_key(|(_, slot)| slot.last_use).map(|(key, _)| *key)
    }

    fn remove(&mut self, key: TileKey) {
        if let Some(slot) = self.slots.remove(&key) {
            self.used_bytes -= bytes(&slot.entry);
        }
    }

    /// Whether there is nothing more to learn about a tile in this look.
    pub(crate) fn is_current(&self, key: TileKey, look: u64) -> bool {
        self.slots.get(&key).is_some_and(|slot| slot.look == look)
    }

    pub(crate) fn has_pixels(&self, key: TileKey) -> bool {
        self.peek(key).is_some()
    }

    /// Whether some or all of a tile cannot be shown.
    pub(crate) fn is_damaged(&self, key: TileKey) -> bool {
        self.slots.get(&key).is_some_and(|slot| {
            matches!(slot.entry, Entry::Failed | Entry::Loaded { is_damaged: true, .. })
        })
    }

    /// The pixels of a tile and their look; the tile is thereby used.
    pub(crate) fn get(&mut self, key: TileKey) -> Option<(Arc<Pixels>, u64)> {
        self.clock += 1;
        let clock = self.clock;
        let slot = self.slots.get_mut(&key)?;
        slot.last_use = clock;
        Some((pixels(&slot.entry)?, slot.look))
    }

    /// The pixels of a tile and their look, without using it.
    pub(crate) fn peek(&self, key: TileKey) -> Option<(Arc<Pixels>, u64)> {
        let slot = self.slots.get(&key)?;
        Some((pixels(&slot.entry)?, slot.look))
    }
}

fn pixels(entry: &Entry) -> Option<Arc<Pixels>> {
    match entry {
        Entry::Loaded { pixels, .. } => Some(Arc::clone(pixels)),
        Entry::Failed => None,
    }
}

fn bytes(entry: &Entry) -> usize {
    match entry {
        Entry::Loaded { pixels, .. } => pixels.rgba().len(),
        Entry::Failed => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::coords::PixelSize;

    fn key(level: u16, col: u32) -> TileKey {
        TileKey { level: LevelIndex(level), col, row: 0 }
    }

    /// 400 bytes.
    fn tile(is_damaged: bool) -> Entry {
        let pixels = Pixels::filled(PixelSize { width: 10, height: 10 }, [0; 4]);
        Entry::Loaded { pixels: Arc::new(pixels), is_damaged }
    }

    #[test]
    fn the_least_recently_drawn_tile_leaves_when_the_budget_is_full() {
        let mut cache = TileCache::new(1000);
        cache.insert(key(0, 0), tile(false), 0);
        cache.insert(key(0, 1), tile(false), 0);
        cache.get(key(0, 0));
        cache.insert(key(0, 2), tile(false), 0);
        let kept = [0, 1, 2].map(|col| cache.is_current(key(0, col), 0));
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn the_pinned_level_stays_even_over_budget() {
        let mut cache = TileCache::new(500);
        cache.pin(LevelIndex(3));
        cache.insert(key(3, 0), tile(false), 0);
        for col in 0..5 {
            cache.insert(key(0, col), tile(false), 0);
        }
        assert!(cache.has_pixels(key(3, 0)) && cache.has_pixels(key(0, 4)));
        assert_eq!(cache.slots.len(), 2);
    }

    #[test]
    fn an_unreadable_tile_is_not_asked_for_again_and_counts_as_damaged() {
        let mut cache = TileCache::new(500);
        cache.insert(key(0, 0), Entry::Failed, 0);
        cache.insert(key(0, 1), tile(true), 0);
        assert!(cache.is_current(key(0, 0), 0) && !cache.has_pixels(key(0, 0)));
        assert!(cache.is_damaged(key(0, 0)) && cache.is_damaged(key(0, 1)));
        assert!(!cache.is_damaged(key(0, 2)));
    }

    #[test]
    fn replacing_a_tile_frees_its_bytes() {
        let mut cache = TileCache::new(500);
        cache.insert(key(0, 0), tile(false), 0);
        cache.insert(key(0, 0), tile(false), 0);
        assert_eq!(cache.used_bytes, 400);
    }

    #[test]
    fn a_tile_of_an_older_look_stands_in_until_it_is_made_anew() {
        let mut cache = TileCache::new(1000);
        cache.insert(key(0, 0), tile(false), 3);
        assert!(cache.has_pixels(key(0, 0)) && !cache.is_current(key(0, 0), 4));
        cache.insert(key(0, 0), tile(true), 2);
        assert!(!cache.is_damaged(key(0, 0)), "what comes late and is older is not taken");
        cache.insert(key(0, 0), tile(true), 4);
        assert!(cache.is_current(key(0, 0), 4));
    }
}
