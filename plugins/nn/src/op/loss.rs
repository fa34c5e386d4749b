//! Softmax cross-entropy.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{result, slice, tensor, with_values};
use crate::kernel::loss;

/// Mean softmax cross-entropy of logits `[rows, classes]` in nats, a scalar. With `smoothing` s
/// the target is 1 - s for the label plus s / classes for every class.
///
/// # Errors
/// When the shapes do not fit or a label is out of range.
pub fn cross_entropy(logits: &Tensor, labels: &[usize], smoothing: f64) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    if rows == 0 || labels.len() != rows {
        bail!("cross_entropy: {} labels for {rows} rows", labels.len());
    }
    if let Some(label) = labels.iter().find(|label| **label >= classes) {
        bail!("cross_entropy: label {label} of {classes} classes");
    }
    let op = CrossEntropy {
        labels: labels.to_vec(),
        classes,
        smoothing,
    };
    logits.contiguous()?.apply_op1(op)
}

struct CrossEntropy {
    labels: Vec<usize>,
    classes: usize,
    smoothing: f64,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = slice(storage, layout)?;
        let total: f64 = logits
            .chunks_exact(self.classes)
            .zip(&self.labels)
            .map(|(row, &label)| loss::cross_entropy(row, label, self.smoothing))
            .sum();
        result(vec![(total / self.labels.len() as f64) as f32], ())
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let scale = f64::from(gradient.to_scalar::<f32>()?) / self.labels.len() as f64;
        let mut out = vec![0.0; logits.elem_count()];
        with_values(logits, |logits| {
            for ((row, &label), out) in logits
                .chunks_exact(self.classes)
                .zip(&self.labels)
                .zip(out.chunks_exact_mut(self.classes))
            {
                loss::cross_entropy_gradient(row, label, self.smoothing, scale, out);
            }
            Ok(())
        })?;
        Ok(Some(tensor(out, logits.shape())?))
    }
}
