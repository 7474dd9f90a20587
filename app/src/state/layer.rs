//! Layers: readings of the slide that lie over it, each cut at its own *t* and colored in its own way.

use std::sync::Arc;

use domain::heatmap::Heatmap;
use domain::lesion_curve::LesionCurve;
use domain::mask::{BinaryMask, BinaryThreshold};
use domain::otsu::otsu;
use domain::tissue_share::TissueShare;
use model::cam::MapKind;
use model::camseg::SideScale;
use model::lens::Band;
use model::lens::model_bands::Heard;
use render::frame::{Colormap, OverlayFrame, OverlayStyle};

/// Strong enough to see, weak enough to see through.
pub(crate) const DEFAULT_OPACITY: f32 = 0.45;

/// As many as the histogram has bars.
pub(crate) const HISTOGRAM_BINS: u16 = 100;

/// What a layer shows. One of each kind at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// Where tissue was found.
    Tissue,
    /// Another reading of the network than the model's own map.
    Further(MapKind),
    /// How much of the features lies in a band of the frequency lens.
    BandEnergy(Band),
    /// The model's own map with bands left out.
    Heard(Heard),
    /// The own map of the model that was run before this one, to compare with.
    Earlier,
    /// The model's own map.
    Cam,
    /// The CAM cut at a *t* of its own, as the label that stage 2 learns from.
    PseudoMask,
    /// What stage 2 says at a coarser scale, where its network decides at several.
    Side(SideScale),
    /// The lesion probability of stage 2.
    Refined,
}

impl LayerKind {
    /// Its name in lists.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Tissue => "Tissue",
            Self::Earlier => "Heatmap of the model before",
            Self::Cam => "Heatmap",
            Self::PseudoMask => "Pseudo-mask",
            Self::Refined => "Refined mask",
            Self::Side(SideScale::Sixteenth) => "Side mask at 1/16 of the resolution",
            Self::Side(SideScale::Eighth) => "Side mask at 1/8 of the resolution",
            Self::Side(SideScale::Quarter) => "Side mask at 1/4 of the resolution",
            Self::BandEnergy(Band::Low) => "Energy of the low band",
            Self::BandEnergy(Band::Mid) => "Energy of the middle band",
            Self::BandEnergy(Band::High) => "Energy of the high band",
            Self::Heard(Heard::Without(Band::Low)) => "Without the low band",
            Self::Heard(Heard::Without(Band::Mid)) => "Without the middle band",
            Self::Heard(Heard::Without(Band::High)) => "Without the high band",
            Self::Heard(Heard::Only(Band::Low)) => "The low band alone",
            Self::Heard(Heard::Only(Band::Mid)) => "The middle band alone",
            Self::Heard(Heard::Only(Band::High)) => "The high band alone",
            Self::Further(MapKind::GradCam) => "Grad-CAM",
            Self::Further(MapKind::GradCamPlusPlus) => "Grad-CAM++",
            Self::Further(MapKind::Attention) => "Attention",
            Self::Further(MapKind::Lift) => "Attention above uniform",
            Self::Further(MapKind::AttentionGate) => "Attention gate",
            Self::Further(MapKind::Instance) => "Instances",
        }
    }

    /// What its values are, between the 0 and the 1 of a legend.
    pub(crate) fn units(self) -> &'static str {
        match self {
            Self::Tissue => "glass to tissue",
            Self::Earlier | Self::Cam | Self::PseudoMask => "Raw values, up to the slide's maximum",
            Self::Refined | Self::Side(_) => "Lesion probability of stage 2",
            Self::Further(_) | Self::Heard(_) => "Raw values, up to the slide's maximum",
            Self::BandEnergy(_) => "RMS of the features, up to its 99th percentile",
        }
    }

    /// What tells its files from those of the CAM, which are named after the slide alone.
    pub(crate) fn file_word(self) -> Option<&'static str> {
        match self {
            Self::Cam => None,
            Self::Earlier => Some("earlier-model"),
            Self::Tissue => Some("tissue"),
            Self::PseudoMask => Some("pseudo-mask"),
            Self::Refined => Some("refined"),
            Self::Side(SideScale::Sixteenth) => Some("side-mask-16"),
            Self::Side(SideScale::Eighth) => Some("side-mask-8"),
            Self::Side(SideScale::Quarter) => Some("side-mask-4"),
            Self::BandEnergy(Band::Low) => Some("low-band-energy"),
            Self::BandEnergy(Band::Mid) => Some("middle-band-energy"),
            Self::BandEnergy(Band::High) => Some("high-band-energy"),
            Self::Heard(Heard::Without(Band::Low)) => Some("without-low-band"),
            Self::Heard(Heard::Without(Band::Mid)) => Some("without-middle-band"),
            Self::Heard(Heard::Without(Band::High)) => Some("without-high-band"),
            Self::Heard(Heard::Only(Band::Low)) => Some("low-band-alone"),
            Self::Heard(Heard::Only(Band::Mid)) => Some("middle-band-alone"),
            Self::Heard(Heard::Only(Band::High)) => Some("high-band-alone"),
            Self::Further(MapKind::GradCam) => Some("grad-cam"),
            Self::Further(MapKind::GradCamPlusPlus) => Some("grad-cam-plus-plus"),
            Self::Further(MapKind::Attention) => Some("attention"),
            Self::Further(MapKind::Lift) => Some("attention-above-uniform"),
            Self::Further(MapKind::AttentionGate) => Some("attention-gate"),
            Self::Further(MapKind::Instance) => Some("instances"),
        }
    }

    /// Whether what exceeds *t* is lesion by the model of the result: it can be committed and exported then.
    pub(crate) fn is_of_lesions(self) -> bool {
        !matches!(self, Self::Tissue | Self::BandEnergy(_) | Self::Earlier)
    }

    /// How it is shown until someone chooses otherwise.
    fn first_look(self) -> LayerLook {
        let look = |is_shown, colormap, style| LayerLook {
            is_shown,
            opacity: DEFAULT_OPACITY,
            colormap,
            style,
        };
        match self {
            Self::Tissue => look(false, Colormap::Green, OverlayStyle::Contour),
            Self::Further(_) => look(false, Colormap::Cividis, OverlayStyle::Fill),
            Self::Side(_) => look(false, Colormap::Viridis, OverlayStyle::FillAndContour),
            Self::BandEnergy(_) => look(false, Colormap::Viridis, OverlayStyle::Fill),
            Self::Heard(_) => look(false, Colormap::Cividis, OverlayStyle::FillAndContour),
            Self::Earlier => look(false, Colormap::Magma, OverlayStyle::FillAndContour),
            Self::Cam => look(true, Colormap::Cividis, OverlayStyle::FillAndContour),
            Self::PseudoMask => look(false, Colormap::Orange, OverlayStyle::Fill),
            Self::Refined => look(true, Colormap::Blue, OverlayStyle::FillAndContour),
        }
    }
}

/// How a layer is shown; kept from slide to slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LayerLook {
    pub(crate) is_shown: bool,
    /// `0.0..=1.0`.
    pub(crate) opacity: f32,
    pub(crate) colormap: Colormap,
    pub(crate) style: OverlayStyle,
}

/// Figures of a layer at every *t*, prepared once by a job.
#[derive(Clone, Debug)]
pub(crate) struct Readout {
    /// Area, number and largest of the lesions.
    pub(crate) lesions: LesionCurve,
    /// How often the layer takes which value above 0, in [`HISTOGRAM_BINS`] equal parts.
    pub(crate) histogram: Vec<u64>,
    /// *t* that parts high from low values by Otsu's rule, if there are both.
    pub(crate) otsu: Option<BinaryThreshold>,
    /// How much of the tissue the layer marks.
    pub(crate) tissue: TissueShare,
}

impl Readout {
    /// Floods the field; takes up to some seconds, so not for the window's thread.
    pub(crate) fn of(heatmap: &Heatmap, tissue: &BinaryMask) -> Self {
        let lesions = LesionCurve::new(heatmap);
        let histogram = lesions.histogram(HISTOGRAM_BINS);
        let tissue = TissueShare::new(heatmap, tissue);
        Self { otsu: otsu_threshold(&histogram), lesions, histogram, tissue }
    }
}

/// The upper end of the last bin that Otsu's rule calls low.
#[expect(clippy::cast_precision_loss, reason = "a hundred bins")]
fn otsu_threshold(histogram: &[u64]) -> Option<BinaryThreshold> {
    let last_low = otsu(histogram)?;
    Some(BinaryThreshold::clamped((last_low + 1) as f32 / f32::from(HISTOGRAM_BINS)))
}

/// One reading of the slide.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: LayerKind,
    pub(crate) heatmap: Arc<Heatmap>,
    /// The model's best *t*, for the marker on the slider; few layers have one.
    pub(crate) recommended: Option<BinaryThreshold>,
    /// The *t* of the largest sensitivity plus specificity on the model's validation slides, where it was measured.
    pub(crate) youden: Option<BinaryThreshold>,
    /// `None` until a job has prepared it.
    pub(crate) readout: Option<Arc<Readout>>,
    /// Below or at it the layer is fully clear.
    pub(crate) threshold: BinaryThreshold,
    pub(crate) look: LayerLook,
}

impl Layer {
    /// Cut at the recommended *t*, else in the middle.
    pub(crate) fn new(
        kind: LayerKind,
        heatmap: Arc<Heatmap>,
        recommended: Option<BinaryThreshold>,
    ) -> Self {
        let threshold = recommended.unwrap_or_default();
        let look = kind.first_look();
        Self { kind, heatmap, recommended, youden: None, readout: None, threshold, look }
    }

    /// As the renderer takes it.
    pub(crate) fn frame(&self) -> OverlayFrame {
        OverlayFrame {
            heatmap: Arc::clone(&self.heatmap),
            threshold: self.threshold,
            opacity: self.look.opacity,
            colormap: self.look.colormap,
            style: self.look.style,
            columns: (0.0, 1.0),
        }
    }
}
