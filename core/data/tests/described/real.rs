//! The sets in files, where they are at hand: in `$XBENCH_DATA`, else beside the workspace.

use std::path::{Path, PathBuf};

use xbench_data::{
    DataError, DataSet, Locate, Masks, NEAR_DUPLICATE, Part, SetRef, Splits, content_hash,
    duplicates, load, near_duplicates, verify,
};

#[expect(
    clippy::print_stderr,
    reason = "a test that checks nothing must say so"
)]
fn real(set: &str) -> Option<Locate<'static>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("XBENCH_DATA").map_or(beside, PathBuf::from);
    if !folder.join(set).is_dir() {
        eprintln!("skipped: no {set} in {}", folder.display());
        return None;
    }
    Some(Locate {
        environment: Some(folder),
        ..Locate::offline()
    })
}

fn loaded(set: &str, locate: &Locate<'_>) -> DataSet {
    let set = SetRef::from(set);
    let loaded = load(&set, locate).unwrap();
    // Known without the files.
    assert_eq!(
        content_hash(
            &set,
            &Locate {
                splits: locate.splits,
                ..Locate::offline()
            }
        )
        .unwrap(),
        loaded.content_hash
    );
    loaded
}

#[test]
fn busi_is_read_with_masks_that_fit_the_published_shares() {
    let Some(locate) = real("busi") else { return };
    let set = loaded("busi", &locate);
    assert_eq!(set.train.class_counts(2), [349, 168]);
    assert_eq!(set.validation.class_counts(2), [44, 21]);
    assert_eq!(set.test.class_counts(2), [44, 21]);
    assert!(set.notes.is_empty(), "{:?}", set.notes);
    // Shares of lesion in index.csv, of the full-size masks.
    let index =
        std::fs::read_to_string(locate.environment.as_ref().unwrap().join("busi/index.csv"))
            .unwrap();
    let mut compared = 0;
    for split in [&set.train, &set.validation, &set.test] {
        assert!(matches!(split.masks, Masks::Exact(_)));
        for row in 0..split.len() {
            let name = split.names[row].rsplit('/').next().unwrap();
            let name = name.strip_suffix(".png").unwrap();
            let line = index
                .lines()
                .find(|line| line.split(',').next() == Some(name))
                .unwrap();
            let share: f64 = line.split(',').nth(7).unwrap().parse().unwrap();
            let mask = split.mask(row).unwrap();
            let found = mask.iter().filter(|m| **m).count() as f64 / 4096.0;
            assert!((found - share).abs() < 0.01, "{name}: {found} {share}");
            compared += 1;
        }
    }
    assert_eq!(compared, 647);
}

#[test]
fn busi_with_normal_images_has_partial_masks() {
    let Some(locate) = real("busi") else { return };
    let set = loaded(
        "busi{classes: [benign, malignant, normal], size: 32}",
        &locate,
    );
    assert_eq!(set.id, "busi_classes-benign.malignant.normal_size-32");
    let (mut with, mut normal) = (0, 0);
    for split in [&set.train, &set.validation, &set.test] {
        for row in 0..split.len() {
            let mask = split.mask(row);
            with += usize::from(mask.is_some());
            if split.label(row) == 2 && mask.is_some_and(|mask| !mask.contains(&true)) {
                normal += 1;
            }
        }
    }
    assert_eq!((with, normal), (697, 50));
    // What a class gets does not depend on the others.
    let two = loaded("busi{size: 32}", &locate);
    let of_two = |set: &DataSet| -> Vec<String> {
        let rows = 0..set.test.len();
        let named = rows.filter(|&row| set.test.label(row) < 2);
        named.map(|row| set.test.names[row].clone()).collect()
    };
    assert_eq!(of_two(&set), of_two(&two));
}

#[test]
fn the_studys_lists_leak_27_of_46_images() {
    let Some(locate) = real("busi") else { return };
    let full = loaded("busi{division: study}", &locate);
    assert_eq!((full.train.len(), full.test.len()), (368, 46));
    let leaked = duplicates(&full);
    assert_eq!(leaked.len(), 27);
    assert!(leaked.iter().all(|pair| {
        pair.same_label
            && full.test.names[pair.copy.1] == full.train.names[pair.original.1]
            && (pair.copy.0, pair.original.0) == (Part::Test, Part::Train)
    }));
    let leak = "leak: 27 images stand in both the training and the test split of the lists";
    assert_eq!(full.notes[0], leak);
    // Others are in training under another number.
    let near = near_duplicates(&full, NEAR_DUPLICATE);
    assert!(near.len() > 27 && near.iter().filter(|p| p.similarity == 1.0).count() == 27);

    let part = loaded("busi{division: study-part}", &locate);
    assert_eq!(duplicates(&part), []);
    let Masks::Partial { present, .. } = &part.train.masks else {
        panic!("partial masks")
    };
    let counts = (present.len(), present.iter().filter(|p| **p).count());
    assert_eq!(counts, (368, 92));
}

#[test]
fn flowers_are_read_with_their_segmentations() {
    let Some(locate) = real("flowers17") else {
        return;
    };
    let set = loaded("flowers17", &locate);
    assert_eq!(
        (set.shape.as_slice(), set.classes.len()),
        (&[3, 64, 64][..], 16)
    );
    let len = set.train.len() + set.validation.len() + set.test.len();
    assert_eq!(len, 846);
    assert_eq!(
        set.notes,
        ["846 masks have unlabelled pixels, which count as not object"]
    );
    // 27.4 % of the pixels are flower, says the set's own table.
    let mut lit = 0;
    for split in [&set.train, &set.validation, &set.test] {
        for row in 0..split.len() {
            lit += split.mask(row).unwrap().iter().filter(|m| **m).count();
        }
    }
    let share = lit as f64 / (846.0 * 4096.0);
    assert!((share - 0.274).abs() < 0.002, "{share}");
}

#[test]
fn fetal_health_is_read_whole() {
    let Some(locate) = real("fetal-health") else {
        return;
    };
    let set = loaded("fetal-health", &locate);
    assert_eq!(set.classes, ["normal", "suspect", "pathological"]);
    assert_eq!(
        (set.features.len(), set.features[0].as_str()),
        (21, "baseline value")
    );
    assert_eq!(set.train.class_counts(3), [1324, 236, 141]);
    assert_eq!(set.test.class_counts(3), [331, 59, 35]);
    // Line 2 of the file: 120, 0, 0, 0, 0, 0, 0, 73, 0.5, ...
    let mut row = Vec::new();
    for split in [&set.train, &set.test] {
        if let Some(at) = split.names.iter().position(|name| name == "line 2") {
            split.row_f32(at, &mut row);
            assert_eq!(split.label(at), 1);
        }
    }
    assert_eq!(row[..9], [120.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 73.0, 0.5]);
}

#[test]
fn photographs_are_a_split_of_fashion_mnist() {
    let Some(locate) = real("garment-photos") else {
        return;
    };
    let locate = Locate {
        splits: Splits::PhotosOnly,
        ..locate
    };
    let set = loaded("fashion-mnist", &locate);
    assert_eq!(
        set.photos.class_counts(10),
        [12, 12, 12, 12, 12, 3, 12, 1, 0, 0]
    );
    assert!(set.train.is_empty() && set.test.is_empty());
    assert_eq!(set.photos.masks, Masks::Rule);
    assert!(set.photos.names.iter().all(|name| name.ends_with(".jpg")));
    for row in 0..set.photos.len() {
        let object = set.photos.mask(row).unwrap();
        let share = object.iter().filter(|m| **m).count();
        assert!(
            (40..784).contains(&share),
            "{}: {share}",
            set.photos.names[row]
        );
    }
    let all = content_hash(&"fashion-mnist".into(), &Locate::offline()).unwrap();
    assert_ne!(set.content_hash, all);
    let drawn = load(&"garments".into(), &locate).unwrap_err();
    assert!(drawn.to_string().contains("no photographs"), "{drawn}");
    let alone = Locate {
        splits: Splits::All,
        ..locate
    };
    assert_eq!(loaded("garment-photos", &alone).classes.len(), 7);
}

#[test]
fn verify_finds_real_sets_well() {
    let Some(locate) = real("busi") else { return };
    for set in ["busi", "fetal-health", "flowers17", "garment-photos"] {
        for report in verify(&set.into(), &locate).unwrap() {
            assert!(
                report.outcome.is_ok(),
                "{set} {}: {:?}",
                report.name,
                report.outcome
            );
        }
    }
}

#[test]
fn a_file_that_differs_is_named_by_the_distributions_list() {
    let Some(locate) = real("garment-photos") else {
        return;
    };
    let from = locate.environment.as_ref().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join("garment-photos");
    let mut altered = String::new();
    for entry in std::fs::read_dir(from.join("garment-photos")).unwrap() {
        let entry = entry.unwrap();
        if !entry.path().is_dir() {
            continue;
        }
        let class = entry.file_name().into_string().unwrap();
        std::fs::create_dir_all(folder.join(&class)).unwrap();
        for photo in std::fs::read_dir(entry.path()).unwrap() {
            let photo = photo.unwrap();
            let name = format!("{class}/{}", photo.file_name().into_string().unwrap());
            let mut bytes = std::fs::read(photo.path()).unwrap();
            if altered.is_empty() {
                // A comment behind the first marker: still a picture, but another file.
                bytes.splice(2..2, [0xff, 0xfe, 0, 3, b'x']);
                altered.clone_from(&name);
            }
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let locate = Locate {
        environment: Some(copy.path().to_owned()),
        ..Locate::offline()
    };
    let refused = || {
        let error = load(&"garment-photos".into(), &locate).unwrap_err();
        assert!(
            matches!(error, DataError::ChecksumMismatch { .. }),
            "{error}"
        );
        error.to_string()
    };
    assert!(refused().contains("SHA256SUMS"), "which file is not known");
    std::fs::copy(from.join("SHA256SUMS"), copy.path().join("SHA256SUMS")).unwrap();
    assert!(refused().contains(&altered), "{}", refused());
    std::fs::remove_file(folder.join(&altered)).unwrap();
    let missing = load(&"garment-photos".into(), &locate)
        .unwrap_err()
        .to_string();
    assert!(missing.contains("11 images, 12 are expected"), "{missing}");
}

#[test]
fn what_is_not_found_says_where_it_comes_from() {
    for set in ["busi", "fetal-health", "flowers17", "garment-photos"] {
        let locate = Locate {
            environment: Some("nowhere".into()),
            ..Locate::offline()
        };
        let error = load(&set.into(), &locate).unwrap_err();
        assert!(matches!(&error, DataError::NotFound { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("nowhere/{set}")), "{text}");
        assert!(
            text.contains("cannot be downloaded by this program"),
            "{text}"
        );
    }
    let locate = Locate {
        splits: Splits::PhotosOnly,
        ..Locate::offline()
    };
    let text = load(&"fashion-mnist".into(), &locate)
        .unwrap_err()
        .to_string();
    assert!(text.contains("garment-photos"), "{text}");
}
