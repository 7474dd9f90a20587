//! What a person keeps on a slide: outlines and lines with a class, a verdict and a comment.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contour::{Polygon, Ring};
use crate::coords::Level0Rect;
use crate::mask::BinaryThreshold;

/// Names an annotation for good: in the journal, in every exported file, and after an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnnotationId(pub Uuid);

/// One annotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// Its name for good.
    pub id: AnnotationId,
    /// What it is called in lists; may be empty.
    pub name: String,
    /// What it shows.
    pub class: AnnotationClass,
    /// What the person thinks of it.
    pub verdict: Verdict,
    /// Free text; may be empty.
    pub comment: String,
    /// Where it lies.
    pub shape: Shape,
    /// Where it comes from.
    pub source: Source,
    /// Largest value of the layer it was cut from, `0.0..=1.0`; `None` for what no model proposed.
    pub score: Option<f32>,
}

/// A kind of tissue or finding, with the color it is drawn in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnnotationClass {
    /// In the user's words.
    pub name: String,
    /// sRGB.
    pub color: [u8; 3],
}

impl AnnotationClass {
    /// The colors to choose from: Okabe and Ito's, which color-blind eyes tell apart, without black.
    pub const COLORS: [[u8; 3]; 7] = [
        [213, 94, 0],
        [0, 114, 178],
        [240, 228, 66],
        [0, 158, 115],
        [204, 121, 167],
        [86, 180, 233],
        [230, 159, 0],
    ];

    /// The classes a new slide begins with.
    pub fn first_ones() -> Vec<Self> {
        let names = ["Lesion", "Normal", "Uncertain", "Artifact"];
        let class = |(name, color): (&str, _)| Self { name: name.to_owned(), color };
        names.into_iter().zip(Self::COLORS).map(class).collect()
    }
}

/// What a person thinks of a proposal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not looked at yet.
    #[default]
    Proposed,
    /// Right as it is.
    Accepted,
    /// Wrong; kept, but left out of exports.
    Rejected,
}

/// Where an annotation lies, in level-0 pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Parts that do not overlap, each with its holes; at least one.
    Area(Vec<Polygon>),
    /// A measured line of two or more points.
    Line(Ring),
}

impl Shape {
    /// Enclosed area in level-0 pixels; 0 for a line.
    pub fn area_level0_px(&self) -> f64 {
        match self {
            Self::Area(parts) => parts.iter().map(Polygon::area_level0_px).sum(),
            Self::Line(_) => 0.0,
        }
    }

    /// The smallest rectangle around it; `None` for a shape without a point.
    pub fn bounds(&self) -> Option<Level0Rect> {
        match self {
            Self::Area(parts) => Level0Rect::around(parts.iter().flat_map(|part| &part.outer)),
            Self::Line(points) => Level0Rect::around(points),
        }
    }
}

/// Where an annotation comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A layer of a model's result, cut at *t*; corrected since then or not.
    Model {
        /// Name of the model.
        model: String,
        /// Title of the layer.
        layer: String,
        /// The *t* it was cut at.
        threshold: BinaryThreshold,
    },
    /// Drawn by hand.
    Drawn,
    /// Read from a file of this format.
    Imported(String),
}
