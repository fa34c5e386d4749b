//! What covered pixels are replaced with.

use xbench_plugin::{Error, Result, TensorRef};

use crate::blur::blur;
use crate::image::Image;

/// What covered pixels are replaced with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    /// One value for all channels.
    Constant(f32),
    /// The mean of the image's own channel.
    Mean,
    /// The blurred image: a Gaussian with this standard deviation as a share of the shorter side.
    Blur(f32),
}

impl Fill {
    /// From the parameters `fill_with`, whose choices the schema has checked, `fill` and `blur`.
    pub(crate) fn parse(with: &str, fill: f32, blur: f32) -> Result<Self> {
        if !fill.is_finite() {
            return Err(Error::invalid_argument("the fill is not a finite number"));
        }
        match with {
            "mean" => Ok(Self::Mean),
            "blur" if blur > 0.0 => Ok(Self::Blur(blur)),
            "blur" => Err(Error::invalid_argument(format!(
                "a blur of {blur} changes nothing; give its standard deviation as a share of the \
                 image's shorter side, above 0"
            ))),
            _ => Ok(Self::Constant(fill)),
        }
    }

    /// Every row as it is when it is covered whole, shaped as `x`.
    pub(crate) fn baselines(self, x: TensorRef<'_>, image: Image) -> Result<Vec<f32>> {
        if image.is_table && !matches!(self, Self::Constant(_)) {
            return Err(Error::invalid_argument(
                "the columns of a table have units and an order of their own, so that a mean over \
                 them or a blur means nothing; use fill_with: constant",
            ));
        }
        let mut baselines = match self {
            Self::Constant(value) => return Ok(vec![value; x.data().len()]),
            Self::Mean | Self::Blur(_) => x.data().to_vec(),
        };
        for plane in baselines.chunks_exact_mut(image.plane()) {
            match self {
                Self::Blur(share) => {
                    let sigma = f64::from(share) * image.height.min(image.width) as f64;
                    blur(plane, image.height, image.width, sigma);
                }
                _ => {
                    let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
                    let mean = sum / image.plane() as f64;
                    plane.fill(mean as f32);
                }
            }
        }
        Ok(baselines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Image = Image {
        channels: 2,
        height: 2,
        width: 3,
        is_table: false,
    };

    fn baselines(fill: Fill, x: &[f32]) -> Vec<f32> {
        let shape = [x.len() / 12, 2, 2, 3];
        let x = TensorRef::new(&shape, x).expect("fits");
        fill.baselines(x, IMAGE).expect("images")
    }

    #[test]
    fn each_channel_has_its_own_mean() {
        let x: Vec<f32> = (0..24_u8).map(f32::from).collect();
        let filled = baselines(Fill::Mean, &x);
        for (channel, mean) in [2.5, 8.5, 14.5, 20.5].into_iter().enumerate() {
            assert_eq!(filled[channel * 6..][..6], [mean; 6]);
        }
        assert_eq!(baselines(Fill::Constant(0.5), &x), [0.5; 24]);
    }

    #[test]
    fn a_constant_image_is_its_own_mean_and_blur() {
        for value in [0.1_f32, -7.3, 1e-20, 3e20] {
            let x = [value; 12];
            assert_eq!(baselines(Fill::Mean, &x), x);
            assert_eq!(baselines(Fill::Blur(0.7), &x), x);
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        assert!(Fill::parse("constant", f32::NAN, 0.1).is_err());
        assert!(Fill::parse("blur", 0.0, 0.0).is_err());
        assert_eq!(Fill::parse("blur", 0.0, 0.1), Ok(Fill::Blur(0.1)));
        let table = Image {
            channels: 1,
            height: 1,
            width: 2,
            is_table: true,
        };
        let x = TensorRef::new(&[1, 2], &[1.0, 2.0]).expect("fits");
        assert!(Fill::Mean.baselines(x, table).is_err());
        assert_eq!(Fill::Constant(3.0).baselines(x, table), Ok(vec![3.0; 2]));
    }
}
