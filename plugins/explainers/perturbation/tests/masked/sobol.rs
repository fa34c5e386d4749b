//! Total Sobol indices of functions that have them in closed form.

use crate::models::logits;

/// Mean over the seeds of each column's value, and its standard error.
fn means(maps: &[f32], columns: usize) -> Vec<(f64, f64)> {
    let n = (maps.len() / columns) as f64;
    (0..columns)
        .map(|column| {
            let values = || maps.chunks_exact(columns).map(|map| f64::from(map[column]));
            let mean = values().sum::<f64>() / n;
            let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean, (variance / n).sqrt())
        })
        .collect()
}

/// Five standard errors, and what the ratio of two estimates is biased by: V has N - 1 in its
/// denominator, while even points make its sum nearly exact, and the square of V's error adds a
/// share of the same order.
fn check(maps: &[f32], expected: &[f64], design: f64) -> f64 {
    let mut worst = 0.0_f64;
    for (&expected, (mean, error)) in expected.iter().zip(means(maps, expected.len())) {
        let bound = 5.0 * error + 3.0 * expected / design;
        assert!(
            (mean - expected).abs() <= bound,
            "{mean} {expected} {bound}"
        );
        worst = worst.max((mean - expected).abs());
    }
    worst
}

#[test]
fn a_linear_function_s_indices_are_its_shares_of_variance() {
    const WEIGHTS: [f64; 6] = [1.0, -2.0, 0.5, 0.0, 3.0, 1.5];
    let subject = logits(&[6], |x| {
        let sum: f64 = x.iter().zip(WEIGHTS).map(|(&x, w)| f64::from(x) * w).sum();
        vec![sum + 10.0]
    });
    let x = [1.0_f32, 0.5, -2.0, 1.0, 1.0, 0.0];
    // Each term is w x times a uniform number; those of no weight or no value have no part.
    let squares: Vec<f64> = x
        .iter()
        .zip(WEIGHTS)
        .map(|(&x, w)| (f64::from(x) * w).powi(2))
        .collect();
    let total: f64 = squares.iter().sum();
    let expected: Vec<f64> = squares.iter().map(|s| s / total).collect();
    let seeds: Vec<u64> = (0..40).collect();
    let maps = subject.map("sobol", r#"{"design": 256}"#, &x.repeat(40), &seeds);
    check(&maps, &expected, 256.0);
    for map in maps.chunks_exact(6) {
        assert_eq!(map[5], 0.0, "the column that is its cover");
        assert_eq!(map[3], 0.0, "the column without weight");
    }
    // One forward row per point and column that changes something, and per point of A.
    assert_eq!(subject.asked(), 40 * 256 * 6);
}

#[test]
fn the_g_function_s_indices_are_those_of_sobol() {
    // prod (|4 u - 2| + a) / (1 + a) (Sobol 1993; Saltelli et al. 2010, section 4): with
    // V_i = 1 / (3 (1 + a)^2), the variance is prod (1 + V_i) - 1 and the total index of i is
    // V_i prod over the others of (1 + V_j), over that.
    const A: [f64; 4] = [0.0, 0.5, 3.0, 9.0];
    let subject = logits(&[4], |x| {
        let product = x
            .iter()
            .zip(A)
            .map(|(&u, a)| ((4.0 * f64::from(u) - 2.0).abs() + a) / (1.0 + a));
        vec![product.product()]
    });
    let parts = A.map(|a| 1.0 / (3.0 * (1.0 + a) * (1.0 + a)));
    let all: f64 = parts.iter().map(|v| 1.0 + v).product();
    let expected: Vec<f64> = parts
        .iter()
        .map(|v| v * all / (1.0 + v) / (all - 1.0))
        .collect();
    let seeds: Vec<u64> = (0..40).collect();
    let maps = subject.map(
        "sobol",
        r#"{"design": 1024}"#,
        &[1.0_f32; 4].repeat(40),
        &seeds,
    );
    let worst = check(&maps, &expected, 1024.0);
    assert!(worst < 0.01, "{worst}");
    let sum: f64 = means(&maps, 4).iter().map(|(mean, _)| mean).sum();
    assert!(
        sum > 1.05,
        "interactions are counted for each of theirs: {sum}"
    );
}

#[test]
fn even_points_beat_random_ones() {
    // Jansen's estimate for one column of an additive function, at random points: its standard error
    // with N points is sqrt of (7/5 - 1 + share of V's) / N or so; 0.05 for N = 256. Even points must
    // do much better.
    let subject = logits(&[2], |x| vec![f64::from(x[0] + x[1])]);
    let seeds: Vec<u64> = (0..40).collect();
    let maps = subject.map(
        "sobol",
        r#"{"design": 256}"#,
        &[1.0_f32; 2].repeat(40),
        &seeds,
    );
    for (_, error) in means(&maps, 2) {
        let deviation = error * 40_f64.sqrt();
        assert!(deviation < 0.02, "{deviation}");
    }
}

#[test]
fn more_cells_than_the_sequence_has_dimensions_work() {
    // 196 cells take 392 dimensions; the sequence has 256.
    let subject = logits(&[1, 14, 14], |x| {
        vec![f64::from(x[0]) + 2.0 * f64::from(x[195])]
    });
    let map = subject.map("sobol", r#"{"grid": 14, "design": 256}"#, &[1.0; 196], &[5]);
    assert!((map[0] - 0.2).abs() < 0.05, "{}", map[0]);
    assert!((map[195] - 0.8).abs() < 0.1, "{}", map[195]);
    assert!(map[1..195].iter().all(|&value| value == 0.0));
}
