//! Maps of a shifted image by a model that shifts it back.

use xbench_metrics::axiomatic::input_invariance;
use xbench_metrics::{NotApplicable, reduce_channels};

use super::randomisation::explain;
use super::{Challenged, Job, Rows, Subject, column_of, nowhere};

const ID: &str = "input_invariance";

/// Input invariance of the chunk's images.
pub(super) fn score<S: Subject>(
    job: &Job<'_>,
    wanted: &[String],
    subject: &mut S,
    found: &mut Challenged,
) -> Result<(), S::Error> {
    if !wanted.iter().any(|wanted| wanted == ID) {
        return Ok(());
    }
    if job.settings.table {
        let column = nowhere(NotApplicable::NotAnImage, job.len());
        found.columns.insert(ID.to_owned(), column);
        return Ok(());
    }
    let originals: Vec<Result<Vec<f32>, NotApplicable>> = (0..job.len())
        .map(|i| {
            let map = reduce_channels(job.map(i), job.images.shape[0])?;
            // A map that has no score beside itself has none beside another.
            input_invariance(&map, &map)?;
            Ok(map)
        })
        .collect();
    let targets: Vec<Result<i64, NotApplicable>> = originals
        .iter()
        .zip(job.images.targets)
        .map(|(map, &target)| map.as_ref().map(|_| target).map_err(|reason| *reason))
        .collect();
    let shift = job.settings.input_shift;
    let mut ask = |rows: &Rows<'_>, maps: &mut [f32]| subject.explain_shifted(rows, shift, maps);
    let maps = explain(job, &mut ask, &targets, 1, &mut |_, _, row| {
        row.iter_mut().for_each(|value| *value += shift);
    })?;
    let scores = originals.iter().zip(&maps).map(|(own, shifted)| {
        let own = own.as_ref().map_err(|reason| *reason)?;
        input_invariance(own, shifted.as_ref().map_err(|reason| *reason)?)
    });
    found.columns.insert(ID.to_owned(), column_of(scores));
    Ok(())
}
