//! Draws the pictures of a table's attributions from made-up numbers: `cargo run --release
//! -p xbench-report --example tabular_sample -- DIR`. For looking at the layout, not at results.

use std::path::Path;

use xbench_report::{
    Contribution, DependencePlot, InteractionMatrix, TabularAttributions, Waterfall,
    beeswarm_image, dependence_image, encode_png, interactions_image, strongest_interaction,
    summary_bar_image, waterfall_image,
};

const FEATURES: [&str; 12] = [
    "baseline value",
    "accelerations",
    "fetal_movement",
    "uterine_contractions",
    "light_decelerations",
    "severe_decelerations",
    "prolongued_decelerations",
    "abnormal_short_term_variability",
    "mean_value_of_short_term_variability",
    "percentage_of_time_with_abnormal_long_term_variability",
    "histogram_mean",
    "histogram_tendency",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: tabular_sample DIR")?;
    let directory = Path::new(&directory);
    let (normal, suspect, pathological) = (table(0, 1.0), table(1, 0.7), table(2, 0.5));
    let series = [
        ("normal", &normal),
        ("suspect", &suspect),
        ("pathological", &pathological),
    ];
    let dependence = |feature| DependencePlot {
        table: &normal,
        feature,
        colour: strongest_interaction(&normal, feature),
    };
    for (name, picture) in [
        ("beeswarm.png", beeswarm_image(&normal, 10)?),
        ("beeswarm_few.png", beeswarm_image(&small(), 20)?),
        (
            "summary.png",
            summary_bar_image("random forest", &series[..1], 10)?,
        ),
        (
            "summary_classes.png",
            summary_bar_image("random forest, all classes", &series, 10)?,
        ),
        ("dependence.png", dependence_image(&dependence(7))?),
        ("dependence_few.png", dependence_image(&dependence(11))?),
        (
            "waterfall.png",
            waterfall_image(&waterfall(&normal, 5), 10)?,
        ),
        (
            "waterfall_few.png",
            waterfall_image(&waterfall(&small(), 1), 10)?,
        ),
        (
            "interactions.png",
            interactions_image(&interactions(&FEATURES, true), 20)?,
        ),
        (
            "interactions_mean.png",
            interactions_image(&interactions(&FEATURES, false), 8)?,
        ),
        (
            "interactions_few.png",
            interactions_image(&interactions(&FEATURES[..2], true), 20)?,
        ),
    ] {
        std::fs::write(directory.join(name), encode_png(&picture)?)?;
    }
    Ok(())
}

/// Of evenly spread numbers, `i`-th of stream `k`.
fn spread(i: usize, k: usize) -> f64 {
    ((i * 2 + 1) as f64 * (0.618_033_988_749_895 + 0.137_27 * k as f64)).fract()
}

fn table(class: usize, size: f64) -> TabularAttributions {
    let rows = 1200;
    let (mut values, mut attributions) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let x: Vec<f64> = (0..12).map(|k| spread(row, k + class)).collect();
        for (k, &x) in x.iter().enumerate() {
            let value = match k {
                7 => 12.0 + 75.0 * x,
                11 => (3.0 * x).floor() - 1.0,
                4..=6 => (x - 0.8).max(0.0) / 40.0,
                _ => 100.0 * x,
            };
            values.push(if row % 97 == k { f64::NAN } else { value });
        }
        for k in 0..12 {
            let strength = size * 0.35 / (1.0 + ((k + 5) % 12) as f64).powf(1.3);
            let noise = spread(row, 30 + k) - 0.5;
            let base = match k {
                7 => (x[7] - 0.5).signum() * (x[7] - 0.5).abs().sqrt() * (0.5 + x[0]),
                4..=6 => -20.0 * (x[k] - 0.8).max(0.0) + 0.05 * noise,
                11 => ((3.0 * x[11]).floor() - 1.0) * (x[3] - 0.3),
                _ => x[k] - 0.5 + 0.4 * noise,
            };
            attributions.push(strength * base);
        }
    }
    TabularAttributions {
        title: "random forest on fetal health: Tree SHAP of class normal".to_owned(),
        unit: "SHAP value (probability)".to_owned(),
        features: FEATURES.map(str::to_owned).to_vec(),
        rows,
        values,
        attributions,
    }
}

fn small() -> TabularAttributions {
    TabularAttributions {
        title: "tiny".to_owned(),
        unit: "SHAP value (logit)".to_owned(),
        features: vec!["x".to_owned(), "y".to_owned()],
        rows: 3,
        values: vec![1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0],
        attributions: vec![-1.5, 0.25, 2.0, -0.002, 0.5, f64::NAN],
    }
}

fn interactions(features: &[&str], signed: bool) -> InteractionMatrix {
    let side = features.len();
    let value = |i: usize, j: usize| {
        let strength = (0.6_f64).powi((i + j) as i32) * if i == j { 0.3 } else { 0.05 };
        let sign = if signed && (i + j) % 3 == 1 {
            -1.0
        } else {
            1.0
        };
        sign * strength
    };
    InteractionMatrix {
        title: "forest by tree-shap: row 5".to_owned(),
        notes: vec!["predicted normal, probability .940; labelled normal".to_owned()],
        features: features.iter().map(|name| (*name).to_owned()).collect(),
        values: (0..side * side)
            .map(|at| value(at / side, at % side))
            .collect(),
        signed,
    }
}

fn waterfall(table: &TabularAttributions, row: usize) -> Waterfall {
    let d = table.features.len();
    Waterfall {
        title: format!("row {row}: {}", table.title),
        notes: vec!["predicted normal (.94), label normal".to_owned()],
        unit: "probability of class normal".to_owned(),
        base: 0.31,
        contributions: (0..d)
            .map(|feature| Contribution {
                feature: table.features[feature].clone(),
                value: table.values[row * d + feature],
                attribution: table.attributions[row * d + feature],
            })
            .collect(),
    }
}
