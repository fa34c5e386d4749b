//! A plain convolutional network and the same with dropout, to see what dropout changes.
//!
//! The study names dropout of 0.25 after each pooling and of 0.4 after the last convolution. It draws
//! the first layer's weights by He's rule; the others, and the plain network's, follow Keras' default.

use xbench_nn::Window;

use crate::network::{Architecture, Init, Layer, Op};
use crate::train::{Preset, Recipe};

/// The plain network for images `[channels, height, width]`, at least 18 pixels either way.
pub fn plain(input: [usize; 3], classes: usize) -> Architecture {
    let mut architecture = dropout(input, classes);
    architecture
        .layers
        .retain(|layer| !matches!(layer.op, Op::Dropout { .. }));
    Architecture {
        name: "cnn-plain",
        first_init: None,
        ..architecture
    }
}

/// The network with dropout for images `[channels, height, width]`, at least 18 pixels either way.
pub fn dropout(input: [usize; 3], classes: usize) -> Architecture {
    let layer = |name, op| Layer { name, op };
    let conv = |channels| Op::Conv {
        channels,
        window: Window::new([3, 3]),
    };
    let pool = Op::MaxPool(Window::new([2, 2]).stride([2, 2]));
    let drop = |rate| Op::Dropout { rate };
    let dense = |features, relu| Op::Dense { features, relu };
    Architecture {
        name: "cnn-dropout",
        input,
        layers: vec![
            layer("conv1", conv(32)),
            layer("pool1", pool),
            layer("drop1", drop(0.25)),
            layer("conv2", conv(64)),
            layer("pool2", pool),
            layer("drop2", drop(0.25)),
            layer("conv3", conv(128)),
            layer("drop3", drop(0.4)),
            layer("dense1", dense(128, true)),
            layer("dense2", dense(classes, false)),
        ],
        init: Init::Glorot,
        first_init: Some(Init::HeNormal),
    }
}

/// The recipe of a preset for the network with dropout.
///
/// The study's: Adam at 1e-3, a fifth of the images held out by random state 2023 (which seeds
/// this crate's own split). It does not say how long it trained, nor in what steps; 50 epochs with
/// 128 images a step are our choice.
pub fn recipe(preset: Preset, seed: u64) -> Recipe {
    match preset {
        Preset::Published => Recipe {
            epochs: 50,
            batch_size: 128,
            validation_share: 0.2,
            validation_seed: Some(2023),
            ..Recipe::plain(seed)
        },
        // Without decay, which underfits beside dropout; small steps and smoothed targets instead.
        Preset::Best => Recipe {
            epochs: 60,
            batch_size: 32,
            learning_rate: 1.2e-3,
            weight_decay: 0.0,
            label_smoothing: 0.1,
            validation_images: 1000,
            ..Recipe::one_cycle(seed)
        },
    }
}

/// The recipe of a preset for the plain network: the same, but that 20 published epochs show how
/// it overfits, and `best` is the usual one.
pub fn plain_recipe(preset: Preset, seed: u64) -> Recipe {
    match preset {
        Preset::Published => Recipe {
            epochs: 20,
            ..recipe(preset, seed)
        },
        Preset::Best => Recipe::one_cycle(seed),
    }
}
