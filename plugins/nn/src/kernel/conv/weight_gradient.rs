//! The gradient of weights and bias.

use super::super::tile::{Outer, OuterPanel, PANEL, Packed, Rows, outer, outer_panel};
use super::super::{Scratch, add_all, add_rows};
use super::Conv;

/// A part of the gradient of a convolution's weights, see [`ConvGradient::parts`].
#[derive(Clone, Copy, Debug)]
pub struct GradientPart {
    panel: usize,
    first_tap: usize,
    taps: usize,
}

/// Sums of weight gradients, in the arrangement of one [`Conv`].
#[derive(Clone, Debug)]
pub struct ConvGradient {
    weights: Vec<Packed>,
    bias: Vec<f32>,
}

impl ConvGradient {
    /// Sets all sums to zero.
    pub fn clear(&mut self) {
        for packed in &mut self.weights {
            packed.data_mut().fill(0.0);
        }
        self.bias.fill(0.0);
    }

    /// Adds the sums over other images.
    ///
    /// # Panics
    /// When they are another convolution's.
    pub fn add(&mut self, other: &ConvGradient) {
        for (sums, other) in self.weights.iter_mut().zip(&other.weights) {
            add_all(other.data(), sums.data_mut());
        }
        add_all(&other.bias, &mut self.bias);
    }

    /// The sums of the weights' gradient, one matrix a group.
    pub fn matrices(&self) -> &[Packed] {
        &self.weights
    }

    /// Cuts the sums of a convolution without groups into parts that different threads can find by
    /// [`Conv::add_gradient_part`]; the cut follows from the shape alone.
    pub fn parts(&mut self) -> Vec<(GradientPart, &mut [f32])> {
        let mut parts = Vec::new();
        let Some(sums) = self.weights.first_mut() else {
            return parts;
        };
        let (k, panels) = (sums.shape().0, sums.panels());
        let widths: Vec<usize> = (0..panels).map(|p| sums.panel_width(p)).collect();
        // At least eight parts, and sums that stay in a first-level cache with their operands.
        let taps = (k * panels / 8).clamp(24, 144);
        let mut rest = sums.data_mut();
        for (panel, width) in widths.into_iter().enumerate() {
            let mut first_tap = 0;
            while first_tap < k {
                let taps = taps.min(k - first_tap);
                let (part, behind) = rest.split_at_mut(taps * width);
                rest = behind;
                let place = GradientPart {
                    panel,
                    first_tap,
                    taps,
                };
                parts.push((place, part));
                first_tap += taps;
            }
        }
        parts
    }
}

impl Conv {
    /// Zero sums for [`Conv::add_weight_gradient`].
    pub fn gradient(&self) -> ConvGradient {
        let ocg = self.out_channels / self.groups;
        ConvGradient {
            weights: self
                .gathers
                .iter()
                .map(|g| Packed::zeros(g.k(), ocg))
                .collect(),
            bias: vec![0.0; self.out_channels],
        }
    }

    /// Adds the gradients of weights and bias over a block of images.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn add_weight_gradient(
        &self,
        x: &[f32],
        dy: &[f32],
        images: usize,
        sums: &mut ConvGradient,
        scratch: &mut Scratch,
    ) {
        assert_eq!(x.len(), images * self.input_len(), "convolution input");
        assert_eq!(
            dy.len(),
            images * self.output_len(),
            "gradient of a convolution's result"
        );
        let (a, rows) = self.padded_input(x, images, &mut scratch.padded);
        let ocg = self.out_channels / self.groups;
        let d_rows = Rows {
            offsets: &self.out_rows,
            images,
            stride: self.output_len(),
        };
        for (g, (taps, sums)) in self.taps.iter().zip(&mut sums.weights).enumerate() {
            outer(Outer {
                a,
                rows,
                taps,
                d: &dy[g * ocg..],
                d_rows,
                sums,
            });
        }
        add_rows(dy, &mut sums.bias);
    }

    /// Adds a part of the gradient of the weights of a convolution without groups, over images
    /// that [`Conv::pad`] padded.
    ///
    /// # Panics
    /// When a length does not fit, or the part is of another convolution.
    pub fn add_gradient_part(
        &self,
        padded: &[f32],
        dy: &[f32],
        part: GradientPart,
        sums: &mut [f32],
    ) {
        let images = dy.len() / self.output_len();
        assert_eq!(dy.len(), images * self.output_len(), "gradient of a result");
        assert_eq!(padded.len(), images * self.padded_len(), "padded images");
        let column = part.panel * PANEL;
        let taps = &self.taps[0][part.first_tap..part.first_tap + part.taps];
        // Few enough rows at once that they stay in cache while all taps meet them.
        let block = (4096 / self.out_rows.len().max(1)).clamp(1, images.max(1));
        for (padded, dy) in padded
            .chunks(block * self.padded_len())
            .zip(dy.chunks(block * self.output_len()))
        {
            let images = dy.len() / self.output_len();
            outer_panel(OuterPanel {
                a: padded,
                rows: Rows {
                    offsets: &self.rows,
                    images,
                    stride: self.padded_len(),
                },
                taps,
                d: &dy[column..],
                d_rows: Rows {
                    offsets: &self.out_rows,
                    images,
                    stride: self.output_len(),
                },
                columns: (self.out_channels - column).min(PANEL),
                width: sums.len() / part.taps.max(1),
                sums,
            });
        }
    }

    /// Adds gathered sums to gradients in the order of the weights, and of the bias.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn unpack_gradient(&self, sums: &ConvGradient, weights: &mut [f32], bias: &mut [f32]) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of convolution weights"
        );
        assert_eq!(bias.len(), self.out_channels, "wrong length of bias");
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        for (g, packed) in sums.weights.iter().enumerate() {
            let group = &mut weights[g * ocg * k..(g + 1) * ocg * k];
            packed.each(|i, o, value| group[(o * icg + i % icg) * taps + i / icg] += value);
        }
        for (to, from) in bias.iter_mut().zip(&sums.bias) {
            *to += from;
        }
    }
}
