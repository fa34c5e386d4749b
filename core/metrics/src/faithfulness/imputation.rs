//! Filling pixels in from their neighbours.

use crate::NotApplicable;

/// Weight of a neighbour across an edge.
const EDGE: f32 = 1.0 / 6.0;
/// Weight of a neighbour across a corner.
const CORNER: f32 = 1.0 / 12.0;
/// Root mean square residual at which the solution is good enough, as a share of the range of the
/// known values; a hundredth of the noise that is added to it.
const TOLERANCE: f64 = 1e-6;

/// The linear imputation of ROAD (Rong et al. 2022, section 5.2): every missing pixel is the mean of
/// its eight neighbours, those across an edge with weight 1/6 and those across a corner with 1/12,
/// over the weights of those within the image.
///
/// The system is symmetric and positive definite (a graph Laplacian with the known pixels as its
/// boundary), so that conjugate gradients solve it on the grid itself, without a matrix. They start
/// from what stands in the missing pixels: with growing sets of them, the solution before.
#[derive(Debug, Clone)]
pub struct LinearImputer {
    height: usize,
    width: usize,
    /// 1 at missing pixels; like all below with a border of zeros, `[height + 2, width + 2]`.
    missing: Vec<f32>,
    /// Sum of the weights of the neighbours within the image.
    weights: Vec<f32>,
    values: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
}

impl LinearImputer {
    /// For images of this size.
    #[must_use]
    pub fn new(height: usize, width: usize) -> Self {
        let padded = (height + 2) * (width + 2);
        let mut imputer = Self {
            height,
            width,
            missing: vec![0.0; padded],
            weights: vec![0.0; padded],
            values: vec![0.0; padded],
            residual: vec![0.0; padded],
            direction: vec![0.0; padded],
            product: vec![0.0; padded],
        };
        let mut inside = vec![0.0; padded];
        imputer.scatter(&vec![1.0; height * width], &mut inside);
        for y in 0..height {
            for x in 0..width {
                let at = (y + 1) * (width + 2) + x + 1;
                imputer.weights[at] = neighbours(&inside, width + 2, at);
            }
        }
        imputer
    }

    /// Solves for the missing pixels of one channel, `[height, width]`, in place: what stands in
    /// them is the first guess.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`] for another size, [`NotApplicable::NonFinite`],
    /// [`NotApplicable::Empty`] where every pixel is missing, so that there is nothing to fill them
    /// in from.
    pub fn fill(&mut self, channel: &mut [f32], missing: &[bool]) -> Result<(), NotApplicable> {
        let area = self.height * self.width;
        if channel.len() != area || missing.len() != area {
            return Err(NotApplicable::LengthMismatch);
        }
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (&value, &missing) in channel.iter().zip(missing) {
            if !value.is_finite() {
                return Err(NotApplicable::NonFinite);
            }
            if !missing {
                (low, high) = (value.min(low), value.max(high));
            }
        }
        if low > high {
            return Err(NotApplicable::Empty);
        }
        let count = missing.iter().filter(|&&missing| missing).count();
        let mut values = std::mem::take(&mut self.values);
        self.scatter(channel, &mut values);
        self.values = values;
        let flags: Vec<f32> = missing
            .iter()
            .map(|&missing| f32::from(u8::from(missing)))
            .collect();
        let mut mask = std::mem::take(&mut self.missing);
        self.scatter(&flags, &mut mask);
        self.missing = mask;
        self.solve(TOLERANCE * f64::from(high - low), count);
        for (y, row) in channel.chunks_exact_mut(self.width.max(1)).enumerate() {
            let start = (y + 1) * (self.width + 2) + 1;
            row.copy_from_slice(&self.values[start..start + row.len()]);
        }
        Ok(())
    }

    /// Copies an image into the middle of a padded one.
    fn scatter(&self, image: &[f32], padded: &mut [f32]) {
        for (y, row) in image.chunks_exact(self.width.max(1)).enumerate() {
            let start = (y + 1) * (self.width + 2) + 1;
            padded[start..start + row.len()].copy_from_slice(row);
        }
    }

    /// Conjugate gradients (Hestenes and Stiefel 1952) to a root mean square residual of
    /// `tolerance`; of a constant image, whose known values have no range, to the first exact step.
    fn solve(&mut self, tolerance: f64, count: usize) {
        let goal = (tolerance * tolerance * count as f64).max(f64::from(f32::MIN_POSITIVE));
        let stride = self.width + 2;
        apply(
            &self.values,
            &self.weights,
            &self.missing,
            stride,
            &mut self.product,
        );
        for (residual, product) in self.residual.iter_mut().zip(&self.product) {
            *residual = -product;
        }
        self.direction.copy_from_slice(&self.residual);
        let mut square = dot(&self.residual, &self.residual);
        // Theory needs a number of rounds that grows with the extent; ten times that never ends
        // early, and ends where rounding keeps the residual above the goal.
        for _ in 0..10 * (self.height + self.width) {
            if square <= goal {
                break;
            }
            apply(
                &self.direction,
                &self.weights,
                &self.missing,
                stride,
                &mut self.product,
            );
            let curvature = dot(&self.direction, &self.product);
            if curvature <= 0.0 {
                break;
            }
            let length = (square / curvature) as f32;
            for (value, direction) in self.values.iter_mut().zip(&self.direction) {
                *value += length * direction;
            }
            for (residual, product) in self.residual.iter_mut().zip(&self.product) {
                *residual -= length * product;
            }
            let next = dot(&self.residual, &self.residual);
            let ratio = (next / square) as f32;
            for (direction, residual) in self.direction.iter_mut().zip(&self.residual) {
                *direction = residual + ratio * *direction;
            }
            square = next;
        }
    }
}

/// The weighted sum of the eight neighbours.
fn neighbours(values: &[f32], stride: usize, at: usize) -> f32 {
    let (up, down) = (at - stride, at + stride);
    EDGE * (values[at - 1] + values[at + 1] + values[up] + values[down])
        + CORNER * (values[up - 1] + values[up + 1] + values[down - 1] + values[down + 1])
}

/// `weights ∘ values − (weighted neighbours)` at missing pixels, 0 elsewhere.
fn apply(values: &[f32], weights: &[f32], missing: &[f32], stride: usize, product: &mut [f32]) {
    let rows = values.len() / stride;
    for y in 1..rows.saturating_sub(1) {
        let row = |from: &'_ [f32], y: usize| -> std::ops::Range<usize> {
            debug_assert!(from.len() >= (y + 1) * stride);
            y * stride..(y + 1) * stride
        };
        let (up, middle, down) = (
            &values[row(values, y - 1)],
            &values[row(values, y)],
            &values[row(values, y + 1)],
        );
        let weights = &weights[row(weights, y)];
        let missing = &missing[row(missing, y)];
        let product = &mut product[y * stride..(y + 1) * stride];
        for x in 1..stride - 1 {
            let edges = middle[x - 1] + middle[x + 1] + up[x] + down[x];
            let corners = up[x - 1] + up[x + 1] + down[x - 1] + down[x + 1];
            product[x] = missing[x] * (weights[x] * middle[x] - EDGE * edges - CORNER * corners);
        }
    }
}

/// A dot product in eight partial sums, always in the same order.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut partial = [0.0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = (a_chunks.remainder().iter())
        .zip(b_chunks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((partial, a), b) in partial.iter_mut().zip(a).zip(b) {
            *partial += a * b;
        }
    }
    partial.iter().map(|&sum| f64::from(sum)).sum::<f64>() + f64::from(rest)
}
