//! One epoch of training.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use xbench_nn::Threads;
use xbench_nn::kernel::loss;
use xbench_nn::op::cross_entropy;
use xbench_plugin::rng::CounterRng;

use super::checkpoint::State;
use super::optimiser::Adam;
use super::{EpochReport, Images, Monitor, Progress, Recipe, Split, augment, evaluate};
use crate::network::{Network, NetworkError, Noise, Tape};

/// Streams of the seed, one for each purpose. The network's weights use the seed itself, the split
/// a stream of its own.
const ORDER: u64 = 1 << 32;
const AUGMENT: u64 = (1 << 32) + 2;
const DROPOUT: u64 = (1 << 32) + 3;

/// What all epochs of a training share.
pub(super) struct Trainer<'a> {
    data: Images<'a>,
    recipe: &'a Recipe,
    split: &'a Split,
    threads: Arc<Threads>,
    input: [usize; 3],
    adam: Adam,
    tape: Tape,
    /// A network that gets the weights to be judged.
    judge: Network,
    pixels: Vec<f32>,
}

/// What a batch reached.
struct Step {
    loss: f64,
    right: usize,
    gradient: Vec<f32>,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        network: &Network,
        data: Images<'a>,
        recipe: &'a Recipe,
        split: &'a Split,
        threads: Arc<Threads>,
    ) -> Self {
        Trainer {
            data,
            recipe,
            split,
            input: network.architecture().input,
            adam: Adam::new(network, recipe),
            tape: Tape::new(network, Arc::clone(&threads)),
            judge: network.duplicate(),
            threads,
            pixels: Vec::new(),
        }
    }

    /// Trains the epoch after the state's, and judges its weights on the images held out.
    pub(super) fn epoch(
        &mut self,
        state: &mut State,
        monitor: &mut dyn Monitor,
    ) -> Result<EpochReport, NetworkError> {
        let start = Instant::now();
        let recipe = self.recipe;
        let epoch = state.epoch + 1;
        let order = CounterRng::new(recipe.seed)
            .stream(ORDER)
            .stream(epoch as u64)
            .permutation(self.split.training.len());
        let batches = order.len().div_ceil(recipe.batch_size);
        let steps = batches * recipe.epochs;
        let (mut loss_sum, mut right, mut seen) = (0.0, 0usize, 0usize);
        let mut learning_rate = 0.0;
        for (batch, chosen) in order.chunks(recipe.batch_size).enumerate() {
            let images: Vec<usize> = chosen.iter().map(|&i| self.split.training[i]).collect();
            let reached = self.batch(state, epoch, &images)?;
            learning_rate = recipe.learning_rate_at(state.step, steps);
            self.adam.step(state, &reached.gradient, learning_rate);
            if let (Some(decay), Some(average)) = (recipe.average_decay, &mut state.average) {
                // Short memory at first, or the average would carry the initial weights along.
                let step = state.step as f64;
                let decay = decay.min((1.0 + step) / (10.0 + step)) as f32;
                for (average, &now) in average.iter_mut().zip(&state.weights) {
                    *average = decay * *average + (1.0 - decay) * now;
                }
            }
            loss_sum += reached.loss * images.len() as f64;
            right += reached.right;
            seen += images.len();
            monitor
                .progress(Progress::Batch {
                    epoch,
                    epochs: recipe.epochs,
                    batch: batch + 1,
                    batches,
                    loss: loss_sum / seen as f64,
                    accuracy: right as f64 / seen as f64,
                    learning_rate,
                })
                .map_err(NetworkError::Cancelled)?;
        }
        self.judge.set_parameters(state.judged())?;
        let reached = evaluate(
            &self.judge,
            &self.threads,
            self.data,
            &self.split.validation,
        )?;
        Ok(EpochReport {
            epoch,
            epochs: recipe.epochs,
            step: state.step,
            steps,
            train_loss: loss_sum / seen as f64,
            train_accuracy: right as f64 / seen as f64,
            validation_loss: reached.loss,
            validation_accuracy: reached.accuracy,
            learning_rate,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Loss and gradient on the images of these numbers, altered as the recipe says.
    fn batch(
        &mut self,
        state: &State,
        epoch: usize,
        images: &[usize],
    ) -> Result<Step, NetworkError> {
        let rng = CounterRng::new(self.recipe.seed);
        let moves = rng.stream(AUGMENT).stream(epoch as u64);
        let [channels, height, width] = self.input;
        let size = channels * height * width;
        self.pixels.resize(images.len() * size, 0.0);
        for (&image, to) in images.iter().zip(self.pixels.chunks_exact_mut(size)) {
            let from = &self.data.pixels[image * size..(image + 1) * size];
            let change = augment::Change::draw(self.recipe, moves, image as u64);
            augment::apply(from, [height, width], change, to);
        }
        let labels: Vec<usize> = images.iter().map(|&i| self.data.labels[i]).collect();
        let shape = (images.len(), channels, height, width);
        let x = Tensor::from_slice(&self.pixels, shape, &Device::Cpu)?;
        let parameters = Var::from_slice(&state.weights, state.weights.len(), &Device::Cpu)?;
        let noise = Noise::new(
            rng.stream(DROPOUT).stream(state.step as u64),
            images.iter().map(|&i| i as u64).collect(),
        );
        let logits = self.tape.forward_noisy(&x, &parameters, noise)?;
        let loss = cross_entropy(&logits, &labels, self.recipe.label_smoothing)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(NetworkError::Diverged {
                epoch,
                step: state.step + 1,
                loss: value,
            });
        }
        let gradients = loss.backward()?;
        let Some(gradient) = gradients.get(&parameters) else {
            return Err(NetworkError::Setting(
                "no gradient reached the parameters".into(),
            ));
        };
        let rows = logits.flatten_all()?.to_vec1::<f32>()?;
        let right = rows
            .chunks_exact(self.judge.outputs())
            .zip(&labels)
            .filter(|(row, label)| loss::argmax(row) == **label)
            .count();
        Ok(Step {
            loss: value,
            right,
            gradient: gradient.to_vec1::<f32>()?,
        })
    }
}
