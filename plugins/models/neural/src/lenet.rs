//! LeNet after LeCun et al. (1998), with ReLU, average pooling and 120 and 64 hidden units.
//!
//! The study does not say how its weights were drawn; Keras' defaults are taken, as for CNN-GAP.

use xbench_nn::Window;

use crate::network::{Architecture, Init, Layer, Op};
use crate::train::{Preset, Recipe};

/// The network for images `[channels, height, width]`, at least 12 pixels either way.
pub fn architecture(input: [usize; 3], classes: usize) -> Architecture {
    let pool = Op::AveragePool(Window::new([2, 2]).stride([2, 2]));
    let five = Window::new([5, 5]);
    Architecture {
        name: "lenet",
        input,
        layers: vec![
            Layer {
                name: "conv1",
                op: Op::Conv {
                    channels: 6,
                    window: five.padding([2, 2]),
                },
            },
            Layer {
                name: "pool1",
                op: pool,
            },
            Layer {
                name: "conv2",
                op: Op::Conv {
                    channels: 16,
                    window: five,
                },
            },
            Layer {
                name: "pool2",
                op: pool,
            },
            Layer {
                name: "dense1",
                op: Op::Dense {
                    features: 120,
                    relu: true,
                },
            },
            Layer {
                name: "dense2",
                op: Op::Dense {
                    features: 64,
                    relu: true,
                },
            },
            Layer {
                name: "dense3",
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
