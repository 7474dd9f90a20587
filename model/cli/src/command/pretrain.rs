//! `pretrain`: slides in, an encoder out.

use domain::progress::PauseToken;
use model::encoder::own;
use model::threads::on_the_pool;
use model::train::{TrainControl, TrainReport};
use model::wise::{PretrainConfig, PretrainJob, pretrain};
use serde_json::json;

use super::settings::{changed, changes};
use super::{narrate, training_failure};
use crate::Session;
use crate::args::PretrainArgs;
use crate::console::{answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &PretrainArgs, session: &Session) -> Result<(), Failure> {
    let report = trained(args, session)?;
    session.progress.clear();
    if args.json {
        let mut answer = json!(report);
        answer["device"] = json!(args.device.name());
        answer_json(&answer)?;
    }
    say(&format!("encoder in {}", report.model_dir.display()));
    if args.add {
        let own = own::install(&report.model_dir, None).map_err(|error| Failure::new(&error))?;
        say(&format!("added to the list as `{}`", own.manifest.name));
    }
    Ok(())
}

fn trained(args: &PretrainArgs, session: &Session) -> Result<TrainReport, Failure> {
    let job = PretrainJob {
        folder: &args.folder,
        run_dir: &args.out,
        config: settings(args)?,
        device: args.device.into(),
        resume: args.resume,
    };
    let Session { cancel, progress } = session;
    let control = TrainControl { progress, cancel, pause: &PauseToken::default() };
    on_the_pool(|| pretrain(&job, &mut narrate(session), control))
        .map_err(|error| training_failure(&args.folder, &args.out, args.resume, &error))
}

/// What was asked for; `None` for the run's own settings or the defaults.
fn settings(args: &PretrainArgs) -> Result<Option<PretrainConfig>, Failure> {
    let changes = changes(args.config.as_deref(), &args.changes)?;
    let is_usual = args.preset.is_none() && args.name.is_none() && args.selection.is_none();
    if changes.is_empty() && is_usual {
        return Ok(None);
    }
    let base = args.preset.map_or_else(PretrainConfig::small, |it| PretrainConfig::of(it.into()));
    let mut config = changed(base, changes, |base, patch| base.changed(patch))?;
    if let Some(name) = &args.name {
        config.description.name.clone_from(name);
    }
    if let Some(selection) = args.selection {
        config.tiles.choice = selection.into();
    }
    Ok(Some(config))
}
