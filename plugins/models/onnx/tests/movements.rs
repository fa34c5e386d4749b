//! The gradient of each operator that moves, gathers or resizes.

mod common;

use common::build::Value;
use common::build::Value::{Int, Ints, Text};
use common::differences::{Attributes, check, check_kinked, net};

#[test]
fn movements() {
    let base = || {
        net(18)
            .ints("one", &[1], vec![1])
            .ints("two", &[1], vec![2])
            .ints("last", &[1], vec![-1])
            .ints("far", &[1], vec![i64::MIN])
            .ints("sizes", &[2], vec![1, 3])
            .ints("picked", &[3], vec![2, -1, 2])
            .ints("shape", &[4], vec![0, 4, -1, 5])
            .ints("wider", &[5], vec![3, 1, 2, 4, 5])
            .ints("times", &[4], vec![1, 2, 1, 3])
            .ints("pads", &[8], vec![0, 0, 1, 2, 0, 0, 2, 1])
    };
    let perm = |order: &[i64]| vec![("perm", Ints(order.to_vec()))];
    let cases: [(&str, &str, usize, Attributes); 15] = [
        ("Transpose", "x", 40, perm(&[0, 2, 3, 1])),
        ("Transpose", "x", 40, perm(&[0, 3, 1, 2])),
        ("Reshape", "x shape", 40, vec![]),
        ("Slice", "x one last two", 2 * 2 * 5, vec![]),
        ("Slice", "x last far last last", 40, vec![]),
        ("Slice", "x one last last two", 2 * 4 * 2, vec![]),
        ("Gather", "x picked", 2 * 3 * 5, vec![("axis", Int(2))]),
        ("Gather", "x one", 20, vec![("axis", Int(1))]),
        ("Tile", "x times", 40 * 6, vec![]),
        ("Pad", "x pads", 2 * 7 * 8, vec![]),
        ("Pad", "x pads", 2 * 7 * 8, vec![("mode", Text("reflect"))]),
        ("Pad", "x pads", 2 * 7 * 8, vec![("mode", Text("edge"))]),
        ("Concat", "x x", 80, vec![("axis", Int(3))]),
        ("Unsqueeze", "x last", 40, vec![]),
        ("Dropout", "x", 40, vec![]),
    ];
    for (op, inputs, outputs, attributes) in cases {
        let net = base().node(op, inputs, "z", &attributes);
        check(&format!("{op}({inputs})"), &net, outputs);
    }
    let split = base()
        .node("Split", "x sizes", "a b", &[("axis", Int(2))])
        .node("Mul", "a b", "z", &[]);
    check("Split", &split, 30);
    let second = base().node("Split", "x sizes", "a z", &[("axis", Int(2))]);
    check("Split, second part", &second, 30);
    let expanded = base()
        .node("GlobalAveragePool", "x", "m", &[])
        .ints("out", &[4], vec![1, 2, 3, 2])
        .node("Expand", "m out", "z", &[]);
    check("Expand", &expanded, 12);
    let squeezed = base()
        .node("Unsqueeze", "x two", "u", &[])
        .node("Squeeze", "u two", "z", &[]);
    check("Squeeze", &squeezed, 40);
    let masked = base()
        .weight("w", &[4, 5])
        .floats("zero", &[1], vec![0.0])
        .node("Greater", "w zero", "mask", &[])
        .node("Exp", "x", "e", &[])
        .node("Where", "mask x e", "z", &[]);
    check("Where", &masked, 40);
    let blocks = |op: &str, mode: Option<&'static str>| {
        let mut attributes = vec![("blocksize", Int(2))];
        attributes.extend(mode.map(|mode| ("mode", Text(mode))));
        net(13)
            .node("Concat", "x x x x", "c", &[("axis", Int(1))])
            .weight("w", &[8, 4, 1])
            .node("Mul", "c w", "m", &[])
            .ints("from", &[1], vec![0])
            .ints("to", &[1], vec![4])
            .ints("axis", &[1], vec![3])
            .node("Slice", "m from to axis", "cut", &[])
            .node(op, "cut", "z", &attributes)
    };
    check("SpaceToDepth", &blocks("SpaceToDepth", None), 128);
    check("DepthToSpace", &blocks("DepthToSpace", Some("DCR")), 128);
    check(
        "DepthToSpace, CRD",
        &blocks("DepthToSpace", Some("CRD")),
        128,
    );
}

#[test]
fn reductions() {
    for op in [
        "ReduceMean",
        "ReduceSumSquare",
        "ReduceL2",
        "ReduceMax",
        "ReduceMin",
    ] {
        for (axes, keep, outputs) in [(vec![2, 3], 1, 2), (vec![-1], 0, 8), (vec![1], 1, 20)] {
            let attributes = [("axes", Ints(axes)), ("keepdims", Int(keep))];
            check_kinked(op, &net(11).node(op, "x", "z", &attributes), outputs);
        }
    }
    for op in ["ReduceSum", "ReduceMean"] {
        let listed =
            net(18)
                .ints("axes", &[2], vec![2, 1])
                .node(op, "x axes", "z", &[("keepdims", Int(0))]);
        check(&format!("{op}, axes as input"), &listed, 5);
    }
}

#[test]
fn resizes() {
    let sized = |attributes: &[(&str, Value)]| {
        net(13)
            .ints("sizes", &[4], vec![1, 2, 7, 8])
            .node("Resize", "x - - sizes", "z", attributes)
    };
    let scaled = |attributes: &[(&str, Value)]| {
        net(13)
            .floats("scales", &[4], vec![1.0, 1.0, 2.0, 3.0])
            .node("Resize", "x - scales", "z", attributes)
    };
    for coordinates in [
        "half_pixel",
        "align_corners",
        "asymmetric",
        "pytorch_half_pixel",
    ] {
        let place = ("coordinate_transformation_mode", Text(coordinates));
        let linear = [("mode", Text("linear")), place.clone()];
        check(&format!("linear, {coordinates}"), &sized(&linear), 112);
        check(
            &format!("linear by scale, {coordinates}"),
            &scaled(&linear),
            240,
        );
        for rounding in ["round_prefer_floor", "floor", "ceil"] {
            let nearest = [place.clone(), ("nearest_mode", Text(rounding))];
            check(
                &format!("nearest, {coordinates}, {rounding}"),
                &scaled(&nearest),
                240,
            );
        }
    }
}
