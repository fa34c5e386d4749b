//! Expected gradients: integrated gradients averaged over baselines from the data.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::pullback::for_each_gradient;
use crate::uniform::Uniform;

xbench_plugin::params! {
    /// Parameters of expected gradients.
    pub struct ExpectedGradientsParams {
        /// Points at which the gradient is taken, for every row.
        samples: u32 = 200, 1..=100_000;
    }
}

/// Expected gradients (Erion et al. 2021, equation 4), also known as GradientSHAP (Lundberg and Lee
/// 2017): the expectation of (x - b) times d f_target / d x at b + a (x - b), over b from the
/// background rows and a uniform on [0, 1].
///
/// Signed, in units of the output; in expectation the values sum to f(x) minus the background's mean
/// output. Both draws are stratified: the background rows take turns in an order drawn from the row's
/// seed, and the r-th of a background row's n turns has its a in the r-th n-th of the path, in a cell
/// of its own there; that leaves the expectation as it is and lowers the variance. `samples` forward
/// and backward rows per row.
#[derive(Clone, Debug)]
pub struct ExpectedGradients {
    samples: usize,
}

impl Plugin for ExpectedGradients {
    const META: Meta = Meta {
        id: c"org.xbench.expected-gradients",
        name: c"Expected gradients",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"G. Erion, J. D. Janizek, P. Sturmfels, S. M. Lundberg, S.-I. Lee, Improving performance of deep learning models with axiomatic attribution priors and expected gradients, 2021",
        summary: c"Integrated gradients, averaged over baselines drawn from the training data.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = ExpectedGradientsParams;

    fn create(params: ExpectedGradientsParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            samples: params.samples as usize,
        })
    }
}

/// The draws of one row.
struct RowDraws {
    /// Background row of each sample.
    baseline: Vec<usize>,
    /// Place on the path of each sample, in 0..1.
    place: Vec<f32>,
}

impl RowDraws {
    fn new(seed: u64, samples: usize, background: usize) -> Self {
        let mut draws = Uniform::new(seed);
        let mut order: Vec<usize> = (0..background).collect();
        draws.shuffle(&mut order);
        let mut cells: Vec<usize> = (0..background).collect();
        let (mut baseline, mut place) = (Vec::new(), Vec::new());
        for sample in 0..samples {
            let (round, turn) = (sample / background, sample % background);
            if turn == 0 {
                draws.shuffle(&mut cells);
            }
            // How often this background row has its turn in all.
            let rounds = samples / background + usize::from(turn < samples % background);
            let within = (cells[turn] as f64 + draws.next()) / background as f64;
            baseline.push(order[turn]);
            place.push(((round as f64 + within) / rounds as f64) as f32);
        }
        Self { baseline, place }
    }
}

impl Explainer for ExpectedGradients {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let background = batch.background.ok_or_else(|| {
            Error::invalid_argument("expected gradients need background rows, and there are none")
        })?;
        let x = batch.x;
        let row_len = x.row_len();
        let draws: Vec<RowDraws> = batch
            .seed
            .iter()
            .map(|&seed| RowDraws::new(seed, self.samples, background.rows()))
            .collect();
        let mut sum = vec![0.0_f64; row_len];
        for_each_gradient(
            ctx,
            model,
            x,
            batch.target,
            self.samples,
            |row, sample, out| {
                let draws = &draws[row];
                let place = draws.place[sample];
                let baseline = background.row(draws.baseline[sample]);
                for ((out, x), b) in out.iter_mut().zip(x.row(row)).zip(baseline) {
                    *out = b + place * (x - b);
                }
            },
            |row, sample, gradient| {
                let baseline = background.row(draws[row].baseline[sample]);
                let inputs = x.row(row).iter().zip(baseline);
                for ((sum, gradient), (x, b)) in sum.iter_mut().zip(gradient).zip(inputs) {
                    *sum += f64::from(x - b) * f64::from(*gradient);
                }
                if sample + 1 == self.samples {
                    let out = &mut attribution[row * row_len..][..row_len];
                    for (out, sum) in out.iter_mut().zip(&sum) {
                        *out = (sum / self.samples as f64) as f32;
                    }
                    sum.fill(0.0);
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_over_rows_and_places() {
        let draws = RowDraws::new(3, 40, 8);
        for row in 0..8 {
            assert_eq!(draws.baseline.iter().filter(|&&b| b == row).count(), 5);
        }
        let mut cells: Vec<usize> = draws.place.iter().map(|p| (p * 40.0) as usize).collect();
        cells.sort_unstable();
        assert_eq!(cells, (0..40).collect::<Vec<_>>());
        // 13 = 8 + 5: five rows have two turns, one in each half of the path.
        let draws = RowDraws::new(3, 13, 8);
        for turn in 0..5 {
            assert_eq!(draws.baseline[turn], draws.baseline[turn + 8]);
            assert!(draws.place[turn] < 0.5 && draws.place[turn + 8] >= 0.5);
        }
        assert_ne!(draws.place, RowDraws::new(4, 13, 8).place);
    }
}
