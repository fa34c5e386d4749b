//! Figures of SciPy, statsmodels, scikit-posthocs, pingouin and krippendorff; the script beside the
//! fixture made them.

use serde::Deserialize;
use xbench_stats::{
    SignFlips, detectable_difference, friedman, icc, images_needed, kendall_w, krippendorff_alpha,
    nemenyi_critical_difference, nemenyi_p, paired_permutation, paired_t_power,
};

#[derive(Deserialize)]
struct Reference {
    permutation: Vec<Permutation>,
    friedman: Vec<Friedman>,
    nemenyi_q: Vec<Quantile>,
    kendall: Vec<Kendall>,
    power: Vec<Power>,
    images: Vec<Images>,
    icc: Vec<Icc>,
    krippendorff: Vec<Alpha>,
}

#[derive(Deserialize)]
struct Permutation {
    d: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct Friedman {
    values: Vec<Vec<f64>>,
    chi_square: f64,
    p: f64,
    f: f64,
    p_f: f64,
    mean_ranks: Vec<f64>,
    nemenyi: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Quantile {
    k: usize,
    alpha: f64,
    q: f64,
}

#[derive(Deserialize)]
struct Kendall {
    values: Vec<Vec<f64>>,
    w: f64,
    chi_square: f64,
    p: f64,
    exact: Option<f64>,
}

#[derive(Deserialize)]
struct Power {
    n: f64,
    effect: f64,
}

#[derive(Deserialize)]
struct Images {
    effect: f64,
    n: f64,
}

#[derive(Deserialize)]
struct Icc {
    values: Vec<Vec<f64>>,
    single: f64,
    mean: f64,
    f: f64,
    p: f64,
    ends: [f64; 2],
}

#[derive(Deserialize)]
struct Alpha {
    values: Vec<Vec<Option<f64>>>,
    alpha: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("fixtures/reference.json")).expect("the fixture")
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance * expected.abs().max(1e-3),
        "{what}: {found} is not {expected}"
    );
}

fn slices(values: &[Vec<f64>]) -> Vec<&[f64]> {
    values.iter().map(Vec::as_slice).collect()
}

#[test]
fn permutation_tests_are_those_of_scipy() {
    for case in reference().permutation {
        let flips = SignFlips::new(case.d.len(), 1, 0);
        let differences: Vec<Option<f64>> = case.d.iter().copied().map(Some).collect();
        let p = paired_permutation(&differences, &flips).unwrap();
        near(p, case.p, 1e-12, "permutation");
    }
}

#[test]
fn friedman_and_nemenyi_are_those_of_scipy_and_posthocs() {
    for case in reference().friedman {
        let found = friedman(&slices(&case.values)).unwrap();
        near(found.chi_square, case.chi_square, 1e-10, "chi square");
        near(found.p_value, case.p, 1e-9, "p");
        near(found.f.unwrap(), case.f, 1e-9, "F");
        near(found.p_f, case.p_f, 1e-8, "p of F");
        let (k, n) = (case.values.len(), case.values[0].len());
        for (a, row) in case.nemenyi.iter().enumerate() {
            for (b, &expected) in row.iter().enumerate().filter(|&(b, _)| b != a) {
                let apart = case.mean_ranks[a] - case.mean_ranks[b];
                // scikit-posthocs reads the quantile from SciPy's integral, good to about 1e-7.
                let p = nemenyi_p(apart, k, n).unwrap();
                assert!((p - expected).abs() < 1e-6, "{p} {expected}");
            }
        }
    }
    for case in reference().nemenyi_q {
        let found = nemenyi_critical_difference(case.k, 1, case.alpha).unwrap();
        let k = case.k as f64;
        near(found / (k * (k + 1.0) / 6.0).sqrt(), case.q, 1e-6, "q");
    }
}

#[test]
fn kendall_is_the_textbooks_formula_and_all_orders_counted() {
    for case in reference().kendall {
        let found = kendall_w(&case.values, 1).unwrap();
        near(found.w, case.w, 1e-12, "W");
        near(found.chi_square, case.chi_square, 1e-12, "chi square");
        near(found.p_chi_square, case.p, 1e-9, "p");
        if let Some(exact) = case.exact {
            near(found.p_permutation, exact, 1e-12, "permutation");
        }
    }
}

#[test]
fn power_is_that_of_statsmodels() {
    for case in reference().power {
        let found = detectable_difference(1.0, case.n, 0.05, 0.8).unwrap();
        near(found, case.effect, 1e-9, "detectable");
        near(
            paired_t_power(case.effect, case.n, 0.05).unwrap(),
            0.8,
            1e-9,
            "power",
        );
    }
    for case in reference().images {
        let found = images_needed(case.effect, 0.05, 0.8, 1.0).unwrap();
        assert_eq!(found as f64, case.n.ceil(), "{}", case.effect);
        let wilcoxon = images_needed(case.effect, 0.05, 0.8, 0.864).unwrap();
        assert!((wilcoxon as f64 - case.n / 0.864).abs() <= 1.0);
    }
}

#[test]
fn intraclass_correlations_are_those_of_pingouin() {
    for case in reference().icc {
        let found = icc(&slices(&case.values)).unwrap();
        near(found.single, case.single, 1e-9, "single");
        near(found.mean, case.mean, 1e-9, "mean");
        near(found.f, case.f, 1e-9, "F");
        near(found.p_value, case.p, 1e-6, "p");
        near(found.single_low, case.ends[0], 1e-9, "low");
        near(found.single_high, case.ends[1], 1e-9, "high");
    }
}

#[test]
fn alpha_is_that_of_krippendorff() {
    for case in reference().krippendorff {
        let slices: Vec<&[Option<f64>]> = case.values.iter().map(Vec::as_slice).collect();
        near(
            krippendorff_alpha(&slices).unwrap(),
            case.alpha,
            1e-9,
            "alpha",
        );
    }
}
