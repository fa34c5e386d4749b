//! Draws the pictures of a classifier from made-up numbers: `cargo run --release
//! -p xbench-report --example classification_sample -- DIR`. For looking at the layout, not at
//! results.

use std::path::Path;

use image::{Rgb, RgbImage};
use xbench_report::{
    BarChart, BarGroup, ConfusionMatrix, CurvePoint, DecisionTree, Estimate, Gallery, GalleryItem,
    GallerySection, ImportanceMap, ReliabilityBin, ReliabilityDiagram, TREE_DEPTH, TrainingCurve,
    TreeNode, TreeSplit, bar_image, confusion_image, encode_png, gallery_image, importance_image,
    reliability_image, training_image, tree_image, tree_svg,
};

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args()
        .nth(1)
        .ok_or("usage: classification_sample DIR")?;
    let directory = Path::new(&directory);
    for (name, picture) in [
        ("confusion.png", confusion_image(&confusion())?),
        ("reliability.png", reliability_image(&reliability())?),
        ("examples.png", gallery_image(&gallery())?),
        ("curve.png", training_image(&curve())?),
        ("classes.png", bar_image(&class_scores())?),
        ("features.png", bar_image(&features())?),
        ("importance.png", importance_image(&importance())?),
        ("tree.png", tree_image(&tree(), TREE_DEPTH)?),
    ] {
        std::fs::write(directory.join(name), encode_png(&picture)?)?;
    }
    std::fs::write(directory.join("tree.svg"), tree_svg(&tree(), TREE_DEPTH)?)?;
    Ok(())
}

fn tree() -> DecisionTree {
    let split = |feature: &str, threshold: f64, yes: usize| TreeSplit {
        feature: feature.to_owned(),
        threshold,
        strict: false,
        yes,
        no: yes + 1,
    };
    let node = |split: Option<TreeSplit>, values: [f64; 3]| TreeNode {
        split,
        cover: values.iter().sum(),
        values: values.to_vec(),
    };
    let long = "percentage_of_time_with_abnormal_long_term_variability";
    DecisionTree {
        title: "random-forest on fetal-health: tree 7 of 200".to_owned(),
        classes: ["normal", "suspect", "pathological"]
            .map(str::to_owned)
            .to_vec(),
        cover_name: "samples".to_owned(),
        nodes: vec![
            node(
                Some(split("mean_value_of_short_term_variability", 0.65, 1)),
                [1323.0, 236.0, 141.0],
            ),
            node(
                Some(split("histogram_mean", 110.5, 3)),
                [600.0, 200.0, 31.0],
            ),
            node(
                Some(split("accelerations", 0.0015, 5)),
                [723.0, 36.0, 110.0],
            ),
            node(None, [600.0, 2.0, 1.0]),
            node(Some(split(long, 7.5, 7)), [0.0, 198.0, 30.0]),
            node(
                Some(split("uterine_contractions", 0.0035, 9)),
                [23.0, 30.0, 108.0],
            ),
            node(None, [700.0, 6.0, 2.0]),
            node(None, [0.0, 190.0, 5.0]),
            node(Some(split("histogram_mode", 99.0, 11)), [0.0, 8.0, 25.0]),
            node(None, [20.0, 1.0, 100.0]),
            node(None, [3.0, 29.0, 8.0]),
            node(None, [0.0, 8.0, 0.0]),
            node(None, [0.0, 0.0, 25.0]),
        ],
    }
}

fn confusion() -> ConfusionMatrix {
    let count = |t: usize, p: usize| match (t, p) {
        (t, p) if t == p => 850 + 13 * t as u64,
        (6, 0 | 2 | 4) | (0 | 2 | 4, 6) => 61,
        (5 | 7 | 9, 5 | 7 | 9) => 24,
        (t, p) => ((t * 7 + p * 3) % 5) as u64,
    };
    ConfusionMatrix {
        title: "cnn-gap-best on fashion-mnist, test".to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        counts: (0..10)
            .map(|t| (0..10).map(|p| count(t, p)).collect())
            .collect(),
    }
}

fn reliability() -> ReliabilityDiagram {
    let bin = |i: usize| {
        let confidence = (i as f64 + 0.55) / 15.0;
        let accuracy = match i {
            0 | 1 => 0.0,
            i if i % 4 == 0 => confidence + 0.05,
            _ => confidence - 0.004 * i as f64,
        };
        ReliabilityBin {
            low: i as f64 / 15.0,
            high: (i + 1) as f64 / 15.0,
            count: if i < 2 {
                0
            } else {
                (i * i * i) as u64 + if i == 14 { 6000 } else { 0 }
            },
            confidence,
            accuracy,
        }
    };
    let figures = [
        ("accuracy", Estimate::new(0.9217, 0.9164, 0.9269)),
        ("log loss (nats)", Estimate::new(0.2291, 0.2152, 0.2433)),
        (
            "Brier score (0 to 2)",
            Estimate::new(0.1175, 0.1101, 0.1249),
        ),
        ("ECE, 15 equal widths", Estimate::exact(0.0312)),
        ("ECE, 15 equal masses", Estimate::exact(0.0309)),
        ("greatest gap (MCE)", Estimate::exact(0.1123)),
    ];
    ReliabilityDiagram {
        title: "cnn-gap-best on fashion-mnist, test: calibration".to_owned(),
        bins: (0..15).map(bin).collect(),
        figures: figures
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
    }
}

fn gallery() -> Gallery {
    let item = |i: usize, truth: usize, prediction: usize| GalleryItem {
        picture: RgbImage::from_fn(28, 28, |x, y| {
            let inside =
                (x as i32 - 14).abs() < 5 + (y as i32 * i as i32) % 5 && (4..25).contains(&y);
            Rgb([if inside { 130 + (x * 4) as u8 } else { 0 }; 3])
        }),
        label: format!("test[{}]", 4181 + 97 * i),
        truth: CLASSES[truth % 10].to_owned(),
        prediction: CLASSES[prediction % 10].to_owned(),
        probability: 1.0 - 10f64.powi(-(i as i32) - 1),
    };
    let section = |title: &str, items: Vec<GalleryItem>| GallerySection {
        title: title.to_owned(),
        items,
    };
    Gallery {
        title: "cnn-gap-best on fashion-mnist, test: examples".to_owned(),
        sections: vec![
            section("right and surest", (0..8).map(|i| item(i, i, i)).collect()),
            section(
                "wrong and surest",
                (0..8).map(|i| item(i, i, i + 2)).collect(),
            ),
            section(
                "least sure",
                (0..5).map(|i| item(0, i, i + i % 2)).collect(),
            ),
            section("nothing here", vec![]),
        ],
    }
}

fn curve() -> TrainingCurve {
    let point = |epoch: u64| {
        let e = epoch as f64;
        CurvePoint {
            epoch,
            train_loss: Some(0.9 / e.sqrt()),
            train_accuracy: Some(0.97 - 0.3 / e),
            validation_loss: Some(0.7 / e.sqrt() + 0.004 * e),
            validation_accuracy: Some(0.925 - 0.2 / e),
        }
    };
    TrainingCurve {
        title: "lenet on fashion-mnist, preset best, seed 0".to_owned(),
        epochs: (1..=40).map(point).collect(),
        kept_epoch: Some(33),
    }
}

fn class_scores() -> BarChart {
    let value = |v: f64| Some(Estimate::new(v, v - 0.02, (v + 0.02).min(1.0)));
    BarChart {
        title: "cnn-gap-best on fashion-mnist, test: scores per class".to_owned(),
        axis: "share, with 95% interval".to_owned(),
        series: ["precision", "recall (sensitivity)", "specificity", "F1"]
            .map(str::to_owned)
            .to_vec(),
        groups: CLASSES
            .iter()
            .enumerate()
            .map(|(i, name)| BarGroup {
                name: (*name).to_owned(),
                values: [0.9, 0.85, 0.99, 0.87]
                    .map(|v: f64| value(v - 0.02 * (i % 4) as f64))
                    .to_vec(),
            })
            .collect(),
        range: Some((0.0, 1.0)),
    }
}

fn features() -> BarChart {
    let names = [
        "abnormal_short_term_variability",
        "percentage_of_time_with_abnormal_long_term_variability",
        "mean_value_of_short_term_variability",
        "histogram_mean",
        "accelerations",
        "uterine_contractions",
    ];
    let values: Vec<(String, f64)> = names
        .iter()
        .enumerate()
        .map(|(i, name)| ((*name).to_owned(), 0.2 / (1.0 + i as f64)))
        .collect();
    BarChart::sorted(
        "random-forest on fetal-health: importance",
        "mean decrease of Gini impurity",
        &values,
        5,
    )
}

fn importance() -> ImportanceMap {
    let value = |i: usize| {
        let (x, y) = ((i % 28) as f64 - 13.5, (i / 28) as f64 - 13.5);
        (-(x * x + y * y - 70.0).powi(2) / 2000.0).exp() * (1.0 + (x * 1.7).sin()) * 31.0
    };
    ImportanceMap {
        title: "xgboost on fashion-mnist: gain".to_owned(),
        unit: "mean gain of the splits on a pixel".to_owned(),
        values: (0..784).map(value).collect(),
        height: 28,
        width: 28,
    }
}
