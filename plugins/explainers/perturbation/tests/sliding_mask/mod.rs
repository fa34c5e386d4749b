//! The sliding mask on models whose answers are known by hand.

use crate::harness::{Rows, explain, fails};
use crate::models::{FEATURES, INPUT, Logits, Numbers, OUTPUTS, Shares, softmax};

const ID: &str = "org.xbench.sliding-mask";

fn rows(count: usize) -> Rows {
    Rows {
        shape: [count, INPUT[0], INPUT[1], INPUT[2]],
        x: (0..count * FEATURES)
            .map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 16.0)
            .collect(),
        target: (0..count).map(|row| (row % OUTPUTS) as i64).collect(),
        seed: vec![0; count],
        mask: None,
    }
}

/// Blocks of 4 by 4 on 5 by 7 pixels: 4 + 1 rows by 4 + 3 columns.
fn block(pixel: usize) -> (usize, usize) {
    (pixel / INPUT[2] / 4, pixel % INPUT[2] / 4)
}

fn covered(x: &[f32], which: (usize, usize)) -> Vec<f32> {
    let pixels = INPUT[1] * INPUT[2];
    let mut x = x.to_vec();
    for (i, value) in x.iter_mut().enumerate() {
        if block(i % pixels) == which {
            *value = 0.0;
        }
    }
    x
}

fn predicts(x: &[f32], target: usize) -> bool {
    let p = softmax(x);
    p.iter().all(|&other| other <= p[target])
}

#[test]
fn a_block_is_worth_the_probability_that_falls() {
    let rows = rows(6);
    let map = explain::<Logits>(ID, "{}", &rows);
    let shares = explain::<Shares>(ID, "{}", &rows);
    for row in 0..6 {
        let (x, target) = (rows.row(row), row % OUTPUTS);
        for i in 0..FEATURES {
            let fall =
                softmax(x)[target] - softmax(&covered(x, block(i % (INPUT[1] * INPUT[2]))))[target];
            for map in [&map, &shares] {
                let got = 2.0 * f64::from(map[row * FEATURES + i]);
                assert!((got - fall).abs() < 1e-6, "{got} {fall}");
            }
        }
    }
}

#[test]
fn kept_marks_the_blocks_that_change_the_predicted_class() {
    let rows = rows(60);
    let map = explain::<Logits>(ID, r#"{"value": "kept"}"#, &rows);
    let mut seen = [0; 3];
    for row in 0..60 {
        let (x, target) = (rows.row(row), row % OUTPUTS);
        for i in 0..FEATURES {
            let hidden = covered(x, block(i % (INPUT[1] * INPUT[2])));
            let want = i32::from(predicts(x, target)) - i32::from(predicts(&hidden, target));
            // Two channels share the value.
            assert_eq!(map[row * FEATURES + i] * 2.0, want as f32);
            seen[(want + 1) as usize] += 1;
        }
    }
    assert!(seen.iter().all(|&n| n > 0), "lost, kept and won: {seen:?}");
}

#[test]
fn it_is_occlusion_with_blocks_that_abut() {
    let rows = rows(4);
    for (value, outcome) in [("drop", "probability"), ("kept", "kept")] {
        let mask = format!(r#"{{"patch": 3, "fill": 0.5, "value": "{value}"}}"#);
        let occlusion =
            format!(r#"{{"patch": 3, "stride": 3, "fill": 0.5, "outcome": "{outcome}"}}"#);
        assert_eq!(
            explain::<Logits>(ID, &mask, &rows),
            explain::<Logits>("org.xbench.occlusion", &occlusion, &rows)
        );
    }
    let why = fails::<Numbers>(ID, "{}", &rows);
    assert!(why.contains("values"), "{why}");
    let why = fails::<Logits>(ID, r#"{"value": "lost"}"#, &rows);
    assert!(why.contains("kept"), "{why}");
}
