//! Masks, trees, tables and kept states, through the C entry.

use xbench_plugin::testing::{TestData, TestHost, TestModel};
use xbench_plugin::{Status, TensorRef, capability, test_model};

use crate::support::Stump;
use crate::xbench_entry_v1;

fn toy() -> TestModel {
    let host = TestHost::new(&xbench_entry_v1).expect("well formed");
    host.model("org.example.toy", "{}").expect("made")
}

fn stump() -> TestModel {
    test_model!(Stump::new(), Stump: Trees, Fit).expect("well formed")
}

fn data() -> TestData {
    let pixels = vec![255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0];
    TestData::new(&[1, 2, 2], 3, pixels, vec![0, 1, 2]).expect("fits")
}

#[test]
fn masks_come_with_the_shape_of_the_image() {
    let pixels = [0.0, 0.5, 1.0, 0.25];
    let x = TensorRef::new(&[1, 1, 2, 2], &pixels).expect("fits");
    let mask = toy().segment(x).expect("a mask");
    assert_eq!((mask.shape(), mask.data()), (&[1, 2, 2][..], &pixels[..]));
    let row = TensorRef::new(&[1, 2], &[0.0, 1.0]).expect("fits");
    let error = stump().segment(row).expect_err("it has none");
    assert_eq!(error.status(), Status::Unimplemented);
}

#[test]
fn trees_are_shown_and_follow_a_training() {
    let mut stump = stump();
    assert!(stump.provides(capability::TREES));
    assert_eq!(stump.trees().expect("trees").threshold[0], 0.5);
    let table = TestData::features(&[2], 2, vec![1.0, 0.0, 2.0, 0.0, 6.0, 0.0], vec![0, 0, 1])
        .expect("fits")
        .with_validation(1);
    let report = stump.fit(&table, "{}", &mut |_| true).expect("trained");
    assert_eq!(
        report,
        r#"{"table": true, "validation": 1, "masks": false}"#
    );
    assert_eq!(stump.trees().expect("trees").threshold[0], 3.0);
    let x = TensorRef::new(&[2, 2], &[2.5, 0.0, 3.0, 0.0]).expect("fits");
    let y = stump.predict(x).expect("predicted");
    assert_eq!(y.data(), [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn a_table_is_no_image() {
    let table = TestData::features(&[1, 2, 2], 3, vec![0.0; 4], vec![0]).expect("fits");
    let error = toy()
        .fit(&table, "{}", &mut |_| true)
        .expect_err("no pixels");
    assert!(error.message().contains("the data are a table"), "{error}");
}

#[test]
fn an_interrupted_training_goes_on() {
    let whole = {
        let mut toy = toy();
        toy.fit(&data(), "{}", &mut |_| true).expect("trained");
        toy.save().expect("saved")
    };
    let mut kept = Vec::new();
    let mut toy = toy();
    toy.fit_resumable(&data(), "{}", &mut |s| s.batch < 2, None, Some(&mut kept))
        .expect_err("stopped");
    let mut steps = Vec::new();
    let last = kept.last().expect("a state");
    toy.fit_resumable(
        &data(),
        "{}",
        &mut |step| {
            steps.push(step.batch);
            true
        },
        Some(last),
        None,
    )
    .expect("trained");
    assert_eq!(steps, [3], "the first two rows are not read again");
    assert_eq!(toy.save().expect("saved"), whole);
    let error = toy
        .fit_resumable(&data(), "{}", &mut |_| true, Some(&[1, 2]), None)
        .expect_err("no state of this model");
    assert_eq!(error.message(), "the kept state does not fit");
}
