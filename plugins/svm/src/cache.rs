//! Kernel rows of one pair of classes, computed in batches when they are needed and kept while
//! there is room.
//!
//! A row alone would read all the features for one product with each; with a batch of rows the
//! features are read once, so the rows that will be wanted next are computed along. What is
//! computed when changes no value: a kernel value has the same bits in any batch.

use crate::panels::{PANEL, Panels};

/// Rows computed at once. Measured: with more of them, more are computed that are never used than
/// reading the features less often saves.
const BATCH: usize = 6;
/// No slot.
const NONE: u32 = u32::MAX;

/// The rows of two classes as one row of columns: the panels of the first, then of the second,
/// with their padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<'p> {
    sides: [&'p Panels; 2],
}

impl<'p> Columns<'p> {
    pub(crate) fn new(first: &'p Panels, second: &'p Panels) -> Self {
        Self {
            sides: [first, second],
        }
    }

    /// Columns in all, padding included: a multiple of [`PANEL`].
    pub(crate) fn len(&self) -> usize {
        self.sides[0].padded() + self.sides[1].padded()
    }

    /// Which class a column belongs to (0 or 1), and which of its rows it is; `None` for padding.
    pub(crate) fn place(&self, column: usize) -> Option<(usize, usize)> {
        let first = self.sides[0].padded();
        let (side, row) = if column < first {
            (0, column)
        } else {
            (1, column - first)
        };
        (row < self.sides[side].len()).then_some((side, row))
    }

    /// The column of a row of a class.
    pub(crate) fn column(&self, side: usize, row: usize) -> usize {
        side * self.sides[0].padded() + row
    }

    /// Copies the features of a column and gives their squared norm.
    fn row(&self, column: usize, to: &mut [f32]) -> f32 {
        let first = self.sides[0].padded();
        if column < first {
            self.sides[0].row(column, to)
        } else {
            self.sides[1].row(column - first, to)
        }
    }
}

/// The rows, and which of them are held.
#[derive(Debug)]
pub(crate) struct KernelRows<'p> {
    columns: Columns<'p>,
    gamma: f32,
    width: usize,
    limit: usize,
    slots: Vec<Vec<f32>>,
    /// Slot of each column's row.
    slot_of: Vec<u32>,
    /// Column and time of last use of each slot.
    owner: Vec<(usize, u64)>,
    clock: u64,
    computed: u64,
    left: Vec<f32>,
    products: Vec<f32>,
}

impl<'p> KernelRows<'p> {
    /// Holds at most `bytes` of rows, but always two.
    pub(crate) fn new(columns: Columns<'p>, width: usize, gamma: f32, bytes: usize) -> Self {
        let row = columns.len() * size_of::<f32>();
        Self {
            columns,
            gamma,
            width,
            limit: (bytes / row.max(1)).max(2),
            slots: Vec::new(),
            slot_of: vec![NONE; columns.len()],
            owner: Vec::new(),
            clock: 0,
            computed: 0,
            left: Vec::new(),
            products: Vec::new(),
        }
    }

    /// Rows computed so far.
    pub(crate) fn computed(&self) -> u64 {
        self.computed
    }

    /// Is the row held?
    pub(crate) fn holds(&self, column: usize) -> bool {
        self.slot_of[column] != NONE
    }

    /// The row of a column. When it is not held, `next` names columns, best first, whose rows
    /// are likely to be wanted soon; `keep` is a row that must stay.
    pub(crate) fn fetch(
        &mut self,
        column: usize,
        keep: Option<usize>,
        next: impl FnOnce(&Self, usize) -> Vec<usize>,
    ) -> &[f32] {
        if !self.holds(column) {
            let room = BATCH.min(self.limit - usize::from(keep.is_some()));
            let mut batch = vec![column];
            if room > 1 {
                let wanted = next(self, room - 1);
                batch.extend(
                    wanted
                        .into_iter()
                        .filter(|&c| c != column && !self.holds(c)),
                );
                batch.truncate(room);
            }
            self.compute(&batch, keep);
        }
        self.clock += 1;
        let slot = self.slot_of[column] as usize;
        self.owner[slot].1 = self.clock;
        &self.slots[slot]
    }

    /// Two rows that are held.
    pub(crate) fn two(&self, a: usize, b: usize) -> (&[f32], &[f32]) {
        (
            &self.slots[self.slot_of[a] as usize],
            &self.slots[self.slot_of[b] as usize],
        )
    }

    /// Slots for `wanted` rows: new ones while there is room, then those unused for longest.
    fn free(&mut self, wanted: usize, keep: Option<usize>) -> Vec<usize> {
        let fresh = wanted.min(self.limit - self.slots.len());
        let mut free: Vec<usize> = (self.slots.len()..self.slots.len() + fresh).collect();
        for _ in 0..fresh {
            self.slots.push(vec![0.0; self.columns.len()]);
            self.owner.push((usize::MAX, 0));
        }
        let missing = wanted - fresh;
        if missing > 0 {
            let kept = keep.map(|column| self.slot_of[column] as usize);
            let held = self.slots.len() - fresh;
            let mut old: Vec<usize> = (0..held).filter(|&slot| Some(slot) != kept).collect();
            old.sort_unstable_by_key(|&slot| (self.owner[slot].1, slot));
            for &slot in &old[..missing] {
                self.slot_of[self.owner[slot].0] = NONE;
                free.push(slot);
            }
        }
        free
    }

    fn compute(&mut self, batch: &[usize], keep: Option<usize>) {
        let slots = self.free(batch.len(), keep);
        let width = self.width;
        self.left.resize(batch.len() * width, 0.0);
        let norms: Vec<f32> = batch
            .iter()
            .zip(self.left.chunks_exact_mut(width))
            .map(|(&column, to)| self.columns.row(column, to))
            .collect();
        self.products.resize(batch.len() * PANEL, 0.0);
        let mut start = 0;
        for side in self.columns.sides {
            for panel in 0..side.count() {
                side.kernel(
                    panel,
                    &self.left,
                    &norms,
                    self.gamma,
                    &mut self.products,
                    PANEL,
                );
                for (&slot, values) in slots.iter().zip(self.products.chunks_exact(PANEL)) {
                    self.slots[slot][start..start + PANEL].copy_from_slice(values);
                }
                start += PANEL;
            }
        }
        self.clock += 1;
        for (&slot, &column) in slots.iter().zip(batch) {
            self.slot_of[column] = slot as u32;
            self.owner[slot] = (column, self.clock);
        }
        self.computed += batch.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_same_bits_whatever_is_held() {
        let width = 5;
        let rows: Vec<f32> = (0..width * 200)
            .map(|i| (i * 7919 % 1000) as f32 / 700.0)
            .collect();
        let panels = |range: std::ops::Range<usize>| {
            Panels::new(width, range.map(|i| &rows[i * width..(i + 1) * width]))
        };
        let (first, second) = (panels(0..90), panels(90..200));
        let columns = Columns::new(&first, &second);
        assert_eq!(columns.len(), 256);
        assert_eq!(columns.place(89), Some((0, 89)));
        assert_eq!(columns.place(90), None);
        assert_eq!(columns.place(128), Some((1, 0)));
        assert_eq!(columns.column(1, 3), 131);
        let mut large = KernelRows::new(columns, width, 0.3, 1 << 20);
        let mut small = KernelRows::new(columns, width, 0.3, 0);
        let mut order: Vec<usize> = (0..256).filter(|&c| columns.place(c).is_some()).collect();
        order.extend([3, 200, 3, 5, 130]);
        for (&column, &keep) in order.iter().zip(&order[1..]) {
            let next = |rows: &KernelRows<'_>, n: usize| {
                (0..90)
                    .filter(|&c| !rows.holds(c))
                    .take(n)
                    .collect::<Vec<_>>()
            };
            let want = large.fetch(column, None, next).to_vec();
            assert_eq!(want[column], 1.0);
            small.fetch(keep, None, next);
            assert_eq!(small.fetch(column, Some(keep), next), want);
            assert_eq!(small.two(keep, column).1, want);
            assert_eq!(small.two(keep, column).0[keep], 1.0);
        }
        assert!(small.slots.len() == 2 && small.computed() > large.computed());
        assert_eq!(large.computed(), 200, "each row once");
    }
}
