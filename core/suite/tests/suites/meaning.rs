//! What a suite means: defaults, names of scores, settings, figures.

use std::path::PathBuf;

use insta::assert_snapshot;
use serde_json::json;
use xbench_data::Selection;
use xbench_suite::Suite;

use crate::plugins::{MINIMAL, Standard, refused};

#[test]
fn defaults_are_those_documented() {
    let suite = Suite::from_str("s.yaml", MINIMAL).unwrap();
    assert_eq!(
        (suite.chunk, suite.deadline.as_secs(), suite.seed),
        (64, 60, 0)
    );
    assert_eq!(suite.data.select, Selection::All);
    let timing = suite.timing.unwrap();
    assert_eq!((timing.images, timing.repeats, timing.warmup), (16, 5, 1));
    let checked = suite.check(&Standard).unwrap();
    assert_eq!(checked.models[0].preset.as_deref(), Some("best"));
    assert!(checked.scores.iter().all(|score| score.standard));
    let standard = |score: &&xbench_metrics::ScoreInfo| score.standard;
    let catalogue = xbench_metrics::catalogue().iter();
    assert_eq!(checked.scores.len(), catalogue.filter(standard).count());
    assert_eq!(checked.ranking.len(), 3);
    let off = Suite::from_str("s.yaml", &format!("{MINIMAL}timing: off\n")).unwrap();
    assert_eq!(off.timing, None);
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = std::env::temp_dir().join(format!("xbench-suite-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("s.yaml");
    std::fs::write(
        &file,
        MINIMAL.replace("[lenet]", "[{model: lenet, weights: w.safetensors}]")
            + "plugins: [p, /q]\n",
    )
    .unwrap();
    let suite = Suite::from_file(&file).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(suite.plugins, [folder.join("p"), PathBuf::from("/q")]);
    assert_eq!(suite.models[0].weights, Some(folder.join("w.safetensors")));
    assert!(
        Suite::from_file(&file)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn scores_are_named_one_by_one_by_family_or_all() {
    let chosen = |scores: &str| -> Vec<&str> {
        let text = format!("{MINIMAL}scores: {scores}\n");
        let suite = Suite::from_str("s.yaml", &text).unwrap();
        let checked = suite.check(&Standard).unwrap();
        checked.scores.iter().map(|score| score.id).collect()
    };
    let catalogue = xbench_metrics::catalogue();
    let ids = |keep: &dyn Fn(&xbench_metrics::ScoreInfo) -> bool| -> Vec<&str> {
        let kept = catalogue.iter().filter(|score| keep(score));
        kept.map(|score| score.id).collect()
    };
    let in_family = |word: &str| ids(&|score| score.family.word() == word);
    assert_eq!(chosen("all"), ids(&|_| true));
    assert_eq!(chosen("standard"), ids(&|score| score.standard));
    assert_eq!(chosen("[localisation]"), in_family("localisation"));
    // In the catalogue's order, each once; the score goes before the family of its name.
    assert_eq!(chosen("[gini, complexity, accuracy]")[0], "accuracy");
    assert_eq!(
        chosen("[gini, complexity, accuracy]").len(),
        1 + in_family("complexity").len()
    );
    assert_eq!(
        chosen("[cost, standard]"),
        ids(&|score| score.standard || score.family.word() == "cost")
    );
}

#[test]
fn a_score_is_identified_by_the_settings_it_uses() {
    let suite = Suite::from_str("s.yaml", MINIMAL).unwrap();
    let of = |settings: &xbench_suite::Perturbation, id: &str| {
        settings.of_score(xbench_metrics::find(id).unwrap(), 3)
    };
    let defaults = &suite.perturbation;
    assert_eq!(
        of(defaults, "deletion_auc"),
        json!({"baseline": 0.0, "steps": 28, "seed": 3, "outcome": "probability"})
    );
    assert_eq!(
        of(defaults, "completeness"),
        json!({"baseline": 0.0, "outcome": "output"})
    );
    assert_eq!(of(defaults, "gini"), json!({}));
    assert_eq!(
        of(defaults, "input_invariance"),
        json!({"input_shift": -1.0})
    );
    let mut changed = defaults.clone();
    changed.steps = 4;
    changed.patch = 2;
    changed.removal_shares = vec![0.5];
    changed.road_noise = 0.5;
    changed.samples = 3;
    changed.segments = 9;
    changed.input_shift = 0.5;
    for score in xbench_metrics::catalogue() {
        let perturbed = ["faithfulness", "axiomatic"].contains(&score.family.word());
        let fields = of(defaults, score.id);
        assert_eq!(
            !fields.as_object().unwrap().is_empty(),
            (perturbed && score.needs.model) || ["top_k_overlap", "focus"].contains(&score.id),
            "{}",
            score.id
        );
        let same = ["completeness", "faithfulness_correlation", "sensitivity_n"];
        if perturbed && score.needs.model {
            assert_eq!(
                fields == of(&changed, score.id),
                same.contains(&score.id),
                "{}",
                score.id
            );
        }
    }
}

#[test]
fn published_figures_are_about_a_model_a_class_or_an_explanation() {
    let with = |rows: &str| format!("{MINIMAL}reproduction:\n{rows}");
    let suite = Suite::from_str(
        "s.yaml",
        &with(
            "  - {model: lenet, score: ece, published: 0.05, source: s}\n  \
             - {model: lenet, score: f1, class: Shirt, published: 0.74, tolerance: 0.005, source: s}\n  \
             - {model: lenet, explainer: ig, score: auroc, published: 0.8, sd: 0.02, source: s}\n",
        ),
    )
    .unwrap();
    let about = suite.reproduction.iter().map(|row| {
        (
            row.score.as_str(),
            row.class.as_deref(),
            row.explainer.as_deref(),
            row.tolerance,
        )
    });
    assert_eq!(
        about.collect::<Vec<_>>(),
        [
            ("ece", None, None, 0.0),
            ("f1", Some("Shirt"), None, 0.005),
            ("auroc", None, Some("ig"), 0.04),
        ]
    );
    let wrong = with(
        "  - {model: lenet, score: f1, published: 0.7, source: s}\n  \
         - {model: lenet, score: accuracy, class: Shrit, published: 0.7, source: s}\n  \
         - {model: lenet, explainer: ig, score: accuracy, published: 0.7, source: s}\n  \
         - {model: lenet, explainer: cam, score: auroc, published: 0.7, source: s}\n  \
         - {model: lenet, score: acuracy, published: 0.7, tolerance: 0.1, sd: 0.1, source: s}\n  \
         - {model: lenet, score: accuracy, published: 0.7, tolerance: -1, source: s}\n",
    );
    assert_snapshot!(refused(&wrong), @r#"
    s.yaml:7:5: "f1" is a score of a class
      name the class beside it, as in class: Shirt
    s.yaml:8:5: "Shrit" is not a class of the data set
      did you mean "Shirt"?
      its classes: Shirt, T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Sneaker, Bag, Ankle boot
    s.yaml:8:5: "accuracy" is not a score of a class
      they are: precision, recall, sensitivity, specificity, f1
    s.yaml:9:5: "accuracy" is a score of a model alone
      leave out "explainer"
    s.yaml:10:5: "cam" is not an explainer of this suite
      its explainers: ig
    s.yaml:11:5: unknown score "acuracy"
      did you mean "accuracy"?
      "xbench scores" lists the scores
    s.yaml:11:5: there is both a "tolerance" and an "sd"
      leave one out: an sd stands for a tolerance of twice itself
    s.yaml:12:5: the tolerance is -1
      give a number of at least 0
    "#);
}

#[test]
fn settings_of_perturbation_are_checked_and_have_defaults() {
    let of = |text: &str| {
        let text = format!("{MINIMAL}perturbation: {{{text}}}\n");
        Suite::from_str("s.yaml", &text).unwrap().perturbation
    };
    let defaults = of("");
    assert_eq!(
        (defaults.steps, defaults.patch, defaults.samples),
        (28, 4, 10)
    );
    assert_eq!(defaults.road_shares.len(), 9);
    let set = of("removal_shares: [0.5], road_noise: 0, patch: 1");
    assert_eq!(
        (set.removal_shares, set.road_noise, set.patch),
        (vec![0.5], 0.0, 1)
    );
    assert_snapshot!(refused(&format!("{MINIMAL}perturbation: {{patch: 0, sensitivity_shares: [], removal_shares: [0.1, 1.5], road_noise: -1, gap_noise: 0, samples: 0, segments: 1}}\n")), @r#"
    s.yaml:6:23: "patch" is 0
      give a whole number from 1 to 256
    s.yaml:6:46: "sensitivity_shares" has 0 values
      give 1 to 100 shares
    s.yaml:6:66: "removal_shares" is 1.5
      give a share above 0 and at most 1
    s.yaml:6:90: "road_noise" is -1
      give a number of at least 0 and at most 10
    s.yaml:6:105: "gap_noise" is 0
      give a number above 0 and at most 10
    s.yaml:6:117: "samples" is 0
      give a whole number from 1 to 10000
    s.yaml:6:130: "segments" is 1
      give a whole number from 2 to 10000
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}perturbation: {{input_shift: 0}}\n")), @r#"
    s.yaml:6:29: "input_shift" is 0
      give a number from -10 to 10 that is not 0
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}perturbation: {{input_shift: -10.5}}\n")), @r#"
    s.yaml:6:29: "input_shift" is -10.5
      give a number from -10 to 10 that is not 0
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}perturbation: {{road_shares: 0.1}}\n")), @r#"
    s.yaml:6:29: expected a list, found 0.1
    "#);
}
