//! What SmoothGrad and its kin share: gradients at noisy copies of a row, and their moments.

use xbench_plugin::{Batch, Context, Error, ModelHandle, Result};

use crate::noise::Noise;
use crate::pullback::for_each_gradient;

/// Moments of a feature's gradient over the noisy copies of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    /// Mean.
    pub(crate) mean: f64,
    /// Mean of the magnitudes.
    pub(crate) absolute: f64,
    /// Mean of the squares.
    pub(crate) square: f64,
    /// Mean of the squared distances from the mean.
    pub(crate) variance: f64,
}

/// Running sums of one feature; the variance by Welford's recurrence, which does not cancel.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    sum: f64,
    mean: f64,
    absolute: f64,
    square: f64,
    scatter: f64,
}

/// Refuses a level of noise that is none.
pub(crate) fn check_noise(noise: f32) -> Result<()> {
    if noise.is_finite() && noise >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "noise {noise} is not a share: give a number from 0"
    )))
}

/// Writes what `choose` makes of the moments of the target's gradient over `samples` copies of each
/// row with normal noise, whose standard deviation is the share `noise` of the row's range.
///
/// The noise is drawn by counter from the row's seed, the copy and the feature.
///
/// # Errors
/// Whatever the model or the host answers.
pub(crate) fn noisy_gradients(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    batch: &Batch<'_>,
    samples: usize,
    noise: f32,
    attribution: &mut [f32],
    choose: impl Fn(Moments) -> f64,
) -> Result<()> {
    let x = batch.x;
    let row_len = x.row_len();
    let mut sums = vec![Sums::default(); row_len];
    let mut deviation = 0.0;
    for_each_gradient(
        ctx,
        model,
        x,
        batch.target,
        samples,
        |row, sample, out| {
            let values = x.row(row);
            if sample == 0 {
                deviation = noise * range(values);
            }
            Noise::new(batch.seed[row], sample as u64).fill(out);
            for (out, x) in out.iter_mut().zip(values) {
                *out = x + deviation * *out;
            }
        },
        |row, sample, gradient| {
            let count = (sample + 1) as f64;
            for (sums, &gradient) in sums.iter_mut().zip(gradient) {
                let value = f64::from(gradient);
                let distance = value - sums.mean;
                sums.mean += distance / count;
                sums.scatter += distance * (value - sums.mean);
                sums.sum += value;
                sums.absolute += value.abs();
                sums.square += value * value;
            }
            if sample + 1 == samples {
                let out = &mut attribution[row * row_len..][..row_len];
                for (out, sums) in out.iter_mut().zip(&sums) {
                    *out = choose(Moments {
                        mean: sums.sum / count,
                        absolute: sums.absolute / count,
                        square: sums.square / count,
                        variance: sums.scatter / count,
                    }) as f32;
                }
                sums.fill(Sums::default());
            }
        },
    )
}

/// The largest minus the smallest value; 0 for an empty row.
fn range(values: &[f32]) -> f32 {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low <= high { high - low } else { 0.0 }
}
