//! The softmax objective of second order.

use xbench_nn::Threads;

/// Rows of a job.
const JOB: usize = 2048;

/// Loss and accuracy over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Scores {
    /// Mean cross-entropy in nats; NaN without rows.
    pub loss: f64,
    /// Share classified rightly; NaN without rows.
    pub accuracy: f64,
}

/// Gradients of the training rows, and the scores of the training and of the held-out rows.
///
/// `margins[k]` and `pairs[k]` belong to class k; `margins` have a value for every row, `pairs` for
/// the training rows, which come first. With p the softmax of a row's margins, the gradient is
/// p - 1 for its own class and p for others, and the Hessian is 2 p (1 - p), XGBoost's upper bound
/// of the diagonal (`multi:softprob` in its source, `multiclass_obj`).
pub(super) fn gradients(
    threads: &Threads,
    margins: &[Vec<f32>],
    labels: &[u32],
    pairs: &mut [Vec<[f32; 2]>],
) -> [Scores; 2] {
    let rows = labels.len();
    let training = pairs.first().map_or(0, Vec::len);
    let mut by_class: Vec<_> = pairs
        .iter_mut()
        .map(|pairs| pairs.chunks_mut(JOB))
        .collect();
    // Jobs do not straddle the border between training and held-out rows.
    let mut jobs = Vec::new();
    for from in (0..training).step_by(JOB) {
        let chunks: Vec<_> = by_class.iter_mut().filter_map(Iterator::next).collect();
        jobs.push((from, training.min(from + JOB), chunks));
    }
    for from in (training..rows).step_by(JOB) {
        jobs.push((from, rows.min(from + JOB), Vec::new()));
    }
    let sums = threads.map(jobs, |(from, to, mut pairs)| {
        let mut p = vec![0f32; margins.len()];
        let (mut loss, mut right) = (0f64, 0usize);
        for row in from..to {
            let mut top = (f32::NEG_INFINITY, 0);
            for (class, (p, margins)) in p.iter_mut().zip(margins).enumerate() {
                *p = margins[row];
                if *p > top.0 {
                    top = (*p, class);
                }
            }
            let mut sum = 0f64;
            for p in &mut p {
                *p = (*p - top.0).exp();
                sum += f64::from(*p);
            }
            let label = labels[row] as usize;
            for p in &mut p {
                *p /= sum as f32;
            }
            loss -= f64::from(p[label].max(f32::MIN_POSITIVE)).ln();
            right += usize::from(top.1 == label);
            for (class, (pairs, &p)) in pairs.iter_mut().zip(&p).enumerate() {
                let gradient = if class == label { p - 1.0 } else { p };
                pairs[row - from] = [gradient, (2.0 * p * (1.0 - p)).max(1e-16)];
            }
        }
        (from < training, loss, right)
    });
    // Jobs are cut by the data, and added up in their order.
    let mut total = [(0f64, 0usize); 2];
    for (of_training, loss, right) in sums {
        let total = &mut total[usize::from(!of_training)];
        total.0 += loss;
        total.1 += right;
    }
    [(total[0], training), (total[1], rows - training)].map(|((loss, right), n)| Scores {
        loss: loss / n as f64,
        accuracy: right as f64 / n as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_by_hand_and_by_finite_difference() {
        let margins: Vec<Vec<f32>> = vec![
            vec![0.5, 1.0, 0.0],
            vec![0.5, -1.0, 2.0],
            vec![0.5, 0.25, 0.0],
        ];
        let labels = [1, 0, 1];
        let mut pairs = vec![vec![[0.0; 2]; 2]; 3];
        let [training, held] = gradients(&Threads::one(), &margins, &labels, &mut pairs);
        for (class, pairs) in pairs.iter().enumerate() {
            let p = 1.0f32 / 3.0;
            let want = if class == 1 { p - 1.0 } else { p };
            assert!((pairs[0][0] - want).abs() < 1e-6);
            assert!((pairs[0][1] - 2.0 * p * (1.0 - p)).abs() < 1e-6);
        }
        let loss = |m: [f64; 3]| {
            let sum: f64 = m.iter().map(|m| m.exp()).sum();
            sum.ln() - m[0]
        };
        let at = [1.0, -1.0, 0.25];
        for class in 0..3 {
            let (mut up, mut down) = (at, at);
            up[class] += 1e-5;
            down[class] -= 1e-5;
            let slope = (loss(up) - loss(down)) / 2e-5;
            assert!((slope - f64::from(pairs[class][1][0])).abs() < 1e-6);
        }
        assert_eq!(training.accuracy, 0.5);
        assert!((training.loss - (3f64.ln() + loss(at)) / 2.0).abs() < 1e-6);
        assert_eq!(held.accuracy, 1.0);
    }
}
