//! Same suite, same seed: the same scores, bit for bit, whatever the number of workers and
//! however often the run was killed; other chunk sizes agree to 1e-5.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use xbench_tests::{stdout, without_times, xbench};

const SUITE: &str = "\
suite: repeat
version: 1
data: {set: garments, split: test, select: {balanced: 30}}
accuracy: same
models: [cnn-gap, lenet]
explainers:
  - cam
  - gradcam
  - saliency
  - 'ig{steps: 8}'
  - 'smoothgrad{samples: 6}'
  - occlusion
controls: [random, constant, oracle]
timing: off
chunk: 10
";
const TABLES: [&str; 8] = [
    "leaderboard.csv",
    "models.csv",
    "agreement.csv",
    "scores.csv",
    "differences.csv",
    "resolution.csv",
    "concordance.csv",
    "reliability.csv",
];

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("repeat.yaml"), SUITE).expect("a suite");
        Self { folder }
    }

    fn results(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, name: &str, flags: &[&str]) -> std::process::Command {
        let mut command = xbench();
        command
            .args(["run", "--quiet"])
            .arg(self.folder.path().join("repeat.yaml"))
            .arg("--results")
            .arg(self.results(name))
            .args(flags);
        command
    }

    fn tables(&self, name: &str) -> Vec<String> {
        let table = |file: &&str| without_times(&self.results(name).join("repeat").join(file));
        TABLES.iter().map(table).collect()
    }
}

#[test]
fn the_number_of_workers_changes_no_bit() {
    let place = Place::new();
    for workers in ["1", "2", "4"] {
        stdout(&mut place.command(workers, &["--workers", workers]));
    }
    assert!(
        place.tables("1")[0].lines().count() > 18,
        "{}",
        place.tables("1")[0]
    );
    assert_eq!(place.tables("1"), place.tables("2"));
    assert_eq!(place.tables("1"), place.tables("4"));
}

#[test]
fn a_run_that_is_killed_and_resumed_gives_the_same_bits() {
    let place = Place::new();
    stdout(&mut place.command("whole", &["--workers", "2"]));
    // Moments that are spread over a run, short ones first, so that some fall before the first
    // chunk, some between chunks, and the last perhaps after the end.
    for milliseconds in [40, 90, 170, 260, 400, 650] {
        let mut child = place
            .command("killed", &["--workers", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("xbench starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
    stdout(&mut place.command("killed", &["--workers", "1"]));
    assert_eq!(place.tables("whole"), place.tables("killed"));
}

#[test]
fn other_chunk_sizes_agree() {
    let place = Place::new();
    stdout(&mut place.command("ten", &[]));
    stdout(&mut place.command("seven", &["--chunk", "7"]));
    // Tests and verdicts may turn on the last digits; the scores themselves may not.
    let (ten, seven) = (place.tables("ten"), place.tables("seven"));
    for (ten, seven) in ten.iter().zip(seven).take(3) {
        assert_eq!(ten.lines().count(), seven.lines().count());
        for (ten, seven) in ten.lines().zip(seven.lines()) {
            for (ten, seven) in ten.split(',').zip(seven.split(',')) {
                match (ten.parse::<f64>(), seven.parse::<f64>()) {
                    (Ok(ten), Ok(seven)) => assert!((ten - seven).abs() <= 1e-5, "{ten} {seven}"),
                    _ => assert_eq!(ten, seven),
                }
            }
        }
    }
}

#[test]
fn a_second_run_on_the_same_folder_is_refused() {
    let place = Place::new();
    let folder = place.results("busy").join("repeat");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = std::fs::File::create(folder.join(".lock")).expect("a lock");
    lock.lock().expect("locked");
    let output = xbench_tests::run(&mut place.command("busy", &[]));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("in use by another run"), "{stderr}");
}

#[test]
fn damaged_caches_are_computed_again() {
    let place = Place::new();
    stdout(&mut place.command("cache", &[]));
    let before = place.tables("cache");
    let chunks = place.results("cache").join("repeat/chunks");
    for (number, path) in files(&chunks).into_iter().enumerate() {
        match number % 3 {
            0 => std::fs::write(&path, b"not a block").expect("written"),
            1 => std::fs::write(&path, b"").expect("written"),
            _ => {}
        }
    }
    stdout(&mut place.command("cache", &[]));
    assert_eq!(place.tables("cache"), before);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 20, "{} files", paths.len());
    paths
}

#[test]
fn other_weights_are_never_answered_from_the_cache() {
    let place = Place::new();
    let root = xbench_tests::root().join("plugins/models/neural/weights/fashion-mnist");
    let weights = place.folder.path().join("weights.safetensors");
    let suite = place.folder.path().join("repeat.yaml");
    let text = SUITE.replace(
        "models: [cnn-gap, lenet]",
        "models: [{model: lenet, weights: weights.safetensors}]",
    );
    std::fs::write(&suite, text).expect("a suite");
    let mut tables = Vec::new();
    for preset in ["best", "published", "best"] {
        std::fs::copy(root.join(format!("lenet-{preset}.safetensors")), &weights).expect("copied");
        stdout(&mut place.command("weights", &[]));
        tables.push(place.tables("weights"));
    }
    assert_ne!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
}
