//! Tables and IDX files.

use xbench_data::{DataError, Locate, Masks, Splits, Values, load};

use crate::support::Place;

const TABLE: &str = "name = \"mine\"\nkind = \"table\"\n[table]\nfile = \"t.csv\"\nlabel = \"y\"\n";

fn table(extra: &str, csv: impl AsRef<[u8]>) -> Place {
    let place = Place::new(&format!("{TABLE}{extra}[divisions.all]\ntest = 1.0\n"));
    place.write("t.csv", csv);
    place
}

#[test]
fn columns_in_file_order_with_labels_ascending() {
    let set = table("", "a,y,b\n1,10,2.5\n-3e2,9,0\n4, 10 ,1\n").load();
    assert_eq!(
        (&set.shape[..], &set.features[..]),
        (&[2][..], &["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(set.classes, ["9", "10"], "as numbers");
    assert_eq!(
        set.test.values,
        Values::Features(vec![1.0, 2.5, -300.0, 0.0, 4.0, 1.0])
    );
    assert_eq!(set.test.labels, [1, 0, 1]);
    assert_eq!(set.test.names, ["line 2", "line 3", "line 4"]);
    assert_eq!(set.test.masks, Masks::None);
    let words = table("", "a,y\n1,b\n2,a\n").load();
    assert_eq!(words.classes, ["a", "b"]);
}

#[test]
fn byte_order_mark_line_ends_quotes_and_separator() {
    let csv = "\u{feff}\"a, cm\";\"y\"\r\n\"1\";\"x; y\"\r\n 2 ;z\r\n";
    let set = table("separator = \";\"\n", csv).load();
    assert_eq!(set.features, ["a, cm"]);
    assert_eq!(set.classes, ["x; y", "z"]);
    assert_eq!(set.test.values, Values::Features(vec![1.0, 2.0]));
}

#[test]
fn names_values_and_features_come_from_the_description() {
    let extra = "features = [\"b\", \"a\"]\n[[table.class]]\nvalue = \"2\"\nname = \"two\"\n\
                 [[table.class]]\nvalue = \"1\"\nname = \"one\"\n";
    let place = table(extra, "id,a,b,y\nx,1,2,1.0\nz,3,4,2.0\n");
    let set = place.load();
    assert_eq!(
        (&set.features[..], set.classes.clone()),
        (
            &["b".to_owned(), "a".to_owned()][..],
            vec!["two".to_owned(), "one".to_owned()]
        )
    );
    assert_eq!(set.test.values, Values::Features(vec![2.0, 1.0, 4.0, 3.0]));
    assert_eq!(set.test.labels, [1, 0]);
    assert!(set.notes.is_empty());
    let set = place.load_with("{features: [a]}").unwrap();
    assert_eq!(
        (set.id.as_str(), &set.shape[..]),
        ("mine_features-a", &[1][..])
    );
}

#[test]
fn columns_of_text_are_left_out_and_noted() {
    let set = table("", "id,a,y\nx,1,0\nz,2,1\n").load();
    assert_eq!(set.features, ["a"]);
    assert_eq!(
        set.notes,
        ["columns that are not numbers were left out: id"]
    );
}

#[test]
fn cells_that_are_no_numbers_are_named_with_line_and_column() {
    for (cell, needle) in [
        ("x", "\"x\" is not a number"),
        ("1,5", "4 cells where the header has 3"),
        ("NaN", "missing"),
        ("", "missing"),
        ("?", "missing"),
        ("NA", "missing"),
        ("inf", "not finite"),
        ("-Infinity", "not finite"),
        ("1e39", "not finite"),
        ("0x10", "not a number"),
    ] {
        let place = table("", format!("a,b,y\n1,2,0\n3,{cell},1\n"));
        let text = place.refused_with("");
        assert!(
            text.contains("t.csv:3") && text.contains(needle),
            "{cell}: {text}"
        );
        if !needle.contains("cells") {
            assert!(text.contains("column \"b\""), "{text}");
        }
    }
    // A first cell that is missing does not make the column text.
    table("", "a,y\n,0\n1,1\n").refused(&["t.csv:2", "column \"a\"", "missing"]);
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    table("", "a,y\n1,0\n2\n").refused(&["t.csv:3", "1 cells where the header has 2"]);
    table("", "a,a,y\n1,2,0\n").refused(&["t.csv:1", "column \"a\"", "two columns"]);
    table("", "a,b\n1,0\n").refused(&["t.csv:1", "column \"y\"", "there are: a, b"]);
    table("", "a;y\n1;0\n").refused(&["t.csv:1", "separator = \";\" in the section [table]"]);
    let long = format!("a,y\n1,0\n{},1\n", "9".repeat(100_000));
    let text = table("", long).refused_with("");
    assert!(
        text.contains("9…\" is not finite") && text.len() < 1000,
        "{text}"
    );
    table("", "a,y\n").refused(&["t.csv:2", "no row"]);
    table("", "").refused(&["t.csv:1", "no header"]);
    table("", "id,y\nx,0\n").refused(&["t.csv:1", "no feature"]);
    table("", "a,y\n1,0\n2,\n").refused(&["t.csv:3", "column \"y\"", "\"\" is no class"]);
    table("", [b'a', b',', b'y', b'\n', 0xff]).refused(&["t.csv", "byte 4 is not UTF-8"]);
    let classes = "[[table.class]]\nvalue = \"1\"\nname = \"one\"\n[[table.class]]\nvalue = \"2\"\nname = \"two\"\n";
    table(classes, "a,y\n1,1\n1,2\n2,3\n").refused(&["t.csv:4", "\"3\" is no class", "1, 2"]);
    table(classes, "a,y\n1,1\n").refused(&["class \"two\" has 0 rows"]);
    table("features = [\"c\"]\n", "a,y\n1,0\n").refused(&["column \"c\"", "no such column"]);
    table("features = [\"y\"]\n", "a,y\n1,0\n").refused(&["column \"y\"", "is the label"]);
    let pin = "pin = \"00\"\n";
    table(pin, "a,y\n1,0\n").refused(&["t.csv is not what was pinned"]);
    let place = Place::new(TABLE);
    let error = place.load_with("").unwrap_err();
    assert!(matches!(&error, DataError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("lacks t.csv"), "{error}");
}

#[test]
fn a_table_without_a_division_is_cut_80_to_20_within_each_class() {
    let place = Place::new(TABLE);
    let rows: String = (0..100).map(|i| format!("{i},{}\n", i % 4 / 3)).collect();
    place.write("t.csv", format!("a,y\n{rows}"));
    let set = place.load();
    assert_eq!(
        (set.train.class_counts(2), set.test.class_counts(2)),
        (vec![60, 20], vec![15, 5])
    );
    assert!(set.validation.is_empty());
    let other = place.load_with("{seed: 1}").unwrap();
    assert_ne!(set.test.names, other.test.names);
    assert_eq!(other.id, "mine_seed-1");
    assert_ne!(set.content_hash, other.content_hash);
}

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    dimensions
        .iter()
        .for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn idx_place(extra: &str) -> Place {
    let place = Place::new(&format!(
        "name = \"mine\"\nkind = \"idx\"\n[idx]\ntrain_images = \"ti\"\ntrain_labels = \"tl\"\n\
         test_images = \"ei\"\ntest_labels = \"el\"\nclasses = [\"a\", \"b\"]\n{extra}"
    ));
    place.write("ti", idx(&[2, 2, 3], &[0, 1, 2, 3, 4, 5, 9, 9, 9, 9, 9, 9]));
    place.write("tl", idx(&[2], &[1, 2]));
    place.write("ei", idx(&[1, 2, 3], &[7, 0, 0, 0, 0, 0]));
    place.write("el", idx(&[1], &[2]));
    place
}

#[test]
fn idx_files_are_read_turned_and_relabelled() {
    let place = idx_place("first_label = 1\ntransposed = true\nmasks = \"rule\"\n");
    let set = place.load();
    assert_eq!(
        (&set.shape[..], &set.train.labels[..]),
        (&[1, 3, 2][..], &[0, 1][..])
    );
    assert_eq!(set.train.pixels(0).unwrap(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(
        set.test.mask(0).unwrap(),
        [true, false, false, false, false, false]
    );
    let tested = Locate {
        splits: Splits::TestOnly,
        ..Locate::offline()
    };
    let tested = load(&place.set(""), &tested).unwrap();
    assert_eq!(tested.content_hash, set.content_hash);
    assert!(tested.train.is_empty());
}

#[test]
fn idx_files_that_do_not_fit_are_refused() {
    idx_place("").refused(&["el", "label", "below 2"]);
    let place = idx_place("first_label = 1\n");
    place.write("el", idx(&[1], &[0]));
    place.refused(&["el", "below first_label"]);
    place.write("el", idx(&[1], &[1]));
    place.write("ei", idx(&[1, 3, 3], &[0; 9]));
    place.refused(&["ei", "[1, 3, 3]", "[1, 2, 3]"]);
    place.write("ei", idx(&[1, 2, 3], &[0; 5]));
    place.refused(&["ei", "truncated"]);
    std::fs::remove_file(place.path().join("ti")).unwrap();
    place.refused(&["lacks ti"]);
    assert!(place.refused_with("{size: 3}").contains("no option"));
}
