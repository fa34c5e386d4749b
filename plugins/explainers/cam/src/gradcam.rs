//! Gradient-weighted class activation mapping.
//!
//! The weight of a feature map is the spatial mean of the gradient of the explained output with
//! respect to it; the map is the rectified weighted sum. On a network that ends in global average
//! pooling and a linear layer the weights are CAM's divided by the number of units of a map, so
//! both methods give the same map up to that factor and the rectification.

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, LayerSpec, Meta, ModelHandle, Plugin, Result,
    TensorRef, Wrt, capability,
};

use crate::activation_map::{MapWriter, ROWS_PER_CALL, image_shape, layer_shape};

xbench_plugin::params! {
    /// Parameters of Grad-CAM.
    pub struct GradcamParams {
        /// Name of the layer whose feature maps are weighted; empty: the last convolution.
        layer: String = "";
        /// Set negative values of the map to zero before it is enlarged, as the paper does.
        relu: bool = true;
    }
}

/// Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), enlarged bilinearly to the image.
///
/// Not negative unless `relu` is off. One forward and one backward row per image.
#[derive(Clone, Debug)]
pub struct Gradcam {
    params: GradcamParams,
}

impl Plugin for Gradcam {
    const META: Meta = Meta {
        id: c"org.xbench.gradcam",
        name: c"Grad-CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017",
        summary: c"The feature maps of a convolution, weighted by the mean gradient of the explained output.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = GradcamParams;

    fn create(params: GradcamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// The layer that was asked for, or the last convolution.
fn choose_layer<'l>(layers: &'l [LayerSpec], wanted: &str) -> Result<&'l str> {
    let found = if wanted.is_empty() {
        layers.iter().rev().find(|layer| layer.op == "conv2d")
    } else {
        layers.iter().find(|layer| layer.name == wanted)
    };
    found.map(|layer| layer.name.as_str()).ok_or_else(|| {
        let known: Vec<String> = layers
            .iter()
            .map(|layer| format!("{} ({})", layer.name, layer.op))
            .collect();
        let problem = if wanted.is_empty() {
            "the model has no conv2d layer, so the parameter `layer` must name one".to_owned()
        } else {
            format!("the model has no layer \"{wanted}\"")
        };
        Error::not_found(format!("{problem}; its layers: {}", known.join(", ")))
    })
}

impl Explainer for Gradcam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::LAYERS, capability::VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let spec = model.spec();
        let image = image_shape(batch.x.shape())?;
        let layers = model.layers()?;
        let layer = choose_layer(&layers, &self.params.layer)?;
        let (rows, row_len) = (batch.x.rows(), batch.x.row_len());
        let mut shape = batch.x.shape().to_vec();
        let mut weights = Vec::new();
        for start in (0..rows).step_by(ROWS_PER_CALL) {
            ctx.checkpoint(start as f64 / rows as f64)?;
            let count = ROWS_PER_CALL.min(rows - start);
            let mut one_hot = vec![0.0; count * spec.outputs];
            for (row, &target) in batch.target[start..start + count].iter().enumerate() {
                one_hot[row * spec.outputs + target as usize] = 1.0;
            }
            shape[0] = count;
            let pullback = model.vjp(
                ctx,
                TensorRef::new(
                    &shape,
                    &batch.x.data()[start * row_len..][..count * row_len],
                )?,
                TensorRef::new(&[count, spec.outputs], &one_hot)?,
                Wrt::Layer(layer),
                true,
            )?;
            let features = pullback.activation.as_ref().ok_or_else(|| {
                Error::internal(format!("the model gave no activation of layer \"{layer}\""))
            })?;
            let maps = layer_shape(layer, features.shape(), count)?;
            let mut writer = MapWriter::new(maps, image, self.params.relu);
            let units = writer.units();
            for row in 0..count {
                let gradient = pullback.gradient.row(row);
                weights.clear();
                weights.extend(
                    gradient
                        .chunks_exact(units)
                        .map(|map| map.iter().sum::<f32>() / units as f32),
                );
                writer.write(
                    features.row(row),
                    &weights,
                    &mut attribution[(start + row) * row_len..][..row_len],
                );
            }
        }
        Ok(())
    }
}
