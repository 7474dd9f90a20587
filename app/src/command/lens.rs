//! Looking at a model, and at the picture, band by band.

use std::sync::Arc;

use ::model::lens::Band;
use ::model::lens::model_bands::Heard;
use domain::bands::{BandEdges, side_with_smooth_transform};
use domain::coords::{LevelRect, PixelSize};

use crate::command::Effect;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::LayerKind;
use crate::state::lens::{Field, Patch};
use crate::state::view::ViewState;
use crate::tiles::demand::{covering, target_level};

/// Longest side of a field in pixels of its level: a large screen.
const SIDE_MAX_PX: f64 = 2560.0;

/// Side of the patch under the pointer, in pixels of the displayed level.
const PATCH_PX: u32 = 128;

/// The patch follows the pointer in steps, not with every tremor of the hand.
const PATCH_STEP_PX: i64 = 8;

/// A wish of the frequency lens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LensCommand {
    /// Show a band of the picture; `None` shows the picture.
    ShowBand(Option<Band>),
    /// Move where the low band ends, relative to the displayed level's Nyquist.
    SetLowEdge(f64),
    /// Move where the high band begins.
    SetHighEdge(f64),
    /// Show the spectrum of the patch under the pointer or not.
    ShowSpectrum(bool),
    /// Have the model say what it makes of each band.
    LookAtBands,
    /// Show what the model says of these bands, and no other choice; `None` shows what it says of all.
    Hear(Option<Heard>),
    /// Show where a band's energy lies, and no other's; `None` shows none.
    ShowEnergy(Option<Band>),
}

pub(super) fn apply(state: &mut State, command: LensCommand) -> Vec<Effect> {
    match command {
        LensCommand::ShowBand(band) => state.picture_lens.band = band,
        LensCommand::SetLowEdge(low) => {
            let edges = &mut state.picture_lens.edges;
            *edges = BandEdges { low, high: edges.high.max(low), ..*edges };
        }
        LensCommand::SetHighEdge(high) => {
            let edges = &mut state.picture_lens.edges;
            *edges = BandEdges { high, low: edges.low.min(high), ..*edges };
        }
        LensCommand::ShowSpectrum(is_shown) => state.picture_lens.is_spectrum_shown = is_shown,
        LensCommand::LookAtBands => return look_at_bands(state),
        LensCommand::Hear(heard) => {
            let wanted = heard.map_or(LayerKind::Cam, LayerKind::Heard);
            let is_reading = |kind| matches!(kind, LayerKind::Heard(_) | LayerKind::Cam);
            state.overlay.show_alone(wanted, is_reading);
        }
        LensCommand::ShowEnergy(band) => {
            let is_energy = |kind| matches!(kind, LayerKind::BandEnergy(_));
            match band {
                Some(band) => state.overlay.show_alone(LayerKind::BandEnergy(band), is_energy),
                None => state.overlay.hide(is_energy),
            }
        }
    }
    Vec::new()
}

/// What the lens lacks of the visible field and of the patch under the pointer: asked once a frame. One of each at a time, so that
/// camera and pointer are followed as fast as pictures can be taken apart, and no faster.
pub(crate) fn follow(state: &mut State) -> Vec<Effect> {
    let field = follow_field(state);
    field.into_iter().chain(follow_pointer(state)).collect()
}

fn follow_pointer(state: &mut State) -> Option<Effect> {
    let lens = &state.picture_lens;
    if !lens.is_spectrum_shown || state.jobs.of_kind(JobKind::ReadSpectrum).is_some() {
        return None;
    }
    let wanted = patch(&state.view)?;
    if lens.patch_asked == Some(wanted) {
        return None;
    }
    state.picture_lens.patch_asked = Some(wanted);
    Some(Effect::ReadSpectrum(wanted))
}

/// Around the pointer, in pixels of the displayed level.
#[expect(clippy::cast_possible_truncation, reason = "the pointer is on the slide")]
fn patch(view: &ViewState) -> Option<Patch> {
    let facts = view.facts.as_ref()?;
    let level = target_level(&facts.levels, view.level0_per_device_px());
    let downsample = facts.levels.get(usize::from(level.0))?.downsample;
    let middle = downsample.level_from_level0(view.position()?);
    let corner = |at: f64| (at as i64 / PATCH_STEP_PX) * PATCH_STEP_PX - i64::from(PATCH_PX / 2);
    let size = PixelSize { width: PATCH_PX, height: PATCH_PX };
    let rect = LevelRect { x: corner(middle.x), y: corner(middle.y), size };
    Some(Patch { generation: view.generation, level, rect })
}

fn follow_field(state: &mut State) -> Option<Effect> {
    state.picture_lens.band?;
    if state.jobs.of_kind(JobKind::SplitField).is_some() {
        return None;
    }
    let wanted = field(&state.view, state.picture_lens.edges)?;
    if state.picture_lens.asked.as_ref() == Some(&wanted) {
        return None;
    }
    state.picture_lens.asked = Some(wanted.clone());
    Some(Effect::SplitField(Box::new(wanted)))
}

/// The visible part of the displayed level, no larger than can be taken apart in a moment, and where the level goes on a little more:
/// sides whose transforms are smooth are taken apart by compute shaders, and faster by the processor.
#[expect(clippy::cast_possible_truncation, reason = "clipped to the level")]
fn field(view: &ViewState, edges: BandEdges) -> Option<Field> {
    let facts = view.facts.as_ref()?;
    let index = target_level(&facts.levels, view.level0_per_device_px());
    let level = facts.levels.get(usize::from(index.0))?;
    let (visible, center) = (view.camera.visible(), view.camera.center);
    let scale = level.downsample.get();
    let axis = |start: f64, length: f64, middle: f64, level_px: u32| {
        let reach = SIDE_MAX_PX / 2.0;
        let least = (start / scale).max(middle / scale - reach).max(0.0).floor();
        let most = ((start + length) / scale).min(middle / scale + reach).ceil();
        let (start, end) = (least as i64, (most as i64).min(i64::from(level_px)));
        let visible = usize::try_from(end - start).ok().filter(|it| *it != 0)?;
        let length = side_with_smooth_transform(visible, level_px as usize) as u32;
        let start = start.min(i64::from(level_px - length));
        Some((start, length))
    };
    let (x, width) = axis(visible.x, visible.width, center.x, level.size.width)?;
    let (y, height) = axis(visible.y, visible.height, center.y, level.size.height)?;
    let rect = LevelRect { x, y, size: PixelSize { width, height } };
    let area = level.downsample.level0_from_level_rect(rect);
    Some(Field {
        generation: view.generation,
        channels: Arc::clone(&view.channels),
        look: view.look,
        is_color_corrected: view.is_color_corrected,
        rect,
        area,
        tiles: covering(&facts.levels, index, area),
        edges,
    })
}

/// With the model of the result, whichever one is chosen by now.
fn look_at_bands(state: &mut State) -> Vec<Effect> {
    let Some(result) = &state.overlay.result else { return Vec::new() };
    if state.jobs.of_kind(JobKind::LookAtBands).is_some() {
        return Vec::new();
    }
    let mut entries = state.models.entries.iter().flatten();
    match entries.find(|entry| entry.manifest.name == result.model_name) {
        Some(entry) => vec![Effect::LookAtBands(Box::new(entry.clone()))],
        None => {
            state.notices.error("The model of this result is no longer there");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    fn state() -> State {
        let mut state = samples::state();
        state.overlay = samples::overlay_with_bands();
        state
    }

    fn shown(state: &State) -> Vec<LayerKind> {
        let layers = state.overlay.layers.iter();
        layers.filter(|layer| layer.look.is_shown).map(|layer| layer.kind).collect()
    }

    #[test]
    fn a_field_is_taken_apart_once_and_again_when_it_has_changed() {
        let mut state = samples::state();
        assert!(follow_field(&mut state).is_none(), "no band is shown");
        apply(&mut state, LensCommand::ShowBand(Some(Band::High)));
        let Some(Effect::SplitField(first)) = follow_field(&mut state) else {
            unreachable!("a band")
        };
        assert!(0 < first.rect.size.area() && !first.tiles.is_empty());
        assert!(follow_field(&mut state).is_none(), "it was asked for");
        apply(&mut state, LensCommand::SetLowEdge(0.9));
        let edges = state.picture_lens.edges;
        assert_eq!((edges.low, edges.high), (0.9, 0.9), "edges keep their order");
        let Some(Effect::SplitField(second)) = follow_field(&mut state) else {
            unreachable!("edges")
        };
        assert_eq!((second.rect, second.edges.low), (first.rect, 0.9));
    }

    #[test]
    fn a_field_is_the_visible_part_of_the_displayed_level_and_a_little_more() {
        let mut state = samples::state();
        let mut rect_at = |x, y, level0_per_pt| {
            state.view.camera.level0_per_pt = level0_per_pt;
            state.view.camera.center = domain::coords::Level0Px { x, y };
            let field = field(&state.view, BandEdges::default()).unwrap();
            assert_eq!(field.area.y, field.rect.y as f64 * level0_per_pt);
            let LevelRect { x, y, size: PixelSize { width, height } } = field.rect;
            (x, y, width, height)
        };
        let inside = (600, 700, 800, 611);
        assert_eq!(rect_at(1000.0, 1000.0, 1.0), inside, "800 x 600 px are seen");
        assert_eq!(rect_at(100.0, 1900.0, 1.0), (0, 1584, 512, 416), "moved back into the level");
        assert_eq!(rect_at(2000.0, 1000.0, 4.0), (100, 0, 800, 500), "the level has no more");
    }

    #[test]
    fn bands_are_looked_at_with_the_model_of_the_result() {
        let mut state = state();
        state.models.selected = Some("b".to_owned());
        let effects = apply(&mut state, LensCommand::LookAtBands);
        assert!(matches!(&effects[..], [Effect::LookAtBands(entry)] if entry.manifest.name == "a"));
        state.models.set_entries(Vec::new());
        assert!(apply(&mut state, LensCommand::LookAtBands).is_empty());
        assert_eq!(state.notices.shown.len(), 1);
    }

    #[test]
    fn a_muted_band_takes_the_place_of_the_cam_at_the_cams_t_and_all_bands_bring_it_back() {
        let mut state = state();
        let muted = Heard::Without(Band::Low);
        let t = domain::mask::BinaryThreshold::clamped(0.3);
        state.overlay.change(|cam| cam.threshold = t);
        apply(&mut state, LensCommand::Hear(Some(muted)));
        assert_eq!(shown(&state), [LayerKind::Heard(muted)]);
        assert_eq!(state.overlay.layer().unwrap().kind, LayerKind::Heard(muted));
        assert_eq!(state.overlay.layer().unwrap().threshold, t);
        apply(&mut state, LensCommand::Hear(None));
        assert_eq!(shown(&state), [LayerKind::Cam]);
    }

    #[test]
    fn the_energy_of_one_band_is_shown_at_a_time() {
        let mut state = state();
        apply(&mut state, LensCommand::ShowEnergy(Some(Band::Low)));
        apply(&mut state, LensCommand::ShowEnergy(Some(Band::High)));
        assert_eq!(shown(&state), [LayerKind::BandEnergy(Band::High), LayerKind::Cam]);
        apply(&mut state, LensCommand::ShowEnergy(None));
        assert_eq!(shown(&state), [LayerKind::Cam]);
        assert_eq!(state.overlay.layer().unwrap().kind, LayerKind::Cam);
    }
}
