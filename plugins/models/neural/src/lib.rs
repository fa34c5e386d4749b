//! Convolutional networks as model plugins.

pub mod cnn_gap;
pub mod lenet;
pub mod network;
pub mod train;
