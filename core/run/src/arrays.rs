//! The numbers behind a picture, for scripts: NumPy arrays and a table of targets.

use std::path::Path;

use ndarray::{Array2, Array4};
use ndarray_npy::WriteNpyExt as _;
use xbench_record::write_file;

use crate::error::{RunError, at};
use crate::explain::Explanations;

impl Explanations {
    /// Writes `<model>.logits.npy` (`[n, classes]`, f32), `<model>.<explainer>.npy`
    /// (`[n, c, h, w]`, f32) and `targets.csv` (`row,picture,label,model,predicted,target`, classes
    /// by number) into a folder, which is made if need be. Explainers that failed are left out.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_arrays(&self, folder: &Path) -> Result<(), RunError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let (n, classes, [c, h, w]) = (self.pictures.len(), self.classes.len(), self.shape);
        let wrong = |error: &dyn std::fmt::Display| RunError::Files(error.to_string());
        let write = |name: String, bytes: &[u8]| {
            write_file(&folder.join(name), bytes).map_err(|error| wrong(&error))
        };
        let mut targets = String::from("row,picture,label,model,predicted,target\n");
        for model in &self.models {
            let name = file_name(&model.model);
            let logits = Array2::from_shape_vec((n, classes), model.logits.clone());
            let mut bytes = Vec::new();
            logits
                .map_err(|error| wrong(&error))?
                .write_npy(&mut bytes)
                .map_err(|error| wrong(&error))?;
            write(format!("{name}.logits.npy"), &bytes)?;
            for maps in &model.maps {
                let Ok(attributions) = &maps.attributions else {
                    continue;
                };
                let array = Array4::from_shape_vec((n, c, h, w), attributions.clone());
                let mut bytes = Vec::new();
                array
                    .map_err(|error| wrong(&error))?
                    .write_npy(&mut bytes)
                    .map_err(|error| wrong(&error))?;
                write(format!("{name}.{}.npy", file_name(&maps.explainer)), &bytes)?;
            }
            for (row, picture) in self.pictures.iter().enumerate() {
                let label = picture
                    .truth
                    .map(|class| class.to_string())
                    .unwrap_or_default();
                targets.push_str(&format!(
                    "{row},{},{label},{},{},{}\n",
                    quoted(&picture.label),
                    quoted(&model.model),
                    model.predictions[row],
                    model.targets[row]
                ));
            }
        }
        write("targets.csv".to_owned(), targets.as_bytes())
    }
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

/// A CSV field.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
