//! Occlusion: how far the output falls when a window of the image is covered.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, OutputKind, Plugin, Result,
    TensorRef,
};

use crate::windows::{Window, coverage, windows};

/// Images handed to the model in one call.
const IMAGES_PER_CALL: usize = 256;

xbench_plugin::params! {
    /// Parameters of occlusion.
    pub struct OcclusionParams {
        /// Side of the square window, in pixels.
        patch: u32 = 4, 1..=4096;
        /// Pixels from one window to the next; 0: as many as the patch has, so that windows abut.
        stride: u32 = 0, 0..=4096;
        /// Value that covers the window, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What is watched: the model's own output ("logit"); the probability of the target, which
        /// is the softmax of a model of logits and the output itself of a model of probabilities;
        /// or whether the target is the predicted class ("kept"), 1 where no output is larger,
        /// else 0.
        outcome: String = "logit", ["logit", "probability", "kept"];
    }
}

/// Occlusion (Zeiler and Fergus 2014, section 4.2).
///
/// A pixel's attribution is the mean, over the windows that cover it, of f(x) - f(x with the window
/// filled): positive where covering lowers the output, in its units. A window covers all channels;
/// each channel gets the value divided by their number, so that the sum over the channels is the
/// map. A table's columns are covered one at a time (`patch: 1`). Windows are cut at the right and lower border, so every pixel is covered.
///
/// A window that already holds nothing but the fill changes nothing: its difference is exactly 0
/// and the model is not asked. A row costs one forward row for each other window and one for
/// itself; none at all when no window changes it.
#[derive(Clone, Debug)]
pub struct Occlusion {
    patch: usize,
    stride: usize,
    fill: f32,
    outcome: Outcome,
}

/// What is watched while windows are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The model's own output.
    Output,
    /// The probability of the target.
    Probability,
    /// 1 where the target is the predicted class, else 0.
    Kept,
}

impl Outcome {
    /// What is watched, from a row of the model's outputs.
    fn of(self, kind: OutputKind, outputs: &[f32], target: usize) -> f64 {
        let value = f64::from(outputs[target]);
        match self {
            Self::Kept => f64::from(outputs.iter().all(|&y| y <= outputs[target])),
            // 1 / sum of exp(y_j - y_target): no overflow hurts, since exp may only grow to
            // infinity.
            Self::Probability if kind == OutputKind::Logits => {
                let ratios = outputs.iter().map(|&y| (f64::from(y) - value).exp());
                1.0 / ratios.sum::<f64>()
            }
            Self::Probability | Self::Output => value,
        }
    }
}

impl Plugin for Occlusion {
    const META: Meta = Meta {
        id: c"org.xbench.occlusion",
        name: c"Occlusion",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. D. Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, 2014",
        summary: c"The fall of the explained output when a window that slides over the image is filled with a constant.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = OcclusionParams;

    fn create(params: OcclusionParams, _ctx: &Context<'_>) -> Result<Self> {
        let stride = if params.stride == 0 {
            params.patch
        } else {
            params.stride
        };
        if stride > params.patch {
            return Err(Error::invalid_argument(format!(
                "stride {stride} is larger than patch {}: pixels between the windows would never \
                 be covered; choose a stride of 1..={}",
                params.patch, params.patch
            )));
        }
        if !params.fill.is_finite() {
            return Err(Error::invalid_argument("the fill is not a finite number"));
        }
        let outcome = match params.outcome.as_str() {
            "probability" => Outcome::Probability,
            "kept" => Outcome::Kept,
            _ => Outcome::Output,
        };
        Ok(Self::new(
            params.patch as usize,
            stride as usize,
            params.fill,
            outcome,
        ))
    }
}

/// One image that the model is to see.
#[derive(Clone, Copy)]
struct Job {
    row: usize,
    /// Index of the covered window; `None`: the row as it is.
    window: Option<usize>,
}

/// The image of channels by height by width pixels that every row holds.
#[derive(Clone, Copy)]
struct Image {
    channels: usize,
    height: usize,
    width: usize,
}

impl Image {
    /// Calls `visit` with each run of pixels of the window, over all channels, as a range of a row.
    fn for_each_run(self, window: &Window, mut visit: impl FnMut(std::ops::Range<usize>)) {
        for channel in 0..self.channels {
            for row in window.rows.clone() {
                let start = (channel * self.height + row) * self.width;
                visit(start + window.columns.start..start + window.columns.end);
            }
        }
    }
}

impl Occlusion {
    /// A window of `patch` pixels a side that moves by `stride`, which is 1 to `patch`.
    pub(crate) fn new(patch: usize, stride: usize, fill: f32, outcome: Outcome) -> Self {
        Self {
            patch,
            stride,
            fill,
            outcome,
        }
    }

    /// The image that a row holds; a table is one line of its columns, covered one by one.
    fn image(&self, x: TensorRef<'_>) -> Result<Image> {
        match x.shape()[1..] {
            [channels, height, width] if x.row_len() > 0 => Ok(Image {
                channels,
                height,
                width,
            }),
            [width] if width > 0 && self.patch == 1 => Ok(Image {
                channels: 1,
                height: 1,
                width,
            }),
            [_] => Err(Error::invalid_argument(
                "the columns of a table have no order, so that a window over several of them means \
                 nothing; use occlusion{patch: 1}",
            )),
            _ => Err(Error::invalid_argument(format!(
                "occlusion covers images of shape [n, channels, height, width] or tables of shape \
                 [n, columns], not {:?}",
                x.shape()
            ))),
        }
    }

    /// The images to evaluate, each row's own ahead of its covered ones.
    fn jobs(&self, x: TensorRef<'_>, image: Image, windows: &[Window]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for row in 0..x.rows() {
            let values = x.row(row);
            let own = jobs.len();
            for (index, window) in windows.iter().enumerate() {
                let mut changes = false;
                image.for_each_run(window, |run| {
                    changes |= values[run].iter().any(|&value| value != self.fill);
                });
                if changes {
                    if jobs.len() == own {
                        jobs.push(Job { row, window: None });
                    }
                    jobs.push(Job {
                        row,
                        window: Some(index),
                    });
                }
            }
        }
        jobs
    }
}

impl Explainer for Occlusion {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let (x, spec) = (batch.x, model.spec());
        let rows = x.rows();
        let Image {
            channels,
            height,
            width,
        } = self.image(x)?;
        if self.outcome != Outcome::Output && spec.output_kind == OutputKind::Values {
            return Err(Error::invalid_argument(
                "a probability or predicted class has no meaning for a model whose outputs are \
                 values; use the outcome \"logit\" of occlusion, its output as it is",
            ));
        }
        let image = Image {
            channels,
            height,
            width,
        };
        let windows = windows(height, width, self.patch, self.stride);
        let jobs = self.jobs(x, image, &windows);

        // falls[row, window]: f(x) - f(x with the window filled).
        let mut falls = vec![0.0_f64; rows * windows.len()];
        let row_len = x.row_len();
        let capacity = IMAGES_PER_CALL.min(jobs.len());
        let mut images = vec![0.0_f32; capacity * row_len];
        let mut outputs = vec![0.0_f32; capacity * spec.outputs];
        let mut shape = x.shape().to_vec();
        let mut own = 0.0;
        for (call, jobs_now) in jobs.chunks(IMAGES_PER_CALL).enumerate() {
            ctx.checkpoint((call * IMAGES_PER_CALL) as f64 / jobs.len() as f64)?;
            let images = &mut images[..jobs_now.len() * row_len];
            let outputs = &mut outputs[..jobs_now.len() * spec.outputs];
            for (job, slot) in jobs_now.iter().zip(images.chunks_exact_mut(row_len)) {
                slot.copy_from_slice(x.row(job.row));
                if let Some(window) = job.window {
                    image.for_each_run(&windows[window], |run| slot[run].fill(self.fill));
                }
            }
            shape[0] = jobs_now.len();
            model.predict(ctx, TensorRef::new(&shape, images)?, outputs)?;
            for (job, outputs) in jobs_now.iter().zip(outputs.chunks_exact(spec.outputs)) {
                let target = batch.target[job.row] as usize;
                let value = self.outcome.of(spec.output_kind, outputs, target);
                match job.window {
                    None => own = value,
                    Some(window) => falls[job.row * windows.len() + window] = own - value,
                }
            }
        }

        let covered = coverage(height, width, &windows);
        let mut map = vec![0.0_f64; height * width];
        let rows_out = attribution.chunks_exact_mut(row_len);
        for (falls, out) in falls.chunks_exact(windows.len()).zip(rows_out) {
            map.fill(0.0);
            for (window, &fall) in windows.iter().zip(falls) {
                for row in window.rows.clone() {
                    for sum in &mut map[row * width..][window.columns.clone()] {
                        *sum += fall;
                    }
                }
            }
            for channel in out.chunks_exact_mut(height * width) {
                for ((out, sum), &count) in channel.iter_mut().zip(&map).zip(&covered) {
                    *out = (sum / f64::from(count) / channels as f64) as f32;
                }
            }
        }
        Ok(())
    }
}
