//! The windows of a patch that slides over an image.

use std::ops::Range;

use crate::image::{Image, Region};

/// Where windows of `patch` pixels start when moved by `stride`: the last is cut at the border, and
/// there are just as many as cover all of `side`. `stride` is 1..=patch, so no gap stays.
fn spans(side: usize, patch: usize, stride: usize) -> Vec<Range<usize>> {
    let count = 1 + side.saturating_sub(patch).div_ceil(stride);
    (0..count)
        .map(|i| i * stride..(i * stride + patch).min(side))
        .collect()
}

/// All windows of `patch` (height, width) moved by `stride` (down, right) over an image, row by row.
pub(crate) fn windows(image: Image, patch: (usize, usize), stride: (usize, usize)) -> Vec<Region> {
    let columns = spans(image.width, patch.1, stride.1);
    spans(image.height, patch.0, stride.0)
        .into_iter()
        .flat_map(|rows| {
            columns.iter().map(move |columns| Region {
                runs: rows
                    .clone()
                    .map(|row| row * image.width + columns.start..row * image.width + columns.end)
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(height: usize, width: usize) -> Image {
        Image {
            channels: 1,
            height,
            width,
            is_table: false,
        }
    }

    fn coverage(image: Image, windows: &[Region]) -> Vec<u32> {
        let mut covered = vec![0; image.plane()];
        for window in windows {
            window.for_each_run(image, |run| covered[run].iter_mut().for_each(|n| *n += 1));
        }
        covered
    }

    #[test]
    fn the_study_s_grid_is_seven_by_seven() {
        let grid = windows(image(28, 28), (4, 4), (4, 4));
        assert_eq!(grid.len(), 49);
        assert!(coverage(image(28, 28), &grid).iter().all(|&n| n == 1));
        assert_eq!(grid[8].runs, [116..120, 144..148, 172..176, 200..204]);
    }

    #[test]
    fn ragged_borders_are_cut_and_covered() {
        assert_eq!(spans(7, 3, 2), [0..3, 2..5, 4..7]);
        assert_eq!(spans(8, 3, 2), [0..3, 2..5, 4..7, 6..8]);
        assert_eq!(spans(7, 4, 4), [0..4, 4..7]);
        assert_eq!(spans(3, 5, 5), std::slice::from_ref(&(0..3)));
        for side in 1..12 {
            for patch in 1..8 {
                for stride in 1..=patch {
                    let image = image(side, 5);
                    let grid = windows(image, (patch, 2), (stride, 1));
                    assert!(coverage(image, &grid).iter().all(|&n| n > 0));
                }
            }
        }
    }
}
