//! A data set's description: tables for the terminal, pictures for a folder.

mod bars;
mod grid;
mod histograms;
mod palette;
mod scatter;
mod text;

use image::RgbImage;
use xbench_describe::Description;

use crate::{AgreementMatrix, FigureError, agreement_image, bar_image};
pub use text::describe_text;

/// A matrix of more columns than this is a CSV file only: its picture could not be read.
const MOST_DRAWN_COLUMNS: usize = 60;

/// A picture of a description.
#[derive(Clone, Debug)]
pub struct DescribePicture {
    /// File name without `.png`.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub caption: &'static str,
    /// The picture itself.
    pub image: RgbImage,
}

/// All pictures that the set allows; none of a set without rows.
///
/// # Errors
///
/// [`FigureError::TooLarge`] for a set with thousands of classes.
pub fn describe_pictures(description: &Description) -> Result<Vec<DescribePicture>, FigureError> {
    let mut pictures = Vec::new();
    let mut add = |name, caption, image| {
        pictures.push(DescribePicture {
            name,
            caption,
            image,
        });
    };
    if description.splits.is_empty() || description.classes.is_empty() {
        return Ok(pictures);
    }
    add(
        "classes",
        "rows per class and split",
        bar_image(&bars::class_counts(description))?,
    );
    if !description.samples.is_empty() {
        add(
            "samples",
            "some images of each class",
            grid::samples(description)?,
        );
    }
    if let Some(images) = &description.images {
        add(
            "means",
            "mean image of each class",
            grid::class_means(description, images)?,
        );
    }
    if let Some(table) = &description.table
        && !table.columns.is_empty()
    {
        add(
            "distributions",
            "each column's distribution in each class",
            histograms::distributions(description, table)?,
        );
        if table.columns.len() <= MOST_DRAWN_COLUMNS {
            let matrix = |kind: &str, values: &[Vec<Option<f64>>]| AgreementMatrix {
                title: format!("{kind} correlation of columns: {}", description.set),
                labels: table.columns.iter().map(|c| c.name.clone()).collect(),
                values: values.to_vec(),
            };
            let pearson = agreement_image(&matrix("Pearson", &table.pearson))?;
            add("pearson", "linear correlation of columns", pearson);
            let spearman = agreement_image(&matrix("Spearman", &table.spearman))?;
            add("spearman", "rank correlation of columns", spearman);
        }
    }
    if let Some(embeddings) = &description.embeddings {
        for layout in &embeddings.layouts {
            let image = scatter::layout(description, embeddings, layout)?;
            add(layout.method.name(), "rows in the plane, by class", image);
        }
    }
    Ok(pictures)
}
