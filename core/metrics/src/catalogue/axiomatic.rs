//! Scores of what a map must fulfil by definition.

use super::ScoreInfo;

pub(super) const SCORES: &[ScoreInfo] = &[];
