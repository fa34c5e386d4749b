//! Softmax cross-entropy, worked out in double precision: rows are short, and the loss decides
//! which epoch is kept.

/// Cross-entropy of one row of logits against class `label`, in nats. With `smoothing` s the
/// target is 1 - s for the label plus s / classes for every class (Szegedy et al. 2016,
/// section 7).
///
/// # Panics
/// When `label` is not below the number of logits.
pub fn cross_entropy(logits: &[f32], label: usize, smoothing: f64) -> f64 {
    let total = log_sum_exp(logits);
    let mean = logits.iter().map(|&v| f64::from(v)).sum::<f64>() / logits.len() as f64;
    (1.0 - smoothing) * (total - f64::from(logits[label])) + smoothing * (total - mean)
}

/// Gradient of `scale * cross_entropy(logits, label, smoothing)`, written to `gradient`.
///
/// # Panics
/// When the lengths differ or `label` is not below them.
pub fn cross_entropy_gradient(
    logits: &[f32],
    label: usize,
    smoothing: f64,
    scale: f64,
    gradient: &mut [f32],
) {
    assert_eq!(logits.len(), gradient.len(), "logits and their gradient");
    let total = log_sum_exp(logits);
    let spread = smoothing / logits.len() as f64;
    for (i, (gradient, &v)) in gradient.iter_mut().zip(logits).enumerate() {
        let target = if i == label {
            1.0 - smoothing + spread
        } else {
            spread
        };
        *gradient = (scale * ((f64::from(v) - total).exp() - target)) as f32;
    }
}

/// Probabilities of one row of logits.
///
/// # Panics
/// When the lengths differ.
pub fn softmax(logits: &[f32], probabilities: &mut [f32]) {
    assert_eq!(
        logits.len(),
        probabilities.len(),
        "logits and probabilities"
    );
    let total = log_sum_exp(logits);
    for (p, &v) in probabilities.iter_mut().zip(logits) {
        *p = (f64::from(v) - total).exp() as f32;
    }
}

/// The index of the largest value; of equal ones the first. A NaN counts as the largest.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, &v) in values.iter().enumerate() {
        if v > values[best] || (v.is_nan() && !values[best].is_nan()) {
            best = i;
        }
    }
    best
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let top = logits
        .iter()
        .map(|&v| f64::from(v))
        .fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + logits
        .iter()
        .map(|&v| (f64::from(v) - top).exp())
        .sum::<f64>()
        .ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_logits_cost_the_log_of_the_classes() {
        let logits = [3.0; 10];
        assert!((cross_entropy(&logits, 4, 0.0) - 10f64.ln()).abs() < 1e-12);
        assert!((cross_entropy(&logits, 4, 0.1) - 10f64.ln()).abs() < 1e-12);
        let large = [1000.0, 0.0];
        assert!(cross_entropy(&large, 0, 0.0).abs() < 1e-12);
        assert!((cross_entropy(&large, 1, 0.0) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn gradient_agrees_with_central_differences() {
        let logits = [0.3f32, -1.25, 2.0, 0.5];
        for smoothing in [0.0, 0.1] {
            let mut gradient = [0.0; 4];
            cross_entropy_gradient(&logits, 2, smoothing, 0.5, &mut gradient);
            for i in 0..4 {
                let h = 2f32.powi(-10);
                let at = |step: f32| {
                    let mut moved = logits;
                    moved[i] += step;
                    cross_entropy(&moved, 2, smoothing)
                };
                let want = 0.5 * (at(h) - at(-h)) / (2.0 * f64::from(h));
                assert!((f64::from(gradient[i]) - want).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[1.0, f32::NAN, 3.0]), 1);
    }
}
