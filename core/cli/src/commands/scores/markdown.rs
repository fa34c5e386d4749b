//! `docs/scores.md`, written from the catalogue.

use xbench_metrics::{Direction, Family, ScoreInfo, catalogue};

use super::range;

const HEAD: &str = "\
# Scores

Written by `xbench scores --markdown` from the catalogue that suites, records and tables read; a test
keeps it in step. `d` is the number of pixels (of a table: columns), `a` a map (channels summed), `a⁺`
its positive part, `M` the mask, `f` the model's answer for the explained class, `b` the baseline,
`x[S→b]` the input with the pixels `S` set to the baseline.

A score is a finite number or *not applicable* with a reason, which is counted beside the mean; it is
never NaN. Ties take their expected value over the orders of the tied pixels, or a random order drawn
per image where the model must be asked. Everything is normalised per image: no score of an image
depends on what else is in the batch.

*Standard* scores are those of a suite that says `scores: standard`; `scores: all` computes every one,
and a list may name scores and families.
";

/// One formula, several names.
const FOOT: &str = "\
## Names that clash

| name | here |
|---|---|
| Energy-based pointing game (Wang et al. 2020) | `relevance_mass`: the share of the positive attribution inside the mask |
| Attribution localisation, unweighted μ (Kohlbrenner et al. 2020) | `relevance_mass`; the weighted μ_w is `attribution_localisation` |
| Dice at the mask's size | `relevance_rank`: both sets have |M| pixels, so twice the intersection over the sum is the share that hits |
| Top-k intersection with k = |M| (Theiner et al. 2021) | `relevance_rank` |
| Feature agreement on pixels (Krishna et al. 2022) | `top_k_overlap`; on grid segments `feature_agreement` |
| Average precision | `auprc`, by steps |
| Sufficiency | `sufficiency` is DeYoung et al. 2020, one image with only its top pixels kept; Dasgupta et al. 2022 mean another thing, `explanation_sufficiency`, over images with like explanations |
";

/// What a family asks.
fn question(family: Family) -> &'static str {
    match family {
        Family::Accuracy => "Is the model right, and as sure as it should be?",
        Family::Localisation => {
            "Does the map lie where the mask does? A mask is a hypothesis about what the model uses: \
             read these beside their chance level and the controls."
        }
        Family::Faithfulness => "Does the model react to what the map points at?",
        Family::Agreement => {
            "Do two maps say the same? Between explainers of a model, between models for an \
             explainer, between seeds of a model; class by class in `agreement_groups.csv`. \
             Agreement is not correctness: these describe and do not rank."
        }
        Family::Complexity => {
            "How few pixels carry the map, and how close together? A map of one arbitrary pixel is \
             perfect by most of these: they describe and do not rank."
        }
        Family::Robustness => "Does the map stay when the input hardly changes?",
        Family::Randomisation => "Does the map depend on what the model learnt?",
        Family::Axiomatic => "Does the map fulfil what its method promises?",
        Family::Cost => "What does an explanation cost?",
    }
}

/// The whole page.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    for family in Family::ALL {
        let scores: Vec<&ScoreInfo> = catalogue()
            .iter()
            .filter(|score| score.family == family)
            .collect();
        if scores.is_empty() {
            continue;
        }
        let word = family.word();
        let (first, rest) = word.split_at(1);
        page.push_str(&format!(
            "\n## {}{rest}\n\n{}\n",
            first.to_uppercase(),
            question(family)
        ));
        for score in scores {
            page.push_str(&entry(score));
        }
    }
    page.push('\n');
    page.push_str(FOOT);
    page
}

fn entry(score: &ScoreInfo) -> String {
    let better = match score.direction {
        Direction::Higher => "Higher is better",
        Direction::Lower => "Lower is better",
        Direction::None => "Describes, does not rank",
    };
    let mut facts = vec![better.to_owned(), format!("range {}", range(score.range))];
    if score.unit != "1" {
        facts.push(format!("in {}", score.unit));
    }
    let needs = [
        (score.needs.mask, "a mask"),
        (
            score.needs.model && score.family != Family::Accuracy,
            "the model",
        ),
        (score.needs.explainer, "the explainer"),
    ];
    let needs: Vec<&str> = needs
        .iter()
        .filter(|(needed, _)| *needed)
        .map(|(_, what)| *what)
        .collect();
    if !needs.is_empty() {
        facts.push(format!("needs {}", needs.join(" and ")));
    }
    if score.standard {
        facts.push("standard".to_owned());
    }
    let mut text = format!(
        "\n### `{}`: {}\n\n`{}`\n\n{}.",
        score.id,
        score.name,
        score.formula,
        facts.join("; ")
    );
    if !score.citation.is_empty() {
        text.push_str(&format!(" Source: {}.", score.citation));
    }
    if !score.departs.is_empty() {
        text.push_str(&format!("\n\nHow it differs: {}.", score.departs));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_repository_is_in_step() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scores.md");
        let page = page();
        if std::env::var_os("XBENCH_BLESS").is_some() {
            std::fs::write(&path, &page).expect("docs/scores.md can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == page,
            "docs/scores.md is not what the catalogue says; write it again with \
             `cargo xbench scores --markdown > docs/scores.md`"
        );
    }

    #[test]
    fn every_score_has_an_entry() {
        let page = page();
        for score in catalogue() {
            assert!(
                page.contains(&format!("\n### `{}`: ", score.id)),
                "{}",
                score.id
            );
        }
    }
}
