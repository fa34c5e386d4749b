//! Class activation mapping: M_c(i, j) = sum over k of w_kc f_k(i, j).
//!
//! Defined for networks whose output is linear in the spatial mean of a layer's feature maps f_k;
//! w_kc is the weight of map k in output c. The mean of M_c over the layer's units is the output
//! without its bias.

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use super::activation_map::add_weighted;
use super::feature_maps::{Source, explain_by_activation};
use super::layer::choose_layer;

xbench_plugin::params! {
    /// Parameters of CAM.
    pub struct CamParams {
        /// Set negative values of the map to zero before it is enlarged; the paper keeps them.
        relu: bool = false;
    }
}

/// CAM (Zhou et al. 2016, equation 2), enlarged bilinearly to the image.
///
/// Signed unless `relu`; in units of the explained output. One forward row per image.
#[derive(Clone, Debug)]
pub struct Cam {
    params: CamParams,
}

impl Plugin for Cam {
    const META: Meta = Meta {
        id: c"org.xbench.cam",
        name: c"CAM",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba, Learning Deep Features for Discriminative Localization, 2016",
        summary: c"The last feature maps, weighted by the class weights of a network that ends in global average pooling and a linear layer.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = CamParams;

    fn create(params: CamParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

impl Explainer for Cam {
    const NEEDS: &'static [&'static std::ffi::CStr] = &[capability::LAYERS, capability::LINEAR];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let (layer, head) = model.linear(ctx)?;
        let layers = model.layers()?;
        let maps = choose_layer(&layers, &layer)?.shape.first().copied();
        if maps != Some(head.weight.shape()[1]) {
            return Err(Error::invalid_argument(format!(
                "the linear head has weights {:?} [outputs, maps], but layer \"{layer}\" has {} maps",
                head.weight.shape(),
                maps.unwrap_or(0)
            )));
        }
        let source = Source {
            layer: &layer,
            relu: self.params.relu,
        };
        explain_by_activation(
            ctx,
            model,
            batch,
            source,
            attribution,
            |row, features, map| {
                let weights = head.weight.row(batch.target[row] as usize);
                for (features, &weight) in features.iter().zip(weights) {
                    add_weighted(map, weight, features);
                }
            },
        )
    }
}
