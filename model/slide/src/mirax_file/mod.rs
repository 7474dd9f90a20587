//! The files in a MIRAX folder: what `Slidedat.ini` says, and where `Index.dat` says the pictures are.

mod index;
mod ini;
mod level;
mod picture;
mod positions;

pub(crate) use index::{Index, Record};
pub(crate) use ini::{Ini, Section};
pub(crate) use level::{Geometry, LevelLayout, MiraxLevel};
pub(crate) use picture::{DataFiles, StoredPicture, stored};
pub(crate) use positions::Positions;
