//! The players of one row's game.

use xbench_superpixels::Segments;

use crate::setup::Range;

/// Which features belong to which player; players that removal does not change do not play.
#[derive(Clone, Debug)]
pub(crate) struct Players {
    /// The player of each feature, or `count` where it belongs to none.
    label: Vec<u32>,
    /// Features of each player.
    size: Vec<usize>,
    /// Values per place of the segments: the channels of an image.
    channels: usize,
}

impl Players {
    /// The segments of `row` that are not the same when removed. `segments` partitions the places of
    /// every channel.
    pub(crate) fn new(segments: &Segments, row: &[f32], removed: &Range) -> Self {
        let places = segments.labels().len();
        let channels = row.len() / places;
        let mut changes = vec![false; segments.count()];
        let segment = |feature: usize| segments.labels()[feature % places] as usize;
        for (feature, value) in row.iter().enumerate() {
            let same = removed.low[feature] == *value && removed.high[feature] == *value;
            changes[segment(feature)] |= !same;
        }
        let count = changes.iter().filter(|&&changes| changes).count();
        let mut next = 0;
        let number: Vec<usize> = changes
            .iter()
            .map(|&changes| {
                next += usize::from(changes);
                if changes { next - 1 } else { count }
            })
            .collect();
        let mut size = vec![0; count];
        let label = (0..row.len())
            .map(|feature| {
                let player = number[segment(feature)];
                if let Some(size) = size.get_mut(player) {
                    *size += 1;
                }
                player as u32
            })
            .collect();
        Self {
            label,
            size,
            channels,
        }
    }

    /// Every one of `features` features for itself.
    pub(crate) fn singles(features: usize) -> Self {
        Self {
            label: (0..features as u32).collect(),
            size: vec![1; features],
            channels: 1,
        }
    }

    /// Players there are; may be 0.
    pub(crate) fn count(&self) -> usize {
        self.size.len()
    }

    /// The row with the players that are not kept removed; `keep` has a last entry more than there are
    /// players, which is true.
    pub(crate) fn remove(&self, keep: &[bool], row: &[f32], removed: &[f32], out: &mut [f32]) {
        for (((out, &value), &gone), &label) in
            out.iter_mut().zip(row).zip(removed).zip(&self.label)
        {
            *out = if keep[label as usize] { value } else { gone };
        }
    }

    /// The values of the players as those of the features: split evenly, or whole to each place. What
    /// does not play has 0.
    pub(crate) fn write(&self, values: &[f64], whole: bool, out: &mut [f32]) {
        let share: Vec<f32> = values
            .iter()
            .zip(&self.size)
            .map(|(value, &size)| {
                let parts = if whole { self.channels } else { size };
                (value / parts as f64) as f32
            })
            .collect();
        for (out, &label) in out.iter_mut().zip(&self.label) {
            *out = share.get(label as usize).copied().unwrap_or(0.0);
        }
    }
}
