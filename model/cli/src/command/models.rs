//! `models`: what can follow `--model`.

use model::registry::{ModelEntry, discover};
use serde_json::{Value, json};

use crate::args::ModelsArgs;
use crate::console::{answer, answer_json};
use crate::failure::Failure;

pub(crate) fn run(args: &ModelsArgs) -> Result<(), Failure> {
    let entries = discover();
    if args.json {
        return answer_json(
            &json!({ "models": entries.iter().map(described).collect::<Vec<_>>() }),
        );
    }
    if entries.is_empty() {
        return answer("no models are installed");
    }
    answer(&entries.iter().map(in_words).collect::<Vec<_>>().join("\n\n"))
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
    lines.extend(manifest.metrics.iter().map(|(name, value)| format!("  {name} = {value:.3}")));
    lines.join("\n")
}
