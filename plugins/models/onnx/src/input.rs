//! From an example of the data to the network's input, and a gradient the other way.

use xbench_plugin::{Error, Result};

use crate::graph::Declared;
use crate::params::OnnxParams;
use crate::read::MAX_ELEMENTS;

/// How one example becomes the input of a network.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Of the data: channels (or features), and pixels of each.
    channels: usize,
    pixels: usize,
    /// Channels of the network.
    wide: usize,
    channels_last: bool,
    scale: f32,
    mean: Vec<f32>,
    std: Vec<f32>,
    /// What the network takes, the batch axis included.
    shape: Vec<usize>,
    /// Examples that the network takes at once; all of them get the same example.
    copies: usize,
}

impl Input {
    /// Settles it for a network whose file declares this shape.
    ///
    /// # Errors
    /// With both shapes, when the data do not fit the network; or when there are as many means or
    /// deviations as channels nowhere.
    pub(crate) fn new(params: &OnnxParams, declared: Option<&Declared>) -> Result<Self> {
        let (channels, pixels) = match params.input[..] {
            [features] => (features, 1),
            [channels, height, width] => (channels, height * width),
            _ => {
                return Err(Error::invalid_argument(format!(
                    "parameter `input`: {:?} is neither [channels, height, width] nor [features]",
                    params.input
                )));
            }
        };
        if channels.saturating_mul(pixels) > MAX_ELEMENTS / 4 {
            return Err(Error::invalid_argument(format!(
                "parameter `input`: {:?} is too large",
                params.input
            )));
        }
        let image = params.input.len() == 3;
        let channels_last = image && params.layout == "nhwc";
        let axis = if channels_last { 3 } else { 1 };
        let takes = declared
            .filter(|dims| image && dims.len() == 4)
            .and_then(|dims| dims[axis]);
        let wide = match params.channels.as_str() {
            "repeat" if image && channels == 1 => takes.filter(|&c| c <= 4096).unwrap_or(3),
            _ => channels,
        };
        let mut input = Input {
            channels,
            pixels,
            wide,
            channels_last,
            scale: params.scale,
            mean: spread(&params.mean, "mean", wide)?,
            std: spread(&params.std, "std", wide)?,
            shape: Vec::new(),
            copies: 1,
        };
        if !params.scale.is_finite() || input.std.iter().any(|&s| !s.is_finite() || s == 0.0) {
            return Err(Error::invalid_argument(
                "parameters `scale` and `std` must be finite, and `std` not zero",
            ));
        }
        let row = match (image, channels_last) {
            (false, _) => vec![channels],
            (true, false) => vec![wide, params.input[1], params.input[2]],
            (true, true) => vec![params.input[1], params.input[2], wide],
        };
        input.fit(params, &row, declared)?;
        Ok(input)
    }

    /// Settles the shape of the network's input.
    fn fit(
        &mut self,
        params: &OnnxParams,
        row: &[usize],
        declared: Option<&Declared>,
    ) -> Result<()> {
        let Some(declared) = declared else {
            self.shape = [&[1], row].concat();
            return Ok(());
        };
        let fits = |row: &[usize]| {
            declared.len() == row.len() + 1
                && declared[1..]
                    .iter()
                    .zip(row)
                    .all(|(takes, has)| takes.is_none_or(|takes| takes == *has))
        };
        // A network of vectors or of grey images without a channel axis takes the same elements.
        let whole: Option<Vec<usize>> = declared.iter().skip(1).copied().collect();
        let same = |whole: &Vec<usize>| {
            let thin = |shape: &[usize]| -> Vec<usize> {
                shape
                    .iter()
                    .copied()
                    .filter(|&extent| extent != 1)
                    .collect()
            };
            !declared.is_empty()
                && whole.len() < row.len()
                && (thin(whole) == thin(row) || whole[..] == [row.iter().product::<usize>()])
        };
        let inner = if fits(row) {
            row.to_vec()
        } else if let Some(whole) = whole.filter(same) {
            whole
        } else {
            return Err(self.misfit(params, row, declared));
        };
        self.copies = declared[0].unwrap_or(1);
        let elements = inner.iter().product::<usize>();
        if self.copies.saturating_mul(elements) > MAX_ELEMENTS {
            return Err(self.misfit(params, row, declared));
        }
        self.shape = [&[self.copies], &inner[..]].concat();
        Ok(())
    }

    fn misfit(&self, params: &OnnxParams, row: &[usize], declared: &Declared) -> Error {
        let takes: Vec<String> = declared
            .iter()
            .enumerate()
            .map(|(i, extent)| match extent {
                Some(extent) => extent.to_string(),
                None if i == 0 => "n".to_owned(),
                None => "any".to_owned(),
            })
            .collect();
        let gives: Vec<usize> = [&[1], row].concat();
        let (first, last) = (declared.get(1).copied(), declared.last().copied());
        let grey = self.channels == 1 && self.wide == 1 && declared.len() == 4;
        let turned = match (declared.len(), self.channels_last) {
            (4, false) => last.flatten() == Some(self.wide) && first.flatten() != Some(self.wide),
            (4, true) => first.flatten() == Some(self.wide) && last.flatten() != Some(self.wide),
            _ => false,
        };
        let sides = if self.channels_last { 1..3 } else { 2..4 };
        let sized = declared.len() == 4
            && declared[sides]
                .iter()
                .zip(&params.input[1..])
                .any(|(takes, has)| takes.is_some_and(|takes| takes != *has));
        let advice = if turned && params.layout == "nchw" {
            "; set `layout: nhwc` for a model with channels last"
        } else if turned {
            "; set `layout: nchw` for a model with channels first"
        } else if sized {
            "; choose data of that size or export the model for this one"
        } else if grey {
            "; set `channels: repeat` to give it grey pictures"
        } else {
            ""
        };
        Error::invalid_argument(format!(
            "the model takes [{}], the data give {gives:?}{advice}",
            takes.join(", ")
        ))
    }

    /// Shape of the network's input, the batch axis included.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Examples that the network takes at once.
    pub(crate) fn copies(&self) -> usize {
        self.copies
    }

    /// The same with one example at a time, where the file asks for more.
    #[must_use]
    pub(crate) fn single(&self) -> Self {
        let mut single = self.clone();
        single.copies = 1;
        single.shape[0] = 1;
        single
    }

    /// The network's input for one example.
    pub(crate) fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut one = vec![0.0; self.wide * self.pixels];
        for c in 0..self.wide {
            let from = c % self.channels * self.pixels;
            for (p, &value) in x[from..from + self.pixels].iter().enumerate() {
                one[self.place(c, p)] = (value * self.scale - self.mean[c]) / self.std[c];
            }
        }
        one.repeat(self.copies)
    }

    /// The gradient with respect to one example, from that with respect to the network's input; of
    /// several copies the first counts, as it does in the output.
    pub(crate) fn backward(&self, gradient: &[f32]) -> Vec<f32> {
        let mut dx = vec![0.0; self.channels * self.pixels];
        for c in 0..self.wide {
            let to = c % self.channels * self.pixels;
            let gain = self.scale / self.std[c];
            for (p, dx) in dx[to..to + self.pixels].iter_mut().enumerate() {
                *dx += gain * gradient[self.place(c, p)];
            }
        }
        dx
    }

    fn place(&self, channel: usize, pixel: usize) -> usize {
        if self.channels_last {
            pixel * self.wide + channel
        } else {
            channel * self.pixels + pixel
        }
    }
}

fn spread(values: &[f32], name: &str, channels: usize) -> Result<Vec<f32>> {
    match values {
        [one] => Ok(vec![*one; channels]),
        many if many.len() == channels => Ok(many.to_vec()),
        many => Err(Error::invalid_argument(format!(
            "parameter `{name}` has {} numbers; give one, or one for each of the {channels} channels \
             of the network",
            many.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_plugin::Params as _;

    fn params(json: &str) -> OnnxParams {
        OnnxParams::parse(json).unwrap()
    }

    #[test]
    fn pixels_are_scaled_and_normalised() {
        let p = params(r#"{"input": [1, 1, 2], "scale": 255, "mean": [5], "std": [10]}"#);
        let input = Input::new(&p, Some(&vec![None, Some(1), Some(1), Some(2)])).unwrap();
        assert_eq!(input.shape(), [1, 1, 1, 2]);
        assert_eq!(input.forward(&[0.0, 1.0]), [-0.5, 25.0]);
        assert_eq!(input.backward(&[1.0, 2.0]), [25.5, 51.0]);
    }

    #[test]
    fn grey_is_repeated_into_channels_last() {
        let p = params(
            r#"{"input": [1, 1, 2], "layout": "nhwc", "channels": "repeat",
            "mean": [0, 1, 2], "std": [1, 1, 2]}"#,
        );
        let input = Input::new(&p, Some(&vec![Some(2), None, None, Some(3)])).unwrap();
        assert_eq!(input.shape(), [2, 1, 2, 3]);
        let one = [4.0, 3.0, 1.0, 8.0, 7.0, 3.0];
        assert_eq!(input.forward(&[4.0, 8.0]), [one, one].concat());
        assert_eq!(input.single().forward(&[4.0, 8.0]), one);
        let gradient = [1.0, 10.0, 100.0, 2.0, 20.0, 200.0];
        assert_eq!(input.backward(&gradient), [61.0, 122.0]);
    }

    #[test]
    fn vectors_are_flattened_images() {
        let p = params(r#"{"input": [1, 2, 3]}"#);
        for dims in [vec![None, Some(6)], vec![None, Some(2), Some(3)]] {
            let input = Input::new(&p, Some(&dims)).unwrap();
            assert_eq!(input.shape().iter().product::<usize>(), 6);
        }
    }

    #[test]
    fn misfits_name_both_shapes_and_what_to_do() {
        let message = |json: &str, dims: &[Option<usize>]| {
            let error = Input::new(&params(json), Some(&dims.to_vec())).unwrap_err();
            error.message().to_owned()
        };
        let rgb = [Some(1), Some(3), Some(224), Some(224)];
        let text = message("{}", &rgb);
        assert!(
            text.starts_with("the model takes [1, 3, 224, 224], the data give [1, 1, 28, 28]"),
            "{text}"
        );
        let text = message(r#"{"input": [1, 224, 224]}"#, &rgb);
        assert!(text.contains("channels: repeat"), "{text}");
        let text = message("{}", &[None, Some(28), Some(28), Some(1)]);
        assert!(text.contains("layout: nhwc"), "{text}");
        let text = message(r#"{"input": [4]}"#, &[None, Some(5)]);
        assert!(
            text.contains("takes [n, 5], the data give [1, 4]"),
            "{text}"
        );
        assert!(Input::new(&params(r#"{"mean": [1, 2]}"#), None).is_err());
        assert!(Input::new(&params(r#"{"std": [0]}"#), None).is_err());
        assert!(Input::new(&params(r#"{"input": [1, 2]}"#), None).is_err());
    }
}
