//! Class activation maps: explainers that weight the feature maps of a layer, and FullGrad, which
//! gathers all layers.
//!
//! Each makes one small map per row, [h, w] of the layer, and enlarges it to the image. Enlarging
//! is a plain resize, as the papers define it. It takes the map's corners for the image's corners,
//! which is not quite where the units look: with valid convolutions and pooling that drops odd
//! rows, the receptive fields of a layer's units lie off the resized cells. In a network of three
//! valid 3x3 convolutions and two 2x2 poolings, 28 pixels become 3 units whose receptive fields
//! start at pixels 0, 4 and 8 and are 18 pixels wide: their centres are the pixels 8.5, 12.5 and
//! 16.5, where the resize puts 4.2, 13.5 and 22.8; the pixels 26 and 27 reach no unit at all, and
//! still get values. A localisation score sees that shift; it is a property of the methods and is
//! not corrected here.
//!
//! An attribution has the shape of the input, [n, channels, height, width], while a map has one
//! value per pixel: each channel gets the map divided by the number of channels, so that the sum
//! over the channels is the map.
//!
//! `resize`, `layer` and `activation_map` depend on the SDK and on each other alone.

mod ablation_cam;
mod activation_map;
mod cam;
mod eigencam;
mod feature_maps;
mod fullgrad;
mod gradcam;
mod gradcam_plus_plus;
mod guided_gradcam;
mod hirescam;
mod layer;
mod layercam;
mod parts;
mod principal;
mod queue;
mod resize;
mod scorecam;
mod xgradcam;

pub use ablation_cam::{AblationCam, AblationCamParams};
pub use cam::{Cam, CamParams};
pub use eigencam::{Eigencam, EigencamParams};
pub use fullgrad::{Fullgrad, FullgradParams};
pub use gradcam::{Gradcam, GradcamParams};
pub use gradcam_plus_plus::{GradcamPlusPlus, GradcamPlusPlusParams};
pub use guided_gradcam::{GuidedGradcam, GuidedGradcamParams};
pub use hirescam::{Hirescam, HirescamParams};
pub use layercam::{Layercam, LayercamParams};
pub use resize::Resize;
pub use scorecam::{Scorecam, ScorecamParams};
pub use xgradcam::{Xgradcam, XgradcamParams};

xbench_plugin::export! {
    explainer Cam;
    explainer Gradcam;
    explainer GradcamPlusPlus;
    explainer Xgradcam;
    explainer Hirescam;
    explainer Layercam;
    explainer Eigencam;
    explainer Scorecam;
    explainer AblationCam;
    explainer Fullgrad;
    explainer GuidedGradcam;
}
