//! Arithmetic of the scores that explain anew, per neighbour, shift or random model, at 28 × 28.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use xbench_metrics::DrawKey;
use xbench_metrics::randomisation::{Original, efficient_mprt, random_logit, write_noisy};
use xbench_metrics::robustness::{
    Continuity, Direction, Explained, Neighbours, NoiseScores, explanation_sufficiency,
    write_shifted,
};

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;

fn map(salt: u64) -> Vec<f32> {
    let mut draws = DrawKey::new(salt, "bench", 0).draws(0);
    (0..PIXELS).map(|_| draws.unit() as f32 - 0.3).collect()
}

fn robustness(criterion: &mut Criterion) {
    let (x, a, b) = (map(1), map(2), map(3));
    let mut row = vec![0.0; PIXELS];
    let outputs = [0.5f32; 10];
    let of = |input, map| Explained {
        input,
        map,
        outputs: &outputs,
        representation: Some(input),
    };
    let near = Neighbours::new(1, 2, 0.1);
    criterion.bench_function("neighbour drawn", |bench| {
        bench.iter(|| near.write(3, black_box(&x), &[], &mut row));
    });
    criterion.bench_function("neighbour scored, all scores of noise", |bench| {
        bench.iter(|| {
            let mut scores = NoiseScores::new(of(&x, black_box(&a)), &[]);
            scores.add(&of(&b, black_box(&b)));
            scores.score("max_sensitivity")
        });
    });
    let mut moved = vec![0.0; PIXELS];
    criterion.bench_function("shift drawn and scored", |bench| {
        bench.iter(|| {
            write_shifted(black_box(&x), SIDE, 2, &mut moved);
            let mut score = Continuity::new(&x, &a, SIDE);
            score.add(2, &moved, black_box(&b));
            score.score()
        });
    });
    let directions: Vec<_> = (0..256)
        .map(|salt| Direction::new(&map(salt), [1, SIDE, SIDE], 4))
        .collect();
    let classes = vec![1; directions.len()];
    criterion.bench_function("sufficiency of an image among 256", |bench| {
        bench.iter(|| explanation_sufficiency(7, black_box(&directions), &classes, 0.8));
    });
}

fn randomisation(criterion: &mut Criterion) {
    let (x, a, b) = (map(1), map(2), map(3));
    let mut row = vec![0.0; PIXELS];
    let own = Original::new(&a).expect("a map");
    criterion.bench_function("likeness to a random model's map", |bench| {
        bench.iter(|| own.likeness(black_box(&b)));
    });
    criterion.bench_function("rise of entropy", |bench| {
        bench.iter(|| efficient_mprt(black_box(&a), black_box(&b), 100));
    });
    criterion.bench_function("random logit", |bench| {
        bench.iter(|| random_logit(black_box(&a), black_box(&b), SIDE, SIDE));
    });
    let key = DrawKey::new(1, "bench", 2);
    criterion.bench_function("noisy copy drawn", |bench| {
        bench.iter(|| write_noisy(key, 3, 0.1, (black_box(&x), &[]), &mut row));
    });
}

criterion_group!(benches, robustness, randomisation);
criterion_main!(benches);
