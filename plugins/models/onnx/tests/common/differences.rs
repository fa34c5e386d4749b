//! Gradients against central differences of the engine's own forward pass.

use xbench_plugin::testing::TestModel;
use xbench_plugin::{TensorRef, Wrt};

use super::build::{Net, Value};
use super::{ID, host, params};

/// Attributes of a node.
pub(crate) type Attributes = Vec<(&'static str, Value)>;

/// Pictures are 2 × 4 × 5 unless a test says otherwise.
pub(crate) const SHAPE: [usize; 3] = [2, 4, 5];

pub(crate) fn net(opset: i64) -> Net {
    Net::new(opset, &[0, 2, 4, 5])
}

/// Loads a net whose last node makes `z`, flattened to the outputs.
pub(crate) fn model(net: &Net, outputs: usize) -> TestModel {
    let net = net.clone().node("Flatten", "z", "y", &[]);
    let mut params = params(&SHAPE, outputs);
    params["scale"] = 4.0.into();
    params["mean"] = vec![1.108].into();
    params["output"] = "logits".into();
    let mut model = host().model(ID, &params.to_string()).unwrap();
    model.load(&net.bytes()).unwrap();
    model
}

/// Compares with differences over a smooth stretch: steps h and 2h, extrapolated.
pub(crate) fn check(what: &str, net: &Net, outputs: usize) {
    compare(what, net, outputs, 4e-3, 1e-3);
}

/// The same where the function has kinks: pixels are at least 0.004 apart.
pub(crate) fn check_kinked(what: &str, net: &Net, outputs: usize) {
    compare(what, net, outputs, 2.5e-4, 4e-3);
}

fn compare(what: &str, net: &Net, outputs: usize, h: f32, tolerance: f32) {
    let model = model(net, outputs);
    let count = SHAPE.iter().product::<usize>();
    let x: Vec<f32> = (0..count)
        .map(|i| (i * 7919 % 251) as f32 / 250.0)
        .collect();
    let dy: Vec<f32> = (0..outputs)
        .map(|i| ((i * 31 + 7) % 17) as f32 / 8.0 - 1.0)
        .collect();
    let shape = [1, SHAPE[0], SHAPE[1], SHAPE[2]];
    let dy_shape = [1, outputs];
    let back = model
        .vjp(
            TensorRef::new(&shape, &x).unwrap(),
            TensorRef::new(&dy_shape, &dy).unwrap(),
            Wrt::Input,
            false,
        )
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let value = |x: &[f32]| {
        let y = model.predict(TensorRef::new(&shape, x).unwrap()).unwrap();
        y.data()
            .iter()
            .zip(&dy)
            .map(|(y, dy)| f64::from(*y) * f64::from(*dy))
            .sum::<f64>()
    };
    let slope = |i: usize, h: f32| {
        let mut moved = x.clone();
        let (up, down) = (x[i] + h, x[i] - h);
        moved[i] = up;
        let above = value(&moved);
        moved[i] = down;
        (above - value(&moved)) / f64::from(up - down)
    };
    let expected: Vec<f64> = (0..count)
        .map(|i| (4.0 * slope(i, h) - slope(i, 2.0 * h)) / 3.0)
        .collect();
    let scale = expected.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
    for (i, (found, expected)) in back.gradient.data().iter().zip(&expected).enumerate() {
        let off = (f64::from(*found) - expected).abs() / scale;
        assert!(
            off < f64::from(tolerance),
            "{what}, pixel {i}: {found}, by differences {expected}"
        );
    }
}
