//! LIME: a linear surrogate of the model around one input, on segments or columns.
//!
//! Neighbours of an input are drawn, the model is asked about them, and a weighted ridge regression of
//! its answers on the neighbours' features is fitted, nearer ones counting more. The coefficients are
//! the explanation, and the regression's R² says how far to believe them.

mod lime;
mod neighbours;
mod selection;
mod surrogate;
mod sweep;

pub use lime::{Lime, LimeParams};

xbench_plugin::export! {
    explainer Lime;
}
