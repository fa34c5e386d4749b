//! Occlusion on a table: a linear model, whose every column's effect is known.

use xbench_explainers_perturbation::xbench_entry_v1 as entry;
use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{OutputKind, Result, TensorRef};

/// `y = 2 x0 - 3 x1 + 0.5 x2`.
fn model() -> TestModel {
    TestModel::black_box(&[3], 1, OutputKind::Logits, |x, y| {
        y[0] = 2.0 * x[0] - 3.0 * x[1] + 0.5 * x[2];
    })
    .expect("well formed")
}

fn explained(params: &str, x: &[f32]) -> Result<Vec<f32>> {
    let host = TestHost::new(&entry).expect("well formed");
    let occlusion = host.explainer("org.xbench.occlusion", params)?;
    let x = TensorRef::new(&[2, 3], x)?;
    let map = occlusion.explain(&model(), x, &[0, 0], &[0, 0], None)?;
    Ok(map.into_data())
}

#[test]
fn each_column_s_fall_is_its_weight_times_its_distance_from_the_fill() {
    let x = [1.0, 2.0, 4.0, 0.0, -1.0, 1.0];
    for (fill, expected) in [
        (0.0, [2.0, -6.0, 2.0, 0.0, 3.0, 0.5]),
        (1.0, [0.0, -3.0, 1.5, -2.0, 6.0, 0.0]),
    ] {
        let params = format!(r#"{{"patch": 1, "fill": {fill}}}"#);
        assert_eq!(explained(&params, &x).expect("explained"), expected);
    }
}

#[test]
fn a_window_over_several_columns_is_refused() {
    let error = explained("{}", &[0.0; 6]).expect_err("columns have no order");
    assert!(error.message().contains("occlusion{patch: 1}"), "{error}");
}
