//! HSIC attribution: how much the output depends on whether a cell is left.

mod dependence;

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::copies::{Inquiry, Job, Perturbation};
use crate::design::Cells;
use crate::fill::Fill;
use crate::image::Image;
use crate::outcome::Outcome;

pub use dependence::{dependence, median_distance};

/// Draws from a row's seed for this purpose alone.
const PURPOSE: u64 = 0x4853_4943;

xbench_plugin::params! {
    /// Parameters of HSIC attribution.
    pub struct HsicParams {
        /// Cells along each side of the image. Each column of a table is a cell.
        grid: u32 = 7, 1..=64;
        /// Masks drawn for every row.
        masks: u32 = 500, 4..=20_000;
        /// Value of a covered cell, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What covers a cell: that value ("constant"), the mean of the image's own channel
        /// ("mean"), or the image, blurred ("blur"). A table takes a constant.
        fill_with: String = "constant", ["constant", "mean", "blur"];
        /// Standard deviation of the blur, as a share of the image's shorter side.
        blur: f32 = 0.1, 0.0..=1.0;
        /// What is watched: the model's own output ("logit") or the probability of the target.
        outcome: String = "logit", ["logit", "probability"];
    }
}

/// HSIC attribution (Novello, Fel and Vigouroux 2022): the Hilbert-Schmidt independence criterion
/// between whether a cell of a grid is left or covered and the outcome.
///
/// Each mask leaves a cell with probability 1/2, drawn as a Latin hypercube: every cell is left in
/// half of the masks. The kernel of the mask is Dirac's, 1 where two masks agree on the cell, which
/// is the paper's for binary variables up to a constant; that of the outcome is Gaussian with the
/// median distance between outcomes for its width (the authors' program takes the median outcome,
/// which depends on the origin of the output's scale). See [`dependence`] for the estimator.
///
/// Values are 0 to 1/4 for 0 to 1 kernels: 0 in the limit of many masks for a cell that the
/// outcome does not depend on; near (1 - mean kernel) / (2 masks) for a finite number. The sign of
/// an effect is not seen. A cell that already holds nothing but its cover has exactly 0, as have
/// all where the outcome does not vary beyond rounding. Every pixel has its cell's value, each
/// channel a share of it. `masks` forward rows per row; none where no cell changes anything.
#[derive(Clone, Debug)]
pub struct Hsic {
    grid: usize,
    masks: usize,
    fill: Fill,
    outcome: Outcome,
}

impl Plugin for Hsic {
    const META: Meta = Meta {
        id: c"org.xbench.hsic",
        name: c"HSIC attribution",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"P. Novello, T. Fel, D. Vigouroux, Making Sense of Dependence: Efficient Black-box Explanations Using Dependence Measure, 2022",
        summary: c"How strongly the explained output depends, by the Hilbert-Schmidt independence criterion, on whether a cell is left.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = HsicParams;

    fn create(params: HsicParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            grid: params.grid as usize,
            masks: params.masks as usize,
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
        })
    }
}

/// The masks of a row, `[masks, cells]`: a random half of them leaves each cell.
fn binary_masks(seed: u64, masks: usize, cells: usize) -> Vec<bool> {
    let mut left = vec![false; masks * cells];
    for cell in 0..cells {
        let rng = CounterRng::new(seed).stream(PURPOSE).stream(cell as u64);
        for &mask in &rng.permutation(masks)[..masks / 2] {
            left[mask * cells + cell] = true;
        }
    }
    left
}

struct Masking<'a, 'b> {
    batch: &'a Batch<'b>,
    cells: &'a Cells,
    masks: usize,
    /// Per row: `[masks, cells]`; empty where the row is not asked about.
    left: &'a [Vec<bool>],
    /// Per row and mask.
    outcomes: Vec<f64>,
}

impl Perturbation for Masking<'_, '_> {
    fn write(&mut self, _slot: usize, job: Job, out: &mut [f32]) {
        let left = &self.left[job.row][job.copy * self.cells.count..][..self.cells.count];
        let share = |cell: usize| f32::from(u8::from(left[cell]));
        let x = self.batch.x.row(job.row);
        self.cells.dim(job.row, x, share, out);
    }

    fn take(&mut self, _slot: usize, job: Job, outcome: f64) {
        self.outcomes[job.row * self.masks + job.copy] = outcome;
    }
}

impl Explainer for Hsic {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x, "hsic")?;
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let cells = Cells::new(batch.x, image, self.grid, self.fill)?;
        let (rows, masks) = (batch.x.rows(), self.masks);
        let left: Vec<Vec<bool>> = (0..rows)
            .map(|row| {
                if cells.active(row).contains(&true) {
                    binary_masks(batch.seed[row], masks, cells.count)
                } else {
                    Vec::new()
                }
            })
            .collect();
        let jobs: Vec<Job> = (0..rows)
            .filter(|&row| !left[row].is_empty())
            .flat_map(|row| (0..masks).map(move |copy| Job { row, copy }))
            .collect();
        let mut masking = Masking {
            batch,
            cells: &cells,
            masks,
            left: &left,
            outcomes: vec![0.0; rows * masks],
        };
        inquiry.evaluate(jobs.into_iter(), &mut masking)?;
        let row_len = image.row_len();
        for (row, outcomes) in masking.outcomes.chunks_exact(masks).enumerate() {
            if left[row].is_empty() {
                continue;
            }
            let mut values = dependence(&left[row], outcomes);
            for (value, &active) in values.iter_mut().zip(cells.active(row)) {
                if !active {
                    *value = 0.0;
                }
            }
            cells.spread(&values, &mut attribution[row * row_len..][..row_len]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_masks_leave_each_cell() {
        for masks in [4, 9, 100] {
            let left = binary_masks(3, masks, 5);
            for cell in 0..5 {
                let count = left.chunks_exact(5).filter(|mask| mask[cell]).count();
                assert_eq!(count, masks / 2);
            }
            assert_ne!(left, binary_masks(4, masks, 5));
        }
    }
}
