//! Ranges of the settings of scores that explain anew.

use super::Checker;
use crate::challenge::{Randomisation, RandomisationDoc, Robustness, RobustnessDoc};
use crate::read::At;

impl Checker<'_> {
    pub(super) fn robustness(&mut self, doc: &RobustnessDoc) -> Robustness {
        let similarity = &doc.similarity;
        self.ensure(
            (-1.0..=1.0).contains(&similarity.value),
            similarity.at,
            format!("\"similarity\" is {}", similarity.value),
            "give a cosine from -1 to 1",
        );
        Robustness {
            draws: self.whole("draws", &doc.draws, 1, 10_000),
            radius: self.size("radius", &doc.radius),
            shifts: self.whole("shifts", &doc.shifts, 1, 1000),
            grid: self.whole("grid", &doc.grid, 1, 1000),
            top_cells: self.whole("top_cells", &doc.top_cells, 1, 1000),
            similarity: similarity.value,
        }
    }

    pub(super) fn randomisation(&mut self, doc: &RandomisationDoc) -> Randomisation {
        Randomisation {
            smooth_draws: self.whole("smooth_draws", &doc.smooth_draws, 1, 10_000),
            smooth_noise: self.size("smooth_noise", &doc.smooth_noise),
            bins: self.whole("bins", &doc.bins, 2, 100_000),
        }
    }

    fn size(&mut self, key: &str, value: &At<f64>) -> f64 {
        self.ensure(
            value.value > 0.0 && value.value <= 10.0,
            value.at,
            format!("\"{key}\" is {}", value.value),
            "give a number above 0 and at most 10",
        );
        value.value
    }
}
