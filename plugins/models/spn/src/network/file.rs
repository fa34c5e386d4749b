//! Weights at rest: this model's own files, and torchvision's backbones.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use xbench_plugin::{Error, Result};

use super::graph::Graph;
use super::parameters::{Parameters, TensorName, names};

/// Largest file of backbone weights that is read: ResNet-50 takes 102 MB.
const LARGEST_FILE: u64 = 1 << 30;

/// Writes parameters as a safetensors file, without the SPN's when it was not trained.
///
/// # Errors
/// When the format refuses a tensor.
pub fn save(graph: &Graph, parameters: &Parameters, spn: bool) -> Result<Vec<u8>> {
    let refuse = |e: safetensors::SafeTensorError| Error::internal(format!("weights: {e}"));
    let named: Vec<(TensorName, Vec<u8>)> = names(graph)
        .into_iter()
        .zip(parameters.tensors(graph))
        .filter(|(name, _)| spn || !name.spn)
        .map(|(name, values)| (name, bytes(&values)))
        .collect();
    let mut views = Vec::new();
    for (name, values) in &named {
        let view = TensorView::new(Dtype::F32, name.shape.clone(), values).map_err(refuse)?;
        views.push((name.name.clone(), view));
    }
    safetensors::serialize(views, None).map_err(refuse)
}

/// Reads what [`save`] wrote, from anywhere: exactly this network's tensors in single precision,
/// finite, variances not negative. The second result says whether the SPN's are there.
///
/// # Errors
/// When it is not such a file; the tensor is named.
pub fn load(graph: &Graph, file: &[u8]) -> Result<(Parameters, bool)> {
    let mut views = read(file, "weights")?;
    let spn = views.keys().any(|name| name.starts_with("spn."));
    let mut parameters = Parameters::draw(graph, 0);
    for (i, name) in names(graph).iter().enumerate() {
        if !spn && name.spn {
            continue;
        }
        let view = views.remove(&name.name).ok_or_else(|| missing(name))?;
        parameters.set(graph, i, &values("weights", name, &view, &[Dtype::F32])?);
    }
    if let Some(name) = views.keys().next() {
        return Err(refused("weights", format!("unknown tensor '{name}'")));
    }
    Ok((parameters, spn))
}

/// Replaces the backbone by that of a safetensors file with torchvision's names, in single or half
/// precision; its own classifier (`fc.*`) and counters of batches are passed over. Gives the file's
/// SHA-256.
///
/// # Errors
/// When the file cannot be read or is not this backbone's; the tensor is named.
pub fn load_backbone(graph: &Graph, parameters: &mut Parameters, path: &Path) -> Result<String> {
    let what = format!("backbone {}", path.display());
    let unreadable = |e: std::io::Error| refused(&what, e.to_string());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(unreadable)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(refused(&what, "larger than 1 GiB".to_owned()));
    }
    set_backbone(graph, parameters, &bytes, &what)?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn set_backbone(graph: &Graph, parameters: &mut Parameters, file: &[u8], what: &str) -> Result<()> {
    let mut views = read(file, what)?;
    views.retain(|name, _| !name.starts_with("fc.") && !name.ends_with(".num_batches_tracked"));
    for (i, name) in names(graph).iter().enumerate() {
        if name.spn || name.name.starts_with("classifier.") {
            continue;
        }
        let view = views.remove(&name.name).ok_or_else(|| {
            let depth = graph.architecture.depth;
            refused(
                what,
                format!(
                    "no tensor '{}'; the file is not torchvision's ResNet-{depth}",
                    name.name
                ),
            )
        })?;
        let values = values(what, name, &view, &[Dtype::F32, Dtype::F16])?;
        parameters.set(graph, i, &values);
    }
    if let Some(name) = views.keys().next() {
        let depth = graph.architecture.depth;
        return Err(refused(
            what,
            format!("'{name}' is no tensor of torchvision's ResNet-{depth}"),
        ));
    }
    Ok(())
}

/// SHA-256 over name, shape and little-endian values of every tensor.
pub fn fingerprint(graph: &Graph, parameters: &Parameters, spn: bool) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, values) in names(graph).iter().zip(parameters.tensors(graph)) {
        if !spn && name.spn {
            continue;
        }
        hash.update((name.name.len() as u64).to_le_bytes());
        hash.update(name.name.as_bytes());
        hash.update((name.shape.len() as u64).to_le_bytes());
        for &size in &name.shape {
            hash.update((size as u64).to_le_bytes());
        }
        hash.update(bytes(&values));
    }
    hash.finalize().into()
}

fn read<'f>(file: &'f [u8], what: &str) -> Result<BTreeMap<String, TensorView<'f>>> {
    let tensors = SafeTensors::deserialize(file)
        .map_err(|e| refused(what, format!("not a readable safetensors file: {e}")))?;
    Ok(tensors.tensors().into_iter().collect())
}

fn values(
    what: &str,
    name: &TensorName,
    view: &TensorView<'_>,
    types: &[Dtype],
) -> Result<Vec<f32>> {
    let TensorName { name, shape, .. } = name;
    if !types.contains(&view.dtype()) {
        let text = format!("'{name}' is {:?}, expected {types:?}", view.dtype());
        return Err(refused(what, text));
    }
    if view.shape() != shape {
        let text = format!("'{name}' has shape {:?}, expected {shape:?}", view.shape());
        return Err(refused(what, text));
    }
    let values: Vec<f32> = if view.dtype() == Dtype::F16 {
        let (pairs, _) = view.data().as_chunks::<2>();
        pairs.iter().map(|b| half(u16::from_le_bytes(*b))).collect()
    } else {
        let (fours, _) = view.data().as_chunks::<4>();
        fours.iter().map(|b| f32::from_le_bytes(*b)).collect()
    };
    if values.len() != shape.iter().product::<usize>() {
        let text = format!("'{name}' has {} bytes", view.data().len());
        return Err(refused(what, text));
    }
    let variance = name.ends_with(".running_var");
    let wrong = |v: f32| !v.is_finite() || (variance && v < 0.0);
    if let Some((i, value)) = values.iter().enumerate().find(|(_, v)| wrong(**v)) {
        return Err(refused(what, format!("'{name}', value {i}, is {value}")));
    }
    Ok(values)
}

/// A number in half precision (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn missing(name: &TensorName) -> Error {
    refused(
        "weights",
        format!(
            "no tensor '{}'; the file is not for a resnet-spn of this depth and size",
            name.name
        ),
    )
}

fn refused(what: &str, why: String) -> Error {
    Error::invalid_argument(format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Architecture;

    #[test]
    fn half_precision_by_hand() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x0400, 2.0_f32.powi(-14)),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    fn small() -> Graph {
        Graph::new(Architecture {
            input: [3, 16, 16],
            outputs: 3,
            depth: 18,
            width: 4,
        })
        .unwrap()
    }

    type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

    /// A file as torchvision would name it, in single precision.
    fn torchvision(graph: &Graph) -> Tensors {
        let mut tensors: Tensors = names(graph)
            .into_iter()
            .zip(Parameters::draw(graph, 7).tensors(graph))
            .filter(|(n, _)| !n.spn && !n.name.starts_with("classifier."))
            .map(|(n, v)| (n.name, Dtype::F32, n.shape, bytes(&v)))
            .collect();
        tensors.push(("fc.bias".into(), Dtype::F32, vec![1], vec![0; 4]));
        let counter = "bn1.num_batches_tracked".to_owned();
        tensors.push((counter, Dtype::I64, vec![], vec![0; 8]));
        tensors
    }

    fn file(tensors: &Tensors) -> Vec<u8> {
        let views = tensors.iter().map(|(name, dtype, shape, data)| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name.clone(), view)
        });
        safetensors::serialize(views, None).unwrap()
    }

    #[test]
    fn a_backbone_is_taken_over_and_the_rest_stays() {
        let graph = small();
        let mut parameters = Parameters::draw(&graph, 1);
        let (before, theirs) = (parameters.tensors(&graph), Parameters::draw(&graph, 7));
        set_backbone(&graph, &mut parameters, &file(&torchvision(&graph)), "b").unwrap();
        let (after, theirs) = (parameters.tensors(&graph), theirs.tensors(&graph));
        for (i, name) in names(&graph).iter().enumerate() {
            let own = name.spn || name.name.starts_with("classifier.");
            let want = if own { &before[i] } else { &theirs[i] };
            assert_eq!(&after[i], want, "{}", name.name);
        }
        let mut halves = torchvision(&graph);
        let one = halves.iter_mut().find(|t| t.0 == "bn1.weight").unwrap();
        (one.1, one.3) = (Dtype::F16, [0x00, 0x3e].repeat(4));
        set_backbone(&graph, &mut parameters, &file(&halves), "b").unwrap();
        assert_eq!(parameters.norms[0].weight, [1.5; 4]);
    }

    #[test]
    fn a_wrong_backbone_is_refused_by_the_name_of_the_tensor() {
        let graph = small();
        let good = torchvision(&graph);
        let at = good
            .iter()
            .position(|t| t.0 == "layer3.0.downsample.0.weight")
            .unwrap();
        let (mut absent, mut shaped, mut typed, mut wild) =
            (good.clone(), good.clone(), good.clone(), good.clone());
        absent.remove(at);
        shaped[at].2.swap(0, 1);
        typed[at].1 = Dtype::I32;
        wild[at].3[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        let mut deeper = good;
        deeper.push((
            "layer1.2.conv1.weight".into(),
            Dtype::F32,
            vec![1],
            vec![0; 4],
        ));
        for (bad, name) in [
            (absent, "layer3.0.downsample.0.weight"),
            (shaped, "layer3.0.downsample.0.weight"),
            (typed, "layer3.0.downsample.0.weight"),
            (wild, "layer3.0.downsample.0.weight"),
            (deeper, "layer1.2.conv1.weight"),
        ] {
            let mut parameters = Parameters::draw(&graph, 1);
            let refused = set_backbone(&graph, &mut parameters, &file(&bad), "b").unwrap_err();
            assert!(refused.message().contains(name), "{}", refused.message());
        }
        let mut parameters = Parameters::draw(&graph, 1);
        assert!(set_backbone(&graph, &mut parameters, b"text", "b").is_err());
        let nowhere = Path::new("no/such/file.safetensors");
        let refused = load_backbone(&graph, &mut parameters, nowhere).unwrap_err();
        assert!(
            refused.message().contains("no/such/file"),
            "{}",
            refused.message()
        );
    }
}
