//! The explainer.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, OutputKind, Plugin, Result,
    TensorRef,
};
use xbench_superpixels::{Options, QuickshiftParams, Segmentation, SlicParams};

use crate::neighbours::{Fill, Neighbours, Scale, segments};
use crate::selection::Selection;
use crate::surrogate::Moments;

/// Neighbours handed to the model in one call.
const ROWS_PER_CALL: usize = 256;

xbench_plugin::params! {
    /// Parameters of LIME.
    pub struct LimeParams {
        /// Neighbours drawn, the input itself among them; more than there are segments or columns.
        samples: u32 = 1000, 2..=1_000_000;
        /// Width of the kernel that weights neighbours by their distance; null for the lime package's:
        /// 0.25 for images, 0.75 times the root of the number of columns for tables.
        kernel_width: Option<f64> = None, 1e-6..=1e6;
        /// Distance of a neighbour; by default as in the lime package, the cosine for images and
        /// Euclidean for tables.
        distance: String = "default", ["default", "cosine", "euclidean"];
        /// Penalty of the ridge regression.
        alpha: f64 = 1.0, 0.0..=1e9;
        /// Which features the regression may use: all, or `features` of them chosen one after the
        /// other by the gain in R² ("forward"), by their effect in a fit of all ("highest_weights"),
        /// or as the lasso takes them in ("lasso_path").
        selection: String = "none", ["none", "forward", "highest_weights", "lasso_path"];
        /// Features to be selected.
        features: u32 = 10, 1..=1_000_000;
        /// Images: cells of a grid, or superpixels by SLIC or quickshift.
        segmentation: String = "grid", ["grid", "slic", "quickshift"];
        /// Side of a grid's cell, in pixels.
        cell: u32 = 4, 1..=4096;
        /// SLIC: segments aimed at.
        segments: u32 = 50, 1..=65_536;
        /// SLIC: weight of nearness against likeness of colour.
        compactness: f64 = 10.0, 1e-6..=1e6;
        /// Quickshift: standard deviation of the kernel, in pixels, from 0.1; 0: the lime package's 4, or a
        /// 28th of the image's shorter side where that is less.
        kernel_size: f64 = 0.0, 0.0..=64.0;
        /// Quickshift: distance beyond which segments stay apart.
        max_distance: f64 = 200.0, 0.1..=1e6;
        /// Quickshift: weight of colour against nearness.
        colour_ratio: f64 = 0.2, 0.0..=1.0;
        /// Images: hidden segments show the baseline, or their own mean (the lime package's default).
        fill: String = "baseline", ["baseline", "mean"];
        /// Images: value of hidden segments, in the model's input units.
        baseline: f32 = 0.0;
        /// Tables: neighbours lie around the background's means, as in the lime package, or around the
        /// explained row.
        around: String = "background", ["background", "row"];
        /// Tables: the attribution is the coefficient, per standard deviation of the column; or the
        /// effect, which is that times how many standard deviations the row is from the mean.
        value: String = "coefficient", ["coefficient", "effect"];
        /// What is explained: the model's own output ("logit"), or the probability of the target,
        /// which is the softmax of a model of logits and the output itself of a model of
        /// probabilities (what the lime package explains).
        outcome: String = "logit", ["logit", "probability"];
        /// Images: each pixel gets all of its segment's coefficient, divided by the number of channels
        /// ("whole"); or an even part of it ("split"), so that the map sums to the coefficients.
        share: String = "whole", ["split", "whole"];
    }
}

/// LIME (Ribeiro, Singh and Guestrin 2016, algorithm 1) with the lime package's choices.
///
/// Neighbours of an image show each segment with probability one half. Neighbours of a table's row are
/// normal with the background's means and standard deviations, column by column (the package without
/// discretisation; a column without spread in the background stays as it is and has the value 0). The
/// weight of a neighbour at distance d is exp(-d² / (2 width²)), the package's root of an exponential.
/// The coefficients of the weighted ridge regression of the outcome are the explanation, signed, in
/// units of the outcome; its weighted R² is reported as the local fit, not where all outcomes are
/// equal (then all values are 0). `samples` forward rows per row.
#[derive(Clone, Debug)]
pub struct Lime {
    params: LimeParams,
    segmentation: Segmentation,
    fill: Fill,
    selection: Selection,
}

impl Plugin for Lime {
    const META: Meta = Meta {
        id: c"org.xbench.lime",
        name: c"LIME",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"M. T. Ribeiro, S. Singh, C. Guestrin, \"Why Should I Trust You?\": Explaining the Predictions of Any Classifier, 2016",
        summary: c"Coefficients of a weighted ridge regression of the outcome on segments shown or hidden, or on columns with noise.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::STOCHASTIC)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = LimeParams;

    fn create(params: LimeParams, _ctx: &Context<'_>) -> Result<Self> {
        let options = Options {
            cell: params.cell as usize,
            slic: SlicParams {
                segments: params.segments as usize,
                compactness: params.compactness,
                ..SlicParams::default()
            },
            quickshift: QuickshiftParams {
                kernel_size: params.kernel_size,
                max_distance: params.max_distance,
                colour_ratio: params.colour_ratio,
            },
        };
        let segmentation = Segmentation::named(&params.segmentation, &options)
            .map_err(|error| Error::invalid_argument(error.to_string()))?;
        let fill = if params.fill == "mean" {
            Fill::Mean
        } else if params.baseline.is_finite() {
            Fill::Baseline(params.baseline)
        } else {
            return Err(Error::invalid_argument(
                "the baseline is not a finite number",
            ));
        };
        Ok(Self {
            segmentation,
            fill,
            selection: Selection::named(&params.selection),
            params,
        })
    }
}

impl Lime {
    /// The neighbours of every row.
    fn neighbours(&self, batch: &Batch<'_>) -> Result<Vec<Neighbours>> {
        let x = batch.x;
        let rows = 0..x.rows();
        match x.shape()[1..] {
            [_] => {
                let scale = Scale::of(batch)?;
                let around_own = self.params.around == "row";
                Ok(rows
                    .map(|i| Neighbours::of_columns(&scale, x.row(i), around_own, batch.seed[i]))
                    .collect())
            }
            _ => Ok(segments(self.segmentation, x)?
                .iter()
                .zip(rows)
                .map(|(cut, i)| Neighbours::of_segments(cut, x.row(i), self.fill, batch.seed[i]))
                .collect()),
        }
    }

    /// What is explained, from a row of the model's outputs.
    fn outcome(&self, kind: OutputKind, outputs: &[f32], target: usize) -> f64 {
        let value = f64::from(outputs[target]);
        if self.params.outcome == "probability" && kind == OutputKind::Logits {
            let ratios = outputs.iter().map(|&y| (f64::from(y) - value).exp());
            1.0 / ratios.sum::<f64>()
        } else {
            value
        }
    }

    /// Weight of a neighbour.
    fn weight(&self, z: &[f64], own: &[f64], table: bool) -> f64 {
        let euclidean = match self.params.distance.as_str() {
            "default" => table,
            name => name == "euclidean",
        };
        let squared = if euclidean {
            z.iter().zip(own).map(|(z, own)| (z - own).powi(2)).sum()
        } else {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let norms = (dot(z, z) * dot(own, own)).sqrt();
            // Nothing shown is at a right angle to everything.
            let cosine = if norms > 0.0 {
                dot(z, own) / norms
            } else {
                0.0
            };
            (1.0 - cosine).powi(2)
        };
        let width = self.params.kernel_width.unwrap_or(if table {
            0.75 * (z.len() as f64).sqrt()
        } else {
            0.25
        });
        (-0.5 * squared / (width * width)).exp()
    }

    /// Fits one row's surrogate to its outcomes and writes the attribution; gives R².
    fn fit(
        &self,
        neighbours: &Neighbours,
        outcomes: &[f64],
        table: bool,
        out: &mut [f32],
    ) -> Result<Option<f64>> {
        let features = neighbours.features();
        let mut z = vec![0.0; outcomes.len() * features];
        for (index, z) in z.chunks_exact_mut(features).enumerate() {
            neighbours.sample(index, z);
        }
        let own = &z[..features];
        let weights: Vec<f64> = z
            .chunks_exact(features)
            .map(|z| self.weight(z, own, table))
            .collect();
        let others: f64 = weights[1..].iter().sum();
        if others < 1e-9 {
            return Err(Error::invalid_argument(format!(
                "no neighbour is near enough to count: their weights sum to {others:.0e}; give a \
                 larger kernel_width"
            )));
        }
        let moments = Moments::new(&z, outcomes, &weights);
        let count = self.params.features as usize;
        let used = self.selection.choose(&moments, own, count);
        let mut surrogate = moments.ridge(&used, self.params.alpha);
        if table && self.params.value == "effect" {
            for (value, own) in surrogate.coefficients.iter_mut().zip(own) {
                *value *= own;
            }
        }
        neighbours.write(&surrogate.coefficients, self.params.share == "split", out);
        Ok(surrogate.r_squared)
    }
}

impl Explainer for Lime {
    const NEEDS: &'static [&'static CStr] = &[];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let (x, spec) = (batch.x, model.spec());
        if self.params.outcome == "probability" && spec.output_kind == OutputKind::Values {
            return Err(Error::invalid_argument(
                "a probability has no meaning for a model whose outputs are values; use the \
                 outcome \"logit\", its output as it is",
            ));
        }
        let table = x.shape().len() == 2;
        let row_len = x.row_len();
        if row_len == 0 {
            return Err(Error::invalid_argument(
                "rows without features have nothing to explain",
            ));
        }
        let neighbours = self.neighbours(batch)?;
        let samples = self.params.samples as usize;
        if let Some(many) = neighbours
            .iter()
            .map(Neighbours::features)
            .find(|&n| n >= samples)
        {
            return Err(Error::invalid_argument(format!(
                "{samples} samples cannot fit {many} features: give more than {many}, or have fewer \
                 segments (larger cells)"
            )));
        }
        let total = x.rows() * samples;
        let capacity = ROWS_PER_CALL.min(total);
        let mut inputs = vec![0.0_f32; capacity * row_len];
        let mut answers = vec![0.0_f32; capacity * spec.outputs];
        let mut shape = x.shape().to_vec();
        let mut outcomes = Vec::with_capacity(samples);
        let mut z = Vec::new();
        for start in (0..total).step_by(ROWS_PER_CALL) {
            ctx.checkpoint(start as f64 / total as f64)?;
            let now = start..total.min(start + ROWS_PER_CALL);
            let inputs = &mut inputs[..now.len() * row_len];
            for (index, input) in now.clone().zip(inputs.chunks_exact_mut(row_len)) {
                let row = index / samples;
                z.resize(neighbours[row].features(), 0.0);
                neighbours[row].sample(index % samples, &mut z);
                neighbours[row].input(&z, x.row(row), input);
            }
            shape[0] = now.len();
            let answers = &mut answers[..now.len() * spec.outputs];
            model.predict(ctx, TensorRef::new(&shape, inputs)?, answers)?;
            for (index, outputs) in now.zip(answers.chunks_exact(spec.outputs)) {
                let row = index / samples;
                let target = batch.target[row] as usize;
                outcomes.push(self.outcome(spec.output_kind, outputs, target));
                if outcomes.len() == samples {
                    let out = &mut attribution[row * row_len..][..row_len];
                    let fit = self.fit(&neighbours[row], &outcomes, table, out)?;
                    if let Some(r_squared) = fit {
                        batch.report_fit(row, r_squared);
                    }
                    outcomes.clear();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lime(distance: &str, kernel_width: Option<f64>) -> Lime {
        Lime {
            segmentation: Segmentation::Columns,
            fill: Fill::Mean,
            selection: Selection::All,
            params: LimeParams {
                distance: distance.to_owned(),
                kernel_width,
                ..LimeParams::default()
            },
        }
    }

    #[test]
    fn weights_are_those_of_the_package() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        // Images: sqrt(exp(-d² / 0.25²)) with d = 1 - sqrt(shown / all).
        let (own, z) = ([1.0; 4], [1.0, 0.0, 0.0, 0.0]);
        let image = lime("default", None);
        assert!(close(
            image.weight(&z, &own, false),
            (-4.0_f64).exp().sqrt()
        ));
        assert!(close(image.weight(&own, &own, false), 1.0));
        assert!(close(
            image.weight(&[0.0; 4], &own, false),
            (-16.0_f64).exp().sqrt()
        ));
        // Tables: sqrt(exp(-d² / (0.75 sqrt(columns))²)), here d² = 9 and (0.75 · 2)² = 2.25.
        let (own, z) = ([1.0, 2.0, 0.0, -1.0], [1.0, 0.0, 2.0, 0.0]);
        assert!(close(image.weight(&z, &own, true), (-4.0_f64).exp().sqrt()));
        // Spelt out.
        let other = lime("euclidean", Some(3.0));
        assert!(close(
            other.weight(&z, &own, false),
            (-1.0_f64).exp().sqrt()
        ));
        let other = lime("cosine", Some(1.0));
        let cosine: f64 = 1.0 / 30.0_f64.sqrt();
        let expected = (-0.5 * (1.0 - cosine).powi(2)).exp();
        assert!(close(other.weight(&z, &own, true), expected));
    }
}
