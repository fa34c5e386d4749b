//! Five convolutions that keep the image's size, pooled down to one pixel, and a dense layer on
//! the 256 averages: the network whose features the hybrid gives to a support vector machine.
//!
//! The features are pooled behind the fifth convolution's ReLU. The study trained in Keras and
//! does not say how weights were drawn; Keras' defaults are taken.

use xbench_nn::Window;

use crate::network::{Architecture, Init, Layer, Op};
use crate::train::{Preset, Recipe};

/// The layer whose channels the dense layer weighs.
pub const FEATURE_LAYER: &str = "conv5";
/// The layer of the averages that the support vector machine gets.
pub const POOLED_LAYER: &str = "gap";
/// Its length.
pub const FEATURES: usize = 256;
/// The layer that holds the class weights.
pub const HEAD_LAYER: &str = "dense";

/// The network for images `[channels, height, width]`, at least 16 pixels either way.
pub fn architecture(input: [usize; 3], classes: usize) -> Architecture {
    let layer = |name, op| Layer { name, op };
    let conv = |channels| Op::Conv {
        channels,
        window: Window::new([3, 3]).padding([1, 1]),
    };
    let pool = Op::MaxPool(Window::new([2, 2]).stride([2, 2]));
    let dense = Op::Dense {
        features: classes,
        relu: false,
    };
    Architecture {
        name: "hybrid-cnn",
        input,
        layers: vec![
            layer("conv1", conv(16)),
            layer("pool1", pool),
            layer("conv2", conv(32)),
            layer("pool2", pool),
            layer("conv3", conv(64)),
            layer("pool3", pool),
            layer("conv4", conv(128)),
            layer("pool4", pool),
            layer(FEATURE_LAYER, conv(FEATURES)),
            layer(POOLED_LAYER, Op::GlobalAverage),
            layer(HEAD_LAYER, dense),
        ],
        init: Init::Glorot,
        first_init: None,
    }
}

/// The recipe of a preset. The study's: five epochs of Adam at 1e-3 with 32 images a step. The
/// best one is short, since the hybrid is trained where it is first used: twelve epochs of one
/// cycle with flips, at a shorter average than longer trainings have.
pub fn recipe(preset: Preset, seed: u64) -> Recipe {
    match preset {
        Preset::Published => Recipe {
            epochs: 5,
            batch_size: 32,
            ..Recipe::plain(seed)
        },
        Preset::Best => Recipe {
            epochs: 12,
            batch_size: 64,
            learning_rate: 3e-3,
            shift: 0,
            average_decay: Some(0.995),
            ..Recipe::one_cycle(seed)
        },
    }
}
