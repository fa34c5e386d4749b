//! The suites that come with the program, their schema, and what users get to read when a suite
//! is wrong.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use serde_json::{Value, json};
use xbench_data::Selection;
use xbench_suite::{Accuracy, Kind, Known, Registry, Scores, Suite, Target, schema_json};

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites")
}

/// Plugins as the standard libraries declare them.
struct Standard;

fn known(short: &str) -> Known {
    Known {
        id: format!("org.xbench.{short}"),
        short: short.to_owned(),
        version: "0.1.0".to_owned(),
        ..Known::default()
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

impl Registry for Standard {
    fn models(&self) -> Vec<Known> {
        let model = |short: &str, can: &[&str], presets: &[&str]| Known {
            provides: can
                .iter()
                .chain(&["predict"])
                .map(|can| format!("xbench.model.{can}/1"))
                .collect(),
            presets: words(presets),
            ..known(short)
        };
        let (study, forest) = (["published", "best"], ["default", "published"]);
        vec![
            model("cnn-gap", &["vjp", "linear"], &study),
            model("lenet", &["vjp"], &study),
            model("cnn-plain", &["vjp"], &study),
            model("cnn-dropout", &["vjp"], &study),
            model("hybrid-cnn", &["vjp", "linear"], &study),
            model("hybrid", &["vjp", "linear"], &study),
            model("svm-mask", &["vjp"], &study),
            model("xgboost", &["trees"], &study),
            model("random-forest", &["trees"], &forest),
            model("resnet-spn", &["vjp", "segment"], &["quick", "full"]),
        ]
    }

    fn explainers(&self) -> Vec<Known> {
        let explainer = |short: &str, need: &str| Known {
            requires_model: words(&[need]),
            ..known(short)
        };
        let mut all = vec![
            explainer("cam", "xbench.model.linear/1"),
            explainer("occlusion", "xbench.model.predict/1"),
            explainer("sliding-mask", "xbench.model.predict/1"),
            explainer("segmentation", "xbench.model.segment/1"),
        ];
        for short in [
            "gradcam",
            "gradient",
            "saliency",
            "input-x-gradient",
            "ig",
            "smoothgrad",
        ] {
            all.push(explainer(short, "xbench.model.vjp/1"));
        }
        for short in [
            "random",
            "constant",
            "sobel",
            "input-magnitude",
            "centre-gaussian",
            "oracle",
        ] {
            all.push(Known {
                control: true,
                ..known(short)
            });
        }
        all.push(Known {
            id: "org.example.ig".into(),
            ..known("ig2")
        });
        all
    }

    fn check_params(&self, _: Kind, id: &str, params: &Value) -> Result<Value, String> {
        let mut params = params.as_object().cloned().unwrap_or_default();
        if id.ends_with(".ig") {
            params.entry("steps").or_insert(json!(50));
            params.entry("baseline").or_insert(json!(0.0));
            if let Some(wrong) = params
                .keys()
                .find(|key| !matches!(key.as_str(), "steps" | "baseline"))
            {
                return Err(format!(
                    "unknown parameter \"{wrong}\"\nit has steps, baseline"
                ));
            }
        }
        Ok(Value::Object(params))
    }
}

/// The explainers of this repository, by their manifests; any parameters will do.
struct Shipped;

impl Registry for Shipped {
    fn models(&self) -> Vec<Known> {
        Standard.models()
    }

    fn explainers(&self) -> Vec<Known> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/explainers");
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let manifest = entry.unwrap().path().join("xbench-plugin.toml");
            let text = std::fs::read_to_string(manifest).unwrap();
            for plugin in text.split("[[plugin]]").skip(1) {
                let short = plugin
                    .lines()
                    .find_map(|line| line.strip_prefix("id = \"org.xbench."))
                    .and_then(|id| id.strip_suffix('"'))
                    .unwrap();
                all.push(Known {
                    control: plugin.contains("control = true"),
                    ..known(short)
                });
            }
        }
        all
    }

    fn check_params(&self, _: Kind, _: &str, params: &Value) -> Result<Value, String> {
        Ok(params.clone())
    }
}

const MINIMAL: &str =
    "suite: tiny\nversion: 1\ndata: {set: garments}\nmodels: [lenet]\nexplainers: [ig]\n";

fn refused(text: &str) -> String {
    match Suite::from_str("s.yaml", text) {
        Err(errors) => errors.to_string(),
        Ok(suite) => suite
            .check(&Standard)
            .expect_err("the suite is wrong")
            .to_string(),
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let path = suites().join("schema.json");
    if std::env::var_os("XBENCH_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, schema_json()).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(
        published == schema_json(),
        "suites/schema.json is stale: run this test with XBENCH_BLESS=1"
    );
}

#[test]
fn every_suite_is_valid_and_so_says_the_schema() {
    let schema: Value = serde_json::from_str(&schema_json()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(suites()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let suite = Suite::from_file(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            path.file_stem().unwrap().to_str(),
            Some(suite.name.as_str())
        );
        for suite in std::iter::once(&suite).chain(&suite.parts) {
            suite
                .check(&Shipped)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let wrong: Vec<String> = schema
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 3);
    assert!(!schema.is_valid(&json!({"suite": "x", "version": 1})));
}

#[test]
fn fashion_says_what_it_says() {
    let suite = Suite::from_file(&suites().join("fashion.yaml")).unwrap();
    assert_eq!(suite.data.select, Selection::Balanced(256));
    assert_eq!(
        suite.data.otherwise.as_ref().map(|set| set.name.as_str()),
        Some("garments")
    );
    assert_eq!(
        (suite.accuracy, suite.target, suite.seed, suite.chunk),
        (Accuracy::All, Target::Predicted, 0, 64)
    );
    assert_eq!(suite.scores, Scores::Standard);
    let checked = suite.check(&Standard).unwrap();
    assert_eq!(checked.plan.cells.len(), 2 * 15);
    let unsupported: Vec<String> = checked
        .plan
        .cells
        .iter()
        .filter_map(|cell| {
            let why = cell.unsupported.as_ref()?;
            Some(format!(
                "{} × {}: {why}",
                checked.models[cell.model].label, checked.explainers[cell.explainer].label
            ))
        })
        .collect();
    assert_eq!(unsupported, ["lenet × cam: needs xbench.model.linear/1"]);
    assert_eq!(checked.models[0].preset.as_deref(), Some("best"));
    let ig = checked
        .explainers
        .iter()
        .find(|explainer| explainer.label == "ig")
        .unwrap();
    assert_eq!(ig.params, json!({"steps": 50, "baseline": 0}));
    assert_eq!(ig.plugin.id, "org.xbench.ig");
    assert_eq!(
        checked
            .explainers
            .iter()
            .filter(|explainer| explainer.plugin.control)
            .count(),
        6
    );
    let ranking: Vec<&str> = checked.ranking.iter().map(|score| score.id).collect();
    assert_eq!(
        ranking,
        ["deletion_auc", "insertion_auc", "faithfulness_correlation"]
    );
}

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
