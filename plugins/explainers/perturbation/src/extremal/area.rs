//! The area that a mask is held to.

/// Adds to `gradient` that of -weight · mean((sorted mask - reference)^2) with respect to the mask,
/// where the reference is 0 for the smallest values and 1 for the `ones` largest (Fong, Patrick and
/// Vedaldi 2019, equation 5).
///
/// Equal values share the mean of their places in the reference, so that the order of pixels has no
/// part in it. `order` is working space of the mask's length.
pub(crate) fn add_gradient(
    mask: &[f32],
    ones: usize,
    weight: f64,
    order: &mut Vec<u32>,
    gradient: &mut [f32],
) {
    let n = mask.len();
    order.clear();
    order.extend(0..n as u32);
    order.sort_unstable_by(|&a, &b| mask[a as usize].total_cmp(&mask[b as usize]));
    let zeros = n - ones.min(n);
    let scale = 2.0 * weight / n as f64;
    let mut start = 0;
    while start < n {
        let value = mask[order[start] as usize];
        let mut end = start + 1;
        while end < n && mask[order[end] as usize] == value {
            end += 1;
        }
        let reference = (end - start.max(zeros).min(end)) as f64 / (end - start) as f64;
        let pull = (scale * (reference - f64::from(value))) as f32;
        for &pixel in &order[start..end] {
            gradient[pixel as usize] += pull;
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(mask: &[f32], ones: usize) -> Vec<f32> {
        let mut gradient = vec![0.0; mask.len()];
        // A weight of n / 2 makes the gradient the reference minus the mask.
        let weight = mask.len() as f64 / 2.0;
        add_gradient(mask, ones, weight, &mut Vec::new(), &mut gradient);
        gradient
    }

    #[test]
    fn the_largest_are_pulled_to_one_and_the_rest_to_none() {
        assert_eq!(
            gradient(&[0.25, 0.75, 0.5, 0.0], 1),
            [-0.25, 0.25, -0.5, 0.0]
        );
        assert_eq!(gradient(&[0.25, 0.75, 0.5, 0.0], 3), [0.75, 0.25, 0.5, 0.0]);
        assert_eq!(gradient(&[0.25], 0), [-0.25]);
        assert_eq!(gradient(&[0.25], 1), [0.75]);
    }

    #[test]
    fn equals_share_their_places() {
        assert_eq!(gradient(&[1.0; 4], 1), [-0.75; 4]);
        assert_eq!(gradient(&[0.5, 0.5, 0.25, 1.0], 2), [0.0, 0.0, -0.25, 0.0]);
    }
}
