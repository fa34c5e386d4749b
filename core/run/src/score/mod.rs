//! `xbench score`: attributions that any tool made, scored as a suite would.
//!
//! The arrays are checked as what comes from strangers (`npy`), laid beside the rows they are
//! about (`rows`), and scored by the same functions as a suite's: in this process where no score
//! needs a model, else by workers (`ask`).

mod ask;
mod choice;
mod npy;
mod rows;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use xbench_data::{DataSet, SetRef, Split};
use xbench_metrics::{ScoreInfo, localisation};
use xbench_stats::{DEFAULT_DRAWS, Resamples, mean_intervals_masked};

use crate::bench::{Search, load_data};
use crate::error::RunError;
use crate::evaluate::{Column, Images, NoModel, Probed, ScoreSettings, Shared, score_chunk};
use crate::known_cause;
use crate::observer::Observer;
use crate::session::{columns_of, masks_of, score_settings};
use crate::split::{self, split_of};
use crate::summary::Estimate;
use crate::task::RowLayout;

pub use rows::{RowChoice, parse_selection};

/// What to score.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// Data set the attributions are about.
    pub data: SetRef,
    /// Its split: `test`, `train`, `validation` or `photos`.
    pub split: String,
    /// NumPy file of attributions.
    pub attributions: PathBuf,
    /// NumPy file of masks, in place of the set's.
    pub masks: Option<PathBuf>,
    /// Which rows they are about.
    pub rows: RowChoice,
    /// The model that was explained.
    pub model: Option<String>,
    /// Preset of its weights.
    pub preset: Option<String>,
    /// File of its weights.
    pub weights: Option<PathBuf>,
    /// The explained class: `predicted`, `label`, or a class by number or name.
    pub target: String,
    /// `standard`, `all`, or scores and families, comma-separated.
    pub scores: String,
    /// Settings of the scores that perturb the input, as in a suite.
    pub perturbation: String,
    /// Seed of random subsets, orders of ties and bootstrap.
    pub seed: u64,
    /// Where plugins and data are looked for.
    pub search: Search,
}

/// Scores of a group that cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Why.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Their ids.
    pub scores: Vec<&'static str>,
}

/// One score of every row.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredColumn {
    /// What it is.
    pub score: &'static ScoreInfo,
    /// Row by row; `None` where it does not apply.
    pub values: Vec<Option<f64>>,
    /// How often each reason for that was met.
    pub reasons: BTreeMap<String, u64>,
    /// Mean with its bootstrap interval over rows; `None` where it applies to no row.
    pub mean: Option<Estimate>,
    /// What a map of random values can expect in the mean, where that is known.
    pub chance: Option<f64>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct ScoredArrays {
    /// Id of the data set.
    pub data_set: String,
    /// Split.
    pub split: String,
    /// The rows.
    pub rows: Vec<usize>,
    /// Class of each row.
    pub labels: Vec<usize>,
    /// Class names.
    pub classes: Vec<String>,
    /// Label of the model, if there is one.
    pub model: Option<String>,
    /// The explained class of each row, where there is a model.
    pub targets: Vec<usize>,
    /// The scores.
    pub columns: Vec<ScoredColumn>,
    /// What was wanted and is not there.
    pub left_out: Vec<LeftOut>,
}

/// Attributions and masks of rows, checked.
struct Maps {
    /// `[n, c, h, w]`; a table's columns are its width.
    values: Vec<f32>,
    shape: [usize; 3],
    /// `[n, h, w]`; empty where there are none.
    masks: Vec<u8>,
}

impl Maps {
    fn row_len(&self) -> usize {
        self.shape.iter().product()
    }

    fn masks_of(&self, at: Range<usize>) -> Vec<u8> {
        let area = self.shape[1] * self.shape[2];
        self.masks
            .get(at.start * area..at.end * area)
            .unwrap_or_default()
            .to_vec()
    }
}

/// Scores arrays of attributions.
///
/// # Errors
/// Arrays that cannot be read or do not fit the rows, unknown names, data that cannot be had, a
/// model that fails. Maps with NaN or infinite values have no score, which is a result.
pub fn score(request: &ScoreRequest, observer: &dyn Observer) -> Result<ScoredArrays, RunError> {
    // What is wrong with names and files is told before data are read or downloaded.
    let (wanted, perturbation) = choice::read(&request.scores, &request.perturbation)?;
    let npy::Floats { array, vanished } = npy::read_floats(&request.attributions)?;
    let masks = request.masks.as_deref().map(npy::read_mask).transpose()?;
    let splits = split::to_load(&request.split);
    let offline = request.search.offline;
    let (set, _) = load_data(&request.data, None, None, splits, offline, observer)?;
    let split = split_of(&set, &request.split)?;
    let count = array.shape.first().copied().unwrap_or(0);
    if count == 0 {
        return Err(RunError::NothingSelected(format!(
            "{} holds no attributions: its shape is {:?}; write one map for each row",
            request.attributions.display(),
            array.shape
        )));
    }
    let rows = rows::chosen_rows(&request.rows, count, &set, split)?;
    let layout = RowLayout::of(split);
    let maps = Maps {
        values: attributions_of(request, array, &layout)?,
        shape: layout.plane(),
        masks: match masks {
            Some(array) => checked_masks(request, array, &layout, count)?,
            None => masks_of(split, &rows),
        },
    };
    tell_gaps(&maps, vanished, observer);
    let given = choice::Given {
        table: layout.table,
        masks: !maps.masks.is_empty(),
        model: request.model.is_some(),
        cause: split.cause.is_some(),
        distractors: split.distractors.is_some(),
    };
    let (infos, left_out) = choice::choose(&wanted, given)?;
    let ids: Vec<String> = infos.iter().map(|info| info.id.to_owned()).collect();
    let settings = score_settings(&perturbation, request.seed, columns_of(split));
    let mut targets = Vec::new();
    let (model, mut columns) = match &request.model {
        Some(model) => {
            let asked = ask::Asked::open(request, model, &set, (split, &rows), observer)?;
            targets = explained_classes(request, &asked, &set, split, &rows)?;
            let columns = asked.scores(&maps, &targets, &ids, &settings, observer)?;
            (Some(asked.label), columns)
        }
        None => (None, without_model(&maps, &rows, &ids, &settings)),
    };
    let wanted = ids.iter().map(String::as_str);
    columns.extend(known_cause::columns(
        split,
        &rows,
        maps.shape,
        &maps.values,
        wanted,
    ));
    let mut columns = summarised(&infos, columns, &maps, request.seed, rows.len());
    for column in &mut columns {
        let level = known_cause::chance(split, &rows, column.score.id);
        column.chance = column.chance.or(level);
    }
    Ok(ScoredArrays {
        data_set: set.id.clone(),
        split: request.split.clone(),
        labels: split.labels_of(&rows),
        classes: set.classes.clone(),
        model,
        targets,
        columns,
        left_out,
        rows,
    })
}

/// The attributions as `[n, c, h, w]`, or why they are not the rows'.
fn attributions_of(
    request: &ScoreRequest,
    array: npy::Array<f32>,
    layout: &RowLayout,
) -> Result<Vec<f32>, RunError> {
    let refuse = |hint: &str| {
        let expected = if layout.table {
            format!("[n, {}]", layout.len())
        } else {
            let [c, h, w] = layout.plane();
            format!("[n, {c}, {h}, {w}] or [n, {h}, {w}]")
        };
        RunError::Flag(format!(
            "{} has the shape {:?}, but rows of {} need {expected}{hint}",
            request.attributions.display(),
            array.shape,
            request.data
        ))
    };
    let [c, h, w] = layout.plane();
    match array.shape[..] {
        [_, columns] if layout.table && columns == layout.len() => Ok(array.values),
        [_, channels, height, width] if !layout.table && [channels, height, width] == [c, h, w] => {
            Ok(array.values)
        }
        // One map for all channels: each has its part of it, and they add up to the map.
        [_, height, width] if !layout.table && [height, width] == [h, w] => {
            let part =
                |map: &[f32]| -> Vec<f32> { map.iter().map(|value| value / c as f32).collect() };
            let images = array.values.chunks_exact((h * w).max(1));
            Ok(images.flat_map(|map| part(map).repeat(c)).collect())
        }
        [_, height, width, channels] if !layout.table && [channels, height, width] == [c, h, w] => {
            Err(refuse(
                "; move its channels with array.transpose(0, 3, 1, 2)",
            ))
        }
        [_, values] if !layout.table && values == layout.len() => {
            Err(refuse("; give it its shape with array.reshape"))
        }
        _ => Err(refuse("")),
    }
}

/// The masks as `[n, h, w]`, or why they are not the rows'.
fn checked_masks(
    request: &ScoreRequest,
    array: npy::Array<u8>,
    layout: &RowLayout,
    count: usize,
) -> Result<Vec<u8>, RunError> {
    let [_, h, w] = layout.plane();
    let fits = match array.shape[..] {
        [n, height, width] | [n, 1, height, width] => (n, height, width) == (count, h, w),
        _ => false,
    };
    if layout.table || !fits {
        let file = request
            .masks
            .as_deref()
            .unwrap_or("masks".as_ref())
            .display();
        return Err(RunError::Flag(if layout.table {
            format!(
                "{file}: {} is a table, whose rows have no masks",
                request.data
            )
        } else {
            format!(
                "{file} has the shape {:?}, but {count} attributions need masks [{count}, {h}, {w}]",
                array.shape
            )
        }));
    }
    Ok(array.values)
}

/// Tells how many maps have values that are no numbers, or no longer are.
fn tell_gaps(maps: &Maps, vanished: usize, observer: &dyn Observer) {
    let all = maps.values.chunks_exact(maps.row_len().max(1));
    let count = all.len();
    let bad = all
        .filter(|map| map.iter().any(|value| !value.is_finite()))
        .count();
    if bad > 0 {
        observer.warning(&format!(
            "{bad} of {count} maps hold NaN or infinite values (as float32): they have no score"
        ));
    }
    if vanished > 0 {
        observer.warning(&format!(
            "{vanished} of {count} maps are zero everywhere as float32, though not as float64, and \
             are scored as such; divide each map by its largest magnitude before it is saved"
        ));
    }
}

/// The class that is explained, of each row.
fn explained_classes(
    request: &ScoreRequest,
    asked: &ask::Asked<'_>,
    set: &DataSet,
    split: &Split,
    rows: &[usize],
) -> Result<Vec<usize>, RunError> {
    match request.target.as_str() {
        "predicted" => asked.predictions(set.classes.len()),
        "label" => Ok(split.labels_of(rows)),
        class => {
            let number = class
                .parse()
                .ok()
                .filter(|&class: &usize| class < set.classes.len());
            let named = || {
                let mut names = set.classes.iter();
                names.position(|name| name.eq_ignore_ascii_case(class))
            };
            let class = number.or_else(named).ok_or_else(|| {
                RunError::Flag(format!(
                    "unknown target '{class}'; say predicted, label, a number below {} or one \
                     of: {}",
                    set.classes.len(),
                    set.classes.join(", ")
                ))
            })?;
            Ok(vec![class; rows.len()])
        }
    }
}

fn without_model(
    maps: &Maps,
    rows: &[usize],
    ids: &[String],
    settings: &ScoreSettings,
) -> BTreeMap<String, Column> {
    let numbers: Vec<u64> = rows.iter().map(|&row| row as u64).collect();
    let images = Images {
        pixels: &[],
        shape: maps.shape,
        targets: &vec![0; rows.len()],
        ids: &numbers,
        masks: (!maps.masks.is_empty()).then_some(&maps.masks),
    };
    let probed = Probed::default();
    let shared = Shared::none(&probed);
    match score_chunk(&images, &maps.values, shared, ids, settings, &mut NoModel) {
        Ok(columns) => columns,
    }
}

fn summarised(
    infos: &[&'static ScoreInfo],
    mut columns: BTreeMap<String, Column>,
    maps: &Maps,
    seed: u64,
    rows: usize,
) -> Vec<ScoredColumn> {
    let columns: Vec<(&'static ScoreInfo, Column)> = infos
        .iter()
        .filter_map(|info| Some((*info, columns.remove(info.id)?)))
        .collect();
    let slices: Vec<&[Option<f64>]> = columns
        .iter()
        .map(|(_, column)| column.values.as_slice())
        .collect();
    let means = mean_intervals_masked(&slices, &Resamples::new(rows, DEFAULT_DRAWS, seed));
    columns
        .into_iter()
        .zip(means)
        .map(|((score, column), mean)| ScoredColumn {
            score,
            chance: chance(score.id, maps),
            values: column.values,
            reasons: column.reasons,
            mean: mean.map(Estimate::from),
        })
        .collect()
}

/// Mean over the rows of what a random map can expect.
fn chance(id: &str, maps: &Maps) -> Option<f64> {
    let area = (maps.shape[1] * maps.shape[2]).max(1);
    let levels: Vec<f64> = maps
        .masks
        .chunks_exact(area)
        .filter_map(|mask| {
            let mask: Vec<bool> = mask.iter().map(|&inside| inside != 0).collect();
            localisation::chance_level(id, &mask)
        })
        .collect();
    (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ScoreRequest {
        ScoreRequest {
            data: SetRef::named("garments"),
            split: "test".to_owned(),
            attributions: "maps.npy".into(),
            masks: None,
            rows: RowChoice::First,
            model: None,
            preset: None,
            weights: None,
            target: "predicted".to_owned(),
            scores: "standard".to_owned(),
            perturbation: "{}".to_owned(),
            seed: 0,
            search: Search::default(),
        }
    }

    fn layout(shape: &[usize]) -> RowLayout {
        RowLayout {
            shape: shape.to_vec(),
            table: shape.len() == 1,
        }
    }

    fn array(shape: &[usize]) -> npy::Array<f32> {
        npy::Array {
            shape: shape.to_vec(),
            values: (0..shape.iter().product())
                .map(|value| value as f32)
                .collect(),
        }
    }

    #[test]
    fn shapes_of_pictures_and_tables_are_taken() {
        let of = |shape: &[usize], rows: &[usize]| {
            attributions_of(&request(), array(shape), &layout(rows))
        };
        assert_eq!(of(&[2, 1, 2, 2], &[1, 2, 2]).unwrap().len(), 8);
        assert_eq!(of(&[2, 5], &[5]).unwrap().len(), 10);
        // One map for two channels: halves that add up to it.
        let spread = of(&[1, 2, 2], &[2, 2, 2]).unwrap();
        assert_eq!(spread, [0.0, 0.5, 1.0, 1.5, 0.0, 0.5, 1.0, 1.5]);
        for (shape, hint) in [
            (&[2, 4, 5, 3][..], "transpose(0, 3, 1, 2)"),
            (&[2, 60], "reshape"),
            (&[2, 5, 4], "need [n, 3, 4, 5] or [n, 4, 5]"),
            (&[2], "need [n, 3, 4, 5]"),
            (&[2, 3, 4, 5, 1], "need [n, 3, 4, 5]"),
        ] {
            let error = of(shape, &[3, 4, 5]).unwrap_err().to_string();
            assert!(error.contains(hint), "{shape:?}: {error}");
        }
        let error = of(&[2, 4], &[5]).unwrap_err().to_string();
        assert!(error.contains("need [n, 5]"), "{error}");
    }

    #[test]
    fn masks_fit_the_attributions() {
        let of = |shape: &[usize], rows: &[usize]| {
            let array = npy::Array {
                shape: shape.to_vec(),
                values: vec![1u8; shape.iter().product()],
            };
            checked_masks(&request(), array, &layout(rows), 2)
        };
        assert_eq!(of(&[2, 4, 5], &[3, 4, 5]).unwrap().len(), 40);
        assert_eq!(of(&[2, 1, 4, 5], &[3, 4, 5]).unwrap().len(), 40);
        assert!(of(&[3, 4, 5], &[3, 4, 5]).is_err());
        assert!(of(&[2, 3, 4, 5], &[3, 4, 5]).is_err());
        assert!(
            of(&[2, 1, 5], &[5])
                .unwrap_err()
                .to_string()
                .contains("is a table")
        );
    }

    #[test]
    fn maps_are_scored_without_a_model() {
        let maps = Maps {
            values: vec![4.0, 1.0, 0.0, 0.0, f32::NAN, 1.0, 1.0, 1.0],
            shape: [1, 2, 2],
            masks: vec![1, 0, 0, 0, 1, 1, 0, 0],
        };
        let (wanted, perturbation) = choice::read("standard", "{}").unwrap();
        let given = choice::Given {
            table: false,
            masks: true,
            model: false,
            cause: false,
            distractors: false,
        };
        let (infos, _) = choice::choose(&wanted, given).unwrap();
        let ids: Vec<String> = infos.iter().map(|info| info.id.to_owned()).collect();
        let settings = score_settings(&perturbation, 0, None);
        let columns = without_model(&maps, &[3, 5], &ids, &settings);
        let found = summarised(&infos, columns, &maps, 0, 2);
        let mass = found
            .iter()
            .find(|column| column.score.id == "relevance_mass")
            .unwrap();
        assert_eq!(mass.values, [Some(0.8), None]);
        assert_eq!(mass.reasons["non_finite"], 1);
        assert_eq!(mass.mean.unwrap().value, 0.8);
        assert_eq!(mass.chance, Some(0.375));
        assert_eq!(found.len(), infos.len());
    }
}
