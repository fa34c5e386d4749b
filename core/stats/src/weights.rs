//! Sums of columns under many sets of weights: what bootstrap and permutation tests have in common.
//!
//! Both are products of two matrices, weights (draw × image) and values (image × column). Since
//! they are linear, what they give for the difference of two columns is the difference of what
//! they give for each: all pairs of k columns cost k products and not k².

/// Draws widened at a time.
const DRAWS: usize = 256;
/// Images widened at a time; a tile of both fits the second-level cache.
const IMAGES: usize = 64;

/// For each column the weighted sum over images of every draw, `[column][draw]`.
///
/// `widen(image, first_draw, line)` writes the weights of one image for as many draws as the line
/// is long. A tile of weights is widened once and serves all columns.
pub(crate) fn weighted_sums(
    images: usize,
    draws: usize,
    columns: &[&[f64]],
    widen: impl Fn(usize, usize, &mut [f64]),
) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![0.0; draws]; columns.len()];
    let mut tile = vec![0.0f64; DRAWS * IMAGES];
    for first_draw in (0..draws).step_by(DRAWS) {
        let width = DRAWS.min(draws - first_draw);
        for first_image in (0..images).step_by(IMAGES) {
            let height = IMAGES.min(images - first_image);
            for (row, line) in tile.chunks_exact_mut(width).take(height).enumerate() {
                widen(first_image + row, first_draw, line);
            }
            for (column, sums) in columns.iter().zip(&mut sums) {
                let sums = &mut sums[first_draw..first_draw + width];
                let values = &column[first_image..first_image + height];
                add_weighted(values, &tile[..height * width], sums);
            }
        }
    }
    sums
}

/// Adds `Σ_i values[i] · weights[i][..]` to `sums`, four rows at a time.
fn add_weighted(values: &[f64], weights: &[f64], sums: &mut [f64]) {
    let width = sums.len();
    let mut rows = weights.chunks_exact(4 * width);
    let mut quads = values.chunks_exact(4);
    for (rows, quad) in rows.by_ref().zip(quads.by_ref()) {
        let (ab, cd) = rows.split_at(2 * width);
        let ((a, b), (c, d)) = (ab.split_at(width), cd.split_at(width));
        for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum += (quad[0] * a + quad[1] * b) + (quad[2] * c + quad[3] * d);
        }
    }
    for (row, value) in rows.remainder().chunks_exact(width).zip(quads.remainder()) {
        for (sum, weight) in sums.iter_mut().zip(row) {
            *sum += value * weight;
        }
    }
}
