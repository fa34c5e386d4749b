//! What a run found, as one value: every table and document is derived from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use xbench_metrics::classification::ConfusionMatrix;
use xbench_metrics::{Direction, Family, ScoreInfo};
use xbench_record::table::Verdict;
use xbench_stats::{
    Better, DEFAULT_DRAWS, Interval, MetricScores, Resamples, holm, mean_intervals_masked,
    median_interval, per_image_mean_ranks, rank_groups, statistic_interval, wilcoxon_signed_rank,
};

use crate::agreement::agreement;
use crate::cells::CellResult;
use crate::models::{ModelResult, ReadyModel};
use crate::session::Session;

/// Level of the paired tests.
const ALPHA: f64 = 0.05;

/// A value with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean (for times: the median).
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Images (for times: measurements) that have a value.
    pub n: usize,
}

impl From<Interval> for Estimate {
    fn from(interval: Interval) -> Self {
        Self {
            value: interval.mean,
            low: interval.low,
            high: interval.high,
            n: interval.n,
        }
    }
}

/// All that a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Name of the suite.
    pub suite: String,
    /// Its version.
    pub suite_version: u32,
    /// The data set that was used.
    pub data_set: String,
    /// Split.
    pub split: String,
    /// Explained images.
    pub n: usize,
    /// Seed.
    pub seed: u64,
    /// Class names.
    pub classes: Vec<String>,
    /// Ids of the scores of explanations, in table order.
    pub scores: Vec<String>,
    /// Ids of the scores that rank.
    pub ranking: Vec<String>,
    /// Expected score of a random map, where it is known.
    pub chance: BTreeMap<String, f64>,
    /// Models with their explanations.
    pub models: Vec<ModelSummary>,
    /// Agreement of maps.
    pub agreement: Vec<AgreementSummary>,
    /// Published figures beside ours.
    pub reproduction: Vec<ReproductionSummary>,
    /// Cells that failed, crashed or timed out.
    pub failed_cells: usize,
    /// The folder of results.
    pub folder: PathBuf,
}

/// One model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
    /// Label.
    pub model: String,
    /// Preset of its weights; empty where it has none.
    pub preset: String,
    /// Fingerprint of its weights.
    pub weights_fingerprint: String,
    /// Why it could not be used.
    pub error: Option<String>,
    /// How right it is.
    pub accuracy: Option<Classification>,
    /// Its explanations.
    pub cells: Vec<CellSummary>,
}

/// How right a model is.
#[derive(Debug, Clone, Serialize)]
pub struct Classification {
    /// Share of images it classifies right.
    pub accuracy: Estimate,
    /// Mean of the classes' F1, with interval.
    pub macro_f1: Estimate,
    /// Counts of label × prediction, with everything derived from them.
    pub confusion: ConfusionMatrix,
}

/// One explainer on one model.
#[derive(Debug, Clone, Serialize)]
pub struct CellSummary {
    /// Label.
    pub explainer: String,
    /// Key of the cell.
    pub cell: String,
    /// Parameters, with defaults.
    pub params: serde_json::Value,
    /// Whether it is a control.
    pub control: bool,
    /// Status.
    pub status: String,
    /// What is to be said about it.
    pub text: String,
    /// Images with a map.
    pub n: usize,
    /// Scores by id; absent where a score applies to no image.
    pub scores: BTreeMap<String, Estimate>,
    /// Images a score does not apply to, by score and reason.
    pub not_applicable: BTreeMap<String, BTreeMap<String, u64>>,
    /// Mean over images of the mean rank over the ranking scores; 1 is best.
    pub mean_rank: Option<Estimate>,
    /// Rows of a group cannot be told apart from its first; 1 is best.
    pub rank_group: Option<usize>,
    /// Whether its ranks are better than every control's (the oracle aside), by paired tests.
    pub beats_controls: Option<bool>,
    /// Forward rows per image.
    pub forward_rows: Option<f64>,
    /// Backward rows per image.
    pub backward_rows: Option<f64>,
    /// CPU milliseconds per image.
    pub ms_per_image: Option<Estimate>,
    /// Highest resident memory of the timed worker, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// Agreement of two maps.
#[derive(Debug, Clone, Serialize)]
pub struct AgreementSummary {
    /// Model of the first.
    pub model_a: String,
    /// Explainer of the first.
    pub explainer_a: String,
    /// Model of the second.
    pub model_b: String,
    /// Explainer of the second.
    pub explainer_b: String,
    /// Id of the score.
    pub score: String,
    /// Its value; absent where it applies to no image.
    pub value: Option<Estimate>,
}

/// A published figure beside ours.
#[derive(Debug, Clone, Serialize)]
pub struct ReproductionSummary {
    /// Label of the model.
    pub model: String,
    /// Preset.
    pub preset: String,
    /// Id of the score.
    pub score: String,
    /// The published value.
    pub published: f64,
    /// Ours.
    pub measured: Option<Estimate>,
    /// `agrees` where the published value lies in our interval, else `above` or `below`, where
    /// ours lies; `not measured` where the run has no such model.
    pub verdict: String,
    /// Where it was published.
    pub source: String,
}

/// Derives everything from the results of cells and models.
pub(crate) fn summarise(
    session: &Session<'_>,
    models: &[ModelResult],
    results: &[CellResult],
    folder: PathBuf,
) -> Summary {
    let suite = session.suite;
    let resamples = Resamples::new(session.rows.len(), DEFAULT_DRAWS, suite.seed);
    let mut summaries: Vec<ModelSummary> = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let chosen = &session.checked.models[index];
        let cells: Vec<&CellResult> = results.iter().filter(|cell| cell.model == index).collect();
        summaries.push(ModelSummary {
            model: chosen.label.clone(),
            preset: chosen.preset.clone().unwrap_or_default(),
            weights_fingerprint: model
                .as_ref()
                .map_or_else(|_| String::new(), |model| model.facts.fingerprint.clone()),
            error: model.as_ref().err().cloned(),
            accuracy: model
                .as_ref()
                .ok()
                .and_then(|model| classification(session, model)),
            cells: cell_summaries(session, &cells, &resamples),
        });
    }
    let reproduction = reproduction(session, &summaries);
    Summary {
        suite: suite.name.clone(),
        suite_version: suite.version,
        data_set: session.set.id.clone(),
        split: suite.data.split.to_string(),
        n: session.rows.len(),
        seed: suite.seed,
        classes: session.set.classes.clone(),
        scores: session
            .checked
            .explanation_scores()
            .map(|score| score.id.to_owned())
            .collect(),
        ranking: session
            .checked
            .ranking
            .iter()
            .map(|score| score.id.to_owned())
            .collect(),
        chance: chance(session),
        failed_cells: results
            .iter()
            .filter(|cell| !cell.is_ok() && cell.status != xbench_record::Status::Unsupported)
            .count(),
        agreement: agreement_summaries(session, results, &resamples),
        models: summaries,
        reproduction,
        folder,
    }
}

/// Accuracy and its kin, on the rows the suite names for them.
fn classification(session: &Session<'_>, model: &ReadyModel) -> Option<Classification> {
    let rows = session.accuracy_rows();
    let labels = session.split().labels_of(&rows);
    let classes = session.set.classes.len();
    let confusion = ConfusionMatrix::new(&labels, &model.predictions, classes).ok()?;
    let resamples = Resamples::new(rows.len(), DEFAULT_DRAWS, session.suite.seed);
    let right = labels
        .iter()
        .zip(&model.predictions)
        .map(|(label, prediction)| Some(f64::from(u8::from(label == prediction))));
    let right: Vec<Option<f64>> = right.collect();
    let accuracy = mean_intervals_masked(&[&right], &resamples)
        .pop()
        .flatten()?;
    let macro_f1 = statistic_interval(&resamples, |weights| {
        weighted_macro_f1(&labels, &model.predictions, classes, weights)
    })?;
    Some(Classification {
        accuracy: accuracy.into(),
        macro_f1: Estimate {
            value: confusion.macro_average().f1,
            ..macro_f1.into()
        },
        confusion,
    })
}

/// Macro F1 of a resample, in which image i counts `weights[i]` times.
fn weighted_macro_f1(
    labels: &[usize],
    predictions: &[usize],
    classes: usize,
    weights: &[u8],
) -> Option<f64> {
    let mut hits = vec![0u64; classes];
    let mut actual = vec![0u64; classes];
    let mut predicted = vec![0u64; classes];
    for ((&label, &prediction), &weight) in labels.iter().zip(predictions).zip(weights) {
        let weight = u64::from(weight);
        actual[label] += weight;
        predicted[prediction] += weight;
        if label == prediction {
            hits[label] += weight;
        }
    }
    let present: Vec<f64> = (0..classes)
        .filter(|&class| actual[class] + predicted[class] > 0)
        .map(|class| 2.0 * hits[class] as f64 / (actual[class] + predicted[class]) as f64)
        .collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

fn cell_summaries(
    session: &Session<'_>,
    cells: &[&CellResult],
    resamples: &Resamples,
) -> Vec<CellSummary> {
    let images = session.rows.len() as f64;
    let ranks = Ranks::of(session, cells, resamples);
    cells
        .iter()
        .enumerate()
        .map(|(position, cell)| {
            let chosen = &session.checked.explainers[cell.explainer];
            let ids: Vec<&String> = cell.columns.keys().collect();
            let columns: Vec<&[Option<f64>]> = cell
                .columns
                .values()
                .map(|column| column.values.as_slice())
                .collect();
            let intervals = mean_intervals_masked(&columns, resamples);
            let scores = ids
                .iter()
                .zip(intervals)
                .filter_map(|(id, interval)| Some(((*id).clone(), Estimate::from(interval?))));
            let reasons = cell
                .columns
                .iter()
                .filter(|(_, column)| !column.reasons.is_empty());
            let ms_per_image = cell.timing.as_ref().and_then(|timing| {
                let median = median_interval(&timing.cpu_ms)?;
                Some(Estimate {
                    value: median.median,
                    low: median.low,
                    high: median.high,
                    n: median.n,
                })
            });
            CellSummary {
                explainer: chosen.label.clone(),
                cell: cell.key.map(|key| key.to_string()).unwrap_or_default(),
                params: chosen.params.clone(),
                control: chosen.plugin.control,
                status: cell.status.to_string(),
                text: cell.text.clone(),
                n: if cell.is_ok() { session.rows.len() } else { 0 },
                scores: scores.collect(),
                not_applicable: reasons
                    .map(|(id, column)| (id.clone(), column.reasons.clone()))
                    .collect(),
                mean_rank: ranks.mean_rank(position),
                rank_group: ranks.group(position),
                beats_controls: ranks.beats_controls(session, cells, position),
                forward_rows: cell
                    .is_ok()
                    .then(|| cell.evaluations.forward_rows as f64 / images),
                backward_rows: cell
                    .is_ok()
                    .then(|| cell.evaluations.backward_rows as f64 / images),
                ms_per_image,
                peak_memory_bytes: cell
                    .timing
                    .as_ref()
                    .and_then(|timing| timing.peak_memory_bytes),
            }
        })
        .collect()
}

/// Ranks of a model's explainers, per image and over images.
struct Ranks {
    /// Position among the cells of each ranked row.
    positions: Vec<usize>,
    per_image: Vec<Vec<f64>>,
    rows: Vec<xbench_stats::RankRow>,
}

impl Ranks {
    fn of(session: &Session<'_>, cells: &[&CellResult], resamples: &Resamples) -> Self {
        let ranking = &session.checked.ranking;
        let complete = |cell: &CellResult| {
            cell.is_ok()
                && ranking
                    .iter()
                    .all(|score| cell.columns.contains_key(score.id))
        };
        let positions: Vec<usize> = (0..cells.len())
            .filter(|&position| complete(cells[position]))
            .collect();
        if ranking.is_empty() || positions.is_empty() {
            return Self {
                positions: Vec::new(),
                per_image: Vec::new(),
                rows: Vec::new(),
            };
        }
        let scores: Vec<MetricScores<'_>> = ranking
            .iter()
            .map(|score| MetricScores {
                better: better(score),
                by_explainer: positions
                    .iter()
                    .map(|&position| cells[position].columns[score.id].values.as_slice())
                    .collect(),
            })
            .collect();
        let per_image = per_image_mean_ranks(&scores);
        let rows = rank_groups(&per_image, resamples, ALPHA);
        Self {
            positions,
            per_image,
            rows,
        }
    }

    fn row(&self, position: usize) -> Option<&xbench_stats::RankRow> {
        let index = self.positions.iter().position(|&known| known == position)?;
        self.rows.iter().find(|row| row.index == index)
    }

    fn mean_rank(&self, position: usize) -> Option<Estimate> {
        self.row(position).map(|row| Estimate {
            value: row.mean_rank,
            low: row.low,
            high: row.high,
            n: self.per_image.first().map_or(0, Vec::len),
        })
    }

    fn group(&self, position: usize) -> Option<usize> {
        self.row(position).map(|row| row.group)
    }

    /// Whether a method's ranks are better than those of every control that does not see the
    /// mask, each by a paired test, corrected together.
    fn beats_controls(
        &self,
        session: &Session<'_>,
        cells: &[&CellResult],
        position: usize,
    ) -> Option<bool> {
        let plugin =
            |position: usize| &session.checked.explainers[cells[position].explainer].plugin;
        let own = self.positions.iter().position(|&known| known == position)?;
        if plugin(position).control {
            return None;
        }
        let rivals: Vec<usize> = (0..self.positions.len())
            .filter(|&rival| {
                let rival = plugin(self.positions[rival]);
                rival.control && !rival.wants_mask
            })
            .collect();
        if rivals.is_empty() {
            return None;
        }
        let mut better = true;
        let mut p_values = Vec::with_capacity(rivals.len());
        for rival in rivals {
            let pairs = self.per_image[own].iter().zip(&self.per_image[rival]);
            let differences: Vec<f64> = pairs.map(|(own, rival)| own - rival).collect();
            better &= differences.iter().sum::<f64>() < 0.0;
            p_values.push(wilcoxon_signed_rank(&differences).map_or(1.0, |test| test.p_value));
        }
        Some(better && holm(&p_values).iter().all(|&p| p < ALPHA))
    }
}

fn better(score: &ScoreInfo) -> Better {
    match score.direction {
        Direction::Lower => Better::Lower,
        Direction::Higher | Direction::None => Better::Higher,
    }
}

/// Mean over the images of the score a random map can expect.
fn chance(session: &Session<'_>) -> BTreeMap<String, f64> {
    let mut chance = BTreeMap::new();
    for score in session.checked.family(Family::Localisation) {
        let levels: Vec<f64> = session
            .rows
            .iter()
            .filter_map(|&row| {
                let mask = session.split().mask(row)?;
                xbench_metrics::localisation::chance_level(score.id, &mask)
            })
            .collect();
        if !levels.is_empty() {
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            chance.insert(score.id.to_owned(), mean);
        }
    }
    chance
}

fn agreement_summaries(
    session: &Session<'_>,
    results: &[CellResult],
    resamples: &Resamples,
) -> Vec<AgreementSummary> {
    let scores: Vec<&'static str> = session
        .checked
        .family(Family::Agreement)
        .map(|score| score.id)
        .collect();
    if scores.is_empty() {
        return Vec::new();
    }
    let share = session.suite.perturbation.top_k_share;
    let label = |cell: usize| {
        let result = &results[cell];
        (
            session.checked.models[result.model].label.clone(),
            session.checked.explainers[result.explainer].label.clone(),
        )
    };
    agreement(results, session.set.shape, &scores, share, resamples)
        .into_iter()
        .map(|found| {
            let (model_a, explainer_a) = label(found.cells.0);
            let (model_b, explainer_b) = label(found.cells.1);
            AgreementSummary {
                model_a,
                explainer_a,
                model_b,
                explainer_b,
                score: found.score.to_owned(),
                value: found.value.map(Estimate::from),
            }
        })
        .collect()
}

fn reproduction(session: &Session<'_>, models: &[ModelSummary]) -> Vec<ReproductionSummary> {
    let rows = session.suite.reproduction.iter();
    rows.map(|row| {
        let model = models.iter().find(|model| {
            model.model == row.model
                && row
                    .preset
                    .as_ref()
                    .is_none_or(|preset| *preset == model.preset)
        });
        let measured = model
            .and_then(|model| model.accuracy.as_ref())
            .and_then(|classification| {
                match row.score.as_str() {
                    "accuracy" => Some(classification.accuracy),
                    "macro_f1" => Some(classification.macro_f1),
                    // The others have no interval of their own.
                    id => classification
                        .confusion
                        .score(id)?
                        .ok()
                        .map(|value| Estimate {
                            value,
                            low: value,
                            high: value,
                            n: classification.accuracy.n,
                        }),
                }
            });
        let verdict = Verdict::of(row.published, measured.map(Interval::from)).word();
        ReproductionSummary {
            model: row.model.clone(),
            preset: row
                .preset
                .clone()
                .or_else(|| model.map(|m| m.preset.clone()))
                .unwrap_or_default(),
            score: row.score.clone(),
            published: row.published,
            measured,
            verdict: verdict.to_owned(),
            source: row.source.clone(),
        }
    })
    .collect()
}
