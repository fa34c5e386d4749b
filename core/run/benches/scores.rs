//! What every score costs per image, by CPU time: `cargo bench -p xbench-run --bench scores`.
//!
//! The networks and their weights are those of the checkout (`cargo xtask build` makes the plugins);
//! the images are Fashion-MNIST's where it is found, else garments. `per map` is the work for each
//! explanation, `per image` what all explanations of an image share. A score that explains anew
//! contains the explanations that it asks for, here the gradient's. `XBENCH_COSTS=suite.yaml` takes
//! the cells of another suite.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpu_time::ProcessTime;
use criterion::{BenchmarkId, Criterion, SamplingMode};
use xbench_run::{ScoreCosts, Search, Silent, Spent};

fn scores(criterion: &mut Criterion) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = std::env::var_os("XBENCH_COSTS")
        .map_or_else(|| here.join("benches/scores.yaml"), PathBuf::from);
    let built = here.join("../../target/release/plugins");
    let search = Search {
        plugin_path: built.is_dir().then_some(built).into_iter().collect(),
        offline: true,
    };
    let mut costs = ScoreCosts::open(&suite, &search, &Silent)
        .unwrap_or_else(|error| panic!("the scores cannot be measured: {error}"));
    for number in 0..costs.costs().len() {
        let cost = &costs.costs()[number];
        let spent = match cost.spent {
            Spent::PerMap => "per map",
            Spent::PerImage => "per image",
        };
        let mut group = criterion.benchmark_group(format!("{}, {}", cost.model, cost.explainer));
        let images = u32::try_from(cost.images).expect("a chunk");
        let id = BenchmarkId::new(cost.score, spent);
        group
            .sample_size(10)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1));
        group.bench_function(id, |bench| {
            bench.iter_custom(|rounds| {
                let start = ProcessTime::now();
                for _ in 0..rounds {
                    black_box(costs.compute(number)).expect("scores");
                }
                start.elapsed() / images
            });
        });
        group.finish();
    }
}

fn main() {
    // Plugins are scanned in a process of their own, which is this program again.
    if std::env::args().nth(1).as_deref() == Some("worker") {
        xbench_run::serve();
    }
    let mut criterion = Criterion::default().configure_from_args();
    scores(&mut criterion);
    criterion.final_summary();
}
