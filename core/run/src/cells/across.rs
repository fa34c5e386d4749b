//! Scores that compare an image with the others of its cell.

use rayon::prelude::*;
use xbench_metrics::robustness::{
    Direction, Signature, consistency, explanation_sufficiency, of_all_images,
};
use xbench_metrics::{NotApplicable, Score, ScoreInfo};

use super::CellResult;
use super::challenge::recorded;
use crate::challenge::column_of;
use crate::models::ReadyModel;
use crate::session::Session;

/// The scores that compare each image with all others, from a cell's maps and its model's
/// predictions. They depend on the whole selection, so that no chunk can keep them.
pub(super) fn across_images(session: &Session<'_>, model: &ReadyModel, result: &mut CellResult) {
    let wanted: Vec<&ScoreInfo> = session
        .checked
        .explanation_scores()
        .filter(|score| of_all_images(score.id))
        .collect();
    if wanted.is_empty() || !result.is_ok() {
        return;
    }
    let rows = session.accuracy_rows();
    // The explained rows are among those on which accuracy is measured.
    let class = |row: &usize| Some(*model.predictions.get(rows.binary_search(row).ok()?)?);
    let Some(classes) = session.rows.iter().map(class).collect::<Option<Vec<_>>>() else {
        return;
    };
    let plane = session.layout().plane();
    let settings = session.suite.robustness;
    let maps = result
        .attributions
        .par_chunks_exact(plane.iter().product::<usize>().max(1));
    for score in wanted {
        let scores: Vec<Score> = if score.id == "consistency" {
            let signatures: Vec<Result<Signature, NotApplicable>> = maps
                .clone()
                .map(|map| Signature::new(map, plane, settings.grid, settings.top_cells))
                .collect();
            consistency(&signatures, &classes)
        } else {
            let directions: Vec<Result<Direction, NotApplicable>> = maps
                .clone()
                .map(|map| Direction::new(map, plane, settings.grid))
                .collect();
            let own = 0..directions.len();
            own.into_par_iter()
                .map(|i| explanation_sufficiency(i, &directions, &classes, settings.similarity))
                .collect()
        };
        result
            .columns
            .insert(score.id.to_owned(), recorded(column_of(scores)));
    }
}
