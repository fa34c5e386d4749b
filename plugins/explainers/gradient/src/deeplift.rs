//! DeepLIFT, against one reference or many.

use std::ffi::CStr;

use xbench_plugin::{
    BackwardRule, Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result,
    TensorRef, Wrt, capability,
};

/// Pairs of row and reference handed to the model in one call.
const PAIRS_PER_CALL: usize = 128;

xbench_plugin::params! {
    /// Parameters of DeepLIFT.
    pub struct DeepliftParams {
        /// Value of every feature of the reference, in the model's input units.
        baseline: f32 = 0.0;
    }
}

/// DeepLIFT with the rescale rule (Shrikumar et al. 2017, section 3.5.1): the multipliers of the
/// differences from a constant reference, times those differences.
///
/// Signed, in units of the output; the values sum to f(x) - f(reference). Two forward rows and one
/// backward row per row.
#[derive(Clone, Debug)]
pub struct Deeplift {
    baseline: f32,
}

impl Plugin for Deeplift {
    const META: Meta = Meta {
        id: c"org.xbench.deeplift",
        name: c"DeepLIFT",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"A. Shrikumar, P. Greenside, A. Kundaje, Learning Important Features Through Propagating Activation Differences, 2017",
        summary: c"The difference of the explained output from a constant reference's, shared out by multipliers of finite differences.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = DeepliftParams;

    fn create(params: DeepliftParams, _ctx: &Context<'_>) -> Result<Self> {
        if !params.baseline.is_finite() {
            return Err(Error::invalid_argument(
                "the baseline is not a finite number",
            ));
        }
        Ok(Self {
            baseline: params.baseline,
        })
    }
}

impl Explainer for Deeplift {
    const NEEDS: &'static [&'static CStr] = &[capability::MODIFIED_VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let reference = vec![self.baseline; batch.x.row_len()];
        mean_over_references(ctx, model, batch, 1, |_| &reference, attribution)
    }
}

/// DeepSHAP (Lundberg and Lee 2017, section 4.2; Chen, Lundberg and Lee 2021): DeepLIFT's attribution
/// averaged over the background rows as references.
///
/// Signed, in units of the output; the values sum to f(x) minus the background's mean output. Two
/// forward rows and one backward row per row and background row.
#[derive(Clone, Copy, Debug)]
pub struct Deepshap;

impl Plugin for Deepshap {
    const META: Meta = Meta {
        id: c"org.xbench.deepshap",
        name: c"DeepSHAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation:
            c"S. M. Lundberg, S.-I. Lee, A Unified Approach to Interpreting Model Predictions, 2017",
        summary: c"DeepLIFT, averaged over references from the training data.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = xbench_plugin::NoParams;

    fn create(_params: xbench_plugin::NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self)
    }
}

impl Explainer for Deepshap {
    const NEEDS: &'static [&'static CStr] = &[capability::MODIFIED_VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let background = batch.background.ok_or_else(|| {
            Error::invalid_argument("DeepSHAP needs background rows, and there are none")
        })?;
        let count = background.rows();
        mean_over_references(ctx, model, batch, count, |i| background.row(i), attribution)
    }
}

/// The mean, over `references` rows, of multiplier times difference, into `attribution`.
fn mean_over_references<'r>(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    batch: &Batch<'_>,
    references: usize,
    reference: impl Fn(usize) -> &'r [f32],
    attribution: &mut [f32],
) -> Result<()> {
    let (x, outputs) = (batch.x, model.spec().outputs);
    let (row_len, total) = (x.row_len(), x.rows() * references);
    let capacity = PAIRS_PER_CALL.min(total);
    let mut rows = vec![0.0_f32; capacity * row_len];
    let mut others = vec![0.0_f32; capacity * row_len];
    let mut one_hot = vec![0.0_f32; capacity * outputs];
    let mut sum = vec![0.0_f64; row_len];
    let mut shape = x.shape().to_vec();
    for start in (0..total).step_by(PAIRS_PER_CALL) {
        ctx.checkpoint(start as f64 / total as f64)?;
        let count = PAIRS_PER_CALL.min(total - start);
        let one_hot = &mut one_hot[..count * outputs];
        one_hot.fill(0.0);
        for slot in 0..count {
            let (row, number) = ((start + slot) / references, (start + slot) % references);
            rows[slot * row_len..][..row_len].copy_from_slice(x.row(row));
            others[slot * row_len..][..row_len].copy_from_slice(reference(number));
            one_hot[slot * outputs + batch.target[row] as usize] = 1.0;
        }
        shape[0] = count;
        let (rows, others) = (&rows[..count * row_len], &others[..count * row_len]);
        let pullback = model.modified_vjp(
            ctx,
            TensorRef::new(&shape, rows)?,
            TensorRef::new(&[count, outputs], one_hot)?,
            BackwardRule::DeepLift {
                reference: TensorRef::new(&shape, others)?,
            },
            Wrt::Input,
            false,
        )?;
        for slot in 0..count {
            let (row, number) = ((start + slot) / references, (start + slot) % references);
            let differences = x.row(row).iter().zip(reference(number));
            for ((sum, multiplier), (x, r)) in sum
                .iter_mut()
                .zip(pullback.gradient.row(slot))
                .zip(differences)
            {
                *sum += f64::from(*multiplier) * f64::from(x - r);
            }
            if number + 1 == references {
                let out = &mut attribution[row * row_len..][..row_len];
                for (out, sum) in out.iter_mut().zip(&sum) {
                    *out = (sum / references as f64) as f32;
                }
                sum.fill(0.0);
            }
        }
    }
    Ok(())
}
