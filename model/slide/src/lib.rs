//! Files to pixels, and masks back to files.
//!
//! [`Slide::open`] sniffs a file by content and reads its directory; pixels are decoded on demand by
//! [`Slide::read_region`] and [`Slide::read_tile`] from any number of threads at once.
#![warn(
    clippy::indexing_slicing,
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

mod blit;
mod buffer;
mod cache;
mod channel;
mod codec;
mod color;
mod dicom_file;
mod error;
pub mod export;
mod file;
mod format;
mod identity;
pub mod import;
mod limits;
mod mirax_file;
mod mosaic;
mod number;
mod properties;
mod pyramid;
mod region;
mod ring;
mod slide;
mod stack;
mod tiff_file;
mod tile;

pub use channel::{Channel, ChannelValues, Window};
pub use error::SlideError;
pub use slide::{AssociatedImage, Level, Region, Slide};
pub use stack::{Stack, StackPosition};
