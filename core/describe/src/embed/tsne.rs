//! t-SNE, by the Barnes-Hut method of the crate `bhtsne` on exact neighbours.

use std::sync::atomic::{AtomicU64, Ordering};

use bhtsne::{Neighbor, tSNE};

use super::{LaidOut, Matrix, Neighbours, principal};
use crate::{Step, Watch};

const PERPLEXITY: f32 = 30.0;
const EPOCHS: usize = 1000;
const EXAGGERATED_EPOCHS: usize = 250;
const EXAGGERATION: f32 = 12.0;
const THETA: f32 = 0.5;
/// Standard deviation of the start, as small as van der Maaten's random one.
const START_SD: f32 = 1e-4;

/// The perplexity for so many rows: 30, or less where three times as many neighbours are not
/// there.
fn perplexity(rows: usize) -> f32 {
    let most = rows.saturating_sub(1) / 3;
    PERPLEXITY.min(most as f32).max(1.0)
}

/// Neighbours that [`tsne`] looks at: three times the perplexity.
pub(super) fn neighbours_needed(rows: usize) -> usize {
    (3.0 * perplexity(rows)) as usize
}

/// Lays rows out by t-SNE (van der Maaten 2014, JMLR 15): perplexity 30, 1000 epochs, the first
/// 250 exaggerated twelvefold, from principal components.
///
/// Runs on one thread, since sums over threads have no fixed order.
///
/// # Errors
/// Why it could not run: fewer than four rows, neighbours of other rows, or no thread to be had.
pub fn tsne(
    matrix: &Matrix,
    near: &Neighbours,
    seed: u64,
    watch: Watch,
) -> Result<LaidOut, String> {
    let n = matrix.len();
    if n < 4 {
        return Err(format!("needs four rows, there are {n}"));
    }
    let perplexity = perplexity(n);
    let k = neighbours_needed(n);
    if near.k() < k || near.rows() != n {
        return Err(format!("needs {k} neighbours of each of the {n} rows"));
    }
    let neighbours: Vec<Vec<Neighbor<f32>>> = (0..n)
        .map(|i| {
            let of_row = near.of(i)[..k].iter();
            let entry = |&(index, distance): &(u32, f32)| Neighbor {
                index: index as usize,
                distance,
            };
            of_row.map(entry).collect()
        })
        .collect();
    let start: Vec<f32> = principal::start(matrix, START_SD, seed).concat();
    let samples: Vec<u32> = (0..n as u32).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| format!("no thread to run it on: {error}"))?;
    let done = AtomicU64::new(0);
    let tell = |done| {
        watch(Step {
            stage: "t-SNE",
            done,
            total: EPOCHS as u64,
        });
    };
    tell(0);
    let flat = pool.install(|| {
        let mut tsne: tSNE<f32, u32> = tSNE::new(&samples);
        tsne.perplexity(perplexity)
            .epochs(EPOCHS)
            .early_exaggeration(EXAGGERATION)
            .stop_lying_epoch(EXAGGERATED_EPOCHS)
            .momentum_switch_epoch(EXAGGERATED_EPOCHS)
            .initial_embedding(start)
            .epoch_callback(|_, _: &[f32]| {
                let epochs = done.fetch_add(1, Ordering::Relaxed) + 1;
                if epochs.is_multiple_of(10) {
                    tell(epochs);
                }
            })
            .barnes_hut_with_neighbors(THETA, &neighbours);
        tsne.embedding()
    });
    let points = flat.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    let settings = [
        ("perplexity", f64::from(perplexity)),
        ("epochs", EPOCHS as f64),
        ("exaggeration", f64::from(EXAGGERATION)),
        ("theta", f64::from(THETA)),
    ];
    Ok((
        points,
        settings.map(|(name, v)| (name.to_owned(), v)).to_vec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::nearest;
    use crate::embed::tests::{blobs, separated};

    #[test]
    fn blobs_stay_apart_and_bits_repeat() {
        let (matrix, labels) = blobs(40);
        let near = nearest(&matrix, neighbours_needed(matrix.len()));
        let (points, settings) = tsne(&matrix, &near, 1, &|_| {}).unwrap();
        assert!(separated(&points, &labels));
        assert_eq!(settings[0], ("perplexity".to_owned(), 30.0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let again = pool
            .build()
            .unwrap()
            .install(|| tsne(&matrix, &near, 1, &|_| {}));
        assert_eq!(points, again.unwrap().0);
        assert_ne!(points, tsne(&matrix, &near, 2, &|_| {}).unwrap().0);
    }

    #[test]
    fn few_rows_lower_the_perplexity() {
        assert_eq!((perplexity(2000), perplexity(8)), (30.0, 2.0));
        let matrix = Matrix::new((0..8).map(|i| i as f32).collect(), 1).unwrap();
        let near = nearest(&matrix, neighbours_needed(8));
        let (points, _) = tsne(&matrix, &near, 0, &|_| {}).unwrap();
        assert!(points.iter().flatten().all(|v| v.is_finite()));
        let other = nearest(&matrix, 2);
        assert!(tsne(&matrix, &other, 0, &|_| {}).is_err());
        let three = Matrix::new(vec![1.0, 2.0, 3.0], 1).unwrap();
        assert!(tsne(&three, &nearest(&three, 2), 0, &|_| {}).is_err());
    }

    #[test]
    fn equal_rows_do_not_panic() {
        let matrix = Matrix::new(vec![1.0; 60], 2).unwrap();
        let near = nearest(&matrix, neighbours_needed(30));
        let (points, _) = tsne(&matrix, &near, 0, &|_| {}).unwrap();
        assert_eq!(points.len(), 30);
    }
}
