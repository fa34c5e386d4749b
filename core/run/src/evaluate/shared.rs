//! What a model makes of an image whatever the map: computed once for all explainers.

use serde::{Deserialize, Serialize};
use xbench_metrics::faithfulness::{FaithfulnessSubsets, Regions, standard_normals};
use xbench_metrics::{DrawKey, Family};

use super::outcomes::{Outcome, Outcomes, Point};
use super::{Images, Predictor, ScoreSettings};

/// Rows that do not depend on a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    /// Random subsets of the pixels, of faithfulness correlation's size.
    Subsets,
    /// Random subsets of the other sizes of sensitivity-n.
    Sizes,
    /// Each patch alone.
    Patches,
    /// Random subsets of the patches.
    PatchSubsets,
    /// Each patch under random values.
    PatchDraws,
}

/// Which outcomes explainers share: for each image those of the image and the baseline, then those
/// of each section. Of every row there are two numbers, the probability and the model's own output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probed(Vec<Section>);

impl Probed {
    /// What these scores ask for; `None` where none of them needs the model's outcomes.
    pub(crate) fn for_scores<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut sections = Vec::new();
        let mut any = false;
        for id in ids {
            let Some(score) = xbench_metrics::find(id) else {
                continue;
            };
            let here = matches!(score.family, Family::Faithfulness | Family::Axiomatic);
            if !(here && score.needs.model && !score.needs.explainer) {
                continue;
            }
            any = true;
            sections.extend_from_slice(match id {
                "faithfulness_correlation" => &[Section::Subsets][..],
                "sensitivity_n" => &[Section::Subsets, Section::Sizes],
                "faithfulness_estimate" | "infidelity" | "non_sensitivity" => &[Section::Patches],
                "mu_fidelity" => &[Section::PatchSubsets],
                "monotonicity_correlation" => &[Section::PatchDraws],
                _ => &[],
            });
        }
        sections.sort_unstable();
        sections.dedup();
        any.then_some(Self(sections))
    }

    /// The rows of one image.
    fn rows(&self, settings: &ScoreSettings, shape: [usize; 3]) -> usize {
        let rows = |&section| settings.rows_of(section, shape);
        2 + self.0.iter().map(rows).sum::<usize>()
    }

    /// How many numbers [`probe`] answers for each image.
    pub(crate) fn width(&self, settings: &ScoreSettings, shape: [usize; 3]) -> usize {
        2 * self.rows(settings, shape)
    }
}

/// What [`probe`] gave for the images that are scored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) probed: &'a Probed,
    /// `[n, width]`.
    pub(crate) outcomes: &'a [f32],
}

impl<'a> Shared<'a> {
    /// Nothing: for scores that need no model.
    pub(crate) fn none(probed: &'a Probed) -> Self {
        Self {
            probed,
            outcomes: &[],
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.outcomes.is_empty()
    }

    /// The outcomes of image `i`.
    pub(super) fn of(&self, i: usize, settings: &ScoreSettings, shape: [usize; 3]) -> Known<'a> {
        let width = self.probed.width(settings, shape);
        let outcomes = &self.outcomes[i * width..(i + 1) * width];
        let mut sections = Vec::with_capacity(self.probed.0.len());
        let mut start = 4;
        for &section in &self.probed.0 {
            let end = start + 2 * settings.rows_of(section, shape);
            sections.push((section, &outcomes[start..end]));
            start = end;
        }
        Known { outcomes, sections }
    }
}

/// The outcomes of one image.
pub(super) struct Known<'a> {
    outcomes: &'a [f32],
    sections: Vec<(Section, &'a [f32])>,
}

impl Known<'_> {
    fn end(&self, row: usize) -> Outcome {
        Outcome {
            probability: self.outcomes[2 * row],
            output: self.outcomes[2 * row + 1],
            // Not kept: only rows that differ from both are asked for it.
            top: false,
        }
    }

    pub(super) fn image(&self) -> Outcome {
        self.end(0)
    }

    pub(super) fn baseline(&self) -> Outcome {
        self.end(1)
    }

    /// Drops of the probability on the rows of a section.
    pub(super) fn drops(&self, section: Section) -> Vec<f64> {
        self.drops_of(section, 0)
    }

    /// Drops of the model's own output on the rows of a section.
    pub(super) fn output_drops(&self, section: Section) -> Vec<f64> {
        self.drops_of(section, 1)
    }

    fn drops_of(&self, section: Section, place: usize) -> Vec<f64> {
        let found = self.sections.iter().find(|(known, _)| *known == section);
        let rows = found.map_or(&[][..], |(_, rows)| rows);
        let own = f64::from(self.outcomes[place]);
        let outcomes = rows.iter().skip(place).step_by(2);
        outcomes.map(|&outcome| own - f64::from(outcome)).collect()
    }
}

impl ScoreSettings {
    fn rows_of(&self, section: Section, shape: [usize; 3]) -> usize {
        match section {
            Section::Subsets | Section::PatchSubsets => self.subsets,
            Section::Sizes => self.further_sizes(shape).len() * self.subsets,
            Section::Patches => self.patches(shape).count(),
            Section::PatchDraws => self.patches(shape).count() * self.samples,
        }
    }

    /// Patches of images, columns of tables.
    pub(super) fn patches(&self, [_, height, width]: [usize; 3]) -> Regions {
        let side = if height == 1 { 1 } else { self.patch };
        Regions::grid(height, width, side)
    }

    /// The size of faithfulness correlation's subsets.
    pub(super) fn subset_size(&self, [_, height, width]: [usize; 3]) -> usize {
        size_of(self.subset_share, height * width)
    }

    /// The sizes of sensitivity-n, rising.
    pub(super) fn sizes(&self, [_, height, width]: [usize; 3]) -> Vec<usize> {
        let shares = self.sensitivity_shares.iter();
        let mut sizes: Vec<usize> = shares
            .map(|&share| size_of(share, height * width))
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    fn further_sizes(&self, shape: [usize; 3]) -> Vec<usize> {
        let shared = self.subset_size(shape);
        let mut sizes = self.sizes(shape);
        sizes.retain(|&size| size != shared);
        sizes
    }

    /// The subsets of one size, of one image.
    pub(super) fn subsets_of(
        &self,
        image: u64,
        shape: [usize; 3],
        size: usize,
    ) -> FaithfulnessSubsets {
        let shared = self.subset_size(shape);
        let area = shape[1] * shape[2];
        FaithfulnessSubsets::of_size(self.seed, image, area, (size, shared), self.subsets)
    }

    /// The subsets of patches of one image.
    pub(super) fn patch_subsets(&self, image: u64, patches: &Regions) -> FaithfulnessSubsets {
        let key = DrawKey::new(self.seed, "mu_fidelity", image);
        let size = size_of(self.patch_share, patches.count());
        FaithfulnessSubsets::drawn(key, patches.count(), size, self.subsets)
    }

    /// What stands for "removed" in a row of this shape.
    pub(super) fn baseline_row(&self, shape: [usize; 3]) -> Vec<f32> {
        match &self.columns {
            Some(columns) => {
                let pairs = columns.mean.iter().zip(&columns.deviation);
                pairs
                    .map(|(mean, deviation)| mean + self.baseline * deviation)
                    .collect()
            }
            None => vec![self.baseline; shape.iter().product()],
        }
    }
}

/// A share of `all`, at least 1.
pub(super) fn size_of(share: f64, all: usize) -> usize {
    ((share * all as f64).round() as usize).clamp(1, all.max(1))
}

/// The outcomes that all explainers share, `[n, width]`.
pub(crate) fn probe<P: Predictor>(
    images: &Images<'_>,
    probed: &Probed,
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<Vec<f32>, P::Error> {
    let baseline = settings.baseline_row(images.shape);
    let patches = settings.patches(images.shape);
    let mut asking = Asking {
        outcomes: Outcomes::new(predictor, images.row_len()),
        points: Vec::with_capacity(images.len() * probed.rows(settings, images.shape)),
    };
    for i in 0..images.len() {
        let (image, target, id) = (images.image(i), images.targets[i], images.ids[i]);
        asking.outcomes.row().copy_from_slice(image);
        let own = asking.outcomes.push(target)?;
        asking.points.push(own);
        asking.outcomes.row().copy_from_slice(&baseline);
        let ground = asking.outcomes.push(target)?;
        asking.points.push(ground);
        for &section in &probed.0 {
            match section {
                Section::Subsets => {
                    let size = settings.subset_size(images.shape);
                    let subsets = settings.subsets_of(id, images.shape, size);
                    for subset in 0..subsets.count() {
                        asking.ask(own, target, |row| {
                            subsets
                                .write_row(subset, image, &baseline, row)
                                .unwrap_or(false)
                        })?;
                    }
                }
                Section::Sizes => {
                    for size in settings.further_sizes(images.shape) {
                        let subsets = settings.subsets_of(id, images.shape, size);
                        for subset in 0..subsets.count() {
                            asking.ask(own, target, |row| {
                                subsets
                                    .write_row(subset, image, &baseline, row)
                                    .unwrap_or(false)
                            })?;
                        }
                    }
                }
                Section::Patches => {
                    for patch in 0..patches.count() as u32 {
                        asking.ask(own, target, |row| {
                            patches
                                .write_row(&[patch], image, &baseline, row)
                                .unwrap_or(false)
                        })?;
                    }
                }
                Section::PatchSubsets => {
                    let subsets = settings.patch_subsets(id, &patches);
                    for subset in 0..subsets.count() {
                        let members = subsets.members(subset);
                        asking.ask(own, target, |row| {
                            patches
                                .write_row(members, image, &baseline, row)
                                .unwrap_or(false)
                        })?;
                    }
                }
                Section::PatchDraws => {
                    for draw in 0..settings.samples {
                        let values = settings.random_row(id, draw as u64, images.shape);
                        for patch in 0..patches.count() as u32 {
                            asking.ask(own, target, |row| {
                                patches
                                    .write_row(&[patch], image, &values, row)
                                    .unwrap_or(false)
                            })?;
                        }
                    }
                }
            }
        }
    }
    let Asking { outcomes, points } = asking;
    let answers = outcomes.finish()?;
    let numbers = points.into_iter().flat_map(|point| {
        let outcome = answers.of(point);
        [outcome.probability, outcome.output]
    });
    Ok(numbers.collect())
}

/// Rows that are being asked for, in the order of the answer.
struct Asking<'p, P> {
    outcomes: Outcomes<'p, P>,
    points: Vec<Point>,
}

impl<P: Predictor> Asking<'_, P> {
    /// Asks for the row that `write` writes; where it says that nothing changes, the image's own
    /// outcome `own` holds.
    fn ask(
        &mut self,
        own: Point,
        target: i64,
        write: impl FnOnce(&mut [f32]) -> bool,
    ) -> Result<(), P::Error> {
        let point = if write(self.outcomes.row()) {
            self.outcomes.push(target)?
        } else {
            own
        };
        self.points.push(point);
        Ok(())
    }
}

impl ScoreSettings {
    /// Random values for every place of a row: uniform in 0..1 for pixels, normal about a table's
    /// columns.
    fn random_row(&self, image: u64, draw: u64, shape: [usize; 3]) -> Vec<f32> {
        let key = DrawKey::new(self.seed, "monotonicity_correlation", image);
        let len = shape.iter().product();
        match &self.columns {
            Some(columns) => standard_normals(key, draw, len)
                .into_iter()
                .zip(columns.mean.iter().zip(&columns.deviation))
                .map(|(normal, (mean, deviation))| mean + deviation * normal)
                .collect(),
            None => {
                let mut draws = key.draws(draw);
                (0..len).map(|_| draws.unit() as f32).collect()
            }
        }
    }
}
