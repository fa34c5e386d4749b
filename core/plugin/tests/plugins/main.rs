//! Plugins driven through their C entries: ours in Rust, and the example in C.
#![expect(
    unsafe_code,
    reason = "loads a library and reads the constant data of entries"
)]

mod c_model;
mod capabilities;
mod entry;
mod inner;
mod support;

use inner::Surrogate;
use support::{Faulty, InputXGradient, Liar, Oracle, Toy};

xbench_plugin::export! {
    model Toy: Layers, Vjp, Linear, Parameters, Weights, Fit, Segment, ModifiedVjp, ForwardFrom, Biases;
    explainer InputXGradient;
    explainer Oracle;
    explainer Faulty;
    model Liar: Layers;
    explainer Surrogate;
}
