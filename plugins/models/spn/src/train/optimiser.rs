//! Adam (Kingma and Ba 2015) with decoupled weight decay, and the running average of the weights.

use xbench_nn::Threads;

use crate::network::{Kind, Parameters};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Elements that one job changes.
const JOB: usize = 1 << 18;

/// State of the optimiser: an array for each of [`Parameters::arrays`], none for statistics.
#[derive(Clone, Debug)]
pub struct Adam {
    /// First moments.
    pub first: Vec<Vec<f32>>,
    /// Second moments.
    pub second: Vec<Vec<f32>>,
    /// Steps done.
    pub steps: u64,
}

impl Adam {
    /// Zero moments.
    pub fn new(parameters: &Parameters) -> Self {
        let zeros = || {
            let arrays = parameters.arrays();
            arrays
                .iter()
                .map(|(kind, values)| zeros_for(*kind, values.len()))
                .collect()
        };
        Adam {
            first: zeros(),
            second: zeros(),
            steps: 0,
        }
    }

    /// One step along `gradients`, an array for each of [`Parameters::arrays`] (empty for
    /// statistics).
    pub fn step(
        &mut self,
        parameters: &mut Parameters,
        gradients: &[&[f32]],
        rate: f64,
        weight_decay: f64,
        threads: &Threads,
    ) {
        self.steps += 1;
        let power = self.steps.min(i32::MAX as u64) as i32;
        let correction1 = 1.0 - BETA1.powi(power);
        let root2 = (1.0 - BETA2.powi(power)).sqrt();
        // rate · m̂ / (√v̂ + ε), with the corrections folded into the rate and ε.
        let (scale, epsilon) = (
            (rate * root2 / correction1) as f32,
            (EPSILON * root2) as f32,
        );
        let mut jobs = Vec::new();
        for ((((kind, values), gradient), first), second) in parameters
            .arrays_mut()
            .into_iter()
            .zip(gradients)
            .zip(&mut self.first)
            .zip(&mut self.second)
        {
            let keep = match kind {
                Kind::Statistic => continue,
                Kind::Weight => (1.0 - rate * weight_decay) as f32,
                Kind::Vector => 1.0,
            };
            for (((values, gradient), first), second) in values
                .chunks_mut(JOB)
                .zip(gradient.chunks(JOB))
                .zip(first.chunks_mut(JOB))
                .zip(second.chunks_mut(JOB))
            {
                jobs.push((keep, values, gradient, first, second));
            }
        }
        type Job<'a> = (f32, &'a mut [f32], &'a [f32], &'a mut [f32], &'a mut [f32]);
        threads.map(jobs, |(keep, values, gradient, first, second): Job<'_>| {
            let (b1, b2) = (BETA1 as f32, BETA2 as f32);
            xbench_nn::kernel::tile::vectorised(|| {
                for (((p, &g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    *m = b1 * *m + (1.0 - b1) * g;
                    *v = b2 * *v + (1.0 - b2) * g * g;
                    *p = keep * *p - scale * *m / (v.sqrt() + epsilon);
                }
            });
        });
    }
}

fn zeros_for(kind: Kind, len: usize) -> Vec<f32> {
    match kind {
        Kind::Statistic => Vec::new(),
        Kind::Weight | Kind::Vector => vec![0.0; len],
    }
}

/// `average = decay · average + (1 - decay) · now`, running statistics too.
pub(super) fn average(average: &mut Parameters, now: &Parameters, decay: f64, threads: &Threads) {
    let decay = decay as f32;
    let mut jobs = Vec::new();
    for ((_, average), (_, now)) in average.arrays_mut().into_iter().zip(now.arrays()) {
        jobs.extend(average.chunks_mut(JOB).zip(now.chunks(JOB)));
    }
    threads.map(jobs, |(average, now): (&mut [f32], &[f32])| {
        xbench_nn::kernel::tile::vectorised(|| {
            for (average, now) in average.iter_mut().zip(now) {
                *average = decay * *average + (1.0 - decay) * now;
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Architecture, Graph};

    fn ones() -> Parameters {
        let graph = Graph::new(Architecture {
            input: [1, 8, 8],
            outputs: 2,
            depth: 18,
            width: 4,
        })
        .unwrap();
        let mut parameters = Parameters::draw(&graph, 1);
        for (_, values) in parameters.arrays_mut() {
            values.fill(1.0);
        }
        parameters
    }

    #[test]
    fn first_steps_by_hand() {
        let mut parameters = ones();
        let mut adam = Adam::new(&parameters);
        let lengths: Vec<usize> = parameters.arrays().iter().map(|(_, v)| v.len()).collect();
        let (mut m, mut v, mut plain, mut decayed) = (0.0f64, 0.0f64, 1.0f64, 1.0f64);
        for (t, g) in [(1, 0.5f64), (2, -0.25)] {
            let gradients: Vec<Vec<f32>> = lengths.iter().map(|&n| vec![g as f32; n]).collect();
            let gradients: Vec<&[f32]> = gradients.iter().map(|g| &g[..]).collect();
            adam.step(&mut parameters, &gradients, 0.1, 0.5, &Threads::one());
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (c1, c2) = (1.0 - 0.9f64.powi(t), 1.0 - 0.999f64.powi(t));
            let change = 0.1 * (m / c1) / ((v / c2).sqrt() + 1e-8);
            plain -= change;
            decayed = decayed * (1.0 - 0.05) - change;
        }
        for (kind, values) in parameters.arrays() {
            let want = match kind {
                Kind::Weight => decayed,
                Kind::Vector => plain,
                Kind::Statistic => 1.0,
            };
            assert!((f64::from(values[0]) - want).abs() < 1e-5, "{kind:?}");
        }
        let mut mean = ones();
        average(&mut mean, &parameters, 0.75, &Threads::one());
        let (_, weights) = mean.arrays()[0];
        assert!((f64::from(weights[0]) - (0.75 + 0.25 * decayed)).abs() < 1e-5);
    }
}
