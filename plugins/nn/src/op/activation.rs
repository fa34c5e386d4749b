//! The rectifier.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{result, slice, tensor, with_values};
use crate::vectorised;

/// max(0, x), element by element; its gradient at 0 is 0.
///
/// # Errors
/// When the tensor is not single precision on the CPU.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Relu)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        // A NaN stays a NaN.
        let y = vectorised!(|| x.iter().map(|&v| if v < 0.0 { 0.0 } else { v }).collect());
        result(y, layout.shape().clone())
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_values(y, |y| with_values(dy, |dy| Ok(mask(dy, y))))?;
        Ok(Some(tensor(dx, y.shape())?))
    }
}

/// A gradient where the rectified value is positive, else 0.
pub(super) fn mask(dy: &[f32], y: &[f32]) -> Vec<f32> {
    vectorised!(|| {
        dy.iter()
            .zip(y)
            .map(|(&d, &y)| if y > 0.0 { d } else { 0.0 })
            .collect()
    })
}
