//! FullGrad: the input's gradient together with the gradients of all biases.
//!
//! For a network whose non-linearities are ReLUs (and maxima), f(x) is the sum of x times the
//! input's gradient and of each bias times its gradient (proposition 2 of the paper). The bias of
//! channel c of a layer enters at each of the channel's units, where its gradient is that of the
//! unit's sum before the ReLU: the gradient behind the ReLU where the unit is active, and zero
//! elsewhere.
//!
//! The map adds up psi of the input part and psi of each channel's bias part over all convolutions,
//! psi = enlarge(rescale(abs(.))). Dense layers have no place in the image; the paper's map leaves
//! them out. With `signed` they take part.

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, LayerSpec, Meta, ModelHandle, Plugin, Result,
    TensorRef, Wrt, capability,
};

use super::layer::{for_each_chunk, image_shape, one_hot, rows_per_call};
use super::parts::{Absolute, Parts, Signed};

xbench_plugin::params! {
    /// Parameters of FullGrad.
    pub struct FullgradParams {
        /// Keep signs and sums in place of the paper's absolute and rescaled parts: for a network
        /// of ReLUs the attribution then adds up to the explained output. Each unit's part is
        /// spread over the pixels next to it, that of a dense layer over all.
        signed: bool = false;
        /// What is rescaled to 0..1 together, where not `signed`: each map, as in the paper's
        /// formula, or all maps of a layer, as in the authors' program.
        rescale: String = "map", ["map", "layer"];
    }
}

/// FullGrad (Srinivas and Fleuret 2019, proposition 2 and the section on convolutional nets),
/// enlarged bilinearly to the image.
///
/// Not negative unless `signed`; without a unit, as each part is rescaled, or with `signed` in
/// units of the explained output. A forward and a backward row per image, and another pair for each
/// layer with a bias. A part that is constant has no rescaled form and adds nothing.
///
/// A layer's ReLU shows in its values: where a row's values are nowhere negative, units at zero
/// count as inactive; where some are negative the layer has no ReLU and all units count, as do
/// those of the last layer. For other non-linearities the parts do not add up to the output.
#[derive(Clone, Debug)]
pub struct Fullgrad {
    params: FullgradParams,
}

impl Plugin for Fullgrad {
    const META: Meta = Meta {
        id: c"org.xbench.fullgrad",
        name: c"FullGrad",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"S. Srinivas, F. Fleuret, Full-Gradient Representation for Neural Network Visualization, 2019",
        summary: c"Input times gradient together with all biases times their gradients, each rescaled and enlarged.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = FullgradParams;

    fn create(params: FullgradParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

/// A layer that adds a bias.
struct Biased<'l> {
    name: &'l str,
    /// Of one row, without the example axis.
    shape: &'l [usize],
    biases: Vec<f32>,
    last: bool,
}

/// The layers that add a bias, in forward order.
fn biased<'l>(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    layers: &'l [LayerSpec],
) -> Result<Vec<Biased<'l>>> {
    let mut found = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let Some(biases) = model.biases(ctx, &layer.name)? else {
            continue;
        };
        if layer.shape.first() != Some(&biases.len()) || layer.shape.contains(&0) {
            return Err(Error::invalid_argument(format!(
                "layer \"{}\" has values of shape {:?} and {} biases; FullGrad needs one bias per \
                 channel or unit",
                layer.name,
                layer.shape,
                biases.len()
            )));
        }
        found.push(Biased {
            name: &layer.name,
            shape: &layer.shape,
            biases,
            last: i + 1 == layers.len(),
        });
    }
    Ok(found)
}

impl Biased<'_> {
    /// One row's bias times its gradient, unit by unit, into `part`.
    fn part(&self, value: &[f32], gradient: &[f32], part: &mut [f32]) {
        let rectified = !self.last && value.iter().all(|&value| value >= 0.0);
        let units = value.len() / self.biases.len();
        for (c, &bias) in self.biases.iter().enumerate() {
            for i in c * units..(c + 1) * units {
                part[i] = if rectified && value[i] <= 0.0 {
                    0.0
                } else {
                    bias * gradient[i]
                };
            }
        }
    }
}

impl Fullgrad {
    fn run(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
        parts: &mut dyn Parts,
    ) -> Result<()> {
        let (outputs, row_len) = (model.spec().outputs, batch.x.row_len());
        let layers = model.layers()?;
        let biased = biased(ctx, model, &layers)?;
        let largest = biased
            .iter()
            .map(|layer| layer.shape.iter().product())
            .fold(row_len, usize::max);
        let mut part = vec![0.0_f32; largest];
        for_each_chunk(ctx, batch, rows_per_call(largest), |first, x| {
            let count = x.rows();
            let out = &mut attribution[first * row_len..][..count * row_len];
            let seed = one_hot(&batch.target[first..][..count], outputs);
            let shape = [count, outputs];
            let seed = TensorRef::new(&shape, &seed)?;
            let pullback = model.vjp(ctx, x, seed, Wrt::Input, false)?;
            for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                let part = &mut part[..row_len];
                for ((part, &x), &gradient) in part
                    .iter_mut()
                    .zip(x.row(row))
                    .zip(pullback.gradient.row(row))
                {
                    *part = x * gradient;
                }
                parts.input(part, out);
            }
            for layer in &biased {
                let pullback = model.vjp(ctx, x, seed, Wrt::Layer(layer.name), true)?;
                let value = pullback.activation.as_ref().ok_or_else(|| {
                    Error::internal(format!(
                        "the model gave no activation of layer \"{}\"",
                        layer.name
                    ))
                })?;
                if value.shape()[1..] != *layer.shape {
                    return Err(Error::internal(format!(
                        "layer \"{}\" gives {:?}, expected rows of {:?}",
                        layer.name,
                        value.shape(),
                        layer.shape
                    )));
                }
                for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                    let value = value.row(row);
                    let part = &mut part[..value.len()];
                    layer.part(value, pullback.gradient.row(row), part);
                    parts.biases(part, layer.shape, out);
                }
            }
            Ok(())
        })
    }
}

impl Explainer for Fullgrad {
    const NEEDS: &'static [&'static std::ffi::CStr] =
        &[capability::LAYERS, capability::VJP, capability::BIASES];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let image = image_shape(batch.x.shape())?;
        if self.params.signed {
            self.run(ctx, model, batch, attribution, &mut Signed::new(image))
        } else {
            let together = self.params.rescale == "layer";
            let mut parts = Absolute::new(image, together);
            self.run(ctx, model, batch, attribution, &mut parts)
        }
    }
}
