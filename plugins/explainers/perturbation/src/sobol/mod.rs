//! Sobol attribution: how much of the output's variance, under random dimming, a cell is part of.

mod jansen;

use std::ffi::CStr;

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::copies::{Inquiry, Job, Perturbation};
use crate::design::Cells;
use crate::fill::Fill;
use crate::image::Image;
use crate::outcome::Outcome;

pub use jansen::total_indices;

/// Draws from a row's seed for this purpose alone.
const PURPOSE: u64 = 0x534f_424f;

xbench_plugin::params! {
    /// Parameters of Sobol attribution.
    pub struct SobolParams {
        /// Cells along each side of the image. Each column of a table is a cell.
        grid: u32 = 8, 1..=64;
        /// Points of the design; powers of two are spread evenly.
        design: u32 = 32, 2..=65_536;
        /// Value of a covered cell, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What a cell is dimmed towards: that value ("constant"), the mean of the image's own
        /// channel ("mean"), or the image, blurred ("blur"). A table takes a constant.
        fill_with: String = "constant", ["constant", "mean", "blur"];
        /// Standard deviation of the blur, as a share of the image's shorter side.
        blur: f32 = 0.1, 0.0..=1.0;
        /// What is watched: the model's own output ("logit") or the probability of the target.
        outcome: String = "logit", ["logit", "probability"];
    }
}

/// Sobol attribution (Fel et al. 2021, "Look at the Variance!"): the total Sobol index of each cell
/// of a grid, where x is dimmed to m x + (1 - m) fill with m uniform on 0 to 1 in every cell.
///
/// The index of a cell is the share of the outcome's variance that all terms with this cell have,
/// its interactions included: never negative, and the sum over the cells is 1 for an additive
/// function, more with interactions. It says how much a cell matters, not in which direction.
/// Estimated by Jansen (1999) from two designs A and B and, per cell, A with that cell's column of B:
/// `design` · (cells + 1) forward rows per row. The designs are an Owen-scrambled Sobol sequence
/// (Burley 2020), scrambled by the row's seed; 256 dimensions at a time share one scrambling.
///
/// A cell that already holds nothing but its cover has index 0 and the model is not asked about it.
/// Where the outcome does not vary (beyond rounding) all indices are 0. Every pixel has its cell's
/// value, each channel a share of it.
#[derive(Clone, Debug)]
pub struct Sobol {
    grid: usize,
    design: usize,
    fill: Fill,
    outcome: Outcome,
}

impl Plugin for Sobol {
    const META: Meta = Meta {
        id: c"org.xbench.sobol",
        name: c"Sobol attribution",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"T. Fel, R. Cad\u{e8}ne, M. Chalvidal, M. Cord, D. Vigouroux, T. Serre, Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis, 2021",
        summary: c"The share of the output's variance, when cells of the image are dimmed at random, that a cell takes part in.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = SobolParams;

    fn create(params: SobolParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self {
            grid: params.grid as usize,
            design: params.design as usize,
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
        })
    }
}

/// A point of the scrambled sequence: coordinate `dimension` of point `index`.
fn point(seed: u64, index: usize, dimension: usize) -> f32 {
    let known = sobol_burley::NUM_DIMENSIONS as usize;
    let scrambling = CounterRng::new(seed)
        .stream(PURPOSE)
        .bits((dimension / known) as u64);
    sobol_burley::sample(
        index as u32,
        (dimension % known) as u32,
        (scrambling >> 32) as u32,
    )
}

/// The points of a row's two designs.
#[derive(Default)]
struct Designs {
    /// The row whose points these are.
    row: Option<usize>,
    /// `[design, 2 * cells]`: first A, then B.
    points: Vec<f32>,
}

/// Copy j below `design` is point j of A; copy (cell + 1) · `design` + j is that point with the
/// cell's coordinate of B.
struct Dimming<'a, 'b> {
    batch: &'a Batch<'b>,
    cells: &'a Cells,
    design: usize,
    designs: Designs,
    /// Per row, cell + 1 and point: the outcome. Cells that were not asked about repeat A's.
    outcomes: Vec<f64>,
}

impl Dimming<'_, '_> {
    fn place(&self, job: Job) -> usize {
        job.row * self.design * (self.cells.count + 1) + job.copy
    }
}

impl Perturbation for Dimming<'_, '_> {
    fn write(&mut self, _slot: usize, job: Job, out: &mut [f32]) {
        let dimensions = 2 * self.cells.count;
        if self.designs.row != Some(job.row) {
            let seed = self.batch.seed[job.row];
            self.designs.row = Some(job.row);
            self.designs.points.clear();
            self.designs.points.extend(
                (0..self.design)
                    .flat_map(|j| (0..dimensions).map(move |dimension| point(seed, j, dimension))),
            );
        }
        let points = &self.designs.points[job.copy % self.design * dimensions..][..dimensions];
        let (a, b) = points.split_at(self.cells.count);
        let changed = (job.copy / self.design).checked_sub(1);
        let x = self.batch.x.row(job.row);
        self.cells.dim(
            job.row,
            x,
            |cell| {
                if changed == Some(cell) {
                    b[cell]
                } else {
                    a[cell]
                }
            },
            out,
        );
    }

    fn take(&mut self, _slot: usize, job: Job, outcome: f64) {
        let place = self.place(job);
        self.outcomes[place] = outcome;
    }
}

impl Explainer for Sobol {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x, "sobol")?;
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let cells = Cells::new(batch.x, image, self.grid, self.fill)?;
        let (rows, design) = (batch.x.rows(), self.design);
        let blocks = cells.count + 1;
        let jobs: Vec<Job> = (0..rows)
            .flat_map(|row| {
                let active = cells.active(row);
                let any = active.contains(&true);
                (0..blocks)
                    .filter(move |&block| block.checked_sub(1).map_or(any, |cell| active[cell]))
                    .flat_map(move |block| (0..design).map(move |j| (block, j)))
                    .map(move |(block, j)| Job {
                        row,
                        copy: block * design + j,
                    })
            })
            .collect();
        let mut dimming = Dimming {
            batch,
            cells: &cells,
            design,
            designs: Designs::default(),
            outcomes: vec![0.0; rows * blocks * design],
        };
        inquiry.evaluate(jobs.into_iter(), &mut dimming)?;
        let row_len = image.row_len();
        for (row, outcomes) in dimming
            .outcomes
            .chunks_exact_mut(blocks * design)
            .enumerate()
        {
            let (of_a, exchanged) = outcomes.split_at_mut(design);
            for (cell, &active) in cells.active(row).iter().enumerate() {
                if !active {
                    exchanged[cell * design..][..design].copy_from_slice(of_a);
                }
            }
            let indices = total_indices(of_a, exchanged);
            cells.spread(&indices, &mut attribution[row * row_len..][..row_len]);
        }
        Ok(())
    }
}
