//! A reviewer's process is killed at random moments of editing and exporting: what it had told is on the
//! disk, and no file bears its final name half-written. `SLIDELIGHT_KILLS=60` for more than a few kills.
#![expect(clippy::unwrap_used, reason = "a test and the process it kills")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use domain::annotation::{Annotation, AnnotationClass, Shape};
use domain::contour::Polygon;
use domain::coords::{Level0Px, PixelSize};
use domain::id::SlideId;
use domain::progress::CancelToken;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use review::journal::{Access, FORMAT, Header, Journal, Keeper, Opened, Places};
use review::{Deed, Edit, Entry, Moment, change};
use slide::export::{AnnotationSheet, ExportFormat, SlideFacts, write_annotations};

/// Names the folder that the killed process works in; without it that test does nothing.
const FOLDER: &str = "SLIDELIGHT_KILL_FOLDER";

/// What the issue allows to be lost.
const LOSS_MAX: Duration = Duration::from_secs(2);

const FORMATS: [ExportFormat; 3] =
    [ExportFormat::GeoJson, ExportFormat::Coco, ExportFormat::LesionCsv];

fn facts() -> SlideFacts {
    let size = PixelSize { width: 40_000, height: 30_000 };
    SlideFacts { id: SlideId("5eed".to_owned()), size, mpp: None, bounds: None }
}

fn open(folder: &Path) -> Opened {
    let SlideFacts { id, size, mpp, .. } = facts();
    let places = Places::of(&folder.join("a.svs"), &id, None);
    let software = "test".to_owned();
    let header = Header { slidelight_journal: FORMAT, slide: id, size, mpp, software };
    // The lock of a killed process goes with it, at latest when the system has cleaned up.
    Journal::open(&places, header).unwrap()
}

/// The `n`-th annotation, which is named so.
fn annotation(n: usize) -> Annotation {
    let (x, y) = ((n % 100 * 40) as f64, (n / 100 * 40) as f64);
    let corners = [(0.0, 0.0), (30.0, 0.0), (30.0, 30.0), (0.0, 30.0)];
    let outer = corners.map(|(right, down)| Level0Px { x: x + right, y: y + down }).to_vec();
    let shape = Shape::Area(vec![Polygon { outer, holes: Vec::new() }]);
    let class = AnnotationClass::first_ones().remove(0);
    Annotation { name: n.to_string(), ..change::drawn(shape, class) }
}

/// Adds annotations and exports them until it is killed, and tells of each that it handed over.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let Opened { mut review, access: Access::Write(journal), .. } = open(folder) else {
        panic!("the journal is locked");
    };
    let keeper = Keeper::start(journal).unwrap();
    let first = review.annotations().len();
    let mut take = |did: Deed| {
        let entry = Entry::now("ada", did);
        review.take(&entry).unwrap();
        keeper.keep(entry);
        review.annotations().to_vec()
    };
    let mut random = ChaCha8Rng::seed_from_u64(Moment::now().0);
    for n in first.. {
        let mut annotations = take(Deed::Step(vec![Edit::add(annotation(n))]));
        if random.random_bool(0.2) {
            take(Deed::Undone);
            annotations = take(Deed::Redone);
        }
        println!("told {n}");
        std::io::stdout().flush().unwrap();
        std::thread::sleep(Duration::from_millis(random.random_range(0..15)));
        if random.random_bool(0.2) {
            let sheet = AnnotationSheet::new(facts(), &annotations);
            let watch = (&() as &dyn domain::progress::Progress, &CancelToken::default());
            write_annotations(&sheet, folder, "out", &FORMATS, watch).unwrap();
        }
    }
}

/// What the journal holds now, whoever has it open.
fn open_names(folder: &Path) -> Vec<usize> {
    open(folder).review.annotations().iter().map(|it| it.name.parse().unwrap()).collect()
}

fn start(folder: &Path) -> (Child, Receiver<(Instant, usize)>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, told) = channel();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::Builder::new()
        .spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, n)) = line.split_once("told ") {
                    tell.send((Instant::now(), n.trim().parse().unwrap())).ok();
                }
            }
        })
        .unwrap();
    (child, told)
}

fn exports_are_whole(folder: &Path) -> usize {
    let mut n_files = 0;
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = file.file_name().into_string().unwrap();
        if !name.starts_with("out.") {
            continue;
        }
        n_files += 1;
        let text = std::fs::read_to_string(file.path()).unwrap();
        if name.ends_with("json") {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        } else {
            assert!(text.ends_with('\n'), "{name} is cut short");
        }
    }
    n_files
}

#[test]
fn a_kill_at_any_moment_loses_nothing_older_than_two_seconds() {
    let n_kills = std::env::var("SLIDELIGHT_KILLS").ok().and_then(|it| it.parse().ok());
    let n_kills: usize = n_kills.unwrap_or(3);
    let mut random = ChaCha8Rng::seed_from_u64(Moment::now().0);
    let (mut n_told, mut n_torn, mut n_files, mut most_lost) = (0, 0, 0, 0);
    let mut folder = tempfile::tempdir().unwrap();
    for round in 0..n_kills {
        if round % 5 == 0 {
            folder = tempfile::tempdir().unwrap();
        }
        let (mut child, told) = start(folder.path());
        std::thread::sleep(Duration::from_millis(random.random_range(300..4000)));
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        let told: Vec<_> = told.iter().collect();
        n_torn += usize::from(open(folder.path()).was_torn);
        let kept = open_names(folder.path());
        assert_eq!(kept, (0..kept.len()).collect::<Vec<_>>(), "in order and without a gap");
        for (when, n) in &told {
            let age = killed.saturating_duration_since(*when);
            assert!(*n < kept.len() || age < LOSS_MAX, "annotation {n} is lost after {age:?}");
        }
        n_told += told.len();
        most_lost = most_lost.max(told.iter().filter(|(_, n)| kept.len() <= *n).count());
        n_files += exports_are_whole(folder.path());
    }
    assert!(0 < n_told, "nothing was edited");
    println!(
        "{n_kills} kills: {n_told} steps told, at most {most_lost} of a kill lost, \
         {n_torn} torn last lines, {n_files} exported files whole"
    );
}
