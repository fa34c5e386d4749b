//! HSIC attribution: what the output depends on, and what it does not.

use crate::models::logits;

/// Cells of a 2 by 3 grid over 4 by 6 pixels matter by these weights.
const WEIGHTS: [f64; 6] = [2.0, 0.0, -1.0, 0.5, 0.0, 1.0];

fn cell(pixel: usize) -> usize {
    pixel / 6 / 2 * 3 + pixel % 6 / 2
}

fn image(x: &[f32]) -> Vec<f64> {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, &x)| WEIGHTS[cell(i)] * f64::from(x))
        .sum();
    vec![sum]
}

#[test]
fn a_table_s_dependence_is_that_of_its_masks() {
    // One column decides: the outcome takes two values, half of the masks each, and the statistic is
    // exact: L is 1 within and e = exp(-d^2 / 2 w^2) between the halves, where the median distance w
    // is d since more pairs lie between halves than within. t' L t = n^2 (1 - e) / 2.
    let subject = logits(&[1], |x| vec![3.0 * f64::from(x[0])]);
    let n = 100.0_f64;
    let map = subject.map("hsic", r#"{"masks": 100}"#, &[2.0], &[4]);
    let expected = 0.25 * n * n * (1.0 - (-0.5_f64).exp()) / ((n - 1.0) * (n - 1.0));
    assert!(
        (f64::from(map[0]) - expected).abs() < 1e-7,
        "{} {expected}",
        map[0]
    );
}

#[test]
fn cells_that_do_not_matter_are_near_zero_and_below_all_others() {
    let table: fn(&[f32]) -> Vec<f64> =
        |x| vec![x.iter().zip(WEIGHTS).map(|(&x, w)| w * f64::from(x)).sum()];
    let subject = logits(&[6], table);
    let (masks, runs) = (1000, 20);
    let seeds: Vec<u64> = (0..runs).collect();
    let params = format!(r#"{{"masks": {masks}}}"#);
    let maps = subject.map("hsic", &params, &[1.0_f32; 6].repeat(runs as usize), &seeds);
    for map in maps.chunks_exact(6) {
        let least = (0..6)
            .filter(|&i| WEIGHTS[i] != 0.0)
            .map(|i| map[i])
            .fold(f32::INFINITY, f32::min);
        for i in [1, 4] {
            // n times the statistic of independent variables is at most chi squared of one degree of
            // freedom times half of the largest eigenvalue sum of the centred L, which is below 1:
            // 15 is passed with a chance of 1e-4.
            assert!(map[i] * (masks as f32) < 7.5, "{map:?}");
            assert!(map[i] < least, "{map:?}");
        }
        // The larger a weight, the more the output depends on it.
        assert!(map[0] > map[2] && map[2] > map[3], "{map:?}");
    }
    // Equal weights of either sign depend equally, within the draws' scatter.
    let mean = |i: usize| {
        maps.chunks_exact(6)
            .map(|map| f64::from(map[i]))
            .sum::<f64>()
    };
    assert!(
        (mean(2) / mean(5) - 1.0).abs() < 0.1,
        "{} {}",
        mean(2),
        mean(5)
    );
}

#[test]
fn pixels_have_their_cell_s_value() {
    let subject = logits(&[1, 4, 6], image);
    let map = subject.map("hsic", r#"{"grid": 2, "masks": 64}"#, &[1.0; 24], &[1]);
    for (i, &value) in map.iter().enumerate() {
        assert_eq!(value, map[i / 6 / 2 * 12 + i % 6 / 3 * 3]);
    }
    assert_eq!(subject.asked(), 64);
}

#[test]
fn cells_that_are_their_cover_have_exactly_none() {
    let subject = logits(&[1, 4, 6], image);
    let mut x = [1.0_f32; 24];
    for (i, x) in x.iter_mut().enumerate() {
        if i / 6 < 2 {
            *x = 0.0;
        }
    }
    let map = subject.map("hsic", r#"{"grid": 2, "masks": 64}"#, &x, &[1]);
    assert!(map[..12].iter().all(|&value| value == 0.0));
    assert!(map[12..].iter().all(|&value| value > 0.0));
    let map = subject.map("hsic", "{}", &[0.0; 24], &[1]);
    assert!(map.iter().all(|&value| value == 0.0));
    assert_eq!(subject.asked(), 64);
}
