//! A few requests under way at a time, always for what is wanted now.

use std::collections::BTreeMap;

use domain::id::TileKey;
use domain::progress::CancelToken;

/// Requests under way.
#[derive(Debug)]
pub(crate) struct Schedule {
    in_flight: BTreeMap<TileKey, CancelToken>,
    in_flight_max: usize,
}

impl Schedule {
    pub(crate) fn new(in_flight_max: usize) -> Self {
        Self { in_flight: BTreeMap::new(), in_flight_max }
    }

    /// Marks what is no longer `wanted` as such, and answers with what to ask for next, the most
    /// urgent first, each with the token that takes the request back.
    pub(crate) fn next(
        &mut self,
        wanted: &[TileKey],
        is_cached: impl Fn(TileKey) -> bool,
    ) -> Vec<(TileKey, CancelToken)> {
        for (key, token) in &self.in_flight {
            if !wanted.contains(key) {
                token.cancel();
            }
        }
        let free = self.in_flight_max.saturating_sub(self.in_flight.len());
        let next: Vec<_> = wanted
            .iter()
            .filter(|key| !is_cached(**key) && !self.in_flight.contains_key(*key))
            .take(free)
            .map(|key| (*key, CancelToken::default()))
            .collect();
        self.in_flight.extend(next.iter().cloned());
        next
    }

    /// A request was answered, or could not be made.
    pub(crate) fn finish(&mut self, key: TileKey) {
        self.in_flight.remove(&key);
    }

    /// Another slide: nothing under way is wanted, and its answers are not waited for.
    pub(crate) fn drop_all(&mut self) {
        for token in std::mem::take(&mut self.in_flight).into_values() {
            token.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::LevelIndex;

    fn keys(cols: std::ops::Range<u32>) -> Vec<TileKey> {
        cols.map(|col| TileKey { level: LevelIndex(0), col, row: 0 }).collect()
    }

    fn asked(next: &[(TileKey, CancelToken)]) -> Vec<u32> {
        next.iter().map(|(key, _)| key.col).collect()
    }

    #[test]
    fn only_so_many_are_under_way_and_the_urgent_go_first() {
        let mut schedule = Schedule::new(3);
        let first = schedule.next(&keys(0..9), |key| key.col == 1);
        assert_eq!(asked(&first), [0, 2, 3]);
        assert_eq!(asked(&schedule.next(&keys(0..9), |_| false)), [0; 0]);
        schedule.finish(first[0].0);
        assert_eq!(asked(&schedule.next(&keys(0..9), |key| key.col < 2)), [4]);
    }

    #[test]
    fn what_leaves_the_screen_is_taken_back() {
        let mut schedule = Schedule::new(4);
        let first = schedule.next(&keys(0..4), |_| false);
        schedule.next(&keys(2..6), |_| false);
        let taken_back: Vec<_> = first.iter().map(|(_, token)| token.is_cancelled()).collect();
        assert_eq!(taken_back, [true, true, false, false]);
    }

    #[test]
    fn another_slide_starts_with_free_hands() {
        let mut schedule = Schedule::new(2);
        let old = schedule.next(&keys(0..2), |_| false);
        schedule.drop_all();
        assert!(old.iter().all(|(_, token)| token.is_cancelled()));
        assert_eq!(schedule.next(&keys(0..2), |_| false).len(), 2);
    }
}
