//! Trains one of the models from files in IDX format:
//! `train_offline DATA_FOLDER MODEL PRESET OUTPUT_FOLDER [THREADS [SEED]]`.
//!
//! Writes `<model>-<preset>.safetensors`, `.recipe.json` and `.curve.csv`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use xbench_models_neural::network::Network;
use xbench_models_neural::train::{Epsilon, Images, Preset, Progress, Recipe, evaluate, train};
use xbench_models_neural::{cnn_gap, lenet};
use xbench_nn::Threads;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn idx(path: &Path, header: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut bytes)?;
    Ok(bytes.get(header..).ok_or("truncated file")?.to_vec())
}

fn images(folder: &Path, part: &str) -> Result<(Vec<u8>, Vec<usize>)> {
    let pixels = idx(&folder.join(format!("{part}-images-idx3-ubyte.gz")), 16)?;
    let labels = idx(&folder.join(format!("{part}-labels-idx1-ubyte.gz")), 8)?;
    Ok((pixels, labels.into_iter().map(usize::from).collect()))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, model, preset, output, rest @ ..] = arguments.as_slice() else {
        return Err("usage: train_offline DATA MODEL PRESET OUTPUT [THREADS [SEED]]".into());
    };
    let threads = rest.first().map_or(Ok(2), |t| t.parse())?;
    let seed = rest.get(1).map_or(Ok(2025), |s| s.parse())?;
    let preset = Preset::from_name(preset).ok_or("PRESET is published or best")?;
    let (architecture, epsilon) = match model.as_str() {
        "cnn-gap" => (cnn_gap::architecture([1, 28, 28], 10), Epsilon::Keras),
        "lenet" => (lenet::architecture([1, 28, 28], 10), Epsilon::Keras),
        _ => return Err("MODEL is cnn-gap or lenet".into()),
    };
    let (pixels, labels) = images(Path::new(folder), "train")?;
    let (test_pixels, test_labels) = images(Path::new(folder), "t10k")?;
    let recipe = Recipe::preset(preset, epsilon, seed);
    let threads = Arc::new(Threads::new(threads)?);
    let mut network = Network::new(architecture, seed)?;
    let data = Images {
        pixels: &pixels,
        labels: &labels,
    };
    let report = train(
        &mut network,
        data,
        &recipe,
        Arc::clone(&threads),
        &mut |progress| {
            if let Progress::Epoch(e) = progress {
                println!(
                    "epoch {}/{}: train {:.4} {:.4}  validation {:.4} {:.4}  {:.1} s",
                    e.epoch,
                    e.epochs,
                    e.train_loss,
                    e.train_accuracy,
                    e.validation_loss,
                    e.validation_accuracy,
                    e.seconds
                );
            }
            Ok(())
        },
    )?;
    let rows: Vec<usize> = (0..test_labels.len()).collect();
    let test_data = Images {
        pixels: &test_pixels,
        labels: &test_labels,
    };
    let test = evaluate(&network, &threads, test_data, &rows)?;
    println!(
        "kept epoch {}: train {:.4} {:.4}, validation {:.4} {:.4}, test {:.4} {:.4}",
        report.kept_epoch,
        report.train_loss,
        report.train_accuracy,
        report.validation_loss,
        report.validation_accuracy,
        test.loss,
        test.accuracy
    );

    let weights = network.save()?;
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let mut curve = String::from(
        "epoch,step,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n",
    );
    for e in &report.curve {
        writeln!(
            curve,
            "{},{},{:.6},{:.6},{:.6},{:.6},{:.3e},{:.2}",
            e.epoch,
            e.step,
            e.train_loss,
            e.train_accuracy,
            e.validation_loss,
            e.validation_accuracy,
            e.learning_rate,
            e.seconds
        )?;
    }
    let mut recipe = serde_json::to_value(&report)?;
    recipe["model"] = network.architecture().name.into();
    recipe["preset"] = preset.name().into();
    recipe["data_set"] = "fashion-mnist".into();
    recipe["parameters"] = network.parameter_count().into();
    recipe["test_images"] = rows.len().into();
    recipe["test_loss"] = test.loss.into();
    recipe["test_accuracy"] = test.accuracy.into();
    recipe["weights_sha256"] = hex(&Sha256::digest(&weights)).into();
    recipe["fingerprint"] = hex(&network.fingerprint()).into();
    let path = |ending: &str| Path::new(output).join(format!("{model}-{}.{ending}", preset.name()));
    std::fs::create_dir_all(output)?;
    std::fs::write(path("safetensors"), weights)?;
    std::fs::write(path("curve.csv"), curve)?;
    std::fs::write(
        path("recipe.json"),
        serde_json::to_string_pretty(&recipe)? + "\n",
    )?;
    Ok(())
}
