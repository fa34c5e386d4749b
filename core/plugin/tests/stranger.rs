//! A plugin crate that denies what careful crates deny can still use the macros.
#![deny(unsafe_code, missing_docs, unreachable_pub, warnings)]

use std::ffi::CStr;

use xbench_plugin::testing::TestHost;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, params};

params! {
    /// Parameters of the constant map.
    struct ConstantParams {
        /// Attribution of every pixel.
        value: f32 = 1.0;
    }
}

struct Constant(f32);

impl Plugin for Constant {
    const META: Meta = Meta {
        id: c"org.example.constant",
        name: c"Constant",
        version: c"0.1.0",
        license: c"MIT",
        citation: c"none",
        summary: c"The same attribution everywhere.",
        flags: Flags::CONTROL,
        max_batch: 0,
    };
    type Params = ConstantParams;

    fn create(params: ConstantParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self(params.value))
    }
}

impl Explainer for Constant {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        _batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        attribution.fill(self.0);
        Ok(())
    }
}

xbench_plugin::export! { explainer Constant; }

#[test]
fn exported() {
    let host = TestHost::new(&xbench_entry_v1).expect("our own entry");
    let schema = host.params_schema("org.example.constant").expect("JSON");
    assert_eq!(schema["description"], "Parameters of the constant map.");
    host.explainer("org.example.constant", r#"{"value": 2}"#)
        .expect("made");
}
