//! The planes of pixels that a row holds.

use std::ops::Range;

use xbench_plugin::{Error, Result, TensorRef};

/// What every row holds: channels by height by width pixels. A table is one line of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Do the columns of a table stand here, which have no order?
    pub(crate) is_table: bool,
}

impl Image {
    /// What the rows of `x` hold; `method` is named where it is neither images nor a table.
    pub(crate) fn of(x: TensorRef<'_>, method: &str) -> Result<Self> {
        match x.shape()[1..] {
            [channels, height, width] if x.row_len() > 0 => Ok(Self {
                channels,
                height,
                width,
                is_table: false,
            }),
            [width] if width > 0 => Ok(Self {
                channels: 1,
                height: 1,
                width,
                is_table: true,
            }),
            _ => Err(Error::invalid_argument(format!(
                "{method} covers images of shape [n, channels, height, width] or tables of shape \
                 [n, columns], none of them empty, not {:?}",
                x.shape()
            ))),
        }
    }

    /// Pixels of a channel.
    pub(crate) fn plane(&self) -> usize {
        self.height * self.width
    }

    /// Values of a row.
    pub(crate) fn row_len(&self) -> usize {
        self.channels * self.plane()
    }

    /// Writes a map of one value per pixel into a row of attributions: each channel gets its value
    /// divided by the number of channels, so that the sum over the channels is the map.
    pub(crate) fn spread(&self, map: &[f64], out: &mut [f32]) {
        for channel in out.chunks_exact_mut(self.plane()) {
            for (out, value) in channel.iter_mut().zip(map) {
                *out = (value / self.channels as f64) as f32;
            }
        }
    }
}

/// A set of pixels: runs of neighbours within a channel's plane, in order, none empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) runs: Vec<Range<usize>>,
}

impl Region {
    /// The regions of labels below `count`, one per pixel; a label that no pixel has gives an empty
    /// region.
    pub(crate) fn of_labels(labels: &[u32], count: usize) -> Vec<Self> {
        let mut regions = vec![Self::default(); count];
        let mut start = 0;
        for end in 1..=labels.len() {
            if labels.get(end) != Some(&labels[start]) {
                regions[labels[start] as usize].runs.push(start..end);
                start = end;
            }
        }
        regions
    }

    /// Calls `visit` with each run of a row's values that lies in the region, over all channels.
    pub(crate) fn for_each_run(&self, image: Image, mut visit: impl FnMut(Range<usize>)) {
        for channel in 0..image.channels {
            let start = channel * image.plane();
            for run in &self.runs {
                visit(start + run.start..start + run.end);
            }
        }
    }

    /// Do two rows differ within the region?
    pub(crate) fn differs(&self, image: Image, one: &[f32], other: &[f32]) -> bool {
        let mut differs = false;
        self.for_each_run(image, |run| differs |= one[run.clone()] != other[run]);
        differs
    }
}

/// The cells of a grid laid over an image, as one label per pixel: pixel (r, c) belongs to cell
/// floor(r g / height), floor(c g / width), where a side has at most as many cells as pixels. Each
/// column of a table is a cell. Returns the labels and how many there are.
pub(crate) fn grid_cells(image: Image, grid: usize) -> (Vec<u32>, usize) {
    let side = |pixels: usize| {
        if image.is_table {
            pixels
        } else {
            grid.min(pixels)
        }
    };
    let (rows, columns) = (side(image.height), side(image.width));
    let labels = (0..image.plane())
        .map(|pixel| {
            let (r, c) = (pixel / image.width, pixel % image.width);
            (r * rows / image.height * columns + c * columns / image.width) as u32
        })
        .collect();
    (labels, rows * columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Image = Image {
        channels: 2,
        height: 3,
        width: 4,
        is_table: false,
    };

    #[test]
    fn regions_are_the_runs_of_their_label() {
        let labels = [0, 0, 1, 1, 0, 2, 2, 1, 2, 2, 2, 2];
        let regions = Region::of_labels(&labels, 4);
        assert_eq!(regions[0].runs, [0..2, 4..5]);
        assert_eq!(regions[1].runs, [2..4, 7..8]);
        assert_eq!(regions[2].runs, [5..7, 8..12]);
        assert!(regions[3].runs.is_empty());
        let mut seen = Vec::new();
        regions[0].for_each_run(IMAGE, |run| seen.push(run));
        assert_eq!(seen, [0..2, 4..5, 12..14, 16..17]);
        let mut changed = [0.0; 24];
        changed[16] = 1.0;
        assert!(regions[0].differs(IMAGE, &[0.0; 24], &changed));
        assert!(!regions[1].differs(IMAGE, &[0.0; 24], &changed));
    }

    #[test]
    fn cells_are_even_and_never_smaller_than_a_pixel() {
        let (labels, count) = grid_cells(IMAGE, 2);
        assert_eq!(count, 4);
        assert_eq!(labels, [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3]);
        let (labels, count) = grid_cells(IMAGE, 100);
        assert_eq!(count, 12);
        assert_eq!(labels, (0..12).collect::<Vec<_>>());
        assert_eq!(grid_cells(IMAGE, 1), (vec![0; 12], 1));
        let table = Image {
            channels: 1,
            height: 1,
            width: 5,
            is_table: true,
        };
        assert_eq!(grid_cells(table, 2), (vec![0, 1, 2, 3, 4], 5));
    }

    #[test]
    fn a_map_is_shared_by_the_channels() {
        let map: Vec<f64> = (0..12).map(f64::from).collect();
        let mut out = [0.0; 24];
        IMAGE.spread(&map, &mut out);
        assert_eq!((out[5], out[17]), (2.5, 2.5));
    }
}
