//! Gaussian blur of a plane.

/// Blurs `plane` of height by width in place with a Gaussian of standard deviation `sigma` in
/// pixels, cut at four of them.
///
/// Near the border the weights that fall on the image are scaled to sum to 1, so that a constant
/// plane stays as it is. A `sigma` of 0 changes nothing.
pub(crate) fn blur(plane: &mut [f32], height: usize, width: usize, sigma: f64) {
    if sigma <= 0.0 {
        return;
    }
    let reach = (4.0 * sigma).ceil() as usize;
    let weights: Vec<f64> = (0..=reach)
        .map(|d| (-0.5 * (d as f64 / sigma).powi(2)).exp())
        .collect();
    let mut line = vec![0.0_f64; height.max(width)];
    for row in 0..height {
        pass(plane, row * width, 1, &mut line[..width], &weights);
    }
    for column in 0..width {
        pass(plane, column, width, &mut line[..height], &weights);
    }
}

/// Blurs the line of values that begins at `start` and goes on every `stride`.
fn pass(plane: &mut [f32], start: usize, stride: usize, line: &mut [f64], weights: &[f64]) {
    for (i, value) in line.iter_mut().enumerate() {
        *value = f64::from(plane[start + i * stride]);
    }
    for i in 0..line.len() {
        let (mut sum, mut total) = (line[i], 1.0);
        for (distance, weight) in weights.iter().enumerate().skip(1) {
            if distance <= i {
                sum += weight * line[i - distance];
                total += weight;
            }
            if i + distance < line.len() {
                sum += weight * line[i + distance];
                total += weight;
            }
        }
        plane[start + i * stride] = (sum / total) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_gaussian() {
        let (height, width, sigma) = (31, 33, 1.7_f64);
        let mut plane = vec![0.0_f32; height * width];
        plane[15 * width + 16] = 1.0;
        blur(&mut plane, height, width, sigma);
        let sum: f64 = plane.iter().map(|&v| f64::from(v)).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        for (dy, dx) in [(0_i32, 0_i32), (1, 0), (0, 1), (2, 3), (5, 1)] {
            let expected = (-0.5 * f64::from(dx * dx + dy * dy) / (sigma * sigma)).exp()
                / (std::f64::consts::TAU * sigma * sigma);
            let seen = plane[((15 + dy) * width as i32 + 16 + dx) as usize];
            assert!(
                (f64::from(seen) - expected).abs() < 1e-5,
                "{dy} {dx}: {seen} {expected}"
            );
        }
    }

    #[test]
    fn one_pixel_and_no_width_change_nothing() {
        let mut pixel = [3.25_f32];
        blur(&mut pixel, 1, 1, 2.0);
        assert_eq!(pixel, [3.25]);
        let mut line = [1.0_f32, 5.0, -2.0];
        blur(&mut line, 1, 3, 0.0);
        assert_eq!(line, [1.0, 5.0, -2.0]);
    }
}
