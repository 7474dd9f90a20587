//! Decoded pixels on their way from a file to the screen or to a model.

use crate::coords::PixelSize;

/// 8-bit RGBA, row-major, four bytes a pixel, not premultiplied.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    size: PixelSize,
    rgba: Vec<u8>,
}

impl Pixels {
    /// `rgba` must hold exactly `4 * width * height` bytes.
    pub fn new(size: PixelSize, rgba: Vec<u8>) -> Option<Self> {
        (u64::try_from(rgba.len()).ok()? == size.area().checked_mul(4)?)
            .then_some(Self { size, rgba })
    }

    /// One colour everywhere.
    pub fn filled(size: PixelSize, color: [u8; 4]) -> Self {
        let n_pixels = usize::try_from(size.area()).unwrap_or(0);
        Self { size, rgba: color.repeat(n_pixels) }
    }

    /// Width and height.
    pub fn size(&self) -> PixelSize {
        self.size
    }

    /// The bytes, `4 * width` a row.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// The bytes, to be painted on.
    pub fn rgba_mut(&mut self) -> &mut [u8] {
        &mut self.rgba
    }

    /// The bytes alone.
    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba
    }

    /// The pixel at column `x` and row `y`, if it is inside.
    pub fn get(&self, x: u32, y: u32) -> Option<[u8; 4]> {
        if self.size.width <= x || self.size.height <= y {
            return None;
        }
        let start = (usize::try_from(y).ok()? * usize::try_from(self.size.width).ok()?
            + usize::try_from(x).ok()?)
            * 4;
        self.rgba.get(start..start + 4)?.try_into().ok()
    }
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixels({} x {})", self.size.width, self.size.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_the_wrong_length_is_refused() {
        let size = PixelSize { width: 2, height: 1 };
        assert!(Pixels::new(size, vec![0; 7]).is_none());
        assert_eq!(Pixels::new(size, vec![9; 8]).unwrap().get(1, 0), Some([9; 4]));
    }

    #[test]
    fn a_pixel_outside_is_none() {
        let pixels = Pixels::filled(PixelSize { width: 2, height: 2 }, [1, 2, 3, 4]);
        assert_eq!(pixels.get(2, 0), None);
        assert_eq!(pixels.get(0, 2), None);
    }
}
