//! The plugin as a host sees it: parameters, batches, classes, weights.

mod common;

use common::build::Net;
use common::build::Value::Int;
use common::{Fixture, ID, NAMES, host, params};
use xbench_plugin::{Randomise, TensorRef, Wrt};

#[test]
fn one_model_is_exported_with_its_schema() {
    assert_eq!(host().ids().unwrap(), [ID]);
    let schema = host().params_schema(ID).unwrap();
    let properties = &schema["properties"];
    assert_eq!(
        properties["input"]["default"],
        serde_json::json!([1, 28, 28])
    );
    assert_eq!(
        properties["layout"]["enum"],
        serde_json::json!(["nchw", "nhwc"])
    );
    assert_eq!(properties["classes"]["default"], serde_json::json!([]));
}

#[test]
fn before_a_file_is_loaded_only_the_shapes_are_known() {
    let model = host()
        .model(ID, r#"{"input": [3, 8, 9], "outputs": 4}"#)
        .unwrap();
    assert_eq!(model.spec().input_shape, [3, 8, 9]);
    assert_eq!(model.spec().outputs, 4);
    assert!(model.layers().unwrap().is_empty());
    assert!(model.parameter_layers().unwrap().is_empty());
    let x = vec![0.0; 3 * 8 * 9];
    let x = TensorRef::new(&[1, 3, 8, 9], &x).unwrap();
    let error = model.predict(x).unwrap_err();
    assert!(error.message().contains("no ONNX file"), "{error}");
    assert!(model.save().is_err());
    assert!(host().model(ID, r#"{"input": [3, 8]}"#).is_err());
}

#[test]
fn loading_gives_the_layers_and_keeps_the_bytes() {
    for name in NAMES {
        let fixture = Fixture::new(name);
        let model = fixture.model();
        assert_eq!(model.save().unwrap(), fixture.bytes);
        let layers = model.layers().unwrap();
        let mut names: Vec<_> = layers.iter().map(|layer| &layer.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{name}: names are unique");
        assert!(layers.iter().all(|layer| !layer.shape.is_empty()));
    }
}

/// A dense layer that was exported for a fixed number of pictures.
fn fixed(batch: i64) -> Net {
    Net::new(13, &[batch, 1, 2, 3])
        .weight("w", &[6, 4])
        .node("Flatten", "x", "f", &[])
        .node("MatMul", "f w", "y", &[])
}

#[test]
fn a_fixed_batch_is_no_obstacle() {
    let x: Vec<f32> = (0..18).map(|i| i as f32 / 18.0).collect();
    let shape = [3, 1, 2, 3];
    let x = TensorRef::new(&shape, &x).unwrap();
    let dy = TensorRef::new(&[3, 4], &[0.5; 12]).unwrap();
    let of = |net: &Net| {
        let mut model = host()
            .model(ID, &params(&[1, 2, 3], 4).to_string())
            .unwrap();
        model.load(&net.bytes()).unwrap();
        let layer = model.layers().unwrap().last().unwrap().name.clone();
        let back = model.vjp(x, dy, Wrt::Layer(&layer), true).unwrap();
        let gradient = model.vjp(x, dy, Wrt::Input, false).unwrap().gradient;
        (model.predict(x).unwrap(), gradient, back)
    };
    let free = of(&fixed(0));
    assert_eq!(of(&fixed(1)), free);
    assert_eq!(of(&fixed(5)), free);
    // Where the number is written into the graph, single pictures cannot be computed.
    let stubborn = Net::new(13, &[5, 1, 2, 3])
        .weight("w", &[6, 4])
        .ints("s", &[2], vec![5, 6])
        .node("Reshape", "x s", "f", &[])
        .node("MatMul", "f w", "y", &[]);
    let (outputs, gradient, back) = of(&stubborn);
    assert_eq!(outputs, free.0);
    assert_eq!(gradient, free.1);
    assert_eq!(back.gradient, free.2.gradient);
}

#[test]
fn outputs_come_in_the_order_of_the_data() {
    let net = fixed(0);
    let x = [0.1, 0.9, 0.3, 0.4, 0.8, 0.2];
    let x = TensorRef::new(&[1, 1, 2, 3], &x).unwrap();
    let model = |params: serde_json::Value| {
        let mut model = host().model(ID, &params.to_string()).unwrap();
        model.load(&net.bytes()).unwrap();
        model
    };
    let plain = model(params(&[1, 2, 3], 4));
    let mut named = params(&[1, 2, 3], 4);
    named["classes"] = vec!["d", "b", "a", "c"].into();
    named["data_classes"] = vec!["a", "b", "c", "d"].into();
    let named = model(named);
    let (p, n) = (plain.predict(x).unwrap(), named.predict(x).unwrap());
    for (class, place) in [2, 1, 3, 0].into_iter().enumerate() {
        assert_eq!(n.data()[class], p.data()[place]);
        let one = |hot: usize| {
            let mut dy = [0.0; 4];
            dy[hot] = 1.0;
            dy
        };
        let (of_class, of_place) = (one(class), one(place));
        let gradient = |model: &xbench_plugin::testing::TestModel, dy: &[f32]| {
            let dy = TensorRef::new(&[1, 4], dy).unwrap();
            model.vjp(x, dy, Wrt::Input, false).unwrap().gradient
        };
        assert_eq!(gradient(&named, &of_class), gradient(&plain, &of_place));
    }
}

#[test]
fn tables_and_several_outputs() {
    let net = Net::new(13, &[0, 6])
        .weight("w", &[6, 4])
        .node("MatMul", "x w", "y", &[])
        .node("ArgMax", "y", "label", &[("axis", Int(1))])
        .node("Exp", "y", "e", &[]);
    let x = [0.1, -3.0, 0.3, 40.0, 0.8, 0.2];
    let x = TensorRef::new(&[1, 6], &x).unwrap();
    let with = |outputs: &[&str], output_name: Option<&str>| {
        let mut net = net.clone();
        net.graph().output = outputs
            .iter()
            .map(|name| common::build::tensor_info(name, None))
            .collect();
        let mut params = params(&[6], 4);
        params["output_name"] = output_name.into();
        let mut model = host().model(ID, &params.to_string()).unwrap();
        model.load(&net.bytes()).map(|()| model.predict(x).unwrap())
    };
    let plain = with(&["y"], None).unwrap();
    assert_eq!(with(&["label", "y"], None).unwrap(), plain);
    assert_eq!(with(&["e", "y"], Some("y")).unwrap(), plain);
    let unclear = with(&["e", "y"], None).unwrap_err();
    assert!(unclear.message().contains("output_name"), "{unclear}");
    let absent = with(&["y"], Some("z")).unwrap_err();
    assert!(absent.message().contains("no output `z`"), "{absent}");
}

#[test]
fn randomising_changes_what_it_says_and_can_be_undone() {
    for name in ["lenet", "mobilenet-v2", "vit"] {
        let fixture = Fixture::new(name);
        let (shape, x) = fixture.pictures();
        let x = TensorRef::new(&shape, &x).unwrap();
        let mut model = fixture.model();
        let (before, outputs) = (model.fingerprint().unwrap(), model.predict(x).unwrap());
        let layers = model.parameter_layers().unwrap();
        assert!(layers.len() >= 4, "{name}: {layers:?}");
        for layer in [&layers[0], &layers[layers.len() / 2]] {
            let mut seen = Vec::new();
            for mode in [Randomise::Single, Randomise::Cascade] {
                model.randomise(mode, layer).unwrap();
                let changed = model.fingerprint().unwrap();
                assert_ne!(changed, before);
                assert_ne!(model.predict(x).unwrap(), outputs);
                model.randomise(mode, layer).unwrap();
                assert_eq!(model.fingerprint().unwrap(), changed, "the same seed");
                seen.push(changed);
                // What is saved is a model with those weights.
                let saved = model.save().unwrap();
                let mut other = fixture.model();
                other.load(&saved).unwrap();
                assert_eq!(other.predict(x).unwrap(), model.predict(x).unwrap());
                model.restore().unwrap();
                assert_eq!(model.fingerprint().unwrap(), before);
                assert_eq!(model.predict(x).unwrap(), outputs);
            }
            assert_ne!(seen[0], seen[1]);
        }
        assert!(model.randomise(Randomise::Single, "nothing").is_err());
        assert_eq!(model.save().unwrap(), fixture.bytes);
    }
}
