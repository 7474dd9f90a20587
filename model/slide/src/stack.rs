//! Slides that were scanned at several depths or times: a slide shows one of them.

/// Which depth and time of a stack to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackPosition {
    /// Focal plane, from 0.
    pub focal_plane: u32,
    /// Time point, from 0.
    pub time_point: u32,
}

/// How many depths and times a slide has, and which one is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Focal planes; 1 for most slides.
    pub n_focal_planes: u32,
    /// Time points; 1 for most slides.
    pub n_time_points: u32,
    /// What is shown.
    pub shown: StackPosition,
}

impl Stack {
    /// One picture.
    pub(crate) const SINGLE: Self = Self {
        n_focal_planes: 1,
        n_time_points: 1,
        shown: StackPosition { focal_plane: 0, time_point: 0 },
    };

    /// A stack that shows `wanted` as far as it reaches, or its middle plane at the first time.
    pub(crate) fn new(
        n_focal_planes: u32,
        n_time_points: u32,
        wanted: Option<StackPosition>,
    ) -> Self {
        let middle = StackPosition { focal_plane: n_focal_planes / 2, time_point: 0 };
        let wanted = wanted.unwrap_or(middle);
        let shown = StackPosition {
            focal_plane: wanted.focal_plane.min(n_focal_planes.saturating_sub(1)),
            time_point: wanted.time_point.min(n_time_points.saturating_sub(1)),
        };
        Self { n_focal_planes, n_time_points, shown }
    }
}
