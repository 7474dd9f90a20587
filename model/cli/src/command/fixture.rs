//! `fixture`: golden tensors of another implementation against ours.

use model::fixture::{CaseReport, Comparison, Verdict, check};
use serde_json::{Value, json};

use crate::args::FixtureArgs;
use crate::console::{answer, answer_json};
use crate::failure::Failure;

pub(crate) fn run(args: &FixtureArgs) -> Result<(), Failure> {
    let device = args.device.into();
    let reports = check(&args.folder, device).map_err(|error| Failure::at(&args.folder)(&error))?;
    if args.json {
        let mut answer = described(&reports);
        answer["device"] = json!(args.device.name());
        answer_json(&answer)?;
    } else {
        answer(&in_words(&reports))?;
    }
    let failed: Vec<Failure> = reports
        .iter()
        .filter(|report| !report.passes())
        .map(|report| Failure::new(&format!("fixture {} failed", report.name)))
        .collect();
    Failure::of_all(failed).map_or(Ok(()), Err)
}

fn described(reports: &[CaseReport]) -> Value {
    let case = |report: &CaseReport| match &report.verdict {
        Verdict::Checked { comparisons, unread } => json!({
            "name": report.name,
            "kind": report.kind,
            "verdict": if report.passes() { "passed" } else { "failed" },
            "comparisons": comparisons.iter().map(compared).collect::<Vec<_>>(),
            "not_compared": unread,
        }),
        Verdict::Skipped => json!({ "name": report.name, "verdict": "skipped" }),
        Verdict::Failed(problem) => {
            json!({ "name": report.name, "kind": report.kind, "verdict": "failed", "error": problem })
        }
    };
    json!({ "cases": reports.iter().map(case).collect::<Vec<_>>() })
}

fn compared(comparison: &Comparison) -> Value {
    json!({
        "name": comparison.name,
        "precision": comparison.precision,
        "error": comparison.error,
        "tolerance": comparison.tolerance,
        "passed": comparison.passes(),
    })
}

fn in_words(reports: &[CaseReport]) -> String {
    let mut lines: Vec<String> = reports.iter().flat_map(case_in_words).collect();
    let count = |is: fn(&CaseReport) -> bool| reports.iter().filter(|it| is(it)).count();
    let n_skipped = count(|it| it.verdict == Verdict::Skipped);
    let n_failed = count(|it| !it.passes());
    let n_passed = reports.len() - n_skipped - n_failed;
    lines.push(format!("{n_passed} passed, {n_failed} failed, {n_skipped} skipped"));
    lines.join("\n")
}

fn case_in_words(report: &CaseReport) -> Vec<String> {
    let (name, kind) = (&report.name, report.kind);
    match &report.verdict {
        Verdict::Skipped => vec![format!("SKIPPED {name}: its kind is not implemented")],
        Verdict::Failed(problem) => vec![format!("FAILED {name}: {problem}")],
        Verdict::Checked { comparisons, unread } => {
            let verdict = if report.passes() { "passed" } else { "FAILED" };
            let mut lines = vec![format!("{verdict} {name} ({kind})")];
            lines.extend(comparisons.iter().map(comparison_in_words));
            if !unread.is_empty() {
                lines.push(format!("  not compared: {}", unread.join(", ")));
            }
            lines
        }
    }
}

fn comparison_in_words(it: &Comparison) -> String {
    let Comparison { name, precision, error, tolerance } = it;
    let mark = if it.passes() { "" } else { "  <- too large" };
    format!("  {precision} {error:9.2e} of {tolerance:7.1e}  {name}{mark}")
}
