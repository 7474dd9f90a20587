//! Which tile lies in which layer of the atlas, and who leaves when it is full.

use std::collections::HashMap;

use domain::id::TileKey;

/// Least recently used, except that nothing leaves in a frame that uses it.
#[derive(Debug)]
pub(crate) struct Residency {
    slots: HashMap<TileKey, Slot>,
    free: Vec<u32>,
    layers: u32,
    frame: u64,
    generation: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    layer: u32,
    revision: u64,
    last_used: u64,
}

impl Residency {
    pub(crate) fn new(layers: u32) -> Self {
        Self {
            slots: HashMap::new(),
            free: (0..layers).rev().collect(),
            layers,
            frame: 0,
            generation: 0,
        }
    }

    /// Number of tiles that fit.
    pub(crate) fn layers(&self) -> usize {
        self.layers as usize
    }

    /// Starts a frame; tiles of another slide leave at once.
    pub(crate) fn begin_frame(&mut self, slide_generation: u64) {
        if self.generation != slide_generation {
            *self =
                Self { generation: slide_generation, frame: self.frame, ..Self::new(self.layers) };
        }
        self.frame += 1;
    }

    /// Keeps a tile for this frame, whatever its revision. Whether it is there in this one.
    pub(crate) fn touch(&mut self, key: TileKey, revision: u64) -> bool {
        let Some(slot) = self.slots.get_mut(&key) else { return false };
        slot.last_used = self.frame;
        slot.revision == revision
    }

    /// The layer of a tile that is there.
    pub(crate) fn layer(&self, key: TileKey) -> Option<u32> {
        self.slots.get(&key).map(|slot| slot.layer)
    }

    /// The layer for the pixels of a tile, its own if it is there; `None` if this frame uses all of them.
    pub(crate) fn claim(&mut self, key: TileKey, revision: u64) -> Option<u32> {
        let own = self.layer(key);
        let layer = own.or_else(|| self.free.pop()).or_else(|| self.evict())?;
        self.slots.insert(key, Slot { layer, revision, last_used: self.frame });
        Some(layer)
    }

    fn evict(&mut self) -> Option<u32> {
        let unused = self.slots.iter().filter(|(_, slot)| slot.last_used < self.frame);
        let oldest = *unused.min_by_key(|(key, slot)| (slot.last_used, **key))?.0;
        self.slots.remove(&oldest).map(|slot| slot.layer)
    }
}

#[cfg(test)]
mod tests {
    use domain::id::LevelIndex;

    use super::*;

    fn key(col: u32) -> TileKey {
        TileKey { level: LevelIndex(0), col, row: 0 }
    }

    #[test]
    fn the_least_recently_used_tile_leaves_first() {
        let mut residency = Residency::new(2);
        for col in [0, 1] {
            residency.begin_frame(1);
            residency.claim(key(col), 0).unwrap();
        }
        residency.begin_frame(1);
        assert!(residency.touch(key(0), 0));
        residency.begin_frame(1);
        assert_eq!(residency.claim(key(2), 0), Some(1));
        assert!(residency.layer(key(0)).is_some() && residency.layer(key(1)).is_none());
    }

    #[test]
    fn nothing_leaves_in_a_frame_that_uses_it() {
        let mut residency = Residency::new(1);
        residency.begin_frame(1);
        residency.claim(key(0), 0).unwrap();
        assert_eq!(residency.claim(key(1), 0), None);
        residency.begin_frame(1);
        residency.touch(key(0), 0);
        assert_eq!(residency.claim(key(1), 0), None);
    }

    #[test]
    fn another_slide_empties_the_atlas() {
        let mut residency = Residency::new(1);
        residency.begin_frame(1);
        residency.claim(key(0), 0).unwrap();
        residency.begin_frame(2);
        assert!(!residency.touch(key(0), 0));
        assert_eq!(residency.claim(key(5), 0), Some(0));
    }

    #[test]
    fn a_tile_made_anew_keeps_its_layer() {
        let mut residency = Residency::new(2);
        residency.begin_frame(1);
        let layer = residency.claim(key(0), 1);
        assert!(residency.touch(key(0), 1) && !residency.touch(key(0), 2));
        assert_eq!(residency.layer(key(0)), layer, "the old pixels are shown until then");
        assert_eq!(residency.claim(key(0), 2), layer);
        assert!(residency.touch(key(0), 2));
    }
}
