//! Choosing an encoder, and describing, watching and keeping one that is learned.

use model::encoder::own::EncoderNote;
use model::train::Stage;

use super::{measure_pace, preview};
use crate::command::Effect;
use crate::state::State;

/// A wish about encoders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EncoderCommand {
    /// Describe patches of a fresh start by the encoder of this name.
    Choose(String),
    /// Let the encoder that is planned say this about itself.
    Describe(EncoderNote),
    /// Show what the network made of hidden patches after this epoch.
    ShowPicture(usize),
    /// Let the finished encoder say this about itself.
    DescribeFinished(EncoderNote),
    /// Add the finished encoder to the list.
    Keep,
}

/// Changes the panel; what reads or writes files are effects.
pub(super) fn apply(state: &mut State, command: EncoderCommand) -> Vec<Effect> {
    let training = &mut state.training;
    match command {
        EncoderCommand::Choose(name) => return choose(state, name),
        EncoderCommand::Describe(note) => training.plan.own_encoder = note,
        EncoderCommand::ShowPicture(epoch) => {
            if let Some(view) = &mut training.run {
                view.reconstructions.ask(epoch);
            }
            return missing_picture(state).into_iter().collect();
        }
        EncoderCommand::DescribeFinished(note) => training.encoder_note = note,
        EncoderCommand::Keep => return keep(state),
    }
    Vec::new()
}

/// Bags and pace follow the encoder.
fn choose(state: &mut State, name: String) -> Vec<Effect> {
    let plan = &mut state.training.plan;
    plan.encoder = (name != plan.usual_encoder()).then_some(name);
    let mut effects = preview(state);
    effects.extend(measure_pace(state));
    effects
}

/// Reads the picture that is to be in sight, unless it is.
pub(crate) fn missing_picture(state: &State) -> Option<Effect> {
    let view = state.training.run.as_ref()?;
    let epoch = view.reconstructions.missing()?;
    Some(Effect::ReadReconstruction { run_dir: view.dir.clone(), epoch })
}

fn keep(state: &mut State) -> Vec<Effect> {
    let training = &state.training;
    let run = training.run.as_ref().filter(|view| view.stage == Stage::Pretraining);
    let Some(report) = run.and_then(|view| view.report()) else { return Vec::new() };
    let note = Box::new(training.encoder_note.clone());
    vec![Effect::KeepEncoder { model_dir: report.model_dir.clone(), note }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::TrainingCommand;
    use crate::command::samples as sample_states;
    use crate::state::training::plan::Aim;
    use crate::state::training::run_view::Standing;
    use crate::state::training::samples;
    use std::path::Path;

    fn ready() -> State {
        State { training: samples::training(), ..sample_states::state() }
    }

    #[test]
    fn preview_and_pace_follow_the_encoder_and_the_usual_one_is_no_choice() {
        let mut state = ready();
        let effects = apply(&mut state, EncoderCommand::Choose("mine".to_owned()));
        let [Effect::PreviewBags(bags), Effect::MeasurePace(pace)] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!((bags.chosen_encoder(), pace.chosen_encoder()), (Some("mine"), Some("mine")));
        let usual = state.training.plan.usual_encoder();
        apply(&mut state, EncoderCommand::Choose(usual));
        assert_eq!(state.training.plan.encoder, None);
    }

    #[test]
    fn a_picture_is_read_once_it_is_asked_for() {
        let mut state = ready();
        state.training.run = Some(samples::pretraining(Standing::Running));
        let effects = apply(&mut state, EncoderCommand::ShowPicture(20));
        assert!(
            matches!(&effects[..], [Effect::ReadReconstruction { run_dir, epoch: 20 }] if run_dir == Path::new("/runs/slides-1"))
        );
        let newest = apply(&mut state, EncoderCommand::ShowPicture(40));
        assert!(newest.is_empty(), "it is in sight: {newest:?}");
    }

    #[test]
    fn only_a_finished_pre_training_leaves_an_encoder() {
        let mut state = ready();
        state.training.run = Some(samples::pretraining(Standing::Stopped));
        assert!(apply(&mut state, EncoderCommand::Keep).is_empty());
        let finished = Standing::Finished(Box::new(samples::report()));
        state.training.run = Some(samples::pretraining(finished.clone()));
        let note = EncoderNote { name: "mine".to_owned(), ..EncoderNote::default() };
        apply(&mut state, EncoderCommand::DescribeFinished(note));
        let effects = apply(&mut state, EncoderCommand::Keep);
        assert!(matches!(&effects[..], [Effect::KeepEncoder { note, .. }] if note.name == "mine"));
        let as_model = super::super::apply(&mut state, TrainingCommand::Promote);
        assert!(as_model.is_empty(), "it is no model");
        state.training.run = Some(samples::run(finished));
        assert!(apply(&mut state, EncoderCommand::Keep).is_empty(), "a model is no encoder");
    }

    #[test]
    fn a_folder_that_was_checked_for_labels_is_checked_again_for_an_encoder() {
        let mut state = ready();
        let set = |state: &mut State, aim| super::super::apply(state, TrainingCommand::SetAim(aim));
        let effects = set(&mut state, Aim::Encoder);
        assert!(matches!(&effects[..], [Effect::CheckFolder(plan)] if plan.aim == Aim::Encoder));
        assert!(!state.training.can_start(), "nothing is known of its slides");
        state.training.sources = Some(samples::sources());
        assert!(state.training.can_start(), "consent is for labelled folders");
        let effects = set(&mut State { training: samples::unchecked(), ..ready() }, Aim::Encoder);
        assert!(effects.is_empty(), "nobody has asked for a check yet: {effects:?}");
    }
}
