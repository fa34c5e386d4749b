//! What the family shares: feature maps of a row, their weighted sum, and writing it enlarged.

use super::resize::Resize;

/// One row's feature maps, or a gradient with respect to them: [maps, units].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureMaps<'r> {
    values: &'r [f32],
    units: usize,
}

impl<'r> FeatureMaps<'r> {
    /// `values` row-major, `units` = height times width, not zero.
    pub(crate) fn new(values: &'r [f32], units: usize) -> Self {
        Self { values, units }
    }

    /// Units of one map.
    pub(crate) fn units(&self) -> usize {
        self.units
    }

    /// The maps, one after the other.
    pub(crate) fn iter(&self) -> std::slice::ChunksExact<'r, f32> {
        self.values.chunks_exact(self.units)
    }
}

/// Adds `weight * values` to `sum`.
pub(crate) fn add_weighted(sum: &mut [f32], weight: f32, values: &[f32]) {
    for (sum, &value) in sum.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

/// Adds the sum of the feature maps, each with the weight that `weight(map, gradient)` gives it.
pub(crate) fn weight_by_gradient(
    features: FeatureMaps<'_>,
    gradient: FeatureMaps<'_>,
    sum: &mut [f32],
    weight: impl Fn(&[f32], &[f32]) -> f32,
) {
    for (map, gradient) in features.iter().zip(gradient.iter()) {
        add_weighted(sum, weight(map, gradient), map);
    }
}

/// Adds the sum of the feature maps, each unit with the weight that `weight(gradient)` gives it.
pub(crate) fn weight_units(
    features: FeatureMaps<'_>,
    gradient: FeatureMaps<'_>,
    sum: &mut [f32],
    weight: impl Fn(f32) -> f32,
) {
    for (map, gradient) in features.iter().zip(gradient.iter()) {
        for ((sum, &value), &gradient) in sum.iter_mut().zip(map).zip(gradient) {
            *sum += value * weight(gradient);
        }
    }
}

/// Grad-CAM's weight of a map: the mean of the gradient over its units.
pub(crate) fn mean_gradient(gradient: &[f32]) -> f32 {
    gradient.iter().sum::<f32>() / gradient.len() as f32
}

/// Makes one row's attribution of a small map: rectified where asked for, enlarged, and shared out
/// evenly among the channels.
pub(crate) struct MapWriter {
    resize: Resize,
    relu: bool,
    small: Vec<f32>,
    channels: usize,
}

impl MapWriter {
    /// For feature maps of `layer` = [k, h, w] and images of `image` = [c, h, w].
    pub(crate) fn new(layer: [usize; 3], image: [usize; 3], relu: bool) -> Self {
        let [_, h, w] = layer;
        Self {
            resize: Resize::bilinear([h, w], [image[1], image[2]]),
            relu,
            small: vec![0.0; h * w],
            channels: image[0],
        }
    }

    /// Units of one feature map.
    pub(crate) fn units(&self) -> usize {
        self.small.len()
    }

    /// `fill` gets the small map, [h * w], zeroed; `out` is one row, [c, height, width].
    pub(crate) fn write(&mut self, out: &mut [f32], fill: impl FnOnce(&mut [f32])) {
        self.small.fill(0.0);
        fill(&mut self.small);
        let share = 1.0 / self.channels as f32;
        for value in &mut self.small {
            *value *= share;
            if self.relu {
                *value = value.max(0.0);
            }
        }
        let pixels = out.len() / self.channels;
        let (first, others) = out.split_at_mut(pixels);
        self.resize.apply(&self.small, first);
        for channel in others.chunks_exact_mut(pixels) {
            channel.copy_from_slice(first);
        }
    }
}
