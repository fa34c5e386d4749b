//! Scores that ask the model nothing beyond what explainers share.

use xbench_metrics::axiomatic::{completeness, non_sensitivity};
use xbench_metrics::faithfulness::{
    LEAST_OUTCOME_SPREAD, LEAST_OUTPUT_SPREAD, Regions, correlation_of_drops,
    faithfulness_correlation, infidelity, mean_correlation, rank_correlation_of_drops,
};
use xbench_metrics::{
    Family, NotApplicable, RankedMagnitude, RankedMap, Score, ScoreInfo, complexity, localisation,
};

use super::shared::{Known, Section};
use super::{Images, ScoreSettings, Subject};

/// What all maps of a chunk are scored with.
pub(super) struct Setting<'a> {
    images: &'a Images<'a>,
    settings: &'a ScoreSettings,
    patches: Regions,
    baseline: Vec<f32>,
}

impl<'a> Setting<'a> {
    pub(super) fn new(images: &'a Images<'a>, settings: &'a ScoreSettings) -> Self {
        Self {
            images,
            settings,
            patches: settings.patches(images.shape),
            baseline: settings.baseline_row(images.shape),
        }
    }
}

/// One score of the map of image `i`.
pub(super) fn score(
    info: &ScoreInfo,
    subject: &Subject<'_>,
    mask: Option<&[bool]>,
    known: Option<&Known<'_>>,
    i: usize,
    setting: &Setting<'_>,
) -> Score {
    let map = subject.map.as_ref().map_err(|&reason| reason)?;
    if let Some(mask) = mask
        && let Some(score) = localisation::score(info.id, map, mask)
    {
        return score;
    }
    if info.family == Family::Complexity {
        let [_, height, width] = setting.images.shape;
        let magnitude = subject.magnitude.get_or_init(|| RankedMagnitude::of(map));
        let score = complexity::score(info.id, magnitude, height, width);
        return score.unwrap_or(Err(NotApplicable::Empty));
    }
    match known {
        Some(known) => of_outcomes(info.id, subject.whole, map, known, i, setting),
        // Every score of the catalogue is computed somewhere: a test walks through it.
        None => Err(NotApplicable::Empty),
    }
}

fn of_outcomes(
    id: &str,
    whole: &[f32],
    map: &RankedMap,
    known: &Known<'_>,
    i: usize,
    setting: &Setting<'_>,
) -> Score {
    let Setting {
        images,
        settings,
        patches,
        baseline,
    } = setting;
    let shape = images.shape;
    let (image, ground) = (
        f64::from(known.image().output),
        f64::from(known.baseline().output),
    );
    let least_output = LEAST_OUTPUT_SPREAD * image.abs().max(ground.abs());
    match id {
        "faithfulness_correlation" => {
            let subsets = settings.subsets_of(images.ids[i], shape, settings.subset_size(shape));
            faithfulness_correlation(map.values(), &subsets, &known.drops(Section::Subsets))
        }
        "sensitivity_n" => sensitivity_n(map, known, i, setting, least_output),
        "faithfulness_estimate" => {
            let sums = patches.sums(map.values(), |a| a)?;
            let drops = known.drops(Section::Patches);
            correlation_of_drops(&sums, &drops, LEAST_OUTCOME_SPREAD)
        }
        "mu_fidelity" => {
            let subsets = settings.patch_subsets(images.ids[i], patches);
            let sums = subsets.sums(&patches.sums(map.values(), |a| a)?)?;
            let drops = known.drops(Section::PatchSubsets);
            rank_correlation_of_drops(&sums, &drops, LEAST_OUTCOME_SPREAD)
        }
        "monotonicity_correlation" => {
            if shape[1] == 1 && settings.columns.is_none() {
                return Err(NotApplicable::NotAnImage);
            }
            let sums = patches.sums(map.values(), f32::abs)?;
            let changes = mean_squares(&known.drops(Section::PatchDraws), patches.count());
            // The least spread of a probability, squared.
            let least = LEAST_OUTCOME_SPREAD * LEAST_OUTCOME_SPREAD;
            rank_correlation_of_drops(&sums, &changes, least)
        }
        "infidelity" => {
            let products = products(whole, images.image(i), baseline, patches);
            infidelity(
                &products,
                &known.output_drops(Section::Patches),
                least_output,
            )
        }
        "completeness" => completeness(whole, image, ground, least_output),
        "non_sensitivity" => {
            let sums = patches.sums(map.values(), f32::abs)?;
            non_sensitivity(&sums, &known.output_drops(Section::Patches), least_output)
        }
        _ => Err(NotApplicable::Empty),
    }
}

fn sensitivity_n(
    map: &RankedMap,
    known: &Known<'_>,
    i: usize,
    setting: &Setting<'_>,
    least: f64,
) -> Score {
    let (images, settings) = (setting.images, setting.settings);
    let shared = settings.subset_size(images.shape);
    let common = known.output_drops(Section::Subsets);
    let further = known.output_drops(Section::Sizes);
    let mut further = further.chunks_exact(settings.subsets);
    let mut correlations = Vec::new();
    for size in settings.sizes(images.shape) {
        let drops = if size == shared {
            &common[..]
        } else {
            further.next().ok_or(NotApplicable::LengthMismatch)?
        };
        // All subsets of all pixels are one.
        if size == map.len() && size > 1 {
            continue;
        }
        let subsets = settings.subsets_of(images.ids[i], images.shape, size);
        let sums = subsets.sums(map.values())?;
        correlations.push(correlation_of_drops(&sums, drops, least));
    }
    mean_correlation(&correlations)
}

/// `Σ (x − b) a` over the pixels and channels of each patch.
fn products(whole: &[f32], image: &[f32], baseline: &[f32], patches: &Regions) -> Vec<f64> {
    let area = patches.area();
    let of = |patch: usize| -> f64 {
        let members = patches.members(patch);
        (0..whole.len() / area)
            .flat_map(|channel| members.iter().map(move |&p| channel * area + p as usize))
            .map(|at| (f64::from(image[at]) - f64::from(baseline[at])) * f64::from(whole[at]))
            .sum()
    };
    (0..patches.count()).map(of).collect()
}

/// The mean of the squares of each patch's drops, `[samples, patches]`.
fn mean_squares(drops: &[f64], patches: usize) -> Vec<f64> {
    let mut means = vec![0.0; patches];
    let samples = drops.len() / patches.max(1);
    for row in drops.chunks_exact(patches.max(1)) {
        for (mean, drop) in means.iter_mut().zip(row) {
            *mean += drop * drop / samples as f64;
        }
    }
    means
}
