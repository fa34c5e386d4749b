//! How far the outcome falls when regions of a row are covered one at a time.

use xbench_plugin::{Batch, Result};

use crate::copies::{Inquiry, Job, Perturbation};
use crate::image::{Image, Region};

/// The copies are the row itself (0) and the row with region i covered (i + 1).
struct Covering<'a, 'b, R> {
    batch: &'a Batch<'b>,
    image: Image,
    baselines: &'a [f32],
    regions: R,
    /// Outcome of the row whose copies come next.
    own: f64,
    /// Per row: sum over the regions that cover a pixel of the outcome's fall.
    maps: Vec<f64>,
}

impl<'r, R: Fn(usize) -> &'r [Region]> Perturbation for Covering<'_, '_, R> {
    fn write(&mut self, _slot: usize, job: Job, out: &mut [f32]) {
        out.copy_from_slice(self.batch.x.row(job.row));
        if let Some(region) = job.copy.checked_sub(1) {
            let baseline = &self.baselines[job.row * out.len()..][..out.len()];
            (self.regions)(job.row)[region].for_each_run(self.image, |run| {
                out[run.clone()].copy_from_slice(&baseline[run]);
            });
        }
    }

    fn take(&mut self, _slot: usize, job: Job, outcome: f64) {
        let Some(region) = job.copy.checked_sub(1) else {
            self.own = outcome;
            return;
        };
        let fall = self.own - outcome;
        let map = &mut self.maps[job.row * self.image.plane()..][..self.image.plane()];
        for run in &(self.regions)(job.row)[region].runs {
            for sum in &mut map[run.clone()] {
                *sum += fall;
            }
        }
    }
}

/// Fills `attribution`: a pixel gets the mean, over the regions that cover it, of f(x) - f(x with
/// the region as in the row's baseline), shared by the channels; 0 where no region covers it.
///
/// `regions` gives those of a row. A region that is as in the baseline already changes nothing: its
/// difference is exactly 0 and the model is not asked. A row costs one forward row for each other
/// region and one for itself; none at all when no region changes it.
pub(crate) fn ablate<'r>(
    inquiry: Inquiry<'_, '_, '_>,
    image: Image,
    baselines: &[f32],
    regions: impl Fn(usize) -> &'r [Region],
    attribution: &mut [f32],
) -> Result<()> {
    let batch = inquiry.batch;
    let (rows, row_len, plane) = (batch.x.rows(), image.row_len(), image.plane());
    let mut jobs = Vec::new();
    for row in 0..rows {
        let (values, baseline) = (batch.x.row(row), &baselines[row * row_len..][..row_len]);
        let own = jobs.len();
        for (index, region) in regions(row).iter().enumerate() {
            if region.differs(image, values, baseline) {
                if jobs.len() == own {
                    jobs.push(Job { row, copy: 0 });
                }
                let copy = index + 1;
                jobs.push(Job { row, copy });
            }
        }
    }
    let mut covering = Covering {
        batch,
        image,
        baselines,
        regions: &regions,
        own: 0.0,
        maps: vec![0.0; rows * plane],
    };
    inquiry.evaluate(jobs.into_iter(), &mut covering)?;

    let mut covered = vec![0_u32; plane];
    for (row, map) in covering.maps.chunks_exact_mut(plane).enumerate() {
        covered.fill(0);
        for region in regions(row) {
            for run in &region.runs {
                covered[run.clone()]
                    .iter_mut()
                    .for_each(|count| *count += 1);
            }
        }
        for (value, &count) in map.iter_mut().zip(&covered) {
            *value /= f64::from(count.max(1));
        }
        image.spread(map, &mut attribution[row * row_len..][..row_len]);
    }
    Ok(())
}
