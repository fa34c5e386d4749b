//! Score-CAM: feature maps weighted by what the model says of the image seen through each of them.
//!
//! Map k, enlarged to the image and scaled to 0..1, masks the image: X o H_k. Its channel-wise
//! increase of confidence is C_k = f(X o H_k) - f(X_b), with X_b the image of zeros, to which a
//! mask of zeros leads. Weights come of it in one of three ways:
//!
//! * `softmax`: exp(C_k) / sum over maps of exp(C), the paper's algorithm 1; the baseline cancels.
//!   With outputs far apart the sum is one map.
//! * `increase`: C_k itself, the paper's definition of the method; can be negative.
//! * `probability`: the class's probability f(X o H_k) after a softmax over the classes, as in the
//!   authors' program; without baseline.
//!
//! A map that is constant over the image (a dead channel, above all) cannot be scaled to 0..1. It
//! is left out, as in the authors' program. Implementations that keep it with a mask of zeros let
//! the model's answer to the empty image take part in the softmax, and where that answer is the
//! highest the dead channel takes all the weight and the map comes out zero.

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Level, Meta, ModelHandle, OutputKind, Plugin, Result,
    TensorRef, capability,
};

use super::activation_map::{FeatureMaps, MapWriter, add_weighted};
use super::layer::{choose_layer, for_each_chunk, image_shape, layer_shape, rows_per_call};
use super::queue::Queue;
use super::resize::Resize;

xbench_plugin::params! {
    /// Parameters of Score-CAM.
    pub struct ScorecamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// How weights come of the scores of the masked images: softmax over the maps (algorithm
        /// 1), the increase of confidence itself, or the class probability (the authors' program).
        weights: String = "softmax", ["softmax", "increase", "probability"];
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// Score-CAM (Wang et al. 2020, algorithm 1), enlarged bilinearly to the image.
///
/// Not negative unless `relu` is off. A forward row per image and another for each of its maps that
/// vary over the image. An image of which no map does gets a map of zeros and a line in the log; a
/// layer of 1x1 maps is refused, since none can vary.
#[derive(Clone, Debug)]
pub struct Scorecam {
    params: ScorecamParams,
}

impl Plugin for Scorecam {
    const META: Meta = Meta {
        id: c"org.xbench.scorecam",
        name: c"Score-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"H. Wang, Z. Wang, M. Du, F. Yang, Z. Zhang, S. Ding, P. Mardziel, X. Hu, Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks, 2020",
        summary: c"The feature maps of a convolution, weighted by the model's score of the image masked with each of them.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = ScorecamParams;

    fn create(params: ScorecamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// Turns the scores of one row's maps into weights, in place; none is a map without a mask, which
/// gets the weight zero. `baseline` is the score of the empty image.
fn weigh(scores: &mut [Option<f64>], rule: &str, baseline: f64) {
    match rule {
        "softmax" => {
            let best = scores
                .iter()
                .flatten()
                .fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            let total: f64 = scores.iter().flatten().map(|s| (s - best).exp()).sum();
            for score in scores.iter_mut().flatten() {
                *score = (*score - best).exp() / total;
            }
        }
        "increase" => scores.iter_mut().flatten().for_each(|s| *s -= baseline),
        // A probability is a weight as it is.
        _ => {}
    }
}

/// Probability of `target` after a softmax over `outputs`.
fn probability(outputs: &[f32], target: usize) -> f64 {
    let best = outputs.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let share = |output: f32| (f64::from(output) - f64::from(best)).exp();
    share(outputs[target]) / outputs.iter().map(|&output| share(output)).sum::<f64>()
}

/// Scales `mask` to 0..1; false, and untouched, where it is constant.
fn scale_to_one(mask: &mut [f32]) -> bool {
    let (low, high) = extremes(mask);
    // In f64, so that neither a small nor a large range is lost.
    let (low, range) = (f64::from(low), f64::from(high) - f64::from(low));
    if range > 0.0 {
        let scale = 1.0 / range;
        for value in mask {
            *value = ((f64::from(*value) - low) * scale) as f32;
        }
        true
    } else {
        false
    }
}

/// The lowest and the highest value, in lanes that the compiler can put side by side.
fn extremes(values: &[f32]) -> (f32, f32) {
    const LANES: usize = 16;
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = low[lane].min(chunk[lane]);
            high[lane] = high[lane].max(chunk[lane]);
        }
    }
    (
        rest.iter()
            .chain(&low)
            .fold(f32::INFINITY, |a, &b| a.min(b)),
        rest.iter()
            .chain(&high)
            .fold(f32::NEG_INFINITY, |a, &b| a.max(b)),
    )
}

impl Scorecam {
    /// The score of the image of zeros, per output; empty where the weights do not need it.
    fn baseline(&self, ctx: &Context<'_>, model: &ModelHandle<'_>) -> Result<Vec<f32>> {
        if self.params.weights != "increase" {
            return Ok(Vec::new());
        }
        let spec = model.spec();
        let shape: Vec<usize> = std::iter::once(1)
            .chain(spec.input_shape.iter().copied())
            .collect();
        let mut outputs = vec![0.0; spec.outputs];
        let zeros = vec![0.0; spec.input_len()];
        model.predict(ctx, TensorRef::new(&shape, &zeros)?, &mut outputs)?;
        Ok(outputs)
    }
}

impl Explainer for Scorecam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::LAYERS];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let spec = model.spec();
        let kind = spec.output_kind;
        let as_probability = self.params.weights == "probability";
        if as_probability && kind == OutputKind::Values {
            return Err(Error::invalid_argument(
                "Score-CAM: `weights: probability` needs a classifier, and this model predicts \
                 values; choose `softmax` or `increase`",
            ));
        }
        let image = image_shape(batch.x.shape())?;
        let layers = model.layers()?;
        let chosen = choose_layer(&layers, &self.params.layer)?;
        let (layer, row_len) = (chosen.name.as_str(), batch.x.row_len());
        let baseline = self.baseline(ctx, model)?;
        let limit = rows_per_call(row_len.max(chosen.shape.iter().product()));
        let mut blank = 0;
        for_each_chunk(ctx, batch, limit, |first, x| {
            let features = model.activation(ctx, x, layer)?;
            let [maps, h, w] = layer_shape(layer, features.shape(), x.rows())?;
            if h * w == 1 {
                return Err(Error::unimplemented(format!(
                    "layer \"{layer}\" has maps of one unit, and Score-CAM masks the image by the \
                     maps' shape: choose an earlier layer"
                )));
            }
            let resize = Resize::bilinear([h, w], [image[1], image[2]]);
            let mut mask = vec![0.0; image[1] * image[2]];
            let mut scores = vec![None; x.rows() * maps];
            let targets = &batch.target[first..][..x.rows()];
            let mut queue = Queue::new(
                &spec.input_shape,
                spec.outputs,
                |masked, outputs: &mut [f32]| {
                    ctx.checkpoint(first as f64 / batch.x.rows() as f64)?;
                    model.predict(ctx, masked, outputs)
                },
                |place, outputs: &[f32]| {
                    let target = targets[place / maps] as usize;
                    scores[place] = Some(if as_probability && kind == OutputKind::Logits {
                        probability(outputs, target)
                    } else {
                        f64::from(outputs[target])
                    });
                },
            );
            for row in 0..x.rows() {
                for (map, values) in features.row(row).chunks_exact(h * w).enumerate() {
                    resize.apply(values, &mut mask);
                    if scale_to_one(&mut mask) {
                        queue.push(row * maps + map, |masked| {
                            mask_image(masked, x.row(row), &mask)
                        })?;
                    }
                }
            }
            queue.flush()?;
            drop(queue);
            let mut writer = MapWriter::new([maps, h, w], image, self.params.relu);
            for (row, scores) in scores.chunks_exact_mut(maps).enumerate() {
                blank += usize::from(scores.iter().all(Option::is_none));
                let baseline = baseline.get(targets[row] as usize).copied();
                weigh(
                    scores,
                    &self.params.weights,
                    f64::from(baseline.unwrap_or_default()),
                );
                let features = FeatureMaps::new(features.row(row), h * w);
                writer.write(
                    &mut attribution[(first + row) * row_len..][..row_len],
                    |sum| {
                        for (values, weight) in features.iter().zip(scores.iter()) {
                            if let Some(weight) = weight {
                                add_weighted(sum, *weight as f32, values);
                            }
                        }
                    },
                );
            }
            Ok(())
        })?;
        if blank > 0 {
            ctx.log(
                Level::Warn,
                &format!(
                    "Score-CAM: of {} images, {blank} have no map in layer \"{layer}\" that varies \
                     over the image; their attribution is zero",
                    batch.x.rows()
                ),
            );
        }
        Ok(())
    }
}

/// Writes `image`, [c, h, w], times `mask`, [h, w].
fn mask_image(out: &mut [f32], image: &[f32], mask: &[f32]) {
    for (out, image) in out
        .chunks_exact_mut(mask.len())
        .zip(image.chunks_exact(mask.len()))
    {
        for ((out, &value), &share) in out.iter_mut().zip(image).zip(mask) {
            *out = value * share;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_hand() {
        let scores = [Some(1.0), None, Some(1.0 + 3.0_f64.ln())];
        let mut softmax = scores;
        weigh(&mut softmax, "softmax", 9.0);
        assert!((softmax[0].expect("kept") - 0.25).abs() < 1e-15);
        assert!((softmax[2].expect("kept") - 0.75).abs() < 1e-15);
        assert_eq!(softmax[1], None);
        let mut increase = scores;
        weigh(&mut increase, "increase", 1.5);
        assert_eq!(increase[0], Some(-0.5));
        let mut probability = scores;
        weigh(&mut probability, "probability", 1.5);
        assert_eq!(probability, scores);
    }

    #[test]
    fn weights_of_large_scores_and_of_none() {
        let mut large = [Some(5000.0), Some(5000.0)];
        weigh(&mut large, "softmax", 0.0);
        assert_eq!(large, [Some(0.5); 2]);
        let mut none = [None, None];
        weigh(&mut none, "softmax", 0.0);
        assert_eq!(none, [None, None]);
    }

    #[test]
    fn probabilities() {
        assert_eq!(probability(&[2.0, 2.0, 2.0, 2.0], 3), 0.25);
        assert!((probability(&[0.0, 3.0_f32.ln()], 1) - 0.75).abs() < 1e-7);
        assert_eq!(probability(&[3000.0, -3000.0], 0), 1.0);
    }

    #[test]
    fn constant_masks_are_refused() {
        let mut mask = [3.0, 1.0, 2.0];
        assert!(scale_to_one(&mut mask));
        assert_eq!(mask, [1.0, 0.0, 0.5]);
        assert!(!scale_to_one(&mut [0.0; 4]));
        assert!(!scale_to_one(&mut [-7.0; 4]));
        let mut tiny = [1e-44, 0.0];
        assert!(scale_to_one(&mut tiny));
        assert_eq!(tiny, [1.0, 0.0]);
        let mut wide = [f32::MAX, f32::MIN];
        assert!(scale_to_one(&mut wide));
        assert_eq!(wide, [1.0, 0.0]);
    }
}
