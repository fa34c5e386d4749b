//! Splits by name.

use xbench_data::{DataSet, Split, Splits};

use crate::error::RunError;

/// What to load of a set for one of its splits.
pub(crate) fn to_load(name: &str) -> Splits {
    match name {
        "test" => Splits::TestOnly,
        "photos" => Splits::PhotosOnly,
        _ => Splits::All,
    }
}

/// A split by its name; `test` for an unknown one, which flags and suites do not let through.
///
/// # Errors
/// When it has no rows.
pub(crate) fn split_of<'s>(set: &'s DataSet, name: &str) -> Result<&'s Split, RunError> {
    let split = match name {
        "train" => &set.train,
        "validation" => &set.validation,
        "photos" => &set.photos,
        _ => &set.test,
    };
    if split.is_empty() {
        return Err(RunError::NothingSelected(format!(
            "{} has no rows in the split {name}",
            set.id
        )));
    }
    Ok(split)
}
