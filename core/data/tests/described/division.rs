//! Divisions by lists.

use xbench_data::Masks;

use crate::support::{IMAGES, Place, grey, png};

fn listed(lists: &str) -> Place {
    let place = Place::new(&format!(
        "{IMAGES}[images.masks]\nsuffix = \"_m\"\n[divisions.x]\nlists = \"lists.csv\"\n\
         train = [\"one\", \"two\"]\nvalidation = [\"three\"]\ntest = [\"four\"]\nmask = \"m\"\n"
    ));
    place.class("a", 6).class("b", 6);
    for class in ["a", "b"] {
        for i in 0..6 {
            place.write(&format!("{class}/{i}_m.png"), png(grey(10, 10, 255)));
        }
    }
    place.write("lists.csv", format!("list,class,name,m\n{lists}"));
    place
}

const WHOLE: &str = "one,a,0,1\ntwo,b,1,0\nthree,a,2,1\nfour,b,3.png,1\nelse,b,9,1\n";

#[test]
fn lists_make_up_splits_and_may_take_masks_away() {
    let set = listed(WHOLE).load();
    assert_eq!(set.train.names, ["a/0.png", "b/1.png"]);
    assert_eq!(set.validation.names, ["a/2.png"]);
    assert_eq!(set.test.names, ["b/3.png"]);
    let Masks::Partial { masks, present } = &set.train.masks else {
        panic!("{:?}", set.train.masks)
    };
    assert_eq!(present[..], [true, false]);
    assert_eq!((masks[0], masks[64]), (1, 0));
    assert_eq!(set.notes[0], "8 images stand in no list and were left out");
}

#[test]
fn a_file_in_two_lists_is_noted_as_a_leak() {
    let set = listed(&format!("{WHOLE}four,a,0,1\none,a,0,1\n")).load();
    assert_eq!(set.train.names[0], set.test.names[0]);
    let leak = "leak: 1 images stand in both the training and the test split of the lists";
    assert!(set.notes.iter().any(|note| note == leak), "{:?}", set.notes);
    let twice = "1 images stand twice in a list and count once";
    assert!(
        set.notes.iter().any(|note| note == twice),
        "{:?}",
        set.notes
    );
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    listed("one,a,0,1\nfour,b,7,1\n").refused(&["list \"two\""]);
    let broken = format!("{WHOLE}four,b,7,1\n");
    listed(&broken).refused(&["lists.csv:7", "no image \"b/7\""]);
    listed("one,a,0\n").refused(&["lists.csv:2", "3 cells where the header has 4"]);
    let place = listed(WHOLE);
    place.write("lists.csv", "list,name\n");
    place.refused(&["lists.csv:1", "class", "no such column"]);
    std::fs::remove_file(place.path().join("lists.csv")).unwrap();
    place.refused(&["lists.csv", "cannot open"]);
    assert!(listed(WHOLE).refused_with("{seed: 3}").contains("by lists"));
}
