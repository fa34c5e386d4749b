//! Pixels: moments, the share that is not background, and the mean image of each class.

use rayon::prelude::*;
use serde::Serialize;
use xbench_data::Split;
use xbench_stats::{Anova, one_way_anova};

use crate::{Named, PHOTOS, Summary};

/// What the images of a set are like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageDescription {
    /// Mean and spread of pixels, per split and channel.
    pub pixels: Vec<PixelMoments>,
    /// Share of pixels above 0, per class and split.
    pub foreground: Vec<ForegroundShare>,
    /// Whether that share differs between training and test split, per class; empty where one of
    /// the two is not there.
    pub train_against_test: Vec<ForegroundTest>,
    /// Name of the split that the mean images are of.
    pub means_of: String,
    /// Mean image of each class, `[c, h, w]`, 0..=1; `None` for a class without images.
    #[serde(skip)]
    pub means: Vec<Option<Vec<f32>>>,
}

/// Pixels of one channel, divided by 255.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PixelMoments {
    /// Name of the split.
    pub split: String,
    /// Channel, from 0.
    pub channel: usize,
    /// Mean over all pixels of all images, 0..=1.
    pub mean: f64,
    /// Standard deviation over all pixels of all images (divided by their number).
    pub sd: f64,
}

/// Share of pixels above 0 in any channel: on a black ground, the share that is object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForegroundShare {
    /// Class index.
    pub class: usize,
    /// Name of the split.
    pub split: String,
    /// Of the shares of its images, each 0..=1; `None` without images.
    pub share: Option<Summary>,
}

/// One-way analysis of variance of the shares of one class, training against test split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForegroundTest {
    /// Class index.
    pub class: usize,
    /// F and p; `None` where the shares do not allow it.
    pub anova: Option<Anova>,
}

/// `None` for tables and without images.
pub(crate) fn describe_images(splits: &[Named], classes: usize) -> Option<ImageDescription> {
    let (means_of, first) = splits.first().filter(|(_, split)| !split.is_table())?;
    let shares: Vec<(&str, Vec<Vec<f64>>)> = splits
        .iter()
        .map(|&(name, split)| (name, foreground_shares(split, classes)))
        .collect();
    let of = |wanted: &str| {
        shares
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, shares)| shares)
    };
    let mut foreground = Vec::new();
    for class in 0..classes {
        for (name, shares) in &shares {
            foreground.push(ForegroundShare {
                class,
                split: (*name).to_owned(),
                share: Summary::of(&shares[class]),
            });
        }
    }
    let train_against_test = match (of("train"), of("test")) {
        (Some(train), Some(test)) => (0..classes)
            .map(|class| ForegroundTest {
                class,
                anova: one_way_anova(&[&train[class], &test[class]]),
            })
            .collect(),
        _ => Vec::new(),
    };
    Some(ImageDescription {
        pixels: splits
            .iter()
            .filter(|(name, _)| *name != PHOTOS || splits.len() == 1)
            .flat_map(|&(name, split)| moments(name, split))
            .collect(),
        foreground,
        train_against_test,
        means_of: (*means_of).to_owned(),
        means: class_means(first, classes),
    })
}

/// For each class the share of pixels above 0 (in any channel) of each of its images, in order of
/// rows. Nothing for tables.
#[must_use]
pub fn foreground_shares(split: &Split, classes: usize) -> Vec<Vec<f64>> {
    let [channels, height, width] = split.plane();
    let plane = height * width;
    let share = |row: usize| -> Option<f64> {
        let image = split.pixels(row)?;
        let lit = if channels == 1 {
            image.iter().filter(|&&v| v > 0).count()
        } else {
            (0..plane)
                .filter(|p| (0..channels).any(|c| image[c * plane + p] > 0))
                .count()
        };
        Some(lit as f64 / plane as f64)
    };
    let all: Vec<Option<f64>> = (0..split.len()).into_par_iter().map(share).collect();
    let mut by_class = vec![Vec::new(); classes];
    for (row, share) in all.into_iter().enumerate() {
        if let (Some(shares), Some(share)) = (by_class.get_mut(split.label(row)), share) {
            shares.push(share);
        }
    }
    by_class
}

/// Exact: from the number of pixels of each level.
fn moments(name: &str, split: &Split) -> Vec<PixelMoments> {
    let [channels, height, width] = split.plane();
    let plane = height * width;
    let mut levels = vec![[0u64; 256]; channels];
    for row in 0..split.len() {
        let image = split.pixels(row).unwrap_or_default();
        for (levels, channel) in levels.iter_mut().zip(image.chunks(plane.max(1))) {
            channel.iter().for_each(|&v| levels[usize::from(v)] += 1);
        }
    }
    let of_channel = |(channel, levels): (usize, &[u64; 256])| {
        let n = levels.iter().sum::<u64>() as f64;
        let moment = |center: f64, power: i32| {
            let terms = levels.iter().enumerate();
            let sum: f64 = terms
                .map(|(v, &count)| count as f64 * (v as f64 / 255.0 - center).powi(power))
                .sum();
            sum / n
        };
        let mean = moment(0.0, 1);
        PixelMoments {
            split: name.to_owned(),
            channel,
            mean,
            sd: moment(mean, 2).sqrt(),
        }
    };
    levels.iter().enumerate().map(of_channel).collect()
}

fn class_means(split: &Split, classes: usize) -> Vec<Option<Vec<f32>>> {
    let mut sums = vec![vec![0u64; split.row_len()]; classes];
    for row in 0..split.len() {
        if let (Some(sums), Some(image)) = (sums.get_mut(split.label(row)), split.pixels(row)) {
            for (sum, &v) in sums.iter_mut().zip(image) {
                *sum += u64::from(v);
            }
        }
    }
    let counts = split.class_counts(classes);
    let mean = |(sums, count): (Vec<u64>, usize)| {
        let scale = 255.0 * count as f64;
        (count > 0).then(|| sums.iter().map(|&s| (s as f64 / scale) as f32).collect())
    };
    sums.into_iter().zip(counts).map(mean).collect()
}
