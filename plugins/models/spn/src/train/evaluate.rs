//! How well a network does on images held out.

use serde::{Deserialize, Serialize};
use xbench_nn::Threads;
use xbench_nn::kernel::loss;
use xbench_plugin::Result;

use super::Images;
use crate::network::Network;

/// How well a network classifies images, and finds their objects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean cross-entropy of the class, in nats.
    pub loss: f64,
    /// Share classified rightly.
    pub accuracy: f64,
    /// F1 averaged over the classes that occur.
    pub macro_f1: f64,
    /// Mean intersection over union of predicted mask (probability above 1/2) and mask, over images
    /// with a mask; none where there is no such image or the network predicts no masks.
    pub mask_iou: Option<f64>,
}

/// How well a network does on the images of `rows`.
///
/// # Errors
/// When a mask cannot be predicted.
pub fn evaluate(
    network: &Network,
    threads: &Threads,
    data: Images<'_>,
    rows: &[usize],
) -> Result<Evaluation> {
    let (len, classes) = (network.input_len(), network.graph().architecture.outputs);
    let pixels = data.masks.len() / data.labels.len().max(1);
    let (mut sum, mut right) = (0.0, 0usize);
    let mut table = vec![0usize; classes * classes];
    let (mut overlap, mut masked) = (0.0, 0usize);
    for rows in rows.chunks(64) {
        let mut x = Vec::with_capacity(rows.len() * len);
        for &row in rows {
            let image = &data.pixels[row * len..(row + 1) * len];
            x.extend(image.iter().map(|&v| f32::from(v) / 255.0));
        }
        let logits = network.logits(threads, &x);
        for (logits, &row) in logits.chunks_exact(classes).zip(rows) {
            let (label, guess) = (data.labels[row], loss::argmax(logits));
            sum += loss::cross_entropy(logits, label, 0.0);
            right += usize::from(guess == label);
            table[label * classes + guess] += 1;
        }
        if network.predicts_masks() && rows.iter().any(|&row| data.present[row]) {
            let maps = network.segment(threads, &x)?;
            for (map, &row) in maps.chunks_exact(pixels).zip(rows) {
                if data.present[row] {
                    overlap += iou(map, &data.masks[row * pixels..(row + 1) * pixels]);
                    masked += 1;
                }
            }
        }
    }
    let n = rows.len() as f64;
    Ok(Evaluation {
        loss: sum / n,
        accuracy: right as f64 / n,
        macro_f1: macro_f1(&table, classes),
        mask_iou: (masked > 0).then(|| overlap / masked as f64),
    })
}

/// Of a map above 1/2 and a mask; two empty ones agree.
fn iou(map: &[f32], mask: &[u8]) -> f64 {
    let (mut both, mut either) = (0usize, 0usize);
    for (&p, &m) in map.iter().zip(mask) {
        let (p, m) = (p > 0.5, m != 0);
        both += usize::from(p && m);
        either += usize::from(p || m);
    }
    if either == 0 {
        1.0
    } else {
        both as f64 / either as f64
    }
}

/// Mean F1 over the classes that occur as label or guess, of a table `[label, guess]`.
fn macro_f1(table: &[usize], classes: usize) -> f64 {
    let (mut sum, mut occurring) = (0.0, 0usize);
    for class in 0..classes {
        let labelled: usize = table[class * classes..(class + 1) * classes].iter().sum();
        let guessed: usize = table.iter().skip(class).step_by(classes).sum();
        if labelled + guessed > 0 {
            let right = table[class * classes + class];
            sum += 2.0 * right as f64 / (labelled + guessed) as f64;
            occurring += 1;
        }
    }
    sum / occurring.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        // Class 0: 2 right of 3, one guess too many; class 1: 1 of 2; class 2 does not occur.
        let table = [2, 1, 0, 1, 1, 0, 0, 0, 0];
        assert!((macro_f1(&table, 3) - (4.0 / 6.0 + 2.0 / 4.0) / 2.0).abs() < 1e-12);
        assert_eq!(iou(&[0.9, 0.8, 0.1, 0.4], &[1, 0, 1, 0]), 1.0 / 3.0);
        assert_eq!(iou(&[0.1], &[0]), 1.0);
    }
}
