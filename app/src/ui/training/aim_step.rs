//! Step 1: what is to be learned. It decides what the folder has to hold.

use egui::Ui;

use super::weak;
use crate::command::{Commands, TrainingCommand};
use crate::state::training::plan::{Aim, Plan};
use crate::ui::section_title;

/// What an encoder of one's own is, and what it is not.
const ABOUT_ENCODERS: &str = "An encoder describes patches for FMaMIL; the shipped ones have learned from photographs. This one learns from your slides, without \
     labels: patches with much fine structure are chosen, parts of them are hidden, and a network learns to guess these. It is a \
     reconstruction of WISE-MAE, of which an abstract alone was at hand. Learned from few slides or in few epochs it may serve worse than \
     the shipped ones: compare before you rely on it.";

pub(super) fn aim_step_ui(ui: &mut Ui, plan: &Plan, commands: &mut Commands) {
    section_title(ui, "1  What to train");
    for aim in Aim::ALL {
        if ui.radio(plan.aim == aim, aim.title()).clicked() {
            commands.push(TrainingCommand::SetAim(aim));
        }
    }
    if plan.aim == Aim::Encoder {
        weak(ui, ABOUT_ENCODERS);
    }
}
