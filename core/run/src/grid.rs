//! `xbench train --grid`: every combination of settings, judged by stratified cross-validation.
//!
//! For each combination the model is trained once a fold on the other folds' rows and judged on the
//! fold's own; the best mean accuracy wins, the first of equal ones. The test split plays no part.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use xbench_data::{DataSet, Split};
use xbench_host::PluginInfo;
use xbench_record::write_file;
use xbench_suite::{Chosen, Kind};

use crate::bench::{Bench, cores};
use crate::error::{RunError, at};
use crate::observer::Observer;
use crate::task::{ModelRef, RowLayout};
use crate::train::{
    FitRun, TrainRequest, Trained, TrainingData, can_train, chosen_for, predictions_of,
    settings_of, train,
};
use crate::weights::stem;

/// A request of `xbench train --grid`.
#[derive(Debug, Clone)]
pub struct GridRequest {
    /// The model, its data, and where the winner goes.
    pub train: TrainRequest,
    /// Settings with the values to try, in the order given.
    pub grid: Vec<(String, Vec<Value>)>,
    /// Folds of the cross-validation, at least 2.
    pub folds: usize,
    /// Training rows to search on, evenly over the classes; all where none are named. The winner is
    /// trained on all.
    pub rows: Option<usize>,
}

/// One combination and how it did.
#[derive(Debug, Clone, Serialize)]
pub struct GridPoint {
    /// The settings of the grid.
    pub settings: Map<String, Value>,
    /// Accuracy on each fold.
    pub accuracy: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n - 1).
    pub sd: f64,
}

/// What a grid search found.
#[derive(Debug, Clone)]
pub struct GridResult {
    /// All combinations, in the order of the grid, the last setting fastest.
    pub points: Vec<GridPoint>,
    /// Number of the best one.
    pub best: usize,
    /// The table of all combinations.
    pub file: PathBuf,
    /// The winner, trained on all rows.
    pub trained: Trained,
}

/// Searches a grid, then trains the best combination on all training rows.
///
/// # Errors
/// As [`train`]; a grid without combinations; a class with fewer rows than folds.
pub fn search(request: &GridRequest, observer: &dyn Observer) -> Result<GridResult, RunError> {
    let combinations = combinations(&request.grid)?;
    let bench = Bench::open(&request.train.search, &[])?;
    bench.tell_problems(observer);
    let (chosen, set) = chosen_for(&bench, &request.train, observer)?;
    let plugin = bench.plugin(Kind::Model, &chosen.plugin.id)?;
    can_train(plugin)?;
    let preset = chosen.preset.as_deref().unwrap_or("default");
    let file = request
        .train
        .out
        .join(format!("{}.grid.csv", stem(&plugin.short, preset)));
    let rows = searched_rows(&set, request.rows)?;
    let folds = folds(&set.train, &rows, set.classes.len(), request.folds)?;
    let threads = request.train.threads.unwrap_or_else(cores);
    let mut points = Vec::with_capacity(combinations.len());
    for (number, settings) in combinations.iter().enumerate() {
        let told: Vec<String> = settings.iter().map(|(k, v)| format!("{k}={v}")).collect();
        observer.notice(&format!(
            "grid {}/{}: {}",
            number + 1,
            combinations.len(),
            told.join(" ")
        ));
        let mut differing = request.train.settings.clone();
        differing.extend(settings.clone());
        let fold = Fold {
            bench: &bench,
            plugin,
            chosen: &chosen,
            set: &set,
            settings: settings_of(&chosen, &differing),
            threads,
            observer,
        };
        let accuracy: Result<Vec<f64>, RunError> = (0..folds.len())
            .map(|held_out| fold.accuracy(&folds, held_out))
            .collect();
        points.push(point(settings.clone(), accuracy?));
    }
    let best = best_of(&points);
    std::fs::create_dir_all(&request.train.out).map_err(at(&request.train.out))?;
    write_file(&file, table(&request.grid, &points).as_bytes())
        .map_err(|error| RunError::Files(error.to_string()))?;
    let mut winner = request.train.clone();
    winner.settings.extend(points[best].settings.clone());
    let trained = train(&winner, observer)?;
    Ok(GridResult {
        points,
        best,
        file,
        trained,
    })
}

/// What the trainings of one combination share.
struct Fold<'f> {
    bench: &'f Bench,
    plugin: &'f PluginInfo,
    chosen: &'f Chosen,
    set: &'f DataSet,
    settings: Value,
    threads: usize,
    observer: &'f dyn Observer,
}

impl Fold<'_> {
    fn accuracy(&self, folds: &[Vec<usize>], held_out: usize) -> Result<f64, RunError> {
        let mut rows: Vec<usize> = folds
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != held_out)
            .flat_map(|(_, rows)| rows.iter().copied())
            .collect();
        rows.sort_unstable();
        let none = Split::default();
        let data = TrainingData {
            training: &self.set.train,
            rows: Some(&rows),
            validation: &none,
            classes: self.set.classes.len(),
        };
        let mut model = ModelRef {
            plugin: self.bench.reference(Kind::Model, self.chosen)?,
            weights: None,
        };
        let mut run = FitRun {
            model: &self.plugin.short,
            threads: self.threads,
            curve: Vec::new(),
            checkpoint: None,
            observer: self.observer,
        };
        let (_, weights) = run.fit(self.bench, &data, model.clone(), self.settings.clone())?;
        let folder = tempfile::tempdir()
            .map_err(|error| RunError::Files(format!("a temporary folder: {error}")))?;
        let path = folder.path().join("fold.weights");
        write_file(&path, &weights).map_err(|error| RunError::Files(error.to_string()))?;
        model.weights = Some(path);
        let own = &folds[held_out];
        let layout = RowLayout::of(&self.set.train);
        let predicted = predictions_of(
            self.bench,
            model,
            &layout,
            layout.pack(&self.set.train, own),
            self.set.classes.len(),
        )?;
        let right = predicted
            .iter()
            .zip(own)
            .filter(|(predicted, row)| **predicted == self.set.train.label(**row))
            .count();
        Ok(right as f64 / own.len().max(1) as f64)
    }
}

/// All combinations, the last setting fastest.
fn combinations(grid: &[(String, Vec<Value>)]) -> Result<Vec<Map<String, Value>>, RunError> {
    let mut all = vec![Map::new()];
    for (name, values) in grid {
        if values.is_empty() {
            return Err(RunError::Flag(format!("the grid has no value for {name}")));
        }
        all = all
            .iter()
            .flat_map(|begun| {
                values.iter().map(|value| {
                    let mut longer = begun.clone();
                    longer.insert(name.clone(), value.clone());
                    longer
                })
            })
            .collect();
        if all.len() > 10_000 {
            return Err(RunError::Flag(
                "the grid has more than 10,000 combinations".to_owned(),
            ));
        }
    }
    if grid.is_empty() {
        return Err(RunError::Flag("the grid names no setting".to_owned()));
    }
    Ok(all)
}

fn searched_rows(set: &DataSet, rows: Option<usize>) -> Result<Vec<usize>, RunError> {
    match rows {
        None => Ok((0..set.train.len()).collect()),
        Some(n) => {
            let selection = xbench_data::Selection::Balanced(n);
            Ok(xbench_data::select(
                &set.train,
                set.classes.len(),
                &selection,
            )?)
        }
    }
}

/// Deals the rows of each class over the folds in turn.
fn folds(
    split: &Split,
    rows: &[usize],
    classes: usize,
    count: usize,
) -> Result<Vec<Vec<usize>>, RunError> {
    let mut folds = vec![Vec::new(); count];
    let mut seen = vec![0; classes];
    for &row in rows {
        let class = split.label(row);
        folds[seen[class] % count].push(row);
        seen[class] += 1;
    }
    match seen.iter().position(|&n| n > 0 && n < count) {
        None if rows.len() >= count => Ok(folds),
        _ => Err(RunError::Flag(format!(
            "{count} folds need at least {count} training rows of every class; use fewer folds"
        ))),
    }
}

fn point(settings: Map<String, Value>, accuracy: Vec<f64>) -> GridPoint {
    let n = accuracy.len() as f64;
    let mean = accuracy.iter().sum::<f64>() / n;
    let squares: f64 = accuracy.iter().map(|a| (a - mean).powi(2)).sum();
    GridPoint {
        settings,
        mean,
        sd: (squares / (n - 1.0).max(1.0)).sqrt(),
        accuracy,
    }
}

fn best_of(points: &[GridPoint]) -> usize {
    let mut best = 0;
    for (number, point) in points.iter().enumerate() {
        if point.mean > points[best].mean {
            best = number;
        }
    }
    best
}

fn table(grid: &[(String, Vec<Value>)], points: &[GridPoint]) -> String {
    let names: Vec<&str> = grid.iter().map(|(name, _)| name.as_str()).collect();
    let folds = points.first().map_or(0, |point| point.accuracy.len());
    let mut text = names.join(",");
    for fold in 1..=folds {
        text.push_str(&format!(",fold_{fold}"));
    }
    text.push_str(",mean_accuracy,sd\n");
    for point in points {
        let values: Vec<String> = names
            .iter()
            .map(|name| point.settings[*name].to_string())
            .chain(point.accuracy.iter().map(|a| format!("{a:.6}")))
            .chain([format!("{:.6}", point.mean), format!("{:.6}", point.sd)])
            .collect();
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xbench_data::Values;

    use super::*;

    #[test]
    fn combinations_run_over_the_last_setting_first() {
        let grid = [
            ("depth".to_owned(), vec![json!(2), json!(4)]),
            ("eta".to_owned(), vec![json!(0.1), json!(0.3)]),
        ];
        let all = combinations(&grid).expect("four");
        let pairs: Vec<_> = all.iter().map(|c| (&c["depth"], &c["eta"])).collect();
        let expected = [(2, 0.1), (2, 0.3), (4, 0.1), (4, 0.3)];
        for ((depth, eta), (d, e)) in pairs.into_iter().zip(expected) {
            assert_eq!((depth, eta), (&json!(d), &json!(e)));
        }
        assert!(combinations(&[]).is_err());
        assert!(combinations(&[("eta".to_owned(), vec![])]).is_err());
    }

    #[test]
    fn folds_share_every_class() {
        let split = Split {
            shape: vec![1],
            values: Values::Features(vec![0.0; 7]),
            labels: vec![0, 0, 0, 1, 1, 1, 0],
            ..Split::default()
        };
        let rows: Vec<usize> = (0..7).collect();
        let dealt = folds(&split, &rows, 2, 3).expect("enough rows");
        assert_eq!(dealt, [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
        assert!(
            folds(&split, &rows, 2, 4).is_err(),
            "class 1 has three rows"
        );
    }

    #[test]
    fn the_first_of_equal_points_wins() {
        let points = [vec![0.5, 0.7], vec![0.8, 0.8], vec![0.9, 0.7]]
            .map(|accuracy| point(Map::new(), accuracy));
        assert_eq!(best_of(&points), 1);
        assert!((points[0].mean - 0.6).abs() < 1e-12);
        assert!((points[0].sd - 0.02_f64.sqrt()).abs() < 1e-12);
    }
}
