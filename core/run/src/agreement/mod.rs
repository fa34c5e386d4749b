//! Do maps say the same? Between explainers of one model, between models for one explainer, and
//! between seeds of one model; over all rows and class by class.

mod by_region;
mod groups;
mod table;

use rayon::prelude::*;
use xbench_metrics::agreement::{AgreementSettings, Measure, PreparedMap};
use xbench_metrics::{Family, reduce_channels};
use xbench_stats::{Resamples, mean_intervals_masked};
use xbench_suite::Chosen;

use crate::cells::CellResult;
use crate::regions::{REGIONS, regions_of};
use crate::session::Session;
use crate::summary::{AgreementGroup, AgreementSummary, Estimate, Pairing};

use by_region::by_region;
use groups::groups;
pub(crate) use table::group_table;

/// All that a run says about agreement.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) pairs: Vec<AgreementSummary>,
    pub(crate) groups: Vec<AgreementGroup>,
}

/// The maps of a cell: `[n, c, h, w]`, empty where it has none.
#[derive(Debug, Clone, Copy)]
struct Maps<'r> {
    model: usize,
    explainer: usize,
    values: &'r [f32],
}

/// Two cells whose maps are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    a: usize,
    b: usize,
    pairing: Pairing,
}

/// The agreement of every pair on every measure, image by image.
struct Values {
    pairs: Vec<Pair>,
    measures: Vec<Measure>,
    /// `[image][pair][measure]`; NaN where a measure does not apply.
    values: Vec<Vec<f64>>,
}

impl Values {
    /// Of one pair and measure, an image after the other.
    fn column(&self, pair: usize, measure: usize) -> Vec<Option<f64>> {
        let at = pair * self.measures.len() + measure;
        let values = self.values.iter().map(|image| image[at]);
        values
            .map(|value| (!value.is_nan()).then_some(value))
            .collect()
    }
}

/// Compares cells of one model pairwise, and cells of one explainer across models.
pub(crate) fn agreement(
    session: &Session<'_>,
    results: &[CellResult],
    resamples: &Resamples,
) -> Found {
    let measures: Vec<Measure> = session
        .checked
        .family(Family::Agreement)
        .filter_map(|score| Measure::of(score.id))
        .collect();
    if measures.is_empty() {
        return Found::default();
    }
    let settings = AgreementSettings {
        top_k_share: session.suite.perturbation.top_k_share,
        segment: session.suite.agreement.segment,
    };
    let maps: Vec<Maps<'_>> = results.iter().map(maps_of).collect();
    let pairs = pairs(&session.checked.models, &maps);
    let shape = session.layout().plane();
    let values = compare(&maps, shape, pairs, measures, &settings, resamples.images());
    let label = |cell: usize| {
        let (model, explainer) = (results[cell].model, results[cell].explainer);
        (
            session.checked.models[model].label.clone(),
            session.checked.explainers[explainer].label.clone(),
        )
    };
    let mut found = Found::default();
    for (number, measure) in values.measures.iter().enumerate() {
        let columns: Vec<Vec<Option<f64>>> = (0..values.pairs.len())
            .map(|pair| values.column(pair, number))
            .collect();
        let slices: Vec<&[Option<f64>]> = columns.iter().map(Vec::as_slice).collect();
        let intervals = mean_intervals_masked(&slices, resamples);
        for (pair, value) in values.pairs.iter().zip(intervals) {
            let ((model_a, explainer_a), (model_b, explainer_b)) = (label(pair.a), label(pair.b));
            found.pairs.push(AgreementSummary {
                model_a,
                explainer_a,
                model_b,
                explainer_b,
                pairing: pair.pairing,
                score: measure.id().to_owned(),
                value: value.map(Estimate::from),
            });
        }
    }
    found.groups = groups(session, results, &values, None, resamples);
    if values.measures.contains(&Measure::Spearman) {
        let rows = session.rows.iter();
        let regions: Vec<Option<Vec<u8>>> = rows.map(|&row| regions_of(session, row)).collect();
        let parts = by_region(&maps, shape, &values.pairs, &settings, &regions);
        for (name, part) in REGIONS.iter().zip(&parts) {
            let some = groups(session, results, part, Some(name), resamples);
            found
                .groups
                .extend(some.into_iter().filter(|group| group.value.is_some()));
        }
    }
    found
}

fn maps_of(result: &CellResult) -> Maps<'_> {
    Maps {
        model: result.model,
        explainer: result.explainer,
        values: if result.is_ok() {
            &result.attributions
        } else {
            &[]
        },
    }
}

/// What is compared: cells with maps that share their model or their explainer.
fn pairs(models: &[Chosen], maps: &[Maps<'_>]) -> Vec<Pair> {
    let usable: Vec<usize> = (0..maps.len())
        .filter(|&cell| !maps[cell].values.is_empty())
        .collect();
    let mut pairs = Vec::new();
    for (place, &a) in usable.iter().enumerate() {
        for &b in &usable[place + 1..] {
            let (one, other) = (&maps[a], &maps[b]);
            let pairing = if one.model == other.model {
                Pairing::Explainers
            } else if one.explainer != other.explainer {
                continue;
            } else if are_seeds(&models[one.model], &models[other.model]) {
                Pairing::Seeds
            } else {
                Pairing::Models
            };
            pairs.push(Pair { a, b, pairing });
        }
    }
    pairs
}

/// Whether two models are one model trained with two seeds: all else that is said of them is the
/// same.
pub(crate) fn are_seeds(a: &Chosen, b: &Chosen) -> bool {
    const SEED: &str = "seed";
    let but_seed = |chosen: &Chosen| {
        let mut train = chosen.train.clone();
        train.remove(SEED);
        train
    };
    a.plugin.id == b.plugin.id
        && a.params == b.params
        && a.preset == b.preset
        && a.weights.is_none()
        && b.weights.is_none()
        && a.train.get(SEED) != b.train.get(SEED)
        && but_seed(a) == but_seed(b)
}

fn compare(
    maps: &[Maps<'_>],
    [channels, height, width]: [usize; 3],
    pairs: Vec<Pair>,
    measures: Vec<Measure>,
    settings: &AgreementSettings,
    images: usize,
) -> Values {
    let row_len = channels * height * width;
    // One image at a time, all its maps prepared once: few numbers in flight, each used often.
    let values = (0..images)
        .into_par_iter()
        .map(|image| {
            let prepared: Vec<PreparedMap> = maps
                .iter()
                .map(|maps| {
                    let map = maps
                        .values
                        .get(image * row_len..(image + 1) * row_len)
                        .and_then(|map| reduce_channels(map, channels).ok());
                    map.map_or_else(PreparedMap::default, |map| {
                        PreparedMap::new(&map, [height, width], &measures, settings)
                    })
                })
                .collect();
            let score = |pair: &Pair, measure: Measure| {
                measure
                    .compare(&prepared[pair.a], &prepared[pair.b])
                    .unwrap_or(f64::NAN)
            };
            pairs
                .iter()
                .flat_map(|pair| measures.iter().map(move |&measure| score(pair, measure)))
                .collect()
        })
        .collect();
    Values {
        pairs,
        measures,
        values,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xbench_suite::Known;

    use super::*;

    fn chosen(label: &str, id: &str, train: serde_json::Value) -> Chosen {
        Chosen {
            label: label.to_owned(),
            plugin: Known {
                id: id.to_owned(),
                ..Known::default()
            },
            params: json!({}),
            preset: Some("best".to_owned()),
            weights: None,
            train: train.as_object().cloned().unwrap_or_default(),
            explain: None,
            at: None,
        }
    }

    fn cell(model: usize, explainer: usize, values: &[f32]) -> Maps<'_> {
        Maps {
            model,
            explainer,
            values,
        }
    }

    #[test]
    fn seeds_are_told_from_other_models() {
        let one = chosen("a-1", "org.a", json!({"seed": 1, "masks": 0.5}));
        let two = chosen("a-2", "org.a", json!({"seed": 2, "masks": 0.5}));
        assert!(are_seeds(&one, &two));
        assert!(!are_seeds(&one, &one));
        let other = chosen("b", "org.a", json!({"seed": 2, "masks": 1.0}));
        assert!(!are_seeds(&one, &other));
        assert!(!are_seeds(
            &one,
            &chosen("c", "org.c", json!({"seed": 2, "masks": 0.5}))
        ));
        let given = Chosen {
            weights: Some("w".into()),
            ..two
        };
        assert!(!are_seeds(&one, &given));
    }

    #[test]
    fn cells_that_share_a_model_or_an_explainer_are_compared() {
        let models = [
            chosen("m", "org.m", json!({"seed": 1})),
            chosen("n", "org.m", json!({"seed": 2})),
            chosen("o", "org.o", json!({})),
        ];
        let map = [1.0, 2.0];
        let maps = [
            cell(0, 0, &map),
            cell(0, 1, &map),
            cell(1, 0, &map),
            cell(2, 0, &map),
            cell(2, 1, &[]),
        ];
        let found: Vec<(usize, usize, Pairing)> = pairs(&models, &maps)
            .iter()
            .map(|pair| (pair.a, pair.b, pair.pairing))
            .collect();
        assert_eq!(
            found,
            [
                (0, 1, Pairing::Explainers),
                (0, 2, Pairing::Seeds),
                (0, 3, Pairing::Models),
                (2, 3, Pairing::Models),
            ]
        );
    }

    #[test]
    fn values_stand_by_image_pair_and_measure() {
        // Two images of 1 × 2 pixels; the second map of the second cell has no direction.
        let maps = [
            cell(0, 0, &[1.0, 0.0, 0.0, 1.0]),
            cell(0, 1, &[1.0, 0.0, 0.0, 0.0]),
            cell(0, 2, &[0.0, 1.0, 0.0, -1.0]),
        ];
        let models = [chosen("m", "org.m", json!({}))];
        let settings = AgreementSettings {
            top_k_share: 0.5,
            segment: 1,
        };
        let measures = vec![Measure::Cosine, Measure::TopKOverlap];
        let pairs = pairs(&models, &maps);
        let values = compare(&maps, [1, 1, 2], pairs, measures, &settings, 2);
        assert_eq!(values.column(0, 0), [Some(1.0), None]);
        assert_eq!(values.column(1, 0), [Some(0.0), Some(-1.0)]);
        assert_eq!(values.column(1, 1), [Some(0.0), Some(1.0)]);
    }
}
