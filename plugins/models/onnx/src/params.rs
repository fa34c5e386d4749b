//! What a suite says about a model: the part that an ONNX file does not tell.

use xbench_plugin::params;

params! {
    /// How data become the network's input, and its outputs classes.
    pub struct OnnxParams {
        /// Shape of one example of the data: channels, height and width, or the number of features.
        input: Vec<usize> = &[1, 28, 28], 1..=65_536;
        /// Number of classes of the data.
        outputs: usize = 10, 1..=100_000;
        /// Order of the axes of the network's input: channels first or last.
        layout: String = "nchw", ["nchw", "nhwc"];
        /// Multiplies pixels, which are 0 to 1, before anything else: 255 for a network that takes bytes.
        scale: f32 = 1.0;
        /// Subtracted from the scaled pixels: one number, or one per channel (or feature).
        mean: Vec<f32> = &[0.0];
        /// Divides what is left: one number, or one per channel (or feature).
        std: Vec<f32> = &[1.0];
        /// How channels of the data become those of the network: repeat gives grey pictures to a network for colour.
        channels: String = "as-is", ["as-is", "repeat"];
        /// What the outputs are to be. Unless it is probabilities, a Softmax at the network's end is left out; auto refuses a network that gives probabilities in another way.
        output: String = "auto", ["auto", "logits", "probabilities"];
        /// Name of the network's output, where it has several and no other fits.
        output_name: Option<String> = None;
        /// Names of the classes in the order of the network's outputs; none when that is the data's order.
        classes: Vec<String> = &[];
        /// Names of the classes in the order of the data.
        data_classes: Vec<String> = &[];
    }
}
