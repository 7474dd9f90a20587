//! Why a picture cannot be drawn.

use domain::coords::PixelSize;

/// Why a picture, or its overlay, cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No driver answered.
    #[error("no graphics adapter was found: {0}")]
    NoAdapter(String),
    /// The driver refused.
    #[error("the graphics adapter `{adapter}` cannot be used: {reason}")]
    NoDevice {
        /// Name of the adapter.
        adapter: String,
        /// What it said.
        reason: String,
    },
    /// A raster is larger than a texture may be.
    #[error(
        "{what} of {width} x {height} is too large for this graphics adapter, which allows {limit} a side",
        width = size.width, height = size.height
    )]
    TooLarge {
        /// "a heatmap", "a canvas".
        what: &'static str,
        /// What was asked for.
        size: PixelSize,
        /// Largest side.
        limit: u32,
    },
    /// A transform has a length that no compute shader is made for.
    #[error("a transform of {length} values: expected factors of 2, 3 and 5 alone")]
    UnfitLength {
        /// Side of the picture with its margins.
        length: u32,
    },
    /// A picture is larger than compute shaders can take, or the adapter has none.
    #[error(
        "taking {width} x {height} pixels apart takes buffers of {bytes} bytes; this graphics adapter allows {limit}, or runs no such \
         compute shaders",
        width = size.width, height = size.height
    )]
    Unfit {
        /// Of the picture.
        size: PixelSize,
        /// Of the largest buffer.
        bytes: u64,
        /// Largest buffer that can be bound.
        limit: u64,
    },
    /// A computation was refused.
    #[error("the graphics adapter refused to compute: {0}")]
    Compute(String),
    /// The picture was drawn and did not come back.
    #[error("the picture could not be read back from the graphics adapter: {0}")]
    Readback(String),
}

/// Refuses a raster that no texture of `device` can hold.
pub(crate) fn check_size(
    device: &wgpu::Device,
    what: &'static str,
    size: PixelSize,
) -> Result<(), RenderError> {
    let limit = device.limits().max_texture_dimension_2d;
    if size.width <= limit && size.height <= limit {
        return Ok(());
    }
    Err(RenderError::TooLarge { what, size, limit })
}
