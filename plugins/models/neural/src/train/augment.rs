//! Flips and shifts of training images.

use super::Recipe;
use xbench_plugin::rng::CounterRng;

/// What is done to one image in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    flip: bool,
    down: isize,
    right: isize,
}

impl Change {
    /// Decided by the epoch's generator and the image's number, not by its place in a batch.
    pub(super) fn draw(recipe: &Recipe, epoch: CounterRng, image: u64) -> Self {
        let rng = epoch.stream(image);
        let range = 2 * recipe.shift as u64 + 1;
        let by = |i| rng.below(i, range) as isize - recipe.shift as isize;
        Change {
            flip: recipe.flip && rng.below(0, 2) == 1,
            down: by(1),
            right: by(2),
        }
    }
}

/// Scales bytes to [0, 1] and applies a change to every channel; zeros come in at the edges.
pub(super) fn apply(from: &[u8], [height, width]: [usize; 2], change: Change, to: &mut [f32]) {
    for (from, to) in from
        .chunks_exact(height * width)
        .zip(to.chunks_exact_mut(height * width))
    {
        for (y, to) in to.chunks_exact_mut(width).enumerate() {
            let row = y as isize - change.down;
            if row < 0 || row >= height as isize {
                to.fill(0.0);
                continue;
            }
            let from = &from[row as usize * width..][..width];
            for (x, to) in to.iter_mut().enumerate() {
                let x = if change.flip { width - 1 - x } else { x };
                let column = x as isize - change.right;
                let inside = column >= 0 && column < width as isize;
                *to = if inside {
                    f32::from(from[column as usize]) / 255.0
                } else {
                    0.0
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_and_shifts_by_hand() {
        let image = [255, 0, 51, 102, 0, 0];
        let mut to = [9.0; 6];
        apply(
            &image,
            [2, 3],
            Change {
                flip: false,
                down: 0,
                right: 0,
            },
            &mut to,
        );
        assert_eq!(to, [1.0, 0.0, 0.2, 0.4, 0.0, 0.0]);
        apply(
            &image,
            [2, 3],
            Change {
                flip: true,
                down: 0,
                right: 0,
            },
            &mut to,
        );
        assert_eq!(to, [0.2, 0.0, 1.0, 0.0, 0.0, 0.4]);
        apply(
            &image,
            [2, 3],
            Change {
                flip: false,
                down: 1,
                right: 1,
            },
            &mut to,
        );
        assert_eq!(to, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }
}
