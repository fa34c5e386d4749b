//! Backward rules, the forward pass from a layer, biases, background rows and the local fit, through
//! the C entry.

use std::ffi::CStr;

use xbench_plugin::testing::{TestBatch, TestHost, TestModel};
use xbench_plugin::{
    BackwardRule, Batch, Biases, Context, Error, Explainer, Flags, ForwardFrom, ModelHandle,
    ModifiedVjp, NoParams, Plugin, Pullback, Result, Status, Tensor, TensorRef, Wrt, capability,
    test_model,
};

use crate::support::{Stump, Toy, meta};

impl ModifiedVjp for Toy {
    fn rules(&self) -> Vec<String> {
        vec!["deeplift".to_owned(), "lrp_gamma".to_owned()]
    }

    /// What reached it: the reference, or the parameter.
    fn modified_vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        _output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        let gradient = match (rule, wrt) {
            (_, Wrt::Layer(_)) => return Err(Error::not_found("no such layer")),
            (BackwardRule::DeepLift { reference }, _) => reference.to_tensor(),
            (rule, _) => Tensor::new(x.shape(), vec![rule.parameter() as f32; x.data().len()])?,
        };
        Ok(Pullback {
            activation: None,
            gradient,
        })
    }
}

impl ForwardFrom for Toy {
    fn forward_from(
        &self,
        ctx: &Context<'_>,
        _layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        let shape = [value.rows(), 1, 2, 2];
        xbench_plugin::Model::predict(self, ctx, TensorRef::new(&shape, value.data())?, outputs)
    }
}

impl Biases for Toy {
    fn biases(&self, _ctx: &Context<'_>, _layer: &str) -> Result<Option<Vec<f32>>> {
        Ok(Some(vec![1.0, 2.0, 3.0, 4.0]))
    }
}

/// Writes the first background row, and reports its own row's number but for the last.
pub(crate) struct Surrogate;

impl Plugin for Surrogate {
    const META: xbench_plugin::Meta = meta(c"org.example.surrogate", Flags::WANTS_BACKGROUND);
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Surrogate {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        _ctx: &Context<'_>,
        _model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let background = batch
            .background
            .ok_or_else(|| Error::internal("promised"))?;
        let row_len = batch.x.row_len();
        for (row, out) in attribution.chunks_exact_mut(row_len).enumerate() {
            out.copy_from_slice(background.row(0));
            batch.report_fit(row, if row == 2 { f64::INFINITY } else { row as f64 });
        }
        batch.report_fit(1000, 0.5);
        Ok(())
    }
}

const X: [f32; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2];

fn x() -> TensorRef<'static> {
    TensorRef::new(&[3, 1, 2, 2], &X).expect("fits")
}

fn toy() -> TestModel {
    let host = TestHost::new(&crate::xbench_entry_v1).expect("well formed");
    host.model("org.example.toy", "{}").expect("made")
}

#[test]
fn rules_arrive_with_their_parameters() {
    let toy = toy();
    assert!(toy.provides(capability::MODIFIED_VJP));
    assert_eq!(
        toy.backward_rules().expect("rules"),
        ["deeplift", "lrp_gamma"]
    );
    let dy = TensorRef::new(&[3, 3], &[1.0; 9]).expect("fits");
    let run = |rule, wrt| toy.modified_vjp(x(), dy, rule, wrt, true);
    let gamma = run(BackwardRule::LrpGamma { gamma: 0.25 }, Wrt::Input).expect("known");
    assert_eq!(gamma.gradient.data(), [0.25; 12]);
    assert_eq!(gamma.activation.expect("of the input").data(), X);
    let reference = [0.5; 12];
    let reference = TensorRef::new(&[3, 1, 2, 2], &reference).expect("fits");
    let lift = run(BackwardRule::DeepLift { reference }, Wrt::Input).expect("known");
    assert_eq!(lift.gradient.data(), [0.5; 12]);

    let error = run(BackwardRule::Guided, Wrt::Input).expect_err("not one of its rules");
    assert_eq!(error.status(), Status::Unimplemented);
    assert!(error.message().contains("guided"), "{error}");
    let error = run(BackwardRule::LrpGamma { gamma: -1.0 }, Wrt::Input).expect_err("negative");
    assert_eq!(error.status(), Status::InvalidArgument);
    let error = run(BackwardRule::LrpGamma { gamma: 0.0 }, Wrt::Layer("none"));
    assert_eq!(error.expect_err("no layer").status(), Status::NotFound);
    let short = TensorRef::new(&[1, 1, 2, 2], &[0.0; 4]).expect("fits");
    let error = run(BackwardRule::DeepLift { reference: short }, Wrt::Input).expect_err("shape");
    assert!(error.message().contains("reference"), "{error}");
}

#[test]
fn the_rest_of_the_network_is_run_from_a_layer() {
    let toy = toy();
    let value = TensorRef::new(&[3, 4, 1, 1], &X).expect("fits");
    let outputs = toy.forward_from("features", value).expect("known");
    assert_eq!(outputs.data(), toy.predict(x()).expect("predicted").data());
    let error = toy
        .forward_from("featurs", value)
        .expect_err("a typing error");
    assert_eq!(error.status(), Status::NotFound);
    let error = toy
        .forward_from("features", x())
        .expect_err("another shape");
    assert_eq!(error.status(), Status::InvalidArgument);
    assert_eq!(
        toy.biases("features").expect("known"),
        Some(vec![1.0, 2.0, 3.0, 4.0])
    );
    let stump = test_model!(Stump::new(), Stump: Trees, Fit).expect("well formed");
    let error = stump.biases("features").expect_err("it has none");
    assert_eq!(error.status(), Status::Unimplemented);
}

#[test]
fn background_rows_arrive_and_fits_come_back() {
    let host = TestHost::new(&crate::xbench_entry_v1).expect("well formed");
    let explainer = host.explainer("org.example.surrogate", "{}").expect("made");
    let rows = [7.0, 8.0, 9.0, 10.0, 0.0, 0.0, 0.0, 0.0];
    let mut batch = TestBatch {
        x: x(),
        target: &[0, 1, 2],
        seed: &[1, 2, 3],
        mask: None,
        background: Some(TensorRef::new(&[2, 1, 2, 2], &rows).expect("fits")),
    };
    let (map, fit) = explainer.explain_batch(&toy(), &batch).expect("explained");
    assert_eq!(map.row(2), &rows[..4]);
    assert_eq!(fit[..2], [0.0, 1.0]);
    assert!(fit[2].is_nan());

    batch.background = None;
    let error = explainer.explain_batch(&toy(), &batch).expect_err("none");
    assert!(error.message().contains("background"), "{error}");
    batch.background = Some(TensorRef::new(&[2, 4], &rows).expect("fits"));
    let error = explainer.explain_batch(&toy(), &batch).expect_err("shape");
    assert_eq!(error.status(), Status::InvalidArgument);
}
