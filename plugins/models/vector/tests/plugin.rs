//! The plugin through its exported entry.

use std::path::PathBuf;

use xbench_models_vector::plugin::xbench_entry_v1;
use xbench_plugin::rng::CounterRng;
use xbench_plugin::testing::{CallOptions, TestData, TestHost, TestModel};
use xbench_plugin::{OutputKind, Status, TensorRef, Wrt};

const ID: &str = "org.xbench.svm-mask";
const PARAMS: &str = r#"{"input": [1, 6, 5], "outputs": 3}"#;
const WIDTH: usize = 30;

fn host(threads: u32) -> TestHost {
    TestHost::new(&xbench_entry_v1)
        .expect("an entry")
        .with_options(CallOptions {
            threads,
            ..CallOptions::default()
        })
}

fn model(threads: u32, params: &str) -> TestModel {
    host(threads).model(ID, params).expect("a model")
}

/// Images of three classes, each bright in rows of its own, in noise that makes some wrong.
fn images(rows: usize, seed: u64) -> (Vec<u8>, Vec<i64>) {
    let rng = CounterRng::new(seed);
    let labels: Vec<i64> = (0..rows as i64).map(|row| row % 3).collect();
    let pixels = (0..rows * WIDTH)
        .map(|i| {
            let bright = i % WIDTH / 10 == i / WIDTH % 3;
            let noise = rng.normal(i as u64) * 90.0;
            (noise + if bright { 120.0 } else { 80.0 }).clamp(0.0, 255.0) as u8
        })
        .collect();
    (pixels, labels)
}

fn data(rows: usize) -> TestData {
    let (pixels, labels) = images(rows, 1);
    TestData::new(&[1, 6, 5], 3, pixels, labels).expect("data")
}

fn unit(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&p| f32::from(p) / 255.0).collect()
}

#[test]
fn the_plugin_says_what_it_is() {
    assert_eq!(host(1).ids().unwrap(), [ID]);
    let standard = model(1, "{}");
    assert_eq!(standard.spec().input_shape, [1, 28, 28]);
    assert_eq!(standard.spec().outputs, 10);
    assert_eq!(standard.spec().output_kind, OutputKind::Probabilities);
    let table = model(1, r#"{"input": [21], "outputs": 3}"#);
    assert_eq!(table.spec().layout, c"tabular");
    for wrong in [
        r#"{"input": []}"#,
        r#"{"input": [28, 28]}"#,
        r#"{"input": [0]}"#,
        r#"{"input": [1000000, 1000000, 1000000]}"#,
        r#"{"outputs": 1}"#,
    ] {
        let refused = host(1).model(ID, wrong).unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument, "{wrong}");
    }
    let x = vec![0.0; 784];
    let x = TensorRef::new(&[1, 1, 28, 28], &x).unwrap();
    let why = standard.predict(x).unwrap_err();
    assert!(why.message().contains("xbench train"), "{}", why.message());
}

#[test]
fn training_learns_and_reports_a_pair_as_an_epoch() {
    let mut svm = model(2, PARAMS);
    let mut epochs = Vec::new();
    let report = svm
        .fit(
            &data(240),
            r#"{"preset": "best", "seed": 3}"#,
            &mut |step| {
                assert!(step.epoch_done && step.loss.is_finite());
                assert!((0.5..=1.0).contains(&step.accuracy));
                epochs.push((step.epoch, step.epochs));
                true
            },
        )
        .unwrap();
    assert_eq!(epochs, [(1, 3), (2, 3), (3, 3)]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["training_rows"], 240);
    assert_eq!(report["recipe"]["c"], 10.0);
    assert_eq!(report["gamma"], 1.0 / 30.0);
    assert!(report["validation_accuracy"].is_null());
    let (pixels, labels) = images(150, 2);
    let x = unit(&pixels);
    let p = svm
        .predict(TensorRef::new(&[150, 1, 6, 5], &x).unwrap())
        .unwrap();
    let right = (0..150)
        .filter(|&row| {
            let p = p.row(row);
            assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            (0..3).all(|class| p[class] <= p[labels[row] as usize])
        })
        .count();
    assert!(right > 90, "{right} of 150");
}

#[test]
fn rows_held_out_and_rows_of_the_sets_own_split_are_measured() {
    let settings = r#"{"preset": "best", "held_out_rows": 60, "training_rows": 90}"#;
    let report = model(1, PARAMS)
        .fit(&data(240), settings, &mut |_| true)
        .unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["training_rows"], 90);
    assert_eq!(report["validation_rows"], 60);
    assert!(report["validation_accuracy"].as_f64().unwrap() > 0.5);
    let split = data(240).with_validation(40);
    let report = model(1, PARAMS)
        .fit(&split, r#"{"preset": "published"}"#, &mut |_| true)
        .unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["training_rows"], 200);
    assert_eq!(report["validation_rows"], 40);
    let too_many = r#"{"preset": "best", "held_out_rows": 200, "training_rows": 90}"#;
    assert!(
        model(1, PARAMS)
            .fit(&data(240), too_many, &mut |_| true)
            .is_err()
    );
}

/// Interrupted after any pair and resumed, on any number of threads: the same weights.
#[test]
fn training_is_reproducible_and_resumable() {
    let data = data(150);
    let settings = r#"{"preset": "best", "seed": 5, "scaling": "row"}"#;
    let mut whole = model(1, PARAMS);
    whole.fit(&data, settings, &mut |_| true).unwrap();
    let bytes = whole.save().unwrap();
    for stop in 1..3 {
        let mut checkpoints = Vec::new();
        let mut half = model(3, PARAMS);
        let refused = half
            .fit_resumable(
                &data,
                settings,
                &mut |step| step.epoch <= stop,
                None,
                Some(&mut checkpoints),
            )
            .unwrap_err();
        assert_eq!(refused.status(), Status::Cancelled);
        assert_eq!(checkpoints.len(), stop as usize);
        assert!(half.save().is_err(), "nothing was trained");
        let last = checkpoints.last().unwrap();
        let mut epochs = Vec::new();
        let mut resumed = model(2, PARAMS);
        resumed
            .fit_resumable(
                &data,
                settings,
                &mut |step| {
                    epochs.push(step.epoch);
                    true
                },
                Some(last),
                None,
            )
            .unwrap();
        assert_eq!(epochs, (stop + 1..=3).collect::<Vec<_>>());
        assert_eq!(resumed.save().unwrap(), bytes);
        let other = r#"{"preset": "best", "seed": 6, "scaling": "row"}"#;
        let wrong = resumed.fit_resumable(&data, other, &mut |_| true, Some(last), None);
        assert_eq!(wrong.unwrap_err().status(), Status::InvalidArgument);
    }
}

#[test]
fn weights_come_back_with_the_same_bits() {
    let x = unit(&images(40, 9).0);
    let x = TensorRef::new(&[40, 1, 6, 5], &x).unwrap();
    for scaling in ["none", "global", "feature", "row", "unit_norm"] {
        let mut svm = model(1, PARAMS);
        let settings = format!(r#"{{"preset": "best", "scaling": "{scaling}"}}"#);
        svm.fit(&data(90), &settings, &mut |_| true).unwrap();
        let bytes = svm.save().unwrap();
        let mut other = model(2, PARAMS);
        other.load(&bytes).unwrap();
        assert_eq!(other.save().unwrap(), bytes);
        assert_eq!(other.predict(x).unwrap(), svm.predict(x).unwrap());
    }
}

#[test]
fn tables_are_taken_as_they_are() {
    let (pixels, labels) = images(120, 4);
    let values: Vec<f32> = pixels.iter().map(|&p| f32::from(p) * 10.0).collect();
    let table = TestData::features(&[WIDTH], 3, values.clone(), labels).unwrap();
    let params = r#"{"input": [30], "outputs": 3}"#;
    let mut svm = model(1, params);
    svm.fit(&table, r#"{"preset": "best"}"#, &mut |_| true)
        .unwrap();
    let x = TensorRef::new(&[120, WIDTH], &values).unwrap();
    let p = svm.predict(x).unwrap();
    let mut other = model(1, params);
    other.load(&svm.save().unwrap()).unwrap();
    assert_eq!(other.predict(x).unwrap(), p);
    let mut images = model(1, PARAMS);
    assert!(
        images
            .fit(&table, r#"{"preset": "best"}"#, &mut |_| true)
            .is_err()
    );
}

#[test]
fn gradients_agree_with_finite_differences_through_the_scaling() {
    let x = unit(&images(6, 11).0);
    let g = [0.7_f32, -0.4, 0.2].repeat(6);
    for scaling in ["global", "feature", "row", "unit_norm"] {
        let mut svm = model(1, PARAMS);
        let settings = format!(r#"{{"preset": "best", "scaling": "{scaling}"}}"#);
        svm.fit(&data(150), &settings, &mut |_| true).unwrap();
        let gradient = svm
            .vjp(
                TensorRef::new(&[6, 1, 6, 5], &x).unwrap(),
                TensorRef::new(&[6, 3], &g).unwrap(),
                Wrt::Input,
                true,
            )
            .unwrap();
        assert_eq!(gradient.activation.unwrap().data(), x);
        let gradient = gradient.gradient;
        assert_eq!(gradient.shape(), [6, 1, 6, 5]);
        let value = |x: &[f32]| {
            let p = svm
                .predict(TensorRef::new(&[1, 1, 6, 5], x).unwrap())
                .unwrap();
            p.data()
                .iter()
                .zip(&g)
                .map(|(&p, &g)| f64::from(p) * f64::from(g))
                .sum::<f64>()
        };
        for row in 0..6 {
            for i in [0, 13, 29] {
                let own = &x[row * WIDTH..(row + 1) * WIDTH];
                let (mut up, mut down) = (own.to_vec(), own.to_vec());
                up[i] += 0.01;
                down[i] -= 0.01;
                let numeric = (value(&up) - value(&down)) / f64::from(up[i] - down[i]);
                let got = f64::from(gradient.row(row)[i]);
                assert!((got - numeric).abs() < 3e-3, "{scaling}: {got} {numeric}");
            }
        }
        let layer = svm.vjp(
            TensorRef::new(&[6, 1, 6, 5], &x).unwrap(),
            TensorRef::new(&[6, 3], &g).unwrap(),
            Wrt::Layer("conv1"),
            false,
        );
        assert_eq!(layer.unwrap_err().status(), Status::NotFound);
    }
}

/// Weights may come from anywhere: whatever they are, an error or a model that can be asked.
#[test]
fn decisions_are_given_where_they_are_asked_for() {
    let mut trained = model(1, PARAMS);
    let settings = r#"{"preset": "best", "seed": 3}"#;
    trained.fit(&data(120), settings, &mut |_| true).unwrap();
    let asked = r#"{"input": [1, 6, 5], "outputs": 3, "output": "decisions"}"#;
    let mut svm = model(1, asked);
    svm.load(&trained.save().unwrap()).unwrap();
    assert_eq!(svm.spec().output_kind, OutputKind::Values);
    let (pixels, _) = images(20, 2);
    let x = unit(&pixels);
    let at = |x: &[f32]| {
        svm.predict(TensorRef::new(&[20, 1, 6, 5], x).unwrap())
            .unwrap()
    };
    let scores = at(&x);
    for row in 0..20 {
        // Fractions are below a third, so that the nearest whole numbers are the pairs' votes.
        let votes: f32 = scores.row(row).iter().map(|score| score.round()).sum();
        assert_eq!(votes, 3.0);
    }
    let g = [0.5, -1.0, 2.0].repeat(20);
    let back = svm
        .vjp(
            TensorRef::new(&[20, 1, 6, 5], &x).unwrap(),
            TensorRef::new(&[20, 3], &g).unwrap(),
            Wrt::Input,
            false,
        )
        .unwrap();
    let sum = |x: &[f32]| -> f64 {
        let scores = at(x);
        let pairs = scores.data().iter().zip(&g);
        pairs.map(|(&s, &g)| f64::from(s) * f64::from(g)).sum()
    };
    for place in [3, 47, 200, 331, 598] {
        let (mut up, mut down) = (x.clone(), x.clone());
        up[place] += 2e-3;
        down[place] -= 2e-3;
        let want = (sum(&up) - sum(&down)) / 4e-3;
        let got = f64::from(back.gradient.data()[place]);
        assert!((got - want).abs() < 2e-2, "{place}: {got} against {want}");
    }
}

#[test]
fn damaged_weights_are_refused() {
    let mut svm = model(1, PARAMS);
    svm.fit(&data(60), r#"{"preset": "best"}"#, &mut |_| true)
        .unwrap();
    let good = svm.save().unwrap();
    let x = unit(&images(2, 9).0);
    let x = TensorRef::new(&[2, 1, 6, 5], &x).unwrap();
    let before = svm.predict(x).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(good[8..header].to_vec()).unwrap();
    let with_header = |text: &str| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(&good[header..]);
        bytes
    };
    let mut nan = good.clone();
    nan[header..header + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    let other_shape = {
        let mut other = model(1, r#"{"input": [1, 5, 5], "outputs": 3}"#);
        let pixels = images(60, 1).0[..60 * 25].to_vec();
        let labels = (0..60).map(|row| row % 3).collect();
        let data = TestData::new(&[1, 5, 5], 3, pixels, labels).unwrap();
        other
            .fit(&data, r#"{"preset": "best"}"#, &mut |_| true)
            .unwrap();
        other.save().unwrap()
    };
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("text", b"not weights at all".to_vec()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("header alone", good[..header].to_vec()),
        ("longer", [&good[..], &[0; 4]].concat()),
        ("not finite", nan),
        (
            "renamed",
            with_header(&text.replacen("svm.bias", "svm.bios", 1)),
        ),
        (
            "no pixels",
            with_header(&text.replacen("pixels", "pixelz", 1)),
        ),
        (
            "no sigmoid",
            with_header(&text.replacen("svm.sigmoid", "svm.sigmoyd", 1)),
        ),
        ("another type", with_header(&text.replacen("F32", "I32", 1))),
        ("another shape", other_shape),
    ] {
        let refused = svm.load(&bytes).unwrap_err();
        assert_eq!(refused.status(), Status::InvalidArgument, "{what}");
        assert_eq!(svm.predict(x).unwrap(), before, "{what}");
    }
    for at in 0..header {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        if svm.load(&bytes).is_ok() {
            assert_eq!(svm.predict(x).unwrap().shape(), [2, 3]);
        }
    }
}

/// On real images, where they are: a thousand training images tell most garments apart.
#[test]
#[expect(clippy::print_stdout, reason = "says that the data are not there")]
fn garments_are_learned() {
    let Some(folder) = std::env::var_os("XBENCH_DATA").map(PathBuf::from) else {
        println!("skipped: XBENCH_DATA does not name the folder of the data");
        return;
    };
    let folder = folder.join("fashion-mnist");
    let read = |name: &str| -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(folder.join(name)).ok()?;
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).ok()?;
        Some(bytes)
    };
    let (Some(images), Some(labels)) = (
        read("train-images-idx3-ubyte.gz"),
        read("train-labels-idx1-ubyte.gz"),
    ) else {
        println!("skipped: no Fashion-MNIST in {}", folder.display());
        return;
    };
    let rows = 1500;
    let data = TestData::new(
        &[1, 28, 28],
        10,
        images[16..16 + rows * 784].to_vec(),
        labels[8..8 + rows].iter().map(|&l| i64::from(l)).collect(),
    )
    .unwrap();
    let settings = r#"{"preset": "best", "held_out_rows": 500}"#;
    let report = model(2, "{}").fit(&data, settings, &mut |_| true).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let accuracy = report["validation_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.78, "{report}");
}
