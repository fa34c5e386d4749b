//! CNN-GAP: three convolutions, a global average and one dense layer, so that the class
//! activation map of Zhou et al. (2016), Σ_k w_k^c f_k(x, y), is the network's own decision.

use xbench_nn::Window;

use crate::network::{Architecture, Init, Layer, Op};
use crate::train::{Preset, Recipe};

/// The layer whose channels the dense layer weighs.
pub const FEATURE_LAYER: &str = "conv3";
/// Its channels.
pub const FEATURES: usize = 64;
/// The layer that holds the class weights.
pub const HEAD_LAYER: &str = "dense";

/// The network for images `[channels, height, width]`, at least 18 pixels either way.
pub fn architecture(input: [usize; 3], classes: usize) -> Architecture {
    let conv = |channels| Op::Conv {
        channels,
        window: Window::new([3, 3]),
    };
    let pool = Op::MaxPool(Window::new([2, 2]).stride([2, 2]));
    Architecture {
        name: "cnn-gap",
        input,
        layers: vec![
            Layer {
                name: "conv1",
                op: conv(32),
            },
            Layer {
                name: "pool1",
                op: pool,
            },
            Layer {
                name: "conv2",
                op: conv(64),
            },
            Layer {
                name: "pool2",
                op: pool,
            },
            Layer {
                name: FEATURE_LAYER,
                op: conv(FEATURES),
            },
            Layer {
                name: "gap",
                op: Op::GlobalAverage,
            },
            Layer {
                name: HEAD_LAYER,
                op: Op::Dense {
                    features: classes,
                    relu: false,
                },
            },
        ],
        init: Init::Glorot,
        first_init: None,
    }
}

/// The recipe of a preset.
pub fn recipe(preset: Preset, seed: u64) -> Recipe {
    match preset {
        Preset::Published => Recipe::plain(seed),
        Preset::Best => Recipe::one_cycle(seed),
    }
}
