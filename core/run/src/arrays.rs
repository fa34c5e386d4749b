//! The numbers behind pictures, for scripts: NumPy arrays and a table of targets.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::WriteNpyExt as _;
use xbench_record::write_file;

use crate::csv_text::CsvText;
use crate::error::{RunError, at};
use crate::explain::{Content, Explanations};
use crate::interactions::{interaction_pairs, pairs_csv};
use crate::models::files;

impl Explanations {
    /// Writes into a folder, which is made if need be: `<model>.logits.npy` (`[n, classes]`, the
    /// model's outputs), `<model>.<explainer>.npy` (`[n, c, h, w]` or `[n, features]`) and
    /// `targets.csv` (`row,picture,label,model,predicted,target`, classes by number; of a table `name`
    /// for `picture`). Of a table also `values.npy` (`[n, features]`), `features.csv`
    /// (`column,feature`), and where they were asked for
    /// `<model>.<explainer>.interactions.npy` (`[n, features, features]`) and `….interactions.csv`
    /// (`feature,with,mean_abs,mean`). Arrays are f32. Explainers that failed are left out.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_arrays(&self, folder: &Path) -> Result<(), RunError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let (n, classes) = (self.rows.len(), self.classes.len());
        let of_rows = |rest: &[usize]| -> Vec<usize> { [&[n], rest].concat() };
        let what = if self.is_table() { "name" } else { "picture" };
        let header = format!("row,{what},label,model,predicted,target");
        let mut targets = CsvText::new(&header).map_err(files)?;
        for model in &self.models {
            let name = file_name(&model.model);
            let path = folder.join(format!("{name}.logits.npy"));
            write_array(&path, &of_rows(&[classes]), &model.logits)?;
            for maps in &model.maps {
                let Ok(attributions) = &maps.attributions else {
                    continue;
                };
                let name = format!("{name}.{}", file_name(&maps.explainer));
                let path = folder.join(format!("{name}.npy"));
                write_array(&path, &of_rows(&self.shape), attributions)?;
                if let Some(Ok(interactions)) = &maps.interactions {
                    let path = folder.join(format!("{name}.interactions.npy"));
                    let side = self.features.len();
                    write_array(&path, &of_rows(&[side, side]), interactions)?;
                    let pairs = interaction_pairs(&self.features, interactions);
                    let path = folder.join(format!("{name}.interactions.csv"));
                    write_file(&path, pairs_csv(&pairs)?.as_bytes()).map_err(files)?;
                }
            }
            for (number, row) in self.rows.iter().enumerate() {
                let label = row.truth.map(|class| class.to_string());
                let line = [
                    number.to_string(),
                    row.label.clone(),
                    label.unwrap_or_default(),
                    model.model.clone(),
                    model.predictions[number].to_string(),
                    model.targets[number].to_string(),
                ];
                targets.push(line).map_err(files)?;
            }
        }
        if self.is_table() {
            let values: Vec<f32> = self
                .rows
                .iter()
                .flat_map(|row| match &row.content {
                    Content::Features(values) => &values[..],
                    Content::Image { .. } => &[],
                })
                .copied()
                .collect();
            write_array(&folder.join("values.npy"), &of_rows(&self.shape), &values)?;
            let mut names = CsvText::new("column,feature").map_err(files)?;
            for (column, name) in self.features.iter().enumerate() {
                names.push([&column.to_string(), name]).map_err(files)?;
            }
            let names = names.finish().map_err(files)?;
            write_file(&folder.join("features.csv"), names.as_bytes()).map_err(files)?;
        }
        let targets = targets.finish().map_err(files)?;
        write_file(&folder.join("targets.csv"), targets.as_bytes()).map_err(files)
    }
}

fn write_array(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), RunError> {
    let wrong =
        |error: &dyn std::fmt::Display| RunError::Files(format!("{}: {error}", path.display()));
    let array = ArrayD::from_shape_vec(IxDyn(shape), values.to_vec());
    let mut bytes = Vec::new();
    array
        .map_err(|error| wrong(&error))?
        .write_npy(&mut bytes)
        .map_err(|error| wrong(&error))?;
    write_file(path, &bytes).map_err(files)
}

/// A label as a part of a file's name.
fn file_name(label: &str) -> String {
    let safe = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    label.chars().map(safe).collect()
}
