//! Runs a method that makes each row's map of a layer's feature maps, with or without the gradient
//! of the explained output there.

use xbench_plugin::{Batch, Context, Error, ModelHandle, Result, TensorRef, Wrt};

use super::activation_map::{FeatureMaps, MapWriter};
use super::layer::{
    choose_layer, for_each_chunk, image_shape, layer_shape, one_hot, rows_per_call,
};

/// Which feature maps, and whether their sum is rectified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'p> {
    /// Name of the layer; empty for the last convolution.
    pub(crate) layer: &'p str,
    /// Sets negative values of the small map to zero before it is enlarged.
    pub(crate) relu: bool,
}

/// Fills `attribution` with the maps that `fill(features, gradient, map)` adds up for each row.
///
/// One forward and one backward row per row.
///
/// # Errors
/// When the input is no image, the layer is unknown or has no feature maps, or whatever
/// the model or the host answers.
pub(crate) fn explain_by_gradient(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    batch: &Batch<'_>,
    source: Source<'_>,
    attribution: &mut [f32],
    fill: impl Fn(FeatureMaps<'_>, FeatureMaps<'_>, &mut [f32]),
) -> Result<()> {
    let outputs = model.spec().outputs;
    let image = image_shape(batch.x.shape())?;
    let layers = model.layers()?;
    let chosen = choose_layer(&layers, source.layer)?;
    let (layer, row_len) = (chosen.name.as_str(), batch.x.row_len());
    let limit = rows_per_call(row_len.max(chosen.shape.iter().product()));
    for_each_chunk(ctx, batch, limit, |first, x| {
        let count = x.rows();
        let seed = one_hot(&batch.target[first..][..count], outputs);
        let pullback = model.vjp(
            ctx,
            x,
            TensorRef::new(&[count, outputs], &seed)?,
            Wrt::Layer(layer),
            true,
        )?;
        let features = pullback.activation.as_ref().ok_or_else(|| {
            Error::internal(format!("the model gave no activation of layer \"{layer}\""))
        })?;
        let maps = layer_shape(layer, features.shape(), count)?;
        let mut writer = MapWriter::new(maps, image, source.relu);
        let units = writer.units();
        for row in 0..count {
            let features = FeatureMaps::new(features.row(row), units);
            let gradient = FeatureMaps::new(pullback.gradient.row(row), units);
            writer.write(
                &mut attribution[(first + row) * row_len..][..row_len],
                |map| fill(features, gradient, map),
            );
        }
        Ok(())
    })
}

/// Fills `attribution` with the maps that `fill(row, features, map)` adds up for each row.
///
/// One forward row per row.
///
/// # Errors
/// As [`explain_by_gradient`].
pub(crate) fn explain_by_activation(
    ctx: &Context<'_>,
    model: &ModelHandle<'_>,
    batch: &Batch<'_>,
    source: Source<'_>,
    attribution: &mut [f32],
    fill: impl Fn(usize, FeatureMaps<'_>, &mut [f32]),
) -> Result<()> {
    let image = image_shape(batch.x.shape())?;
    let layers = model.layers()?;
    let chosen = choose_layer(&layers, source.layer)?;
    let (layer, row_len) = (chosen.name.as_str(), batch.x.row_len());
    let limit = rows_per_call(row_len.max(chosen.shape.iter().product()));
    for_each_chunk(ctx, batch, limit, |first, x| {
        let features = model.activation(ctx, x, layer)?;
        let maps = layer_shape(layer, features.shape(), x.rows())?;
        let mut writer = MapWriter::new(maps, image, source.relu);
        let units = writer.units();
        for row in 0..x.rows() {
            let features = FeatureMaps::new(features.row(row), units);
            writer.write(
                &mut attribution[(first + row) * row_len..][..row_len],
                |map| fill(first + row, features, map),
            );
        }
        Ok(())
    })
}
