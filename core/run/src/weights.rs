//! Where a model's weights come from.
//!
//! In order: the file the suite names; the plugin's own folder; the user's cache; training, on
//! first use, into the cache. What `xbench train` makes goes elsewhere and is used only where a
//! suite names it. The set's name is a part of the path, so that weights trained on
//! one set are never taken for another's.

use std::path::{Path, PathBuf};

use serde_json::json;
use xbench_data::{Locate, SetRef};
use xbench_host::PluginInfo;
use xbench_suite::{Chosen, Key, Kind};

use crate::bench::{Bench, hex};
use crate::error::RunError;
use crate::observer::Observer;
use crate::task::ModelRef;
use crate::train::{TrainOptions, set_info, train_plugin};

/// Capability of models that have weights to load.
const WEIGHTS: &str = "xbench.model.weights/1";
/// Capability of models that can be trained.
const FIT: &str = "xbench.model.fit/1";

/// The model with its weights, trained now if they are nowhere.
pub(crate) fn model_with_weights(
    bench: &Bench,
    chosen: &Chosen,
    data: &SetRef,
    offline: bool,
    observer: &dyn Observer,
) -> Result<ModelRef, RunError> {
    let plugin = bench.plugin(Kind::Model, &chosen.plugin.id)?;
    let weights = if let Some(path) = &chosen.weights {
        Some(existing(path)?)
    } else if plugin.provides(WEIGHTS) {
        Some(found_or_trained(
            bench, plugin, chosen, data, offline, observer,
        )?)
    } else {
        None
    };
    Ok(ModelRef {
        plugin: bench.reference(Kind::Model, chosen)?,
        weights,
    })
}

fn existing(path: &Path) -> Result<PathBuf, RunError> {
    let refused = |what: &str| RunError::Flag(format!("weights {}: {what}", path.display()));
    let found = path
        .canonicalize()
        .map_err(|error| refused(&format!("{error}\n  check the path")))?;
    // A device or a pipe may have no end.
    if !found.is_file() {
        return Err(refused(
            "not a regular file\n  name the file that the training has written",
        ));
    }
    Ok(found)
}

fn found_or_trained(
    bench: &Bench,
    plugin: &PluginInfo,
    chosen: &Chosen,
    data: &SetRef,
    offline: bool,
    observer: &dyn Observer,
) -> Result<PathBuf, RunError> {
    let preset = chosen.preset.as_deref().unwrap_or("default");
    let data_set = &set_info(data)?.id;
    let shipped = plugin
        .folder
        .join("weights")
        .join(data_set)
        .join(format!("{}.safetensors", stem(&plugin.short, preset)));
    // What is shipped was trained with the preset's own settings.
    if chosen.train.is_empty() && shipped.is_file() {
        return Ok(shipped);
    }
    let cache = cache_folder(data_set)?;
    let stem = format!(
        "{}-{}",
        stem(&plugin.short, preset),
        cache_key(plugin, chosen, data)?.short()
    );
    let cached = cache.join(format!("{stem}.{}", ending(chosen)));
    if cached.is_file() {
        return Ok(cached);
    }
    if !plugin.provides(FIT) {
        return Err(RunError::Plugin(format!(
            "{} has no weights for {data_set}: neither {} nor {} exists, and it cannot be trained; \
             name a file with `weights:`",
            plugin.short,
            shipped.display(),
            cached.display()
        )));
    }
    observer.notice(&format!(
        "{} (preset {preset}) has no weights for {data_set} yet: training now, kept in {}",
        plugin.short,
        cache.display()
    ));
    let options = TrainOptions {
        model: chosen.clone(),
        data: data.clone(),
        settings: chosen.train.clone(),
        threads: None,
        out: cache,
        stem,
        // Two runs may train at once; the files are renamed into place, and equal.
        force: true,
        offline,
    };
    Ok(train_plugin(bench, plugin, &options, observer)?.weights)
}

/// Name of a preset's files before their endings.
pub(crate) fn stem(short: &str, preset: &str) -> String {
    format!("{short}-{preset}")
}

/// Ending of a model's file of weights: what its parameter `format` says that it saves, where it
/// has one, so that other programs know the file by its name; else safetensors.
pub(crate) fn ending(chosen: &Chosen) -> &str {
    let format = chosen.params.get("format").and_then(|value| value.as_str());
    let word = |format: &&str| {
        (1..=12).contains(&format.len()) && format.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    format.filter(word).unwrap_or("safetensors")
}

/// What weights in the cache were made of: another plugin of the same name, other parameters or a
/// redrawn data set have files of their own.
///
/// A parameter `output` chooses among what a trained model gives: it is left out, so that all
/// choices share the weights.
fn cache_key(plugin: &PluginInfo, chosen: &Chosen, data: &SetRef) -> Result<Key, RunError> {
    let mut params = chosen.params.clone();
    if let Some(params) = params.as_object_mut() {
        params.remove("output");
    }
    let data = xbench_data::content_hash(data, &Locate::from_environment())?;
    Ok(Key::of(&json!({
        "identity": "weights/1",
        "model": plugin.id,
        "version": plugin.version,
        "params": params,
        "train": chosen.train,
        "data": hex(&data),
    })))
}

/// The user's folder of weights that were trained on first use.
fn cache_folder(data_set: &str) -> Result<PathBuf, RunError> {
    let cache = Locate::from_environment().cache.ok_or_else(|| {
        RunError::Files("no cache folder is known; set XBENCH_CACHE to a folder".to_owned())
    })?;
    Ok(cache.join("weights").join(data_set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_a_file_with_an_end() {
        let refusal = |path: &Path| existing(path).unwrap_err().to_string();
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(&folder.path().join("none.safetensors")).contains("check the path"));
        assert!(refusal(folder.path()).contains("not a regular file"));
        #[cfg(unix)]
        assert!(refusal(Path::new("/dev/zero")).contains("not a regular file"));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(existing(file.path()).is_ok());
    }
}
