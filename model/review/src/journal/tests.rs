use super::*;
use crate::change::samples::{annotation, square};
use crate::journal::{FORMAT, Keeper, Standing};
use crate::{Edit, ReviewStatus};
use domain::coords::PixelSize;
use domain::id::SlideId;
use domain::mask::BinaryThreshold;
use tempfile::TempDir;

fn header(slide: &str) -> Header {
    Header {
        slidelight_journal: FORMAT,
        slide: SlideId(slide.to_owned()),
        size: PixelSize { width: 1000, height: 500 },
        mpp: None,
        software: "0.1.0".to_owned(),
    }
}

fn places(folder: &TempDir) -> Places {
    let own = folder.path().join("own");
    Places::of(&folder.path().join("a.svs"), &SlideId("x".to_owned()), Some(&own))
}

fn open(folder: &TempDir) -> Opened {
    Journal::open(&places(folder), header("x")).unwrap()
}

fn journal(opened: Opened) -> Journal {
    match opened.access {
        Access::Write(journal) => journal,
        Access::Read => panic!("only read"),
    }
}

fn added() -> Entry {
    Entry::now("ada", Deed::Step(vec![Edit::add(annotation(square(0.0, 0.0, 10.0)))]))
}

/// Opens, writes and lets go.
fn write(folder: &TempDir, entries: &[Entry]) {
    let mut journal = journal(open(folder));
    entries.iter().for_each(|entry| journal.append(entry).unwrap());
}

#[test]
fn looking_at_a_slide_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(open(&folder));
    assert_eq!(journal.path(), None);
    drop(journal);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_review_comes_back_with_its_undone_steps() {
    let folder = tempfile::tempdir().unwrap();
    let status = Entry::now("ada", Deed::Status(ReviewStatus::Reviewed));
    let threshold = BinaryThreshold::clamped(0.3);
    let cut = Entry::now("ada", Deed::Threshold { layer: "Heatmap".to_owned(), threshold });
    let undone = Entry::now("ada", Deed::Undone);
    write(&folder, &[added(), added(), undone, status, cut]);
    let opened = open(&folder);
    assert_eq!(opened.review.annotations().len(), 1);
    assert!(opened.review.can_redo());
    assert_eq!(opened.review.status(), ReviewStatus::Reviewed);
    assert_eq!(opened.review.thresholds()["Heatmap"], threshold);
    assert_eq!(opened.review.changes()[0].by, "ada");
    assert!(opened.has_crashed && !opened.was_torn, "nobody said it was closed");
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &[added(), added()]);
    let path = places(&folder).beside;
    let whole = std::fs::read(&path).unwrap();
    for n_lost in [1, 2, 40] {
        std::fs::write(&path, &whole[..whole.len() - n_lost]).unwrap();
        let opened = open(&folder);
        assert!(opened.was_torn);
        assert_eq!(opened.review.annotations().len(), 1);
        journal(opened).append(&added()).unwrap();
        let opened = open(&folder);
        assert!(!opened.was_torn);
        assert_eq!(opened.review.annotations().len(), 2);
    }
    let zeros = [whole.as_slice(), &[0; 64]].concat();
    std::fs::write(&path, zeros).unwrap();
    assert_eq!(open(&folder).review.annotations().len(), 2);
}

#[test]
fn damage_in_the_middle_is_named_and_the_file_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &[added(), added()]);
    let path = places(&folder).beside;
    let mut bytes = std::fs::read(&path).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second + 3] = b'#';
    std::fs::write(&path, &bytes).unwrap();
    let refused = Journal::open(&places(&folder), header("x"));
    assert!(matches!(refused, Err(JournalError::Line { line: 2, .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn the_journal_of_another_slide_or_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &[added()]);
    let other = Journal::open(&places(&folder), header("y"));
    assert!(matches!(other, Err(JournalError::OtherSlide { .. })));
    let path = places(&folder).beside;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("journal\":1", "journal\":2")).unwrap();
    let later = Journal::open(&places(&folder), header("x"));
    assert!(matches!(later, Err(JournalError::Header(_))));
}

#[test]
fn a_second_window_reads_what_the_first_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = journal(open(&folder));
    let mut second = journal(open(&folder));
    first.append(&added()).unwrap();
    let late = second.append(&added());
    assert!(matches!(late, Err(JournalError::BegunElsewhere)), "{late:?}");
    let third = open(&folder);
    assert!(matches!(third.access, Access::Read) && !third.has_crashed);
    assert_eq!(third.review.annotations().len(), 1);
    drop(first);
    assert!(matches!(open(&folder).access, Access::Write(_)));
}

#[cfg(unix)]
fn set_writable(path: &Path, is_writable: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_folder = path.is_dir();
    let mode = match (is_folder, is_writable) {
        (true, true) => 0o755,
        (true, false) => 0o555,
        (false, true) => 0o644,
        (false, false) => 0o444,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_that_takes_no_files_leaves_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let slides = folder.path().join("slides");
    std::fs::create_dir(&slides).unwrap();
    let own = folder.path().join("own");
    let places = Places::of(&slides.join("a.svs"), &SlideId("x".to_owned()), Some(&own));
    let opened = |places: &Places| Journal::open(places, header("x")).unwrap();
    journal(opened(&places)).append(&added()).unwrap();
    set_writable(&places.beside, false);
    set_writable(&slides, false);
    if std::fs::write(slides.join("probe"), "").is_ok() {
        println!("SKIPPED: permissions do not bind this user");
        return;
    }
    let mut inherited = journal(opened(&places));
    inherited.append(&added()).unwrap();
    assert_eq!(inherited.path(), places.own.as_deref());
    drop(inherited);
    assert_eq!(opened(&places).review.annotations().len(), 2, "both are in the user's own");
    set_writable(&slides, true);
}

fn wait_until_kept(keeper: &Keeper) {
    while keeper.standing() != Standing::Kept {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_keeper_writes_in_order_and_says_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(journal(open(&folder))).unwrap();
    (0..50).for_each(|_| keeper.keep(added()));
    keeper.keep(Entry::now("ada", Deed::Undone));
    assert_eq!(keeper.standing(), Standing::Pending);
    wait_until_kept(&keeper);
    keeper.keep(added());
    keeper.close();
    let opened = open(&folder);
    assert_eq!(opened.review.annotations().len(), 50);
    assert!(!opened.has_crashed && !opened.was_torn);
}

#[test]
fn of_a_t_that_moves_the_last_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(journal(open(&folder))).unwrap();
    for hundredths in 0..90_u8 {
        let threshold = BinaryThreshold::clamped(f32::from(hundredths) / 100.0);
        keeper.keep_threshold("ada", "Heatmap", threshold);
    }
    wait_until_kept(&keeper);
    keeper.close();
    let text = std::fs::read_to_string(places(&folder).beside).unwrap();
    assert_eq!(text.matches("threshold").count(), 2, "one entry, which names it twice: {text}");
    assert_eq!(open(&folder).review.thresholds()["Heatmap"], BinaryThreshold::clamped(0.89));
}

#[test]
fn what_cannot_be_written_yet_is_said_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let places = Places { beside: blocked.join("a.slidelight.jsonl"), own: None };
    let header = header("x");
    let journal = Journal { header, places: vec![places.beside], inherited: None, file: None };
    let keeper = Keeper::start(journal).unwrap();
    keeper.keep(added());
    while !matches!(keeper.standing(), Standing::Failing(_)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(&blocked).unwrap();
    wait_until_kept(&keeper);
    keeper.close();
    assert!(blocked.join("a.slidelight.jsonl").exists(), "it is written once there is a place");
}
