//! Sizes of a batch of images, and spreading a map over the channels.

use xbench_plugin::{Error, Result};

/// Channels, height and width of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Image {
    /// From a batch's shape [n, channels, height, width]; `control` is named in the error.
    pub(crate) fn of(shape: &[usize], control: &str) -> Result<Self> {
        match shape {
            &[_, channels, height, width] if channels > 0 && height > 0 && width > 0 => Ok(Self {
                channels,
                height,
                width,
            }),
            _ => Err(Error::invalid_argument(format!(
                "{control} is defined for images of shape [n, channels, height, width], not \
                 {shape:?}"
            ))),
        }
    }

    /// Pixels of one channel.
    pub(crate) fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Writes `map` (one value per pixel), divided by the number of channels, into each channel of
    /// the row `out`.
    pub(crate) fn spread(self, map: impl Iterator<Item = f32> + Clone, out: &mut [f32]) {
        let share = 1.0 / self.channels as f32;
        for channel in out.chunks_exact_mut(self.pixels()) {
            for (out, value) in channel.iter_mut().zip(map.clone()) {
                *out = share * value;
            }
        }
    }
}
