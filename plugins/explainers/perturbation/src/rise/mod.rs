//! RISE: what the output is on average when a pixel is left.

mod masks;

use std::ffi::CStr;

use xbench_plugin::{Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result};

use crate::copies::{COPIES_PER_CALL, Inquiry, Job, Perturbation};
use crate::fill::Fill;
use crate::image::Image;
use crate::outcome::Outcome;

pub use masks::MaskSampler;

xbench_plugin::params! {
    /// Parameters of RISE.
    pub struct RiseParams {
        /// Masks drawn for every row.
        masks: u32 = 4000, 1..=1_000_000;
        /// Cells of a mask along each side of the image. Each column of a table is a cell.
        cells: u32 = 7, 1..=256;
        /// Probability that a cell is left, above 0.
        p: f64 = 0.5, 0.0..=1.0;
        /// Value of what is masked, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// What replaces masked pixels: that value ("constant"), the mean of the image's own channel
        /// ("mean"), or the image, blurred ("blur"). A table takes a constant.
        fill_with: String = "constant", ["constant", "mean", "blur"];
        /// Standard deviation of the blur, as a share of the image's shorter side.
        blur: f32 = 0.1, 0.0..=1.0;
        /// What is watched: the model's own output ("logit"), or the probability of the target
        /// ("probability"), as the paper has it.
        outcome: String = "probability", ["logit", "probability"];
    }
}

/// RISE (Petsiuk, Das and Saenko 2018, equation 6): the sum of f(x masked by M) · M over the masks,
/// divided by their number and by p, which estimates E\[f(x masked by M) | the pixel is left\].
///
/// Masks as in the paper's section 3.2: a grid of `cells` by `cells`, each left with probability p,
/// is enlarged bilinearly to one cell more than the image has and cut out at a random place. All
/// channels share a mask; each gets the value divided by their number, so that the sum over the
/// channels is the map. In a table each column is left with probability p. The map is not centred:
/// a pixel that does not matter has the mean outcome, not 0.
///
/// Masks are drawn by counter from the row's seed. `masks` forward rows per row. A row that equals
/// its cover everywhere is the same under every mask: its map is f(x), the expected value, for one
/// forward row.
#[derive(Clone, Debug)]
pub struct Rise {
    masks: usize,
    cells: usize,
    p: f64,
    fill: Fill,
    outcome: Outcome,
}

impl Plugin for Rise {
    const META: Meta = Meta {
        id: c"org.xbench.rise",
        name: c"RISE",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"V. Petsiuk, A. Das, K. Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, 2018",
        summary: c"The explained output averaged over random masks, weighted by how much of a pixel each mask leaves.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC),
        max_batch: 0,
    };
    type Params = RiseParams;

    fn create(params: RiseParams, _ctx: &Context<'_>) -> Result<Self> {
        if params.p <= 0.0 {
            return Err(Error::invalid_argument(
                "p is 0: every mask would be empty, and the map is divided by p; choose p above 0",
            ));
        }
        Ok(Self {
            masks: params.masks as usize,
            cells: params.cells as usize,
            p: params.p,
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
        })
    }
}

struct Masking<'a, 'b> {
    batch: &'a Batch<'b>,
    image: Image,
    baselines: &'a [f32],
    sampler: MaskSampler,
    /// The masks of the present call, one plane per slot.
    masks: Vec<f32>,
    /// Per row: the sum of outcome times mask.
    maps: Vec<f64>,
    /// Per row: does it equal its cover everywhere?
    covered: &'a [bool],
}

impl Perturbation for Masking<'_, '_> {
    fn write(&mut self, slot: usize, job: Job, out: &mut [f32]) {
        let plane = self.image.plane();
        let x = self.batch.x.row(job.row);
        if self.covered[job.row] {
            out.copy_from_slice(x);
            return;
        }
        let mask = &mut self.masks[slot * plane..][..plane];
        self.sampler
            .draw(self.batch.seed[job.row], job.copy as u64, mask);
        let baseline = &self.baselines[job.row * out.len()..][..out.len()];
        for ((out, x), baseline) in out
            .chunks_exact_mut(plane)
            .zip(x.chunks_exact(plane))
            .zip(baseline.chunks_exact(plane))
        {
            for (((out, x), baseline), mask) in out.iter_mut().zip(x).zip(baseline).zip(&*mask) {
                *out = x * mask + baseline * (1.0 - mask);
            }
        }
    }

    fn take(&mut self, slot: usize, job: Job, outcome: f64) {
        let plane = self.image.plane();
        let map = &mut self.maps[job.row * plane..][..plane];
        if self.covered[job.row] {
            map.fill(outcome);
            return;
        }
        for (sum, mask) in map.iter_mut().zip(&self.masks[slot * plane..][..plane]) {
            *sum += outcome * f64::from(*mask);
        }
    }
}

impl Explainer for Rise {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = Image::of(batch.x, "rise")?;
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let (rows, row_len, plane) = (batch.x.rows(), image.row_len(), image.plane());
        let baselines = self.fill.baselines(batch.x, image)?;
        let covered: Vec<bool> = (0..rows)
            .map(|row| batch.x.row(row) == &baselines[row * row_len..][..row_len])
            .collect();
        let jobs: Vec<Job> = (0..rows)
            .flat_map(|row| {
                let copies = if covered[row] { 1 } else { self.masks };
                (0..copies).map(move |copy| Job { row, copy })
            })
            .collect();
        let sampler = if image.is_table {
            MaskSampler::columns(image.width, self.p)
        } else {
            MaskSampler::image(image.height, image.width, self.cells, self.p)
        };
        let mut masking = Masking {
            batch,
            image,
            baselines: &baselines,
            sampler,
            masks: vec![0.0; COPIES_PER_CALL.min(jobs.len()) * plane],
            maps: vec![0.0; rows * plane],
            covered: &covered,
        };
        inquiry.evaluate(jobs.into_iter(), &mut masking)?;
        let weight = 1.0 / (self.masks as f64 * self.p);
        for (row, map) in masking.maps.chunks_exact_mut(plane).enumerate() {
            if !covered[row] {
                map.iter_mut().for_each(|sum| *sum *= weight);
            }
            image.spread(map, &mut attribution[row * row_len..][..row_len]);
        }
        Ok(())
    }
}
