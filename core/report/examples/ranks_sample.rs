//! Draws a critical difference diagram: `cargo run --example ranks_sample -- FOLDER`.

use std::path::PathBuf;

use xbench_report::{RankDiagram, RankEntry, encode_png, rank_diagram_image, rank_diagram_svg};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    for (name, ranks, runs, critical) in [
        (
            "few",
            vec![
                ("ig{steps: 50, baseline: 0}", 2.41),
                ("input-x-gradient", 2.58),
                ("occlusion", 3.02),
                ("smoothgrad", 4.77),
                ("oracle", 5.1),
                ("gradcam", 5.16),
                ("random", 8.3),
            ],
            vec![(0, 1), (1, 2), (3, 5)],
            0.56,
        ),
        (
            "many",
            (0..23)
                .map(|i| {
                    (
                        "explainer-with-a-name{parameter: 1}",
                        4.0 + 0.7 * f64::from(i),
                    )
                })
                .collect(),
            (0..18).map(|i| (i, i + 4)).collect(),
            2.2,
        ),
    ] {
        let entries = ranks.into_iter().map(|(name, mean_rank)| RankEntry {
            name: name.to_owned(),
            mean_rank,
            control: ["oracle", "random"].contains(&name),
        });
        let diagram = RankDiagram {
            title: format!("lenet on fashion-mnist, {name}: deletion_auc, insertion_auc"),
            entries: entries.collect(),
            runs,
            critical_difference: Some(critical),
            notes: vec![
                "bars join explainers that no paired Wilcoxon test tells apart (Holm over all \
                 pairs, .05; 256 images)"
                    .to_owned(),
                "CD: critical difference of mean ranks by Nemenyi's test, .05".to_owned(),
            ],
        };
        let png = encode_png(&rank_diagram_image(&diagram)?)?;
        std::fs::write(folder.join(format!("ranks-{name}.png")), png)?;
        let svg = rank_diagram_svg(&diagram)?;
        std::fs::write(folder.join(format!("ranks-{name}.svg")), svg)?;
    }
    Ok(())
}
