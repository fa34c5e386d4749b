//! Models that are functions of a row, for the tests of explainers.

use super::TestModel;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::meta::{Flags, Meta};
use crate::model::{Model, ModelSpec, OutputKind, Plugin, Pullback, Vjp, Wrt};
use crate::params::NoParams;
use crate::tensor::{Tensor, TensorRef};
use crate::test_model;

/// Fills a row's outputs.
type Function = dyn Fn(&[f32], &mut [f32]) + Send + Sync;
/// Fills the input's gradient from a row and its output gradient.
type Gradient = dyn Fn(&[f32], &[f32], &mut [f32]) + Send + Sync;

struct BlackBox {
    spec: ModelSpec,
    function: Box<Function>,
}

struct Differentiable {
    black_box: BlackBox,
    gradient: Box<Gradient>,
}

impl BlackBox {
    fn new(
        shape: &[usize],
        outputs: usize,
        output_kind: OutputKind,
        function: impl Fn(&[f32], &mut [f32]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            spec: ModelSpec {
                input_shape: shape.to_vec(),
                layout: match shape.len() {
                    3 => c"nchw",
                    _ => c"tabular",
                },
                outputs,
                output_kind,
            },
            function: Box::new(function),
        }
    }
}

impl TestModel {
    /// A model that can only be asked for its outputs: `function` gets a row and fills its `outputs`
    /// outputs, which come zeroed. A `shape` of three axes is an image's, any other a table's.
    ///
    /// ```
    /// use xbench_plugin::{OutputKind, TensorRef, testing::TestModel};
    ///
    /// # fn main() -> xbench_plugin::Result<()> {
    /// let sum = TestModel::black_box(&[3], 1, OutputKind::Values, |x, y| y[0] = x.iter().sum())?;
    /// let y = sum.predict(TensorRef::new(&[1, 3], &[1.0, 2.0, 4.0])?)?;
    /// assert_eq!(y.data(), [7.0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the shape has more elements than memory could hold.
    pub fn black_box(
        shape: &[usize],
        outputs: usize,
        kind: OutputKind,
        function: impl Fn(&[f32], &mut [f32]) + Send + Sync + 'static,
    ) -> Result<Self> {
        test_model!(BlackBox::new(shape, outputs, kind, function), BlackBox)
    }

    /// As [`black_box`](Self::black_box), with a gradient with respect to its input: `gradient` gets a
    /// row and the gradient of its outputs, and fills that of the row, which comes zeroed.
    ///
    /// # Errors
    /// As [`black_box`](Self::black_box).
    pub fn differentiable(
        shape: &[usize],
        outputs: usize,
        kind: OutputKind,
        function: impl Fn(&[f32], &mut [f32]) + Send + Sync + 'static,
        gradient: impl Fn(&[f32], &[f32], &mut [f32]) + Send + Sync + 'static,
    ) -> Result<Self> {
        let model = Differentiable {
            black_box: BlackBox::new(shape, outputs, kind, function),
            gradient: Box::new(gradient),
        };
        test_model!(model, Differentiable: Vjp)
    }
}

const META: Meta = Meta {
    id: c"org.xbench.test.function",
    name: c"A function of a row",
    version: c"0.1.0",
    license: c"MIT OR Apache-2.0",
    citation: c"none",
    summary: c"For tests.",
    flags: Flags::NONE,
    max_batch: 0,
};

fn made_by_a_test<T>() -> Result<T> {
    Err(Error::unimplemented("a test makes this model"))
}

impl Plugin for BlackBox {
    const META: Meta = META;
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        made_by_a_test()
    }
}

impl Plugin for Differentiable {
    const META: Meta = META;
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        made_by_a_test()
    }
}

impl Model for BlackBox {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        let outputs = outputs.chunks_exact_mut(self.spec.outputs.max(1));
        for (row, outputs) in outputs.enumerate() {
            (self.function)(x.row(row), outputs);
        }
        Ok(())
    }
}

impl Model for Differentiable {
    fn spec(&self) -> &ModelSpec {
        &self.black_box.spec
    }

    fn predict(&self, ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        self.black_box.predict(ctx, x, outputs)
    }
}

impl Vjp for Differentiable {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        if let Wrt::Layer(layer) = wrt {
            return Err(Error::not_found(format!("no layer `{layer}`")));
        }
        let mut gradient = Tensor::zeros(x.shape())?;
        let rows = gradient.data_mut().chunks_exact_mut(x.row_len().max(1));
        for (row, gradient) in rows.enumerate() {
            (self.gradient)(x.row(row), output_gradient.row(row), gradient);
        }
        Ok(Pullback {
            activation: None,
            gradient,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_asked_row_by_row() {
        let square = |x: &[f32], y: &mut [f32]| y[1] = x[0] * x[1];
        let derivative = |x: &[f32], dy: &[f32], dx: &mut [f32]| {
            (dx[0], dx[1]) = (dy[1] * x[1], dy[1] * x[0]);
        };
        let model = TestModel::differentiable(&[2], 2, OutputKind::Logits, square, derivative)
            .expect("a sound model");
        let x = TensorRef::new(&[2, 2], &[2.0, 3.0, -1.0, 4.0]).expect("fits");
        let dy = TensorRef::new(&[2, 2], &[9.0, 1.0, 9.0, 2.0]).expect("fits");
        let y = model.predict(x).expect("predicts");
        assert_eq!(y.data(), [0.0, 6.0, 0.0, -4.0]);
        let gradient = model.vjp(x, dy, Wrt::Input, false).expect("has gradients");
        assert_eq!(gradient.gradient.data(), [3.0, 2.0, 8.0, -2.0]);
        let black_box = TestModel::black_box(&[2], 2, OutputKind::Logits, square).expect("sound");
        assert!(!black_box.provides(crate::capability::VJP));
    }
}
