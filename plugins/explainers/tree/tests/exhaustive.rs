//! Tree SHAP against Shapley values and interaction values summed over all sets of features.

mod common;

use common::{Game, Shape, random_ensemble, random_rows, with_background, with_covers};
use xbench_explainers_trees::{Effect, TreeShap};
use xbench_plugin::TreeEnsemble;

const TOLERANCE: f64 = 1e-5;

fn attribute(shap: &TreeShap<'_>, x: &[f32], target: &[usize], effect: Effect) -> Vec<f32> {
    let mut out = vec![f32::NAN; x.len()];
    shap.attribute(x, target, effect, &mut out, &mut |_| Ok(()))
        .expect("fitting rows");
    out
}

/// Largest deviation of all that Tree SHAP says of some rows from what the games say.
fn deviation(
    shap: &TreeShap<'_>,
    x: &[f32],
    target: &[usize],
    game: impl Fn(&[f32], usize) -> Game,
) -> f64 {
    let features = shap.ensemble().num_features;
    let total = attribute(shap, x, target, Effect::Total);
    let main = attribute(shap, x, target, Effect::Main);
    let others = attribute(shap, x, target, Effect::Interaction);
    let with: Vec<Vec<f32>> = (0..features)
        .map(|feature| attribute(shap, x, target, Effect::With(feature)))
        .collect();
    let mut worst = 0.0_f64;
    let mut compare = |got: f64, want: f64| {
        worst = worst.max((got - want).abs() / want.abs().max(1.0));
    };
    for (row, (x, &output)) in x.chunks(features).zip(target).enumerate() {
        let game = game(x, output);
        let at = |from: &[f32], i: usize| f64::from(from[row * features + i]);
        compare(shap.expected_value(output).unwrap(), game.expected());
        let matrix = shap.interactions(x, output).unwrap();
        for (i, want) in game.shapley().into_iter().enumerate() {
            compare(at(&total, i), want);
            compare(at(&main, i) + at(&others, i), want);
            compare(matrix[i * features..(i + 1) * features].iter().sum(), want);
            compare(at(&main, i), matrix[i * features + i]);
        }
        let wanted = game.interactions();
        for (got, want) in matrix.iter().zip(&wanted) {
            compare(*got, *want);
        }
        for (feature, with) in with.iter().enumerate() {
            for j in 0..features {
                compare(at(with, j), wanted[feature * features + j]);
            }
            let sum = (0..features).map(|j| at(with, j)).sum();
            compare(sum, at(&total, feature));
        }
        for i in 0..features {
            for j in 0..i {
                compare(matrix[i * features + j], matrix[j * features + i]);
            }
        }
    }
    worst
}

fn shapes() -> impl Iterator<Item = (Shape, u64)> {
    [
        (4, 1, 5, 6, false, true),
        (6, 3, 12, 12, false, false),
        (6, 3, 6, 12, true, false),
        // Long paths: the quadrature takes more points than one walk serves.
        (10, 1, 2, 40, false, true),
        // One feature again and again.
        (1, 1, 3, 12, false, true),
        (2, 2, 4, 14, true, true),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, (features, outputs, trees, splits, vector, strict))| {
        let shape = Shape {
            features,
            outputs,
            trees,
            splits,
            vector,
            strict,
        };
        (shape, 10 + i as u64)
    })
}

#[test]
fn path_dependent_values_are_the_games_values() {
    for (shape, seed) in shapes() {
        let ensemble = random_ensemble(shape, seed);
        let rows = 11;
        let x = random_rows(rows, shape.features, seed);
        let target: Vec<usize> = (0..rows).map(|row| row * 7 % shape.outputs).collect();
        let shap = TreeShap::path_dependent(&ensemble).unwrap();
        let worst = deviation(&shap, &x, &target, |row, output| {
            Game::new(shape.features, |known| {
                with_covers(&ensemble, row, output, known)
            })
        });
        assert!(worst < TOLERANCE, "{shape:?}: {worst:e}");
    }
}

#[test]
fn interventional_values_are_the_games_values() {
    for (shape, seed) in shapes() {
        let ensemble = random_ensemble(shape, seed);
        let rows = 3;
        let x = random_rows(rows, shape.features, seed);
        let background = random_rows(5, shape.features, seed + 1);
        let target: Vec<usize> = (0..rows).map(|row| row % shape.outputs).collect();
        let shap = TreeShap::interventional(&ensemble, &background).unwrap();
        let worst = deviation(&shap, &x, &target, |row, output| {
            Game::new(shape.features, |known| {
                with_background(&ensemble, row, &background, output, known)
            })
        });
        assert!(worst < TOLERANCE, "{shape:?}: {worst:e}");
    }
}

/// x0 and x1 both below 0 make 8, else nothing; a quarter of the weight is there, a half on each side.
fn both() -> TreeEnsemble {
    TreeEnsemble {
        num_features: 3,
        num_outputs: 1,
        base: vec![1.0],
        roots: vec![0],
        tree_output: vec![0],
        feature: vec![0, 1, -1, -1, -1],
        threshold: vec![0.0; 5],
        strict: true,
        left: vec![1, 2, 0, 0, 0],
        right: vec![4, 3, 0, 0, 0],
        default_left: vec![1, 0, 0, 0, 0],
        cover: vec![8.0, 4.0, 2.0, 2.0, 4.0],
        gain: vec![0.0; 5],
        value: vec![0.0, 0.0, 8.0, 0.0, 0.0],
    }
}

#[test]
fn an_and_by_hand() {
    let ensemble = both();
    let shap = TreeShap::path_dependent(&ensemble).unwrap();
    assert_eq!(shap.expected_value(0).unwrap(), 3.0);
    // Worths of {}, {0}, {1}, {0, 1}: 2, 4, 4, 8 above the base.
    let x = [-1.0, -1.0, 0.0];
    assert_eq!(attribute(&shap, &x, &[0], Effect::Total), [3.0, 3.0, 0.0]);
    assert_eq!(attribute(&shap, &x, &[0], Effect::Main), [2.0, 2.0, 0.0]);
    let matrix = shap.interactions(&x, 0).unwrap();
    assert_eq!(matrix, [2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(attribute(&shap, &x, &[0], Effect::With(0)), [2.0, 1.0, 0.0]);
    assert_eq!(attribute(&shap, &x, &[0], Effect::With(2)), [0.0; 3]);
    // What is missing goes left at the root and right below: worths 2, 4, 0, 0.
    let missing = [f32::NAN, f32::NAN, 0.0];
    let found = attribute(&shap, &missing, &[0], Effect::Total);
    assert_eq!(found, [1.0, -3.0, 0.0]);
    // On the threshold: not below it, but not above it either.
    let lax = TreeEnsemble {
        strict: false,
        ..both()
    };
    let on = [0.0; 3];
    assert_eq!(
        attribute(&shap, &on, &[0], Effect::Total),
        [-1.0, -1.0, 0.0]
    );
    let shap = TreeShap::path_dependent(&lax).unwrap();
    assert_eq!(attribute(&shap, &on, &[0], Effect::Total), [3.0, 3.0, 0.0]);
    // Against a row that lies elsewhere, and against itself.
    let background = [1.0, 1.0, 9.0];
    let shap = TreeShap::interventional(&ensemble, &background).unwrap();
    assert_eq!(attribute(&shap, &x, &[0], Effect::Total), [4.0, 4.0, 0.0]);
    assert_eq!(shap.expected_value(0).unwrap(), 1.0);
    let shap = TreeShap::interventional(&ensemble, &x).unwrap();
    assert_eq!(attribute(&shap, &x, &[0], Effect::Total), [0.0; 3]);
}

/// A path of 300 features and a chain that asks for two features hundreds of times.
#[test]
fn long_paths_lose_nothing() {
    for (features, depth) in [(300, 300), (2, 900)] {
        let mut ensemble = TreeEnsemble {
            num_features: features,
            num_outputs: 1,
            base: vec![0.0],
            roots: vec![0],
            tree_output: vec![0],
            strict: true,
            ..TreeEnsemble::default()
        };
        for level in 0..depth {
            let at = 2 * level as u32;
            ensemble.feature.extend([(level % features) as i32, -1]);
            ensemble
                .threshold
                .extend([1.0 - level as f32 / 1000.0, 0.0]);
            // The leaf at hand lies left, the rest of the chain right.
            ensemble.left.extend([at + 1, 0]);
            ensemble.right.extend([at + 2, 0]);
            let rest = 1000.0 - level as f32;
            ensemble.cover.extend([rest, 1.0]);
            ensemble.value.extend([0.0, (level % 17) as f32]);
        }
        ensemble.feature.push(-1);
        ensemble.threshold.push(0.0);
        ensemble.left.push(0);
        ensemble.right.push(0);
        ensemble.cover.push(1000.0 - depth as f32);
        ensemble.value.push(5.0);
        ensemble.default_left = vec![0; ensemble.feature.len()];
        ensemble.gain = vec![0.0; ensemble.feature.len()];
        ensemble.check().unwrap();
        let shap = TreeShap::path_dependent(&ensemble).unwrap();
        let x: Vec<f32> = (0..features)
            .map(|i| if i == features - 1 { 0.5 } else { 2.0 })
            .collect();
        let total = attribute(&shap, &x, &[0], Effect::Total);
        let sum: f64 = total.iter().map(|&v| f64::from(v)).sum();
        let mut output = [0.0];
        ensemble.outputs(&x, &mut output);
        let want = f64::from(output[0]) - shap.expected_value(0).unwrap();
        assert!((sum - want).abs() < TOLERANCE, "{features}: {sum} {want}");
        // The same by the slow way round, leaf by leaf.
        let matrix = shap.interactions(&x, 0).unwrap();
        let main = attribute(&shap, &x, &[0], Effect::Main);
        for feature in [0, 1, features - 1] {
            let with = attribute(&shap, &x, &[0], Effect::With(feature));
            let line = &matrix[feature * features..(feature + 1) * features];
            for (got, want) in with.iter().zip(line) {
                assert!((f64::from(*got) - want).abs() < TOLERANCE);
            }
        }
        for (i, &total) in total.iter().enumerate() {
            let row: f64 = matrix[i * features..(i + 1) * features].iter().sum();
            assert!((row - f64::from(total)).abs() < TOLERANCE);
            let diagonal = matrix[i * features + i];
            assert!((diagonal - f64::from(main[i])).abs() < TOLERANCE);
        }
    }
}

/// A row's values are the same bits alone, among others, in other places and with other targets.
#[test]
fn rows_do_not_feel_each_other() {
    for (shape, seed) in shapes() {
        let ensemble = random_ensemble(shape, seed);
        let rows = 300;
        let x = random_rows(rows, shape.features, seed + 7);
        let target: Vec<usize> = (0..rows).map(|row| row * 5 % shape.outputs).collect();
        let background = random_rows(2, shape.features, seed + 8);
        for shap in [
            TreeShap::path_dependent(&ensemble).unwrap(),
            TreeShap::interventional(&ensemble, &background).unwrap(),
        ] {
            let last = shape.features - 1;
            for effect in [Effect::Total, Effect::Interaction, Effect::With(last)] {
                let together = attribute(&shap, &x, &target, effect);
                for row in [0, 1, 8, 255, 256, 299] {
                    let place = row * shape.features..(row + 1) * shape.features;
                    let alone = attribute(&shap, &x[place.clone()], &target[row..=row], effect);
                    let bits = |values: &[f32]| -> Vec<u32> {
                        values.iter().map(|value| value.to_bits()).collect()
                    };
                    assert_eq!(bits(&alone), bits(&together[place]));
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let ensemble = both();
    let shap = TreeShap::path_dependent(&ensemble).unwrap();
    let mut out = [0.0; 3];
    let mut go = |x: &[f32], target: &[usize]| {
        let done = shap.attribute(x, target, Effect::Total, &mut out, &mut |_| Ok(()));
        done.unwrap_err().message().to_owned()
    };
    assert!(go(&[0.0; 2], &[0]).contains("3 features"));
    assert!(go(&[0.0; 3], &[1]).contains("output 1 of 1"));
    let with = |feature: usize| {
        let mut out = [0.0; 3];
        shap.attribute(
            &[0.0; 3],
            &[0],
            Effect::With(feature),
            &mut out,
            &mut |_| Ok(()),
        )
    };
    assert!(with(2).is_ok());
    assert!(with(3).unwrap_err().message().contains("feature 3"));
    assert!(shap.expected_value(1).is_err());
    assert!(shap.interactions(&[0.0; 3], 1).is_err());
    assert!(shap.interactions(&[0.0; 2], 0).is_err());
    assert!(TreeShap::interventional(&ensemble, &[]).is_err());
    assert!(TreeShap::interventional(&ensemble, &[0.0; 4]).is_err());
    // Nothing to explain, and nothing to explain it with.
    assert_eq!(attribute(&shap, &[], &[], Effect::Total), [0.0; 0]);
    let none = TreeEnsemble {
        num_outputs: 1,
        base: vec![2.0],
        ..TreeEnsemble::default()
    };
    let shap = TreeShap::path_dependent(&none).unwrap();
    assert_eq!(attribute(&shap, &[], &[0, 0], Effect::Main), [0.0; 0]);
    assert_eq!(shap.expected_value(0).unwrap(), 2.0);
}
