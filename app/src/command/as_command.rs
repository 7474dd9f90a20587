//! The export that the window would do, as a line for a terminal.

use model::cam::MapKind;
use slide::export::FrameChoice;

use crate::state::State;
use crate::state::layer::{Layer, LayerKind};

/// `slidelight-cli predict …`; `None` without a result, or for what only the window has. What a person corrected is not
/// in it: it runs the model anew.
pub(crate) fn as_command(state: &State) -> Option<String> {
    let (facts, result) = (state.view.facts.as_ref()?, state.overlay.result.as_ref()?);
    let layer = state.overlay.layer()?;
    let dialogs = &state.dialogs;
    let mut words = vec!["slidelight-cli".to_owned(), "predict".to_owned()];
    words.push(quoted(&facts.path.display().to_string()));
    words.extend(["--model".to_owned(), quoted(&result.model_name)]);
    words.extend(layer_words(layer)?);
    if let Some(share) = result.provenance.get("preselected_share") {
        let percent = 100.0 * share.parse::<f64>().unwrap_or(1.0);
        words.extend(["--preselect".to_owned(), format!("{percent:.0}")]);
    }
    let formats: Vec<&str> = dialogs.export_formats.iter().map(|format| format.word()).collect();
    words.extend(["--format".to_owned(), each_once(&formats).join(",")]);
    if dialogs.export_frame != FrameChoice::default() {
        words.extend(["--frame".to_owned(), dialogs.export_frame.word().to_owned()]);
    }
    words.extend(["--out".to_owned(), quoted(dialogs.export_folder.trim())]);
    Some(words.join(" "))
}

/// `None` for a layer that the command line does not write.
fn layer_words(layer: &Layer) -> Option<Vec<String>> {
    let t = layer.threshold.get().to_string();
    let words: &[&str] = match layer.kind {
        LayerKind::Refined => &["--refine", "--refined-threshold", &t],
        LayerKind::Further(kind) => &["--map", map_word(kind), "--threshold", &t],
        LayerKind::Cam | LayerKind::PseudoMask => &["--threshold", &t],
        LayerKind::Tissue
        | LayerKind::Earlier
        | LayerKind::BandEnergy(_)
        | LayerKind::Heard(_)
        | LayerKind::Side(_) => return None,
    };
    Some(words.iter().map(|word| (*word).to_owned()).collect())
}

fn map_word(kind: MapKind) -> &'static str {
    match kind {
        MapKind::GradCam => "grad-cam",
        MapKind::GradCamPlusPlus => "grad-cam-plus-plus",
        MapKind::Attention => "attention",
        MapKind::Lift => "lift",
        MapKind::AttentionGate => "attention-gate",
        MapKind::Instance => "instance",
    }
}

fn each_once<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(word) {
            once.push(word);
        }
    }
    once
}

/// As one word to the shell of this system.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:\\".contains(it);
    if !word.is_empty() && word.chars().all(is_plain) && !word.contains('\\') {
        return word.to_owned();
    }
    if cfg!(windows) { format!("\"{word}\"") } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::samples;

    #[test]
    fn the_command_names_slide_model_t_formats_and_folder() {
        let mut state = samples::state();
        assert_eq!(as_command(&state), None, "there is no result yet");
        state.overlay = samples::overlay(false);
        state.dialogs.export_folder = "/out of it".to_owned();
        state.dialogs.export_frame = FrameChoice::Bounds;
        let t = state.overlay.layer().unwrap().threshold.get();
        let path = state.view.facts.as_ref().unwrap().path.display().to_string();
        let model = &state.overlay.result.as_ref().unwrap().model_name;
        let expected = format!(
            "slidelight-cli predict {} --model {} --threshold {t} --format png,tif,geojson,json --frame bounds --out '/out of it'",
            quoted(&path),
            quoted(model)
        );
        assert_eq!(as_command(&state).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_with_quotes_stays_one_word() {
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
