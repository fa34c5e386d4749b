//! Draws one of each picture from made-up numbers: `cargo run --release -p xbench-report
//! --example strip_sample -- DIR`. For looking at the layout, not at results.

use std::path::Path;

use image::{Rgb, RgbImage};
use xbench_report::{
    AgreementMatrix, ConfusionMatrix, FigureError, MapPanel, StripFigure, StripRow,
    agreement_image, confusion_image, encode_png, grey_image, strip_image,
};

const SIDE: usize = 28;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: strip_sample DIR")?;
    let directory = Path::new(&directory);
    let strip = StripFigure {
        title: "cnn-gap (best) on photographs".to_owned(),
        rows: vec![photograph()?, from_data_set()?],
    };
    let degenerate = StripFigure {
        title: "maps that say nothing".to_owned(),
        rows: vec![silent()?],
    };
    for (name, picture) in [
        ("strip.png", strip_image(&strip)?),
        ("degenerate.png", strip_image(&degenerate)?),
        ("agreement.png", agreement_image(&agreement())?),
        ("confusion.png", confusion_image(&confusion())?),
    ] {
        std::fs::write(directory.join(name), encode_png(&picture)?)?;
    }
    Ok(())
}

/// The outline of a dress, shaded, on black.
fn dress() -> Vec<f32> {
    plane(|x, y| {
        let half = if y < 10.0 {
            4.0 + 0.15 * y
        } else {
            3.0 + 0.35 * (y - 6.0)
        };
        let inside = (x - 13.5).abs() < half && (2.0..26.0).contains(&y);
        let straps = y < 5.0 && (x - 13.5).abs() < 2.0;
        if inside && !straps {
            0.55 + 0.3 * ((x * 0.9).sin() * 0.5 + 0.5) - 0.006 * y
        } else {
            0.0
        }
    })
}

fn photograph() -> Result<StripRow, FigureError> {
    let input = dress();
    let original = RgbImage::from_fn(300, 400, |x, y| {
        let value = input[(y as usize * SIDE / 400) * SIDE + x as usize * SIDE / 300];
        if value > 0.0 {
            Rgb([(value * 240.0) as u8, 60, (value * 120.0) as u8])
        } else {
            Rgb([225, 222, 215])
        }
    });
    let blob = |cx: f32, cy: f32, r: f32| {
        move |x: f32, y: f32| (-((x - cx).powi(2) + (y - cy).powi(2)) / (r * r)).exp()
    };
    let noise = |x: f32, y: f32| (x * 12.9898 + y * 78.233).sin() * 43_758.547;
    let shape = input.clone();
    let gradient = plane(|x, y| (noise(x, y).fract() * 0.02) * blob(13.0, 9.0, 9.0)(x, y));
    let attribution: Vec<f32> = gradient
        .iter()
        .zip(&shape)
        .map(|(g, v)| g * v * 6.0)
        .collect();
    Ok(StripRow {
        input: grey_image(&input, SIDE, SIDE)?,
        original: Some(original),
        label: "dress.jpg".to_owned(),
        prediction: "Dress".to_owned(),
        probability: 0.934,
        truth: Some("Dress".to_owned()),
        target: None,
        maps: vec![
            panel(
                "gradcam",
                vec![0.0, 0.31, 0.1, 0.2, 0.83, 0.4, 0.05, 0.52, 0.2],
                3,
                false,
            ),
            panel("occlusion{patch: 4, stride: 4}", coarse(), 7, true),
            panel("ig{steps: 50, baseline: 0}", attribution, SIDE, true),
            panel(
                "saliency",
                gradient.iter().map(|g| g.abs()).collect(),
                SIDE,
                false,
            ),
        ],
    })
}

fn from_data_set() -> Result<StripRow, FigureError> {
    let input = plane(|x, y| {
        if (6.0..22.0).contains(&x) && (y - 14.0).abs() < 9.0 - 0.02 * (x - 14.0).powi(2) {
            0.4 + 0.02 * x
        } else {
            0.0
        }
    });
    let edges = plane(|x, y| ((x - 14.0).abs() - (y - 14.0).abs()) * 0.01);
    Ok(StripRow {
        original: None,
        label: "fashion-mnist:test[4181]".to_owned(),
        prediction: "Pullover".to_owned(),
        probability: 0.512,
        truth: Some("Coat".to_owned()),
        target: Some("Coat".to_owned()),
        maps: vec![
            panel(
                "gradcam",
                edges.iter().map(|v| v.abs()).collect(),
                SIDE,
                false,
            ),
            panel("input-x-gradient", edges.clone(), SIDE, true),
            panel(
                "smoothgrad",
                edges.iter().map(|v| v * v).collect(),
                SIDE,
                false,
            ),
        ],
        input: grey_image(&input, SIDE, SIDE)?,
    })
}

fn silent() -> Result<StripRow, FigureError> {
    let mut partly = vec![0.0; SIDE * SIDE];
    for (i, value) in partly.iter_mut().enumerate() {
        *value = if i % 97 < 3 { f32::NAN } else { i as f32 };
    }
    Ok(StripRow {
        input: grey_image(&dress(), SIDE, SIDE)?,
        original: None,
        label: "a-very-long-file-name-of-a-photograph-0001.jpg".to_owned(),
        prediction: "A class with a very long name".to_owned(),
        probability: 0.07,
        truth: None,
        target: None,
        maps: vec![
            panel("all zero", vec![0.0; SIDE * SIDE], SIDE, true),
            panel("no finite value", vec![f32::NAN; SIDE * SIDE], SIDE, false),
            panel("some not finite", partly, SIDE, false),
        ],
    })
}

fn plane(value: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    (0..SIDE * SIDE)
        .map(|i| value((i % SIDE) as f32, (i / SIDE) as f32))
        .collect()
}

fn coarse() -> Vec<f32> {
    (0..49)
        .map(|i| ((i % 7) as f32 - 2.5) * (3.5 - (i / 7) as f32) * 0.031)
        .collect()
}

fn panel(title: &str, values: Vec<f32>, side: usize, signed: bool) -> Option<MapPanel> {
    Some(MapPanel {
        title: title.to_owned(),
        values,
        height: side,
        width: side,
        signed,
    })
}

fn agreement() -> AgreementMatrix {
    let labels = [
        "cam",
        "gradcam",
        "gradient",
        "input-x-gradient",
        "ig{steps: 50, baseline: 0}",
        "occlusion",
        "random",
    ];
    let value = |a: usize, b: usize| match (a, b) {
        (a, b) if a == b => Some(1.0),
        (5, 2) | (2, 5) => None,
        (a, b) if a.max(b) == 6 => Some(0.01 * (a.min(b) as f64 - 3.0)),
        (a, b) => Some(0.9 - 0.31 * a.abs_diff(b) as f64),
    };
    AgreementMatrix {
        title: "Spearman rank correlation, cnn-gap".to_owned(),
        labels: labels.map(str::to_owned).to_vec(),
        values: (0..7)
            .map(|a| (0..7).map(|b| value(a, b)).collect())
            .collect(),
    }
}

fn confusion() -> ConfusionMatrix {
    let classes = [
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
    let count = |t: usize, p: usize| match (t, p) {
        (t, p) if t == p => 850 + 13 * t as u64,
        (6, 0 | 2 | 4) | (0 | 2 | 4, 6) => 61,
        (5 | 7 | 9, 5 | 7 | 9) => 24,
        (t, p) => ((t * 7 + p * 3) % 5) as u64,
    };
    ConfusionMatrix {
        title: "cnn-gap (best) on fashion-mnist:test".to_owned(),
        classes: classes.map(str::to_owned).to_vec(),
        counts: (0..10)
            .map(|t| (0..10).map(|p| count(t, p)).collect())
            .collect(),
    }
}
