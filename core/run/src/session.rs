//! What all stages of a run share: the suite, the data, the workers, the store.

use std::path::Path;
use std::time::Duration;

use xbench_data::{DataError, DataSet, Masks, Selection, SetRef, Split, Splits};
use xbench_record::Store;
use xbench_suite::{Accuracy, Checked, Perturbation, SplitName, Suite, Target};

use crate::bench::{Bench, Shelf, load_data};
use crate::error::RunError;
use crate::evaluate::{Columns, Probed, ScoreSettings};
use crate::models::files;
use crate::observer::Observer;
use crate::pool::Pool;
use crate::task::{ImageBlobs, RowLayout};
use crate::train::set_info;

/// Time a worker may take for calls to a model alone. Generous: it only stops what hangs.
pub(crate) const MODEL_LIMIT: Duration = Duration::from_secs(600);

/// A suite that is being run.
pub(crate) struct Session<'s> {
    pub(crate) suite: &'s Suite,
    pub(crate) checked: Checked,
    pub(crate) bench: &'s Bench,
    pub(crate) set: DataSet,
    /// Whether `set` is the one to use where the suite's cannot be had.
    substituted: bool,
    /// The explained rows of the split.
    pub(crate) rows: Vec<usize>,
    /// Rows of the training split for explainers that ask for them; empty where none does.
    pub(crate) background: Vec<usize>,
    /// Which outcomes of the models explainers share; `None` where no score needs any.
    pub(crate) probed: Option<Probed>,
    /// Of a table: mean and standard deviation of its columns over the split.
    columns: Option<Columns>,
    pub(crate) pool: Pool,
    pub(crate) store: Store,
    /// What a reader of the results must know.
    pub(crate) warnings: Vec<String>,
    pub(crate) observer: &'s dyn Observer,
    pub(crate) offline: bool,
}

impl<'s> Session<'s> {
    /// Loads the data, checks the suite against the plugins, and only then makes the folder of
    /// results. A substitute data set has a folder of its own, `<suite>-<set>`, so that it never
    /// takes the place of the real one's results.
    pub(crate) fn open(
        suite: &'s Suite,
        bench: &'s Bench,
        results: &Path,
        workers: usize,
        offline: bool,
        observer: &'s dyn Observer,
    ) -> Result<Self, RunError> {
        // What is wrong with the suite is told before anything is read or downloaded.
        let checked = suite.check(&Shelf::of_info(bench, &set_info(&suite.data.set)?))?;
        let splits = match suite.data.split {
            SplitName::Photos => Splits::PhotosOnly,
            _ if wants_background(&checked) => Splits::All,
            SplitName::Test => Splits::TestOnly,
            SplitName::Train | SplitName::Validation => Splits::All,
        };
        let (mut set, substitution) = load_data(
            &suite.data.set,
            suite.data.root.as_deref(),
            suite.data.otherwise.as_ref(),
            splits,
            offline,
            observer,
        )?;
        let checked = suite.check(&Shelf::of_set(bench, &set))?;
        let rows =
            xbench_data::select(split_of(suite, &set), set.classes.len(), &suite.data.select)?;
        if rows.is_empty() {
            return Err(RunError::NothingSelected(format!(
                "{}: the selection has no rows",
                suite.file
            )));
        }
        let background = if wants_background(&checked) {
            if suite.data.split == SplitName::Photos {
                // Photographs are read without the set they look like.
                set.train = training_split(suite, offline, observer)?;
            }
            background_rows(&set, suite.background, observer)?
        } else {
            Vec::new()
        };
        if let Target::Class(class) = suite.target
            && class >= set.classes.len()
        {
            return Err(RunError::Flag(format!(
                "{}: target class {class}, but {} has classes 0 to {}",
                suite.file,
                set.id,
                set.classes.len().saturating_sub(1)
            )));
        }
        let probed = Probed::for_scores(checked.explanation_scores().map(|score| score.id));
        let columns = columns_of(split_of(suite, &set));
        let folder = match &substitution {
            Some(_) => format!("{}-{}", suite.name, set.id),
            None => suite.name.clone(),
        };
        let store = Store::open(results, &folder).map_err(files)?;
        let warnings = substitution.iter().chain(&set.notes).cloned().collect();
        Ok(Self {
            suite,
            checked,
            bench,
            set,
            substituted: substitution.is_some(),
            rows,
            background,
            probed,
            columns,
            pool: Pool::new(bench.worker_config(1), workers),
            store,
            warnings,
            observer,
            offline,
        })
    }

    /// The split that is explained.
    pub(crate) fn split(&self) -> &Split {
        split_of(self.suite, &self.set)
    }

    /// The set that is used, which may be the one to use otherwise.
    pub(crate) fn suite_set(&self) -> SetRef {
        match &self.suite.data.otherwise {
            Some(other) if self.substituted => other.clone(),
            _ => self.suite.data.set.clone(),
        }
    }

    /// Whether another set stands in for the suite's.
    pub(crate) fn substituted(&self) -> bool {
        self.substituted
    }

    /// The background rows as they are sent to a worker; nothing for an explainer that asks for none.
    pub(crate) fn background_for(&self, explainer: usize) -> Vec<u8> {
        if self.checked.explainers[explainer].plugin.wants_background {
            self.layout().pack(&self.set.train, &self.background)
        } else {
            Vec::new()
        }
    }

    /// What its rows are.
    pub(crate) fn layout(&self) -> RowLayout {
        RowLayout::of(self.split())
    }

    /// The rows on which accuracy is measured.
    pub(crate) fn accuracy_rows(&self) -> Vec<usize> {
        match self.suite.accuracy {
            Accuracy::All => (0..self.split().len()).collect(),
            Accuracy::Same => self.rows.clone(),
        }
    }

    /// How scores are computed.
    pub(crate) fn score_settings(&self) -> ScoreSettings {
        score_settings(
            &self.suite.perturbation,
            self.suite.seed,
            self.columns.clone(),
        )
    }

    /// Images as they are sent to a worker; `at` are positions in the selection, `targets` are
    /// those of the whole selection, `seed` gives each row's own.
    pub(crate) fn images(
        &self,
        at: std::ops::Range<usize>,
        targets: &[i64],
        seed: impl Fn(usize) -> u64,
    ) -> ImageBlobs {
        let rows = &self.rows[at.clone()];
        let split = self.split();
        ImageBlobs {
            values: self.layout().pack(split, rows),
            targets: targets[at].to_vec(),
            ids: rows.iter().map(|&row| row as u64).collect(),
            seeds: rows.iter().map(|&row| seed(row)).collect(),
            masks: masks_of(split, rows),
        }
    }
}

fn training_split(
    suite: &Suite,
    offline: bool,
    observer: &dyn Observer,
) -> Result<Split, RunError> {
    let (set, _) = load_data(
        &suite.data.set,
        suite.data.root.as_deref(),
        suite.data.otherwise.as_ref(),
        Splits::All,
        offline,
        observer,
    )?;
    Ok(set.train)
}

fn wants_background(checked: &Checked) -> bool {
    checked
        .explainers
        .iter()
        .any(|explainer| explainer.plugin.wants_background)
}

/// Rows of the training split, evenly over the classes; all of them where there are no more than
/// `count`. Where a class has too few, rows at equal distances over the split, and the observer is
/// told.
///
/// # Errors
/// When the selection is refused.
pub(crate) fn background_rows(
    set: &DataSet,
    count: usize,
    observer: &dyn Observer,
) -> Result<Vec<usize>, RunError> {
    let (rows, classes) = (set.train.len(), set.classes.len());
    if rows <= count {
        return Ok((0..rows).collect());
    }
    match xbench_data::select(&set.train, classes, &Selection::Balanced(count)) {
        Ok(balanced) => Ok(balanced),
        Err(error @ DataError::Selection { .. }) => {
            observer.warning(&format!(
                "background rows cannot be even over the classes ({error}); rows at equal \
                 distances over the training split are taken"
            ));
            Ok((0..count).map(|i| i * rows / count).collect())
        }
        Err(error) => Err(error.into()),
    }
}

/// Mean and standard deviation of each column of a table; nothing for images.
pub(crate) fn columns_of(split: &Split) -> Option<Columns> {
    if !split.is_table() {
        return None;
    }
    let width: usize = split.shape.iter().product();
    let count = split.len().max(1) as f64;
    let mut row = Vec::new();
    let mut sum_over_rows = |value: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
        let mut sums = vec![0.0; width];
        for number in 0..split.len() {
            row.clear();
            split.row_f32(number, &mut row);
            for (column, (sum, &cell)) in sums.iter_mut().zip(&row).enumerate() {
                *sum += value(column, f64::from(cell));
            }
        }
        sums
    };
    let sums = sum_over_rows(&|_, cell| cell);
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let squares = sum_over_rows(&|column, cell| (cell - mean[column]).powi(2));
    Some(Columns {
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        deviation: squares
            .iter()
            .map(|square| (square / count).sqrt() as f32)
            .collect(),
    })
}

/// How scores are computed: what a suite says of perturbation, its seed, and what is known of a
/// table's columns.
pub(crate) fn score_settings(
    perturbation: &Perturbation,
    seed: u64,
    columns: Option<Columns>,
) -> ScoreSettings {
    ScoreSettings {
        seed,
        baseline: perturbation.baseline,
        steps: perturbation.steps,
        subsets: perturbation.subsets,
        subset_share: perturbation.subset_share,
        sensitivity_shares: perturbation.sensitivity_shares.clone(),
        patch: perturbation.patch,
        patch_share: perturbation.patch_share,
        segments: perturbation.segments,
        removal_shares: perturbation.removal_shares.clone(),
        road_shares: perturbation.road_shares.clone(),
        road_noise: perturbation.road_noise,
        gap_share: perturbation.gap_share,
        gap_noise: perturbation.gap_noise,
        samples: perturbation.samples,
        columns,
    }
}

fn split_of<'d>(suite: &Suite, set: &'d DataSet) -> &'d Split {
    match suite.data.split {
        SplitName::Test => &set.test,
        SplitName::Train => &set.train,
        SplitName::Validation => &set.validation,
        SplitName::Photos => &set.photos,
    }
}

/// Object masks of rows, `[n, h, w]`, all 0 for a row without one; empty where the set has none.
pub(crate) fn masks_of(split: &Split, rows: &[usize]) -> Vec<u8> {
    if matches!(split.masks, Masks::None) {
        return Vec::new();
    }
    let [_, height, width] = split.plane();
    let mut masks = Vec::with_capacity(rows.len() * height * width);
    for &row in rows {
        match split.mask(row) {
            Some(mask) => masks.extend(mask.into_iter().map(u8::from)),
            None => masks.resize(masks.len() + height * width, 0),
        }
    }
    masks
}
