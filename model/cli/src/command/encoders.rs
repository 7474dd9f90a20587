//! `encoders`: what can describe patches.

use model::encoder::{EncoderEntry, list, own};
use serde_json::{Value, json};

use crate::args::EncodersArgs;
use crate::console::{answer, answer_json, say};
use crate::failure::Failure;

pub(crate) fn run(args: &EncodersArgs) -> Result<(), Failure> {
    if let Some(dir) = args.add.as_deref() {
        let own = own::install(dir, None).map_err(|error| Failure::at(dir)(&error))?;
        say(&format!("added to the list as `{}`", own.manifest.name));
    }
    let encoders = list();
    if args.json {
        let encoders: Vec<Value> = encoders.iter().map(as_json).collect();
        return answer_json(&json!({ "encoders": encoders }));
    }
    for EncoderEntry { name, title, trained_on, feature_dim, .. } in &encoders {
        answer(&format!(
            "{name}\n  {title}, {feature_dim} values per patch\n  trained on {trained_on}"
        ))?;
    }
    Ok(())
}

fn as_json(encoder: &EncoderEntry) -> Value {
    let EncoderEntry {
        name,
        title,
        trained_on,
        licence,
        feature_dim,
        input_px,
        seen_um,
        is_shipped,
    } = encoder;
    json!({
        "name": name, "title": title, "trained_on": trained_on, "licence": licence,
        "feature_dim": feature_dim, "input_px": input_px, "seen_um": seen_um, "is_shipped": is_shipped,
    })
}
