//! The leading eigenvector of a symmetric matrix, for EigenCAM.
//!
//! Small matrices are diagonalised by Jacobi rotations. Larger ones are looked at through a Krylov
//! space that is restarted with its best vector (Lanczos 1950; restarts after Saad 2011, chapter
//! 6): a few products with the matrix instead of a cubic number of operations.

/// Matrices up to this side are diagonalised directly; also the size of a Krylov space.
const DIRECT: usize = 32;
/// Restarts; a vector that needs more belongs to eigenvalues that f32 features do not tell apart.
const RESTARTS: usize = 200;
/// Length of the residual, relative to the eigenvalue, at which a vector is taken.
const TOLERANCE: f64 = 1e-12;

/// The unit eigenvector of the largest eigenvalue of a positive semi-definite matrix, row-major,
/// side `n`; its sign is arbitrary. None when the matrix is zero.
///
/// Deterministic; where the largest eigenvalue is a multiple one, some vector of its space.
pub(crate) fn leading_eigenvector(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    if matrix.iter().all(|&value| value == 0.0) {
        return None;
    }
    if n <= DIRECT {
        return Some(direct(matrix.to_vec(), n).1);
    }
    // Positive and irregular: not orthogonal to the vector that is looked for where all features are
    // positive, and by no symmetry of the maps elsewhere.
    let mut vector: Vec<f64> = (0..n)
        .map(|i| 1.0 + (i as f64 * 0.618_033_988_749_895).fract())
        .collect();
    normalise(&mut vector);
    for _ in 0..RESTARTS {
        let residual;
        (vector, residual) = krylov(matrix, n, vector);
        if residual <= TOLERANCE {
            break;
        }
    }
    Some(vector)
}

/// The best unit eigenvector within the Krylov space of `start`, and its relative residual.
fn krylov(matrix: &[f64], n: usize, start: Vec<f64>) -> (Vec<f64>, f64) {
    let mut basis = vec![start];
    let mut images: Vec<Vec<f64>> = Vec::with_capacity(DIRECT);
    while let Some(last) = basis.last() {
        let image = product(matrix, last);
        let length = norm(&image);
        let mut next = image.clone();
        images.push(image);
        if basis.len() == DIRECT {
            break;
        }
        // Twice, which is enough (Kahan and Parlett).
        for _ in 0..2 {
            for vector in &basis {
                let share = dot(vector, &next);
                next.iter_mut()
                    .zip(vector)
                    .for_each(|(next, vector)| *next -= share * vector);
            }
        }
        // The space is invariant: there is nothing new in it.
        if norm(&next) <= 1e-14 * length {
            break;
        }
        normalise(&mut next);
        basis.push(next);
    }
    let side = basis.len();
    let mut small = vec![0.0; side * side];
    for i in 0..side {
        for j in 0..=i {
            let value = dot(&basis[i], &images[j]);
            small[i * side + j] = value;
            small[j * side + i] = value;
        }
    }
    let (value, mix) = direct(small, side);
    let combine = |vectors: &[Vec<f64>]| {
        let mut sum = vec![0.0; n];
        for (vector, share) in vectors.iter().zip(&mix) {
            sum.iter_mut()
                .zip(vector)
                .for_each(|(sum, vector)| *sum += share * vector);
        }
        sum
    };
    let (mut vector, image) = (combine(&basis), combine(&images));
    let rest: Vec<f64> = image
        .iter()
        .zip(&vector)
        .map(|(image, vector)| image - value * vector)
        .collect();
    normalise(&mut vector);
    let residual = if value > 0.0 {
        norm(&rest) / value
    } else {
        0.0
    };
    (vector, residual)
}

/// The largest eigenvalue and its unit eigenvector, by cyclic Jacobi rotations (Golub and Van Loan,
/// section 8.5).
fn direct(mut matrix: Vec<f64>, n: usize) -> (f64, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    let scale = norm(&matrix);
    for _sweep in 0..60 {
        let mut off = 0.0_f64;
        for p in 0..n {
            for q in p + 1..n {
                let element = matrix[p * n + q];
                off = off.max(element.abs());
                if element.abs() <= 1e-17 * scale {
                    continue;
                }
                let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * element);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                for k in 0..n {
                    let (a, b) = (matrix[k * n + p], matrix[k * n + q]);
                    matrix[k * n + p] = cosine * a - sine * b;
                    matrix[k * n + q] = sine * a + cosine * b;
                }
                for k in 0..n {
                    let (a, b) = (matrix[p * n + k], matrix[q * n + k]);
                    matrix[p * n + k] = cosine * a - sine * b;
                    matrix[q * n + k] = sine * a + cosine * b;
                    let (a, b) = (vectors[p * n + k], vectors[q * n + k]);
                    vectors[p * n + k] = cosine * a - sine * b;
                    vectors[q * n + k] = sine * a + cosine * b;
                }
            }
        }
        if off <= 1e-15 * scale {
            break;
        }
    }
    let mut best = 0;
    for i in 1..n {
        if matrix[i * n + i] > matrix[best * n + best] {
            best = i;
        }
    }
    (
        matrix[best * n + best],
        vectors[best * n..(best + 1) * n].to_vec(),
    )
}

/// Matrix times vector.
fn product(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(vector.len())
        .map(|row| dot(row, vector))
        .collect()
}

/// Inner product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Euclidean length.
pub(crate) fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

fn normalise(vector: &mut [f64]) {
    let length = norm(vector);
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with the given eigenvalues, in a basis of products of reflections.
    fn with_eigenvalues(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = values.len();
        let mut basis = vec![0.0; n * n];
        for i in 0..n {
            basis[i * n + i] = 1.0;
        }
        for reflection in 0..3 {
            let mut mirror: Vec<f64> = (0..n)
                .map(|i| ((i * 7 + reflection * 13 + 1) as f64 * 0.731).sin())
                .collect();
            normalise(&mut mirror);
            for row in basis.chunks_exact_mut(n) {
                let share = 2.0 * dot(row, &mirror);
                row.iter_mut()
                    .zip(&mirror)
                    .for_each(|(row, mirror)| *row -= share * mirror);
            }
        }
        let mut matrix = vec![0.0; n * n];
        for (value, vector) in values.iter().zip(basis.chunks_exact(n)) {
            for i in 0..n {
                for j in 0..n {
                    matrix[i * n + j] += value * vector[i] * vector[j];
                }
            }
        }
        let best = (0..n)
            .max_by(|&a, &b| values[a].total_cmp(&values[b]))
            .expect("some");
        (matrix, basis[best * n..][..n].to_vec())
    }

    fn deviation(values: &[f64]) -> f64 {
        let (matrix, expected) = with_eigenvalues(values);
        let seen = leading_eigenvector(&matrix, values.len()).expect("not zero");
        1.0 - dot(&seen, &expected).abs()
    }

    #[test]
    fn two_by_two_by_hand() {
        // [[2, 1], [1, 2]] has 3 at (1, 1) and 1 at (1, -1).
        let seen = leading_eigenvector(&[2.0, 1.0, 1.0, 2.0], 2).expect("not zero");
        assert!((seen[0] - seen[1]).abs() < 1e-15);
        assert!((seen[0].abs() - 0.5_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn known_eigenvectors_at_all_sizes() {
        for n in [1, 2, 3, 9, 32, 33, 64, 150] {
            let values: Vec<f64> = (0..n).map(|i| 1.0 / (1.0 + ((i * 7) % n) as f64)).collect();
            let worst = deviation(&values);
            assert!(worst < 1e-12, "{n}: {worst}");
        }
    }

    #[test]
    fn close_eigenvalues() {
        let mut values = vec![0.5; 80];
        values[17] = 1.0;
        values[3] = 0.999;
        let worst = deviation(&values);
        assert!(worst < 1e-9, "{worst}");
    }

    #[test]
    fn a_spectrum_that_needs_restarts() {
        let values: Vec<f64> = (0..200).map(|i| f64::from((i * 7) % 200)).collect();
        let worst = deviation(&values);
        assert!(worst < 1e-12, "{worst}");
    }

    #[test]
    fn multiple_eigenvalues_give_a_vector_of_their_space() {
        for n in [4, 60] {
            let mut identity = vec![0.0; n * n];
            for i in 0..n {
                identity[i * n + i] = 3.0;
            }
            let seen = leading_eigenvector(&identity, n).expect("not zero");
            assert!((norm(&seen) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn zero_has_none() {
        assert_eq!(leading_eigenvector(&[0.0; 9], 3), None);
        assert_eq!(leading_eigenvector(&[0.0; 40 * 40], 40), None);
    }
}
