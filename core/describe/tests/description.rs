//! Whole descriptions of small sets: what is in them, and what odd sets give.

use std::collections::BTreeSet;

use serde_json::Value;
use xbench_data::{DataSet, Masks, Origin, Split, Values};
use xbench_describe::embed::Method;
use xbench_describe::{Options, describe, tables};

fn images(pixels: &[[u8; 4]], labels: &[u16]) -> Split {
    Split {
        shape: vec![1, 2, 2],
        values: Values::Pixels(pixels.concat()),
        labels: labels.to_vec(),
        ..Split::default()
    }
}

fn table(rows: &[[f32; 2]], labels: &[u16]) -> Split {
    Split {
        shape: vec![2],
        values: Values::Features(rows.concat()),
        labels: labels.to_vec(),
        ..Split::default()
    }
}

fn set(train: Split, test: Split, classes: usize) -> DataSet {
    DataSet {
        id: "small".to_owned(),
        version: 1,
        classes: (0..classes).map(|i| format!("class {i}")).collect(),
        features: Vec::new(),
        shape: train.shape.clone(),
        train,
        validation: Split::default(),
        test,
        photos: Split::default(),
        content_hash: [7; 32],
        origin: Origin::Generated,
        notes: vec!["a note of its own".to_owned()],
    }
}

/// Twelve images of two classes with partial masks, the last test image a copy.
fn small_images() -> DataSet {
    let pixel = |i: usize| [i as u8, (i * 3) as u8, 0, 200];
    let all: Vec<[u8; 4]> = (0..12).map(pixel).collect();
    let mut train = images(&all, &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    train.masks = Masks::Partial {
        masks: (0..48).map(|i| u8::from(i % 4 == 0 && i < 40)).collect(),
        present: (0..12).map(|i| i != 3).collect(),
    };
    train.names = (0..12).map(|i| format!("{i}.png")).collect();
    set(
        train,
        images(&[pixel(90), pixel(5), pixel(5)], &[0, 1, 0]),
        2,
    )
}

fn small_table() -> DataSet {
    let rows: Vec<[f32; 2]> = (0..30).map(|i| [i as f32, (i * i % 7) as f32]).collect();
    let labels: Vec<u16> = (0..30).map(|i| i % 3).collect();
    let mut set = set(table(&rows, &labels), table(&[[0.0, 0.0]], &[2]), 3);
    set.features = vec!["first".to_owned(), "second".to_owned()];
    set
}

/// Every key of a document, as a path; list places are `[]`.
fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                keys(value, &format!("{at}.{key}"), found);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter().for_each(|v| keys(v, &format!("{at}[]"), found));
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

fn json_keys(set: &DataSet) -> String {
    let description = describe(set, &Options::default(), &|_| {});
    let mut found = BTreeSet::new();
    keys(&serde_json::to_value(&description).unwrap(), "", &mut found);
    Vec::from_iter(found).join("\n")
}

#[test]
fn json_keys_of_images() {
    insta::assert_snapshot!(json_keys(&small_images()));
}

#[test]
fn json_keys_of_a_table() {
    insta::assert_snapshot!(json_keys(&small_table()));
}

#[test]
fn csv_files_of_both_kinds() {
    let names = |set: &DataSet| -> Vec<String> {
        let files = tables(&describe(set, &Options::default(), &|_| {}));
        let heading = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let list = files.iter();
        list.map(|file| format!("{}: {}", file.name, heading(&file.text)))
            .collect()
    };
    insta::assert_snapshot!("csv_of_images", names(&small_images()).join("\n"));
    insta::assert_snapshot!("csv_of_a_table", names(&small_table()).join("\n"));
}

#[test]
fn masks_and_copies_by_hand() {
    let description = describe(&small_images(), &Options::default(), &|_| {});
    let masks = description.masks.unwrap();
    let train = |class: usize| {
        let mut rows = masks.rows.iter();
        rows.find(|row| row.class == class && row.split == "train")
            .unwrap()
    };
    // Images 10 (class 0) and 11 (class 1) have empty masks, image 3 has none.
    let (zero, one) = (train(0), train(1));
    assert_eq!((zero.images, zero.with_mask, zero.empty), (6, 6, 1));
    assert_eq!((one.images, one.with_mask, one.empty), (6, 5, 1));
    assert!((zero.share.unwrap().mean - 5.0 / 24.0).abs() < 1e-15);
    assert_eq!(one.share.unwrap().median, 0.25);

    let leakage = description.leakage;
    assert!(leakage.near.is_some());
    assert_eq!(leakage.across.len(), 2);
    let first = &leakage.across[0];
    assert_eq!((first.copy.split.as_str(), first.copy.row), ("test", 1));
    assert_eq!(
        (first.original.name.as_str(), first.original.row),
        ("5.png", 5)
    );
    assert!(first.same_label && !leakage.across[1].same_label);
    assert_eq!(leakage.within.len(), 1);
    assert_eq!(
        (leakage.within[0].copy.row, leakage.within[0].original.row),
        (2, 1)
    );

    let images = description.images.unwrap();
    assert_eq!(images.means_of, "train");
    // Class 0 has images 0, 2, ... 10: mean of the first pixel 5, of the second 15.
    let mean = images.means[0].as_ref().unwrap();
    assert_eq!(mean[..], [5.0 / 255.0, 15.0 / 255.0, 0.0, 200.0 / 255.0]);
    assert_eq!(description.notes[0], "a note of its own");
}

#[test]
fn a_table_row_that_leaks_is_found() {
    let description = describe(&small_table(), &Options::default(), &|_| {});
    assert_eq!(description.leakage.across.len(), 1);
    assert!(description.leakage.near.is_none());
    assert!(!description.leakage.across[0].same_label);
    let table = description.table.unwrap();
    assert_eq!(table.columns[0].name, "first");
    assert_eq!(table.columns[0].count, 31);
    assert!(description.images.is_none() && description.samples.is_empty());
}

#[test]
fn odd_sets_give_notes_not_failures() {
    let options = Options::default();
    let none = set(images(&[], &[]), images(&[], &[]), 2);
    let description = describe(&none, &options, &|_| {});
    assert!(description.splits.is_empty() && description.images.is_none());
    assert!(
        description
            .notes
            .iter()
            .any(|n| n.contains("no split has a row"))
    );
    assert!(!tables(&description).is_empty());

    // One class, one row, a test split alone.
    let one = set(images(&[], &[]), images(&[[1, 2, 3, 4]], &[0]), 1);
    let description = describe(&one, &options, &|_| {});
    assert_eq!(description.splits.len(), 1);
    assert!(description.embeddings.is_none());
    assert!(
        description
            .notes
            .iter()
            .any(|n| n.contains("8 rows are the least"))
    );
    let images = description.images.unwrap();
    assert_eq!(images.means_of, "test");
    assert!(images.train_against_test.is_empty());

    // Constant columns have no correlation and no distance.
    let flat = set(table(&[[1.0, 2.0]; 20], &[0; 20]), table(&[], &[]), 1);
    let description = describe(&flat, &options, &|_| {});
    let table = description.table.unwrap();
    assert_eq!(table.pearson, vec![vec![None; 2]; 2]);
    assert!(
        description
            .notes
            .iter()
            .any(|n| n.contains("constant columns"))
    );
    assert!(
        description
            .notes
            .iter()
            .any(|n| n.contains("no numeric values"))
    );
    assert_eq!(description.leakage.within.len(), 19);
}

#[test]
fn fewer_rows_than_neighbours_are_embedded() {
    let options = Options {
        rows: 9,
        ..Options::default()
    };
    let description = describe(&small_table(), &options, &|_| {});
    let embeddings = description.embeddings.as_ref().unwrap();
    assert_eq!((embeddings.rows.len(), embeddings.layouts.len()), (9, 2));
    let umap = description.layout(Method::Umap).unwrap();
    assert_eq!(umap.points.len(), 9);
    assert_eq!(umap.trust.neighbours, 4);
    let per_class = |c: usize| embeddings.rows.iter().filter(|row| row.class == c).count();
    assert_eq!([0, 1, 2].map(per_class), [3, 3, 3]);
}

#[test]
fn the_same_seed_gives_the_same_bits_for_any_number_of_threads() {
    let run = |threads: usize, seed: u64| {
        let options = Options {
            rows: 20,
            seed,
            ..Options::default()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        let description = pool.install(|| describe(&small_table(), &options, &|_| {}));
        serde_json::to_string(&description).unwrap()
    };
    let first = run(1, 5);
    assert_eq!(first, run(4, 5));
    assert_ne!(first, run(1, 6));
}
