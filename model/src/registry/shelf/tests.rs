use super::super::manifest::tests::example;
use super::*;

fn run(weights: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let manifest = serde_json::to_string(&example()).unwrap();
    std::fs::write(dir.path().join("manifest.json"), manifest).unwrap();
    std::fs::write(dir.path().join("weights.safetensors"), weights).unwrap();
    std::fs::write(dir.path().join("patients.txt"), b"not for others").unwrap();
    dir
}

fn shelf() -> (tempfile::TempDir, Shelf) {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf { folder: dir.path().to_owned(), shipped: vec!["shipped".to_owned()] };
    (dir, shelf)
}

fn named(name: &str) -> InstallNote {
    InstallNote { name: name.to_owned(), ..InstallNote::default() }
}

fn replacing(name: &str) -> InstallNote {
    InstallNote { replaces: true, ..named(name) }
}

fn weights(entry: &ModelEntry) -> Vec<u8> {
    std::fs::read(entry.dir.join("weights.safetensors")).unwrap()
}

fn files(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<String> = names.map(|it| it.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_listed_under_its_new_name_with_note_and_t() {
    let (run, (models, shelf)) = (run(b"w"), shelf());
    let note = InstallNote {
        trained_on: "colon".to_owned(),
        note: "second try".to_owned(),
        threshold: Some((0.37, "best mIoU on 8 validation images".to_owned())),
        figures: [("youden_threshold".to_owned(), 0.3)].into(),
        ..named("mine")
    };
    let entry = shelf.install(run.path(), &note).unwrap();
    let manifest = &entry.manifest;
    assert_eq!(
        (&*manifest.name, &*manifest.title, &*manifest.trained_on, &*manifest.note),
        ("mine", "mine", "colon", "second try")
    );
    assert_eq!(manifest.recommended_threshold, 0.37);
    assert!(manifest.threshold_note.starts_with("best mIoU"));
    assert_eq!(manifest.youden_threshold(), Some(0.3));
    assert_eq!(weights(&entry), b"w");
    assert_eq!(files(&entry.dir), ["manifest.json", "weights.safetensors"]);
    assert_eq!(files(models.path()), ["mine"], "nothing half written");
}

#[test]
fn a_name_that_is_taken_or_none_is_refused() {
    let (run, (_models, shelf)) = (run(b"w"), shelf());
    let install = |note: &InstallNote| shelf.install(run.path(), note).unwrap_err().to_string();
    shelf.install(run.path(), &named("mine")).unwrap();
    assert!(install(&named("mine")).contains("`mine` already"));
    for name in ["", " ", "../up", ".hidden", "two words"] {
        assert!(install(&replacing(name)).contains("expected a name"), "{name}");
    }
    assert!(install(&replacing("shipped")).contains("came with the program"));
    let beyond = InstallNote { threshold: Some((1.5, String::new())), ..named("other") };
    assert!(install(&beyond).contains("t must lie in 0 to 1"));
}

#[test]
fn what_was_replaced_can_come_back_and_go_again() {
    let (_models, shelf) = shelf();
    for version in [b"1", b"2", b"3"] {
        shelf.install(run(version).path(), &replacing("mine")).unwrap();
    }
    let earlier = shelf.kept()["mine"].earlier.clone().unwrap();
    assert_eq!(weights(&earlier), b"2");
    assert_eq!(weights(&shelf.roll_back("mine").unwrap()), b"2");
    assert_eq!(weights(&shelf.roll_back("mine").unwrap()), b"3");
    assert_eq!(shelf.kept().len(), 1);
    let error = shelf.roll_back("shipped").unwrap_err().to_string();
    assert!(error.contains("came with the program"), "{error}");
}

#[test]
fn a_first_version_has_none_before_it() {
    let (_models, shelf) = shelf();
    shelf.install(run(b"1").path(), &named("mine")).unwrap();
    assert!(shelf.kept()["mine"].earlier.is_none());
    let error = shelf.roll_back("mine").unwrap_err().to_string();
    assert!(error.contains("no version of `mine` before"), "{error}");
}

#[test]
fn a_replacement_that_was_broken_off_is_undone() {
    let (models, shelf) = shelf();
    shelf.install(run(b"1").path(), &named("mine")).unwrap();
    shelf.set_aside(&models.path().join("mine"), "mine").unwrap();
    assert!(shelf.kept()["mine"].earlier.is_none());
    assert_eq!(weights(&ModelEntry::open(&models.path().join("mine")).unwrap()), b"1");
}

#[test]
fn a_deleted_model_goes_with_its_version_before_and_shipped_ones_stay() {
    let (models, shelf) = shelf();
    for version in [b"1", b"2"] {
        shelf.install(run(version).path(), &replacing("mine")).unwrap();
    }
    shelf.delete("mine").unwrap();
    assert!(shelf.kept().is_empty());
    assert_eq!(files(models.path()), [".earlier"]);
    assert!(shelf.delete("mine").unwrap_err().to_string().contains("no model `mine` of yours"));
    assert!(shelf.delete("shipped").unwrap_err().to_string().contains("stays as it is"));
}

#[test]
fn an_exported_folder_holds_the_model_and_nothing_else() {
    let (run, out) = (run(b"w"), tempfile::tempdir().unwrap());
    let entry = ModelEntry::open(run.path()).unwrap();
    let dir = export(&entry, out.path()).unwrap();
    assert_eq!(files(&dir), ["manifest.json", "weights.safetensors"]);
    assert_eq!(files(out.path()), ["example"]);
    assert!(export(&entry, out.path()).unwrap_err().to_string().contains("`example` already"));
}

#[test]
fn a_folder_that_is_no_whole_model_is_not_imported() {
    let (run, (models, shelf)) = (run(b"w"), shelf());
    let error = shelf.import(run.path(), &InstallNote::default()).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
    assert!(files(models.path()).is_empty());
}
