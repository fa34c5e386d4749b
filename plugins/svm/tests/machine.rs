//! The machine by itself: hand-worked values, optimality, reproducibility, derivatives, and bytes
//! from anywhere.

use proptest::prelude::*;
use xbench_nn::Threads;
use xbench_svm::{
    Calibration, Gamma, Problem, Progress, Stop, Svm, SvmError, SvmSettings, pair_index,
};

/// Numbers in -0.5..0.5.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect()
}

/// Classes that overlap: their centres lie about as far apart as they are wide.
fn clouds(rows: usize, width: usize, classes: usize, seed: u32) -> (Vec<f32>, Vec<usize>) {
    let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
    let centres = numbers(classes * width, seed + 1);
    let mut features = numbers(rows * width, seed);
    for (row, &label) in features.chunks_exact_mut(width).zip(&labels) {
        for (value, centre) in row.iter_mut().zip(&centres[label * width..]) {
            *value += centre + 5.0;
        }
    }
    (features, labels)
}

fn fit_with(
    (features, labels): &(Vec<f32>, Vec<usize>),
    classes: usize,
    settings: &SvmSettings,
    threads: usize,
) -> Svm {
    let problem = Problem {
        features,
        width: features.len() / labels.len(),
        labels,
        classes,
    };
    Svm::fit(problem, settings, threads, None, &mut |_| Ok(())).expect("a machine")
}

fn settings(c: f64, gamma: f64) -> SvmSettings {
    SvmSettings {
        c,
        gamma: Gamma::Value(gamma),
        ..SvmSettings::default()
    }
}

/// One row of each class at distance 1: by symmetry α is the same for both and the constant is 0,
/// and the margins are α (1 − e^−γ), which are 1 unless C is reached first.
#[test]
fn two_points_are_solved_by_hand() {
    let data = (vec![0.0, 0.0, 0.6, 0.8], vec![0, 1]);
    let k = (-1.0_f64).exp();
    for (c, alpha) in [(10.0, 1.0 / (1.0 - k)), (0.5, 0.5)] {
        let none = SvmSettings {
            calibration: Calibration::None,
            ..settings(c, 1.0)
        };
        let svm = fit_with(&data, 2, &none, 1);
        let coefficients = svm.coefficients();
        assert!((f64::from(coefficients[0]) - alpha).abs() < 1e-6);
        assert_eq!(coefficients[0], -coefficients[1]);
        assert!(svm.bias()[0].abs() < 1e-7);
        let threads = Threads::one();
        let x = [0.0, 0.0, 0.6, 0.8, 0.3, 0.4];
        let decisions = svm.decision_values(&threads, &x).unwrap();
        for (got, want) in decisions.iter().zip([1.0, -1.0, 0.0]) {
            assert!((got - want * alpha * (1.0 - k)).abs() < 1e-6);
        }
        let out = svm.probabilities(&threads, &x, &mut [0.0; 6]);
        assert!(matches!(out, Err(SvmError::NoProbabilities)));
        assert_eq!(svm.predict(&threads, &x[..4]).unwrap(), [0, 1]);
    }
}

/// More columns wins the vote; a draw goes to the first class.
#[test]
fn votes_are_counted_as_libsvm_does() {
    let svm = fit_with(&clouds(12, 2, 3, 1), 3, &settings(1.0, 1.0), 1);
    // Pairs (0, 1), (0, 2), (1, 2): one vote each; then two for class 2.
    let votes = svm.votes(&[1.0, -1.0, 1.0, 1.0, -1.0, -0.5]);
    assert_eq!(votes, [1, 1, 1, 1, 0, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The conditions of Karush, Kuhn and Tucker for each pair, from the machine's own numbers.
    #[test]
    fn solutions_are_optimal(
        rows in 12_usize..150, width in 1_usize..20, seed in 0_u32..1000,
        c in 0.05_f64..50.0, gamma in 0.05_f64..5.0, classes in 2_usize..4,
    ) {
        let data = clouds(rows, width, classes, seed);
        let none = SvmSettings { calibration: Calibration::None, ..settings(c, gamma) };
        let svm = fit_with(&data, classes, &none, 2);
        let (features, labels) = &data;
        let decisions = svm.decision_values(&Threads::one(), features).unwrap();
        let coefficients = svm.coefficients();
        let support = svm.support_rows();
        for a in 0..classes {
            for b in a + 1..classes {
                let mut sum = 0.0;
                for row in (0..rows).filter(|&row| labels[row] == a || labels[row] == b) {
                    let y = if labels[row] == a { 1.0 } else { -1.0 };
                    let other = if labels[row] == a { b - 1 } else { a };
                    let alpha = support.iter().position(|&s| s as usize == row).map_or(0.0, |at| {
                        y * f64::from(coefficients[other * support.len() + at])
                    });
                    prop_assert!((-1e-9..=c * (1.0 + 1e-6)).contains(&alpha));
                    sum += y * alpha;
                    let pair = pair_index(a, b, classes);
                    let margin = y * decisions[row * svm.pairs() + pair];
                    // libsvm's rule bounds the gap of any two rows by the tolerance.
                    let slack = 1e-3 + 1e-4 * (1.0 + c);
                    if alpha < c * (1.0 - 1e-6) {
                        prop_assert!(margin > 1.0 - slack, "{margin} with α {alpha} of {c}");
                    }
                    if alpha > c * 1e-6 {
                        prop_assert!(margin < 1.0 + slack, "{margin} with α {alpha} of {c}");
                    }
                }
                prop_assert!(sum.abs() < 1e-5 * c * rows as f64, "Σ y α = {sum}");
            }
        }
    }
}

/// Neither threads nor memory nor an interruption change a bit.
#[test]
fn training_is_reproducible() {
    let data = clouds(260, 9, 4, 7);
    let base = settings(5.0, 0.8);
    let bytes = fit_with(&data, 4, &base, 1).save().unwrap();
    assert_eq!(fit_with(&data, 4, &base, 3).save().unwrap(), bytes);
    for cache_bytes in [0, 20_000] {
        let little = SvmSettings {
            cache_bytes,
            ..base
        };
        assert_eq!(fit_with(&data, 4, &little, 2).save().unwrap(), bytes);
    }
    let other = SvmSettings { seed: 1, ..base };
    assert_ne!(fit_with(&data, 4, &other, 1).save().unwrap(), bytes);

    let problem = Problem {
        features: &data.0,
        width: 9,
        labels: &data.1,
        classes: 4,
    };
    for pairs in 1..6 {
        let mut kept = Vec::new();
        let stopped = Svm::fit(problem, &base, 2, None, &mut |progress| match progress {
            Progress::Pair { states, done, .. } => {
                kept = states.to_bytes().unwrap();
                if done == pairs { Err(Stop) } else { Ok(()) }
            }
            _ => Ok(()),
        });
        assert!(matches!(stopped, Err(SvmError::Stopped)));
        let mut solved = Vec::new();
        let resumed = Svm::fit(problem, &base, 1, Some(&kept), &mut |progress| {
            if let Progress::Pair { done, pairs: 6, .. } = progress {
                solved.push(done);
            }
            Ok(())
        });
        assert_eq!(resumed.unwrap().save().unwrap(), bytes);
        assert_eq!(solved, (pairs + 1..=6).collect::<Vec<_>>());
        // Other settings or data: refused, whatever the bytes.
        let refused = Svm::fit(problem, &other, 1, Some(&kept), &mut |_| Ok(()));
        assert!(matches!(refused, Err(SvmError::Resume(_))));
        for cut in 0..kept.len().min(400) {
            let damaged = Svm::fit(problem, &base, 1, Some(&kept[..cut]), &mut |_| Ok(()));
            assert!(matches!(damaged, Err(SvmError::Resume(_))));
        }
    }
}

#[test]
fn rows_have_the_same_bits_in_any_batch_and_thread_count() {
    let data = clouds(300, 13, 5, 2);
    let svm = fit_with(&data, 5, &settings(2.0, 0.5), 2);
    let x = &data.0;
    let (one, three) = (Threads::one(), Threads::new(3).unwrap());
    let g: Vec<f32> = numbers(300 * 5, 9);
    let mut all = vec![0.0; 300 * 5];
    svm.probabilities(&three, x, &mut all).unwrap();
    let decisions = svm.decision_values(&three, x).unwrap();
    let gradient = svm.probability_gradient(&three, x, &g).unwrap();
    for start in [0, 1, 150, 299] {
        for count in [1, 7, 140] {
            let rows = start..(start + count).min(300);
            let part = &x[rows.start * 13..rows.end * 13];
            let mut out = vec![0.0; rows.len() * 5];
            svm.probabilities(&one, part, &mut out).unwrap();
            assert_eq!(out, all[rows.start * 5..rows.end * 5]);
            assert_eq!(
                svm.decision_values(&one, part).unwrap(),
                decisions[rows.start * 10..rows.end * 10]
            );
            assert_eq!(
                svm.probability_gradient(&one, part, &g[rows.start * 5..rows.end * 5])
                    .unwrap(),
                gradient[rows.start * 13..rows.end * 13]
            );
        }
    }
    for row in all.chunks(5) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(row.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let data = clouds(200, 6, 4, 5);
    let svm = fit_with(&data, 4, &settings(3.0, 0.7), 2);
    let threads = Threads::one();
    let g: Vec<f32> = numbers(4, 3);
    let pair_g: Vec<f64> = numbers(6, 4).into_iter().map(f64::from).collect();
    let probability = |x: &[f32]| {
        let mut out = [0.0; 4];
        svm.probabilities(&threads, x, &mut out).unwrap();
        out.iter()
            .zip(&g)
            .map(|(&p, &g)| f64::from(p) * f64::from(g))
            .sum::<f64>()
    };
    let decision = |x: &[f32]| {
        let out = svm.decision_values(&threads, x).unwrap();
        out.iter().zip(&pair_g).map(|(d, g)| d * g).sum::<f64>()
    };
    for row in data.0.chunks(6).take(20) {
        for (gradient, value) in [
            (
                svm.probability_gradient(&threads, row, &g).unwrap(),
                &probability as &dyn Fn(&[f32]) -> f64,
            ),
            (
                svm.decision_gradient(&threads, row, &pair_g).unwrap(),
                &decision,
            ),
        ] {
            for i in 0..6 {
                let (mut up, mut down) = (row.to_vec(), row.to_vec());
                up[i] += 0.01;
                down[i] -= 0.01;
                let numeric = (value(&up) - value(&down)) / f64::from(up[i] - down[i]);
                let got = f64::from(gradient[i]);
                assert!(
                    (got - numeric).abs() < 2e-3 * (1.0 + numeric.abs()),
                    "{got} {numeric}"
                );
            }
        }
    }
}

/// The folds start from the solution on all rows; starting from nothing ends at the same place.
#[test]
fn one_split_and_cross_validation_give_similar_probabilities() {
    let data = clouds(400, 4, 2, 11);
    let cross = fit_with(&data, 2, &settings(1.0, 1.0), 1);
    let one = SvmSettings {
        calibration: Calibration::OneSplit { folds: 5 },
        ..settings(1.0, 1.0)
    };
    let one = fit_with(&data, 2, &one, 1);
    assert_eq!(one.coefficients(), cross.coefficients());
    let (mut a, mut b) = (vec![0.0; 800], vec![0.0; 800]);
    cross
        .probabilities(&Threads::one(), &data.0, &mut a)
        .unwrap();
    one.probabilities(&Threads::one(), &data.0, &mut b).unwrap();
    assert_ne!(a, b);
    let mean = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f32>() / 800.0;
    assert!(mean < 0.1, "{mean}");
    // Calibrated: the mean probability of a class is near its share.
    let share = a.chunks(2).map(|p| p[0]).sum::<f32>() / 400.0;
    assert!((share - 0.5).abs() < 0.03, "{share}");
}

#[test]
fn saved_machines_come_back_and_damaged_ones_do_not() {
    let svm = fit_with(&clouds(90, 5, 3, 4), 3, &settings(2.0, 0.5), 1);
    let bytes = svm.save().unwrap();
    let back = Svm::load(&bytes).unwrap();
    assert_eq!(back.save().unwrap(), bytes);
    let x = numbers(30 * 5, 8);
    assert_eq!(
        back.decision_values(&Threads::one(), &x).unwrap(),
        svm.decision_values(&Threads::one(), &x).unwrap()
    );
    for cut in 0..bytes.len() {
        assert!(Svm::load(&bytes[..cut]).is_err());
    }
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // No byte, changed, makes it panic; in the header none is taken for something else that
    // could not be asked.
    for at in (0..header).chain((header..bytes.len()).step_by(37)) {
        for flip in [1_u8, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(svm) = Svm::load(&damaged) {
                let x = vec![0.5; 2 * svm.features()];
                let decisions = svm.decision_values(&Threads::one(), &x).unwrap();
                assert_eq!(decisions.len(), 2 * svm.pairs());
            }
        }
    }
    let mut nan = bytes.clone();
    // The format puts the widest type first: constants and γ.
    nan[header..header + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    assert!(matches!(Svm::load(&nan), Err(SvmError::File(_))));
}

#[test]
fn impossible_problems_and_settings_are_refused() {
    let features = numbers(12, 1);
    let good = Problem {
        features: &features,
        width: 2,
        labels: &[0, 1, 2, 0, 1, 2],
        classes: 3,
    };
    let try_fit = |problem: Problem<'_>, settings: &SvmSettings| {
        Svm::fit(problem, settings, 1, None, &mut |_| Ok(())).map(|svm| svm.support_vectors())
    };
    let base = SvmSettings::default();
    assert!(try_fit(good, &base).is_ok());
    for (what, settings) in [
        ("c", SvmSettings { c: 0.0, ..base }),
        (
            "c",
            SvmSettings {
                c: f64::NAN,
                ..base
            },
        ),
        (
            "gamma",
            SvmSettings {
                gamma: Gamma::Value(-1.0),
                ..base
            },
        ),
        (
            "tolerance",
            SvmSettings {
                tolerance: 0.0,
                ..base
            },
        ),
        (
            "folds",
            SvmSettings {
                calibration: Calibration::CrossValidation { folds: 1 },
                ..base
            },
        ),
    ] {
        let why = try_fit(good, &settings).unwrap_err().to_string();
        assert!(why.contains(what), "{why}");
    }
    let labels = |labels| Problem { labels, ..good };
    assert!(matches!(
        try_fit(labels(&[0, 1, 3, 0, 1, 2]), &base),
        Err(SvmError::Label {
            row: 2,
            label: 3,
            ..
        })
    ));
    assert!(matches!(
        try_fit(labels(&[0, 1, 1, 0, 1, 0]), &base),
        Err(SvmError::EmptyClass { class: 2, .. })
    ));
    assert!(matches!(
        try_fit(labels(&[0, 1, 2]), &base),
        Err(SvmError::Length { .. })
    ));
    assert!(try_fit(Problem { width: 0, ..good }, &base).is_err());
    for bad in [f32::NAN, f32::INFINITY, 1e30] {
        let mut features = features.clone();
        features[5] = bad;
        let problem = Problem {
            features: &features,
            ..good
        };
        let refused = try_fit(problem, &base);
        assert!(
            matches!(refused, Err(SvmError::Value { .. })),
            "{bad}: {refused:?}"
        );
    }
    let svm = Svm::fit(good, &base, 1, None, &mut |_| Ok(())).unwrap();
    assert!(svm.decision_values(&Threads::one(), &[0.0; 3]).is_err());
    assert!(
        svm.probabilities(&Threads::one(), &[0.0; 4], &mut [0.0; 5])
            .is_err()
    );
    let none = svm.decision_values(&Threads::one(), &[]).unwrap();
    assert!(none.is_empty());
}

/// Rows that are all the same, and classes of one row, are legal.
#[test]
fn degenerate_sets_are_solved() {
    let same = (vec![1.0; 24], [0, 1].repeat(6));
    let svm = fit_with(&same, 2, &settings(1.0, 1.0), 1);
    let mut out = [0.0; 2];
    svm.probabilities(&Threads::one(), &[1.0, 1.0], &mut out)
        .unwrap();
    assert!((out[0] - 0.5).abs() < 0.1, "{out:?}");
    let lone = (numbers(10, 3), vec![0, 1, 1, 1, 1]);
    let svm = fit_with(&lone, 2, &settings(1.0, 1.0), 1);
    assert!(svm.has_probabilities());
}
