//! Looking at a model band by band.

use ::model::lens::Band;
use ::model::lens::model_bands::Heard;

use crate::command::Effect;
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::layer::LayerKind;

/// A wish of the frequency lens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LensCommand {
    /// Have the model say what it makes of each band.
    LookAtBands,
    /// Show what the model says of these bands, and no other choice; `None` shows what it says of all.
    Hear(Option<Heard>),
    /// Show where a band's energy lies, and no other's; `None` shows none.
    ShowEnergy(Option<Band>),
}

pub(super) fn apply(state: &mut State, command: LensCommand) -> Vec<Effect> {
    match command {
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
