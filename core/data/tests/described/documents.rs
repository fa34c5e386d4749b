//! Descriptions: errors name the line, and the example in the documentation is read.

use xbench_data::{Locate, Masks, known, load};

use crate::support::{IMAGES, Place, grey, halves, png};

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let images = "name = \"mine\"\nkind = \"images\"\n";
    let table = "name = \"mine\"\nkind = \"table\"\n[table]\nfile = \"t.csv\"\nlabel = \"y\"\n";
    let cases: &[(String, &[&str])] = &[
        (format!("{images}colour = 1\n"), &["set.toml:3:", "unknown field `colour`"]),
        (format!("{images}[images]\nsize = 8\nsides = 8\n"), &["set.toml:5:", "unknown field `sides`"]),
        (format!("{images}[images]\nsize = 0\n"), &["set.toml:4:", "images.size", "1 to 4096"]),
        (format!("{images}[images]\nsize = \"big\"\n"), &["set.toml:4:", "a number of pixels"]),
        (format!("{images}[images]\n"), &["set.toml:3:", "missing field `size`"]),
        (format!("{images}[images]\nsize = 8\nfit = \"round\"\n"), &["set.toml:5:", "`stretch`"]),
        (images.to_owned(), &["set.toml:2:", "[images] is missing"]),
        (format!("{images}[images]\nsize = 8\n[table]\nfile = \"t\"\nlabel = \"y\"\n"), &["[table]", "kind is another"]),
        ("name = \"Mine\"\nkind = \"table\"\n".to_owned(), &["set.toml:1:", "\"Mine\" cannot name a set"]),
        ("name = \"../up\"\nkind = \"table\"\n".to_owned(), &["set.toml:1:", "cannot name a set"]),
        ("name = \"mine\"\nkind = \"sound\"\n".to_owned(), &["set.toml:2:", "`images`"]),
        ("name = \"mine\n".to_owned(), &["set.toml:1:"]),
        (IMAGES.replace("mine", "busi"), &["is the name of a built-in set"]),
        (IMAGES.replace("kind", "folder = \"/data\"\nkind"), &["set.toml:2:", "folder", "not relative"]),
        (IMAGES.replace("kind", "folder = \"../data\"\nkind"), &["set.toml:2:", "leaves the folder"]),
        (IMAGES.replace("kind", "sums = \"a/../../b\"\nkind"), &["set.toml:2:", "leaves the folder"]),
        (format!("{IMAGES}folder = \"..\"\n"), &["set.toml:5:", "leaves the folder"]),
        (format!("{IMAGES}[[images.class]]\nfolder = \"../a\"\n"), &["set.toml:5:", "leaves the folder"]),
        (format!("{IMAGES}[[images.class]]\nfolder = \"C:\\\\a\"\n"), &["set.toml:5:", "not relative"]),
        (format!("{IMAGES}[[images.class]]\nfolder = \"a\"\n[[images.class]]\nfolder = \"b\"\nname = \"a\"\n"), &["set.toml:7:", "stands here twice"]),
        (format!("{IMAGES}[images.masks]\n"), &["set.toml:5:", "neither or both"]),
        (format!("{IMAGES}[images.masks]\nfolder = \"../m\"\n"), &["set.toml:5:", "leaves the folder"]),
        (format!("{IMAGES}[images.index]\nfile = \"i.csv\"\npath = \"p\"\nclass = \"c\"\n"), &["set.toml:5:", "no classes"]),
        (format!("{IMAGES}extensions = []\n"), &["set.toml:5:", "extensions"]),
        (IMAGES.replace("kind", "division = \"x\"\nkind"), &["set.toml:2:", "no [divisions.x]"]),
        (format!("{IMAGES}[divisions.x]\ntrain = 0.5\ntest = 0.4\n"), &["set.toml:5:", "do not sum to 1"]),
        (format!("{IMAGES}[divisions.x]\ntrain = -0.5\ntest = 1.5\n"), &["do not sum to 1"]),
        (format!("{IMAGES}[divisions.x]\ntrain = \"most\"\n"), &["set.toml:6:", "a share, as in 0.8"]),
        (format!("{IMAGES}[divisions.x]\ntrain = [\"a\"]\n"), &["not the file they stand in"]),
        (format!("{IMAGES}[divisions.x]\nlists = \"l.csv\"\ntrain = 0.5\n"), &["a share stands where lists"]),
        (format!("{IMAGES}[divisions.x]\nlists = \"../l.csv\"\ntrain = [\"a\"]\n"), &["leaves the folder"]),
        (format!("{IMAGES}[divisions.x]\nlists = \"l.csv\"\n"), &["no list is named"]),
        (format!("{IMAGES}[divisions.x]\nmask = \"m\"\n"), &["column of lists"]),
        (table.replace("t.csv", "/t.csv"), &["set.toml:3:", "not relative"]),
        (format!("{table}separator = \"é\"\n"), &["separator"]),
        (format!("{table}[[table.class]]\nvalue = \"1\"\nname = \"a\"\n[[table.class]]\nvalue = \"1.0\"\nname = \"b\"\n"), &["stands here twice"]),
        (format!("{table}[divisions.x]\nlists = \"l.csv\"\n"), &["lists are for images"]),
        ("name = \"mine\"\nkind = \"idx\"\n[idx]\ntrain_images = \"a\"\ntrain_labels = \"b\"\ntest_images = \"c\"\ntest_labels = \"../d\"\nclasses = [\"x\"]\n".to_owned(), &["leaves the folder"]),
    ];
    for (description, needles) in cases {
        let text = Place::new(description).refused_with("");
        for needle in *needles {
            assert!(
                text.contains(needle),
                "\"{needle}\" is not in: {text}\n{description}"
            );
        }
    }
}

#[test]
fn a_description_that_is_not_there_or_no_text_is_told() {
    let error = load(&"no/such.toml".into(), &Locate::offline()).unwrap_err();
    assert!(error.to_string().contains("no/such.toml"), "{error}");
    let place = Place::new("");
    place.write("set.toml", [0xff, 0xfe, 0]);
    place.refused(&["set.toml", "byte 0 is not UTF-8"]);
}

#[test]
fn more_classes_than_labels_can_tell_apart_are_refused() {
    let place =
        Place::new("name = \"mine\"\nkind = \"table\"\n[table]\nfile = \"t.csv\"\nlabel = \"y\"\n");
    let rows: String = (0..65_536).map(|i| format!("{i},{i}\n")).collect();
    place.write("t.csv", format!("x,y\n{rows}"));
    place.refused(&["65536 classes", "65535"]);
}

#[test]
fn the_example_is_read_and_does_what_its_comments_say() {
    let place = Place::new(include_str!("../../examples/birds.toml"));
    for class in ["erithacus", "turdus", "parus"] {
        place.class(&format!("pictures/{class}"), 8);
    }
    for i in 0..8 {
        let mask = png(halves(10, 10, [128; 3], [255; 3]));
        place.write(&format!("outlines/erithacus/{i}.png"), &mask);
        if i < 3 {
            place.write(&format!("outlines/turdus/{i}.png"), png(grey(10, 10, 0)));
        }
    }
    let set = place.load();
    assert_eq!(
        (set.id.as_str(), &set.shape[..]),
        ("my-birds", &[3, 64, 64][..])
    );
    assert_eq!(set.classes, ["robin", "blackbird"]);
    let counts = [&set.train, &set.validation, &set.test].map(|s| s.class_counts(2));
    assert_eq!(counts, [vec![4, 4], vec![2, 2], vec![2, 2]]);
    assert!(matches!(set.train.masks, Masks::Partial { .. }));
    assert!(
        set.notes
            .iter()
            .any(|note| note.starts_with("8 masks have unlabelled"))
    );

    let options = "{size: 96, classes: [robin, blackbird, tit], division: by-author}";
    let lists = "list,class,name\nanna,turdus,0\nben,parus,1.png\ncarol,erithacus,2\n";
    place.write("authors.csv", lists);
    let set = place.load_with(options).unwrap();
    assert_eq!(
        set.id,
        "my-birds_classes-robin.blackbird.tit_division-by-author_size-96"
    );
    assert_eq!(set.train.class_counts(3), [0, 1, 1]);
    assert_eq!(set.test.class_counts(3), [1, 0, 0]);
}

#[test]
fn known_sets_tell_their_shape_and_counts() {
    let known = known();
    let of = |id: &str| known.iter().find(|set| set.id == id).unwrap();
    let busi = of("busi");
    assert_eq!(
        (&busi.shape[..], &busi.classes[..]),
        (
            &[1, 64, 64][..],
            &["benign".to_owned(), "malignant".to_owned()][..]
        )
    );
    assert_eq!(
        [busi.train, busi.validation, busi.test],
        [Some(517), Some(65), Some(65)]
    );
    let fetal = of("fetal-health");
    assert_eq!(
        (fetal.table, fetal.features.len(), &fetal.shape[..]),
        (true, 21, &[21][..])
    );
    assert_eq!(
        [fetal.train, fetal.validation, fetal.test],
        [Some(1701), Some(0), Some(425)]
    );
    assert_eq!(of("flowers17").classes[2], "lily of the valley");
    assert_eq!(of("fashion-mnist").photos, Some(76));
    assert!(!busi.downloadable && busi.needs_files && of("fashion-mnist").downloadable);
}
