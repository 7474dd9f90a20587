//! Step 2: the folder, everything that is odd about it, and how it is split.

use egui::{Grid, RichText, Slider, Ui};
use model::data::check::FolderSurvey;
use model::data::folder::Split;
use model::data::{Finding, Remedy};
use model::wise::SourceSurvey;

use super::preview::preview_ui;
use super::{job_ui, path_row_ui, weak};
use crate::command::{Commands, TrainingCommand};
use crate::state::State;
use crate::state::jobs::JobKind;
use crate::state::training::TrainingState;
use crate::ui::{is_entered, section_title, theme};

/// Findings of one kind that are shown before the list is folded.
const LISTED_MAX: usize = 12;

const LABELLED: &str = "One folder of images per class (negative beside others), or labels.csv with file, label and, if known, patient. Labels of whole \
     images are all that training needs. You can drop a folder here.";
const OF_SLIDES: &str = "Any folder of slides and images, however deep. Labels and masks in it are not looked at. You can drop a folder here.";

/// Shares of validation that can be asked for.
const VAL_SHARES: std::ops::RangeInclusive<f64> = 0.1..=0.5;

pub(super) fn folder_step_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let training = &state.training;
    let needs_labels = training.plan.aim.needs_labels();
    section_title(
        ui,
        if needs_labels { "2  The labelled folder" } else { "2  The folder of slides" },
    );
    weak(ui, if needs_labels { LABELLED } else { OF_SLIDES });
    folder_field_ui(ui, &training.folder_text, needs_labels, commands);
    if state.jobs.of_kind(JobKind::CheckFolder).is_some() {
        job_ui(ui, state, JobKind::CheckFolder);
        if ui.button("Stop the check").clicked() {
            commands.push(TrainingCommand::StopCheck);
        }
    }
    if let Some(sources) = training.sources.as_deref().filter(|_| !needs_labels) {
        findings_ui(ui, &sources.findings);
        sources_ui(ui, sources);
    }
    if let Some(survey) = training.survey.as_deref().filter(|_| needs_labels) {
        findings_ui(ui, &survey.findings);
        counts_ui(ui, survey);
        split_ui(ui, survey, training, commands);
        consent_ui(ui, survey, training, commands);
        if !survey.images.is_empty() {
            preview_ui(ui, survey, state, commands);
        }
    }
}

fn folder_field_ui(ui: &mut Ui, text: &str, needs_labels: bool, commands: &mut Commands) {
    let hint =
        if needs_labels { "Folder with labelled images" } else { "Folder of slides and images" };
    let (field, typed) = path_row_ui(ui, "Images", text, hint, |ui| {
        if ui.button("Choose folder…").clicked() {
            commands.push(TrainingCommand::PickFolder);
        }
        if ui.button("Check").clicked() {
            commands.push(TrainingCommand::Check);
        }
    });
    if field.changed() {
        commands.push(TrainingCommand::SetFolderText(typed));
    }
    if is_entered(ui, &field) {
        commands.push(TrainingCommand::Check);
    }
}

/// How many files a pre-training learns from.
fn sources_ui(ui: &mut Ui, sources: &SourceSurvey) {
    let SourceSurvey { n_train, n_val, n_slides, .. } = *sources;
    let files = |n: usize| counted(n, "file");
    ui.label(format!("{} to learn from, {} only looked at", files(n_train), files(n_val)));
    let (slides, images) =
        (counted(n_slides, "slide"), counted(sources.n_files() - n_slides, "plain image"));
    weak(
        ui,
        &format!(
            "{slides} of several magnifications: patches of each are chosen by themselves. {images}: patches are chosen from all of \
             them together."
        ),
    );
}

/// `1 slide`, `3 slides`.
fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn findings_ui(ui: &mut Ui, findings: &[Finding]) {
    if findings.is_empty() {
        ui.label(RichText::new("Nothing is odd about this folder.").color(theme::DONE));
    }
    for (remedy, title, color) in [
        (Remedy::Mend, "To be mended before training", theme::ERROR),
        (Remedy::LeaveOut, "Cannot be used as it is", theme::WARNING),
        (Remedy::Note, "Good to know", theme::TEXT_STRONG),
    ] {
        let found: Vec<&Finding> =
            findings.iter().filter(|finding| finding.remedy == remedy).collect();
        if found.is_empty() {
            continue;
        }
        ui.label(RichText::new(format!("{title} ({})", found.len())).strong().color(color));
        let (first, rest) = found.split_at(found.len().min(LISTED_MAX));
        first.iter().for_each(|finding| finding_ui(ui, finding));
        if !rest.is_empty() {
            let header = egui::CollapsingHeader::new(format!("{} more", rest.len()));
            header.id_salt(title).show(ui, |ui| {
                rest.iter().for_each(|finding| finding_ui(ui, finding));
            });
        }
    }
}

fn finding_ui(ui: &mut Ui, finding: &Finding) {
    let text = format!("• {}: {}.", finding.what, finding.done);
    ui.add(egui::Label::new(RichText::new(text).small()).wrap());
}

/// Images per split and label.
fn counts_ui(ui: &mut Ui, survey: &FolderSurvey) {
    ui.add_space(4.0);
    Grid::new("split").num_columns(4).spacing([18.0, 3.0]).striped(true).show(ui, |ui| {
        for title in ["Images", "positive", "negative", "what for"] {
            ui.label(RichText::new(title).small().color(theme::TEXT_WEAK));
        }
        ui.end_row();
        for (split, name, what_for) in [
            (Split::Train, "Training", "learned from"),
            (Split::Val, "Validation", "choose the best epoch"),
            (Split::Test, "Test", "not touched"),
        ] {
            let counts = [true, false].map(|label| survey.count(split, label));
            if split == Split::Test && counts == [0, 0] {
                continue;
            }
            ui.label(name);
            for n in counts {
                ui.label(n.to_string());
            }
            ui.label(RichText::new(what_for).small().color(theme::TEXT_WEAK));
            ui.end_row();
        }
    });
}

/// How patients are split, unless the folder says it.
fn split_ui(ui: &mut Ui, survey: &FolderSurvey, training: &TrainingState, commands: &mut Commands) {
    if survey.images.iter().any(|image| image.split.is_some()) {
        weak(ui, "The folder says itself which images are for what.");
        return;
    }
    ui.horizontal(|ui| {
        let mut share = training.plan.how.val_share;
        let slider = Slider::new(&mut share, VAL_SHARES).step_by(0.05).fixed_decimals(2);
        let response = ui.add(slider.text("Share of patients that validate"));
        if response.changed() {
            commands.push(TrainingCommand::SetValShare(share));
        }
        if response.drag_stopped() || (response.changed() && !response.dragged()) {
            commands.push(TrainingCommand::Check);
        }
        let again = ui.button("Split anew");
        if again.on_hover_text("Other patients validate: the next seed").clicked() {
            commands.push(TrainingCommand::SetSeed(training.plan.seed + 1));
        }
        weak(ui, &format!("seed {}", training.plan.seed));
    });
}

fn consent_ui(
    ui: &mut Ui,
    survey: &FolderSurvey,
    training: &TrainingState,
    commands: &mut Commands,
) {
    if !survey.can_train(true) {
        let text = "This folder cannot be learned from yet.";
        ui.label(RichText::new(text).color(theme::ERROR));
    } else if survey.asks_for_consent() {
        let mut is_given = training.plan.how.leave_out;
        let text = "Train on the rest, without what cannot be used";
        if ui.checkbox(&mut is_given, text).changed() {
            commands.push(TrainingCommand::SetConsent(is_given));
        }
    }
}
