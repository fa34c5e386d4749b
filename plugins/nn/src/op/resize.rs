//! Bilinear and nearest-neighbour resizing.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{image_dims, result, slice, tensor, with_values};
use crate::Threads;
use crate::kernel::resize::{Resize, Sampling};

/// Resizes `x` `[images, channels, height, width]` to `size` (height, width).
///
/// # Errors
/// When `x` has another number of dimensions or a size is zero.
pub fn resize2d(
    x: &Tensor,
    size: [usize; 2],
    sampling: Sampling,
    threads: &Arc<Threads>,
) -> Result<Tensor> {
    let [images, channels, height, width] = image_dims("resize2d", x)?;
    if size.contains(&0) {
        bail!("resize2d: cannot resize to {size:?}");
    }
    let resize = Resize::new([height, width], size, sampling);
    let op = Resize2d {
        resize,
        shape: [images, channels, size[0], size[1]],
        from: height * width,
        threads: Arc::clone(threads),
    };
    x.contiguous()?.apply_op1(op)
}

struct Resize2d {
    resize: Resize,
    shape: [usize; 4],
    from: usize,
    threads: Arc<Threads>,
}

impl CustomOp1 for Resize2d {
    fn name(&self) -> &'static str {
        "resize2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(storage, layout)?;
        let [images, channels, height, width] = self.shape;
        let mut out = vec![0.0; images * channels * height * width];
        let jobs = x
            .chunks(channels * self.from)
            .zip(out.chunks_mut(channels * height * width))
            .collect();
        self.threads.map(jobs, |(x, out): (&[f32], &mut [f32])| {
            self.resize.forward(x, out)
        });
        result(out, (images, channels, height, width))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [_, channels, height, width] = self.shape;
        let mut dx = vec![0.0; x.elem_count()];
        with_values(dy, |dy| {
            let jobs = dy
                .chunks(channels * height * width)
                .zip(dx.chunks_mut(channels * self.from))
                .collect();
            self.threads.map(jobs, |(dy, dx): (&[f32], &mut [f32])| {
                self.resize.gradient(dy, dx)
            });
            Ok(())
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
