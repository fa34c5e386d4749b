//! The terminal leaderboard at the widths people have.

use xbench_report::{
    Column, Direction, Estimate, LeaderboardView, ModelBlock, Row, RowStatus, Style,
    leaderboard_text,
};

fn column(id: &str, title: &str, direction: Direction, chance: Option<f64>) -> Column {
    Column {
        id: id.to_owned(),
        title: title.to_owned(),
        direction,
        chance,
    }
}

fn row(explainer: &str, rank: f64, scores: [f64; 6], forward: f64, ms: f64) -> Row {
    let estimate = |value: f64| Some(Estimate::new(value, value - 0.012, value + 0.014));
    Row {
        explainer: explainer.to_owned(),
        control: false,
        status: RowStatus::Complete,
        group: "a".to_owned(),
        mean_rank: Some(rank),
        rank_interval: Some((rank - 0.3, rank + 0.4)),
        p_first: Some(1.0 / (rank * rank)),
        scores: scores.map(estimate).to_vec(),
        forward_rows: Some(forward),
        backward_rows: Some(0.0),
        ms_per_image: Some(Estimate::new(ms, ms * 0.9, ms * 1.1)),
        beats_controls: Some(true),
    }
}

fn view() -> LeaderboardView {
    let crashed = Row {
        status: RowStatus::Incomplete {
            status: "crashed".to_owned(),
            note: "SIGSEGV after 3 of 8 chunks".to_owned(),
            partial: false,
        },
        mean_rank: None,
        rank_interval: None,
        p_first: None,
        group: String::new(),
        scores: vec![None; 6],
        ..row("theirs", 0.0, [0.0; 6], 0.0, 0.0)
    };
    let control = |name: &str, rank, scores| Row {
        control: true,
        beats_controls: None,
        group: String::new(),
        ..row(name, rank, scores, 0.0, 0.02)
    };
    LeaderboardView {
        suite: "fashion".to_owned(),
        data_set: "fashion-mnist:test".to_owned(),
        n: 256,
        columns: vec![
            column("relevance-mass", "mass", Direction::Higher, Some(0.389)),
            column("pointing-game", "pointing", Direction::Higher, Some(0.389)),
            column("auroc", "AUROC", Direction::Higher, Some(0.5)),
            column("deletion-auc", "deletion", Direction::Lower, None),
            column(
                "faithfulness-correlation",
                "faith. corr.",
                Direction::Higher,
                Some(0.0),
            ),
            column("gini", "gini", Direction::Neither, None),
        ],
        models: vec![
            ModelBlock {
                name: "cnn-gap best".to_owned(),
                accuracy: Some(Estimate::new(0.9191, 0.9136, 0.9243)),
                macro_f1: Some(0.9188),
                rows: vec![
                    control("random", 7.75, [0.389, 0.391, 0.5, 0.42, 0.001, 0.33]),
                    row(
                        "gradcam",
                        5.2,
                        [0.58, 0.801, 0.66, 0.31, 0.21, 0.41],
                        1.0,
                        0.21,
                    ),
                    crashed,
                    Row {
                        beats_controls: Some(false),
                        ..row(
                            "gradient",
                            6.9,
                            [0.4, 0.52, 0.51, 0.4, -0.02, 0.52],
                            1.0,
                            0.3,
                        )
                    },
                    row(
                        "ig{steps: 50, baseline: 0, rule: trapezoid}",
                        2.1,
                        [0.998, 0.99, 0.83, 0.18, 0.44, 0.71],
                        50.0,
                        12.4,
                    ),
                    control("oracle", 1.5, [1.0, 1.0, 1.0, 0.29, 0.3, 0.61]),
                ],
            },
            ModelBlock {
                name: "lenet best".to_owned(),
                accuracy: Some(Estimate::exact(0.92)),
                macro_f1: None,
                rows: vec![
                    Row {
                        status: RowStatus::Incomplete {
                            status: "timed out".to_owned(),
                            note: "3 of 8 chunks".to_owned(),
                            partial: true,
                        },
                        ..row(
                            "occlusion",
                            1.0,
                            [0.7, 0.9, 0.75, 0.2, 0.4, 0.6],
                            12_345.0,
                            1250.0,
                        )
                    },
                    row("saliency", 2.0, [0.61, 0.7, 0.6, 0.25, 0.1, 0.5], 1.0, 0.3),
                ],
            },
        ],
        warnings: vec![
            "the background of fashion-mnist is exactly zero: whatever multiplies by the input \
             lands inside the mask, so mask scores say little without the controls"
                .to_owned(),
        ],
        full_table: "results/fashion/leaderboard.csv".to_owned(),
    }
}

#[test]
fn two_hundred_columns_show_everything() {
    insta::assert_snapshot!(leaderboard_text(&view(), &Style::plain(200)), @r#"
    fashion · fashion-mnist:test · 256 images per row

    cnn-gap best · accuracy .919 [.914–.924] · macro F1 .919
    rank             1st     explainer                                      mass ↑   pointing ↑      AUROC ↑  deletion ↓  faith. corr. ↑        gini    fwd  bwd    ms
     1.5 [1.2–1.9]   .44     oracle ·control                           1.000 ±.013  1.000 ±.013  1.000 ±.013  .290 ±.013      .300 ±.013  .610 ±.013      0    0  .020
     2.1 [1.8–2.5]   .23  a  ig{steps: 50, baseli…0, rule: trapezoid}   .998*±.013   .990*±.013   .830*±.013  .180*±.013      .440*±.013  .710 ±.013     50    0  12.4
     5.2 [4.9–5.6]   .04  a  gradcam                                    .580 ±.013   .801 ±.013   .660 ±.013  .310 ±.013      .210 ±.013  .410 ±.013      1    0  .210
     6.9 [6.6–7.3]   .02  a  gradient ≈control                          .400 ±.013   .520 ±.013   .510 ±.013  .400 ±.013     -.020 ±.013  .520 ±.013      1    0  .300
     7.8 [7.5–8.2]   .02     random ·control                            .389 ±.013   .391 ±.013   .500 ±.013  .420 ±.013      .001 ±.013  .330 ±.013      0    0  .020
       –                     theirs                                    crashed: SIGSEGV after 3 of 8 chunks
                             chance level                               .389         .389         .500                        .000

    lenet best · accuracy .920
    rank             1st     explainer                                      mass ↑   pointing ↑      AUROC ↑  deletion ↓  faith. corr. ↑        gini    fwd  bwd    ms
     1.0 [0.7–1.4]  1.00  a  occlusion (timed out)                      .700 ±.013   .900 ±.013   .750 ±.013  .200 ±.013      .400 ±.013  .600 ±.013  12.3k    0  1250
     2.0 [1.7–2.4]   .25  a  saliency                                   .610*±.013   .700*±.013   .600*±.013  .250*±.013      .100*±.013  .500 ±.013      1    0  .300
                             chance level                               .389         .389         .500                        .000

    *: best explainer of the column · ±: half the 95% interval · ≈control: no better than a control · same letter: ranks cannot be told apart · 1st: share of resamples in which it ranks first · fwd, bwd,
    ms: images evaluated, gradients computed, CPU time per explanation
    full table: results/fashion/leaderboard.csv
    ! the background of fashion-mnist is exactly zero: whatever multiplies by the input lands inside the mask, so mask scores say little without the controls
    "#);
}

#[test]
fn a_hundred_and_twenty_columns_leave_out_the_intervals() {
    insta::assert_snapshot!(leaderboard_text(&view(), &Style::plain(120)), @"
    fashion · fashion-mnist:test · 256 images per row

    cnn-gap best · accuracy .919 [.914–.924] · macro F1 .919
    rank     explainer                 mass ↑  pointing ↑  AUROC ↑  deletion ↓  faith. corr. ↑   gini    fwd  bwd    ms
     1.5     oracle ·control           1.000       1.000    1.000        .290            .300   .610       0    0  .020
     2.1  a  ig{steps: 50… trapezoid}   .998*       .990*    .830*       .180*           .440*  .710      50    0  12.4
     5.2  a  gradcam                    .580        .801     .660        .310            .210   .410       1    0  .210
     6.9  a  gradient ≈control          .400        .520     .510        .400           -.020   .520       1    0  .300
     7.8     random ·control            .389        .391     .500        .420            .001   .330       0    0  .020
       –     theirs                    crashed: SIGSEGV after 3 of 8 chunks
             chance level               .389        .389     .500                        .000

    lenet best · accuracy .920
    rank     explainer                 mass ↑  pointing ↑  AUROC ↑  deletion ↓  faith. corr. ↑   gini    fwd  bwd    ms
     1.0  a  occlusion (timed out)      .700        .900     .750        .200            .400   .600   12.3k    0  1250
     2.0  a  saliency                   .610*       .700*    .600*       .250*           .100*  .500       1    0  .300
             chance level               .389        .389     .500                        .000

    *: best explainer of the column · ≈control: no better than a control · same letter: ranks cannot be told apart · fwd,
    bwd, ms: images evaluated, gradients computed, CPU time per explanation
    left out at this width: intervals · full table: results/fashion/leaderboard.csv
    ! the background of fashion-mnist is exactly zero: whatever multiplies by the input lands inside the mask, so mask
      scores say little without the controls
    ");
}

#[test]
fn eighty_columns_leave_out_the_last_scores() {
    insta::assert_snapshot!(leaderboard_text(&view(), &Style::plain(80)), @"
    fashion · fashion-mnist:test · 256 images per row

    cnn-gap best · accuracy .919 [.914–.924] · macro F1 .919
    rank     explainer                 mass ↑  pointing ↑  AUROC ↑    fwd  bwd    ms
     1.5     oracle ·control           1.000       1.000    1.000       0    0  .020
     2.1  a  ig{steps: 50… trapezoid}   .998*       .990*    .830*     50    0  12.4
     5.2  a  gradcam                    .580        .801     .660       1    0  .210
     6.9  a  gradient ≈control          .400        .520     .510       1    0  .300
     7.8     random ·control            .389        .391     .500       0    0  .020
       –     theirs                    crashed: SIGSEGV after 3 of 8 chunks
             chance level               .389        .389     .500

    lenet best · accuracy .920
    rank     explainer                 mass ↑  pointing ↑  AUROC ↑    fwd  bwd    ms
     1.0  a  occlusion (timed out)      .700        .900     .750   12.3k    0  1250
     2.0  a  saliency                   .610*       .700*    .600*      1    0  .300
             chance level               .389        .389     .500

    *: best explainer of the column · ≈control: no better than a control · same
    letter: ranks cannot be told apart · fwd, bwd, ms: images evaluated, gradients
    computed, CPU time per explanation
    left out at this width: intervals, deletion, faith. corr., gini · full table:
    results/fashion/leaderboard.csv
    ! the background of fashion-mnist is exactly zero: whatever multiplies by the
      input lands inside the mask, so mask scores say little without the controls
    ");
}

#[test]
fn ascii_terminals_get_ascii() {
    let text = leaderboard_text(
        &view(),
        &Style {
            unicode: false,
            ..Style::plain(120)
        },
    );
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 72, 80, 100, 120, 160, 200, 300] {
        let style = Style::plain(width);
        for line in leaderboard_text(&view(), &style).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_marks_the_best_contestant_and_dims_controls() {
    let text = leaderboard_text(
        &view(),
        &Style {
            colour: true,
            ..Style::plain(120)
        },
    );
    // The oracle's mass is larger, but it is a control.
    assert!(text.contains("\x1b[1m.998"), "{text}");
    assert!(text.contains("\x1b[2m1.000"), "{text}");
    assert!(!text.contains("\x1b[1m1.000"), "{text}");
}

#[test]
fn names_from_plugins_cannot_steer_the_terminal() {
    let mut hostile = view();
    hostile.models[0].name = "\x1b[2Jgone".to_owned();
    hostile.models[0].rows[1].explainer = "a\nb".to_owned();
    hostile.warnings.push("\x07".to_owned());
    let text = leaderboard_text(&hostile, &Style::plain(120));
    assert!(!text.contains(['\x1b', '\x07']), "{text}");
    assert!(text.contains("a b"), "{text}");
}

#[test]
fn an_empty_board_is_still_a_board() {
    let empty = LeaderboardView {
        models: vec![],
        columns: vec![],
        warnings: vec![],
        ..view()
    };
    assert!(
        leaderboard_text(&empty, &Style::plain(80)).starts_with("fashion · fashion-mnist:test")
    );
}
