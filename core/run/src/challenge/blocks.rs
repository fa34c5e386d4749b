//! Rows of many images in blocks of a fixed size.

use super::{BLOCK_ROWS, Job, Rows};

/// Fills maps of rows; answers which are finite, as [`Subject::explain`](super::Subject::explain).
pub(super) type Ask<'a, E> = dyn FnMut(&Rows<'_>, &mut [f32]) -> Result<Vec<bool>, E> + 'a;

/// Collects rows until a block is full.
pub(super) struct Block<M> {
    pub(super) x: Vec<f32>,
    pub(super) targets: Vec<i64>,
    pub(super) seeds: Vec<u64>,
    pub(super) masks: Vec<u8>,
    /// What each row is for.
    pub(super) members: Vec<M>,
}

impl<M> Block<M> {
    pub(super) fn new() -> Self {
        Self {
            x: Vec::new(),
            targets: Vec::new(),
            seeds: Vec::new(),
            masks: Vec::new(),
            members: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= BLOCK_ROWS
    }

    /// Adds a row for image `i`, explained as the image is; `write` fills the row, which comes as
    /// the image, and its mask.
    pub(super) fn push(
        &mut self,
        job: &Job<'_>,
        i: usize,
        target: i64,
        member: M,
        write: impl FnOnce(&mut [f32], &mut [u8]),
    ) {
        let (row, mask) = (self.x.len(), self.masks.len());
        self.x.extend_from_slice(job.image(i));
        self.masks.extend_from_slice(job.mask(i));
        write(&mut self.x[row..], &mut self.masks[mask..]);
        self.targets.push(target);
        self.seeds.push(job.seeds[i]);
        self.members.push(member);
    }

    pub(super) fn clear(&mut self) {
        self.x.clear();
        self.targets.clear();
        self.seeds.clear();
        self.masks.clear();
        self.members.clear();
    }

    /// Keeps the rows that `keep` says, by number.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let n = self.len().max(1);
        retain_rows(&mut self.x, n, keep);
        retain_rows(&mut self.masks, n, keep);
        retain_rows(&mut self.targets, n, keep);
        retain_rows(&mut self.seeds, n, keep);
        let mut flags = keep.iter();
        self.members
            .retain(|_| flags.next().copied().unwrap_or(false));
    }

    /// Maps of the rows from `ask`, and which of them are finite.
    pub(super) fn explain<E>(
        &self,
        ask: &mut Ask<'_, E>,
        maps: &mut Vec<f32>,
    ) -> Result<Vec<bool>, E> {
        maps.resize(self.x.len(), 0.0);
        if self.members.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Rows {
            x: &self.x,
            targets: &self.targets,
            seeds: &self.seeds,
            masks: &self.masks,
        };
        ask(&rows, maps)
    }
}

/// Keeps rows of an array of `n` rows.
pub(super) fn retain_rows<T: Copy>(values: &mut Vec<T>, n: usize, keep: &[bool]) {
    let width = values.len() / n.max(1);
    let mut kept = 0;
    for (row, _) in keep.iter().enumerate().filter(|(_, keep)| **keep) {
        values.copy_within(row * width..(row + 1) * width, kept * width);
        kept += 1;
    }
    values.truncate(kept * width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_kept_go() {
        let mut values = vec![1, 2, 3, 4, 5, 6, 7, 8];
        retain_rows(&mut values, 4, &[false, true, false, true]);
        assert_eq!(values, [3, 4, 7, 8]);
        retain_rows(&mut values, 2, &[false, false]);
        assert!(values.is_empty());
        let mut none: Vec<u8> = Vec::new();
        retain_rows(&mut none, 3, &[true, false, true]);
        assert!(none.is_empty());
    }
}
