//! A small set's description as text and pictures.

use xbench_data::{DataSet, Masks, Origin, Split, Values};
use xbench_describe::{Description, Options, describe};
use xbench_report::{Style, describe_pictures, describe_text};

fn set(train: Split, test: Split) -> DataSet {
    DataSet {
        id: "small".to_owned(),
        version: 1,
        classes: vec!["plain".to_owned(), "striped, mostly".to_owned()],
        features: vec!["width".to_owned(), "height".to_owned(), "flat".to_owned()],
        shape: train.shape.clone(),
        train,
        validation: Split::default(),
        test,
        photos: Split::default(),
        content_hash: [0xab; 32],
        origin: Origin::Generated,
        notes: vec!["3 images were scaled".to_owned()],
    }
}

fn images(n: usize) -> Split {
    let pixel = |i: usize| if i % 5 < 2 { 0 } else { (i * i % 251) as u8 };
    Split {
        shape: vec![1, 4, 4],
        values: Values::Pixels((0..n * 16).map(pixel).collect()),
        labels: (0..n).map(|i| (i % 2) as u16).collect(),
        masks: Masks::Rule,
        ..Split::default()
    }
}

fn table(n: usize) -> Split {
    let row = |i: usize| [i as f32 / 4.0, (2 * i + i % 3) as f32, 7.0];
    Split {
        shape: vec![3],
        values: Values::Features((0..n).flat_map(row).collect()),
        labels: (0..n).map(|i| (i % 2) as u16).collect(),
        names: (0..n).map(|i| format!("line {}", i + 2)).collect(),
        ..Split::default()
    }
}

/// Embeddings are left out of texts: their last digits are the machine's.
fn described(set: &DataSet, embeddings: bool) -> Description {
    let mut options = Options::default();
    if !embeddings {
        options.embeddings.clear();
    }
    describe(set, &options, &|_| {})
}

#[test]
fn text_of_images() {
    let description = described(&set(images(12), images(5)), false);
    insta::assert_snapshot!(describe_text(&description, &Style::plain(100)));
}

#[test]
fn text_of_a_table() {
    let description = described(&set(table(20), table(3)), false);
    insta::assert_snapshot!(describe_text(&description, &Style::plain(100)));
}

#[test]
fn pictures_of_both_kinds() {
    let names = |set: &DataSet| -> Vec<&str> {
        let pictures = describe_pictures(&described(set, true)).unwrap();
        let drawn = |image: &image::RgbImage| image.pixels().any(|p| p.0 != [255; 3]);
        assert!(pictures.iter().all(|picture| drawn(&picture.image)));
        pictures.iter().map(|picture| picture.name).collect()
    };
    assert_eq!(
        names(&set(images(12), images(5))),
        ["classes", "samples", "means", "tsne", "umap"]
    );
    assert_eq!(
        names(&set(table(20), table(3))),
        [
            "classes",
            "distributions",
            "pearson",
            "spearman",
            "tsne",
            "umap"
        ]
    );
}

#[test]
fn an_empty_set_has_text_and_no_picture() {
    let description = described(&set(images(0), images(0)), true);
    assert!(describe_pictures(&description).unwrap().is_empty());
    let text = describe_text(&description, &Style::plain(80));
    assert!(text.contains("no split has a row"), "{text}");
}
