//! The open slide and the part of it on the canvas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::color::ColorTable;
use domain::coords::{Camera, Level0Px, Level0Rect, PixelSize, ScreenPt, Turn};
use domain::scale::Mpp;
use slide::{Channel, Level, Slide};

use super::picture::Picture;

/// Most points that one level-0 pixel may cover: beyond, single pixels fill the canvas.
const PT_PER_LEVEL0_MAX: f64 = 32.0;

/// Magnification times micrometres per pixel of a common scanner: 20x at 0.5 um, 40x at 0.25 um.
const POWER_TIMES_MPP: f64 = 10.0;

/// Times the fitted slide may shrink.
const SHRINK_MAX: f64 = 4.0;

/// What a slide tells about the colors of its scanner.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ColorProfile {
    /// Nothing.
    #[default]
    Missing,
    /// What they look like on a screen.
    Usable(Arc<ColorTable>),
    /// Nothing that can be used, for this reason.
    Unusable(String),
}

impl ColorProfile {
    fn read(slide: &Slide) -> Self {
        match slide.color_table() {
            Ok(None) => Self::Missing,
            Ok(Some(table)) => Self::Usable(Arc::new(table)),
            Err(error) => Self::Unusable(error.to_string()),
        }
    }
}

/// What a slide says about itself, read once when it is opened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlideFacts {
    pub(crate) path: PathBuf,
    pub(crate) format: &'static str,
    pub(crate) size: PixelSize,
    pub(crate) levels: Vec<Level>,
    pub(crate) mpp: Option<Mpp>,
    pub(crate) objective_power: Option<f64>,
    pub(crate) color_profile: ColorProfile,
    /// How its channels are shown at first; empty for a slide in colors.
    pub(crate) channels: Arc<[Channel]>,
    pub(crate) properties: BTreeMap<String, String>,
    /// Names of the pictures that lie beside it: `label`, `macro`, `thumbnail`.
    pub(crate) associated: Vec<String>,
}

impl SlideFacts {
    pub(crate) fn read(slide: &Slide, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            format: slide.format(),
            size: slide.size(),
            levels: slide.levels().to_vec(),
            mpp: slide.mpp(),
            objective_power: slide.objective_power(),
            color_profile: ColorProfile::read(slide),
            channels: slide.channels().into(),
            properties: slide.properties().clone(),
            associated: slide.associated_images().iter().map(|it| it.name.clone()).collect(),
        }
    }

    /// The file's name, without its folder.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// The magnification at which one scanned pixel fills one of the screen, and its unit: stated, estimated from the
    /// scale, or 100 %.
    pub(crate) fn native_magnification(&self) -> (f64, &'static str) {
        let estimated = self.mpp.map(|mpp| POWER_TIMES_MPP / mpp.mean());
        self.objective_power.or(estimated).map_or((100.0, " %"), |power| (power, "x"))
    }

    /// The whole of level 0.
    pub(crate) fn bounds(&self) -> Level0Rect {
        Level0Rect::of_size(self.size)
    }
}

/// A picture that lies beside the slide, since someone wished to see it.
#[derive(Clone, Debug)]
pub(crate) enum Associated {
    Reading,
    Read(Arc<Picture>),
    /// Why not.
    Failed(String),
}

/// The slide and the camera over it.
#[derive(Clone, Debug)]
pub(crate) struct ViewState {
    pub(crate) facts: Option<Arc<SlideFacts>>,
    /// Pictures that lie beside it and were asked for.
    pub(crate) associated: BTreeMap<String, Associated>,
    /// Grows with every slide that is opened: answers about an older one are out of date.
    pub(crate) generation: u64,
    pub(crate) camera: Camera,
    /// The camera shows the whole slide and follows the canvas when that changes size.
    pub(crate) is_fitted: bool,
    /// Device pixels per window point.
    pub(crate) pixels_per_pt: f32,
    /// Where the pointer is on the canvas.
    pub(crate) pointer: Option<ScreenPt>,
    /// Colors are corrected with the scanner's profile, where there is one.
    pub(crate) is_color_corrected: bool,
    /// How the channels are shown; empty for a slide in colors.
    pub(crate) channels: Arc<[Channel]>,
    /// Grows with every change of the channels: tiles of an older one are made anew.
    pub(crate) look: u64,
}

impl Default for ViewState {
    fn default() -> Self {
        Self {
            facts: None,
            associated: BTreeMap::new(),
            generation: 0,
            camera: Camera {
                center: Level0Px::default(),
                level0_per_pt: 1.0,
                canvas: ScreenPt { x: 1.0, y: 1.0 },
                turn: Turn::NONE,
            },
            is_fitted: true,
            pixels_per_pt: 1.0,
            pointer: None,
            is_color_corrected: true,
            channels: Arc::default(),
            look: 0,
        }
    }
}

impl ViewState {
    /// Replaces the slide and shows all of it.
    pub(crate) fn open(&mut self, facts: SlideFacts) {
        self.show_channels(Arc::clone(&facts.channels));
        self.facts = Some(Arc::new(facts));
        self.camera.turn = Turn::NONE;
        self.associated.clear();
        self.generation += 1;
        self.fit();
    }

    /// Shows channels in another way.
    pub(crate) fn show_channels(&mut self, channels: Arc<[Channel]>) {
        self.channels = channels;
        self.look += 1;
    }

    /// Shows the whole slide.
    pub(crate) fn fit(&mut self) {
        if let Some(facts) = &self.facts {
            self.camera = Camera::fit(facts.bounds(), self.camera.canvas, self.camera.turn);
            self.is_fitted = true;
        }
    }

    /// Turns the slide around the middle of the canvas.
    pub(crate) fn turn(&mut self, turn: Turn) {
        self.camera.turn = turn;
        if self.is_fitted {
            self.fit();
        }
    }

    /// Moves the camera, within reason: some of the slide stays in view, at a sensible size.
    pub(crate) fn look(&mut self, camera: Camera) {
        let Some(facts) = &self.facts else { return };
        let bounds = facts.bounds();
        let most = Camera::fit(bounds, camera.canvas, camera.turn).level0_per_pt * SHRINK_MAX;
        let least = 1.0 / PT_PER_LEVEL0_MAX;
        let is_zoom_allowed = (least..=most.max(least)).contains(&camera.level0_per_pt);
        let wanted = if is_zoom_allowed { camera } else { self.camera };
        self.camera = Camera {
            center: Level0Px {
                x: wanted.center.x.clamp(bounds.x, bounds.x + bounds.width),
                y: wanted.center.y.clamp(bounds.y, bounds.y + bounds.height),
            },
            ..wanted
        };
        self.is_fitted = false;
    }

    /// Level-0 pixels per device pixel; below 1 the picture is enlarged beyond what was scanned.
    pub(crate) fn level0_per_device_px(&self) -> f64 {
        self.camera.level0_per_pt / f64::from(self.pixels_per_pt)
    }

    /// The table that the picture is corrected with, if it is.
    pub(crate) fn color_table(&self) -> Option<&Arc<ColorTable>> {
        match &self.facts.as_ref()?.color_profile {
            ColorProfile::Usable(table) if self.is_color_corrected => Some(table),
            _ => None,
        }
    }

    /// How the colors on screen came to be.
    pub(crate) fn color_state(&self) -> &'static str {
        match self.facts.as_ref().map(|facts| &facts.color_profile) {
            Some(ColorProfile::Usable(_)) if self.is_color_corrected => {
                "colors corrected with the scanner's profile"
            }
            Some(ColorProfile::Usable(_)) => "colors as scanned",
            Some(ColorProfile::Unusable(_)) => "colors as scanned: the profile cannot be used",
            Some(ColorProfile::Missing) if !self.channels.is_empty() => "colors of channels",
            Some(ColorProfile::Missing) | None => "colors as scanned: no profile",
        }
    }

    /// The slide position under the pointer, if there is one.
    pub(crate) fn position(&self) -> Option<Level0Px> {
        let facts = self.facts.as_ref()?;
        let point = self.camera.level0_from_screen(self.pointer?);
        let inside = (0.0..f64::from(facts.size.width)).contains(&point.x)
            && (0.0..f64::from(facts.size.height)).contains(&point.y);
        inside.then_some(point)
    }
}
