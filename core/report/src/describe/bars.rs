//! How many rows of each class each split has.

use xbench_describe::Description;

use crate::{BarChart, BarGroup, Estimate};

/// A bar per class and split.
pub(super) fn class_counts(description: &Description) -> BarChart {
    let splits = &description.splits;
    let group = |(class, name): (usize, &String)| BarGroup {
        name: name.clone(),
        values: splits
            .iter()
            .map(|split| Some(Estimate::exact(*split.per_class.get(class)? as f64)))
            .collect(),
    };
    BarChart {
        title: format!("Rows per class: {}", description.set),
        axis: "rows".to_owned(),
        series: splits
            .iter()
            .map(|split| format!("{} ({})", split.split, split.rows))
            .collect(),
        groups: description.classes.iter().enumerate().map(group).collect(),
        range: None,
    }
}
