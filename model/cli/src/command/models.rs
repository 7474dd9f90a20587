//! `models`: what can follow `--model`, and what is done about the user's own.

use std::path::Path;

use model::registry::{InstallNote, ModelEntry, RegistryError, Shelf, discover, export};
use model::train::WrittenRun;
use serde_json::{Value, json};

use super::find_model;
use crate::args::{AddArgs, ImportArgs, ModelsAction, ModelsArgs};
use crate::console::{answer, answer_json};
use crate::failure::Failure;

pub(crate) fn run(args: &ModelsArgs) -> Result<(), Failure> {
    match &args.action {
        None => list(args.json),
        Some(ModelsAction::Add(add)) => kept(&added(add)?, args.json),
        Some(ModelsAction::Import(import)) => kept(&imported(import)?, args.json),
        Some(ModelsAction::RollBack { name }) => {
            kept(&shelf()?.roll_back(name).map_err(plain)?, args.json)
        }
        Some(ModelsAction::Delete { name }) => {
            shelf()?.delete(name).map_err(plain)?;
            done(args.json, &json!({ "deleted": name }), &format!("{name} is deleted"))
        }
        Some(ModelsAction::Export { name, out }) => {
            let dir = export(&find_model(name)?, out).map_err(|error| Failure::at(out)(&error))?;
            let dir = dir.display().to_string();
            done(args.json, &json!({ "dir": dir }), &dir)
        }
    }
}

fn list(is_json: bool) -> Result<(), Failure> {
    let entries = discover();
    if is_json {
        return answer_json(
            &json!({ "models": entries.iter().map(described).collect::<Vec<_>>() }),
        );
    }
    if entries.is_empty() {
        return answer("no models are installed");
    }
    answer(&entries.iter().map(in_words).collect::<Vec<_>>().join("\n\n"))
}

/// The model of a finished run, at the *t* that its validation images propose unless another was named.
fn added(args: &AddArgs) -> Result<ModelEntry, Failure> {
    let failed = Failure::at(&args.run);
    let run = WrittenRun::read(&args.run).map_err(|error| failed(&error))?;
    let Some(report) = &run.report else {
        return Err(failed(&"the run is not finished; continue it with `train --resume`"));
    };
    let proposal = run.proposal();
    let note = InstallNote {
        name: args.name.clone(),
        title: args.title.clone().unwrap_or_default(),
        trained_on: args.trained_on.clone().unwrap_or_default(),
        note: args.note.clone().unwrap_or_default(),
        threshold: match args.threshold {
            Some(t) => Some((t, "chosen by hand when the model was kept".to_owned())),
            None => proposal.threshold,
        },
        figures: proposal.figures,
        replaces: args.replace,
    };
    shelf()?.install(&report.model_dir, &note).map_err(|error| failed(&error))
}

fn imported(args: &ImportArgs) -> Result<ModelEntry, Failure> {
    let name = args.name.clone().unwrap_or_default();
    let note = InstallNote { name, replaces: args.replace, ..InstallNote::default() };
    let dir: &Path = &args.dir;
    shelf()?.import(dir, &note).map_err(|error| Failure::at(dir)(&error))
}

fn shelf() -> Result<Shelf, Failure> {
    Shelf::own().map_err(plain)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn plain(error: RegistryError) -> Failure {
    Failure::new(&error)
}

fn kept(entry: &ModelEntry, is_json: bool) -> Result<(), Failure> {
    done(is_json, &described(entry), &in_words(entry))
}

fn done(is_json: bool, object: &Value, words: &str) -> Result<(), Failure> {
    if is_json { answer_json(object) } else { answer(words) }
}

/// Everything the manifest says, and where the folder lies.
fn described(entry: &ModelEntry) -> Value {
    let mut manifest = json!(entry.manifest);
    if let Value::Object(fields) = &mut manifest {
        fields.insert("dir".to_owned(), Value::from(entry.dir.display().to_string()));
    }
    manifest
}

fn in_words(entry: &ModelEntry) -> String {
    let manifest = &entry.manifest;
    let mut lines = vec![
        format!("{}: {}", manifest.name, manifest.title),
        format!("  trained on   {}", manifest.trained_on),
        format!("  licence      {}", manifest.licence),
        format!("  recommended  t = {}, at {} µm/px", manifest.recommended_threshold, manifest.mpp),
    ];
    if let Some(provenance) = &manifest.provenance {
        lines.push(format!("  trained      {}", provenance.date));
    }
    if !manifest.note.is_empty() {
        lines.push(format!("  note         {}", manifest.note));
    }
    lines.extend(manifest.metrics.iter().map(|(name, value)| format!("  {name} = {value:.3}")));
    lines.join("\n")
}
