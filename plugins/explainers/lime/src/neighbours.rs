//! The neighbours of an input: what they are to the surrogate and what they are to the model.

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{Batch, Error, Result, TensorRef};
use xbench_superpixels::{Members, Segmentation, Segments};

/// What hidden segments show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    /// A number.
    Baseline(f32),
    /// The segment's mean, channel by channel.
    Mean,
}

/// The neighbours of one row. Sample 0 is the row itself.
pub(crate) struct Neighbours {
    seed: CounterRng,
    kind: Kind,
}

enum Kind {
    /// Segments shown (1) or hidden (0), each with probability one half.
    Segments {
        members: Members,
        /// The row with all segments hidden.
        hidden: Vec<f32>,
        channels: usize,
    },
    /// Columns with normal noise, in the background's standard deviations from its means.
    Columns {
        scale: Scale,
        own: Vec<f64>,
        around_own: bool,
    },
}

/// Means and standard deviations of the background's columns.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scale {
    /// # Errors
    /// When there is no background.
    pub(crate) fn of(batch: &Batch<'_>) -> Result<Self> {
        let rows = batch
            .background
            .filter(|rows| rows.rows() > 1)
            .ok_or_else(|| {
                Error::invalid_argument(
                    "LIME on a table draws from the means and standard deviations of background \
                     rows: give at least two of them",
                )
            })?;
        Ok(Self::of_rows(rows))
    }

    fn of_rows(rows: TensorRef<'_>) -> Self {
        let columns = rows.row_len();
        let count = rows.rows() as f64;
        let (mut mean, mut deviation) = (vec![0.0; columns], vec![0.0; columns]);
        for row in rows.data().chunks_exact(columns) {
            for (mean, &value) in mean.iter_mut().zip(row) {
                *mean += f64::from(value) / count;
            }
        }
        for row in rows.data().chunks_exact(columns) {
            for ((sum, &value), mean) in deviation.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(value) - mean).powi(2) / count;
            }
        }
        for ((deviation, mean), &first) in deviation.iter_mut().zip(&mut mean).zip(rows.row(0)) {
            *deviation = deviation.sqrt();
            // The mean of equal values may round to something else.
            if *deviation <= 1e-7 * mean.abs() {
                (*deviation, *mean) = (0.0, f64::from(first));
            }
        }
        Self { mean, deviation }
    }
}

impl Neighbours {
    /// The neighbours of an image's row.
    pub(crate) fn of_segments(segments: &Segments, row: &[f32], fill: Fill, seed: u64) -> Self {
        let places = segments.labels().len();
        let members = segments.members();
        let mut hidden = vec![0.0; row.len()];
        match fill {
            Fill::Baseline(value) => hidden.fill(value),
            Fill::Mean => {
                let planes = hidden.chunks_exact_mut(places);
                for (hidden, plane) in planes.zip(row.chunks_exact(places)) {
                    for segment in 0..members.count() {
                        let pixels = members.of(segment);
                        let sum: f64 = pixels.iter().map(|&pixel| f64::from(plane[pixel])).sum();
                        let mean = (sum / pixels.len() as f64) as f32;
                        pixels.iter().for_each(|&pixel| hidden[pixel] = mean);
                    }
                }
            }
        }
        Self {
            seed: CounterRng::new(seed),
            kind: Kind::Segments {
                members,
                hidden,
                channels: row.len() / places,
            },
        }
    }

    /// The neighbours of a table's row, normal around the background's means or the row itself.
    pub(crate) fn of_columns(scale: &Scale, row: &[f32], around_own: bool, seed: u64) -> Self {
        let own = row
            .iter()
            .zip(&scale.mean)
            .zip(&scale.deviation)
            .map(|((&value, mean), &deviation)| {
                if deviation > 0.0 {
                    (f64::from(value) - mean) / deviation
                } else {
                    0.0
                }
            })
            .collect();
        Self {
            seed: CounterRng::new(seed),
            kind: Kind::Columns {
                scale: scale.clone(),
                own,
                around_own,
            },
        }
    }

    /// Features of the surrogate.
    pub(crate) fn features(&self) -> usize {
        match &self.kind {
            Kind::Segments { members, .. } => members.count(),
            Kind::Columns { own, .. } => own.len(),
        }
    }

    /// A sample as the surrogate sees it: shown segments are 1; columns are in standard deviations.
    pub(crate) fn sample(&self, index: usize, z: &mut [f64]) {
        let rng = self.seed.stream(index as u64);
        match &self.kind {
            Kind::Segments { .. } => {
                for (word, z) in z.chunks_mut(64).enumerate() {
                    let bits = if index == 0 {
                        u64::MAX
                    } else {
                        rng.bits(word as u64)
                    };
                    for (bit, z) in z.iter_mut().enumerate() {
                        *z = f64::from((bits >> bit & 1) as u8);
                    }
                }
            }
            Kind::Columns {
                scale,
                own,
                around_own,
            } => {
                for (column, z) in z.iter_mut().enumerate() {
                    let centre = if *around_own || index == 0 {
                        own[column]
                    } else {
                        0.0
                    };
                    let moves = index > 0 && scale.deviation[column] > 0.0;
                    *z = centre
                        + if moves {
                            rng.normal(column as u64)
                        } else {
                            0.0
                        };
                }
            }
        }
    }

    /// The sample as the model sees it; `row` is the explained row.
    pub(crate) fn input(&self, z: &[f64], row: &[f32], out: &mut [f32]) {
        match &self.kind {
            Kind::Segments {
                members, hidden, ..
            } => {
                out.copy_from_slice(row);
                let places = row.len() / self.channels();
                for (segment, _) in z.iter().enumerate().filter(|(_, z)| **z == 0.0) {
                    for &pixel in members.of(segment) {
                        for place in (pixel..row.len()).step_by(places) {
                            out[place] = hidden[place];
                        }
                    }
                }
            }
            Kind::Columns { scale, own, .. } => {
                for (column, out) in out.iter_mut().enumerate() {
                    // A column left as it is, or without spread, has exactly the row's own value.
                    *out = if z[column] == own[column] {
                        row[column]
                    } else {
                        (scale.mean[column] + scale.deviation[column] * z[column]) as f32
                    };
                }
            }
        }
    }

    fn channels(&self) -> usize {
        match &self.kind {
            Kind::Segments { channels, .. } => *channels,
            Kind::Columns { .. } => 1,
        }
    }

    /// Writes the coefficients as an attribution. Segments: `split` evenly among their values, or whole
    /// to each pixel.
    pub(crate) fn write(&self, coefficients: &[f64], split: bool, out: &mut [f32]) {
        match &self.kind {
            Kind::Segments {
                members, channels, ..
            } => {
                let places = out.len() / channels;
                for (segment, &value) in coefficients.iter().enumerate() {
                    let pixels = members.of(segment);
                    let parts = channels * if split { pixels.len() } else { 1 };
                    for &pixel in pixels {
                        for place in (pixel..out.len()).step_by(places) {
                            out[place] = (value / parts as f64) as f32;
                        }
                    }
                }
            }
            Kind::Columns { .. } => {
                for (out, &value) in out.iter_mut().zip(coefficients) {
                    *out = value as f32;
                }
            }
        }
    }
}

/// The segments of every row of `x`, images only; cut once where they depend on the shape alone.
pub(crate) fn segments(choice: Segmentation, x: TensorRef<'_>) -> Result<Vec<Segments>> {
    let shape = &x.shape()[1..];
    let cut = |row: usize| {
        choice
            .segment(x.row(row), shape)
            .map_err(|error| Error::invalid_argument(error.to_string()))
    };
    if choice.depends_on_values() {
        (0..x.rows()).map(cut).collect()
    } else {
        Ok(vec![cut(0)?; x.rows()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_superpixels::grid;

    #[test]
    fn segments_are_shown_half_the_time_and_independently() {
        let cells = grid(9, 9, 1).expect("a grid");
        let neighbours = Neighbours::of_segments(&cells, &[1.0; 81], Fill::Baseline(0.0), 5);
        let (mut first, mut z) = (vec![0.0; 81], vec![0.0; 81]);
        neighbours.sample(0, &mut first);
        assert_eq!(first, [1.0; 81]);
        let count = 4000;
        let (mut shown, mut both) = (vec![0.0; 81], 0.0);
        for index in 1..=count {
            neighbours.sample(index, &mut z);
            shown.iter_mut().zip(&z).for_each(|(sum, z)| *sum += z);
            both += z[0] * z[64];
        }
        // Five standard errors.
        let (n, root) = (count as f64, (count as f64).sqrt());
        assert!(
            shown
                .iter()
                .all(|sum| (sum / n - 0.5).abs() < 5.0 * 0.5 / root)
        );
        assert!((both / n - 0.25_f64).abs() < 5.0 * 0.4331 / root);
    }

    #[test]
    fn columns_have_the_background_s_means_and_deviations() {
        let rows = [1.0_f32, 5.0, 0.1, 3.0, 5.0, 0.1, 8.0, 5.0, 0.1];
        let scale = Scale::of_rows(TensorRef::new(&[3, 3], &rows).expect("rows"));
        assert_eq!(scale.mean, [4.0, 5.0, f64::from(0.1_f32)]);
        assert!((scale.deviation[0] - (26.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(scale.deviation[1..], [0.0, 0.0]);
        let row = [6.0, 7.0, 0.1];
        for around_own in [false, true] {
            let neighbours = Neighbours::of_columns(&scale, &row, around_own, 9);
            let (mut z, mut out, count) = ([0.0; 3], [0.0; 3], 4000);
            neighbours.sample(0, &mut z);
            neighbours.input(&z, &row, &mut out);
            assert_eq!(out, row);
            let (mut sum, mut squares) = (0.0, 0.0);
            for index in 1..=count {
                neighbours.sample(index, &mut z);
                neighbours.input(&z, &row, &mut out);
                // Columns without spread stay as they are.
                assert_eq!((out[1], out[2], z[1], z[2]), (7.0, 0.1, 0.0, 0.0));
                sum += f64::from(out[0]);
                squares += f64::from(out[0]).powi(2);
            }
            let n = f64::from(count as u32);
            let (mean, deviation) = (sum / n, scale.deviation[0]);
            let expected = if around_own { 6.0 } else { 4.0 };
            assert!((mean - expected).abs() < 5.0 * deviation / n.sqrt());
            let variance = squares / n - mean * mean;
            assert!((variance / deviation.powi(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        }
    }
}
