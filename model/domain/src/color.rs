//! What a scanner's colors look like: a table from its red, green and blue to sRGB.

/// Nodes of a [`ColorTable`] along each axis; between two of them lie about eight 8-bit steps.
pub const TABLE_SIDE: u16 = 33;

/// sRGB colors on a regular grid over the cube of scanned colors, linear in between.
///
/// Screen and overview read this one table, so that both show the same color.
#[derive(Clone, PartialEq)]
pub struct ColorTable {
    nodes: Vec<[f32; 3]>,
}

impl ColorTable {
    /// `nodes` hold `TABLE_SIDE³` colors, red running fastest, then green. Those beyond `0.0..=1.0` are brighter or more
    /// vivid than a screen shows, and are brought to its ends only after interpolation. `None` if their number is another
    /// or one is not finite.
    pub fn new(nodes: Vec<[f32; 3]>) -> Option<Self> {
        let is_whole = nodes.len() == usize::from(TABLE_SIDE).pow(3);
        let is_finite = nodes.iter().flatten().all(|value| value.is_finite());
        (is_whole && is_finite).then_some(Self { nodes })
    }

    /// The scanned colors at the nodes, in the order of [`Self::new`].
    pub fn scanned_colors() -> impl Iterator<Item = [f32; 3]> {
        let axis = || (0..TABLE_SIDE).map(|index| f32::from(index) / f32::from(TABLE_SIDE - 1));
        axis().flat_map(move |b| axis().flat_map(move |g| axis().map(move |r| [r, g, b])))
    }

    /// The colors at the nodes, in the order of [`Self::new`].
    pub fn nodes(&self) -> &[[f32; 3]] {
        &self.nodes
    }

    /// The sRGB color of a scanned one.
    pub fn corrected(&self, scanned: [u8; 3]) -> [u8; 3] {
        let [r, g, b] = scanned.map(Place::of);
        let edge =
            |g: usize, b: usize| mixed(self.node(r.low, g, b), self.node(r.high, g, b), r.fraction);
        let face = |b: usize| mixed(edge(g.low, b), edge(g.high, b), g.fraction);
        mixed(face(b.low), face(b.high), b.fraction).map(byte)
    }

    fn node(&self, r: usize, g: usize, b: usize) -> [f32; 3] {
        let side = usize::from(TABLE_SIDE);
        self.nodes.get((b * side + g) * side + r).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for ColorTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ColorTable({TABLE_SIDE} nodes a side)")
    }
}

/// Two neighboring nodes along one axis and the place between them.
#[derive(Clone, Copy)]
struct Place {
    low: usize,
    high: usize,
    fraction: f32,
}

impl Place {
    fn of(value: u8) -> Self {
        let (steps, last) = (TABLE_SIDE - 1, u16::from(u8::MAX));
        let scaled = u16::from(value) * steps;
        let low = usize::from(scaled / last);
        let high = (low + 1).min(usize::from(steps));
        Self { low, high, fraction: f32::from(scaled % last) / f32::from(last) }
    }
}

fn mixed(from: [f32; 3], to: [f32; 3], fraction: f32) -> [f32; 3] {
    let [r, g, b] = from;
    let [to_r, to_g, to_b] = to;
    [r + (to_r - r) * fraction, g + (to_g - g) * fraction, b + (to_b - b) * fraction]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts saturate, which is what a screen does"
)]
fn byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(of: impl Fn([f32; 3]) -> [f32; 3]) -> ColorTable {
        ColorTable::new(ColorTable::scanned_colors().map(of).collect()).unwrap()
    }

    #[test]
    fn a_table_of_its_own_grid_changes_no_color() {
        let identity = table(|color| color);
        for value in 0..=255_u8 {
            let color = [value, value.wrapping_mul(7), 255 - value];
            assert_eq!(identity.corrected(color), color);
        }
    }

    #[test]
    fn each_axis_is_its_own_and_nodes_are_met_exactly() {
        let turned = table(|[r, g, b]| [g, b, 1.0 - r]);
        assert_eq!(turned.corrected([255, 0, 51]), [0, 51, 0]);
        let square = table(|color| color.map(|value| value * value));
        assert_eq!(square.corrected([255; 3]), [255; 3]);
        assert_eq!(square.corrected([0; 3]), [0; 3]);
        let middle = square.corrected([128; 3])[0];
        assert!(middle.abs_diff(64) <= 1, "{middle}");
    }

    #[test]
    fn a_table_of_another_size_or_without_numbers_is_refused() {
        assert!(ColorTable::new(vec![[0.5; 3]; 8]).is_none());
        let mut nodes: Vec<_> = ColorTable::scanned_colors().collect();
        nodes[5][1] = f32::NAN;
        assert!(ColorTable::new(nodes).is_none());
    }

    #[test]
    fn colors_beyond_the_screen_are_brought_to_its_ends() {
        let wild = table(|[r, g, _]| [r * 3.0 - 1.0, g, 2.0]);
        assert_eq!(wild.corrected([0, 9, 9]), [0, 9, 255]);
        assert_eq!(wild.corrected([127, 9, 9])[0], 126, "but not before it is interpolated");
    }
}
