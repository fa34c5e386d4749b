//! Scores of maps against what a generated set knows: its planted cause, its distractors.
//!
//! They need neither model nor worker: a map and a region of the image, which the host has.

use std::collections::BTreeMap;

use xbench_data::Split;
use xbench_metrics::localisation::{KnownRegion, chance_level, known_region, known_region_score};
use xbench_metrics::{NotApplicable, RankedMap, reduce_channels};

use crate::evaluate::Column;

/// The region of row `row` that the score `id` is about; `None` where the set knows none.
fn region(split: &Split, row: usize, id: &str) -> Option<Vec<bool>> {
    match known_region(id)? {
        KnownRegion::Cause => split.cause(row),
        KnownRegion::Distractors => split.distractors(row),
    }
}

/// Whether the set knows what the score is about.
pub(crate) fn is_known(split: &Split, id: &str) -> bool {
    match known_region(id) {
        Some(KnownRegion::Cause) => split.cause.is_some(),
        Some(KnownRegion::Distractors) => split.distractors.is_some(),
        None => false,
    }
}

/// Those of the scores `ids` that are about known regions, of the maps `[n, c, h, w]` of `rows`.
pub(crate) fn columns<'a>(
    split: &Split,
    rows: &[usize],
    [channels, height, width]: [usize; 3],
    maps: &[f32],
    ids: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, Column> {
    let ids: Vec<&str> = ids.filter(|id| is_known(split, id)).collect();
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    if ids.is_empty() {
        return columns;
    }
    let maps = maps.chunks_exact((channels * height * width).max(1));
    for (map, &row) in maps.zip(rows) {
        let map = reduce_channels(map, channels).and_then(|map| RankedMap::new(&map));
        for id in &ids {
            let score = match (&map, region(split, row, id)) {
                (Err(reason), _) => Err(*reason),
                (Ok(map), Some(region)) => {
                    known_region_score(id, map, &region).unwrap_or(Err(NotApplicable::Empty))
                }
                (Ok(_), None) => Err(NotApplicable::EmptyMask),
            };
            columns.entry((*id).to_owned()).or_default().push(score);
        }
    }
    columns
}

/// The mean over `rows` of what a random map can expect of the score `id`.
pub(crate) fn chance(split: &Split, rows: &[usize], id: &str) -> Option<f64> {
    let of = match id {
        "shortcut_auroc" => "auroc",
        _ => "relevance_mass",
    };
    let levels: Vec<f64> = rows
        .iter()
        .filter_map(|&row| chance_level(of, &region(split, row, id)?))
        .collect();
    (!levels.is_empty()).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_data::{Locate, SetRef, Splits, load};

    #[test]
    fn a_map_of_the_watermark_finds_the_shortcut() {
        let locate = Locate {
            splits: Splits::TestOnly,
            ..Locate::offline()
        };
        let set = load(&SetRef::named("garments-shortcut"), &locate).unwrap();
        let ids = [
            "shortcut_detection",
            "shortcut_auroc",
            "distractor_attribution",
            "gini",
        ];
        let cause: Vec<f32> = set
            .test
            .cause(4)
            .unwrap()
            .iter()
            .map(|&here| f32::from(u8::from(here)))
            .collect();
        let maps = [cause, vec![0.0; 784]].concat();
        let found = columns(&set.test, &[4, 5], [1, 28, 28], &maps, ids.into_iter());
        let known: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(known, ["shortcut_auroc", "shortcut_detection"]);
        assert_eq!(found["shortcut_detection"].values, [Some(1.0), None]);
        assert_eq!(found["shortcut_auroc"].values, [Some(1.0), Some(0.5)]);
        let chance = chance(&set.test, &[4, 5], "shortcut_detection").unwrap();
        assert!((chance - 16.0 / 784.0).abs() < 1e-12);

        let set = load(&SetRef::named("garments-cluttered"), &locate).unwrap();
        let found = columns(&set.test, &[0], [1, 28, 28], &[1.0; 784], ids.into_iter());
        let mass = found["distractor_attribution"].values[0].unwrap();
        let area = super::chance(&set.test, &[0], "distractor_attribution").unwrap();
        assert!((mass - area).abs() < 1e-12 && area > 0.0);
    }
}
