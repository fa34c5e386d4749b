//! The loss: cross-entropy of the class plus λ times the localisation loss of the mask.

use xbench_nn::kernel::loss;

use super::recipe::LocalisationLoss;
use crate::network::sigmoid;

/// Loss of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Mean cross-entropy of the class, in nats.
    pub class: f64,
    /// Mean localisation loss over the images with a mask; 0 without any.
    pub localisation: f64,
    /// Images classified rightly.
    pub right: usize,
}

/// Cross-entropy of logits `[n, classes]`, and its gradient, as means over the batch.
pub fn classify(logits: &[f32], labels: &[usize], smoothing: f64, gradient: &mut [f32]) -> Loss {
    let classes = logits.len() / labels.len().max(1);
    let share = 1.0 / labels.len().max(1) as f64;
    let (mut sum, mut right) = (0.0, 0);
    for ((logits, gradient), &label) in logits
        .chunks_exact(classes)
        .zip(gradient.chunks_exact_mut(classes))
        .zip(labels)
    {
        sum += loss::cross_entropy(logits, label, smoothing);
        loss::cross_entropy_gradient(logits, label, smoothing, share, gradient);
        right += usize::from(loss::argmax(logits) == label);
    }
    Loss {
        class: sum * share,
        localisation: 0.0,
        right,
    }
}

/// Mean localisation loss of one image's map (before the sigmoid) against its mask, and `scale`
/// times its gradient.
pub fn localise(
    kind: LocalisationLoss,
    map: &[f32],
    mask: &[f32],
    scale: f64,
    gradient: &mut [f32],
) -> f64 {
    let share = 1.0 / map.len().max(1) as f64;
    let factor = (scale * share) as f32;
    let mut sum = 0.0_f64;
    for ((&z, &t), gradient) in map.iter().zip(mask).zip(gradient) {
        let p = sigmoid(z);
        let (value, slope) = match kind {
            // -t ln σ(z) - (1 - t) ln(1 - σ(z)), without overflow.
            LocalisationLoss::Ce => (z.max(0.0) - z * t + (-z.abs()).exp().ln_1p(), p - t),
            LocalisationLoss::L1 => ((p - t).abs(), (p - t).signum() * p * (1.0 - p)),
            LocalisationLoss::L2 => ((p - t) * (p - t), 2.0 * (p - t) * p * (1.0 - p)),
        };
        sum += f64::from(value);
        *gradient = factor * slope;
    }
    sum * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_by_hand() {
        let (map, mask) = ([0.0, 3.0_f32.ln()], [1.0, 0.0]);
        // Probabilities 1/2 and 3/4.
        let mut gradient = [0.0; 2];
        let ce = localise(LocalisationLoss::Ce, &map, &mask, 1.0, &mut gradient);
        assert!((ce - (2.0_f64.ln() + 4.0_f64.ln()) / 2.0).abs() < 1e-6);
        assert!((gradient[0] + 0.25).abs() < 1e-6 && (gradient[1] - 0.375).abs() < 1e-6);
        let l1 = localise(LocalisationLoss::L1, &map, &mask, 1.0, &mut gradient);
        assert!((l1 - 0.625).abs() < 1e-6);
        let l2 = localise(LocalisationLoss::L2, &map, &mask, 1.0, &mut gradient);
        assert!((l2 - (0.25 + 0.5625) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let (map, mask) = ([0.3, -1.2, 2.0, 0.7], [1.0, 0.0, 0.0, 1.0]);
        for kind in [
            LocalisationLoss::Ce,
            LocalisationLoss::L1,
            LocalisationLoss::L2,
        ] {
            let mut gradient = [0.0; 4];
            localise(kind, &map, &mask, 0.5, &mut gradient);
            for i in 0..4 {
                let h = 2.0_f32.powi(-7);
                let at = |step: f32| {
                    let mut moved = map;
                    moved[i] += step;
                    localise(kind, &moved, &mask, 1.0, &mut [0.0; 4])
                };
                let want = 0.5 * (at(h) - at(-h)) / (2.0 * f64::from(h));
                assert!((f64::from(gradient[i]) - want).abs() < 2e-5, "{kind:?}");
            }
        }
    }

    #[test]
    fn extreme_maps_stay_finite() {
        let mut gradient = [0.0; 2];
        let value = localise(
            LocalisationLoss::Ce,
            &[-200.0, 200.0],
            &[1.0, 0.0],
            1.0,
            &mut gradient,
        );
        assert_eq!((value, gradient), (200.0, [-0.5, 0.5]));
    }
}
