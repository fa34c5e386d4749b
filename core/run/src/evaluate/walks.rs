//! Scores whose rows depend on the map: removed, restored, filled in or noisy in its order.
//!
//! All that is asked of a map is planned at once, so that scores share rows: deletion, insertion,
//! pixel flipping, the area between curves, monotonicity, comprehensiveness and sufficiency walk
//! one order of pixels, region perturbation and selectivity one order of patches.

use xbench_metrics::faithfulness::{
    LinearImputer, NoiseRows, PerturbationPlan, Regions, aopc, curve_mean, irof, mean_drop,
    mean_gap, monotonicity, normalised_curve_auc, share_kept, standard_normals,
};
use xbench_metrics::{DrawKey, NotApplicable, RankedMagnitude, RankedMap, Score};
use xbench_superpixels::{Shape, SlicParams, slic};

use super::outcomes::{Answers, Outcome, Outcomes, Point};
use super::shared::{Known, size_of};
use super::{Images, Predictor, ScoreSettings, Subject};

/// Is this score computed here?
pub(super) fn is_here(id: &str) -> bool {
    Wanted::new(&[id]).any()
}

/// What the wanted scores ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Wanted {
    /// Deletion and insertion curves, scaled by the drop from image to baseline.
    scaled_deletion: bool,
    scaled_insertion: bool,
    /// The same curves as they are.
    deletion: bool,
    insertion: bool,
    comprehensiveness: bool,
    sufficiency: bool,
    patches: bool,
    segments: bool,
    road: bool,
    important: bool,
    unimportant: bool,
}

impl Wanted {
    fn new(ids: &[&str]) -> Self {
        let any = |some: &[&str]| ids.iter().any(|id| some.contains(id));
        Self {
            scaled_deletion: any(&["deletion_auc", "insertion_deletion"]),
            scaled_insertion: any(&["insertion_auc", "insertion_deletion"]),
            deletion: any(&["pixel_flipping", "abpc", "monotonicity"]),
            insertion: any(&["abpc"]),
            comprehensiveness: any(&["comprehensiveness"]),
            sufficiency: any(&["sufficiency"]),
            patches: any(&["region_perturbation", "selectivity"]),
            segments: any(&["irof"]),
            road: any(&["road"]),
            important: any(&["pgi"]),
            unimportant: any(&["pgu"]),
        }
    }

    fn any(self) -> bool {
        self != Self::default()
    }
}

/// The points of one map, once asked for.
#[derive(Default)]
struct Asked {
    /// The outcomes after the steps of the curves.
    deletion: Vec<Point>,
    insertion: Vec<Point>,
    /// The outcomes after the shares of comprehensiveness and sufficiency.
    removed: Vec<Point>,
    kept: Vec<Point>,
    patches: Vec<Point>,
    segments: Vec<Point>,
    road: Vec<Point>,
    important: Vec<Point>,
    unimportant: Vec<Point>,
}

/// One image while its rows are planned.
struct Planner<'a> {
    image: &'a [f32],
    baseline: &'a [f32],
    target: i64,
    id: u64,
    own: Outcome,
    ground: Outcome,
    shape: [usize; 3],
    settings: &'a ScoreSettings,
}

/// The scores `ids` of each map, one list an id.
pub(super) fn score<P: Predictor>(
    images: &Images<'_>,
    subjects: &[Subject<'_>],
    known: &[Known<'_>],
    ids: &[&str],
    settings: &ScoreSettings,
    predictor: &mut P,
) -> Result<Vec<Vec<Score>>, P::Error> {
    let wanted = Wanted::new(ids);
    let baseline = settings.baseline_row(images.shape);
    let patches = settings.patches(images.shape);
    let [_, height, width] = images.shape;
    let mut imputer = LinearImputer::new(height, width);
    let mut outcomes = Outcomes::new(predictor, images.row_len());
    let mut asked: Vec<Option<Asked>> = Vec::with_capacity(subjects.len());
    for (i, subject) in subjects.iter().enumerate() {
        let Ok(map) = &subject.map else {
            asked.push(None);
            continue;
        };
        let planner = Planner {
            image: images.image(i),
            baseline: &baseline,
            target: images.targets[i],
            id: images.ids[i],
            own: known[i].image(),
            ground: known[i].baseline(),
            shape: images.shape,
            settings,
        };
        asked.push(Some(planner.ask(
            (subject, map),
            wanted,
            &patches,
            &mut imputer,
            &mut outcomes,
        )?));
    }
    let answers = outcomes.finish()?;
    let score = |i: usize, id: &str| -> Score {
        subjects[i].map.as_ref().map_err(|&reason| reason)?;
        let asked = asked[i].as_ref().ok_or(NotApplicable::Empty)?;
        asked.score(id, &known[i], images.shape, &answers)
    };
    Ok(ids
        .iter()
        .map(|id| (0..subjects.len()).map(|i| score(i, id)).collect())
        .collect())
}

impl Planner<'_> {
    fn ask<P: Predictor>(
        &self,
        (subject, map): (&Subject<'_>, &RankedMap),
        mut wanted: Wanted,
        patches: &Regions,
        imputer: &mut LinearImputer,
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<Asked, P::Error> {
        let settings = self.settings;
        let area = map.len();
        let mut asked = Asked::default();
        // Where the image has no scaled curve whatever the map, the model is not asked.
        let (own, ground) = (
            f64::from(self.own.probability),
            f64::from(self.ground.probability),
        );
        if normalised_curve_auc(&[own, ground], own, ground).is_err() {
            (wanted.scaled_deletion, wanted.scaled_insertion) = (false, false);
        }
        let steps: Vec<usize> = (0..=settings.steps)
            .map(|step| step * area / settings.steps.max(1))
            .collect();
        let shares: Vec<usize> = settings
            .removal_shares
            .iter()
            .map(|&share| size_of(share, area))
            .collect();
        let key = DrawKey::new(settings.seed, "deletion_auc", self.id);
        let order = PerturbationPlan::new(map, 1, key);
        let (curve, removed) = (
            wanted.scaled_deletion || wanted.deletion,
            wanted.comprehensiveness,
        );
        (asked.deletion, asked.removed) =
            self.curve(&order, false, (curve, &steps), (removed, &shares), outcomes)?;
        let (curve, kept) = (
            wanted.scaled_insertion || wanted.insertion,
            wanted.sufficiency,
        );
        (asked.insertion, asked.kept) =
            self.curve(&order, true, (curve, &steps), (kept, &shares), outcomes)?;
        if wanted.patches
            && let Ok(sums) = patches.sums(map.values(), |a| a)
        {
            asked.patches = self.regions(patches, &sums, "region_perturbation", outcomes)?;
        }
        if wanted.segments
            && let Some(segments) = self.segments()
            && let Ok(mut means) = segments.sums(map.values(), |a| a)
        {
            for (region, mean) in means.iter_mut().enumerate() {
                *mean /= segments.members(region).len().max(1) as f64;
            }
            asked.segments = self.regions(&segments, &means, "irof", outcomes)?;
        }
        if wanted.road && self.shape[1] > 1 {
            asked.road = self.road(order.order(), imputer, outcomes)?;
        }
        if wanted.important || wanted.unimportant {
            (asked.important, asked.unimportant) = self.noisy((subject, map), wanted, outcomes)?;
        }
        Ok(asked)
    }

    /// The outcomes after the steps of a curve and after some shares, where wanted, by one walk.
    fn curve<P: Predictor>(
        &self,
        order: &PerturbationPlan,
        insertion: bool,
        (curve, steps): (bool, &[usize]),
        (some, shares): (bool, &[usize]),
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<(Vec<Point>, Vec<Point>), P::Error> {
        if !curve && !some {
            return Ok((Vec::new(), Vec::new()));
        }
        let steps = if curve { steps } else { &[] };
        let shares = if some { shares } else { &[] };
        let plan = order
            .clone()
            .with_counts(steps.iter().chain(shares).copied());
        let points = self.walk(&plan, insertion, outcomes)?;
        let at = |counts: &[usize]| -> Vec<Point> {
            let steps = counts.iter().filter_map(|&count| plan.step_of(count));
            steps.map(|step| points[step]).collect()
        };
        Ok((at(steps), at(shares)))
    }

    /// The outcomes after each step of a plan, both ends included.
    fn walk<P: Predictor>(
        &self,
        plan: &PerturbationPlan,
        insertion: bool,
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<Vec<Point>, P::Error> {
        let (from, to, first, last) = if insertion {
            (self.baseline, self.image, self.ground, self.own)
        } else {
            (self.image, self.baseline, self.own, self.ground)
        };
        let mut points = vec![Point::Known(first)];
        // A plan of another size than the image has no rows, and its score no value.
        let Ok(mut walk) = plan.walk(from, to) else {
            return Ok(Vec::new());
        };
        for _ in 1..plan.steps() {
            let point = if walk.advance() {
                outcomes.row().copy_from_slice(walk.row());
                outcomes.push(self.target)?
            } else {
                points[points.len() - 1]
            };
            points.push(point);
        }
        points.push(Point::Known(last));
        Ok(points)
    }

    fn regions<P: Predictor>(
        &self,
        regions: &Regions,
        values: &[f64],
        stream: &str,
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<Vec<Point>, P::Error> {
        let key = DrawKey::new(self.settings.seed, stream, self.id);
        match regions.plan(values, key) {
            Ok(plan) => self.walk(&plan, false, outcomes),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Segments of the image; columns of a table. Nothing where the image cannot be cut.
    fn segments(&self) -> Option<Regions> {
        let [channels, height, width] = self.shape;
        if height == 1 {
            return Some(Regions::grid(height, width, 1));
        }
        let shape = Shape {
            channels,
            height,
            width,
        };
        let params = SlicParams {
            segments: self.settings.segments,
            ..SlicParams::default()
        };
        let segments = slic(self.image, shape, &params).ok()?;
        Some(Regions::of_labels(segments.labels()))
    }

    /// The image with its highest pixels filled in from the others, share by share.
    fn road<P: Predictor>(
        &self,
        order: &[u32],
        imputer: &mut LinearImputer,
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<Vec<Point>, P::Error> {
        let area = order.len();
        let key = DrawKey::new(self.settings.seed, "road", self.id);
        let noise = standard_normals(key, 0, self.image.len());
        let scale = self.settings.road_noise as f32;
        let mut shares = self.settings.road_shares.clone();
        shares.sort_by(f64::total_cmp);
        let mut filled = self.image.to_vec();
        let mut missing = vec![false; area];
        let mut before = 0;
        let mut points: Vec<Point> = Vec::with_capacity(shares.len());
        for share in shares {
            // One pixel must stay for the others to be filled in from.
            let count = size_of(share, area).min(area - 1);
            if count == before && !points.is_empty() {
                points.push(points[points.len() - 1]);
                continue;
            }
            for &pixel in &order[before..count] {
                missing[pixel as usize] = true;
            }
            before = count;
            let mut channels = filled.chunks_exact_mut(area);
            let solved = channels.try_for_each(|channel| imputer.fill(channel, &missing));
            if solved.is_err() {
                return Ok(Vec::new());
            }
            let row = outcomes.row();
            row.copy_from_slice(&filled);
            for (row, noise) in row.chunks_exact_mut(area).zip(noise.chunks_exact(area)) {
                for &pixel in &order[..count] {
                    row[pixel as usize] += scale * noise[pixel as usize];
                }
            }
            points.push(outcomes.push(self.target)?);
        }
        Ok(points)
    }

    /// The image with noise on its important and on its unimportant pixels.
    fn noisy<P: Predictor>(
        &self,
        (subject, map): (&Subject<'_>, &RankedMap),
        wanted: Wanted,
        outcomes: &mut Outcomes<'_, P>,
    ) -> Result<(Vec<Point>, Vec<Point>), P::Error> {
        let settings = self.settings;
        let key = DrawKey::new(settings.seed, "pgi", self.id);
        let magnitude = subject.magnitude.get_or_init(|| RankedMagnitude::of(map));
        let order = magnitude.as_map().shuffled_order(key);
        let (important, others) = order.split_at(size_of(settings.gap_share, order.len()));
        let deviation = settings.gap_noise as f32;
        let scale: Vec<f32> = match &settings.columns {
            Some(columns) => columns
                .deviation
                .iter()
                .map(|own| own * deviation)
                .collect(),
            None => vec![deviation],
        };
        let (seed, len) = (settings.seed, self.image.len());
        let noise = NoiseRows::new(seed, self.id, len, &scale, settings.samples);
        let mut rows = |wanted: bool, pixels: &[u32]| -> Result<Vec<Point>, P::Error> {
            let mut points = Vec::new();
            if !wanted || pixels.is_empty() {
                return Ok(points);
            }
            for sample in 0..noise.count() {
                let row = outcomes.row();
                if noise
                    .write_row(sample, pixels, order.len(), self.image, row)
                    .is_ok()
                {
                    points.push(outcomes.push(self.target)?);
                }
            }
            Ok(points)
        };
        Ok((
            rows(wanted.important, important)?,
            rows(wanted.unimportant, others)?,
        ))
    }
}

impl Asked {
    fn score(&self, id: &str, known: &Known<'_>, shape: [usize; 3], answers: &Answers) -> Score {
        let own = f64::from(known.image().probability);
        let ground = f64::from(known.baseline().probability);
        let of = |points: &[Point]| answers.probabilities(points);
        let scaled = |points: &[Point]| {
            // The reason of the image comes before that of a curve that was not asked for.
            normalised_curve_auc(&[own, ground], own, ground)?;
            normalised_curve_auc(&of(points), own, ground)
        };
        match id {
            "deletion_auc" => scaled(&self.deletion),
            "insertion_auc" => scaled(&self.insertion),
            "insertion_deletion" => Ok(scaled(&self.insertion)? - scaled(&self.deletion)?),
            "pixel_flipping" => curve_mean(&of(&self.deletion)),
            "abpc" => Ok(curve_mean(&of(&self.insertion))? - curve_mean(&of(&self.deletion))?),
            "monotonicity" => {
                let mut rising = of(&self.deletion);
                rising.reverse();
                monotonicity(&rising)
            }
            "comprehensiveness" => mean_drop(own, &of(&self.removed)),
            "sufficiency" => mean_drop(own, &of(&self.kept)),
            "region_perturbation" => aopc(&of(&self.patches)),
            "selectivity" => curve_mean(&of(&self.patches)),
            "irof" => irof(&of(&self.segments)),
            "road" if shape[1] == 1 => Err(NotApplicable::NotAnImage),
            "road" if !own.is_finite() => Err(NotApplicable::NonFinite),
            "road" => {
                let kept: Vec<bool> = self.road.iter().map(|&p| answers.of(p).top).collect();
                share_kept(&kept)
            }
            "pgi" => mean_gap(own, &of(&self.important)),
            "pgu" => mean_gap(own, &of(&self.unimportant)),
            _ => Err(NotApplicable::Empty),
        }
    }
}
