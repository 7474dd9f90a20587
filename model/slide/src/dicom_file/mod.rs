//! One DICOM file of a whole-slide image: its elements, where its frames are, and its frames as tiles.

mod data_set;
mod dictionary;
mod frame_codec;
mod image;
mod parser;
mod pixel_data;
pub(crate) mod tags;

use std::sync::Arc;

pub(crate) use data_set::DataSet;
pub(crate) use image::{DicomImage, Part};
use parser::{Parser, PixelBytes};

use crate::SlideError;
use crate::file::SlideFile;
use crate::limits::MAX_TILES;

const PREAMBLE: usize = 128;
const MAGIC: &[u8] = b"DICM";
/// The class of whole-slide images, "VL Whole Slide Microscopy Image Storage".
const WHOLE_SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";

/// Whether a file begins like DICOM.
pub(crate) fn is_dicom(head: &[u8]) -> bool {
    head.get(PREAMBLE..).is_some_and(|rest| rest.starts_with(MAGIC))
}

/// One file, read up to its pixel data.
#[derive(Debug)]
pub(crate) struct DicomFile {
    /// The file itself.
    pub(crate) file: Arc<SlideFile>,
    /// All elements but the groups of single frames.
    pub(crate) data: DataSet,
    /// How frames are encoded, as a UID.
    pub(crate) transfer_syntax: String,
    /// One for each frame, if the file tells the frames' places one by one.
    pub(crate) places: Vec<FramePlace>,
    pixels: Option<PixelBytes>,
}

/// Where a frame lies in the level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FramePlace {
    /// Left edge in pixels.
    pub(crate) x: i64,
    /// Top edge in pixels.
    pub(crate) y: i64,
    /// Height of its focal plane, in micrometres.
    pub(crate) z: f64,
    /// A number for each optical path, equal where the identifier is.
    pub(crate) path: u64,
}

impl DicomFile {
    /// Reads the headers of a file that begins as [`is_dicom`] wants it.
    pub(crate) fn open(file: &Arc<SlideFile>) -> Result<Self, SlideError> {
        let (mut parser, meta, transfer_syntax) = begin(file)?;
        let mut places = Vec::new();
        let (mut data, pixels) = parser.elements(u32::MAX, |group| {
            SlideError::check_limit("the number of frames", places.len() as u64, MAX_TILES)?;
            places.push(FramePlace::of(&group));
            Ok(())
        })?;
        if data.text(tags::SOP_CLASS).is_some_and(|class| class != WHOLE_SLIDE) {
            return Err(SlideError::Unsupported(
                "DICOM files that are no whole-slide images".to_owned(),
            ));
        }
        data.elements.extend(meta.elements);
        let places: Option<Vec<_>> = places.into_iter().collect();
        Ok(Self {
            file: Arc::clone(file),
            data,
            transfer_syntax,
            places: places.unwrap_or_default(),
            pixels,
        })
    }

    /// The series that a file belongs to, without reading further than that.
    pub(crate) fn series_of(file: &Arc<SlideFile>) -> Result<Option<String>, SlideError> {
        let (mut parser, ..) = begin(file)?;
        let (data, _) = parser.elements(tags::SERIES + 1, |_| Ok(()))?;
        Ok(data.text(tags::SERIES))
    }
}

fn begin(file: &Arc<SlideFile>) -> Result<(Parser<'_>, DataSet, String), SlideError> {
    let mut parser = Parser::new(file, (PREAMBLE + MAGIC.len()) as u64)?;
    let meta = parser.file_meta()?;
    let transfer_syntax = meta.text(tags::TRANSFER_SYNTAX).unwrap_or_default();
    match transfer_syntax.as_str() {
        "1.2.840.10008.1.2" => parser.is_implicit = true,
        "1.2.840.10008.1.2.1.99" => {
            return Err(SlideError::Unsupported("deflated DICOM".to_owned()));
        }
        "1.2.840.10008.1.2.2" => {
            return Err(SlideError::Unsupported("big-endian DICOM".to_owned()));
        }
        _ => {}
    }
    Ok((parser, meta, transfer_syntax))
}

impl FramePlace {
    /// Out of the functional groups of a frame; positions count from 1.
    fn of(group: &DataSet) -> Option<Self> {
        let place = group.items(tags::PLANE_POSITION).first()?;
        let position = |tag| place.text(tag)?.parse::<i64>().ok()?.checked_sub(1);
        let path = group.items(tags::OPTICAL_PATH_OF_FRAME).first();
        let path = path.and_then(|path| path.text(tags::OPTICAL_PATH_ID)).unwrap_or_default();
        let digest = path
            .bytes()
            .fold(0_u64, |hash, byte| hash.wrapping_mul(257).wrapping_add(u64::from(byte)));
        Some(Self {
            x: position(tags::COLUMN_POSITION)?,
            y: position(tags::ROW_POSITION)?,
            z: place.reals(tags::Z_OFFSET).first().copied().unwrap_or(0.0),
            path: digest,
        })
    }
}
