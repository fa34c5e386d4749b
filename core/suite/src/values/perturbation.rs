//! Ranges of the settings of scores that perturb the input.

use super::Checker;
use crate::perturbation::{Perturbation, PerturbationDoc};
use crate::read::At;

impl Checker<'_> {
    pub(super) fn perturbation(&mut self, doc: PerturbationDoc) -> Perturbation {
        let baseline = doc.baseline.value as f32;
        self.ensure(
            baseline.is_finite(),
            doc.baseline.at,
            format!("\"baseline\" is {}", doc.baseline.value),
            "give a number that fits 32-bit floating point",
        );
        let shift = doc.input_shift.value as f32;
        self.ensure(
            shift != 0.0 && (-10.0..=10.0).contains(&shift),
            doc.input_shift.at,
            format!("\"input_shift\" is {}", doc.input_shift.value),
            "give a number from -10 to 10 that is not 0",
        );
        Perturbation {
            baseline,
            steps: self.whole("steps", &doc.steps, 2, 10_000),
            subsets: self.whole("subsets", &doc.subsets, 2, 10_000),
            subset_share: self.share("subset_share", &doc.subset_share),
            sensitivity_shares: self.shares("sensitivity_shares", doc.sensitivity_shares),
            patch: self.whole("patch", &doc.patch, 1, 256),
            patch_share: self.share("patch_share", &doc.patch_share),
            segments: self.whole("segments", &doc.segments, 2, 10_000),
            removal_shares: self.shares("removal_shares", doc.removal_shares),
            road_shares: self.shares("road_shares", doc.road_shares),
            road_noise: self.deviation("road_noise", &doc.road_noise, true),
            gap_share: self.share("gap_share", &doc.gap_share),
            gap_noise: self.deviation("gap_noise", &doc.gap_noise, false),
            samples: self.whole("samples", &doc.samples, 1, 10_000),
            top_k_share: self.share("top_k_share", &doc.top_k_share),
            input_shift: shift,
        }
    }

    fn shares(&mut self, key: &str, shares: At<Vec<f64>>) -> Vec<f64> {
        let At { at, value } = shares;
        self.ensure(
            (1..=100).contains(&value.len()),
            at,
            format!("\"{key}\" has {} values", value.len()),
            "give 1 to 100 shares",
        );
        for &share in &value {
            self.share(key, &At { at, value: share });
        }
        value
    }

    fn deviation(&mut self, key: &str, value: &At<f64>, zero: bool) -> f64 {
        let least = if zero { "of at least" } else { "above" };
        let enough = value.value > 0.0 || (zero && value.value == 0.0);
        self.ensure(
            enough && value.value <= 10.0,
            value.at,
            format!("\"{key}\" is {}", value.value),
            &format!("give a number {least} 0 and at most 10"),
        );
        value.value
    }
}
