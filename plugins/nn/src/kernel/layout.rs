//! Between channel-first and channel-last images.

use super::tile::vectorised;

/// `[images, channels, pixels]` to `[images, pixels, channels]`.
///
/// # Panics
/// When a length is not `images * channels * pixels`.
pub fn to_channel_last(from: &[f32], channels: usize, pixels: usize, to: &mut [f32]) {
    transpose(from, channels, pixels, to);
}

/// `[images, pixels, channels]` to `[images, channels, pixels]`.
///
/// # Panics
/// When a length is not `images * channels * pixels`.
pub fn to_channel_first(from: &[f32], channels: usize, pixels: usize, to: &mut [f32]) {
    transpose(from, pixels, channels, to);
}

fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    const TILE: usize = 16;
    assert_eq!(
        from.len(),
        to.len(),
        "source and destination lengths differ"
    );
    let size = rows * columns;
    if size == 0 {
        return;
    }
    assert_eq!(
        from.len() % size,
        0,
        "length is not a whole number of images"
    );
    if rows == 1 || columns == 1 {
        to.copy_from_slice(from);
        return;
    }
    vectorised(|| {
        for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
            for r0 in (0..rows).step_by(TILE) {
                let r1 = (r0 + TILE).min(rows);
                for c in 0..columns {
                    let to = &mut to[c * rows + r0..c * rows + r1];
                    let mut at = r0 * columns + c;
                    for to in to {
                        *to = from[at];
                        at += columns;
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (images, channels, pixels) in [(2, 3, 5), (1, 33, 17), (3, 1, 4), (2, 4, 1)] {
            let x: Vec<f32> = (0..images * channels * pixels).map(|i| i as f32).collect();
            let (mut last, mut first) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            to_channel_last(&x, channels, pixels, &mut last);
            let (i, c, p) = (images - 1, channels - 1, pixels / 2);
            assert_eq!(
                last[(i * pixels + p) * channels + c],
                x[(i * channels + c) * pixels + p]
            );
            to_channel_first(&last, channels, pixels, &mut first);
            assert_eq!(first, x);
        }
    }
}
