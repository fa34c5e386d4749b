//! Convolutional networks as model plugins.
//!
//! [`network`] describes and runs small sequential networks, [`train`] trains them reproducibly,
//! [`cnn_gap`] and [`lenet`] are two of them, and [`plugin`] shows them to a host.

pub mod cnn_gap;
pub mod lenet;
pub mod network;
pub mod plugin;
pub mod train;
