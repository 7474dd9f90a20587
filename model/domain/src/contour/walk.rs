//! One step of marching squares: which edge of a cell a ring leaves by.

use super::grid::{Grid, Node};

/// Direction of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heading {
    Up,
    Right,
    Down,
    Left,
}

impl Heading {
    fn turned_right(self) -> Self {
        match self {
            Self::Up => Self::Right,
            Self::Right => Self::Down,
            Self::Down => Self::Left,
            Self::Left => Self::Up,
        }
    }

    fn turned_left(self) -> Self {
        match self {
            Self::Up => Self::Left,
            Self::Left => Self::Down,
            Self::Down => Self::Right,
            Self::Right => Self::Up,
        }
    }

    /// The next node in this direction. Foreground never lies on the outermost ring, so the steps
    /// taken from it stay on the grid; saturation only keeps the arithmetic total.
    fn ahead_of(self, (row, col): Node) -> Node {
        match self {
            Self::Up => (row.saturating_sub(1), col),
            Self::Right => (row, col + 1),
            Self::Down => (row + 1, col),
            Self::Left => (row, col.saturating_sub(1)),
        }
    }
}

/// A ring passing between two neighboring nodes, the foreground on its right hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    right: Node,
    heading: Heading,
}

impl Walk {
    /// Passes to the left of the foreground node `(row, col)`, upwards.
    pub(super) fn up_past(row: usize, col: usize) -> Self {
        Self { right: (row, col), heading: Heading::Up }
    }

    /// Passes to the right of the foreground node `(row, col)`, downwards.
    pub(super) fn down_past(row: usize, col: usize) -> Self {
        Self { right: (row, col), heading: Heading::Down }
    }

    /// The foreground node.
    pub(super) fn right(self) -> Node {
        self.right
    }

    /// The background node.
    pub(super) fn left(self) -> Node {
        self.heading.turned_left().ahead_of(self.right)
    }

    /// Row and left column of the horizontal edge that this step crosses, if it crosses one.
    pub(super) fn crossed_row(self) -> Option<Node> {
        match self.heading {
            Heading::Up => Some(self.left()),
            Heading::Down => Some(self.right),
            Heading::Right | Heading::Left => None,
        }
    }

    /// Through the cell ahead. Both nodes ahead are looked at right hand first: where they form a
    /// saddle, the ring turns around its own foreground node and keeps the two foreground nodes apart.
    pub(super) fn next(self, grid: &Grid<'_>) -> Self {
        let ahead_right = self.heading.ahead_of(self.right);
        let ahead_left = self.heading.ahead_of(self.left());
        if !grid.is_foreground(ahead_right.0, ahead_right.1) {
            Self { right: self.right, heading: self.heading.turned_right() }
        } else if !grid.is_foreground(ahead_left.0, ahead_left.1) {
            Self { right: ahead_right, heading: self.heading }
        } else {
            Self { right: ahead_left, heading: self.heading.turned_left() }
        }
    }
}
