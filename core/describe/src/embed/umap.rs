//! UMAP: McInnes, Healy and Melville, arXiv:1802.03426.
//!
//! Own code, because results must be repeatable: the crates there are draw from the thread's
//! random source and update points from several threads at once.

use super::{LaidOut, Matrix, Neighbours, principal};
use crate::rng::Rng;
use crate::{Step, Watch};

/// Neighbours of a row, itself counted.
const NEIGHBOURS: usize = 15;
const EPOCHS: usize = 500;
const NEGATIVE_SAMPLES: usize = 5;
/// 1/(1 + a·d^(2b)) fitted to exp(−(d − min_dist)) beyond min_dist = 0.1 and 1 before, spread 1
/// (the paper's section 3.2): least squares over 300 distances up to 3.
const A: f32 = 1.576_943_5;
const B: f32 = 0.895_060_9;
/// Greatest step of a coordinate, before the learning rate.
const LONGEST_STEP: f32 = 4.0;
/// Standard deviation of the start; layouts grow to about ten across.
const START_SD: f32 = 3.0;

/// Lays rows out by UMAP with 15 neighbours, minimal distance 0.1 and 500 epochs, from principal
/// components. One thread; the seed decides the start's jitter and the negative samples.
#[must_use]
pub fn umap(matrix: &Matrix, near: &Neighbours, seed: u64, watch: Watch) -> LaidOut {
    let k = (NEIGHBOURS - 1).min(near.k());
    let edges = fuzzy_edges(near, k);
    let mut points = principal::start(matrix, START_SD, seed);
    optimise(&mut points, &edges, &mut Rng::new(seed, 99), watch);
    let settings = [
        ("neighbours", (k + 1) as f64),
        ("min_dist", 0.1),
        ("epochs", EPOCHS as f64),
        ("negative_samples", NEGATIVE_SAMPLES as f64),
    ];
    let settings = settings.map(|(name, v)| (name.to_owned(), v)).to_vec();
    (points, settings)
}

/// An edge of the neighbourhood graph, in one of its two directions.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    from: u32,
    to: u32,
    /// Strength of membership, above 0, at most 1.
    weight: f32,
}

/// The union of the rows' fuzzy neighbourhoods (section 3.1, algorithms 2 and 3), both directions
/// of each edge, by row and then by neighbour.
fn fuzzy_edges(near: &Neighbours, k: usize) -> Vec<Edge> {
    let mut weights: Vec<((u32, u32), f32)> = Vec::with_capacity(near.rows() * k * 2);
    for i in 0..near.rows() {
        let of_row = &near.of(i)[..k];
        let distances: Vec<f32> = of_row.iter().map(|&(_, d)| d).collect();
        for (&(j, _), weight) in of_row.iter().zip(memberships(&distances)) {
            weights.push(((i as u32, j), weight));
            weights.push(((j, i as u32), -weight));
        }
    }
    // A pair that is in both neighbourhoods stands twice, once with each sign: first the negative,
    // the other row's.
    weights.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    weights
        .chunk_by(|a, b| a.0 == b.0)
        .map(|pair| {
            let ((from, to), first) = pair[0];
            let (a, b) = (first.abs(), pair.get(1).map_or(0.0, |(_, w)| w.abs()));
            Edge {
                from,
                to,
                // Commutative, so that both directions agree to the bit.
                weight: a + b - a * b,
            }
        })
        .filter(|edge| edge.weight > 0.0)
        .collect()
}

/// exp(−max(0, d − ρ)/σ) for the distances of one row's neighbours, nearest first: ρ is the least
/// distance above 0, σ such that the strengths sum to log₂ of the neighbourhood's size.
fn memberships(distances: &[f32]) -> Vec<f32> {
    let target = ((distances.len() + 1) as f32).log2();
    let rho = distances.iter().copied().find(|&d| d > 0.0).unwrap_or(0.0);
    let strength = |d: f32, sigma: f32| {
        if d <= rho {
            1.0
        } else {
            (-(d - rho) / sigma).exp()
        }
    };
    let (mut low, mut high, mut sigma) = (0.0f32, f32::INFINITY, 1.0f32);
    for _ in 0..64 {
        let sum: f32 = distances.iter().map(|&d| strength(d, sigma)).sum();
        if (sum - target).abs() < 1e-5 {
            break;
        }
        if sum > target {
            high = sigma;
            sigma = (low + high) / 2.0;
        } else {
            low = sigma;
            sigma = if high.is_finite() {
                (low + high) / 2.0
            } else {
                sigma * 2.0
            };
        }
    }
    let mean = distances.iter().sum::<f32>() / distances.len().max(1) as f32;
    // Rows whose neighbours are all equally far would have σ = 0.
    let sigma = sigma.max(1e-3 * mean).max(f32::MIN_POSITIVE);
    distances.iter().map(|&d| strength(d, sigma)).collect()
}

/// Stochastic gradient descent on the cross-entropy of the two graphs (section 3.2, algorithm 5):
/// an edge is drawn as often as its weight is of the heaviest, each time with five random points
/// pushed away.
fn optimise(points: &mut [[f32; 2]], edges: &[Edge], rng: &mut Rng, watch: Watch) {
    let n = points.len();
    let heaviest = edges.iter().map(|edge| edge.weight).fold(0.0, f32::max);
    let tell = |done: usize| {
        watch(Step {
            stage: "UMAP",
            done: done as u64,
            total: EPOCHS as u64,
        });
    };
    tell(0);
    // Draws are counted in steps of the rate, so that the k-th falls in epoch k/rate.
    let rates: Vec<f32> = edges.iter().map(|edge| edge.weight / heaviest).collect();
    for epoch in 0..EPOCHS {
        let learning = 1.0 - epoch as f32 / EPOCHS as f32;
        for (edge, &rate) in edges.iter().zip(&rates) {
            let drawn = |epochs: usize| (epochs as f32 * rate) as u32;
            if drawn(epoch + 1) == drawn(epoch) {
                continue;
            }
            let (from, to) = (edge.from as usize, edge.to as usize);
            let (a, b) = (points[from], points[to]);
            let pull = attraction(squared(a, b));
            for axis in 0..2 {
                let step = clip(pull * (a[axis] - b[axis])) * learning;
                points[from][axis] += step;
                points[to][axis] -= step;
            }
            for _ in 0..NEGATIVE_SAMPLES {
                let other = rng.below(n);
                if other == from {
                    continue;
                }
                let (a, b) = (points[from], points[other]);
                let push = repulsion(squared(a, b));
                for axis in 0..2 {
                    points[from][axis] += clip(push * (a[axis] - b[axis])) * learning;
                }
            }
        }
        if (epoch + 1).is_multiple_of(10) {
            tell(epoch + 1);
        }
    }
}

fn squared(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])
}

fn clip(step: f32) -> f32 {
    step.clamp(-LONGEST_STEP, LONGEST_STEP)
}

/// Factor of y_i − y_j in the gradient of log w, w = 1/(1 + a·d^(2b)), by the squared distance.
fn attraction(square: f32) -> f32 {
    if square <= 0.0 {
        return 0.0;
    }
    let power = square.powf(B - 1.0);
    -2.0 * A * B * power / (1.0 + A * power * square)
}

/// Factor of y_i − y_j in the gradient of log(1 − w); 0.001 keeps it finite.
fn repulsion(square: f32) -> f32 {
    if square <= 0.0 {
        return 0.0;
    }
    2.0 * B / ((0.001 + square) * (1.0 + A * square.powf(B)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::tests::{blobs, separated};
    use crate::embed::{nearest, trust};

    #[test]
    fn blobs_stay_apart_and_bits_repeat() {
        let (matrix, labels) = blobs(40);
        let near = nearest(&matrix, 90);
        let (points, _) = umap(&matrix, &near, 1, &|_| {});
        assert!(separated(&points, &labels));
        assert!(trust(&matrix, &points, 15).trustworthiness > 0.9);
        assert_eq!(points, umap(&matrix, &near, 1, &|_| {}).0);
        assert_ne!(points, umap(&matrix, &near, 2, &|_| {}).0);
    }

    #[test]
    fn a_curve_keeps_its_neighbours() {
        // A spiral in three dimensions: neighbours along it must stay neighbours.
        let rows: Vec<f32> = (0..300)
            .flat_map(|i| {
                let t = i as f32 / 30.0;
                [t.cos() * (1.0 + t), t.sin() * (1.0 + t), t]
            })
            .collect();
        let matrix = Matrix::new(rows, 3).unwrap();
        let (points, _) = umap(&matrix, &nearest(&matrix, 14), 0, &|_| {});
        let trust = trust(&matrix, &points, 15);
        assert!(trust.trustworthiness > 0.97, "{trust:?}");
        assert!(trust.continuity > 0.97, "{trust:?}");
    }

    #[test]
    fn strengths_sum_to_the_logarithm_of_the_neighbourhood() {
        let distances: Vec<f32> = (1..15).map(|i| i as f32 * 0.7).collect();
        let strengths = memberships(&distances);
        assert_eq!(strengths[0], 1.0);
        let sum: f32 = strengths.iter().sum();
        assert!((sum - 15f32.log2()).abs() < 1e-4);
        assert!(strengths.windows(2).all(|pair| pair[0] > pair[1]));
        // All at one distance, and all at none: full strength.
        assert_eq!(memberships(&[2.0; 5]), [1.0; 5]);
        assert_eq!(memberships(&[0.0; 5]), [1.0; 5]);
    }

    #[test]
    fn edges_are_symmetric_unions() {
        // 0 and 1 near one another, 2 far off: with one neighbour each, all strengths are 1.
        let matrix = Matrix::new(vec![0.0, 1.0, 5.0], 1).unwrap();
        let edges = fuzzy_edges(&nearest(&matrix, 1), 1);
        let pairs: Vec<(u32, u32)> = edges.iter().map(|e| (e.from, e.to)).collect();
        assert_eq!(pairs, [(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert!(edges.iter().all(|edge| edge.weight == 1.0));
        let (matrix, _) = blobs(20);
        let edges = fuzzy_edges(&nearest(&matrix, 14), 14);
        for edge in &edges {
            let back = edges
                .iter()
                .find(|e| (e.from, e.to) == (edge.to, edge.from));
            assert_eq!(back.map(|e| e.weight), Some(edge.weight));
        }
    }

    #[test]
    fn gradients_are_those_of_the_loss() {
        // Finite differences of log w and log(1 − w) along one axis.
        let w = |d: f64| 1.0 / (1.0 + f64::from(A) * d.powf(2.0 * f64::from(B)));
        for d in [0.3f64, 1.0, 2.5] {
            let slope = |f: &dyn Fn(f64) -> f64| (f(d + 1e-6) - f(d - 1e-6)) / 2e-6;
            let pull = f64::from(attraction((d * d) as f32)) * d;
            assert!((pull - slope(&|d| w(d).ln())).abs() < 1e-4, "{d}");
            let push = f64::from(repulsion((d * d) as f32)) * d;
            // The 0.001 changes the force by up to 0.001/d².
            let exact = slope(&|d| (1.0 - w(d)).ln());
            assert!((push / exact - 1.0).abs() < 0.0011 / (d * d) + 1e-4, "{d}");
        }
    }

    #[test]
    fn few_and_equal_rows_are_defined() {
        let matrix = Matrix::new(vec![1.0; 9], 1).unwrap();
        let (points, _) = umap(&matrix, &nearest(&matrix, 90), 0, &|_| {});
        assert!(points.iter().flatten().all(|v| v.is_finite()));
        let one = Matrix::new(vec![1.0], 1).unwrap();
        assert_eq!(umap(&one, &nearest(&one, 5), 0, &|_| {}).0.len(), 1);
    }
}
