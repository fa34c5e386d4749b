//! Weights arranged for the loops.

use super::super::tile::Packed;
use super::Conv;
use super::input_gradient::Backward;

/// Weights arranged for the loops of one [`Conv`].
#[derive(Clone, Debug, Default)]
pub struct ConvWeights {
    pub(super) forward: Vec<Packed>,
    pub(super) backward: Vec<Packed>,
}

impl ConvWeights {
    /// The weights as they are multiplied, one matrix a group: `[taps * channels, out channels]`.
    /// After a change, [`Conv::pack_backward`] renews those for the gradient.
    pub fn matrices_mut(&mut self) -> &mut [Packed] {
        &mut self.forward
    }

    /// The weights as they are multiplied, one matrix a group.
    pub fn matrices(&self) -> &[Packed] {
        &self.forward
    }
}

impl Conv {
    /// Arranges `weights` `[out_channels, in_channels / groups, height, width]` into `packed`,
    /// for the gradient of the input too when `backward`.
    ///
    /// # Panics
    /// When `weights` has another length than [`Conv::weight_len`].
    pub fn pack(&self, weights: &[f32], backward: bool, packed: &mut ConvWeights) {
        assert_eq!(
            weights.len(),
            self.weight_len(),
            "wrong number of convolution weights"
        );
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        if packed.forward.len() != self.groups {
            packed.forward = vec![Packed::zeros(k, ocg); self.groups];
        }
        for (g, packed) in packed.forward.iter_mut().enumerate() {
            let group = &weights[g * ocg * k..(g + 1) * ocg * k];
            packed.fill(|i, o| group[(o * icg + i % icg) * taps + i / icg]);
        }
        if !backward {
            return;
        }
        let direct = matches!(self.backward, Backward::Direct { .. });
        if packed.backward.len() != self.groups {
            let (rows, columns) = if direct { (ocg * taps, icg) } else { (ocg, k) };
            packed.backward = vec![Packed::zeros(rows, columns); self.groups];
        }
        for (g, packed) in packed.backward.iter_mut().enumerate() {
            let group = &weights[g * ocg * k..(g + 1) * ocg * k];
            if direct {
                packed.fill(|r, i| group[((r % ocg) * icg + i) * taps + (taps - 1 - r / ocg)]);
            } else {
                packed.fill(|o, i| group[(o * icg + i % icg) * taps + i / icg]);
            }
        }
    }

    /// Arranges changed weights for the gradient of the input, from their matrices.
    ///
    /// # Panics
    /// When nothing was packed yet.
    pub fn pack_backward(&self, packed: &mut ConvWeights) {
        assert_eq!(
            packed.forward.len(),
            self.groups,
            "weights are not packed at all"
        );
        let (icg, ocg) = (
            self.in_channels / self.groups,
            self.out_channels / self.groups,
        );
        let (taps, k) = (self.window.taps(), icg * self.window.taps());
        let direct = matches!(self.backward, Backward::Direct { .. });
        let ConvWeights { forward, backward } = packed;
        if backward.len() != self.groups {
            let (rows, columns) = if direct { (ocg * taps, icg) } else { (ocg, k) };
            *backward = vec![Packed::zeros(rows, columns); self.groups];
        }
        for (from, to) in forward.iter().zip(backward) {
            if direct {
                for tap in 0..taps {
                    from.transpose_rows(tap * icg..(tap + 1) * icg, to, (taps - 1 - tap) * ocg, 0);
                }
            } else {
                from.transpose_rows(0..k, to, 0, 0);
            }
        }
    }
}
