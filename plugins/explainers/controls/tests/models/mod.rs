//! A model that no control should ever ask.

use xbench_plugin::OutputKind;
use xbench_plugin::testing::TestModel;

use crate::harness::Tested;

/// Fails where it is asked.
pub(crate) struct Blank;

impl Tested for Blank {
    fn tested() -> TestModel {
        TestModel::black_box(&[2, 5, 4], 1, OutputKind::Values, |_, _| {
            panic!("a control asked the model")
        })
        .expect("a sound model")
    }
}
