//! A model that no control should ever ask.

use xbench_plugin::testing::TestModel;
use xbench_plugin::{
    Context, Error, Flags, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin, Result, TensorRef,
    test_model,
};

use crate::harness::Tested;

/// Refuses every prediction.
pub(crate) struct Blank(ModelSpec);

impl Plugin for Blank {
    const META: Meta = Meta {
        id: c"org.xbench.test.blank",
        name: c"Blank",
        version: c"1.0.0",
        license: c"MIT",
        citation: c"none",
        summary: c"A model that refuses every prediction.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self::new())
    }
}

impl Blank {
    fn new() -> Self {
        Self(ModelSpec {
            input_shape: vec![2, 5, 4],
            layout: c"nchw",
            outputs: 1,
            output_kind: OutputKind::Values,
        })
    }
}

impl Tested for Blank {
    fn tested() -> TestModel {
        test_model!(Self::new(), Blank).expect("a sound model")
    }
}

impl Model for Blank {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn predict(&self, _ctx: &Context<'_>, _x: TensorRef<'_>, _outputs: &mut [f32]) -> Result<()> {
        Err(Error::internal("a control asked the model"))
    }
}
