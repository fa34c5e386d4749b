//! Ablation-CAM: feature maps weighted by how much the output drops without each of them.
//!
//! w_k = y - y_k, y the explained output and y_k the output with map k set to zero. The paper
//! divides by y, the same for all maps of a row: where y is positive that changes the map's scale
//! alone, where it is negative it would turn all signs, and at zero there is nothing to divide by.
//! So it is left out, and the map is in units of the output times features.

use xbench_plugin::{
    Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, TensorRef, capability,
};

use super::activation_map::{FeatureMaps, MapWriter, add_weighted};
use super::layer::{choose_layer, for_each_chunk, image_shape, layer_shape, rows_per_call};
use super::queue::Queue;

xbench_plugin::params! {
    /// Parameters of Ablation-CAM.
    pub struct AblationCamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// Ablation-CAM (Desai and Ramaswamy 2020, the slope that the section on the method defines),
/// without the division by the output, enlarged bilinearly to the image.
///
/// Not negative unless `relu` is off. Two forward rows per image, and another for each of its maps
/// that are not zero throughout; those start at the layer. A map that is zero throughout has the
/// weight zero by definition.
#[derive(Clone, Debug)]
pub struct AblationCam {
    params: AblationCamParams,
}

impl Plugin for AblationCam {
    const META: Meta = Meta {
        id: c"org.xbench.ablation-cam",
        name: c"Ablation-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"S. Desai, H. G. Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free Localization, 2020",
        summary: c"The feature maps of a convolution, weighted by how much the explained output drops when each is set to zero.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = AblationCamParams;

    fn create(params: AblationCamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

impl Explainer for AblationCam {
    const NEEDS: &'static [&'static std::ffi::CStr] =
        &[capability::LAYERS, capability::FORWARD_FROM];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let outputs = model.spec().outputs;
        let image = image_shape(batch.x.shape())?;
        let layers = model.layers()?;
        let chosen = choose_layer(&layers, &self.params.layer)?;
        let (layer, row_len) = (chosen.name.as_str(), batch.x.row_len());
        let limit = rows_per_call(row_len.max(chosen.shape.iter().product()));
        for_each_chunk(ctx, batch, limit, |first, x| {
            let features = model.activation(ctx, x, layer)?;
            let shape = layer_shape(layer, features.shape(), x.rows())?;
            let [maps, h, w] = shape;
            let units = h * w;
            let targets = &batch.target[first..][..x.rows()];
            // Per row: the output, then the output without each map.
            let mut scores = vec![None; x.rows() * (1 + maps)];
            let mut queue = Queue::new(
                &shape,
                outputs,
                |values: TensorRef<'_>, outputs: &mut [f32]| {
                    ctx.checkpoint(first as f64 / batch.x.rows() as f64)?;
                    model.forward_from(ctx, layer, values, outputs)
                },
                |place, outputs: &[f32]| {
                    scores[place] = Some(outputs[targets[place / (1 + maps)] as usize]);
                },
            );
            for row in 0..x.rows() {
                let (features, place) = (features.row(row), row * (1 + maps));
                queue.push(place, |values| values.copy_from_slice(features))?;
                for (map, range) in (0..maps).map(|map| (map, map * units..(map + 1) * units)) {
                    if features[range.clone()].iter().any(|&value| value != 0.0) {
                        queue.push(place + 1 + map, |values| {
                            values.copy_from_slice(features);
                            values[range].fill(0.0);
                        })?;
                    }
                }
            }
            queue.flush()?;
            drop(queue);
            let mut writer = MapWriter::new(shape, image, self.params.relu);
            for (row, scores) in scores.chunks_exact(1 + maps).enumerate() {
                let features = FeatureMaps::new(features.row(row), units);
                writer.write(
                    &mut attribution[(first + row) * row_len..][..row_len],
                    |sum| {
                        for (values, without) in features.iter().zip(&scores[1..]) {
                            if let (Some(with), Some(without)) = (scores[0], without) {
                                add_weighted(sum, with - without, values);
                            }
                        }
                    },
                );
            }
            Ok(())
        })
    }
}
