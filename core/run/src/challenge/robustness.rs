//! Maps of noisy neighbours and of shifted images.

use xbench_metrics::NotApplicable;
use xbench_metrics::robustness::{
    Continuity, Explained, NOISE_SCORES, Neighbours, NoiseScores, write_shifted,
};

use super::blocks::{Block, retain_rows};
use super::{BLOCK_ROWS, Challenged, Job, Subject, class_of, column_of, nowhere};

/// What a row of a block is.
#[derive(Clone, Copy)]
enum Near {
    /// A noisy neighbour of an image.
    Noise { image: usize },
    /// An image moved by so many columns.
    Shift { image: usize, by: isize },
}

impl Near {
    fn image(self) -> usize {
        match self {
            Self::Noise { image } | Self::Shift { image, .. } => image,
        }
    }
}

/// What the model says of the images themselves.
struct Originals {
    outputs: Vec<f32>,
    width: usize,
    representation: Option<Vec<f32>>,
    classes: Vec<usize>,
}

impl Originals {
    fn ask<S: Subject>(job: &Job<'_>, deep: bool, subject: &mut S) -> Result<Self, S::Error> {
        let width = subject.num_outputs();
        let mut outputs = Vec::with_capacity(job.len() * width);
        let mut representation = deep.then(Vec::new);
        for rows in job.images.pixels.chunks(BLOCK_ROWS * job.row_len().max(1)) {
            let n = rows.len() / job.row_len().max(1);
            outputs.extend(subject.predict(rows, n)?);
            representation = match representation {
                Some(mut values) => subject.representation(rows, n)?.map(|block| {
                    values.extend(block);
                    values
                }),
                None => None,
            };
        }
        let classes = outputs.chunks_exact(width.max(1)).map(class_of).collect();
        Ok(Self {
            outputs,
            width,
            representation,
            classes,
        })
    }

    fn explained<'a>(&'a self, job: &Job<'a>, i: usize) -> Explained<'a> {
        Explained {
            input: job.image(i),
            map: job.map(i),
            outputs: row(&self.outputs, i, self.width),
            representation: self
                .representation
                .as_ref()
                .map(|values| row(values, i, values.len() / job.len().max(1))),
        }
    }
}

fn row(values: &[f32], i: usize, width: usize) -> &[f32] {
    &values[i * width..(i + 1) * width]
}

/// Scores of robustness of the chunk's images.
pub(super) fn score<S: Subject>(
    job: &Job<'_>,
    wanted: &[String],
    subject: &mut S,
    found: &mut Challenged,
) -> Result<(), S::Error> {
    let wants = |id: &str| wanted.iter().any(|wanted| wanted == id);
    let noise = NOISE_SCORES.iter().any(|id| wants(id));
    let shifts = wants("continuity") && !job.settings.table;
    if wants("continuity") && job.settings.table {
        let column = nowhere(NotApplicable::NotAnImage, job.len());
        found.columns.insert("continuity".to_owned(), column);
    }
    if !noise && !shifts {
        return Ok(());
    }
    let deep = wants("relative_representation_stability");
    let originals = Originals::ask(job, deep, subject)?;
    let mut state = State {
        job,
        originals: &originals,
        noisy: (0..job.len())
            .map(|i| NoiseScores::new(originals.explained(job, i), &job.settings.units))
            .collect(),
        shifted: (0..job.len())
            .map(|i| Continuity::new(job.image(i), job.map(i), job.images.shape[2]))
            .collect(),
        maps: Vec::new(),
    };
    let mut block = Block::new();
    for i in 0..job.len() {
        if noise && !state.noisy[i].hopeless() {
            let near = Neighbours::new(job.settings.seed, job.images.ids[i], job.settings.radius);
            for draw in 0..job.settings.draws {
                block.push(
                    job,
                    i,
                    job.images.targets[i],
                    Near::Noise { image: i },
                    |row, _| near.write(draw as u64, job.image(i), &job.settings.units, row),
                );
                state.flush_full(&mut block, subject)?;
            }
        }
        if shifts && !state.shifted[i].hopeless() {
            let width = job.images.shape[2];
            let widest = job.settings.shifts.min(width.saturating_sub(1)) as isize;
            for by in (1..=widest).flat_map(|by| [by, -by]) {
                let member = Near::Shift { image: i, by };
                block.push(job, i, job.images.targets[i], member, |row, mask| {
                    write_shifted(job.image(i), width, by, row);
                    write_shifted(job.mask(i), width, by, mask);
                });
                state.flush_full(&mut block, subject)?;
            }
        }
    }
    state.flush(&mut block, subject)?;
    for id in NOISE_SCORES.into_iter().filter(|id| wants(id)) {
        let scores = state.noisy.iter().filter_map(|image| image.score(id));
        found.columns.insert(id.to_owned(), column_of(scores));
    }
    if shifts {
        let scores = state.shifted.iter().map(Continuity::score);
        found
            .columns
            .insert("continuity".to_owned(), column_of(scores));
    }
    Ok(())
}

/// The scores while rows come in.
struct State<'a> {
    job: &'a Job<'a>,
    originals: &'a Originals,
    noisy: Vec<NoiseScores<'a>>,
    shifted: Vec<Continuity<'a>>,
    maps: Vec<f32>,
}

impl State<'_> {
    fn flush_full<S: Subject>(
        &mut self,
        block: &mut Block<Near>,
        subject: &mut S,
    ) -> Result<(), S::Error> {
        if block.is_full() {
            self.flush(block, subject)
        } else {
            Ok(())
        }
    }

    /// Has the rows predicted, those of the same class explained, and takes what comes back.
    fn flush<S: Subject>(
        &mut self,
        block: &mut Block<Near>,
        subject: &mut S,
    ) -> Result<(), S::Error> {
        let n = block.len();
        if n == 0 {
            return Ok(());
        }
        let width = self.originals.width;
        let mut outputs = subject.predict(&block.x, n)?;
        let mut same = Vec::with_capacity(n);
        for (member, outputs) in block.members.iter().zip(outputs.chunks_exact(width.max(1))) {
            let image = member.image();
            same.push(class_of(outputs) == self.originals.classes[image]);
            if same.last() == Some(&false) {
                match member {
                    Near::Noise { .. } => self.noisy[image].add_flip(),
                    Near::Shift { .. } => self.shifted[image].add_flip(),
                }
            }
        }
        block.retain(&same);
        retain_rows(&mut outputs, n, &same);
        let kept = block.len();
        let finite = block.explain(
            &mut |rows, maps| subject.explain(rows, maps),
            &mut self.maps,
        )?;
        let deep = self.originals.representation.is_some() && kept > 0;
        let values = match deep {
            true => subject.representation(&block.x, kept)?,
            false => None,
        };
        let row_len = self.job.row_len();
        for (number, (member, finite)) in block.members.iter().zip(finite).enumerate() {
            let near = Explained {
                input: row(&block.x, number, row_len),
                map: row(&self.maps, number, row_len),
                outputs: row(&outputs, number, width),
                representation: values
                    .as_ref()
                    .map(|values| row(values, number, values.len() / kept)),
            };
            match *member {
                Near::Noise { image } if finite => self.noisy[image].add(&near),
                Near::Noise { image } => self.noisy[image].add_non_finite(),
                Near::Shift { image, by } if finite => {
                    self.shifted[image].add(by, near.input, near.map);
                }
                Near::Shift { image, .. } => self.shifted[image].add_non_finite(),
            }
        }
        block.clear();
        Ok(())
    }
}
