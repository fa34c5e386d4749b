//! The gradient of each operator that computes.

mod common;

use common::build::Value::{Float, Int, Ints, Text};
use common::differences::{Attributes, check, check_kinked, model, net};
use xbench_plugin::{BackwardRule, Status, TensorRef, Wrt};

#[test]
fn convolutions() {
    let cases: [(&str, &[i64], usize, Attributes); 9] = [
        ("plain", &[3, 2, 3, 3], 3 * 2 * 3, vec![]),
        ("one by one", &[3, 2, 1, 1], 3 * 20, vec![]),
        (
            "padded",
            &[3, 2, 3, 3],
            3 * 4 * 5,
            vec![("pads", Ints(vec![1, 1, 1, 1]))],
        ),
        (
            "uneven",
            &[3, 2, 3, 2],
            3 * 3 * 3,
            vec![
                ("pads", Ints(vec![2, 0, 1, 1])),
                ("strides", Ints(vec![2, 2])),
            ],
        ),
        (
            "dilated",
            &[3, 2, 2, 2],
            3 * 4 * 4,
            vec![
                ("pads", Ints(vec![1, 1, 1, 0])),
                ("dilations", Ints(vec![2, 2])),
            ],
        ),
        (
            "same, upper",
            &[3, 2, 3, 3],
            3 * 2 * 3,
            vec![
                ("auto_pad", Text("SAME_UPPER")),
                ("strides", Ints(vec![2, 2])),
            ],
        ),
        (
            "same, lower",
            &[3, 2, 2, 4],
            3 * 4 * 5,
            vec![("auto_pad", Text("SAME_LOWER"))],
        ),
        (
            "depthwise",
            &[4, 1, 3, 2],
            4 * 2 * 4,
            vec![("group", Int(2))],
        ),
        (
            "few places",
            &[3, 2, 3, 3],
            3,
            vec![("strides", Ints(vec![3, 3]))],
        ),
    ];
    for (what, weights, outputs, attributes) in cases {
        let net = net(13)
            .weight("w", weights)
            .weight("b", &weights[..1])
            .node("Conv", "x w b", "z", &attributes);
        check(what, &net, outputs);
    }
    // Four channels in two groups, and one axis alone.
    let grouped = net(13)
        .node("Concat", "x x", "c", &[("axis", Int(1))])
        .weight("w", &[6, 2, 2, 2])
        .node(
            "Conv",
            "c w",
            "z",
            &[("group", Int(2)), ("strides", Ints(vec![2, 1]))],
        );
    check("grouped", &grouped, 6 * 2 * 4);
    let line = net(13)
        .ints("s", &[3], vec![0, 2, 20])
        .node("Reshape", "x s", "l", &[])
        .weight("w", &[3, 2, 4])
        .node(
            "Conv",
            "l w",
            "z",
            &[("strides", Ints(vec![3])), ("pads", Ints(vec![1, 2]))],
        );
    check("one axis", &line, 3 * 7);
}

#[test]
fn transposed_convolutions() {
    let cases: [(&str, &[i64], usize, Attributes); 4] = [
        ("plain", &[2, 3, 3, 3], 3 * 6 * 7, vec![]),
        (
            "strided",
            &[2, 3, 3, 2],
            3 * 8 * 9,
            vec![
                ("strides", Ints(vec![2, 2])),
                ("pads", Ints(vec![1, 0, 1, 1])),
                ("output_padding", Ints(vec![1, 0])),
            ],
        ),
        ("grouped", &[2, 2, 2, 2], 4 * 5 * 6, vec![("group", Int(2))]),
        (
            "same",
            &[2, 3, 3, 3],
            3 * 8 * 10,
            vec![
                ("auto_pad", Text("SAME_UPPER")),
                ("strides", Ints(vec![2, 2])),
            ],
        ),
    ];
    for (what, weights, outputs, attributes) in cases {
        let net = net(13)
            .weight("w", weights)
            .node("ConvTranspose", "x w", "z", &attributes);
        check(what, &net, outputs);
    }
}

#[test]
fn pools() {
    let cases: [(&str, &str, usize, Attributes); 8] = [
        ("plain", "MaxPool", 2 * 3 * 4, vec![]),
        (
            "strided",
            "MaxPool",
            2 * 2 * 2,
            vec![("strides", Ints(vec![2, 2]))],
        ),
        (
            "padded",
            "MaxPool",
            2 * 3 * 3,
            vec![
                ("strides", Ints(vec![2, 2])),
                ("pads", Ints(vec![1, 1, 1, 1])),
            ],
        ),
        (
            "rounded up",
            "MaxPool",
            2 * 2 * 3,
            vec![("strides", Ints(vec![2, 2])), ("ceil_mode", Int(1))],
        ),
        ("plain", "AveragePool", 2 * 3 * 4, vec![]),
        (
            "without padding counted",
            "AveragePool",
            2 * 3 * 3,
            vec![
                ("strides", Ints(vec![2, 2])),
                ("pads", Ints(vec![1, 1, 1, 1])),
            ],
        ),
        (
            "with padding counted",
            "AveragePool",
            2 * 3 * 3,
            vec![
                ("strides", Ints(vec![2, 2])),
                ("pads", Ints(vec![1, 1, 1, 1])),
                ("count_include_pad", Int(1)),
            ],
        ),
        (
            "rounded up",
            "AveragePool",
            2 * 2 * 3,
            vec![("strides", Ints(vec![2, 2])), ("ceil_mode", Int(1))],
        ),
    ];
    for (what, op, outputs, mut attributes) in cases {
        attributes.push(("kernel_shape", Ints(vec![2, 2])));
        check_kinked(what, &net(13).node(op, "x", "z", &attributes), outputs);
    }
    for op in ["GlobalAveragePool", "GlobalMaxPool"] {
        check_kinked(op, &net(13).node(op, "x", "z", &[]), 2);
    }
}

#[test]
fn normalisations() {
    let scaled = |opset, channels: &[i64]| net(opset).weight("s", channels).weight("b", channels);
    let batch = scaled(13, &[2])
        .weight("m", &[2])
        .floats("v", &[2], vec![0.5, 2.0])
        .node(
            "BatchNormalization",
            "x s b m v",
            "z",
            &[("epsilon", Float(0.1))],
        );
    check("batch", &batch, 40);
    let layer = scaled(17, &[5]).node("LayerNormalization", "x s b", "z", &[]);
    check("layer", &layer, 40);
    let wide = scaled(17, &[4, 5]).node("LayerNormalization", "x s b", "z", &[("axis", Int(2))]);
    check("layer, two axes", &wide, 40);
    let instance = scaled(13, &[2]).node("InstanceNormalization", "x s b", "z", &[]);
    check("instance", &instance, 40);
    for (opset, len) in [(18, 1), (21, 2)] {
        let group = scaled(opset, &[len]).node(
            "GroupNormalization",
            "x s b",
            "z",
            &[("num_groups", Int(1))],
        );
        check(&format!("group, version {opset}"), &group, 40);
    }
    for size in [1, 2, 3] {
        let response = net(13)
            .node("Concat", "x x x", "c", &[("axis", Int(1))])
            .node(
                "LRN",
                "c",
                "z",
                &[("size", Int(size)), ("alpha", Float(0.3))],
            );
        check(&format!("local response, {size}"), &response, 120);
    }
}

#[test]
fn softmaxes() {
    for op in ["Softmax", "LogSoftmax"] {
        for (opset, axis) in [(13, 1), (13, -1), (11, 1), (11, 3)] {
            let net = net(opset).node(op, "x", "z", &[("axis", Int(axis))]);
            check(&format!("{op}, version {opset}, axis {axis}"), &net, 40);
        }
    }
}

#[test]
fn products() {
    let flat = || {
        net(13)
            .ints("s", &[2], vec![4, 10])
            .node("Reshape", "x s", "f", &[])
    };
    for (turned_a, turned_b) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (k, m) = if turned_a == 1 { (4, 10) } else { (10, 4) };
        let dims = if turned_b == 1 { [3, k] } else { [k, 3] };
        let attributes = [
            ("transA", Int(turned_a)),
            ("transB", Int(turned_b)),
            ("alpha", Float(0.5)),
            ("beta", Float(2.0)),
        ];
        let left = flat()
            .weight("w", &dims)
            .weight("c", &[3])
            .node("Gemm", "f w c", "g", &attributes)
            .node("Unsqueeze", "g zero", "z", &[])
            .ints("zero", &[1], vec![0]);
        check(
            &format!("Gemm {turned_a} {turned_b}"),
            &left,
            m as usize * 3,
        );
        let dims = if turned_a == 1 { [10, 3] } else { [3, 10] };
        let right = flat()
            .node("Transpose", "f", "t", &[])
            .weight("w", &dims)
            .node(
                "Gemm",
                if turned_b == 1 { "w f" } else { "w t" },
                "g",
                &attributes[..2],
            )
            .ints("zero", &[1], vec![0])
            .node("Unsqueeze", "g zero", "z", &[]);
        check(
            &format!("Gemm on the right {turned_a} {turned_b}"),
            &right,
            12,
        );
    }
    let added = net(13)
        .ints("s", &[2], vec![4, 10])
        .node("Reshape", "x s", "f", &[])
        .weight("a", &[4, 3])
        .weight("b", &[3, 10])
        .node("Gemm", "a b f", "g", &[("beta", Float(0.5))])
        .ints("zero", &[1], vec![0])
        .node("Unsqueeze", "g zero", "z", &[]);
    check("Gemm, added", &added, 40);
    let right = net(13).weight("w", &[5, 3]).node("MatMul", "x w", "z", &[]);
    check("MatMul", &right, 24);
    let left = net(13).weight("w", &[3, 4]).node("MatMul", "w x", "z", &[]);
    check("MatMul, constant left", &left, 30);
    let batched = net(13)
        .weight("w", &[2, 5, 3])
        .node("MatMul", "x w", "z", &[]);
    check("MatMul, weights per channel", &batched, 24);
    let squared = net(13)
        .node("Transpose", "x", "t", &[("perm", Ints(vec![0, 1, 3, 2]))])
        .node("MatMul", "x t", "z", &[]);
    check("MatMul with itself", &squared, 32);
    let vector = net(13).weight("w", &[5]).node("MatMul", "x w", "z", &[]);
    check("MatMul with a vector", &vector, 8);
}

#[test]
fn functions_of_several() {
    let positive = |values: usize| (0..values).map(|i| 0.6 + (i % 7) as f32 * 0.3).collect();
    let base = || {
        net(13)
            .weight("w", &[2, 1, 1])
            .floats("p", &[4, 5], positive(20))
            .floats("three", &[], vec![3.0])
            .floats("half", &[1], vec![0.5])
            .node("Exp", "x", "e", &[])
    };
    for (what, op, inputs) in [
        ("broadcast", "Add", "x w"),
        ("twice", "Add", "x x"),
        ("first", "Sub", "x w"),
        ("second", "Sub", "p x"),
        ("constant", "Mul", "x w"),
        ("square", "Mul", "x x"),
        ("numerator", "Div", "x p"),
        ("denominator", "Div", "w e"),
        ("both", "Div", "x e"),
        ("cube", "Pow", "x three"),
        ("root", "Pow", "e half"),
        ("exponent", "Pow", "p x"),
        ("three", "Sum", "x e w"),
        ("three", "Mean", "x e w"),
    ] {
        check(
            &format!("{op}, {what}"),
            &base().node(op, inputs, "z", &[]),
            40,
        );
    }
    for (what, op, inputs) in [
        ("constant", "Max", "x half"),
        ("three", "Max", "x p w"),
        ("three", "Min", "x p w"),
        ("slopes", "PRelu", "x w"),
    ] {
        check_kinked(
            &format!("{op}, {what}"),
            &base().node(op, inputs, "z", &[]),
            40,
        );
    }
    // An operand that is smaller than the result and depends on the picture.
    let mean = net(13)
        .node("GlobalAveragePool", "x", "m", &[])
        .node("Mul", "x m", "z", &[]);
    check("gate", &mean, 40);
}

#[test]
fn functions_of_one() {
    for op in [
        "Sigmoid", "Tanh", "Softplus", "Erf", "Exp", "Sin", "Cos", "Mish", "Gelu", "Neg",
        "Softsign", "Identity",
    ] {
        check(op, &net(20).node(op, "x", "z", &[]), 40);
    }
    for op in ["Sqrt", "Log", "Reciprocal"] {
        let net = net(13).node("Exp", "x", "e", &[]).node(op, "e", "z", &[]);
        check(op, &net, 40);
    }
    for op in [
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "HardSigmoid",
        "HardSwish",
        "Abs",
        "ThresholdedRelu",
    ] {
        check_kinked(op, &net(14).node(op, "x", "z", &[]), 40);
    }
    let clip = net(13)
        .floats("low", &[], vec![-0.503])
        .floats("high", &[], vec![1.507])
        .node("Clip", "x low high", "z", &[]);
    check_kinked("Clip", &clip, 40);
    let old = net(6).node(
        "Clip",
        "x",
        "z",
        &[("min", Float(-0.503)), ("max", Float(1.507))],
    );
    check_kinked("Clip, version 6", &old, 40);
}

#[test]
fn an_operator_without_gradient_is_named_where_it_is_in_the_way() {
    let cumulated = net(13)
        .ints("axis", &[], vec![2])
        .node("CumSum", "x axis", "s", &[])
        .node("Exp", "s", "z", &[]);
    let model = model(&cumulated, 40);
    let x = vec![0.1; 40];
    let x = TensorRef::new(&[1, 2, 4, 5], &x).unwrap();
    let dy = vec![1.0; 40];
    let dy = TensorRef::new(&[1, 40], &dy).unwrap();
    model.predict(x).unwrap();
    let error = model.vjp(x, dy, Wrt::Input, false).unwrap_err();
    assert!(
        error.message().contains("`the_cumsum` (CumSum)"),
        "{}",
        error.message()
    );
    // Behind the operator, gradients are as ever.
    let back = model.vjp(x, dy, Wrt::Layer("the_exp"), false).unwrap();
    assert_eq!(back.gradient.data(), vec![1.0; 40]);
    let back = model.vjp(x, dy, Wrt::Layer("the_cumsum"), true).unwrap();
    let value = back.activation.unwrap();
    for (gradient, s) in back.gradient.data().iter().zip(value.data()) {
        assert!((gradient - s.exp()).abs() < 1e-5 * s.exp());
    }
}

/// Attention in windows has values of six axes, which no method for layers takes: they are no
/// layers, and in nobody's way.
#[test]
fn values_of_many_axes_are_no_layers() {
    let windows = net(13)
        .ints("shape", &[6], vec![0, 2, 2, 2, 1, 5])
        .node("Reshape", "x shape", "w", &[])
        .node("Exp", "w", "z", &[]);
    check("windows", &windows, 40);
    let model = model(&windows, 40);
    let layers = model.layers().unwrap();
    assert!(!layers.is_empty());
    assert!(layers.iter().all(|layer| layer.shape.len() <= 4));
    assert!(layers.iter().all(|layer| layer.name != "the_exp"));
}

/// z = -relu(x): from 1 behind it, -1 reaches ReLU, which both rules drop; from -1, 1 reaches it,
/// which guided passes where x is positive and deconvolution everywhere.
#[test]
fn rules_change_what_relu_passes_back() {
    let net = net(13)
        .node("Relu", "x", "r", &[])
        .node("Neg", "r", "z", &[]);
    let model = model(&net, 40);
    let x: Vec<f32> = (0..40)
        .map(|i| if i % 3 == 0 { -1.0 } else { 2.0 })
        .collect();
    let x = TensorRef::new(&[1, 2, 4, 5], &x).unwrap();
    let back = |dy: f32, rule| {
        let dy = vec![dy; 40];
        let dy = TensorRef::new(&[1, 40], &dy).unwrap();
        let pulled = match rule {
            None => model.vjp(x, dy, Wrt::Input, false),
            Some(rule) => model.modified_vjp(x, dy, rule, Wrt::Input, false),
        };
        pulled.unwrap().gradient.into_data()
    };
    let slope = back(-1.0, None);
    let highest = slope.iter().copied().fold(0.0, f32::max);
    assert!(highest > 0.0 && slope.contains(&0.0));
    for rule in [BackwardRule::Guided, BackwardRule::Deconvolution] {
        assert!(back(1.0, Some(rule)).iter().all(|&g| g == 0.0));
    }
    assert_eq!(back(-1.0, Some(BackwardRule::Guided)), slope);
    assert_eq!(
        back(-1.0, Some(BackwardRule::Deconvolution)),
        vec![highest; 40]
    );
    let dy = TensorRef::new(&[1, 40], &[1.0; 40]).unwrap();
    let error = model.modified_vjp(x, dy, BackwardRule::LrpZPlus, Wrt::Input, false);
    assert_eq!(error.unwrap_err().status(), Status::Unimplemented);
}
