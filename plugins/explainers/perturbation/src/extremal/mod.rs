//! Extremal perturbation: the mask of a given area that keeps the output highest.

mod area;
mod pyramid;
mod smooth_mask;

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, OwnedTensor, Plugin, Result,
    TensorRef, Wrt, capability,
};

use crate::blur::blur;
use crate::copies::{COPIES_PER_CALL, Inquiry};
use crate::fill::Fill;
use crate::image::Image;
use crate::outcome::Outcome;
use pyramid::Pyramid;
use smooth_mask::SmoothMask;

/// Weight of the area at the start, its growth from the start to the end of the search, and the
/// steps' length and momentum: those of the authors' program, whose weight grows by 1.0035 in each
/// of 800 iterations.
const AREA_WEIGHT: f64 = 300.0;
const AREA_GROWTH: f64 = 16.363;
const RATE: f32 = 0.01;
const MOMENTUM: f32 = 0.9;
/// Largest number of values that the pyramids of one call hold.
const PYRAMID_VALUES: usize = 1 << 24;

xbench_plugin::params! {
    /// Parameters of extremal perturbation.
    pub struct ExtremalPerturbationParams {
        /// Areas of the masks, as shares of the image, above 0 and below 1. The map is their sum.
        areas: Vec<f64> = &[0.05, 0.1, 0.2, 0.4], 0.0..=1.0;
        /// Whether the mask keeps ("preserve") or perturbs ("delete") what it finds.
        variant: String = "preserve", ["preserve", "delete"];
        /// Steps of the search.
        iterations: u32 = 300, 1..=100_000;
        /// Pixels from one of the mask's parameters to the next; 0: the original's share of the
        /// shorter side, one 32nd.
        step: u32 = 0, 0..=256;
        /// Smoothness of the mask, as a share of the image's shorter side.
        sigma: f32 = 0.09375, 0.0..=1.0;
        /// What perturbs a pixel: a blur ("blur"), a value ("constant"), or the mean of the image's
        /// own channel ("mean").
        fill_with: String = "blur", ["constant", "mean", "blur"];
        /// That value, in the model's input units, the same for all channels.
        fill: f32 = 0.0;
        /// Standard deviation of the strongest blur, as a share of the image's shorter side.
        blur: f32 = 0.0893, 0.0..=1.0;
        /// What is kept high: the model's own output ("logit") or the probability of the target,
        /// which takes one more forward row a step.
        outcome: String = "logit", ["logit", "probability"];
        /// Standard deviation of a last smoothing of the map, as a share of the image's shorter
        /// side; 0: none.
        smooth: f32 = 0.0, 0.0..=1.0;
    }
}

/// Extremal perturbation (Fong, Patrick and Vedaldi 2019): for each area a, the smooth mask m with
/// values 0 to 1 that maximises f(x perturbed where m is low) - lambda · |sort(m) - r_a|^2 / pixels,
/// where r_a holds a share a of ones (equations 3 to 5). The map is the sum over the areas.
///
/// The mask is the smooth maximum of a coarse grid of parameters under a kernel of width `sigma`,
/// found by gradient steps with momentum from a mask of ones. lambda grows from 300 to 4,900, as in
/// the authors' program over its 800 iterations. Perturbed is towards a blur of 8 levels, or
/// linearly towards a value. Area is counted on the image; the authors' program counts a margin
/// around it too, so that the border is no better a place than the middle; here the mask and the
/// steps are scaled to that end. There is no jitter, so nothing is random.
///
/// Values are 0 to the number of areas: a pixel's value says how many of the areas need it. Each
/// channel gets its share. An image that its perturbation leaves as it is (a constant one, under a
/// blur) has no mask that is better than another: its map is 0 and the model is not asked. Per row,
/// `areas` · `iterations` forward and backward rows; as many more forward rows for probabilities.
#[derive(Clone, Debug)]
pub struct ExtremalPerturbation {
    areas: Vec<f64>,
    delete: bool,
    iterations: usize,
    step: usize,
    sigma: f64,
    fill: Fill,
    outcome: Outcome,
    smooth: f64,
}

impl Plugin for ExtremalPerturbation {
    const META: Meta = Meta {
        id: c"org.xbench.extremal-perturbation",
        name: c"Extremal perturbation",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. Fong, M. Patrick, A. Vedaldi, Understanding Deep Networks via Extremal Perturbations and Smooth Masks, 2019",
        summary: c"Smooth masks of given areas, searched by gradient, that keep the explained output highest; added up.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = ExtremalPerturbationParams;

    fn create(params: ExtremalPerturbationParams, _ctx: &Context<'_>) -> Result<Self> {
        if params.areas.is_empty() || params.areas.iter().any(|&a| a <= 0.0 || a >= 1.0) {
            return Err(Error::invalid_argument(format!(
                "areas {:?}: give one or more shares of the image, above 0 and below 1",
                params.areas
            )));
        }
        if params.areas.len() > COPIES_PER_CALL {
            return Err(Error::invalid_argument(format!(
                "{} areas: at most {COPIES_PER_CALL} are searched at once",
                params.areas.len()
            )));
        }
        if params.sigma <= 0.0 {
            return Err(Error::invalid_argument(
                "sigma is 0: a mask needs a width of smoothness above 0",
            ));
        }
        Ok(Self {
            areas: params.areas,
            delete: params.variant == "delete",
            iterations: params.iterations as usize,
            step: params.step as usize,
            sigma: f64::from(params.sigma),
            fill: Fill::parse(&params.fill_with, params.fill, params.blur)?,
            outcome: Outcome::parse(&params.outcome),
            smooth: f64::from(params.smooth),
        })
    }
}

/// One mask that is searched for, and its working state.
struct Search {
    /// Row of the batch, and that of the call's pyramids.
    row: usize,
    pyramid: usize,
    /// Pixels that the mask may fill.
    ones: usize,
    parameters: Vec<f32>,
    velocity: Vec<f32>,
    mask: Vec<f32>,
    /// What the mask was made with.
    state: Vec<f32>,
}

impl ExtremalPerturbation {
    /// The mask as the perturbation takes it: 1 where the image stays.
    fn kept(&self, mask: &[f32], kept: &mut [f32]) {
        for (kept, &mask) in kept.iter_mut().zip(mask) {
            *kept = if self.delete { 1.0 - mask } else { mask };
        }
    }

    /// The gradient of what is watched with respect to the inputs `images`, and of the row that each
    /// belongs to.
    fn pull(
        &self,
        inquiry: Inquiry<'_, '_, '_>,
        searches: &[Search],
        images: TensorRef<'_>,
    ) -> Result<OwnedTensor> {
        let (ctx, model, spec) = (inquiry.ctx, inquiry.model, inquiry.model.spec());
        let mut seeds = vec![0.0_f32; searches.len() * spec.outputs];
        if self.outcome == Outcome::Probability {
            model.predict(ctx, images, &mut seeds)?;
        }
        for (search, seed) in searches.iter().zip(seeds.chunks_exact_mut(spec.outputs)) {
            let target = inquiry.batch.target[search.row] as usize;
            match self.outcome.derivative(spec.output_kind, seed, target) {
                Some(derivative) => seed.copy_from_slice(&derivative),
                None => {
                    seed.fill(0.0);
                    seed[target] = 1.0;
                }
            }
        }
        let shape = [searches.len(), spec.outputs];
        let seeds = TensorRef::new(&shape, &seeds)?;
        Ok(model.vjp(ctx, images, seeds, Wrt::Input, false)?.gradient)
    }
}

impl Explainer for ExtremalPerturbation {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let (x, image) = (batch.x, Image::of(batch.x, "extremal-perturbation")?);
        if image.is_table {
            return Err(Error::invalid_argument(
                "extremal perturbation searches for areas of an image; the columns of a table have \
                 no order and no area; use feature-ablation or sobol",
            ));
        }
        let inquiry = Inquiry::new(ctx, model, batch, self.outcome)?;
        let (row_len, plane) = (image.row_len(), image.plane());
        let side = image.height.min(image.width);
        let step = if self.step == 0 {
            side.div_ceil(32)
        } else {
            self.step
        };
        let sigma = (self.sigma * side as f64).max(1.0);
        let mut smooth = SmoothMask::new(image.height, image.width, step, sigma);

        // Rows searched at once; bounds what their pyramids and copies take.
        let by_copies = COPIES_PER_CALL / self.areas.len();
        let by_values = PYRAMID_VALUES / (Pyramid::levels(self.fill) * row_len);
        let at_once = by_copies.min(by_values).max(1);
        for start in (0..x.rows()).step_by(at_once) {
            let rows = start..(start + at_once).min(x.rows());
            let mut pyramids = Vec::new();
            let mut searches = Vec::new();
            for row in rows.clone() {
                let shape = [1, image.channels, image.height, image.width];
                let one = TensorRef::new(&shape, x.row(row))?;
                let pyramid = Pyramid::new(one, image, self.fill)?;
                if pyramid.is_flat() {
                    continue;
                }
                for area in &self.areas {
                    searches.push(Search {
                        row,
                        pyramid: pyramids.len(),
                        ones: (area * plane as f64).round() as usize,
                        parameters: vec![1.0; smooth.parameters()],
                        velocity: vec![0.0; smooth.parameters()],
                        mask: vec![0.0; plane],
                        state: vec![0.0; 2 * plane],
                    });
                }
                pyramids.push(pyramid);
            }
            let done = start as f64 / x.rows() as f64;
            let share = rows.len() as f64 / x.rows() as f64;
            self.search(
                inquiry,
                image,
                &pyramids,
                &mut smooth,
                &mut searches,
                &|t| done + share * t,
            )?;

            for found in searches.chunks_exact(self.areas.len()) {
                let mut map = vec![0.0_f32; plane];
                for search in found {
                    for (sum, mask) in map.iter_mut().zip(&search.mask) {
                        *sum += mask;
                    }
                }
                blur(
                    &mut map,
                    image.height,
                    image.width,
                    self.smooth * side as f64,
                );
                let map: Vec<f64> = map.into_iter().map(f64::from).collect();
                image.spread(&map, &mut attribution[found[0].row * row_len..][..row_len]);
            }
        }
        Ok(())
    }
}

impl ExtremalPerturbation {
    /// Runs all searches side by side; each ends with its mask. `progress` turns the share of this
    /// that is done into that of the whole.
    fn search(
        &self,
        inquiry: Inquiry<'_, '_, '_>,
        image: Image,
        pyramids: &[Pyramid],
        smooth: &mut SmoothMask,
        searches: &mut [Search],
        progress: &dyn Fn(f64) -> f64,
    ) -> Result<()> {
        let (row_len, plane) = (image.row_len(), image.plane());
        let shape = [searches.len(), image.channels, image.height, image.width];
        let mut images = vec![0.0_f32; searches.len() * row_len];
        let (mut kept, mut of_mask) = (vec![0.0_f32; plane], vec![0.0_f32; plane]);
        let mut direction = vec![0.0_f32; smooth.parameters()];
        let mut order = Vec::with_capacity(plane);
        if searches.is_empty() {
            return Ok(());
        }
        for iteration in 0..self.iterations {
            let part = iteration as f64 / self.iterations as f64;
            inquiry.ctx.checkpoint(progress(part))?;
            for (search, slot) in searches.iter_mut().zip(images.chunks_exact_mut(row_len)) {
                smooth.forward(&search.parameters, &mut search.mask, &mut search.state);
                self.kept(&search.mask, &mut kept);
                pyramids[search.pyramid].apply(&kept, slot);
            }
            let gradients = self.pull(inquiry, searches, TensorRef::new(&shape, &images)?)?;
            let weight = AREA_WEIGHT * AREA_GROWTH.powf(part);
            for (index, search) in searches.iter_mut().enumerate() {
                self.kept(&search.mask, &mut kept);
                of_mask.fill(0.0);
                // Deleting rewards -f(1 - m): both signs together leave the gradient's own.
                pyramids[search.pyramid].add_gradient(&kept, gradients.row(index), &mut of_mask);
                area::add_gradient(&search.mask, search.ones, weight, &mut order, &mut of_mask);
                smooth.backward(
                    &search.parameters,
                    &search.state,
                    &mut of_mask,
                    &mut direction,
                );
                for ((parameter, velocity), direction) in search
                    .parameters
                    .iter_mut()
                    .zip(&mut search.velocity)
                    .zip(&direction)
                {
                    *velocity = MOMENTUM * *velocity + (1.0 - MOMENTUM) * direction;
                    *parameter = (*parameter + RATE * *velocity).clamp(0.0, 1.0);
                }
            }
        }
        for search in searches {
            smooth.forward(&search.parameters, &mut search.mask, &mut search.state);
        }
        Ok(())
    }
}
