//! Which layer is weighted, its shape, and how many rows fit into one call of the model.

use xbench_plugin::{Batch, Context, Error, LayerSpec, Result, TensorRef};

/// Most rows handed to the model in one call.
const ROWS_PER_CALL: usize = 256;
/// Most values, of the input or of a layer, handed over in one call: 64 MiB.
const VALUES_PER_CALL: usize = 1 << 24;

/// Rows per call where a row has at most `values` values; 1 to 256.
pub(crate) fn rows_per_call(values: usize) -> usize {
    (VALUES_PER_CALL / values.max(1)).clamp(1, ROWS_PER_CALL)
}

/// Channels, height and width of the model's input.
///
/// # Errors
/// Unimplemented when the input is no image.
pub(crate) fn image_shape(shape: &[usize]) -> Result<[usize; 3]> {
    match shape {
        &[_, c, h, w] if c > 0 && h > 0 && w > 0 => Ok([c, h, w]),
        _ => Err(Error::unimplemented(format!(
            "a map over the image needs input of shape [n, channels, height, width], not \
             {shape:?}"
        ))),
    }
}

/// Channels, height and width of a layer's activation of shape [n, k, h, w].
///
/// # Errors
/// Invalid argument when the layer has no spatial extent, or another number of rows.
pub(crate) fn layer_shape(layer: &str, shape: &[usize], rows: usize) -> Result<[usize; 3]> {
    match shape {
        &[n, k, h, w] if n == rows && k > 0 && h > 0 && w > 0 => Ok([k, h, w]),
        _ => Err(Error::invalid_argument(format!(
            "layer \"{layer}\" gives {shape:?} for {rows} rows; a layer of feature maps \
             [n, maps, height, width] is needed: choose a convolution"
        ))),
    }
}

/// The layer that was asked for, or, where `wanted` is empty, the last convolution.
///
/// # Errors
/// Not found when the model has no such layer, unimplemented when it has no convolution; the text
/// lists the layers that it has.
pub(crate) fn choose_layer<'l>(layers: &'l [LayerSpec], wanted: &str) -> Result<&'l LayerSpec> {
    let found = if wanted.is_empty() {
        layers.iter().rev().find(|layer| layer.op == "conv2d")
    } else {
        layers.iter().find(|layer| layer.name == wanted)
    };
    found.ok_or_else(|| {
        let known: Vec<String> = layers
            .iter()
            .map(|layer| format!("{} ({})", layer.name, layer.op))
            .collect();
        let known = known.join(", ");
        if wanted.is_empty() {
            Error::unimplemented(format!(
                "the model has no conv2d layer, so the parameter `layer` must name one; its \
                 layers: {known}"
            ))
        } else {
            Error::not_found(format!(
                "the model has no layer \"{wanted}\"; its layers: {known}"
            ))
        }
    })
}

/// Calls `visit(first, rows)` for runs of at most `limit` rows of the batch, in order.
///
/// # Errors
/// Whatever `visit` or the host answers, deadline and cancellation included.
pub(crate) fn for_each_chunk(
    ctx: &Context<'_>,
    batch: &Batch<'_>,
    limit: usize,
    mut visit: impl FnMut(usize, TensorRef<'_>) -> Result<()>,
) -> Result<()> {
    let (rows, row_len) = (batch.x.rows(), batch.x.row_len());
    let mut shape = batch.x.shape().to_vec();
    for first in (0..rows).step_by(limit) {
        ctx.checkpoint(first as f64 / rows as f64)?;
        let count = limit.min(rows - first);
        shape[0] = count;
        let values = &batch.x.data()[first * row_len..][..count * row_len];
        visit(first, TensorRef::new(&shape, values)?)?;
    }
    Ok(())
}

/// Ones at each row's target, [targets, outputs]: the output gradient of the explained outputs.
pub(crate) fn one_hot(targets: &[i64], outputs: usize) -> Vec<f32> {
    let mut seed = vec![0.0; targets.len() * outputs];
    for (row, &target) in targets.iter().enumerate() {
        seed[row * outputs + target as usize] = 1.0;
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rows_make_small_calls() {
        assert_eq!(rows_per_call(784), 256);
        assert_eq!(rows_per_call(1 << 20), 16);
        assert_eq!(rows_per_call(usize::MAX), 1);
        assert_eq!(rows_per_call(0), 256);
    }

    #[test]
    fn the_last_convolution_unless_named() {
        let layer = |name: &str, op: &str| LayerSpec {
            name: name.to_owned(),
            op: op.to_owned(),
            shape: vec![1],
        };
        let layers = [
            layer("a", "conv2d"),
            layer("b", "conv2d"),
            layer("c", "linear"),
        ];
        assert_eq!(choose_layer(&layers, "").expect("found").name, "b");
        assert_eq!(choose_layer(&layers, "a").expect("found").name, "a");
        let why = choose_layer(&layers[2..], "").expect_err("no convolution");
        assert!(why.message().contains("c (linear)"), "{}", why.message());
    }
}
