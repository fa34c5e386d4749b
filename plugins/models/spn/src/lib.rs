//! ResNet with a saliency prediction network (SPN), as a model plugin.
//!
//! A residual network (He et al. 2016) gives feature maps; a classification net of two dense layers
//! names the class from their mean, and the SPN enlarges them step by step into a mask of the
//! object. Training the mask along with the class is meant to draw the network's attention to the
//! object: loss = cross-entropy + λ · localisation loss.
//!
//! [`network`] describes and runs the network, [`train`] trains it reproducibly, [`plugin`] shows it
//! to a host. Values are channel-last, `[images, height, width, channels]`, from the first layer to
//! the last, so that the kernels of `xbench-nn` need no rearranging in between.

pub mod network;
pub mod plugin;
pub mod train;
