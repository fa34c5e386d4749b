//! What users get to read when a suite is wrong.

use insta::assert_snapshot;
use serde_json::Value;
use xbench_suite::{Kind, Known, Registry, Suite};

use crate::plugins::{MINIMAL, Standard, known, refused};

#[test]
fn names_that_do_not_exist() {
    assert_snapshot!(refused("suite: tiny
version: 1
data: {set: garmets}
models: [lenett]
explainers:
  - gradcm
  - ig
scores: [deletion_auk, localization, gini, gini]
"), @r#"
    s.yaml:3:13: unknown data set "garmets"
      did you mean "garments"?
      known data sets: garments, fashion-mnist, garments-plain, garments-cluttered, garments-shortcut, busi, fetal-health, flowers17, garment-photos
    s.yaml:8:10: unknown score "deletion_auk"
      did you mean "deletion_auc"?
      "xbench scores" lists the scores
      a list may also name families: localisation, faithfulness, axiomatic, robustness, randomisation, agreement, complexity, cost
    s.yaml:8:24: unknown score "localization"
      did you mean "localisation"?
      "xbench scores" lists the scores
      a list may also name families: localisation, faithfulness, axiomatic, robustness, randomisation, agreement, complexity, cost
    s.yaml:8:44: "gini" occurs twice
      name it once
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}controls: [gradcam]\nranking: [gini, accuracy]\n").replace("[lenet]", "[lenett, {model: lenet, preset: bast}]")), @r#"
    s.yaml:4:10: unknown model "lenett"
      did you mean "lenet"?
      known models: lenet, cnn-gap, cnn-plain, cnn-dropout, hybrid-cnn, hybrid, svm-mask, xgboost, random-forest, resnet-spn
      plugins are looked for in the folders that "xbench plugin list" shows
    s.yaml:4:18: "lenet" has no preset "bast"
      did you mean "best"?
      its presets: best, published
    s.yaml:6:12: "gradcam" is not a control
      list it under "explainers"
    s.yaml:7:11: "gini" cannot rank: it has no better and worse
      scores that can: relevance_mass, relevance_rank, pointing_game, auroc, auprc, iou_at_mask, best_iou, deletion_auc, insertion_auc, faithfulness_correlation
    s.yaml:7:17: "accuracy" cannot rank: it is not a score of an explanation
      scores that can: relevance_mass, relevance_rank, pointing_game, auroc, auprc, iou_at_mask, best_iou, deletion_auc, insertion_auc, faithfulness_correlation
    "#);
}

#[test]
fn keys_that_do_not_exist_or_are_missing() {
    assert_snapshot!(refused(&format!("{MINIMAL}chnk: 3\n")), @r#"
    s.yaml:6:1: unknown key "chnk"
      did you mean "chunk"?
      known keys: chunk, suite, version, summary, data, accuracy, seed, target, models, explainers, controls, scores, ranking, perturbation, agreement, robustness, randomisation, timing, background, deadline, plugins, reproduction, compare, also
    "#);
    assert_snapshot!(refused("suite: tiny\ndata: {set: garments}\n"), @r#"
    s.yaml:1:1: the key "version" is missing
      add "version: ..." here
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("[ig]", "\n  - ig{steps: 50}")), @r#"
    s.yaml:6:5: unknown key "ig{steps"
      known keys: explainer, params, name
      a plugin with parameters needs quotes around it: 'ig{steps: 50}'
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("[ig]", "[{explainer: ig, parms: {steps: 1}}]")), @r#"
    s.yaml:5:30: unknown key "parms"
      did you mean "params"?
      known keys: params, explainer, name
    "#);
    assert_snapshot!(refused(""), @r#"s.yaml:1:1: expected a mapping that begins with "suite: name", found nothing"#);
}

#[test]
fn values_of_the_wrong_type_or_out_of_range() {
    assert_snapshot!(refused(&format!("{MINIMAL}chunk: many\n")), @r#"s.yaml:6:8: expected a whole number, not negative, found "many""#);
    assert_snapshot!(refused(&format!("{MINIMAL}seed: -1\n")), @r#"s.yaml:6:7: expected a whole number, not negative, found -1"#);
    assert_snapshot!(refused(&format!("{MINIMAL}target: {{class: 10}}\nchunk: 5000\ndeadline: 0\nperturbation: {{steps: 1, subset_share: 0, top_k_share: 1.5}}\n")), @r#"
    s.yaml:6:9: there is no class 10
      the set has 10 classes, counted from 0
    s.yaml:7:8: "chunk" is 5000
      give a whole number from 1 to 4096
    s.yaml:8:11: "deadline" is 0
      give seconds from 0.1 to 86400
    s.yaml:9:23: "steps" is 1
      give a whole number from 2 to 10000
    s.yaml:9:40: "subset_share" is 0
      give a share above 0 and at most 1
    s.yaml:9:56: "top_k_share" is 1.5
      give a share above 0 and at most 1
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}target: predikted\n")), @r#"
    s.yaml:6:9: unknown value "predikted"
      did you mean "predicted"?
      known values: predicted, label, class
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("{set: garments}", "{set: garments, select: {balanced: 100000}, otherwise: garments}")), @r#"
    s.yaml:3:31: "select: balanced 100000" goes beyond the split "test"
      it has 1000 rows
    s.yaml:3:62: "otherwise" names the same set
      name another set, or leave it out
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("[lenet]", "[]").replace("tiny", "../tiny").replace("[ig]", "ig")), @r#"s.yaml:5:13: expected a list, found "ig""#);
    assert_snapshot!(refused(&MINIMAL.replace("[lenet]", "[]").replace("tiny", "../tiny")), @r#"
    s.yaml:1:8: "../tiny" is not a suite's name
      use lower-case letters, digits and hyphens: it names the folder of results
    s.yaml:4:9: there are no models
      name at least one
    "#);
}

#[test]
fn names_that_occur_twice_and_parameters_the_plugin_refuses() {
    assert_snapshot!(refused(&format!("{MINIMAL}controls: [ig]\n").replace("[ig]", "[ig, 'ig{steps: 5}']")), @r#"
    s.yaml:5:18: "ig" occurs twice
      the first is on line 5
      give one of them another label: {..., name: another-label}
    s.yaml:6:12: "ig" occurs twice
      the first is on line 5
      give one of them another label: {..., name: another-label}
    s.yaml:6:16: "ig" occurs twice
      the first is on line 5
      give one of them another label: {..., name: another-label}
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("[ig]", "['ig{stps: 5}']")), @r#"
    s.yaml:5:14: parameters of "ig": unknown parameter "stps"
      it has steps, baseline
    "#);
    assert_snapshot!(refused(&MINIMAL.replace("[ig]", "['ig{steps: 5']")), @r#"
    s.yaml:5:14: the braces of "ig{steps: 5" do not match
      write parameters like 'ig{steps: 50, baseline: 0}'
    "#);
    assert_snapshot!(refused(&format!("{MINIMAL}reproduction:\n  - {{model: lenett, score: gini, published: 0.5, source: s}}\n")), @r#"
    s.yaml:7:5: "lenett" is not a model of this suite
      did you mean "lenet"?
      its models: lenet
    s.yaml:7:5: "gini" is not a score of a model alone
      name the explainer beside it, as in explainer: gradcam
    "#);
}

#[test]
fn what_is_not_yaml() {
    assert_snapshot!(refused("suite: tiny\nmodels: [a, b\nversion: 1\n"), @r#"
    s.yaml:3:8: this is not YAML: illegal placement of ':' indicator
      check indentation, quotes and brackets here and on the line above
    "#);
    assert_snapshot!(refused("suite: tiny\nsuite: tiny\n"), @r#"
    s.yaml:2:1: the key "suite" occurs twice
      keep one of the two entries
    "#);
    assert_snapshot!(refused("a: &a [1]\nb: [*a, *a]\n"), @r#"
    s.yaml:2:5: this is too large or too deep, or uses aliases
      a suite is one document of at most 1 MiB, 16 levels deep, without aliases
    "#);
}

#[test]
fn an_ambiguous_short_name_asks_for_the_id() {
    struct Twice;
    impl Registry for Twice {
        fn models(&self) -> Vec<Known> {
            Standard.models()
        }
        fn explainers(&self) -> Vec<Known> {
            vec![
                known("ig"),
                Known {
                    id: "org.example.ig".into(),
                    ..known("ig")
                },
            ]
        }
        fn check_params(&self, _: Kind, _: &str, params: &Value) -> Result<Value, String> {
            Ok(params.clone())
        }
    }
    let suite = Suite::from_str("s.yaml", MINIMAL).unwrap();
    assert_snapshot!(suite.check(&Twice).unwrap_err(), @r#"
    s.yaml:5:14: "ig" is the short name of several explainers
      write one of the ids: org.xbench.ig, org.example.ig
    "#);
    let suite = Suite::from_str("s.yaml", &MINIMAL.replace("[ig]", "[org.example.ig]")).unwrap();
    assert_eq!(
        suite.check(&Twice).unwrap().explainers[0].plugin.id,
        "org.example.ig"
    );
}
