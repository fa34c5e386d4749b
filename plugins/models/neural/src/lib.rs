//! Convolutional networks as model plugins.
//!
//! [`network`] describes and runs small sequential networks, [`train`] trains them reproducibly,
//! [`cnn_gap`], [`lenet`], [`cnn_dropout`] and [`hybrid_cnn`] are some of them, [`hybrid`] puts a
//! support vector machine on the last one's features, and [`plugin`] shows them to a host.

pub mod cnn_dropout;
pub mod cnn_gap;
pub mod hybrid;
pub mod hybrid_cnn;
pub mod lenet;
pub mod network;
pub mod plugin;
pub mod train;
