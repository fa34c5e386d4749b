//! Maps of another class, of models with random parameters, and of a model trained on shuffled
//! labels.

use xbench_metrics::randomisation::{
    Original, efficient_mprt, mprt, other_class, random_logit, write_noisy,
};
use xbench_metrics::{DrawKey, NotApplicable, Score, reduce_channels};

use super::blocks::{Ask, Block};
use super::{Challenged, Job, LayerColumn, Rows, Subject, column_of, nowhere};

/// A map of an image with channels summed, or why there is none.
type Map = Result<Vec<f32>, NotApplicable>;

/// Scores of randomisation of the chunk's images.
pub(super) fn score<S: Subject>(
    job: &Job<'_>,
    wanted: &[String],
    subject: &mut S,
    found: &mut Challenged,
) -> Result<(), S::Error> {
    let wants = |id: &str| wanted.iter().any(|wanted| wanted == id);
    let originals: Vec<Map> = (0..job.len()).map(|i| reduced(job, job.map(i))).collect();
    if wants("random_logit") {
        let scores = of_other_classes(job, &originals, subject)?;
        found
            .columns
            .insert("random_logit".to_owned(), column_of(scores));
    }
    if wants("data_randomisation") {
        let column = if subject.has_twin() {
            let targets = own_targets(job, &originals);
            let mut ask = |rows: &Rows<'_>, maps: &mut [f32]| subject.explain_twin(rows, maps);
            let maps = explain(job, &mut ask, &targets, 1, &mut |_, _, _| {})?;
            // A network that learnt nothing may have maps of nothing, which say nothing.
            let maps: Vec<Map> = maps
                .into_iter()
                .map(|map| map.and_then(|map| Original::new(&map).map(|_| map)))
                .collect();
            column_of(likenesses(&ranked(&originals), &maps))
        } else {
            nowhere(NotApplicable::NoTwin, job.len())
        };
        found
            .columns
            .insert("data_randomisation".to_owned(), column);
    }
    let of_models = ["mprt", "smooth_mprt", "efficient_mprt"];
    if !of_models.iter().any(|id| wants(id)) {
        return Ok(());
    }
    let layers = subject.parameter_layers();
    if layers.is_empty() {
        for id in of_models.into_iter().filter(|id| wants(id)) {
            let column = nowhere(NotApplicable::NoParameters, job.len());
            found.columns.insert(id.to_owned(), column);
        }
        return Ok(());
    }
    let mut cascade = Cascade::new(job, &originals, wants, subject)?;
    // Whatever happens on the way, the model goes back: it serves others after this.
    let walked = cascade.walk(job, &layers, subject);
    let restored = subject.restore();
    walked.and(restored)?;
    cascade.put(&layers, found);
    Ok(())
}

/// A map with channels summed, if its order says anything.
fn reduced(job: &Job<'_>, map: &[f32]) -> Map {
    let map = reduce_channels(map, job.images.shape[0])?;
    Original::new(&map).map(|_| map)
}

/// Similarity of the maps of the explained class to those of another.
fn of_other_classes<S: Subject>(
    job: &Job<'_>,
    originals: &[Map],
    subject: &mut S,
) -> Result<Vec<Score>, S::Error> {
    let classes = subject.num_outputs();
    let others: Vec<Result<i64, NotApplicable>> = (0..job.len())
        .map(|i| {
            originals[i].as_ref().map_err(|reason| *reason)?;
            let (image, target) = (job.images.ids[i], job.images.targets[i]);
            let other = other_class(job.settings.seed, image, target, classes);
            other.ok_or(NotApplicable::OneClass)
        })
        .collect();
    let mut ask = |rows: &Rows<'_>, maps: &mut [f32]| subject.explain(rows, maps);
    let maps = explain(job, &mut ask, &others, 1, &mut |_, _, _| {})?;
    let [_, height, width] = job.images.shape;
    let pairs = originals.iter().zip(&maps);
    Ok(pairs
        .map(|(own, other)| {
            let other = other.as_ref().map_err(|reason| *reason)?;
            let own = own.as_ref().map_err(|reason| *reason)?;
            random_logit(own, other, height, width)
        })
        .collect())
}

/// Maps of the images, channels summed, each the mean over `copies` rows that `write` makes of the
/// image; for images without a target the reason why.
pub(super) fn explain<E>(
    job: &Job<'_>,
    ask: &mut Ask<'_, E>,
    targets: &[Result<i64, NotApplicable>],
    copies: usize,
    write: &mut dyn FnMut(usize, usize, &mut [f32]),
) -> Result<Vec<Map>, E> {
    let row_len = job.row_len();
    let mut sums: Vec<Result<Vec<f64>, NotApplicable>> = targets
        .iter()
        .map(|target| target.map(|_| vec![0.0; row_len]))
        .collect();
    let mut maps = Vec::new();
    let mut flush = |block: &mut Block<usize>| -> Result<(), E> {
        let finite = block.explain(&mut *ask, &mut maps)?;
        let rows = maps.chunks_exact(row_len.max(1));
        for ((&image, map), finite) in block.members.iter().zip(rows).zip(finite) {
            if !finite {
                sums[image] = Err(NotApplicable::NonFinite);
            } else if let Ok(sum) = &mut sums[image] {
                for (sum, &value) in sum.iter_mut().zip(map) {
                    *sum += f64::from(value);
                }
            }
        }
        block.clear();
        Ok(())
    };
    let mut block = Block::new();
    for (i, target) in targets.iter().enumerate() {
        let Ok(target) = target else { continue };
        for copy in 0..copies {
            block.push(job, i, *target, i, |row, _| write(i, copy, row));
            if block.is_full() {
                flush(&mut block)?;
            }
        }
    }
    flush(&mut block)?;
    let mean = |sum: Vec<f64>| -> Map {
        let map: Vec<f32> = sum.iter().map(|sum| (sum / copies as f64) as f32).collect();
        reduce_channels(&map, job.images.shape[0])
    };
    Ok(sums.into_iter().map(|sum| sum.and_then(mean)).collect())
}

/// A test whose score is a mean over layers.
struct Walk {
    id: &'static str,
    /// The maps of the model as it is, ranked.
    originals: Vec<Result<Original, NotApplicable>>,
    /// Is a map the mean over noisy copies of the image?
    smooth: bool,
    /// By layer, from the output down, then by image.
    curve: Vec<Vec<Score>>,
}

/// The model, randomised from the output down, layer by layer.
struct Cascade<'a> {
    walks: Vec<Walk>,
    /// The maps of the model as it is, where efficient MPRT is wanted.
    efficient: Option<&'a [Map]>,
    scores: Vec<Score>,
}

impl<'a> Cascade<'a> {
    fn new<S: Subject>(
        job: &Job<'_>,
        originals: &'a [Map],
        wants: impl Fn(&str) -> bool,
        subject: &mut S,
    ) -> Result<Self, S::Error> {
        let mut walks = Vec::new();
        if wants("mprt") {
            walks.push(Walk {
                id: "mprt",
                originals: ranked(originals),
                smooth: false,
                curve: Vec::new(),
            });
        }
        if wants("smooth_mprt") {
            let maps = maps_of(job, subject, true, &own_targets(job, originals))?;
            walks.push(Walk {
                id: "smooth_mprt",
                originals: ranked(&maps),
                smooth: true,
                curve: Vec::new(),
            });
        }
        Ok(Self {
            walks,
            efficient: wants("efficient_mprt").then_some(originals),
            scores: Vec::new(),
        })
    }

    fn walk<S: Subject>(
        &mut self,
        job: &Job<'_>,
        layers: &[String],
        subject: &mut S,
    ) -> Result<(), S::Error> {
        // One seed for all layers and images: a layer keeps its random weights while the next ones
        // are drawn, and every image meets the same random model.
        let seed = DrawKey::new(job.settings.seed, "random_model", 0)
            .draws(0)
            .next_u64();
        for (number, layer) in layers.iter().enumerate().rev() {
            let whole = number == 0 && self.efficient.is_some();
            if self.walks.is_empty() && !whole {
                continue;
            }
            subject.randomise(layer, seed)?;
            let mut plain = None;
            for walk in &mut self.walks {
                let targets = own_targets(job, &walk.originals);
                let maps = maps_of(job, subject, walk.smooth, &targets)?;
                walk.curve.push(likenesses(&walk.originals, &maps));
                if !walk.smooth {
                    plain = Some(maps);
                }
            }
            if let Some(originals) = self.efficient.filter(|_| whole) {
                let maps = match plain {
                    Some(maps) => maps,
                    None => maps_of(job, subject, false, &own_targets(job, originals))?,
                };
                let pairs = originals.iter().zip(&maps);
                let scores = pairs.map(|(own, random)| {
                    let own = own.as_ref().map_err(|reason| *reason)?;
                    let random = random.as_ref().map_err(|reason| *reason)?;
                    efficient_mprt(own, random, job.settings.bins)
                });
                self.scores = scores.collect();
            }
        }
        Ok(())
    }

    fn put(self, layers: &[String], found: &mut Challenged) {
        for walk in self.walks {
            let images = walk.originals.len();
            let scores = (0..images).map(|i| {
                let curve: Vec<Score> = walk.curve.iter().map(|layer| layer[i]).collect();
                mprt(&curve)
            });
            found.columns.insert(walk.id.to_owned(), column_of(scores));
            for (layer, scores) in layers.iter().rev().zip(walk.curve) {
                found.layers.push(LayerColumn {
                    score: walk.id.to_owned(),
                    layer: layer.clone(),
                    column: column_of(scores),
                });
            }
        }
        if self.efficient.is_some() {
            let column = column_of(self.scores);
            found.columns.insert("efficient_mprt".to_owned(), column);
        }
    }
}

fn ranked(maps: &[Map]) -> Vec<Result<Original, NotApplicable>> {
    let rank = |map: &Map| Original::new(map.as_ref().map_err(|reason| *reason)?);
    maps.iter().map(rank).collect()
}

/// The likeness of each image's map to another map of it.
fn likenesses(originals: &[Result<Original, NotApplicable>], maps: &[Map]) -> Vec<Score> {
    let pairs = originals.iter().zip(maps);
    let likeness = pairs.map(|(own, other)| {
        let own = own.as_ref().map_err(|reason| *reason)?;
        own.likeness(other.as_ref().map_err(|reason| *reason)?)
    });
    likeness.collect()
}

/// The explained class of each image that has a map.
fn own_targets<T>(
    job: &Job<'_>,
    maps: &[Result<T, NotApplicable>],
) -> Vec<Result<i64, NotApplicable>> {
    let targets = maps.iter().zip(job.images.targets);
    targets
        .map(|(map, &target)| map.as_ref().map(|_| target).map_err(|reason| *reason))
        .collect()
}

/// Maps of the images, or their means over noisy copies.
fn maps_of<S: Subject>(
    job: &Job<'_>,
    subject: &mut S,
    smooth: bool,
    targets: &[Result<i64, NotApplicable>],
) -> Result<Vec<Map>, S::Error> {
    let settings = job.settings;
    let copies = if smooth { settings.smooth_draws } else { 1 };
    let mut ask = |rows: &Rows<'_>, maps: &mut [f32]| subject.explain(rows, maps);
    explain(job, &mut ask, targets, copies, &mut |i, copy, row| {
        if smooth {
            let key = DrawKey::new(settings.seed, "smooth_mprt", job.images.ids[i]);
            let given = (job.image(i), settings.units.as_slice());
            write_noisy(key, copy as u64, settings.smooth_noise, given, row);
        }
    })
}
