//! Agreement in the mean over pairs: how far the explainers of a model agree, how far an
//! explainer says the same of several models; class by class.

use xbench_stats::{Resamples, mean_intervals_masked};

use super::Values;
use crate::cells::CellResult;
use crate::session::Session;
use crate::summary::{AgreementGroup, Estimate, Pairing};

/// Means over the pairs of each model and of each explainer, for all rows and, of the whole picture,
/// for the rows of each class (by label).
///
/// Controls are left out: what a random map says is no one's opinion.
pub(super) fn groups(
    session: &Session<'_>,
    results: &[CellResult],
    values: &Values,
    region: Option<&str>,
    resamples: &Resamples,
) -> Vec<AgreementGroup> {
    let (models, explainers) = (&session.checked.models, &session.checked.explainers);
    let control = |cell: usize| explainers[results[cell].explainer].plugin.control;
    let members = |pairing: Pairing, of: usize| -> Vec<usize> {
        let belongs = |&pair: &usize| {
            let pair = values.pairs[pair];
            let owner = match pairing {
                Pairing::Explainers => results[pair.a].model,
                Pairing::Models | Pairing::Seeds => results[pair.a].explainer,
            };
            pair.pairing == pairing && owner == of && !control(pair.a) && !control(pair.b)
        };
        (0..values.pairs.len()).filter(belongs).collect()
    };
    let labels = session.split().labels_of(&session.rows);
    let own = models
        .iter()
        .enumerate()
        .map(|(number, model)| (Pairing::Explainers, number, model));
    let across = [Pairing::Models, Pairing::Seeds]
        .into_iter()
        .flat_map(|pairing| {
            let explainers = explainers.iter().enumerate();
            explainers.map(move |(number, explainer)| (pairing, number, explainer))
        });
    let mut found = Vec::new();
    for (pairing, number, owner) in own.chain(across) {
        let members = members(pairing, number);
        if members.is_empty() {
            continue;
        }
        for (measure, name) in values.measures.iter().enumerate() {
            let means = row_means(values, &members, measure);
            let classes = match region {
                Some(_) => &[][..],
                None => &session.set.classes,
            };
            let columns = by_class(&means, &labels, classes.len());
            let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
            let intervals = mean_intervals_masked(&slices, resamples);
            let all_and_each = std::iter::once(None).chain(classes.iter().map(Some));
            for (class, value) in all_and_each.zip(intervals) {
                found.push(AgreementGroup {
                    pairing,
                    of: owner.label.clone(),
                    class: class.cloned(),
                    region: region.map(str::to_owned),
                    score: name.id().to_owned(),
                    pairs: members.len(),
                    value: value.map(Estimate::from),
                });
            }
        }
    }
    found
}

/// Of each image, the mean over the pairs that have a value.
fn row_means(values: &Values, members: &[usize], measure: usize) -> Vec<Option<f64>> {
    let (mut sums, mut counts) = (
        vec![0.0; values.values.len()],
        vec![0u32; values.values.len()],
    );
    for &pair in members {
        for (image, value) in values.column(pair, measure).into_iter().enumerate() {
            if let Some(value) = value {
                sums[image] += value;
                counts[image] += 1;
            }
        }
    }
    let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
    sums.into_iter().zip(counts).map(mean).collect()
}

/// All rows, then those of each class with the others left out.
fn by_class(means: &[Option<f64>], labels: &[usize], classes: usize) -> Vec<Vec<Option<f64>>> {
    let of_class = |class: usize| {
        let rows = means.iter().zip(labels);
        rows.map(|(mean, &label)| mean.filter(|_| label == class))
            .collect()
    };
    std::iter::once(means.to_vec())
        .chain((0..classes).map(of_class))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_metrics::agreement::Measure;

    #[test]
    fn rows_are_averaged_over_the_pairs_that_have_a_value() {
        let values = Values {
            pairs: Vec::new(),
            measures: vec![Measure::Cosine],
            values: vec![
                vec![0.5, 1.0, 9.0],
                vec![f64::NAN, 0.25, 9.0],
                vec![f64::NAN, f64::NAN, 9.0],
            ],
        };
        let means = row_means(&values, &[0, 1], 0);
        assert_eq!(means, [Some(0.75), Some(0.25), None]);
        let split = by_class(&means, &[1, 0, 1], 3);
        assert_eq!(split[0], means);
        assert_eq!(split[1], [None, Some(0.25), None]);
        assert_eq!(split[2], [Some(0.75), None, None]);
        assert_eq!(split[3], [None, None, None]);
    }
}
