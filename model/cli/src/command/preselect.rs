//! `preselect`: the full run over slides against runs over the most informative patches alone, features computed afresh each time.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::heatmap::Heatmap;
use domain::mask::{BinaryMask, BinaryThreshold};
use model::analysis::{AnalysisSettings, AnalyzeError, analyze};
use model::registry::ModelEntry;
use serde_json::{Value, json};
use slide::Slide;

use super::{find_model, open_slide, recommended_threshold};
use crate::Session;
use crate::args::PreselectArgs;
use crate::console::{answer, answer_json};
use crate::failure::Failure;

/// A run over all or some of a slide.
struct Run {
    heatmap: Heatmap,
    took: Duration,
}

/// Over all slides together.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Raster pixels of the full run's lesion, and of those the part that was found.
    lesion: usize,
    found: usize,
    full: Duration,
    took: Duration,
}

pub(crate) fn run(args: &PreselectArgs, session: &Session) -> Result<(), Failure> {
    let entry = find_model(&args.model)?;
    let threshold = args.threshold.map_or_else(|| recommended_threshold(&entry, false), Ok)?;
    let threshold = BinaryThreshold::clamped(threshold);
    let mut sums = vec![Sums::default(); args.shares.len()];
    for path in &args.slides {
        let slide = open_slide(path)?;
        let bench = Bench { slide: &slide, path, entry: &entry, args, session };
        let full = bench.run(None)?;
        for (percent, sums) in args.shares.iter().zip(&mut sums) {
            sums.add(&full, &bench.run(Some(percent / 100.0))?, threshold);
        }
    }
    session.progress.clear();
    let rows: Vec<(f64, Sums)> = args.shares.iter().copied().zip(sums).collect();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(as_json).collect();
        return answer_json(&json!({ "slides": args.slides.len(), "shares": rows }));
    }
    answer("| patches looked at | lesion area found | time | of the full run's |")?;
    answer("|---|---|---|---|")?;
    rows.iter().try_for_each(|row| answer(&in_words(row)))
}

/// What is run again and again.
struct Bench<'a> {
    slide: &'a Slide,
    path: &'a Path,
    entry: &'a ModelEntry,
    args: &'a PreselectArgs,
    session: &'a Session,
}

impl Bench<'_> {
    /// One run, of which the loading of the model is no part of the time. Where nothing is chosen, nothing is found.
    fn run(&self, preselect: Option<f64>) -> Result<Run, Failure> {
        let settings = AnalysisSettings {
            device: self.args.device.into(),
            preselect,
            ..AnalysisSettings::default()
        };
        let Session { cancel, progress } = self.session;
        let started = Instant::now();
        let analysis = analyze(self.slide, self.entry, &settings, progress, cancel);
        let took = started.elapsed();
        let analysis = match analysis {
            Ok(analysis) => analysis,
            Err(error @ AnalyzeError::Cancelled(_)) => return Err(Failure::new(&error)),
            Err(error) => return Err(Failure::at(self.path)(&error)),
        };
        let loading = analysis.timings.iter().find(|(name, _)| *name == "Loading the model");
        let took = took.saturating_sub(loading.map_or(Duration::ZERO, |(_, it)| *it));
        Ok(Run { heatmap: analysis.heatmap, took })
    }
}

impl Sums {
    fn add(&mut self, full: &Run, part: &Run, threshold: BinaryThreshold) {
        let whole = BinaryMask::cut(&full.heatmap, threshold);
        let found = BinaryMask::cut(&part.heatmap, threshold);
        let pairs = whole.bits().iter().zip(found.bits());
        self.lesion += whole.count();
        self.found += pairs.filter(|(whole, found)| **whole && **found).count();
        self.full += full.took;
        self.took += part.took;
    }

    /// Share of the lesion that was found; `None` where there is none.
    fn area(&self) -> Option<f64> {
        (0 < self.lesion).then(|| self.found as f64 / self.lesion as f64)
    }

    fn time(&self) -> f64 {
        self.took.as_secs_f64() / self.full.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn as_json((percent, sums): &(f64, Sums)) -> Value {
    json!({
        "percent": percent,
        "area_share": sums.area(),
        "seconds": sums.took.as_secs_f64(),
        "time_share": sums.time(),
    })
}

fn in_words((percent, sums): &(f64, Sums)) -> String {
    let area = sums.area().map_or("no lesion".to_owned(), |it| format!("{:.1} %", 100.0 * it));
    let (took, time) = (sums.took.as_secs_f64(), 100.0 * sums.time());
    format!("| {percent:.0} % | {area} | {took:.1} s | {time:.0} % |")
}
