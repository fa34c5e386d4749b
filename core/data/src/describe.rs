//! Numbers that describe a set before any model sees it.

use crate::set::Split;

/// How large the objects of one class are.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassShare {
    /// Class index.
    pub class: usize,
    /// Number of images.
    pub count: usize,
    /// Median of the share of pixels above 0, in `[0, 1]`.
    pub median: f64,
    /// Mean of the share.
    pub mean: f64,
    /// Variance of the share, divided by `count`.
    pub variance: f64,
}

/// For each class the share of pixels above 0 (in any channel). NaN where a class has no
/// image. On a set with a black ground this is the share of the image that is object.
/// Tables have no pixels: all classes count no image.
pub fn object_share(split: &Split, n_classes: usize) -> Vec<ClassShare> {
    let [channels, height, width] = split.plane();
    let plane = height * width;
    let mut shares: Vec<Vec<f64>> = vec![Vec::new(); n_classes];
    for i in 0..split.len() {
        let (Some(shares), Some(image)) = (shares.get_mut(split.label(i)), split.pixels(i)) else {
            continue;
        };
        let lit = (0..plane)
            .filter(|&p| (0..channels).any(|c| image[c * plane + p] > 0))
            .count();
        shares.push(lit as f64 / plane as f64);
    }
    shares
        .into_iter()
        .enumerate()
        .map(|(class, shares)| summary(class, shares))
        .collect()
}

fn summary(class: usize, mut shares: Vec<f64>) -> ClassShare {
    shares.sort_by(f64::total_cmp);
    let count = shares.len();
    let n = count as f64;
    let median = match count {
        0 => f64::NAN,
        odd if odd % 2 == 1 => shares[odd / 2],
        even => (shares[even / 2 - 1] + shares[even / 2]) / 2.0,
    };
    let mean = shares.iter().sum::<f64>() / n;
    let variance = shares.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / n;
    ClassShare {
        class,
        count,
        median,
        mean,
        variance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Masks, Values};

    fn split(images: &[[u8; 4]], labels: &[u16]) -> Split {
        Split {
            shape: vec![1, 2, 2],
            values: Values::Pixels(images.concat()),
            labels: labels.to_vec(),
            masks: Masks::Rule,
            ..Split::default()
        }
    }

    #[test]
    fn shares_of_hand_counted_images() {
        let images = [[0, 0, 0, 9], [1, 1, 0, 0], [0; 4], [3; 4]];
        let shares = object_share(&split(&images, &[0, 0, 1, 0]), 3);
        assert_eq!((shares[0].count, shares[0].median), (3, 0.5));
        // 1/4, 1/2, 1: mean 7/12, variance 21/48 - 49/144 = 14/144.
        assert!((shares[0].mean - 7.0 / 12.0).abs() < 1e-12);
        assert!((shares[0].variance - 14.0 / 144.0).abs() < 1e-12);
        assert_eq!((shares[1].count, shares[1].mean), (1, 0.0));
        assert!(shares[2].median.is_nan());
    }
}
