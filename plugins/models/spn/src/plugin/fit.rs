//! Training on the host's data.

use std::sync::Arc;

use serde_json::json;
use xbench_nn::Threads;
use xbench_plugin::{DataHandle, Error, FitMonitor, Result};

use crate::network::Network;
use crate::train::{Images, Recipe, train};

/// Rows asked of the host at once.
const READ: usize = 256;

/// Trains from freshly drawn weights. `settings` names a `preset`; any field of [`Recipe`] beside it
/// replaces the preset's. On failure the network is as before.
pub(super) fn fit(
    network: &mut Network,
    threads: &Arc<Threads>,
    data: &DataHandle<'_>,
    settings: &str,
    monitor: &mut dyn FitMonitor,
) -> Result<String> {
    let (preset, recipe) = Recipe::parse(settings)?;
    let architecture = network.graph().architecture;
    if data.input_shape() != architecture.input {
        return Err(Error::invalid_argument(format!(
            "the data are {:?}, the network takes {:?}",
            data.input_shape(),
            architecture.input
        )));
    }
    let read = Rows::read(data, network.input_len())?;
    let images = Images {
        pixels: &read.pixels,
        labels: &read.labels,
        masks: &read.masks,
        present: &read.present,
        validation: data.validation_rows(),
    };
    let report = train(network, images, &recipe, threads, monitor)?;
    let mut report = serde_json::to_value(&report)
        .map_err(|e| Error::internal(format!("the report of the training: {e}")))?;
    report["preset"] = json!(preset);
    report["depth"] = json!(architecture.depth);
    Ok(report.to_string())
}

struct Rows {
    pixels: Vec<u8>,
    labels: Vec<usize>,
    masks: Vec<u8>,
    present: Vec<bool>,
}

impl Rows {
    fn read(data: &DataHandle<'_>, size: usize) -> Result<Self> {
        let (n, area) = (
            data.len(),
            data.input_shape()[1..].iter().product::<usize>(),
        );
        let too_large = || Error::resource_exhausted("the training images do not fit into memory");
        let (all, area_of_all) = (
            n.checked_mul(size).ok_or_else(too_large)?,
            n.checked_mul(area).ok_or_else(too_large)?,
        );
        let mut rows = Rows {
            pixels: vec![0; all],
            labels: Vec::with_capacity(n),
            masks: vec![0; area_of_all],
            present: Vec::with_capacity(n),
        };
        for first in (0..n).step_by(READ) {
            let chosen: Vec<i64> = (first..(first + READ).min(n)).map(|i| i as i64).collect();
            let last = first + chosen.len();
            let mut labels = vec![0; chosen.len()];
            data.read(
                &chosen,
                &mut rows.pixels[first * size..last * size],
                &mut labels,
            )?;
            for label in labels {
                rows.labels.push(
                    usize::try_from(label).map_err(|_| {
                        Error::invalid_argument(format!("label {label} is negative"))
                    })?,
                );
            }
            let mut present = vec![0; chosen.len()];
            if data.has_masks() {
                let masks = &mut rows.masks[first * area..last * area];
                data.read_masks(&chosen, masks, &mut present)?;
            }
            rows.present.extend(present.iter().map(|&p| p != 0));
        }
        Ok(rows)
    }
}
