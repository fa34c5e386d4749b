//! Scores of how little a map changes when the input hardly does.

use super::ScoreInfo;

pub(super) const SCORES: &[ScoreInfo] = &[];
