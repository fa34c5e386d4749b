//! Any ONNX classifier as a model plugin, `org.xbench.onnx`: no code, only its file.
mod classes;
mod engine;
mod graph;
mod input;
mod layers;
mod network;
mod params;
pub mod plugin;
mod read;
mod tape;
mod tensors;
mod weights;
pub use params::OnnxParams;
pub use plugin::Onnx;
