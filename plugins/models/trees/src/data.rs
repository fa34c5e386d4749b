//! Reading the host's data, and which rows are held out.

use xbench_plugin::rng::CounterRng;
use xbench_plugin::{DataHandle, Element, Error, Result};

/// Rows asked of the host at once.
const READ: usize = 4096;
/// Stream of the seed that draws the held-out rows.
const SPLIT: u64 = 1 << 32;

/// All rows of a set of data.
#[derive(Clone, Debug)]
pub enum Values {
    /// Images, `[rows, features]`: models see `pixel / 255`.
    Pixels(Vec<u8>),
    /// A table, `[rows, features]`.
    Features(Vec<f32>),
}

/// Rows in the order in which they are learned from: training rows first.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The inputs.
    pub values: Values,
    /// Class of each row.
    pub labels: Vec<u32>,
    /// Values of a row.
    pub features: usize,
    /// Number of classes.
    pub classes: usize,
    /// How many rows to learn from; the others are held out.
    pub training: usize,
}

/// Reads all rows. Held out are the last rows that the data themselves set apart for validation;
/// where there are none, `share` of every class.
///
/// # Errors
/// When the data cannot be read, are too many, or no row is left to learn from.
pub fn read(data: &DataHandle<'_>, share: f64, seed: u64) -> Result<Rows> {
    let features: usize = data.input_shape().iter().product();
    let n = data.len();
    let refuse = |why: &str| Err(Error::invalid_argument(format!("the data: {why}")));
    if n.checked_mul(features)
        .is_none_or(|values| values > 1 << 33)
        || n > i32::MAX as usize
    {
        return refuse("more than 2^33 values or 2^31 rows do not fit into memory");
    }
    let (values, labels) = gather(data, features)?;
    let own = data.validation_rows();
    let rows = |values, labels, training| Rows {
        values,
        labels,
        features,
        classes: data.num_classes(),
        training,
    };
    let rows = if own == 0 && share > 0.0 {
        let (order, training) = hold_out(&labels, data.num_classes(), share, seed);
        let labels = order.iter().map(|&row| labels[row]).collect();
        rows(values.permuted(&order, features), labels, training)
    } else {
        rows(values, labels, n.saturating_sub(own))
    };
    if rows.training == 0 {
        return refuse("no row is left to learn from");
    }
    Ok(rows)
}

impl Values {
    fn permuted(&self, order: &[usize], features: usize) -> Self {
        fn permuted<T: Copy>(values: &[T], order: &[usize], features: usize) -> Vec<T> {
            order
                .iter()
                .flat_map(|&row| &values[row * features..(row + 1) * features])
                .copied()
                .collect()
        }
        match self {
            Values::Pixels(values) => Values::Pixels(permuted(values, order, features)),
            Values::Features(values) => Values::Features(permuted(values, order, features)),
        }
    }
}

/// Rows in an order in which `share` of every class, rounded down, comes last; and how many come
/// before.
fn hold_out(labels: &[u32], classes: usize, share: f64, seed: u64) -> (Vec<usize>, usize) {
    let rng = CounterRng::new(seed).stream(SPLIT);
    let mut out = vec![false; labels.len()];
    for class in 0..classes {
        let members: Vec<usize> = (0..labels.len())
            .filter(|&row| labels[row] as usize == class)
            .collect();
        let count = (members.len() as f64 * share) as usize;
        let order = rng.stream(class as u64).permutation(members.len());
        for &chosen in &order[..count] {
            out[members[chosen]] = true;
        }
    }
    let (held, rest): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| out[row]);
    let training = rest.len();
    ([rest, held].concat(), training)
}

/// All values and labels, as the host has them.
fn gather(data: &DataHandle<'_>, features: usize) -> Result<(Values, Vec<u32>)> {
    let n = data.len();
    let mut values = match data.element() {
        Element::Pixels => Values::Pixels(vec![0; n * features]),
        Element::Features => Values::Features(vec![0.0; n * features]),
    };
    let mut labels = Vec::with_capacity(n);
    for from in (0..n).step_by(READ) {
        let to = n.min(from + READ);
        let rows: Vec<i64> = (from as i64..to as i64).collect();
        let mut some = vec![0i64; rows.len()];
        let range = from * features..to * features;
        match &mut values {
            Values::Pixels(pixels) => data.read(&rows, &mut pixels[range], &mut some)?,
            Values::Features(x) => data.read_f32(&rows, &mut x[range], &mut some)?,
        }
        for label in some {
            let label = u32::try_from(label).ok();
            let label = label.filter(|&label| (label as usize) < data.num_classes());
            labels.push(label.ok_or_else(|| {
                Error::invalid_argument("the data: a label is not among the classes")
            })?);
        }
    }
    Ok((values, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_gives_the_same_share() {
        let labels: Vec<u32> = (0..1000).map(|i| i % 10).collect();
        let (order, training) = hold_out(&labels, 10, 0.1, 3);
        assert_eq!((order.len(), training), (1000, 900));
        for class in 0..10 {
            let held = order[900..].iter().filter(|&&row| labels[row] == class);
            assert_eq!(held.count(), 10);
        }
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, hold_out(&labels, 10, 0.1, 4).0);
    }
}
