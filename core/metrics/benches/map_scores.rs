//! Cost of scoring one map of 28 × 28 pixels.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use xbench_metrics::agreement::{
    AgreementSettings, CentredRanks, Measure, PreparedMap, TopK, spearman, top_k_overlap,
};
use xbench_metrics::faithfulness::{FaithfulnessSubsets, faithfulness_correlation};
use xbench_metrics::{DrawKey, RankedMagnitude, RankedMap, complexity, localisation};

const PIXELS: usize = 784;

fn random_map(item: u64) -> Vec<f32> {
    let mut draws = DrawKey::new(1, "bench", item).draws(0);
    (0..PIXELS).map(|_| draws.unit() as f32 - 0.5).collect()
}

fn map_scores(c: &mut Criterion) {
    let values = random_map(0);
    let mask: Vec<bool> = (0..PIXELS)
        .map(|pixel| (pixel / 28 + pixel % 28) % 5 < 2)
        .collect();
    let map = RankedMap::new(&values).expect("finite map");
    let magnitude = RankedMagnitude::of(&map);
    c.bench_function("rank_map", |b| {
        b.iter(|| RankedMap::new(black_box(&values)))
    });
    for id in [
        "relevance_mass",
        "relevance_rank",
        "pointing_game",
        "auroc",
        "auprc",
        "iou_at_mask",
        "best_iou",
        "iou_otsu",
        "iou_mean",
        "soft_iou",
        "mask_cosine",
        "top_k_intersection",
    ] {
        c.bench_function(id, |b| {
            b.iter(|| localisation::score(id, black_box(&map), &mask))
        });
    }
    let flat = RankedMap::new(&[0.5; PIXELS]).expect("finite map");
    c.bench_function("iou_at_mask_all_tied", |b| {
        b.iter(|| localisation::iou_at_mask(black_box(&flat), &mask))
    });
    c.bench_function("gini", |b| {
        b.iter(|| complexity::gini(black_box(&magnitude)))
    });
    c.bench_function("entropy", |b| {
        b.iter(|| complexity::entropy(black_box(&magnitude)))
    });

    for id in ["effective_complexity", "mst_compactness"] {
        c.bench_function(id, |b| {
            b.iter(|| complexity::score(id, black_box(&magnitude), 28, 28))
        });
    }

    let ranks = CentredRanks::new(&map).expect("map varies");
    let top = TopK::new(&magnitude, TopK::DEFAULT_SHARE);
    c.bench_function("centred_ranks", |b| {
        b.iter(|| CentredRanks::new(black_box(&map)))
    });
    c.bench_function("spearman", |b| {
        b.iter(|| spearman(black_box(&ranks), &ranks))
    });
    c.bench_function("top_k_overlap", |b| {
        b.iter(|| top_k_overlap(black_box(&top), &top))
    });

    let subsets = FaithfulnessSubsets::new(1, 0, PIXELS, 224, 100);
    let outcomes: Vec<f64> = random_map(1)[..100]
        .iter()
        .map(|&value| value.into())
        .collect();
    c.bench_function("draw_100_subsets", |b| {
        b.iter(|| FaithfulnessSubsets::new(1, black_box(0), PIXELS, 224, 100))
    });
    c.bench_function("faithfulness_correlation", |b| {
        b.iter(|| faithfulness_correlation(black_box(&values), &subsets, &outcomes))
    });
}

fn agreement(c: &mut Criterion) {
    let settings = AgreementSettings {
        top_k_share: TopK::DEFAULT_SHARE,
        segment: AgreementSettings::DEFAULT_SEGMENT,
    };
    for measure in Measure::ALL {
        let prepare = |item| PreparedMap::new(&random_map(item), [28, 28], &[measure], &settings);
        let (one, other) = (prepare(0), prepare(1));
        c.bench_function(&format!("agreement/{}", measure.id()), |b| {
            b.iter(|| measure.compare(black_box(&one), &other))
        });
    }
    let map = random_map(0);
    c.bench_function("agreement/prepare_all", |b| {
        b.iter(|| PreparedMap::new(black_box(&map), [28, 28], &Measure::ALL, &settings))
    });
}

criterion_group!(benches, map_scores, agreement);
criterion_main!(benches);
