//! The explainer, driven as the host drives it.

#[path = "../../gradient/tests/harness/mod.rs"]
mod harness;

use harness::{Rows, Tested, explain, fails};
use xbench_explainers_segmentation::xbench_entry_v1 as entry;
use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    Context, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, Segment, Tensor,
    TensorRef, test_model,
};

const ID: &str = "org.xbench.segmentation";
const PIXELS: usize = 3 * 4;

fn rows(count: usize) -> Rows {
    Rows {
        shape: [count, 2, 3, 4],
        x: (0..count * 2 * PIXELS)
            .map(|i| (i * 53 % 101) as f32 / 101.0)
            .collect(),
        target: vec![0; count],
        seed: vec![7; count],
        mask: None,
    }
}

fn spec() -> ModelSpec {
    ModelSpec {
        input_shape: vec![2, 3, 4],
        layout: c"nchw",
        outputs: 2,
        output_kind: OutputKind::Logits,
    }
}

macro_rules! test_plugin {
    ($type:ident, $id:literal) => {
        struct $type(ModelSpec);

        impl Plugin for $type {
            const META: Meta = Meta {
                id: $id,
                name: c"Test",
                version: c"1.0.0",
                license: c"MIT",
                citation: c"none",
                summary: c"A model of the test.",
                flags: Flags::NONE,
                max_batch: 0,
            };
            type Params = NoParams;

            fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
                Ok(Self(spec()))
            }
        }

        impl Model for $type {
            fn spec(&self) -> &ModelSpec {
                &self.0
            }

            fn predict(&self, _: &Context<'_>, _: TensorRef<'_>, _: &mut [f32]) -> Result<()> {
                Ok(())
            }
        }
    };
}

test_plugin!(Seeing, c"org.xbench.test.seeing");
test_plugin!(Blind, c"org.xbench.test.blind");

/// The mask is the first channel.
impl Segment for Seeing {
    fn segment(&self, _ctx: &Context<'_>, x: TensorRef<'_>) -> Result<Tensor> {
        let data = (0..x.rows()).flat_map(|row| x.row(row)[..PIXELS].to_vec());
        Tensor::new([x.rows(), 3, 4], data.collect())
    }
}

impl Tested for Seeing {
    fn tested() -> TestModel {
        test_model!(Self(spec()), Seeing: Segment).expect("a sound model")
    }
}

impl Tested for Blind {
    fn tested() -> TestModel {
        test_model!(Self(spec()), Blind).expect("a sound model")
    }
}

#[test]
fn the_map_is_the_predicted_mask_shared_between_the_channels() {
    let rows = rows(70);
    let map = explain::<Seeing>(ID, "{}", &rows);
    for row in 0..70 {
        for pixel in 0..PIXELS {
            let at = row * 2 * PIXELS + pixel;
            assert_eq!(map[at] + map[at + PIXELS], rows.row(row)[pixel]);
        }
    }
}

#[test]
fn a_row_s_map_does_not_depend_on_its_neighbours_or_the_target() {
    let all = rows(5);
    let together = explain::<Seeing>(ID, "{}", &all);
    for row in 0..5 {
        let mut one = all.only(row);
        one.target[0] = 1;
        let alone = explain::<Seeing>(ID, "{}", &one);
        assert_eq!(alone, together[row * 2 * PIXELS..][..2 * PIXELS]);
    }
}

#[test]
fn a_model_without_masks_is_refused() {
    let why = fails::<Blind>(ID, "{}", &rows(1));
    assert!(why.contains("segment"), "{why}");
}
