//! Integrated gradients: the gradient averaged along the straight path from a baseline.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::pullback::for_each_gradient;
use crate::quadrature::{Rule, quadrature};

xbench_plugin::params! {
    /// Parameters of integrated gradients.
    pub struct IgParams {
        /// Points at which the gradient is taken, for every row.
        steps: u32 = 50, 1..=10_000;
        /// Value of every feature of the baseline, in the model's input units.
        baseline: f32 = 0.0;
        /// Several such values in place of one: the attribution is the mean over them.
        baselines: Vec<f32> = &[];
        /// Quadrature rule of the path integral.
        rule: String = "gausslegendre", ["gausslegendre", "trapezoid", "midpoint", "left", "right"];
    }
}

/// Integrated gradients (Sundararajan et al. 2017, equation 1) from a constant baseline b:
/// (x_i - b) times the integral over a from 0 to 1 of d f_target / d x_i at b + a (x - b).
///
/// Signed, in units of the output. Up to the error of the quadrature the values sum to
/// f(x) - f(b); with several baselines to the mean of that. `steps` forward and backward rows per row
/// and baseline.
#[derive(Clone, Debug)]
pub struct IntegratedGradients {
    /// At least one.
    baselines: Vec<f32>,
    /// Points on [0, 1] and their weights.
    points: Vec<(f64, f64)>,
}

impl Plugin for IntegratedGradients {
    const META: Meta = Meta {
        id: c"org.xbench.ig",
        name: c"Integrated gradients",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. Sundararajan, A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, 2017",
        summary: c"The gradient of the explained output, averaged along the path from a constant baseline and multiplied by the distance from it.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = IgParams;

    fn create(params: IgParams, _ctx: &Context<'_>) -> Result<Self> {
        let rule = match params.rule.as_str() {
            "gausslegendre" => Rule::GaussLegendre,
            "trapezoid" => Rule::Trapezoid,
            "midpoint" => Rule::Midpoint,
            "left" => Rule::Left,
            "right" => Rule::Right,
            other => {
                return Err(Error::invalid_argument(format!(
                    "rule \"{other}\" is not a quadrature rule"
                )));
            }
        };
        let baselines = if params.baselines.is_empty() {
            vec![params.baseline]
        } else {
            params.baselines
        };
        if !baselines.iter().all(|baseline| baseline.is_finite()) {
            return Err(Error::invalid_argument(
                "the baseline is not a finite number",
            ));
        }
        let points = quadrature(rule, params.steps as usize).ok_or_else(|| {
            Error::invalid_argument(format!(
                "rule \"{}\" needs more than {} step(s)",
                params.rule, params.steps
            ))
        })?;
        Ok(Self { baselines, points })
    }
}

impl Explainer for IntegratedGradients {
    const NEEDS: &'static [&'static CStr] = &[capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let x = batch.x;
        let row_len = x.row_len();
        let steps = self.points.len();
        let share = 1.0 / self.baselines.len() as f64;
        let last = steps - 1;
        let mut integral = vec![0.0_f64; row_len];
        let mut mean = vec![0.0_f64; row_len];
        for_each_gradient(
            ctx,
            model,
            x,
            batch.target,
            steps * self.baselines.len(),
            |row, point, out| {
                let place = self.points[point % steps].0 as f32;
                let baseline = self.baselines[point / steps];
                for (out, x) in out.iter_mut().zip(x.row(row)) {
                    *out = baseline + place * (x - baseline);
                }
            },
            |row, point, gradient| {
                let step = point % steps;
                let weight = self.points[step].1;
                for (sum, &gradient) in integral.iter_mut().zip(gradient) {
                    *sum += weight * f64::from(gradient);
                }
                if step == last {
                    let baseline = self.baselines[point / steps];
                    for ((mean, x), sum) in mean.iter_mut().zip(x.row(row)).zip(&integral) {
                        *mean += share * f64::from(x - baseline) * sum;
                    }
                    integral.fill(0.0);
                }
                if point + 1 == steps * self.baselines.len() {
                    let out = &mut attribution[row * row_len..][..row_len];
                    for (out, mean) in out.iter_mut().zip(&mean) {
                        *out = *mean as f32;
                    }
                    mean.fill(0.0);
                }
            },
        )
    }
}
