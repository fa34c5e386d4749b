//! What CAM and Grad-CAM share: sizes, the weighted sum of feature maps, and writing it enlarged.

use xbench_plugin::{Error, Result};

use crate::Resize;

/// Rows handed to the model in one call: bounds the memory for feature maps.
pub(crate) const ROWS_PER_CALL: usize = 256;

/// Channels, height and width of the model's input.
///
/// # Errors
/// Invalid argument when the input is no image.
pub(crate) fn image_shape(shape: &[usize]) -> Result<[usize; 3]> {
    match shape {
        &[_, c, h, w] if c > 0 && h > 0 && w > 0 => Ok([c, h, w]),
        _ => Err(Error::invalid_argument(format!(
            "a map over the image needs input of shape [n, channels, height, width], not \
             {shape:?}"
        ))),
    }
}

/// Channels, height and width of a layer's activation of shape [n, k, h, w].
///
/// # Errors
/// Invalid argument when the layer has no spatial extent, or another number of rows.
pub(crate) fn layer_shape(layer: &str, shape: &[usize], rows: usize) -> Result<[usize; 3]> {
    match shape {
        &[n, k, h, w] if n == rows && k > 0 && h > 0 && w > 0 => Ok([k, h, w]),
        _ => Err(Error::invalid_argument(format!(
            "layer \"{layer}\" gives {shape:?} for {rows} rows; a layer of feature maps \
             [n, maps, height, width] is needed: choose a convolution"
        ))),
    }
}

/// Makes one row's map: the weighted sum of its feature maps, enlarged, into the channels.
pub(crate) struct MapWriter {
    maps: usize,
    resize: Resize,
    relu: bool,
    small: Vec<f32>,
    channels: usize,
}

impl MapWriter {
    /// For feature maps of `layer` = [k, h, w] and images of `image` = [c, h, w].
    pub(crate) fn new(layer: [usize; 3], image: [usize; 3], relu: bool) -> Self {
        let [maps, h, w] = layer;
        Self {
            maps,
            resize: Resize::bilinear([h, w], [image[1], image[2]]),
            relu,
            small: vec![0.0; h * w],
            channels: image[0],
        }
    }

    /// Feature maps per row.
    pub(crate) fn maps(&self) -> usize {
        self.maps
    }

    /// Units of one feature map.
    pub(crate) fn units(&self) -> usize {
        self.small.len()
    }

    /// `features`: one row, [k, h, w]; `weights`: [k]; `out`: one row, [c, height, width].
    pub(crate) fn write(&mut self, features: &[f32], weights: &[f32], out: &mut [f32]) {
        self.small.fill(0.0);
        let units = self.small.len();
        for (map, &weight) in features.chunks_exact(units).zip(weights) {
            for (sum, &value) in self.small.iter_mut().zip(map) {
                *sum += weight * value;
            }
        }
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
