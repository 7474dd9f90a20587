//! Tiles that lie where a scanner's stage put them: overlapping, jittered, with gaps.

use domain::coords::LevelRect;

use crate::tile::Placement;

/// Placements that can be asked for by rectangle.
#[derive(Debug)]
pub(crate) struct Mosaic {
    /// With the order of painting, by their top edges.
    pieces: Vec<(u32, Placement)>,
    /// The tallest piece.
    height: i64,
}

impl Mosaic {
    /// Of pieces that overlap, the later one is seen.
    pub(crate) fn new(pieces: Vec<Placement>) -> Self {
        let height =
            pieces.iter().map(|piece| i64::from(piece.part.size.height)).max().unwrap_or(0);
        let mut pieces: Vec<(u32, Placement)> = (0..).zip(pieces).collect();
        pieces.sort_by_key(|(order, piece)| (piece.y, *order));
        Self { pieces, height }
    }

    /// The pieces that share a pixel with `rect`, in the order of painting.
    pub(crate) fn under(&self, rect: LevelRect) -> Vec<Placement> {
        let right = rect.x.saturating_add(rect.size.width.into());
        let bottom = rect.y.saturating_add(rect.size.height.into());
        let first =
            self.pieces.partition_point(|(_, it)| it.y.saturating_add(self.height) <= rect.y);
        let near = self.pieces.iter().skip(first).take_while(|(_, it)| it.y < bottom);
        let is_under = |it: &Placement| {
            it.x < right
                && rect.x < it.x.saturating_add(it.part.size.width.into())
                && rect.y < it.y.saturating_add(it.part.size.height.into())
        };
        let mut under: Vec<_> = near.filter(|(_, it)| is_under(it)).collect();
        under.sort_by_key(|(order, _)| *order);
        under.into_iter().map(|(_, piece)| *piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::Part;
    use domain::coords::PixelSize;

    fn piece(col: u32, x: i64, y: i64) -> Placement {
        Placement { col, row: 0, x, y, part: Part::top_left(10, 10) }
    }

    #[test]
    fn pieces_come_in_the_order_of_painting_and_only_if_they_share_a_pixel() {
        let mosaic =
            Mosaic::new(vec![piece(0, 0, 5), piece(1, 8, 3), piece(2, 40, 0), piece(3, 2, 15)]);
        let under = |x, y, width, height| {
            let rect = LevelRect { x, y, size: PixelSize { width, height } };
            mosaic.under(rect).iter().map(|piece| piece.col).collect::<Vec<_>>()
        };
        assert_eq!(under(0, 0, 100, 100), [0, 1, 2, 3]);
        assert_eq!(under(9, 4, 1, 1), [1]);
        assert_eq!(under(9, 5, 1, 1), [0, 1]);
        assert_eq!(under(9, 12, 1, 3), [0, 1]);
        assert!(under(20, 5, 20, 10).is_empty());
        assert!(under(i64::MAX, 0, 5, 5).is_empty());
    }
}
