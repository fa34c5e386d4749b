//! The windows of a patch that slides over an image.

use std::ops::Range;

/// A rectangle of pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
}

/// Where windows of `patch` pixels start when moved by `stride`: the last is cut at the border, and
/// there are just as many as cover all of `side`. `stride` is 1..=patch, so no gap stays.
fn spans(side: usize, patch: usize, stride: usize) -> Vec<Range<usize>> {
    let count = 1 + side.saturating_sub(patch).div_ceil(stride);
    (0..count)
        .map(|i| i * stride..(i * stride + patch).min(side))
        .collect()
}

/// All windows over an image of height by width, row by row.
pub(crate) fn windows(height: usize, width: usize, patch: usize, stride: usize) -> Vec<Window> {
    let columns = spans(width, patch, stride);
    spans(height, patch, stride)
        .into_iter()
        .flat_map(|rows| {
            columns.iter().map(move |columns| Window {
                rows: rows.clone(),
                columns: columns.clone(),
            })
        })
        .collect()
}

/// For each pixel of an image of `height` by `width`, how many of the windows cover it.
pub(crate) fn coverage(height: usize, width: usize, windows: &[Window]) -> Vec<u32> {
    let mut covered = vec![0; height * width];
    for window in windows {
        for row in window.rows.clone() {
            for count in &mut covered[row * width..][window.columns.clone()] {
                *count += 1;
            }
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_s_grid_is_seven_by_seven() {
        let grid = windows(28, 28, 4, 4);
        assert_eq!(grid.len(), 49);
        assert!(coverage(28, 28, &grid).iter().all(|&n| n == 1));
        assert_eq!(
            grid[8],
            Window {
                rows: 4..8,
                columns: 4..8
            }
        );
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
                    let grid = windows(side, 5, patch, stride);
                    assert!(coverage(side, 5, &grid).iter().all(|&n| n > 0));
                }
            }
        }
    }
}
