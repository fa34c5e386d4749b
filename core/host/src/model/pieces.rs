//! A batch cut to what a model takes at once, and its results joined.

use std::ops::Range;

use crate::owned::OwnedOutput;

/// Cuts `rows` rows into pieces of at most the smaller of two limits; 0 is no limit.
pub(crate) fn pieces(rows: usize, a: usize, b: usize) -> impl Iterator<Item = Range<usize>> {
    let limit = |limit| if limit == 0 { usize::MAX } else { limit };
    let step = limit(a).min(limit(b)).min(rows.max(1));
    (0..rows)
        .step_by(step)
        .map(move |start| start..rows.min(start + step))
}

/// Joins the results of pieces; a single one is kept as it is, without a copy.
pub(super) struct Joined {
    rows: usize,
    first: Option<OwnedOutput>,
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Joined {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            first: None,
            shape: Vec::new(),
            data: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, piece: OwnedOutput) {
        if self.shape.is_empty() {
            self.shape = piece.shape().to_vec();
            if piece.shape()[0] == self.rows {
                self.first = Some(piece);
                return;
            }
            let row = piece.len() / piece.shape()[0].max(1);
            self.data.reserve_exact(row * self.rows);
        }
        self.data.extend_from_slice(&piece);
    }

    pub(super) fn finish(mut self, inner: &[usize]) -> OwnedOutput {
        if let Some(only) = self.first {
            return only;
        }
        if self.shape.is_empty() {
            self.shape = std::iter::once(0).chain(inner.iter().copied()).collect();
        }
        self.shape[0] = self.rows;
        OwnedOutput::joined(self.shape, self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_in_order() {
        let cut = |rows, a, b| pieces(rows, a, b).collect::<Vec<_>>();
        assert_eq!(cut(5, 2, 0), [0..2, 2..4, 4..5]);
        assert_eq!(cut(5, 4, 3), [0..3, 3..5]);
        assert_eq!(cut(3, 0, 2), [0..2, 2..3]);
        assert_eq!(
            pieces(5, 0, 0).collect::<Vec<_>>(),
            vec![Range { start: 0, end: 5 }]
        );
        assert_eq!(cut(0, 0, 7), []);
    }
}
