//! Do maps say the same? Between explainers of one model, and between models for one explainer.

use rayon::prelude::*;
use xbench_metrics::agreement::{CentredRanks, TopK, spearman, top_k_overlap};
use xbench_metrics::{RankedMagnitude, RankedMap, reduce_channels};
use xbench_stats::{Interval, Resamples, mean_intervals_masked};

use crate::cells::CellResult;

/// The agreement of two cells on one score.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreement {
    /// Positions of the two cells.
    pub(crate) cells: (usize, usize),
    /// Id of the score.
    pub(crate) score: &'static str,
    /// Over images; `None` where it applies to none.
    pub(crate) value: Option<Interval>,
}

/// A map, prepared for being compared with many others.
struct Prepared {
    ranks: Option<CentredRanks>,
    top: Option<TopK>,
}

/// Compares cells of one model pairwise, and cells of one explainer across models.
///
/// `shape` is that of one image; `scores` are ids among `spearman` and `top_k_overlap`.
pub(crate) fn agreement(
    results: &[CellResult],
    shape: [usize; 3],
    scores: &[&'static str],
    top_k_share: f64,
    resamples: &Resamples,
) -> Vec<Agreement> {
    let usable: Vec<usize> = (0..results.len())
        .filter(|&cell| results[cell].is_ok())
        .collect();
    let pairs: Vec<(usize, usize)> = usable
        .iter()
        .enumerate()
        .flat_map(|(i, &a)| usable[i + 1..].iter().map(move |&b| (a, b)))
        .filter(|&(a, b)| {
            let (a, b) = (&results[a], &results[b]);
            a.model == b.model || a.explainer == b.explainer
        })
        .collect();
    let row_len: usize = shape.iter().product();
    let images = resamples.images();
    // One image at a time, all its maps prepared once: few numbers in flight, each used often.
    let by_image: Vec<Vec<[Option<f64>; 2]>> = (0..images)
        .into_par_iter()
        .map(|image| {
            let prepared: Vec<Prepared> = results
                .iter()
                .map(|result| {
                    let map = result
                        .attributions
                        .get(image * row_len..(image + 1) * row_len);
                    prepare(map.unwrap_or(&[]), shape[0], top_k_share)
                })
                .collect();
            pairs
                .iter()
                .map(|&(a, b)| {
                    let (a, b) = (&prepared[a], &prepared[b]);
                    let rho = a.ranks.as_ref().zip(b.ranks.as_ref());
                    let top = a.top.as_ref().zip(b.top.as_ref());
                    [
                        rho.and_then(|(a, b)| spearman(a, b).ok()),
                        top.and_then(|(a, b)| top_k_overlap(a, b).ok()),
                    ]
                })
                .collect()
        })
        .collect();
    let mut found = Vec::with_capacity(pairs.len() * scores.len());
    for (which, id) in ["spearman", "top_k_overlap"].into_iter().enumerate() {
        if !scores.contains(&id) {
            continue;
        }
        let columns: Vec<Vec<Option<f64>>> = (0..pairs.len())
            .map(|pair| by_image.iter().map(|image| image[pair][which]).collect())
            .collect();
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        let values = mean_intervals_masked(&slices, resamples);
        found.extend(pairs.iter().zip(values).map(|(&cells, value)| Agreement {
            cells,
            score: id,
            value,
        }));
    }
    found
}

fn prepare(map: &[f32], channels: usize, top_k_share: f64) -> Prepared {
    let ranked = reduce_channels(map, channels).and_then(|map| RankedMap::new(&map));
    let Ok(ranked) = ranked else {
        return Prepared {
            ranks: None,
            top: None,
        };
    };
    Prepared {
        ranks: CentredRanks::new(&ranked).ok(),
        top: Some(TopK::new(&RankedMagnitude::of(&ranked), top_k_share)),
    }
}
