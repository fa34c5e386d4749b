//! Images in the middle of larger ones.

use super::super::reuse;
use super::super::tile::Rows;
use super::Conv;

impl Conv {
    /// Elements of one image with its padding.
    pub fn padded_len(&self) -> usize {
        self.padded[0] * self.padded[1] * self.in_channels
    }

    /// Copies images into the middle of padded ones, for [`Conv::add_gradient_part`].
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn pad(&self, x: &[f32], padded: &mut [f32]) {
        let images = x.len() / self.input_len();
        assert_eq!(x.len(), images * self.input_len(), "convolution input");
        assert_eq!(padded.len(), images * self.padded_len(), "padded images");
        embed(
            x,
            self.input,
            self.in_channels,
            self.padded,
            self.window.padding,
            padded,
        );
    }

    pub(super) fn padded_input<'a>(
        &'a self,
        x: &'a [f32],
        images: usize,
        buffer: &'a mut Vec<f32>,
    ) -> (&'a [f32], Rows<'a>) {
        let stride = self.padded_len();
        let rows = Rows {
            offsets: &self.rows,
            images,
            stride,
        };
        if self.padded == self.input {
            return (x, rows);
        }
        let padded = reuse(buffer, images * stride);
        embed(
            x,
            self.input,
            self.in_channels,
            self.padded,
            self.window.padding,
            padded,
        );
        (padded, rows)
    }
}

/// Puts images into the middle of larger ones filled with zeros.
pub(super) fn embed(
    from: &[f32],
    size: [usize; 2],
    channels: usize,
    into: [usize; 2],
    at: [usize; 2],
    to: &mut [f32],
) {
    to.fill(0.0);
    let (row, to_row) = (size[1] * channels, into[1] * channels);
    for (from, to) in from
        .chunks_exact(size[0] * row)
        .zip(to.chunks_exact_mut(into[0] * to_row))
    {
        for (y, from) in from.chunks_exact(row).enumerate() {
            let start = (y + at[0]) * to_row + at[1] * channels;
            to[start..start + row].copy_from_slice(from);
        }
    }
}

/// The inverse of [`embed`] for one image.
pub(super) fn crop(
    from: &[f32],
    size: [usize; 2],
    channels: usize,
    into: [usize; 2],
    at: [usize; 2],
    to: &mut [f32],
) {
    let (from_row, row) = (size[1] * channels, into[1] * channels);
    for (y, to) in to.chunks_exact_mut(row).enumerate() {
        let start = (y + at[0]) * from_row + at[1] * channels;
        to.copy_from_slice(&from[start..start + row]);
    }
}
