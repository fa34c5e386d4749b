//! Folders: classes, masks that are missing, names, lists of digests.

use std::path::PathBuf;

use xbench_data::{DataError, Locate, Masks, Origin, Place as Found, Splits, content_hash, load};
use xbench_data::{info, verify};

use crate::support::{IMAGES, Place, grey, halves, png};

#[test]
fn each_sub_folder_is_a_class_in_the_order_of_names() {
    let place = Place::new(IMAGES);
    place.class("b", 10).class("a", 20).class(".hidden", 3);
    place
        .write("a/notes.txt", "text")
        .write("README.md", "text");
    let set = place.load();
    assert_eq!((set.id.as_str(), set.version), ("mine", 1));
    assert_eq!(set.classes, ["a", "b"]);
    assert_eq!(set.shape, [3, 8, 8]);
    assert_eq!(set.train.class_counts(2), [16, 8]);
    assert_eq!(set.validation.class_counts(2), [2, 1]);
    assert_eq!(set.test.class_counts(2), [2, 1]);
    assert_eq!(set.notes, ["1 files with other extensions were left out"]);
    // A row is its file: tone and name agree, and every file is there once.
    let mut names = Vec::new();
    for split in [&set.train, &set.validation, &set.test] {
        assert_eq!(split.masks, Masks::None);
        for row in 0..split.len() {
            let name = &split.names[row];
            let class = &set.classes[split.label(row)];
            let tone = split.pixels(row).unwrap()[0];
            assert_eq!(*name, format!("{class}/{tone}.png"));
            names.push(name.clone());
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 30);
    let origin = Origin::Files {
        folder: place.path().to_owned(),
        place: Found::Description,
    };
    assert_eq!(set.origin, origin);
}

#[test]
fn the_content_hash_is_of_content_and_settings_not_of_places() {
    let hash = |place: &Place, options: &str| place.load_with(options).unwrap().content_hash;
    let place = Place::new(IMAGES);
    place.class("a", 5).class("b", 5);
    let own = hash(&place, "");
    let other = Place::new(&IMAGES.replace("kind", "licence = \"none\"\nkind"));
    other.class("a", 5).class("b", 5);
    assert_eq!(hash(&other, ""), own, "another folder, another licence");
    assert_eq!(hash(&place, "{size: 8, seed: 0}"), own, "the defaults");
    for options in ["{size: 9}", "{seed: 1}", "{fit: pad}", "{colour: grey}"] {
        assert_ne!(hash(&place, options), own, "{options}");
    }
    let test_only = Locate {
        splits: Splits::TestOnly,
        ..Locate::offline()
    };
    let tested = load(&place.set(""), &test_only).unwrap();
    assert_eq!(tested.content_hash, own);
    assert_eq!(
        content_hash(&place.set(""), &Locate::offline()).unwrap(),
        own
    );
    assert!(tested.train.is_empty() && tested.validation.is_empty());
    assert_eq!(tested.test.values, place.load().test.values);
    place.write("b/4.png", png(grey(10, 10, 99)));
    assert_ne!(hash(&place, ""), own, "another file");
}

#[test]
fn options_that_differ_from_the_defaults_stand_in_the_id() {
    let place = Place::new(&format!(
        "{IMAGES}[[images.class]]\nfolder = \"a\"\n[[images.class]]\nfolder = \"b\"\n\
         name = \"B b\"\n[[images.class]]\nfolder = \"c\"\ndefault = false\n"
    ));
    place.class("a", 3).class("b", 3).class("c", 3);
    let id = |options: &str| place.load_with(options).unwrap().id;
    assert_eq!(id("{size: 8, colour: rgb, division: stratified}"), "mine");
    assert_eq!(id("{size: 12, fit: pad}"), "mine_fit-pad_size-12");
    assert_eq!(id("{size: [4, 12]}"), "mine_size-4.12");
    assert_eq!(id("{size: [12, 12]}"), id("{size: 12}"));
    assert_eq!(id("{classes: [a, c]}"), "mine_classes-a.c");
    assert_eq!(id("{classes: [a, b]}"), "mine");
    assert_eq!(id("{seed: 7}"), "mine_seed-7");
    // What is not path-safe is replaced, and told apart by a digest.
    let lossy = id("{classes: [B b, a]}");
    assert!(lossy.starts_with("mine_classes---b.a-"), "{lossy}");
    let known = info(&place.set("{size: 12}"), &Locate::offline()).unwrap();
    assert_eq!(
        (known.id.as_str(), known.shape),
        ("mine_size-12", vec![3, 12, 12])
    );
    assert_eq!((known.classes.len(), known.train), (2, None));
}

#[test]
fn wrong_options_are_answered_with_those_there_are() {
    let place = Place::new(IMAGES);
    place.class("a", 3);
    for (options, needle) in [
        ("{sizes: 8}", "no option \"sizes\""),
        ("{size: 0}", "1 to 4096"),
        ("{size: 5000}", "1 to 4096"),
        ("{size: big}", "size: \"big\" is not"),
        ("{colour: green}", "grey or rgb"),
        ("{fit: round}", "stretch, pad or crop"),
        ("{division: study}", "there are: stratified"),
        ("{seed: -1}", "a whole number"),
        ("{classes: [a]}", "lists none to choose from"),
        ("{features: [a]}", "no option"),
    ] {
        let text = place.refused_with(options);
        assert!(text.contains(needle), "{options}: {text}");
        assert!(text.contains("size (default 8)"), "{text}");
    }
}

const MASKED: &str = "[images.masks]\nfolder = \"masks\"\n";

fn with_class(masks: &str) -> Place {
    let place = Place::new(&format!(
        "{IMAGES}{MASKED}[[images.class]]\nfolder = \"a\"\nmasks = \"{masks}\"\n\
         [[images.class]]\nfolder = \"b\"\nmasks = \"none\"\n"
    ));
    place.class("a", 10).class("b", 10);
    for i in [0, 1, 2, 3, 4, 5, 6, 7] {
        let mask = png(halves(10, 10, [0; 3], [255; 3]));
        place.write(&format!("masks/a/{i}.png"), mask);
    }
    place
}

#[test]
fn masks_that_are_missing_are_an_error_or_partial() {
    with_class("all").refused(&["a/8.png", "it has no mask", "masks = \"some\""]);
    let set = with_class("some").load();
    let mut with = 0;
    for split in [&set.train, &set.validation, &set.test] {
        let Masks::Partial { masks, present } = &split.masks else {
            panic!("{:?}", split.masks)
        };
        assert_eq!(
            (masks.len(), present.len()),
            (64 * split.len(), split.len())
        );
        for (row, &present) in present.iter().enumerate() {
            let listed =
                split.label(row) == 0 && !["a/8.png", "a/9.png"].contains(&&*split.names[row]);
            assert_eq!(present, listed, "{}", split.names[row]);
            let right = split.mask(row).map(|mask| (mask[0], mask[7]));
            assert_eq!(right, listed.then_some((false, true)));
            with += usize::from(listed);
        }
    }
    assert_eq!(with, 8);
    assert_eq!(with_class("none").load().train.masks, Masks::None);
}

#[test]
fn a_mask_without_an_image_is_noted() {
    let place = with_class("some");
    place.write("masks/a/99.png", png(grey(10, 10, 0)));
    let notes = place.load().notes;
    assert_eq!(notes, ["1 masks belong to no image and were left out"]);
}

#[test]
fn empty_and_missing_folders_are_named() {
    let place = Place::new(IMAGES);
    place.refused(&["no sub-folder"]);
    place.class("a", 2);
    std::fs::create_dir(place.path().join("b")).unwrap();
    place.refused(&["/b", "the class \"b\" has no image"]);

    let place = Place::new(&format!("{IMAGES}[[images.class]]\nfolder = \"gone\"\n"));
    place.class("a", 2);
    let error = place.load_with("").unwrap_err();
    assert!(matches!(&error, DataError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("lacks gone"), "{error}");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let place = Place::new(IMAGES);
    place.class("a", 2).write("a/1.JPG", png(grey(9, 9, 1)));
    place.refused(&["a/1.", "same name without its extension"]);
}

#[test]
fn too_few_images_are_told() {
    let place = Place::new(&format!(
        "{IMAGES}[[images.class]]\nfolder = \"a\"\nimages = 3\n"
    ));
    place.class("a", 2);
    place.refused(&["has 2 images, 3 are expected"]);
    let known = info(&place.set(""), &Locate::offline()).unwrap();
    assert_eq!((known.train, known.test), (Some(3), Some(0)));
}

#[test]
fn more_pixels_than_memory_are_refused_before_anything_is_read() {
    let place = Place::new(&IMAGES.replace("size = 8", "size = 4096"));
    for i in 0..200 {
        place.write(&format!("a/{i}.png"), "not read");
    }
    place.refused(&["200 images", "choose a smaller size"]);
}

#[test]
fn a_list_of_digests_is_checked() {
    // FIPS 180-2: not the digest of any of the pictures.
    let wrong = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let place = Place::new(&IMAGES.replace("kind", "sums = \"SUMS\"\nkind"));
    place
        .class("a", 2)
        .write("SUMS", format!("{wrong}  ./a/0.png\n{wrong}  a/1.png\n"));
    place.refused(&["a/0.png", wrong]);
    let reports = verify(&place.set(""), &Locate::offline()).unwrap();
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|report| report.outcome.is_err()));
    place.write("SUMS", format!("{wrong}  b/0.png\n"));
    place.refused(&["a/0.png", "does not stand in SUMS"]);
    place.write("SUMS", "nonsense\n");
    place.refused(&["SUMS", "line 1 is not a digest"]);
}

#[test]
fn a_pin_that_does_not_fit_is_told() {
    let pin = "0".repeat(64);
    let place = Place::new(&format!(
        "{IMAGES}[[images.class]]\nfolder = \"a\"\npin = \"{pin}\"\n"
    ));
    place.class("a", 2);
    place.refused(&["/a is not what was pinned", &pin, "SHA256SUMS"]);
    let reports = verify(&place.set(""), &Locate::offline()).unwrap();
    assert!(reports[0].outcome.is_err());
}

#[test]
fn verify_names_each_damaged_file() {
    let place = Place::new(IMAGES);
    place.class("a", 4).class("b", 2);
    place.write("a/1.png", "bad").write("a/3.png", "bad");
    let reports = verify(&place.set(""), &Locate::offline()).unwrap();
    let found: Vec<_> = reports
        .iter()
        .map(|report| (report.name.as_str(), report.outcome.is_ok()))
        .collect();
    assert_eq!(
        found,
        [
            ("b (2 files)", true),
            ("a/1.png", false),
            ("a/3.png", false)
        ]
    );
}

#[test]
fn a_root_is_looked_at_after_the_folder_named() {
    let description = Place::new(&format!("{IMAGES}[[images.class]]\nfolder = \"a\"\n"));
    let data = Place::new("");
    data.class("mine/a", 3);
    let locate = Locate {
        root: Some(data.path()),
        ..Locate::offline()
    };
    let set = load(&description.set(""), &locate).unwrap();
    let expected = Origin::Files {
        folder: data.path().join("mine"),
        place: Found::Root,
    };
    assert_eq!(set.origin, expected);
    // The description too may lie in the root.
    data.write(
        "set.toml",
        std::fs::read(description.path().join("set.toml")).unwrap(),
    );
    assert_eq!(load(&"set.toml".into(), &locate).unwrap().classes, ["a"]);
}

#[test]
fn an_index_names_files_and_classes() {
    let place = Place::new(&format!(
        "{IMAGES}[images.index]\nfile = \"index.csv\"\npath = \"file\"\nclass = \"kind\"\n\
         [[images.class]]\nfolder = \"0\"\nname = \"zero\"\n[[images.class]]\nfolder = \"1\"\nname = \"one\"\n"
    ));
    place.class("x", 6);
    let index = |rows: &str| place.write("index.csv", format!("file,kind\n{rows}"));
    index("x/0.png,1\nx/1.png,0\nx/2.png,1\nx/3.png,\n");
    let set = place.load();
    assert_eq!(set.classes, ["zero", "one"]);
    let all = [&set.train, &set.validation, &set.test].map(|s| s.class_counts(2));
    assert_eq!(
        all.iter()
            .map(|c| (c[0], c[1]))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (1, 2)
    );
    assert_eq!(
        set.notes[0],
        "1 images without a class in index.csv were left out"
    );
    index("x/0.png,1\nx/1.png,7\n");
    place.refused(&["index.csv:3", "kind", "no class \"7\""]);
    index("x/0.png,1\n./x/0.png,0\n");
    place.refused(&["index.csv:3", "stands in line 2 too"]);
    index("x/0.png,1\nx/gone.png,0\n");
    place.refused(&["x/gone.png", "cannot open"]);
    index("x/0.png,1\n../x/1.png,0\n");
    place.refused(&["index.csv:3", "leaves the folder"]);
    index("x/0.png,1\n/etc/passwd,0\n");
    place.refused(&["index.csv:3", "not relative"]);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_is_an_error() {
    let place = Place::new(IMAGES);
    place.class("a", 2);
    std::os::unix::fs::symlink("loop.png", place.path().join("a/loop.png")).unwrap();
    place.refused(&["cannot open", "a/loop.png"]);
    let folder: PathBuf = place.path().join("b");
    std::os::unix::fs::symlink(&folder, &folder).unwrap();
    // As a class it is no folder; as a picture it still is an error.
    place.refused(&["a/loop.png"]);
}
