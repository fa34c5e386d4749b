//! Putting the network together, with torchvision's names.

use xbench_nn::Window;
use xbench_nn::kernel::conv::Conv;
use xbench_nn::kernel::pool::Pool;
use xbench_nn::kernel::resize::{Resize, Sampling};
use xbench_plugin::{Error, Result};

use super::graph::{Architecture, ConvPlace, Graph, NamedValue, Node, Op, Shape, VectorPlace};

/// Units of the hidden dense layer of the classification net.
const HIDDEN: usize = 1024;

/// Longest side of an image: far beyond what these networks see, and small enough that the tables
/// of positions stay small.
const LONGEST_SIDE: usize = 1024;

/// Sizes of the SPN's maps at 224 pixels; other images get the same proportions.
const SPN_SIZES: [usize; 4] = [16, 48, 144, 224];

impl Graph {
    /// Plans a network.
    ///
    /// # Errors
    /// When there is no such depth, or the images have other than 1 or 3 channels or are too large.
    pub fn new(architecture: Architecture) -> Result<Self> {
        let Architecture {
            input: [channels, height, width],
            outputs,
            depth,
            width: base,
        } = architecture;
        if channels != 1 && channels != 3 {
            return Err(Error::invalid_argument(format!(
                "input: {channels} channels; resnet-spn takes 1 (grey) or 3 (RGB)"
            )));
        }
        if height == 0 || width == 0 || height.max(width) > LONGEST_SIDE {
            return Err(Error::invalid_argument(format!(
                "input: images of {height}x{width} pixels; sides are 1 to {LONGEST_SIDE}"
            )));
        }
        let (blocks, bottleneck) = match depth {
            18 => ([2, 2, 2, 2], false),
            34 => ([3, 4, 6, 3], false),
            50 => ([3, 4, 6, 3], true),
            _ => {
                return Err(Error::invalid_argument(format!(
                    "depth: {depth}; there are 18, 34 and 50"
                )));
            }
        };
        let mut graph = Graph {
            architecture,
            nodes: Vec::new(),
            convs: Vec::new(),
            norms: Vec::new(),
            biases: Vec::new(),
            layers: Vec::new(),
            groups: Vec::new(),
            logits: 0,
        };
        graph.backbone(base, blocks, bottleneck)?;
        let features = graph.nodes.len();
        graph.classifier(outputs)?;
        graph.spn(features)?;
        Ok(graph)
    }

    fn backbone(&mut self, base: usize, blocks: [usize; 4], bottleneck: bool) -> Result<()> {
        let window = |size: usize, stride: usize| {
            Window::new([size; 2])
                .stride([stride; 2])
                .padding([size / 2; 2])
        };
        let group = self.group("stem");
        let stem = self.conv_norm(0, "conv1", "bn1", base, window(7, 2), true, group)?;
        self.layer("stem", "conv2d", stem);
        let [height, width, channels] = self.shape(stem);
        let pool = Pool::new([height, width], channels, window(3, 2), false).map_err(refused)?;
        let [height, width] = pool.output();
        let mut value = self.push(Op::MaxPool(pool), stem, [height, width, channels]);
        self.layer("maxpool", "max_pool2d", value);
        let expansion = if bottleneck { 4 } else { 1 };
        for (stage, &count) in blocks.iter().enumerate() {
            let planes = base << stage;
            for block in 0..count {
                let name = format!("layer{}.{block}", stage + 1);
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let group = self.group(&name);
                let from = value;
                let convs = if bottleneck {
                    vec![
                        (planes, window(1, 1)),
                        (planes, window(3, stride)),
                        (planes * expansion, window(1, 1)),
                    ]
                } else {
                    vec![(planes, window(3, stride)), (planes, window(3, 1))]
                };
                let last = convs.len();
                let mut branch = from;
                for (i, (channels, window)) in convs.into_iter().enumerate() {
                    let (conv, norm) = (
                        format!("{name}.conv{}", i + 1),
                        format!("{name}.bn{}", i + 1),
                    );
                    let relu = i + 1 < last;
                    branch = self.conv_norm(branch, &conv, &norm, channels, window, relu, group)?;
                }
                let out = planes * expansion;
                let other = if stride != 1 || self.shape(from)[2] != out {
                    let (conv, norm) = (
                        format!("{name}.downsample.0"),
                        format!("{name}.downsample.1"),
                    );
                    self.conv_norm(from, &conv, &norm, out, window(1, stride), false, group)?
                } else {
                    from
                };
                value = self.push(Op::AddRelu { other }, branch, self.shape(branch));
                // A block ends in a convolution; methods that look for the last one take the last
                // block, as is usual for residual networks.
                self.layer(&name, "conv2d", value);
            }
        }
        Ok(())
    }

    fn classifier(&mut self, outputs: usize) -> Result<()> {
        let features = self.nodes.len();
        let [height, width, channels] = self.shape(features);
        let pool = Pool::new(
            [height, width],
            channels,
            Window::new([height, width]),
            false,
        )
        .map_err(refused)?;
        let mean = self.push(Op::Average(pool), features, [1, 1, channels]);
        self.layer("avgpool", "global_avg_pool2d", mean);
        let mut value = mean;
        for (name, outputs, relu) in [
            ("classifier.0", HIDDEN, true),
            ("classifier.2", outputs, false),
        ] {
            let inputs = self.shape(value)[2];
            let group = self.group(name);
            let conv = Conv::new([1, 1], inputs, outputs, Window::new([1, 1]), 1);
            value = self.conv_bias(
                value,
                name,
                conv.map_err(refused)?,
                vec![outputs, inputs],
                relu,
                group,
            );
            self.layer(name, "linear", value);
        }
        self.logits = value;
        Ok(())
    }

    fn spn(&mut self, features: usize) -> Result<()> {
        let [_, height, width] = self.architecture.input;
        let channels = self.shape(features)[2];
        let thinner = |n: usize| (channels / n).max(1);
        let mut value = features;
        for (i, channels) in [thinner(4), thinner(16), 16, 1].into_iter().enumerate() {
            let [h, w, inputs] = self.shape(value);
            let window = Window::new([3, 3]).padding([1, 1]);
            let conv = Conv::new([h, w], inputs, channels, window, 1).map_err(refused)?;
            let shape = vec![channels, inputs, 3, 3];
            value = self.conv_bias(value, &format!("spn.{i}.conv"), conv, shape, true, None);
            let size = [height, width].map(|side| spn_side(side, i));
            let resize = Resize::new([h, w], size, Sampling::Bilinear);
            value = self.push(Op::Resize(resize), value, [size[0], size[1], channels]);
            let norm = self.norm(&format!("spn.{i}.bn"), channels, None);
            value = self.push(Op::Norm { norm }, value, [size[0], size[1], channels]);
        }
        Ok(())
    }

    fn push(&mut self, op: Op, from: usize, shape: Shape) -> usize {
        self.nodes.push(Node { op, from, shape });
        self.nodes.len()
    }

    fn layer(&mut self, name: &str, op: &'static str, value: usize) {
        self.layers.push(NamedValue {
            name: name.to_owned(),
            op,
            value,
        });
    }

    fn group(&mut self, name: &str) -> usize {
        self.groups.push(name.to_owned());
        self.groups.len() - 1
    }

    fn norm(&mut self, name: &str, len: usize, group: Option<usize>) -> usize {
        self.norms.push(VectorPlace {
            name: name.to_owned(),
            len,
            group,
        });
        self.norms.len() - 1
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what torchvision's layers are made of"
    )]
    fn conv_norm(
        &mut self,
        from: usize,
        conv_name: &str,
        norm_name: &str,
        channels: usize,
        window: Window,
        relu: bool,
        group: usize,
    ) -> Result<usize> {
        let [height, width, inputs] = self.shape(from);
        let conv = Conv::new([height, width], inputs, channels, window, 1).map_err(refused)?;
        let [height, width] = conv.output();
        self.convs.push(ConvPlace {
            name: conv_name.to_owned(),
            conv,
            shape: vec![channels, inputs, window.kernel[0], window.kernel[1]],
            group: Some(group),
        });
        let norm = self.norm(norm_name, channels, Some(group));
        let conv = self.convs.len() - 1;
        let op = Op::ConvNorm { conv, norm, relu };
        Ok(self.push(op, from, [height, width, channels]))
    }

    fn conv_bias(
        &mut self,
        from: usize,
        name: &str,
        conv: Conv,
        shape: Vec<usize>,
        relu: bool,
        group: impl Into<Option<usize>>,
    ) -> usize {
        let group = group.into();
        let ([height, width], channels) = (conv.output(), conv.out_channels());
        self.biases.push(VectorPlace {
            name: name.to_owned(),
            len: channels,
            group,
        });
        self.convs.push(ConvPlace {
            name: name.to_owned(),
            conv,
            shape,
            group,
        });
        let op = Op::ConvBias {
            conv: self.convs.len() - 1,
            bias: self.biases.len() - 1,
            relu,
        };
        self.push(op, from, [height, width, channels])
    }
}

/// Side of the SPN's map after block `i`, in proportion to that at 224 pixels.
fn spn_side(side: usize, i: usize) -> usize {
    if i + 1 == SPN_SIZES.len() {
        return side;
    }
    ((side * SPN_SIZES[i] + 112) / 224).max(1)
}

fn refused(error: xbench_nn::Error) -> Error {
    Error::invalid_argument(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(depth: usize, side: usize) -> Graph {
        Graph::new(Architecture {
            input: [3, side, side],
            outputs: 2,
            depth,
            width: 64,
        })
        .unwrap()
    }

    #[test]
    fn the_published_sizes_at_224_pixels() {
        for (depth, channels) in [(18, 512), (34, 512), (50, 2048)] {
            let graph = graph(depth, 224);
            let last = graph
                .layers
                .iter()
                .rev()
                .find(|l| l.op == "conv2d")
                .unwrap();
            assert_eq!(graph.shape(last.value), [7, 7, channels]);
            let spn: Vec<Shape> = graph
                .nodes
                .iter()
                .filter(|n| matches!(n.op, Op::Norm { .. }))
                .map(|n| n.shape)
                .collect();
            let (quarter, sixteenth) = (channels / 4, channels / 16);
            assert_eq!(
                spn,
                [
                    [16, 16, quarter],
                    [48, 48, sixteenth],
                    [144, 144, 16],
                    [224, 224, 1]
                ]
            );
            assert_eq!(graph.shape(graph.logits), [1, 1, 2]);
        }
    }

    #[test]
    fn small_images_keep_the_proportions() {
        let graph = graph(18, 64);
        let last = graph
            .layers
            .iter()
            .rev()
            .find(|l| l.op == "conv2d")
            .unwrap();
        assert_eq!(
            (last.name.as_str(), graph.shape(last.value)),
            ("layer4.1", [2, 2, 512])
        );
        assert_eq!([0, 1, 2, 3].map(|i| spn_side(64, i)), [5, 14, 41, 64]);
        assert_eq!(graph.shape(graph.mask()), [64, 64, 1]);
    }

    #[test]
    fn impossible_networks_are_refused() {
        let good = Architecture {
            input: [1, 32, 32],
            outputs: 2,
            depth: 18,
            width: 8,
        };
        assert!(Graph::new(good).is_ok());
        for bad in [
            Architecture { depth: 19, ..good },
            Architecture {
                input: [2, 32, 32],
                ..good
            },
            Architecture {
                input: [1, 0, 32],
                ..good
            },
            Architecture {
                input: [1, 32, 1_000_000],
                ..good
            },
        ] {
            assert!(Graph::new(bad).is_err(), "{bad:?}");
        }
    }
}
