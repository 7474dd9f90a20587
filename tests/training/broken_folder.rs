//! A folder with twelve different faults: all are said at once, and training goes on without them once that is allowed.

use std::path::Path;

use domain::progress::CancelToken;
use image::{Rgb, RgbImage};
use model::data::Remedy;
use model::data::check::{FolderSurvey, survey};
use model::data::folder::{FolderUse, Split};
use model::device::DeviceChoice;
use model::train::{TrainConfig, TrainControl, TrainError, TrainEvent, TrainJob, train};
use serde_json::json;
use tempfile::TempDir;

use crate::toy::{SIDE, TINY, labelled_folder, picture};

/// What is wrong, and a word that the finding must hold.
const FAULTS: [(&str, &str); 12] = [
    ("an unreadable image", "broken.png: "),
    ("a missing image", "there is no image gone.png"),
    ("an unknown label", "label must be"),
    ("an unknown split", "`holdout`"),
    ("an image smaller than a patch", "small.png: expected at least one patch"),
    ("an image of glass", "glass.png: no tissue was found"),
    ("one image with two labels", "the same image with different labels"),
    ("one image in two splits", "the same image in more than one split"),
    ("a row that is there twice", "02.png is listed more than once"),
    ("a patient in two splits", "patient Q1 is in more than one split"),
    ("a row without a split", "1 of 35 rows have no split"),
    ("a row that is too long", "line 37"),
];

/// The toy folder with a row or two for each fault.
fn broken_folder() -> TempDir {
    let dir = labelled_folder();
    let images = dir.path().join("images");
    let save = |name: &str, image: RgbImage| image.save(images.join(name)).unwrap();
    let white = |side| RgbImage::from_pixel(side, side, Rgb([255, 255, 255]));
    std::fs::write(images.join("broken.png"), b"no picture").unwrap();
    save("small.png", RgbImage::from_pixel(8, 8, Rgb([150, 90, 120])));
    save("glass.png", white(6 * SIDE));
    for (index, name) in [(40, "q0.png"), (41, "q1.png"), (42, "unsplit.png"), (43, "word.png")] {
        save(name, picture(index).0);
    }
    for (index, name) in [(44, "a.png"), (44, "b.png"), (46, "c.png"), (46, "d.png")] {
        save(name, picture(index).0);
    }
    let mut table = std::fs::read_to_string(dir.path().join("labels.csv")).unwrap();
    table += "broken.png,1,R1,train\ngone.png,1,R2,train\nword.png,maybe,R3,train\n\
              q0.png,1,R4,holdout\nsmall.png,0,R5,val\nglass.png,0,R6,train\n\
              a.png,1,R7,train\nb.png,0,R7,train\nc.png,1,R8,train\nd.png,1,R9,val\n\
              02.png,1,P1,train\nq1.png,0,Q1,train,and,more\nq0.png,1,Q1,train\nq1.png,0,Q1,val\n\
              unsplit.png,1,R10,\n";
    std::fs::write(dir.path().join("labels.csv"), table).unwrap();
    dir
}

fn look(dir: &Path) -> FolderSurvey {
    let bag = TrainConfig::from_json(TINY).unwrap().model.bag;
    survey(dir, &bag, &FolderUse::default(), 0, (&(), &CancelToken::default())).unwrap()
}

fn train_on(dir: &Path, leave_out: bool) -> Result<Vec<TrainEvent>, TrainError> {
    let config = TrainConfig::from_json(TINY).unwrap();
    let config =
        config.changed(json!({ "epochs": 1, "folder": { "leave_out": leave_out } })).unwrap();
    let run_dir = dir.join(format!("run-{leave_out}"));
    let job = TrainJob {
        folder: dir,
        run_dir: &run_dir,
        config: Some(config),
        device: DeviceChoice::Cpu,
        resume: false,
        watched: None,
    };
    let mut events = Vec::new();
    let (cancel, pause) = Default::default();
    let control = TrainControl { progress: &(), cancel: &cancel, pause: &pause };
    train(&job, &mut |event| events.push(event.clone()), control)?;
    Ok(events)
}

#[test]
fn twelve_faults_give_twelve_findings_at_once() {
    let dir = broken_folder();
    let found = look(dir.path());
    let left_out: Vec<&str> = found
        .findings
        .iter()
        .filter(|finding| finding.remedy == Remedy::LeaveOut)
        .map(|finding| finding.what.as_str())
        .collect();
    for (fault, words) in FAULTS {
        assert!(left_out.iter().any(|what| what.contains(words)), "{fault}: {left_out:#?}");
    }
    assert_eq!(left_out.len(), FAULTS.len(), "{left_out:#?}");
    assert!(!found.can_train(false) && found.can_train(true) && found.asks_for_consent());
    // The toy's images, one copy in one split, and the first image of the patient in two.
    assert_eq!(found.images.len(), 24 + 1 + 1);
    assert_eq!(found.count(Split::Val, true) + found.count(Split::Val, false), 8);
}

#[test]
fn an_image_that_is_cut_short_is_named_and_one_of_its_halves_is_not_learned_from() {
    let dir = labelled_folder();
    let image = dir.path().join("images/03.png");
    let whole = std::fs::read(&image).unwrap();
    std::fs::write(&image, &whole[..whole.len() / 2]).unwrap();
    let found = look(dir.path());
    let said: Vec<&str> = found.findings.iter().map(|it| it.what.as_str()).collect();
    let words = "03.png: the file is damaged or cut short";
    assert_eq!(said.iter().filter(|it| it.starts_with(words)).count(), 1, "{said:#?}");
    assert!(!found.can_train(false) && found.can_train(true));
}

#[test]
fn training_asks_before_it_leaves_anything_out() {
    let dir = broken_folder();
    let Err(TrainError::Folder(problems)) = train_on(dir.path(), false) else {
        panic!("trained without consent")
    };
    assert_eq!(problems.len(), FAULTS.len(), "{problems:#?}");
    let events = train_on(dir.path(), true).unwrap();
    let is_said = |words: &str| {
        let says =
            |it: &TrainEvent| matches!(it, TrainEvent::Warning { text } if text.contains(words));
        events.iter().any(says)
    };
    assert!(is_said("broken.png") && is_said("the image is left out"));
    let is_begun =
        |it: &TrainEvent| matches!(it, TrainEvent::Started { n_train: 18, n_val: 8, .. });
    assert!(events.iter().any(is_begun), "{events:?}");
}
