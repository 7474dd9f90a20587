//! The tags this reader asks for: TIFF 6.0, its supplements, and what scanners added.

/// A tag's number and its name for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag(pub(crate) u16, pub(crate) &'static str);

pub(crate) const SUBFILE_TYPE: Tag = Tag(254, "NewSubfileType");
pub(crate) const IMAGE_WIDTH: Tag = Tag(256, "ImageWidth");
pub(crate) const IMAGE_LENGTH: Tag = Tag(257, "ImageLength");
pub(crate) const BITS_PER_SAMPLE: Tag = Tag(258, "BitsPerSample");
pub(crate) const COMPRESSION: Tag = Tag(259, "Compression");
pub(crate) const PHOTOMETRIC: Tag = Tag(262, "PhotometricInterpretation");
pub(crate) const FILL_ORDER: Tag = Tag(266, "FillOrder");
pub(crate) const DOCUMENT_NAME: Tag = Tag(269, "DocumentName");
pub(crate) const IMAGE_DESCRIPTION: Tag = Tag(270, "ImageDescription");
pub(crate) const MAKE: Tag = Tag(271, "Make");
pub(crate) const MODEL: Tag = Tag(272, "Model");
pub(crate) const STRIP_OFFSETS: Tag = Tag(273, "StripOffsets");
pub(crate) const SAMPLES_PER_PIXEL: Tag = Tag(277, "SamplesPerPixel");
pub(crate) const ROWS_PER_STRIP: Tag = Tag(278, "RowsPerStrip");
pub(crate) const STRIP_BYTE_COUNTS: Tag = Tag(279, "StripByteCounts");
pub(crate) const X_RESOLUTION: Tag = Tag(282, "XResolution");
pub(crate) const Y_RESOLUTION: Tag = Tag(283, "YResolution");
pub(crate) const PLANAR_CONFIGURATION: Tag = Tag(284, "PlanarConfiguration");
pub(crate) const X_POSITION: Tag = Tag(286, "XPosition");
pub(crate) const Y_POSITION: Tag = Tag(287, "YPosition");
pub(crate) const RESOLUTION_UNIT: Tag = Tag(296, "ResolutionUnit");
pub(crate) const SOFTWARE: Tag = Tag(305, "Software");
pub(crate) const DATE_TIME: Tag = Tag(306, "DateTime");
pub(crate) const ARTIST: Tag = Tag(315, "Artist");
pub(crate) const HOST_COMPUTER: Tag = Tag(316, "HostComputer");
pub(crate) const PREDICTOR: Tag = Tag(317, "Predictor");
pub(crate) const COLOR_MAP: Tag = Tag(320, "ColorMap");
pub(crate) const TILE_WIDTH: Tag = Tag(322, "TileWidth");
pub(crate) const TILE_LENGTH: Tag = Tag(323, "TileLength");
pub(crate) const TILE_OFFSETS: Tag = Tag(324, "TileOffsets");
pub(crate) const TILE_BYTE_COUNTS: Tag = Tag(325, "TileByteCounts");
pub(crate) const SUB_IFDS: Tag = Tag(330, "SubIFDs");
pub(crate) const EXTRA_SAMPLES: Tag = Tag(338, "ExtraSamples");
pub(crate) const SAMPLE_FORMAT: Tag = Tag(339, "SampleFormat");
pub(crate) const JPEG_TABLES: Tag = Tag(347, "JPEGTables");
pub(crate) const XMP: Tag = Tag(700, "XMP");
pub(crate) const COPYRIGHT: Tag = Tag(33432, "Copyright");
pub(crate) const ICC_PROFILE: Tag = Tag(34675, "ICCProfile");
pub(crate) const NDPI_VERSION: Tag = Tag(65420, "NDPI version");
pub(crate) const NDPI_SOURCE_LENS: Tag = Tag(65421, "NDPI source lens");
pub(crate) const NDPI_X_OFFSET: Tag = Tag(65422, "NDPI x offset");
pub(crate) const NDPI_Y_OFFSET: Tag = Tag(65423, "NDPI y offset");
pub(crate) const NDPI_FOCAL_PLANE: Tag = Tag(65424, "NDPI focal plane");
pub(crate) const NDPI_MCU_STARTS: Tag = Tag(65426, "NDPI interval starts");
pub(crate) const NDPI_REFERENCE: Tag = Tag(65427, "NDPI reference");
pub(crate) const NDPI_MCU_STARTS_HIGH: Tag = Tag(65432, "NDPI interval starts, high words");
pub(crate) const NDPI_PROPERTY_MAP: Tag = Tag(65449, "NDPI property map");

/// The value of [`PHOTOMETRIC`] for brightness and two colour differences.
pub(crate) const YCBCR: u64 = 6;
