//! Settings of the scores that perturb the input.

use schemars::JsonSchema;
use serde_json::{Value, json};
use xbench_metrics::localisation::FOCUS;
use xbench_metrics::{Family, ScoreInfo};

use crate::document::written;
use crate::read::At;

/// Settings of the scores that perturb the input or compare the highest pixels.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping like {baseline: 0.0, steps: 28}"
)]
#[schemars(rename = "Perturbation")]
pub(crate) struct PerturbationDoc {
    /// Value a removed pixel takes; of a table's column, standard deviations from its mean over
    /// the split.
    pub(crate) baseline: At<f64>,
    /// Steps of the curves over pixels: deletion, insertion, pixel flipping, the area between
    /// curves, monotonicity.
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) steps: At<u32>,
    /// Random subsets of faithfulness correlation and μ-fidelity, and of each size of
    /// sensitivity-n.
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) subsets: At<u32>,
    /// Share of the pixels in a subset of faithfulness correlation.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) subset_share: At<f64>,
    /// Shares of the pixels in the subsets of sensitivity-n; the share of faithfulness correlation
    /// costs nothing more.
    #[schemars(inner(range(min = 0.0, max = 1.0)), length(min = 1, max = 100))]
    pub(crate) sensitivity_shares: At<Vec<f64>>,
    /// Side of the square patches, in pixels, of region perturbation, selectivity, faithfulness
    /// estimate, infidelity, μ-fidelity, monotonicity correlation and non-sensitivity. Columns of
    /// a table are patches of their own.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) patch: At<u32>,
    /// Share of the patches in a subset of μ-fidelity.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) patch_share: At<f64>,
    /// Superpixels of IROF.
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) segments: At<u32>,
    /// Shares of the pixels that comprehensiveness removes and sufficiency keeps.
    #[schemars(inner(range(min = 0.0, max = 1.0)), length(min = 1, max = 100))]
    pub(crate) removal_shares: At<Vec<f64>>,
    /// Shares of the pixels that ROAD fills in.
    #[schemars(inner(range(min = 0.0, max = 1.0)), length(min = 1, max = 100))]
    pub(crate) road_shares: At<Vec<f64>>,
    /// Standard deviation of the noise on pixels that ROAD fills in.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub(crate) road_noise: At<f64>,
    /// Share of the pixels that are important to the prediction gap.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) gap_share: At<f64>,
    /// Standard deviation of the prediction gap's noise; of a table's column, in units of its own.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub(crate) gap_noise: At<f64>,
    /// Noisy rows of the prediction gap, and random values of each patch of monotonicity
    /// correlation.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) samples: At<u32>,
    /// Share of the pixels that count as the top k of a map.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) top_k_share: At<f64>,
    /// Input invariance: what is added to every value of an image, and what the second model takes
    /// away again; not 0.
    #[schemars(range(min = -10.0, max = 10.0))]
    pub(crate) input_shift: At<f64>,
}

impl Default for PerturbationDoc {
    fn default() -> Self {
        Self {
            baseline: written(0.0),
            steps: written(28),
            subsets: written(100),
            // 224 of the 784 pixels of a 28×28 image: the subset size that Quantus defaults to.
            subset_share: written(0.2857),
            // Spread over the published range, 1 pixel to 80 %, by powers as its figures are.
            sensitivity_shares: written(vec![0.01, 0.05, 0.2857, 0.8]),
            patch: written(4),
            // As in Xplique.
            patch_share: written(0.2),
            segments: written(50),
            removal_shares: written(vec![0.01, 0.05, 0.1, 0.2, 0.5]),
            road_shares: written((1..10).map(|tenth| f64::from(tenth) / 10.0).collect()),
            road_noise: written(0.01),
            gap_share: written(0.25),
            gap_noise: written(0.1),
            samples: written(10),
            top_k_share: written(0.1),
            // From [0, 1] to [−1, 0], as in the source.
            input_shift: written(-1.0),
        }
    }
}

/// Settings of scores that perturb the input or compare the highest pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Perturbation {
    /// Value a removed pixel takes, in the units of the input; of a table's column, standard
    /// deviations from its mean over the split.
    pub baseline: f32,
    /// Steps of the curves over pixels, from 2.
    pub steps: usize,
    /// Random subsets of each size, from 2.
    pub subsets: usize,
    /// Share of the pixels in a subset of faithfulness correlation, in (0, 1].
    pub subset_share: f64,
    /// Shares of the pixels in the subsets of sensitivity-n, each in (0, 1].
    pub sensitivity_shares: Vec<f64>,
    /// Side of a patch in pixels, from 1.
    pub patch: usize,
    /// Share of the patches in a subset of μ-fidelity, in (0, 1].
    pub patch_share: f64,
    /// Superpixels of IROF, from 2.
    pub segments: usize,
    /// Shares that comprehensiveness removes and sufficiency keeps, each in (0, 1].
    pub removal_shares: Vec<f64>,
    /// Shares that ROAD fills in, each in (0, 1].
    pub road_shares: Vec<f64>,
    /// Standard deviation of the noise on what ROAD fills in, from 0.
    pub road_noise: f64,
    /// Share of the pixels that are important to the prediction gap, in (0, 1].
    pub gap_share: f64,
    /// Standard deviation of the prediction gap's noise, above 0.
    pub gap_noise: f64,
    /// Noisy rows of the prediction gap and random values of a patch, from 1.
    pub samples: usize,
    /// Share of the pixels that count as the top k, in (0, 1].
    pub top_k_share: f64,
    /// What input invariance adds to every value of an image, −10 to 10 and not 0.
    pub input_shift: f32,
}

impl Perturbation {
    /// The settings that determine a score beside the map and the mask: an object without
    /// fields where there are none. Its canonical JSON identifies cached score columns.
    ///
    /// `outcome` says what the score reads of a perturbed row: the `probability` of the explained
    /// class, the model's own `output` for it, or its predicted `class`.
    #[must_use]
    pub fn of_score(&self, score: &ScoreInfo, seed: u64) -> Value {
        if (score.family, score.id) == (Family::Agreement, "top_k_overlap") {
            return json!({"top_k_share": self.top_k_share});
        }
        if score.id == FOCUS {
            return json!({"seed": seed});
        }
        if !matches!(score.family, Family::Faithfulness | Family::Axiomatic) || !score.needs.model {
            return json!({});
        }
        // The shortest decimal of an f32, as users write it.
        let decimal = |value: f32| -> f64 { value.to_string().parse().unwrap_or_default() };
        if score.id == "input_invariance" {
            return json!({"input_shift": decimal(self.input_shift)});
        }
        let baseline = decimal(self.baseline);
        let (subsets, patch, samples) = (self.subsets, self.patch, self.samples);
        let own = match score.id {
            "deletion_auc" | "insertion_auc" | "insertion_deletion" | "pixel_flipping" | "abpc"
            | "monotonicity" => json!({
                "baseline": baseline, "steps": self.steps, "seed": seed,
            }),
            "comprehensiveness" | "sufficiency" => json!({
                "baseline": baseline, "removal_shares": self.removal_shares, "seed": seed,
            }),
            "region_perturbation" | "selectivity" => json!({
                "baseline": baseline, "patch": patch, "seed": seed,
            }),
            "irof" => json!({"baseline": baseline, "segments": self.segments, "seed": seed}),
            "road" => json!({
                "road_shares": self.road_shares, "road_noise": self.road_noise, "seed": seed,
                "outcome": "class",
            }),
            "pgi" | "pgu" => json!({
                "gap_share": self.gap_share, "gap_noise": self.gap_noise, "samples": samples,
                "seed": seed,
            }),
            "faithfulness_correlation" => json!({
                "baseline": baseline, "subsets": subsets, "subset_share": self.subset_share,
                "seed": seed,
            }),
            "sensitivity_n" => json!({
                "baseline": baseline, "subsets": subsets, "seed": seed, "outcome": "output",
                "sensitivity_shares": self.sensitivity_shares,
                // Subsets of this size are those of faithfulness correlation.
                "subset_share": self.subset_share,
            }),
            "mu_fidelity" => json!({
                "baseline": baseline, "subsets": subsets, "patch": patch,
                "patch_share": self.patch_share, "seed": seed,
            }),
            "monotonicity_correlation" => json!({
                "patch": patch, "samples": samples, "seed": seed,
            }),
            "faithfulness_estimate" => json!({"baseline": baseline, "patch": patch}),
            "infidelity" | "non_sensitivity" => json!({
                "baseline": baseline, "patch": patch, "outcome": "output",
            }),
            "completeness" => json!({"baseline": baseline, "outcome": "output"}),
            _ => json!({}),
        };
        let mut own = own;
        if let Some(fields) = own.as_object_mut() {
            fields
                .entry("outcome")
                .or_insert_with(|| json!("probability"));
        }
        own
    }
}
