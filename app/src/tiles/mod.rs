//! Which parts of the slide are read, in which order, and how long they are kept. No GPU here.
//!
//! [`demand`] turns the camera into wanted tiles, [`schedule`] keeps a few of them under way,
//! [`cache`] holds what came back, [`Tiles`] ties them to the decoder threads.

pub(crate) mod cache;
pub(crate) mod demand;
pub(crate) mod schedule;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::coords::Level0Rect;
use domain::id::TileKey;
use render::frame::TileQuad;
use slide::{Level, Slide};

use crate::jobs::load_tile::{TileLoader, TileRead, TileReply, TileRequest};
use crate::state::view::ViewState;
use cache::{Entry, TileCache};
use demand::{coarsest, covering, target_level, tile_area, wanted};
use schedule::Schedule;

/// Decoded tiles kept in memory.
const CACHE_BYTES: usize = 512 << 20;

/// The tiles of the open slide.
#[derive(Debug)]
pub(crate) struct Tiles {
    loader: TileLoader,
    schedule: Schedule,
    cache: TileCache,
    generation: u64,
    look: u64,
    /// Sentences for the user about tiles that cannot be read, each told once.
    troubles: Vec<String>,
}

impl Tiles {
    pub(crate) fn new(loader: TileLoader) -> Self {
        let schedule = Schedule::new(loader.in_flight_max());
        let cache = TileCache::new(CACHE_BYTES);
        Self { loader, schedule, cache, generation: 0, look: 0, troubles: Vec::new() }
    }

    /// Takes in what the decoder threads answered.
    pub(crate) fn receive(&mut self) {
        while let Some(TileReply { generation, look, key, read }) = self.loader.next_reply() {
            if generation != self.generation {
                continue;
            }
            if look == self.look {
                self.schedule.finish(key);
            }
            match read {
                TileRead::Dropped => {}
                TileRead::Loaded { pixels, is_damaged } => {
                    self.cache.insert(key, Entry::Loaded { pixels, is_damaged }, look);
                }
                TileRead::Failed(message) => {
                    self.cache.insert(key, Entry::Failed, look);
                    self.troubles.push(message);
                }
            }
        }
    }

    /// What went wrong since the last call.
    pub(crate) fn take_troubles(&mut self) -> Vec<String> {
        std::mem::take(&mut self.troubles)
    }

    /// Asks for what the camera needs and drops what it no longer needs.
    pub(crate) fn follow(&mut self, view: &ViewState, slide: &Arc<Slide>) {
        let Some(facts) = &view.facts else { return };
        if self.generation != view.generation {
            self.generation = view.generation;
            self.cache.clear();
            self.schedule.drop_all();
            self.cache.pin(coarsest(&facts.levels));
        }
        if self.look != view.look {
            // What is under way in the older look is shown when it comes, but no longer waited for.
            self.look = view.look;
            self.schedule.drop_all();
        }
        let wanted = wanted(&facts.levels, &view.camera, view.level0_per_device_px());
        let (cache, look) = (&self.cache, self.look);
        for (key, unwanted) in self.schedule.next(&wanted, |key| cache.is_current(key, look)) {
            let request = TileRequest {
                slide: Arc::clone(slide),
                generation: self.generation,
                channels: Arc::clone(&view.channels),
                look,
                key,
                unwanted,
            };
            if !self.loader.ask(request) {
                self.schedule.finish(key);
            }
        }
    }

    /// What to draw now, coarse first: every visible tile, and where one is missing its best
    /// coarser stand-in.
    pub(crate) fn quads(&mut self, view: &ViewState) -> Vec<TileQuad> {
        let Some(facts) = &view.facts else { return Vec::new() };
        let target = target_level(&facts.levels, view.level0_per_device_px());
        let keys = drawable(&facts.levels, target, view.camera.visible(), &self.cache);
        let quad = |key: TileKey| {
            let (pixels, revision) = self.cache.get(key)?;
            Some(TileQuad { key, area: tile_area(&facts.levels, key)?, pixels, revision })
        };
        keys.into_iter().rev().filter_map(quad).collect()
    }

    /// Visible tiles that are damaged or cannot be read.
    pub(crate) fn damaged(&self, view: &ViewState) -> Vec<Level0Rect> {
        let Some(facts) = &view.facts else { return Vec::new() };
        let target = target_level(&facts.levels, view.level0_per_device_px());
        covering(&facts.levels, target, view.camera.visible())
            .into_iter()
            .filter(|key| self.cache.is_damaged(*key))
            .filter_map(|key| tile_area(&facts.levels, key))
            .collect()
    }

    /// Pixels of the coarsest level and their look, for the overview.
    pub(crate) fn overview(&self, view: &ViewState) -> Option<(Arc<domain::pixels::Pixels>, u64)> {
        let facts = view.facts.as_ref()?;
        let key = TileKey { level: coarsest(&facts.levels), col: 0, row: 0 };
        self.cache.peek(key)
    }
}

/// Cached keys that together cover as much of `visible` as can be covered, finest level first.
fn drawable(
    levels: &[Level],
    target: domain::id::LevelIndex,
    visible: Level0Rect,
    cache: &TileCache,
) -> BTreeSet<TileKey> {
    let mut keys = BTreeSet::new();
    for key in covering(levels, target, visible) {
        if cache.has_pixels(key) {
            keys.insert(key);
            continue;
        }
        let Some(area) = tile_area(levels, key) else { continue };
        for coarser in target.0 + 1..=coarsest(levels).0 {
            let parents = covering(levels, domain::id::LevelIndex(coarser), area);
            let n_parents = parents.len();
            let found: Vec<_> =
                parents.into_iter().filter(|parent| cache.has_pixels(*parent)).collect();
            let is_covered = found.len() == n_parents;
            keys.extend(found);
            if is_covered {
                break;
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;
    use domain::coords::PixelSize;
    use domain::id::LevelIndex;
    use domain::pixels::Pixels;

    fn key(level: u16, col: u32, row: u32) -> TileKey {
        TileKey { level: LevelIndex(level), col, row }
    }

    fn cache_of(keys: &[TileKey]) -> TileCache {
        let mut cache = TileCache::new(1 << 20);
        for key in keys {
            let pixels = Pixels::filled(PixelSize { width: 1, height: 1 }, [9; 4]);
            cache.insert(*key, Entry::Loaded { pixels: Arc::new(pixels), is_damaged: false }, 0);
        }
        cache
    }

    #[test]
    fn a_missing_tile_is_stood_in_for_by_the_nearest_coarser_one() {
        let levels = samples::facts().levels;
        let visible = Level0Rect { x: 0.0, y: 0.0, width: 1000.0, height: 500.0 };
        let cache = cache_of(&[key(2, 0, 0), key(1, 0, 0), key(0, 0, 0)]);
        let keys: Vec<_> = drawable(&levels, LevelIndex(0), visible, &cache).into_iter().collect();
        assert_eq!(keys, [key(0, 0, 0), key(1, 0, 0)]);
    }

    #[test]
    fn the_canvas_is_never_blank_once_the_coarsest_tile_is_there() {
        let levels = samples::facts().levels;
        let visible = Level0Rect { x: 1500.0, y: 700.0, width: 900.0, height: 900.0 };
        let keys = drawable(&levels, LevelIndex(0), visible, &cache_of(&[key(2, 0, 0)]));
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), [key(2, 0, 0)]);
    }
}
