//! Files that are no models, or not such as they should be: an error each, no panic.

mod common;

use common::build::Value::{Int, Ints};
use common::build::{Net, tensor_info};
use common::{ID, host, params, read};
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{StringStringEntryProto, TensorProto, type_proto};
use xbench_plugin::Status;

/// Why a file is refused for pictures of 2 × 4 × 5 and 3 classes.
fn refusal(bytes: &[u8]) -> String {
    let params = params(&[2, 4, 5], 3).to_string();
    let error = host().model(ID, &params).unwrap().load(bytes).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    error.message().to_owned()
}

fn net() -> Net {
    Net::new(13, &[0, 2, 4, 5])
}

/// A net that fits.
fn good() -> Net {
    net()
        .weight("w", &[3, 40])
        .node("Flatten", "x", "f", &[])
        .node("Gemm", "f w", "y", &[("transB", Int(1))])
}

#[track_caller]
fn expect(net: &Net, words: &[&str]) {
    let text = refusal(&net.bytes());
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn the_good_one_loads() {
    let params = params(&[2, 4, 5], 3).to_string();
    let mut model = host().model(ID, &params).unwrap();
    model.load(&good().bytes()).unwrap();
    assert_eq!(model.save().unwrap(), good().bytes());
}

#[test]
fn files_that_are_no_models() {
    for bytes in [
        &b""[..],
        b"not a model at all, only some text",
        b"\x89PNG\r\n\x1a\n0000",
        &[0xff; 100],
        &[0; 100],
        br#"{"learner": {}}"#,
    ] {
        assert!(refusal(bytes).contains("no ONNX model"), "{bytes:?}");
    }
}

#[test]
fn files_that_are_cut_or_damaged() {
    let whole = read("lenet.onnx");
    let params = params(&[1, 16, 16], 10).to_string();
    let mut model = host().model(ID, &params).unwrap();
    model.load(&whole).unwrap();
    let fingerprint = model.fingerprint().unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 61) {
        model.load(&whole[..length]).unwrap_err();
    }
    // Flipped bytes may make another, valid model; they must not end the process.
    for place in (0..whole.len()).step_by(whole.len() / 211) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        let mut other = host().model(ID, &params).unwrap();
        if other.load(&bytes).is_err() {
            assert!(other.save().is_err());
        }
    }
    assert_eq!(model.fingerprint().unwrap(), fingerprint);
    assert_eq!(model.save().unwrap(), whole);
}

#[test]
fn graphs_that_cannot_be_computed() {
    let circle = net()
        .node("Add", "x b", "a", &[])
        .node("Relu", "a", "b", &[])
        .node("Flatten", "b", "y", &[]);
    expect(&circle, &["circle", "`the_add` (Add)"]);
    let missing = net().node("Gemm", "x gone", "y", &[]);
    expect(&missing, &["`the_gemm` (Gemm)", "`gone`"]);
    let twice = good().node("Relu", "x", "f", &[]);
    expect(&twice, &["`the_relu`", "`f`", "already"]);
    let nowhere = net().node("Relu", "x", "z", &[]);
    expect(&nowhere, &["output `y`", "no node"]);
    let unknown = net().node("Wobble", "x", "y", &[]);
    expect(&unknown, &["`the_wobble` (Wobble)"]);
    let mut foreign = good();
    foreign.graph().node[0].domain = "my.functions".into();
    expect(&foreign, &["my.functions", "inline"]);
    let mut two = good();
    two.graph().input.push(tensor_info("mask", Some(&[0, 4])));
    expect(&two, &["2 inputs", "x, mask"]);
    let mut none = good();
    none.graph().input.clear();
    expect(&none, &["no input"]);
    let misfit = net().weight("w", &[7, 3]).node("MatMul", "x w", "y", &[]);
    refusal(&misfit.bytes());
    let odd = net().weight("w", &[3, 2, 3, 3]).node(
        "Conv",
        "x w",
        "y",
        &[("strides", Ints(vec![0, -1]))],
    );
    refusal(&odd.bytes());
}

#[test]
fn inputs_of_other_types_are_named() {
    let mut bytes = good();
    let info = bytes.graph().input[0].r#type.as_mut().unwrap();
    let Some(type_proto::Value::TensorType(tensor)) = &mut info.value else {
        panic!("a tensor");
    };
    tensor.elem_type = DataType::Uint8 as i32;
    expect(&bytes, &["`x`", "UINT8", "Cast"]);
}

#[test]
fn weights_that_do_not_hold_what_they_say() {
    let changed = |change: &dyn Fn(&mut TensorProto)| {
        let mut net = good();
        change(&mut net.graph().initializer[0]);
        net
    };
    let absurd = changed(&|w| w.dims = vec![1 << 40, 1 << 40]);
    expect(&absurd, &["weight `w`", "shape"]);
    let short = changed(&|w| w.dims = vec![3, 41]);
    expect(&short, &["weight `w`", "damaged"]);
    let negative = changed(&|w| w.dims = vec![-3, -40]);
    expect(&negative, &["weight `w`"]);
    let raw = changed(&|w| w.raw_data = vec![0; 7]);
    expect(&raw, &["weight `w`", "7 bytes"]);
    let strange = changed(&|w| w.data_type = 77);
    expect(&strange, &["weight `w`", "77"]);
    let apart = changed(&|w| {
        w.float_data.clear();
        w.data_location = Some(DataLocation::External as i32);
        w.external_data.push(StringStringEntryProto {
            key: "location".into(),
            value: "net.onnx.data".into(),
        });
    });
    expect(&apart, &["weight `w`", "net.onnx.data", "another file"]);
}

#[test]
fn operators_that_ask_for_absurd_sizes() {
    let huge = vec![1 << 40, 1 << 20];
    let filled = net()
        .ints("s", &[2], huge.clone())
        .node("ConstantOfShape", "s", "c", &[])
        .node("Add", "x c", "y", &[]);
    expect(&filled, &["`the_constantofshape`", "larger"]);
    let expanded = net().ints("s", &[2], huge).node("Expand", "x s", "y", &[]);
    expect(&expanded, &["`the_expand`", "larger"]);
    let counted = net()
        .ints("from", &[], vec![0])
        .ints("to", &[], vec![1 << 60])
        .ints("by", &[], vec![1])
        .node("Range", "from to by", "r", &[])
        .node("Cast", "r", "c", &[("to", Int(1))])
        .node("Add", "x c", "y", &[]);
    expect(&counted, &["`the_range`", "longer"]);
    let padded = net()
        .ints("p", &[8], vec![0, 0, 1 << 40, 0, 0, 0, 1 << 40, 0])
        .node("Pad", "x p", "y", &[]);
    expect(&padded, &["`the_pad`", "larger"]);
    let deep = net().weight("w", &[3, 2, 3, 3]).node(
        "Conv",
        "x w",
        "y",
        &[("pads", Ints(vec![1 << 30, 1 << 30, 1 << 30, 1 << 30]))],
    );
    expect(&deep, &["too large"]);
}

#[test]
fn misfits_of_data_and_model_tell_both() {
    let wide = Net::new(13, &[1, 3, 224, 224]).node("Flatten", "x", "y", &[]);
    expect(&wide, &["takes [1, 3, 224, 224]", "give [1, 2, 4, 5]"]);
    let five = net()
        .weight("w", &[40, 5])
        .node("Flatten", "x", "f", &[])
        .node("MatMul", "f w", "y", &[]);
    expect(&five, &["`y` [1, 5]", "3 classes"]);
    let mut unnamed = params(&[2, 4, 5], 3);
    unnamed["classes"] = vec!["a", "b"].into();
    unnamed["data_classes"] = vec!["a", "b", "c"].into();
    let mut model = host().model(ID, &unnamed.to_string()).unwrap();
    let error = model.load(&good().bytes()).unwrap_err();
    assert!(error.message().contains("2 names (a, b)"), "{error}");
}
