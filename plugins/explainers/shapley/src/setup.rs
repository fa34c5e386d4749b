//! What all methods share: who plays, what removal means, and which outcome is explained.

use xbench_plugin::{Batch, Error, OutputKind, Result, TensorRef};
use xbench_superpixels::{Options, Segmentation};

use crate::players::Players;

/// Declares the parameters of a method: its own and those that all methods share.
macro_rules! shap_params {
    (
        $(#[doc = $docs:literal])*
        pub struct $name:ident { $($own:tt)* }
    ) => {
        xbench_plugin::params! {
            $(#[doc = $docs])*
            pub struct $name {
                $($own)*
                /// The players of an image: cells of a grid, or superpixels by SLIC or quickshift.
                /// The players of a table are its columns.
                segmentation: String = "grid", ["grid", "slic", "quickshift"];
                /// Side of a grid's cell, in pixels.
                cell: u32 = 4, 1..=4096;
                /// SLIC: segments aimed at.
                segments: u32 = 50, 1..=65_536;
                /// SLIC: weight of nearness against likeness of colour.
                compactness: f64 = 10.0, 1e-6..=1e6;
                /// Quickshift: standard deviation of the kernel, in pixels, from 0.1; 0: the lime
                /// package's 4, or a 28th of the image's shorter side where that is less.
                kernel_size: f64 = 0.0, 0.0..=64.0;
                /// Quickshift: distance beyond which segments stay apart.
                max_distance: f64 = 200.0, 0.1..=1e6;
                /// Quickshift: weight of colour against nearness.
                colour_ratio: f64 = 0.2, 0.0..=1.0;
                /// What removed features are set to, in the model's input units.
                baseline: f32 = 0.0;
                /// Remove features by setting them to those of the background rows (of the training
                /// split) instead, and average the outcome over these rows. Each evaluation then costs
                /// as many forward rows as there are background rows.
                background: bool = false;
                /// What is explained: the model's own output ("logit"), or the probability of the
                /// target, which is the softmax of a model of logits and the output itself of a model
                /// of probabilities.
                outcome: String = "logit", ["logit", "probability"];
                /// Each pixel and channel gets an even part of its segment's value ("split"), so that
                /// the map sums to f(x) - f(removed); or each pixel gets all of it ("whole"), divided
                /// by the number of channels.
                share: String = "split", ["split", "whole"];
            }
        }

        impl $name {
            fn setup(&self) -> xbench_plugin::Result<$crate::setup::Setup> {
                let options = xbench_superpixels::Options {
                    cell: self.cell as usize,
                    slic: xbench_superpixels::SlicParams {
                        segments: self.segments as usize,
                        compactness: self.compactness,
                        ..Default::default()
                    },
                    quickshift: xbench_superpixels::QuickshiftParams {
                        kernel_size: self.kernel_size,
                        max_distance: self.max_distance,
                        colour_ratio: self.colour_ratio,
                    },
                };
                let removal = $crate::setup::Removal::new(self.baseline, self.background)?;
                $crate::setup::Setup::new(
                    (&self.segmentation, &options),
                    removal,
                    &self.outcome,
                    &self.share,
                )
            }
        }
    };
}
pub(crate) use shap_params;

/// What removed features are set to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Removal {
    /// A number.
    Baseline(f32),
    /// The background rows.
    Background,
}

impl Removal {
    pub(crate) fn new(baseline: f32, background: bool) -> Result<Self> {
        if background {
            Ok(Self::Background)
        } else if baseline.is_finite() {
            Ok(Self::Baseline(baseline))
        } else {
            Err(Error::invalid_argument(
                "the baseline is not a finite number",
            ))
        }
    }

    /// The rows `[m, input...]` that stand in for what is removed, m at least 1.
    pub(crate) fn rows(self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        match self {
            Self::Baseline(value) => Ok(vec![value; batch.x.row_len()]),
            Self::Background => batch
                .background
                .filter(|rows| rows.rows() > 0)
                .map(|rows| rows.data().to_vec())
                .ok_or_else(|| {
                    Error::invalid_argument(
                        "there are no background rows; give them, or use `background: false` and \
                         a baseline",
                    )
                }),
        }
    }
}

/// What is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The model's own output.
    Output,
    /// The probability of the target.
    Probability,
}

impl Outcome {
    pub(crate) fn named(name: &str) -> Self {
        if name == "probability" {
            Self::Probability
        } else {
            Self::Output
        }
    }

    /// Has the outcome a meaning for such a model?
    pub(crate) fn check(self, kind: OutputKind) -> Result<()> {
        if self == Self::Probability && kind == OutputKind::Values {
            return Err(Error::invalid_argument(
                "a probability has no meaning for a model whose outputs are values; use the \
                 outcome \"logit\", its output as it is",
            ));
        }
        Ok(())
    }

    /// The outcome of a row of the model's outputs.
    pub(crate) fn of(self, kind: OutputKind, outputs: &[f32], target: usize) -> f64 {
        let value = f64::from(outputs[target]);
        if self == Self::Probability && kind == OutputKind::Logits {
            // 1 / sum of exp(y_j - y_target): exp may only grow to infinity, which is right.
            let ratios = outputs.iter().map(|&y| (f64::from(y) - value).exp());
            1.0 / ratios.sum::<f64>()
        } else {
            value
        }
    }
}

/// The shared parameters, checked.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    segmentation: Segmentation,
    pub(crate) removal: Removal,
    pub(crate) outcome: Outcome,
    whole: bool,
}

impl Setup {
    pub(crate) fn new(
        (segmentation, options): (&str, &Options),
        removal: Removal,
        outcome: &str,
        share: &str,
    ) -> Result<Self> {
        let segmentation = Segmentation::named(segmentation, options).map_err(refused)?;
        Ok(Self {
            segmentation,
            removal,
            outcome: Outcome::named(outcome),
            whole: share == "whole",
        })
    }

    /// The players of each row of `x`, where `removed` are the rows that stand in for what is
    /// removed.
    pub(crate) fn players(&self, x: TensorRef<'_>, removed: &[f32]) -> Result<Vec<Players>> {
        let shape = &x.shape()[1..];
        let choice = match shape {
            [_] => Segmentation::Columns,
            _ => self.segmentation,
        };
        let range = Range::of(removed, x.row_len());
        let mut shared = None;
        (0..x.rows())
            .map(|row| {
                if choice.depends_on_values() || shared.is_none() {
                    shared = Some(choice.segment(x.row(row), shape).map_err(refused)?);
                }
                let segments = shared
                    .as_ref()
                    .ok_or_else(|| Error::internal("no segments"))?;
                Ok(Players::new(segments, x.row(row), &range))
            })
            .collect()
    }

    /// Writes the players' values into a row of the attribution.
    pub(crate) fn write(&self, players: &Players, values: &[f64], out: &mut [f32]) {
        players.write(values, self.whole, out);
    }
}

/// An error of the segmentation, as one of the plugin.
fn refused(error: xbench_superpixels::Error) -> Error {
    Error::invalid_argument(error.to_string())
}

/// The smallest and largest value that each feature is removed to.
pub(crate) struct Range {
    pub(crate) low: Vec<f32>,
    pub(crate) high: Vec<f32>,
}

impl Range {
    pub(crate) fn of(removed: &[f32], row_len: usize) -> Self {
        let mut low = removed[..row_len].to_vec();
        let mut high = low.clone();
        for row in removed.chunks_exact(row_len).skip(1) {
            for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(row) {
                *low = low.min(value);
                *high = high.max(value);
            }
        }
        Self { low, high }
    }
}
