//! Drives the explainers of a library through its C entry, on models of the test. The tests of the
//! other explainer libraries share this file; each names its library's entry `entry`.

use xbench_plugin::testing::{TestHost, TestModel};
use xbench_plugin::{Result, TensorRef};

use super::entry;

/// A model of the test.
pub(crate) trait Tested {
    /// Makes it.
    fn tested() -> TestModel;
}

/// Rows to explain.
pub(crate) struct Rows {
    pub(crate) shape: [usize; 4],
    pub(crate) x: Vec<f32>,
    pub(crate) target: Vec<i64>,
    pub(crate) seed: Vec<u64>,
    pub(crate) mask: Option<Vec<u8>>,
}

impl Rows {
    /// The values of one row.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        let length = self.shape[1..].iter().product::<usize>();
        &self.x[row * length..][..length]
    }

    /// A batch of one row.
    pub(crate) fn only(&self, row: usize) -> Self {
        let [_, channels, height, width] = self.shape;
        let pixels = height * width;
        Self {
            shape: [1, channels, height, width],
            x: self.row(row).to_vec(),
            target: vec![self.target[row]],
            seed: vec![self.seed[row]],
            mask: self
                .mask
                .as_ref()
                .map(|mask| mask[row * pixels..][..pixels].to_vec()),
        }
    }
}

/// Runs explainer `id` with `params` on `model`.
pub(crate) fn run(
    host: &TestHost,
    id: &str,
    params: &str,
    model: &TestModel,
    rows: &Rows,
) -> Result<Vec<f32>> {
    let explainer = host.explainer(id, params)?;
    let x = TensorRef::new(&rows.shape, &rows.x)?;
    let map = explainer.explain(model, x, &rows.target, &rows.seed, rows.mask.as_deref())?;
    assert_eq!(map.shape(), rows.shape);
    Ok(map.into_data())
}

/// The attribution.
pub(crate) fn explain<M: Tested>(id: &str, params: &str, rows: &Rows) -> Vec<f32> {
    let host = TestHost::new(&entry).expect("an entry of this version");
    run(&host, id, params, &M::tested(), rows)
        .unwrap_or_else(|error| panic!("{id} {params}: {error}"))
}

/// The text of the error that creating or running the explainer ends with.
pub(crate) fn fails<M: Tested>(id: &str, params: &str, rows: &Rows) -> String {
    let host = TestHost::new(&entry).expect("an entry of this version");
    match run(&host, id, params, &M::tested(), rows) {
        Ok(_) => panic!("{id} {params} succeeded"),
        Err(error) => error.message().to_owned(),
    }
}
