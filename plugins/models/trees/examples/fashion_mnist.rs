//! Boosting on Fashion-MNIST outside a host: for choosing settings and for timing.
//!
//! ```text
//! XBENCH_DATA=DATA cargo run --release -p xbench-models-trees --example fashion_mnist -- \
//!     '{"max_depth": 6}' [--test] [--threads N]
//! ```
//!
//! `--test` shows the scores of the test set instead of a tenth of the training set; it is not for
//! choosing settings.
#![expect(clippy::print_stdout, reason = "prints what it measures")]

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use xbench_models_trees::boost::{self, Bins, BoostData, BoostSettings};
use xbench_models_trees::settings;
use xbench_nn::Threads;
use xbench_plugin::{FitMonitor, FitStep, Result};

struct Print(Instant);

impl FitMonitor for Print {
    fn step(&mut self, step: &FitStep) -> Result<()> {
        let seconds = self.0.elapsed().as_secs_f64();
        if step.epoch <= 3 || step.epoch.is_multiple_of(10) {
            println!(
                "round {:4}  {seconds:7.2} s  {:.3} s/round  train {:.4} {:.4}  held out {:.4} {:.4}",
                step.epoch,
                seconds / f64::from(step.epoch),
                step.loss,
                step.accuracy,
                step.validation_loss,
                step.validation_accuracy
            );
        }
        Ok(())
    }
}

fn read(folder: &Path, name: &str, header: usize) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(folder.join(name))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
    Ok(bytes.split_off(header))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.first().map_or("{}", String::as_str);
    let after = |flag: &str| arguments.iter().position(|a| a == flag).map(|i| i + 1);
    let threads = after("--threads").and_then(|i| arguments.get(i)?.parse().ok());
    let threads = Threads::new(threads.unwrap_or(2))?;
    let folder = std::env::var("XBENCH_DATA")? + "/fashion-mnist";
    let folder = Path::new(&folder);
    let mut pixels = read(folder, "train-images-idx3-ubyte.gz", 16)?;
    let mut labels = read(folder, "train-labels-idx1-ubyte.gz", 8)?;
    let training = if after("--test").is_some() {
        pixels.extend(read(folder, "t10k-images-idx3-ubyte.gz", 16)?);
        labels.extend(read(folder, "t10k-labels-idx1-ubyte.gz", 8)?);
        60_000
    } else {
        54_000
    };
    let settings = settings::read::<BoostSettings>(given, &boost::PRESETS, boost::ROUNDS)?.values;
    let start = Instant::now();
    let data = BoostData {
        bins: Bins::of_pixels(&threads, &pixels, 784, training, settings.max_bin as usize),
        labels: labels.into_iter().map(u32::from).collect(),
        classes: 10,
        training,
    };
    println!("binned in {:.2} s", start.elapsed().as_secs_f64());
    let mut monitor = Print(Instant::now());
    let state = boost::train(
        &threads,
        &data,
        &settings,
        None,
        &mut monitor,
        &mut |_, _| Ok(()),
    )?;
    println!(
        "{} trees, {} nodes",
        state.ensemble.roots.len(),
        state.ensemble.num_nodes()
    );
    Ok(())
}
