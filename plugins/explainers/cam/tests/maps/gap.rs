//! A network with global average pooling: the weighted sum by hand, and what the methods have in
//! common there.

use xbench_explainers_cam::Resize;

use crate::gap_net::{
    CHANNELS, GapNet, MAP_SIDE, MAPS, OUTPUTS, SIDE, UNITS, head_bias, head_weight,
};
use crate::harness::{Rows, explain, fails};

const PIXELS: usize = SIDE * SIDE;
const ROW: usize = CHANNELS * PIXELS;

/// All that ask nothing of the network but layers and gradients.
const IDS: [&str; 8] = [
    "org.xbench.cam",
    "org.xbench.gradcam",
    "org.xbench.gradcam-plus-plus",
    "org.xbench.xgradcam",
    "org.xbench.hirescam",
    "org.xbench.layercam",
    "org.xbench.eigencam",
    "org.xbench.scorecam",
];

fn rows(count: usize) -> Rows {
    crate::rows(count, [CHANNELS, SIDE, SIDE], OUTPUTS)
}

/// The map of one row by the definition, before it is enlarged.
fn small_map(rows: &Rows, row: usize) -> Vec<f64> {
    let features = GapNet::features(rows.row(row));
    let target = rows.target[row] as usize;
    (0..UNITS)
        .map(|unit| {
            (0..MAPS)
                .map(|map| {
                    f64::from(head_weight(target, map)) * f64::from(features[map * UNITS + unit])
                })
                .sum()
        })
        .collect()
}

fn enlarge(map: &[f64]) -> Vec<f64> {
    let map: Vec<f32> = map.iter().map(|&v| v as f32).collect();
    let mut out = vec![0.0; PIXELS];
    Resize::bilinear([MAP_SIDE; 2], [SIDE; 2]).apply(&map, &mut out);
    out.into_iter().map(f64::from).collect()
}

/// Largest difference between the sum of an attribution's channels and `expected`.
fn deviation(attribution: &[f32], expected: &[f64]) -> f64 {
    let (first, second) = attribution.split_at(PIXELS);
    assert_eq!(first, second, "each channel holds its share of the map");
    first
        .iter()
        .zip(second)
        .zip(expected)
        .map(|((a, b), expected)| (f64::from(*a) + f64::from(*b) - expected).abs())
        .fold(0.0, f64::max)
}

#[test]
fn cam_is_the_weighted_sum_of_the_maps() {
    let rows = rows(5);
    let map = explain::<GapNet>("org.xbench.cam", "{}", &rows);
    let mut negative = false;
    for (row, map) in map.chunks_exact(ROW).enumerate() {
        let small = small_map(&rows, row);
        // The mean over the units is the output without its bias.
        let output = GapNet::outputs(rows.row(row))[row % OUTPUTS] - head_bias(row % OUTPUTS);
        let mean = small.iter().sum::<f64>() / UNITS as f64;
        assert!((mean - f64::from(output)).abs() < 1e-6);
        negative |= small.iter().any(|&v| v < 0.0);
        let worst = deviation(map, &enlarge(&small));
        assert!(worst < 1e-6, "{worst}");
    }
    assert!(negative, "maps without negative values test less");
}

#[test]
fn rectified_cam_cuts_before_it_enlarges() {
    let rows = rows(5);
    let map = explain::<GapNet>("org.xbench.cam", r#"{"relu": true}"#, &rows);
    for (row, map) in map.chunks_exact(ROW).enumerate() {
        let cut: Vec<f64> = small_map(&rows, row).iter().map(|v| v.max(0.0)).collect();
        let worst = deviation(map, &enlarge(&cut));
        assert!(worst < 1e-6, "{worst}");
    }
}

#[test]
fn gradcam_is_cam_over_the_number_of_units() {
    let rows = rows(8);
    for relu in [false, true] {
        let params = format!(r#"{{"relu": {relu}}}"#);
        let cam = explain::<GapNet>("org.xbench.cam", &params, &rows);
        let gradcam = explain::<GapNet>("org.xbench.gradcam", &params, &rows);
        let worst = cam
            .iter()
            .zip(&gradcam)
            .map(|(cam, gradcam)| (cam - gradcam * UNITS as f32).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-6, "{worst}");
        assert!(cam.iter().any(|&v| v != 0.0));
    }
}

#[test]
fn xgradcam_and_hirescam_are_gradcam() {
    let rows = rows(8);
    for relu in [false, true] {
        let params = format!(r#"{{"relu": {relu}}}"#);
        let gradcam = explain::<GapNet>("org.xbench.gradcam", &params, &rows);
        for id in ["org.xbench.xgradcam", "org.xbench.hirescam"] {
            let other = explain::<GapNet>(id, &params, &rows);
            let worst = gradcam
                .iter()
                .zip(&other)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-7, "{id}: {worst}");
        }
    }
}

#[test]
fn grad_cam_plus_plus_and_layercam_in_closed_form() {
    // The gradient of map k is g = w / units at all its units.
    let rows = rows(5);
    let layercam = explain::<GapNet>("org.xbench.layercam", "{}", &rows);
    let plus_plus = explain::<GapNet>("org.xbench.gradcam-plus-plus", "{}", &rows);
    for row in 0..5 {
        let features = GapNet::features(rows.row(row));
        let (mut layer, mut plus) = (vec![0.0; UNITS], vec![0.0; UNITS]);
        for (map, values) in features.chunks_exact(UNITS).enumerate() {
            let g = (f64::from(head_weight(row % OUTPUTS, map)) / UNITS as f64).max(0.0);
            let total: f64 = values.iter().map(|&v| f64::from(v)).sum();
            let weight = UNITS as f64 * g / (2.0 + total * g);
            for (unit, &value) in values.iter().enumerate() {
                layer[unit] += g * f64::from(value);
                plus[unit] += weight * f64::from(value);
            }
        }
        let worst = deviation(&layercam[row * ROW..][..ROW], &enlarge(&layer));
        assert!(worst < 1e-7, "{worst}");
        let worst = deviation(&plus_plus[row * ROW..][..ROW], &enlarge(&plus));
        assert!(worst < 1e-6, "{worst}");
    }
}

#[test]
fn gradcam_rectifies_and_takes_the_last_convolution_by_default() {
    let rows = rows(4);
    let default = explain::<GapNet>("org.xbench.gradcam", "{}", &rows);
    assert!(default.iter().all(|&v| v >= 0.0));
    let named = explain::<GapNet>("org.xbench.gradcam", r#"{"layer": "conv"}"#, &rows);
    assert_eq!(default, named);
}

#[test]
fn a_row_s_result_does_not_depend_on_its_neighbours() {
    let all = rows(6);
    for id in IDS {
        let together = explain::<GapNet>(id, "{}", &all);
        for row in 0..6 {
            let alone = explain::<GapNet>(id, "{}", &all.only(row));
            assert_eq!(alone, together[row * ROW..][..ROW], "{id} {row}");
        }
    }
}

#[test]
fn more_rows_than_one_call_takes() {
    let mut all = rows(300);
    // No multiple of the rows of a call: a row that took another's target would show.
    for (row, target) in all.target.iter_mut().enumerate() {
        *target = (row / 3 % OUTPUTS) as i64;
    }
    for id in IDS {
        let together = explain::<GapNet>(id, "{}", &all);
        for row in [0, 255, 256, 299] {
            let alone = explain::<GapNet>(id, "{}", &all.only(row));
            assert_eq!(alone, together[row * ROW..][..ROW], "{id} {row}");
        }
    }
}

#[test]
fn errors_name_the_layers_and_the_target() {
    let mut rows = rows(2);
    let why = fails::<GapNet>("org.xbench.gradcam", r#"{"layer": "conv9"}"#, &rows);
    assert!(
        why.contains("conv9") && why.contains("conv (conv2d)"),
        "{why}"
    );
    let why = fails::<GapNet>("org.xbench.gradcam", r#"{"layer": "pool"}"#, &rows);
    assert!(
        why.contains("pool") && why.contains("feature maps"),
        "{why}"
    );
    rows.target[1] = -1;
    for id in IDS {
        let why = fails::<GapNet>(id, "{}", &rows);
        assert!(why.contains("target -1"), "{why}");
    }
}
