//! Cells of a row that designed experiments dim together.

use xbench_plugin::{Result, TensorRef};

use crate::fill::Fill;
use crate::image::{Image, Region, grid_cells};

/// The cells of a batch's rows.
pub(crate) struct Cells {
    pub(crate) image: Image,
    /// Cell of each pixel.
    labels: Vec<u32>,
    pub(crate) count: usize,
    /// Every row as it is when it is covered whole.
    baselines: Vec<f32>,
    /// Per row and cell: does covering the cell change anything?
    active: Vec<bool>,
}

impl Cells {
    /// Cells of a grid of `grid` by `grid` over images, or the columns of a table.
    pub(crate) fn new(x: TensorRef<'_>, image: Image, grid: usize, fill: Fill) -> Result<Self> {
        let (labels, count) = grid_cells(image, grid);
        let baselines = fill.baselines(x, image)?;
        let regions = Region::of_labels(&labels, count);
        let row_len = image.row_len();
        let active = (0..x.rows())
            .flat_map(|row| {
                let (values, baseline) = (x.row(row), &baselines[row * row_len..][..row_len]);
                regions
                    .iter()
                    .map(move |region| region.differs(image, values, baseline))
            })
            .collect();
        Ok(Self {
            image,
            labels,
            count,
            baselines,
            active,
        })
    }

    /// Per cell of a row: does covering it change anything?
    pub(crate) fn active(&self, row: usize) -> &[bool] {
        &self.active[row * self.count..][..self.count]
    }

    /// Writes row `row`, whose values are `x`, with each cell left by the share that `left` gives:
    /// 1 leaves the cell as it is, 0 covers it, both exactly.
    pub(crate) fn dim(&self, row: usize, x: &[f32], left: impl Fn(usize) -> f32, out: &mut [f32]) {
        let shares: Vec<f32> = (0..self.count).map(left).collect();
        let plane = self.image.plane();
        let baseline = &self.baselines[row * x.len()..][..x.len()];
        for ((out, x), baseline) in out
            .chunks_exact_mut(plane)
            .zip(x.chunks_exact(plane))
            .zip(baseline.chunks_exact(plane))
        {
            for (((out, x), baseline), &label) in
                out.iter_mut().zip(x).zip(baseline).zip(&self.labels)
            {
                let share = shares[label as usize];
                *out = x * share + baseline * (1.0 - share);
            }
        }
    }

    /// Writes one value per cell into a row of attributions: every pixel of a cell gets the cell's
    /// value, shared by the channels.
    pub(crate) fn spread(&self, values: &[f64], out: &mut [f32]) {
        let map: Vec<f64> = self
            .labels
            .iter()
            .map(|&label| values[label as usize])
            .collect();
        self.image.spread(&map, out);
    }
}
