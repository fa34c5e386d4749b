//! Scores of how much a map depends on what the model learnt.

use super::ScoreInfo;

pub(super) const SCORES: &[ScoreInfo] = &[];
