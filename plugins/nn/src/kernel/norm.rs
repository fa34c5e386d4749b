//! Batch normalisation of channel-last values `[rows, channels]`, rows being all pixels of all
//! images (Ioffe and Szegedy 2015).
//!
//! The sums over rows are found block by block, so that blocks can go to different threads: add up
//! the results of [`sums`], [`square_sums`] and [`gradient_sums`] in the order of the blocks.

use super::lanes;
use crate::vectorised;

/// Rows that are summed in single precision before the sum is widened.
const RUN: usize = 64;

fn by_runs(rows: &[f32], channels: usize, add: impl Fn(&[f32], &mut [f32])) -> Vec<f64> {
    let mut total = vec![0.0_f64; channels];
    let mut run = vec![0.0_f32; channels];
    vectorised!(|| {
        for rows in rows.chunks(RUN * channels.max(1)) {
            run.fill(0.0);
            for row in rows.chunks_exact(channels) {
                add(row, &mut run);
            }
            for (total, &run) in total.iter_mut().zip(&run) {
                *total += f64::from(run);
            }
        }
    });
    total
}

/// Σ x of every channel.
pub fn sums(x: &[f32], channels: usize) -> Vec<f64> {
    by_runs(x, channels, |row, sums| {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += x;
        }
    })
}

/// Σ (x - mean)² of every channel.
pub fn square_sums(x: &[f32], mean: &[f32]) -> Vec<f64> {
    by_runs(x, mean.len(), |row, sums| {
        for ((sum, x), mean) in sums.iter_mut().zip(row).zip(mean) {
            *sum += (x - mean) * (x - mean);
        }
    })
}

/// `y = x * scale + offset` with a factor and a summand for every channel, then max(0, ·) if `relu`.
pub fn affine(x: &[f32], scale: &[f32], offset: &[f32], relu: bool, y: &mut [f32]) {
    let channels = scale.len();
    vectorised!(|| {
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            for (((y, &x), &scale), &offset) in y.iter_mut().zip(x).zip(scale).zip(offset) {
                let value = x.mul_add(scale, offset);
                // A NaN stays a NaN.
                *y = if relu && value < 0.0 { 0.0 } else { value };
            }
        }
    });
}

/// Σ dy and Σ dy · (x - mean) of every channel.
pub fn gradient_sums(x: &[f32], mean: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let channels = mean.len();
    let mut total = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
    let mut run = (vec![0.0_f32; channels], vec![0.0_f32; channels]);
    vectorised!(|| {
        let size = RUN * channels.max(1);
        for (x, dy) in x.chunks(size).zip(dy.chunks(size)) {
            run.0.fill(0.0);
            run.1.fill(0.0);
            for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact(channels)) {
                let sums = run.0.iter_mut().zip(&mut run.1);
                for (((plain, weighed), (x, dy)), mean) in sums.zip(x.iter().zip(dy)).zip(mean) {
                    *plain += dy;
                    *weighed += dy * (x - mean);
                }
            }
            for (total, run) in [(&mut total.0, &run.0), (&mut total.1, &run.1)] {
                for (total, &run) in total.iter_mut().zip(run) {
                    *total += f64::from(run);
                }
            }
        }
    });
    total
}

/// `dy = dy * a + (x - mean) * b + c` with factors for every channel: the gradient of the input,
/// in place of that of the result. With σ the standard deviation, γ the scale and the sums of
/// [`gradient_sums`] over m rows, a = γ / σ, b = -γ Σ dy (x - mean) / (m σ³), c = -γ Σ dy / (m σ).
pub fn input_gradient(x: &[f32], mean: &[f32], a: &[f32], b: &[f32], c: &[f32], dy: &mut [f32]) {
    let channels = mean.len();
    vectorised!(|| {
        for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact_mut(channels)) {
            let mut first = 0;
            while first + 16 <= channels {
                move_gradient::<16>(x, mean, [a, b, c], dy, first);
                first += 16;
            }
            while first < channels {
                move_gradient::<1>(x, mean, [a, b, c], dy, first);
                first += 1;
            }
        }
    });
}

/// [`input_gradient`] of `N` channels of one row. They are read before any is written, which tells
/// the compiler that the slices do not overlap.
#[inline(always)]
fn move_gradient<const N: usize>(
    x: &[f32],
    mean: &[f32],
    factors: [&[f32]; 3],
    dy: &mut [f32],
    first: usize,
) {
    let (x, mean): ([f32; N], [f32; N]) = (lanes(x, first), lanes(mean, first));
    let [a, b, c]: [[f32; N]; 3] = [
        lanes(factors[0], first),
        lanes(factors[1], first),
        lanes(factors[2], first),
    ];
    let mut moved: [f32; N] = lanes(dy, first);
    for i in 0..N {
        moved[i] = moved[i].mul_add(a[i], (x[i] - mean[i]).mul_add(b[i], c[i]));
    }
    dy[first..first + N].copy_from_slice(&moved);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_hand() {
        let x = [1.0, 10.0, 3.0, 30.0];
        assert_eq!(sums(&x, 2), [4.0, 40.0]);
        assert_eq!(square_sums(&x, &[2.0, 20.0]), [2.0, 200.0]);
        let (plain, weighed) = gradient_sums(&x, &[2.0, 20.0], &[1.0, 2.0, 5.0, 7.0]);
        assert_eq!((plain, weighed), (vec![6.0, 9.0], vec![4.0, 50.0]));
        let mut y = [0.0; 4];
        affine(&x, &[2.0, -1.0], &[-3.0, 20.0], true, &mut y);
        assert_eq!(y, [0.0, 10.0, 3.0, 0.0]);
        let mut dy = [1.0, 2.0, 5.0, 7.0];
        input_gradient(
            &x,
            &[2.0, 20.0],
            &[1.0, 2.0],
            &[0.5, 0.1],
            &[1.0, 0.0],
            &mut dy,
        );
        assert_eq!(dy, [1.5, 3.0, 6.5, 15.0]);
    }

    #[test]
    fn long_sums_keep_their_precision() {
        let x: Vec<f32> = (0..3 * 10_001)
            .map(|i| 100.0 + (i % 7) as f32 * 0.1)
            .collect();
        let got = sums(&x, 3);
        for (c, got) in got.iter().enumerate() {
            let want: f64 = x[c..].iter().step_by(3).map(|&v| f64::from(v)).sum();
            assert!((got - want).abs() < 1e-5 * want, "{got} {want}");
        }
    }
}
