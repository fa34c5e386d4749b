//! Maximum and average pooling.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::{image_dims, images_per_block, result, slice, tensor, with_buffers, with_values};
use crate::kernel::pool::Pool;
use crate::kernel::{layout, reuse};
use crate::{Threads, Window};

/// Maximum over windows of `x` `[images, channels, height, width]`; padding never wins. Of equal
/// maxima the first in scan order gets the gradient.
///
/// # Errors
/// When the window does not fit.
pub fn max_pool2d(x: &Tensor, window: Window, threads: &Arc<Threads>) -> Result<Tensor> {
    apply(
        "max_pool2d",
        x,
        window,
        false,
        threads,
        Kind::Max(Mutex::default()),
    )
}

/// Average over windows of `x` `[images, channels, height, width]`. With `count_padding` every
/// window is divided by its size, otherwise by the number of its pixels inside the image.
///
/// # Errors
/// When the window does not fit.
pub fn avg_pool2d(
    x: &Tensor,
    window: Window,
    count_padding: bool,
    threads: &Arc<Threads>,
) -> Result<Tensor> {
    apply(
        "avg_pool2d",
        x,
        window,
        count_padding,
        threads,
        Kind::Average,
    )
}

/// Average of each channel of `x` `[images, channels, height, width]`, `[images, channels]`.
///
/// # Errors
/// When `x` has another number of dimensions.
pub fn global_avg_pool2d(x: &Tensor, threads: &Arc<Threads>) -> Result<Tensor> {
    let [images, channels, height, width] = image_dims("global_avg_pool2d", x)?;
    avg_pool2d(x, Window::new([height, width]), true, threads)?.reshape((images, channels))
}

fn apply(
    name: &'static str,
    x: &Tensor,
    window: Window,
    count_padding: bool,
    threads: &Arc<Threads>,
    kind: Kind,
) -> Result<Tensor> {
    let [_, channels, height, width] = image_dims(name, x)?;
    let pool = Pool::new([height, width], channels, window, count_padding)?;
    x.contiguous()?.apply_op1(Pool2d {
        name,
        pool,
        channels,
        kind,
        threads: Arc::clone(threads),
    })
}

enum Kind {
    /// With the pixel each maximum came from, channel-last.
    Max(Mutex<Vec<u32>>),
    Average,
}

struct Pool2d {
    name: &'static str,
    pool: Pool,
    channels: usize,
    kind: Kind,
    threads: Arc<Threads>,
}

impl Pool2d {
    fn block(&self) -> usize {
        images_per_block(self.pool.input_len())
    }
}

impl CustomOp1 for Pool2d {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pool, channels) = (&self.pool, self.channels);
        let x = slice(storage, l)?;
        let images = x.len() / pool.input_len();
        let (from, to) = (pool.input_len(), pool.output_len());
        let mut out = vec![0.0; images * to];
        let mut origins = match self.kind {
            Kind::Max(_) => vec![0u32; images * to],
            Kind::Average => Vec::new(),
        };
        let block = self.block();
        let marks: Vec<Option<&mut [u32]>> = match self.kind {
            Kind::Max(_) => origins.chunks_mut(block * to).map(Some).collect(),
            Kind::Average => (0..images.div_ceil(block)).map(|_| None).collect(),
        };
        type Job<'a> = ((&'a [f32], &'a mut [f32]), Option<&'a mut [u32]>);
        let jobs = x
            .chunks(block * from)
            .zip(out.chunks_mut(block * to))
            .zip(marks)
            .collect();
        self.threads.map(jobs, |((x, out), marks): Job<'_>| {
            with_buffers(|buffers| {
                let last = reuse(&mut buffers.x, x.len());
                layout::to_channel_last(x, channels, from / channels, last);
                let y = reuse(&mut buffers.y, out.len());
                match self.kind {
                    Kind::Max(_) => pool.max(last, y, marks),
                    Kind::Average => pool.average(last, y),
                }
                layout::to_channel_first(y, channels, to / channels, out);
            });
        });
        if let Kind::Max(kept) = &self.kind {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = origins;
        }
        let [height, width] = pool.output();
        result(out, (images, channels, height, width))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (pool, channels) = (&self.pool, self.channels);
        let (from, to) = (pool.input_len(), pool.output_len());
        let origins = match &self.kind {
            Kind::Max(kept) => Some(kept.lock().unwrap_or_else(PoisonError::into_inner)),
            Kind::Average => None,
        };
        let mut dx = vec![0.0; x.elem_count()];
        let block = self.block();
        with_values(dy, |dy| {
            let blocks = dy.len().div_ceil(block * to);
            if origins
                .as_ref()
                .is_some_and(|origins| origins.len() != dy.len())
            {
                bail!("{}: backward without its forward", self.name);
            }
            let marks: Vec<Option<&[u32]>> = match &origins {
                Some(origins) => origins.chunks(block * to).map(Some).collect(),
                None => vec![None; blocks],
            };
            type Job<'a> = ((&'a [f32], &'a mut [f32]), Option<&'a [u32]>);
            let jobs = dy
                .chunks(block * to)
                .zip(dx.chunks_mut(block * from))
                .zip(marks)
                .collect();
            self.threads.map(jobs, |((dy, dx), marks): Job<'_>| {
                with_buffers(|buffers| {
                    let d = reuse(&mut buffers.y, dy.len());
                    layout::to_channel_last(dy, channels, to / channels, d);
                    let last = reuse(&mut buffers.x, dx.len());
                    match marks {
                        Some(marks) => pool.max_gradient(d, marks, last),
                        None => pool.average_gradient(d, last),
                    }
                    layout::to_channel_first(last, channels, from / channels, dx);
                });
            });
            Ok(())
        })?;
        Ok(Some(tensor(dx, x.shape())?))
    }
}
