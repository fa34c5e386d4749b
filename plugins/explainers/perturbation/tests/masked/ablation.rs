//! Feature ablation and the further windows and fills of occlusion: closed forms of linear models.

use crate::models::{Subject, logits};

const SHAPE: [usize; 3] = [2, 6, 7];
const PLANE: usize = 42;

fn weight(i: usize) -> f64 {
    f64::from(((i as f64 * 0.77 + 0.3).sin()) as f32)
}

fn linear(x: &[f32]) -> Vec<f64> {
    let sum: f64 = x
        .iter()
        .enumerate()
        .map(|(i, &x)| weight(i) * f64::from(x))
        .sum();
    vec![sum + 2.0, 0.0]
}

fn row(k: usize) -> Vec<f32> {
    (0..2 * PLANE)
        .map(|i| ((i * 31 + k * 17) as f32 * 0.3).sin())
        .collect()
}

/// The sum of w (x - b) over both channels of the pixels that `inside` picks.
fn worth(x: &[f32], b: &[f32], inside: impl Fn(usize, usize) -> bool) -> f64 {
    (0..2 * PLANE)
        .filter(|i| inside(i % PLANE / 7, i % PLANE % 7))
        .map(|i| weight(i) * (f64::from(x[i]) - f64::from(b[i])))
        .sum()
}

fn channel_means(x: &[f32]) -> Vec<f32> {
    x.chunks_exact(PLANE)
        .flat_map(|plane| {
            let mean = plane.iter().map(|&v| f64::from(v)).sum::<f64>() / PLANE as f64;
            vec![mean as f32; PLANE]
        })
        .collect()
}

fn close(map: &[f32], pixel: usize, expected: f64) {
    let value = f64::from(map[pixel]) + f64::from(map[PLANE + pixel]);
    assert!(
        (value - expected).abs() < 2e-6,
        "{pixel}: {value} {expected}"
    );
    assert_eq!(map[pixel], map[PLANE + pixel]);
}

#[test]
fn a_segment_is_worth_its_weights_times_its_change() {
    let subject = logits(&SHAPE, linear);
    for k in 0..3 {
        let x = row(k);
        for (params, b) in [
            (r#"{"cell": 3}"#, vec![0.0; 2 * PLANE]),
            (r#"{"cell": 3, "fill": 0.25}"#, vec![0.25; 2 * PLANE]),
            (r#"{"cell": 3, "fill_with": "mean"}"#, channel_means(&x)),
        ] {
            let map = subject.map("feature-ablation", params, &x, &[0]);
            for pixel in 0..PLANE {
                let cell = (pixel / 7 / 3, pixel % 7 / 3);
                let expected = worth(&x, &b, |r, c| (r / 3, c / 3) == cell);
                close(&map, pixel, expected);
            }
        }
        subject.asked();
        subject.map("feature-ablation", r#"{"cell": 3}"#, &x, &[0]);
        assert_eq!(subject.asked(), 1 + 2 * 3);
    }
}

#[test]
fn superpixels_are_segments_of_one_value_that_add_up() {
    let subject = logits(&SHAPE, linear);
    let x = [row(0), row(1)].concat();
    for params in [
        r#"{"segmentation": "slic", "segments": 6}"#,
        r#"{"segmentation": "quickshift", "kernel_size": 1.0, "max_distance": 2.0}"#,
        r#"{"segmentation": "grid", "cell": 100}"#,
    ] {
        let together = subject.map("feature-ablation", params, &x, &[0, 0]);
        for k in 0..2 {
            let map = subject.map("feature-ablation", params, &row(k), &[0]);
            assert_eq!(map, together[k * 2 * PLANE..][..2 * PLANE]);
            // A linear model's segments add up to the whole; a segment holds its value once.
            let mut values: Vec<f32> = map[..PLANE].to_vec();
            values.sort_by(f32::total_cmp);
            values.dedup();
            let sum: f64 = values.iter().map(|&v| 2.0 * f64::from(v)).sum();
            let whole = worth(&row(k), &[0.0; 2 * PLANE], |_, _| true);
            assert!((sum - whole).abs() < 2e-5, "{params}: {sum} {whole}");
        }
    }
}

#[test]
fn columns_are_worth_weight_times_distance() {
    let table = |x: &[f32]| vec![2.0 * f64::from(x[0]) - 3.0 * f64::from(x[1])];
    let subject = logits(&[3], table);
    let map = subject.map(
        "feature-ablation",
        r#"{"fill": 1.0}"#,
        &[2.0, 0.0, 5.0, 1.0, 2.0, 1.0],
        &[0, 0],
    );
    assert_eq!(map, [2.0, 3.0, 0.0, 0.0, -3.0, 0.0]);
    let why = subject.refusal("feature-ablation", r#"{"fill_with": "mean"}"#, &[1.0; 3]);
    assert!(why.contains("columns"), "{why}");
}

#[test]
fn windows_may_be_of_any_shape() {
    let subject = logits(&SHAPE, linear);
    let x = row(4);
    let cut = |side: usize, window: usize, stride: usize| {
        let count = 1 + side.saturating_sub(window).div_ceil(stride);
        (0..count).map(move |i| i * stride..(i * stride + window).min(side))
    };
    for (window, strides, with) in [
        ([2, 5], [1, 3], "constant"),
        ([6, 1], [6, 1], "mean"),
        ([1, 7], [1, 2], "constant"),
    ] {
        let params =
            format!(r#"{{"window": {window:?}, "strides": {strides:?}, "fill_with": "{with}"}}"#);
        let b = if with == "mean" {
            channel_means(&x)
        } else {
            vec![0.0; 2 * PLANE]
        };
        let map = subject.map("occlusion", &params, &x, &[0]);
        for pixel in 0..PLANE {
            let (r, c) = (pixel / 7, pixel % 7);
            let falls: Vec<f64> = cut(6, window[0], strides[0])
                .flat_map(|rows| {
                    cut(7, window[1], strides[1]).map(move |columns| (rows.clone(), columns))
                })
                .filter(|(rows, columns)| rows.contains(&r) && columns.contains(&c))
                .map(|(rows, columns)| {
                    worth(&x, &b, |r, c| rows.contains(&r) && columns.contains(&c))
                })
                .collect();
            close(&map, pixel, falls.iter().sum::<f64>() / falls.len() as f64);
        }
    }
    let why = subject.refusal("occlusion", r#"{"window": [2, 5], "strides": [3, 1]}"#, &x);
    assert!(why.contains("stride 3"), "{why}");
    let why = subject.refusal("occlusion", r#"{"fill_with": "blur", "blur": 0}"#, &x);
    assert!(why.contains("blur"), "{why}");
}

#[test]
fn one_window_of_blur_is_worth_all_that_blurring_takes() {
    let subject = logits(&SHAPE, linear);
    let x = row(5);
    let map = subject.map(
        "occlusion",
        r#"{"patch": 7, "fill_with": "blur", "blur": 0.2}"#,
        &x,
        &[0],
    );
    // By hand: two passes of a Gaussian of 0.2 * 6 pixels, cut at 5 pixels, weights scaled to 1.
    let sigma = f64::from(0.2_f32) * 6.0;
    let pass = |line: &[f64]| -> Vec<f64> {
        (0..line.len())
            .map(|i| {
                let weights: Vec<f64> = (0..line.len())
                    .map(|j| {
                        let d = i.abs_diff(j) as f64;
                        if d > (4.0 * sigma).ceil() {
                            0.0
                        } else {
                            (-0.5 * (d / sigma).powi(2)).exp()
                        }
                    })
                    .collect();
                let sum: f64 = line.iter().zip(&weights).map(|(v, w)| v * w).sum();
                sum / weights.iter().sum::<f64>()
            })
            .collect()
    };
    let mut b = Vec::new();
    for plane in x.chunks_exact(PLANE) {
        let lines: Vec<Vec<f64>> = plane
            .chunks_exact(7)
            .map(|line| pass(&line.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()))
            .collect();
        let columns: Vec<Vec<f64>> = (0..7)
            .map(|c| pass(&lines.iter().map(|line| line[c]).collect::<Vec<_>>()))
            .collect();
        b.extend((0..PLANE).map(|i| columns[i % 7][i / 7] as f32));
    }
    close(&map, 0, worth(&x, &b, |_, _| true));
    assert!(map.iter().all(|&value| value == map[0]));
}

fn one_output(subject: &Subject, params: &str, x: &[f32]) {
    let map = subject.map("feature-ablation", params, x, &[0]);
    assert!(map.iter().all(|&value| value == 0.0), "{params}");
    assert_eq!(subject.asked(), 0);
}

#[test]
fn what_covering_does_not_change_is_zero_and_not_asked() {
    let subject = logits(&SHAPE, linear);
    for params in [
        r#"{"fill": 0.5}"#,
        r#"{"fill_with": "mean"}"#,
        r#"{"fill_with": "blur"}"#,
        r#"{"fill_with": "mean", "segmentation": "slic"}"#,
        r#"{"fill_with": "mean", "segmentation": "quickshift"}"#,
    ] {
        one_output(&subject, params, &[0.5; 2 * PLANE]);
    }
}
