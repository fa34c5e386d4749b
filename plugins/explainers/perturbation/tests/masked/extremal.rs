//! Extremal perturbation finds what was planted, and keeps to its areas.

use crate::models::{Subject, logits};

const SIDE: usize = 16;
const PIXELS: usize = SIDE * SIDE;

/// The planted square: rows 4 to 8, columns 8 to 12.
fn planted(pixel: usize) -> bool {
    (4..9).contains(&(pixel / SIDE)) && (8..13).contains(&(pixel % SIDE))
}

/// The logit is 20 times the mean of the planted square, saturating; the rest counts a little
/// against it.
fn square() -> Subject {
    logits(&[1, SIDE, SIDE], |x| {
        let (mut inside, mut outside) = (0.0, 0.0);
        for (i, &x) in x.iter().enumerate() {
            if planted(i) {
                inside += f64::from(x) / 25.0;
            } else {
                outside += f64::from(x) / PIXELS as f64;
            }
        }
        vec![20.0 * inside.tanh() - outside, 0.0]
    })
}

fn texture() -> Vec<f32> {
    (0..PIXELS)
        .map(|i| 0.6 + 0.4 * ((i * 7919 % 101) as f32 / 101.0))
        .collect()
}

#[test]
fn the_planted_square_is_found_and_the_area_kept() {
    let subject = square();
    let share = 25.0 / PIXELS as f32;
    for (variant, outcome) in [("preserve", "logit"), ("delete", "logit")] {
        let params = format!(
            r#"{{"areas": [{share}], "variant": "{variant}", "fill_with": "constant", "sigma": 0.0625, "outcome": "{outcome}"}}"#
        );
        let map = subject.map("extremal-perturbation", &params, &texture(), &[0]);
        assert!(map.iter().all(|value| (0.0..=1.0).contains(value)));
        let area = map.iter().sum::<f32>() / PIXELS as f32;
        assert!(
            (area - share).abs() < 0.03,
            "{variant}: area {area} for {share}"
        );
        let sum: f32 = (0..PIXELS).filter(|&i| planted(i)).map(|i| map[i]).sum();
        let inside = sum / 25.0;
        let outside = (map.iter().sum::<f32>() - sum) / (PIXELS - 25) as f32;
        assert!(
            inside > 0.8 && outside < 0.05,
            "{variant}: {inside} {outside}"
        );
        let top = (0..PIXELS).max_by(|&a, &b| map[a].total_cmp(&map[b]));
        assert!(planted(top.expect("pixels")), "{variant}");
    }
}

#[test]
fn areas_are_kept_and_added_up() {
    let subject = square();
    let areas = [0.1, 0.3, 0.6];
    let mut sum = vec![0.0_f32; PIXELS];
    for area in areas {
        let params = format!(r#"{{"areas": [{area}], "fill_with": "constant"}}"#);
        let map = subject.map("extremal-perturbation", &params, &texture(), &[0]);
        let seen = map.iter().map(|&m| f64::from(m)).sum::<f64>() / PIXELS as f64;
        assert!((seen - area).abs() < 0.05, "{seen} for {area}");
        sum.iter_mut().zip(&map).for_each(|(sum, m)| *sum += m);
    }
    subject.asked();
    let params = r#"{"areas": [0.1, 0.3, 0.6], "fill_with": "constant"}"#;
    let together = subject.map("extremal-perturbation", params, &texture(), &[0]);
    assert_eq!(subject.asked(), 3 * 300);
    for (together, sum) in together.iter().zip(&sum) {
        assert!((together - sum).abs() < 1e-6);
    }
}

#[test]
fn a_blur_finds_the_square_too() {
    // Blurring must change the output: a checkerboard inside the square, which a blur levels.
    let subject = logits(&[1, SIDE, SIDE], |x| {
        let contrast: f64 = (0..PIXELS)
            .filter(|&i| planted(i))
            .map(|i| {
                f64::from(x[i])
                    * if (i / SIDE + i).is_multiple_of(2) {
                        1.0
                    } else {
                        -1.0
                    }
            })
            .sum();
        vec![contrast, 0.0]
    });
    let x: Vec<f32> = (0..PIXELS)
        .map(|i| {
            if (i / SIDE + i).is_multiple_of(2) {
                1.0
            } else {
                0.0
            }
        })
        .collect();
    let params = r#"{"areas": [0.1], "blur": 0.15, "sigma": 0.0625}"#;
    let map = subject.map("extremal-perturbation", params, &x, &[0]);
    let inside: f32 = (0..PIXELS).filter(|&i| planted(i)).map(|i| map[i]).sum();
    let outside = map.iter().sum::<f32>() - inside;
    let (inside, outside) = (inside / 25.0, outside / (PIXELS - 25) as f32);
    // A smooth mask rounds the square's corners off.
    assert!(inside > 0.75 && outside < 0.05, "{inside} {outside}");
}

#[test]
fn an_image_that_its_perturbation_leaves_as_it_is_has_no_map() {
    let subject = square();
    for params in [
        "{}",
        r#"{"fill_with": "mean"}"#,
        r#"{"fill_with": "constant", "fill": 0.5}"#,
    ] {
        let map = subject.map("extremal-perturbation", params, &[0.5; PIXELS], &[0]);
        assert!(map.iter().all(|&value| value == 0.0), "{params}");
        assert_eq!(subject.asked(), 0);
    }
}
