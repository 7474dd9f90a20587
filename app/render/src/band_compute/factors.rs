//! A transform of a length made of 2, 3 and 5 as stages, and the turns that they take.

/// One stage: `radix` transforms of `span` values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    /// How many transforms become one.
    pub(super) radix: u32,
    /// Length of each.
    pub(super) span: u32,
}

/// The stages of a transform in their order, none for a length of 1; `None` if other factors are left.
pub(super) fn stages(length: u32) -> Option<Vec<Stage>> {
    let (mut stages, mut span) = (Vec::new(), 1);
    for radix in [5, 4, 3, 2] {
        while length != 0 && (length / span).is_multiple_of(radix) {
            stages.push(Stage { radix, span });
            span *= radix;
        }
    }
    (span == length).then_some(stages)
}

/// `exp(-2 pi i t / length)` of every `t` below `length`, rounded once.
pub(super) fn turns(length: u32) -> Vec<[f32; 2]> {
    let turn = |t: u32| {
        let angle = -std::f64::consts::TAU * f64::from(t) / f64::from(length);
        [angle.cos() as f32, angle.sin() as f32]
    };
    (0..length).map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_two_three_and_five_become_stages_and_others_none() {
        for (length, radices) in
            [(1, vec![]), (512, vec![4, 4, 4, 4, 2]), (243, vec![3; 5]), (360, vec![5, 4, 3, 3, 2])]
        {
            let found = stages(length).unwrap();
            assert_eq!(found.iter().map(|it| it.radix).collect::<Vec<_>>(), radices);
            let spans = found.windows(2).all(|it| it[1].span == it[0].span * it[0].radix);
            assert!(spans, "{found:?}");
        }
        assert_eq!([0, 7, 1984].map(stages), [None, None, None]);
    }

    #[test]
    fn turns_go_once_around() {
        let turns = turns(12);
        assert_eq!((turns.len(), turns[0]), (12, [1.0, 0.0]));
        assert!((turns[3][1] + 1.0).abs() < 1e-7 && turns[3][0].abs() < 1e-7);
    }
}
