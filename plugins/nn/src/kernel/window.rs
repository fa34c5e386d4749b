//! The geometry shared by convolution and pooling.

use crate::Error;

/// A sliding window over an image; each pair is (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size in taps.
    pub kernel: [usize; 2],
    /// Pixels from one position to the next.
    pub stride: [usize; 2],
    /// Pixels added on either side.
    pub padding: [usize; 2],
    /// Pixels from one tap to the next.
    pub dilation: [usize; 2],
}

impl Window {
    /// A window of the given size, moved by one pixel, without padding.
    pub fn new(kernel: [usize; 2]) -> Self {
        Window {
            kernel,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
        }
    }

    /// The same window moved by `stride` pixels.
    #[must_use]
    pub fn stride(self, stride: [usize; 2]) -> Self {
        Window { stride, ..self }
    }

    /// The same window on an image with `padding` more pixels on either side.
    #[must_use]
    pub fn padding(self, padding: [usize; 2]) -> Self {
        Window { padding, ..self }
    }

    /// The same window with taps `dilation` pixels apart.
    #[must_use]
    pub fn dilation(self, dilation: [usize; 2]) -> Self {
        Window { dilation, ..self }
    }

    /// Number of taps.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Positions that fit wholly into an image of `input` (height, width) with its padding: a
    /// last, partly filled position is dropped, as most frameworks do by default.
    ///
    /// # Errors
    /// When a size, stride or dilation is zero, the padding is not smaller than the window, or
    /// the window does not fit at all.
    pub fn output(&self, input: [usize; 2]) -> Result<[usize; 2], Error> {
        let mut out = [0; 2];
        for axis in 0..2 {
            let bad = |what: &'static str| Error::Geometry {
                window: *self,
                input,
                what,
            };
            if self.kernel[axis] == 0 || self.stride[axis] == 0 || self.dilation[axis] == 0 {
                return Err(bad("kernel, stride and dilation must be at least 1"));
            }
            let reach = (self.kernel[axis] - 1)
                .checked_mul(self.dilation[axis])
                .and_then(|r| r.checked_add(1))
                .ok_or_else(|| bad("the window is too large"))?;
            if self.padding[axis] >= reach {
                return Err(bad("the padding must be smaller than the window"));
            }
            let padded = input[axis]
                .checked_add(2 * self.padding[axis])
                .ok_or_else(|| bad("the image is too large"))?;
            if input[axis] == 0 || padded < reach {
                return Err(bad("the window is larger than the padded image"));
            }
            out[axis] = (padded - reach) / self.stride[axis] + 1;
        }
        Ok(out)
    }

    /// The taps of output position `at` along `axis` that lie inside an image of `size` pixels,
    /// as pixel indices.
    pub(crate) fn inside(
        &self,
        axis: usize,
        at: usize,
        size: usize,
    ) -> impl Iterator<Item = usize> + Clone {
        let (dilation, padding) = (self.dilation[axis], self.padding[axis]);
        let start = at * self.stride[axis];
        (0..self.kernel[axis])
            .map(move |tap| start + tap * dilation)
            .filter(move |&i| i >= padding && i - padding < size)
            .map(move |i| i - padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_sizes() {
        let window = Window::new([3, 3]);
        assert_eq!(window.output([28, 28]).unwrap(), [26, 26]);
        assert_eq!(window.padding([1, 1]).output([28, 27]).unwrap(), [28, 27]);
        assert_eq!(
            window
                .stride([2, 2])
                .padding([1, 1])
                .output([224, 7])
                .unwrap(),
            [112, 4]
        );
        assert_eq!(window.dilation([2, 1]).output([5, 3]).unwrap(), [1, 1]);
        assert_eq!(
            Window::new([2, 2]).stride([2, 2]).output([11, 5]).unwrap(),
            [5, 2]
        );
    }

    #[test]
    fn impossible_windows_are_refused() {
        assert!(Window::new([3, 3]).output([2, 5]).is_err());
        assert!(Window::new([0, 3]).output([5, 5]).is_err());
        assert!(Window::new([3, 3]).stride([0, 1]).output([5, 5]).is_err());
        assert!(Window::new([3, 3]).padding([3, 0]).output([5, 5]).is_err());
        assert!(
            Window::new([2, 2])
                .dilation([usize::MAX, 1])
                .output([5, 5])
                .is_err()
        );
    }
}
