//! The controls, driven as the host drives them.

#[path = "../../gradient/tests/harness/mod.rs"]
mod harness;
mod models;

use harness::{Rows, explain, fails};
use models::Blank;
use xbench_explainers_controls::xbench_entry_v1 as entry;

const PIXELS: usize = 5 * 4;
const ROW: usize = 2 * PIXELS;

fn rows(count: usize) -> Rows {
    Rows {
        shape: [count, 2, 5, 4],
        x: (0..count * ROW)
            .map(|i| ((i * 53 + 7) as f32 * 0.41).sin())
            .collect(),
        target: vec![0; count],
        seed: (0..count).map(|row| 11 + row as u64).collect(),
        mask: None,
    }
}

#[test]
fn random_is_uniform_and_follows_the_row_s_seed() {
    let mut rows = rows(50);
    let map = explain::<Blank>("org.xbench.random", "{}", &rows);
    assert!(map.iter().all(|v| (0.0..=1.0).contains(v)));
    let n = map.len() as f64;
    let mean = map.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let square = map.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
    assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "{mean}");
    assert!(
        (square - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / n).sqrt(),
        "{square}"
    );
    assert_eq!(map, explain::<Blank>("org.xbench.random", "{}", &rows));
    rows.seed[0] += 1000;
    let other = explain::<Blank>("org.xbench.random", "{}", &rows);
    assert!(map[..ROW].iter().zip(&other).all(|(a, b)| a != b));
    assert_eq!(map[ROW..], other[ROW..]);
}

#[test]
fn constant_is_one() {
    let map = explain::<Blank>("org.xbench.constant", "{}", &rows(3));
    assert_eq!(map, vec![1.0; 3 * ROW]);
}

#[test]
fn input_magnitude_is_the_absolute_input() {
    let rows = rows(3);
    let map = explain::<Blank>("org.xbench.input-magnitude", "{}", &rows);
    assert_eq!(map, rows.x.iter().map(|v| v.abs()).collect::<Vec<_>>());
}

#[test]
fn sobel_takes_each_channel_by_itself() {
    let mut rows = rows(1);
    // Channel 0: a ramp of slope 1 to the right; channel 1: flat.
    rows.x = (0..ROW)
        .map(|i| if i < PIXELS { (i % 4) as f32 } else { 3.0 })
        .collect();
    let map = explain::<Blank>("org.xbench.sobel", "{}", &rows);
    for (i, &value) in map.iter().enumerate() {
        let expected = match (i < PIXELS, i % 4) {
            (true, 1 | 2) => 1.0,
            (true, _) => 0.5,
            (false, _) => 0.0,
        };
        assert_eq!(value, expected, "{i}");
    }
}

#[test]
fn the_centre_gaussian_peaks_in_the_middle() {
    let rows = rows(2);
    let map = explain::<Blank>("org.xbench.centre-gaussian", r#"{"sigma": 0.25}"#, &rows);
    assert_eq!(map[..ROW], map[ROW..]);
    assert_eq!(map[..PIXELS], map[PIXELS..ROW]);
    let mut worst = 0.0_f64;
    for (pixel, &value) in map[..PIXELS].iter().enumerate() {
        let (dy, dx) = ((pixel / 4) as f64 - 2.0, (pixel % 4) as f64 - 1.5);
        // Deviations: 1.25 rows and 1 column.
        let expected = (-(dy * dy) / (2.0 * 1.5625) - dx * dx / 2.0).exp();
        worst = worst.max((2.0 * f64::from(value) - expected).abs());
    }
    assert!(worst < 1e-7, "{worst}");
    let why = fails::<Blank>("org.xbench.centre-gaussian", r#"{"sigma": 0}"#, &rows);
    assert!(why.contains("sigma"), "{why}");
}

#[test]
fn the_oracle_is_the_mask_and_asks_for_one() {
    let mut rows = rows(2);
    let why = fails::<Blank>("org.xbench.oracle", "{}", &rows);
    assert!(why.contains("mask"), "{why}");
    let mask: Vec<u8> = (0..2 * PIXELS)
        .map(|i| u8::from(i % 3 == 0) * 255)
        .collect();
    rows.mask = Some(mask.clone());
    let map = explain::<Blank>("org.xbench.oracle", "{}", &rows);
    for row in 0..2 {
        for pixel in 0..PIXELS {
            let sum = map[row * ROW + pixel] + map[row * ROW + PIXELS + pixel];
            assert_eq!(sum, f32::from(mask[row * PIXELS + pixel] / 255));
        }
    }
}

/// As many pixels as the mask has, in other places, and others again for another seed.
#[test]
fn the_shuffled_oracle_keeps_the_area_alone() {
    let mut rows = rows(2);
    let why = fails::<Blank>("org.xbench.shuffled", "{}", &rows);
    assert!(why.contains("mask"), "{why}");
    let mask: Vec<u8> = (0..2 * PIXELS).map(|i| u8::from(i % 3 == 0)).collect();
    rows.mask = Some(mask.clone());
    let map = explain::<Blank>("org.xbench.shuffled", "{}", &rows);
    for row in 0..2 {
        let sums: Vec<f32> = (0..PIXELS)
            .map(|pixel| map[row * ROW + pixel] + map[row * ROW + PIXELS + pixel])
            .collect();
        let own = &mask[row * PIXELS..][..PIXELS];
        let inside = own.iter().filter(|&&m| m == 1).count();
        assert_eq!(sums.iter().filter(|&&v| v == 1.0).count(), inside);
        assert_eq!(sums.iter().filter(|&&v| v == 0.0).count(), PIXELS - inside);
    }
    rows.seed.iter_mut().for_each(|seed| *seed += 1000);
    assert_ne!(map, explain::<Blank>("org.xbench.shuffled", "{}", &rows));
}

#[test]
fn a_row_s_result_does_not_depend_on_its_neighbours() {
    let mut all = rows(5);
    all.mask = Some((0..5 * PIXELS).map(|i| u8::from(i % 7 < 3)).collect());
    for short in [
        "random",
        "constant",
        "sobel",
        "input-magnitude",
        "centre-gaussian",
        "oracle",
        "shuffled",
    ] {
        let id = format!("org.xbench.{short}");
        let together = explain::<Blank>(&id, "{}", &all);
        for row in 0..5 {
            let alone = explain::<Blank>(&id, "{}", &all.only(row));
            assert_eq!(alone, together[row * ROW..][..ROW], "{id} {row}");
        }
    }
}
