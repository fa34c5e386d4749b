//! Fashion-MNIST as found on disk. The tests on the real files look in `$XBENCH_DATA`,
//! else in `../shared/data` beside the workspace, and say so when they find nothing.

use std::path::{Path, PathBuf};

use xbench_data::{
    DataError, Locate, Masks, Origin, Place, Selection, Split, Splits, Values, duplicates, load,
    object_share, select, verify,
};

#[expect(
    clippy::print_stderr,
    reason = "a test that checks nothing must say so"
)]
fn real() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("XBENCH_DATA").map_or(beside, PathBuf::from);
    let found = folder.join("fashion-mnist").is_dir();
    if !found {
        eprintln!("skipped: no fashion-mnist in {}", folder.display());
    }
    found.then_some(folder)
}

fn at(folder: &Path) -> Locate<'static> {
    Locate {
        environment: Some(folder.to_owned()),
        ..Locate::offline()
    }
}

/// Median, mean and variance of the share of pixels above 0, of train, then test, as
/// computed by another program from the official files.
const SHARES: [[f64; 6]; 10] = [
    [
        0.599489796,
        0.594124150,
        0.005745762,
        0.599489796,
        0.594985969,
        0.005972149,
    ],
    [
        0.332908163,
        0.348676871,
        0.004796205,
        0.334183673,
        0.352626276,
        0.005128775,
    ],
    [
        0.646045918,
        0.648718750,
        0.004984733,
        0.645408163,
        0.652030612,
        0.005060764,
    ],
    [
        0.427295918,
        0.427908163,
        0.008696892,
        0.428571429,
        0.433053571,
        0.009001392,
    ],
    [
        0.607142857,
        0.601731080,
        0.005623767,
        0.614795918,
        0.608727041,
        0.005420182,
    ],
    [
        0.315051020,
        0.321141369,
        0.010905590,
        0.316964286,
        0.322024235,
        0.010522896,
    ],
    [
        0.635204082,
        0.629123299,
        0.006231399,
        0.635204082,
        0.627424745,
        0.006966227,
    ],
    [
        0.329081633,
        0.337927509,
        0.002920835,
        0.327806122,
        0.337838010,
        0.002826597,
    ],
    [
        0.586734694,
        0.585614796,
        0.012982208,
        0.589285714,
        0.588728316,
        0.013573365,
    ],
    [
        0.477040816,
        0.484519983,
        0.005694722,
        0.474489796,
        0.483603316,
        0.005679408,
    ],
];

#[test]
fn the_real_files_give_the_published_numbers() {
    let Some(folder) = real() else { return };
    let set = load(&"fashion-mnist".into(), &at(&folder)).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (60_000, 10_000));
    assert_eq!(set.train.class_counts(10), [6_000; 10]);
    assert_eq!(set.test.class_counts(10), [1_000; 10]);
    let origin = Origin::Files {
        folder: folder.join("fashion-mnist"),
        place: Place::Environment,
    };
    assert_eq!(set.origin, origin);

    let (train, test) = (object_share(&set.train, 10), object_share(&set.test, 10));
    for class in 0..10 {
        let (a, b) = (&train[class], &test[class]);
        let found = [a.median, a.mean, a.variance, b.median, b.mean, b.variance];
        for (found, expected) in found.iter().zip(&SHARES[class]) {
            assert!(
                (found - expected).abs() <= 0.5e-9,
                "class {class}: {found} {expected}"
            );
        }
    }
    let mean = |split: &Split| {
        let Values::Pixels(pixels) = &split.values else {
            panic!("images")
        };
        pixels.iter().map(|&p| u64::from(p)).sum::<u64>() as f64 / pixels.len() as f64 / 255.0
    };
    assert!((mean(&set.train) - 0.286041).abs() < 0.5e-6);
    assert!((mean(&set.test) - 0.286849).abs() < 0.5e-6);

    let rows = select(&set.test, 10, &Selection::Balanced(25)).unwrap();
    let mut counts = [0; 10];
    rows.iter()
        .for_each(|&row| counts[set.test.label(row)] += 1);
    assert_eq!(counts, [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]);

    // The closing keeps every lit pixel of real images too.
    for row in rows {
        let mask = set.test.mask(row).unwrap();
        assert!(
            mask.iter()
                .zip(set.test.pixels(row).unwrap())
                .all(|(&inside, &p)| inside || p == 0)
        );
    }
    // No test image is, pixel for pixel, a training image.
    assert_eq!(duplicates(&set), []);
}

#[test]
fn one_split_has_the_content_hash_of_both() {
    let Some(folder) = real() else { return };
    let one = load(
        &"fashion-mnist".into(),
        &Locate {
            splits: Splits::TestOnly,
            ..at(&folder)
        },
    )
    .unwrap();
    assert!(one.train.is_empty());
    assert_eq!(one.test.masks, Masks::Rule);
    assert_eq!(
        one.content_hash,
        xbench_data::content_hash(&"fashion-mnist".into(), &Locate::offline()).unwrap()
    );
    let reports = verify(&"fashion-mnist".into(), &at(&folder)).unwrap();
    assert_eq!(reports.len(), 4);
    assert!(reports.iter().all(|report| report.outcome.is_ok()));
}

#[test]
fn a_copy_with_one_pixel_changed_is_not_official() {
    let Some(folder) = real() else { return };
    let copy = tempfile::tempdir().unwrap();
    for name in ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"] {
        std::fs::copy(
            folder.join("fashion-mnist").join(name),
            copy.path().join(name),
        )
        .unwrap();
    }
    let locate = Locate {
        root: Some(copy.path()),
        splits: Splits::TestOnly,
        ..Locate::offline()
    };
    let set = load(&"fashion-mnist".into(), &locate).unwrap();
    assert!(matches!(
        set.origin,
        Origin::Files {
            place: Place::Root,
            ..
        }
    ));

    // An unpacked file goes before an archive; this one is well formed but altered.
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0, 28, 0, 0, 0, 28];
    let Values::Pixels(pixels) = &set.test.values else {
        panic!("images")
    };
    bytes.extend(pixels);
    bytes[5_000] ^= 1;
    std::fs::write(copy.path().join("t10k-images-idx3-ubyte"), bytes).unwrap();
    // A damaged copy is an error even though a later place holds a good one.
    let locate = Locate {
        environment: Some(folder),
        ..locate
    };
    let error = load(&"fashion-mnist".into(), &locate).unwrap_err();
    assert!(
        matches!(error, DataError::ChecksumMismatch { .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("t10k-images-idx3-ubyte") && text.contains("xbench data fetch"),
        "{text}"
    );
}

#[test]
fn a_set_found_nowhere_names_each_place_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let locate = Locate {
        root: Some(&root),
        environment: Some(folder.path().join("environment")),
        local: Some(folder.path().join("local")),
        cache: Some(folder.path().join("cache")),
        ..Locate::offline()
    };
    let text = load(&"fashion-mnist".into(), &locate)
        .unwrap_err()
        .to_string();
    for place in [
        "root/fashion-mnist",
        "environment/fashion-mnist",
        "local/fashion-mnist",
    ] {
        assert!(text.contains(place), "{text}");
    }
    assert!(
        text.contains("cache/data/fashion-mnist") && text.contains("remedy: "),
        "{text}"
    );
    assert!(text.contains("xbench data fetch fashion-mnist"), "{text}");
}

#[test]
fn an_unknown_set_is_answered_with_the_known_ones() {
    let text = load(&"fashion_mnist".into(), &Locate::offline())
        .unwrap_err()
        .to_string();
    assert!(text.contains("fashion-mnist, garments,"), "{text}");
}
