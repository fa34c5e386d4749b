//! Rows laid out in the plane, near rows near: t-SNE and UMAP, with figures of how far the
//! pictures can be trusted.

mod input;
mod neighbours;
mod principal;
mod trust;
mod tsne;
mod umap;

use serde::Serialize;

use crate::{Description, Named, Options, Watch};
pub use input::{Matrix, MatrixError};
pub use neighbours::{Neighbours, nearest};
pub use trust::{Trust, trust};
pub use tsne::tsne;
pub use umap::umap;

/// More rows than this are not embedded: exact neighbours take time with their square.
pub const MOST_ROWS: usize = 20_000;

/// Fewer rows than this have no neighbourhoods worth a picture.
pub const FEWEST_ROWS: usize = 8;

/// Neighbours that [`Trust`] looks at.
const TRUSTED_NEIGHBOURS: usize = 15;

/// How rows are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// t-distributed stochastic neighbour embedding (van der Maaten and Hinton 2008), Barnes-Hut.
    TSne,
    /// Uniform manifold approximation and projection (McInnes, Healy and Melville 2018).
    Umap,
}

impl Method {
    /// Lower-case name, for files and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TSne => "tsne",
            Self::Umap => "umap",
        }
    }

    /// Name as written.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::TSne => "t-SNE",
            Self::Umap => "UMAP",
        }
    }
}

/// Layouts of the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embeddings {
    /// The rows, in the order of the layouts' points.
    pub rows: Vec<EmbeddedRow>,
    /// What the distances are between: how rows became vectors.
    pub input: String,
    /// One per method.
    pub layouts: Vec<Layout>,
}

/// A row that was laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmbeddedRow {
    /// Name of its split.
    pub split: String,
    /// Row in that split.
    pub row: usize,
    /// Class index.
    pub class: usize,
}

/// Points in the plane. Neither axes nor distances between far points mean anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layout {
    /// How they were found.
    pub method: Method,
    /// Settings, as `name value` pairs.
    pub settings: Vec<(String, f64)>,
    /// One point per row.
    pub points: Vec<[f32; 2]>,
    /// How far neighbourhoods are kept.
    pub trust: Trust,
}

/// The embeddings asked for, of rows of all splits but photographs. What cannot be had is told in
/// the notes.
pub(crate) fn embed_set(
    splits: &[Named],
    classes: usize,
    options: &Options,
    watch: Watch,
    notes: &mut Vec<String>,
) -> Option<Embeddings> {
    if options.embeddings.is_empty() {
        return None;
    }
    let wanted = options.rows.min(MOST_ROWS);
    if options.rows > MOST_ROWS {
        notes.push(format!(
            "{MOST_ROWS} rows are embedded, the most there may be"
        ));
    }
    let rows = input::choose(splits, classes, wanted, options.seed);
    let matrix = match input::vectors(&rows) {
        Ok(matrix) if rows.len() >= FEWEST_ROWS => matrix,
        Ok(_) => {
            let found = rows.len();
            notes.push(format!(
                "no embedding: {FEWEST_ROWS} rows are the least for neighbourhoods, {found} are \
                 there"
            ));
            return None;
        }
        Err(error) => {
            notes.push(format!("no embedding: {error}"));
            return None;
        }
    };
    let input = matrix.source.clone();
    let near = nearest(&matrix, tsne::neighbours_needed(rows.len()));
    let mut layouts = Vec::new();
    for &method in &options.embeddings {
        let laid_out = match method {
            Method::TSne => tsne(&matrix, &near, options.seed, watch),
            Method::Umap => Ok(umap(&matrix, &near, options.seed, watch)),
        };
        match laid_out {
            Ok((points, settings)) if points.iter().flatten().all(|v| v.is_finite()) => {
                layouts.push(Layout {
                    method,
                    settings,
                    trust: trust(&matrix, &points, TRUSTED_NEIGHBOURS),
                    points,
                });
            }
            Ok(_) => notes.push(format!(
                "no {}: its points ran away, as they do where most rows are alike",
                method.title()
            )),
            Err(reason) => notes.push(format!("no {}: {reason}", method.title())),
        }
    }
    let row = |&((name, split), row): &(Named, usize)| EmbeddedRow {
        split: name.to_owned(),
        row,
        class: split.label(row),
    };
    (!layouts.is_empty()).then(|| Embeddings {
        rows: rows.iter().map(row).collect(),
        input,
        layouts,
    })
}

impl Description {
    /// The layout of a method, if it was asked for and could be had.
    #[must_use]
    pub fn layout(&self, method: Method) -> Option<&Layout> {
        let layouts = &self.embeddings.as_ref()?.layouts;
        layouts.iter().find(|layout| layout.method == method)
    }
}

/// Points and settings.
pub(crate) type LaidOut = (Vec<[f32; 2]>, Vec<(String, f64)>);

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Three clouds in five dimensions, far apart.
    pub(super) fn blobs(each: usize) -> (Matrix, Vec<usize>) {
        let mut rng = Rng::new(4, 4);
        let labels: Vec<usize> = (0..3 * each).map(|i| i % 3).collect();
        let values = labels
            .iter()
            .flat_map(|&label| {
                let mut row = [0.0; 5];
                row.iter_mut().for_each(|v| *v = rng.signed());
                row[label] += 10.0;
                row
            })
            .collect();
        (Matrix::new(values, 5).unwrap(), labels)
    }

    /// Whether every point is nearest to a point of its own cloud.
    pub(super) fn separated(points: &[[f32; 2]], labels: &[usize]) -> bool {
        let flat = Matrix::new(points.concat(), 2).unwrap();
        let near = nearest(&flat, 5);
        let alike = |i: usize| {
            near.of(i)
                .iter()
                .all(|&(j, _)| labels[j as usize] == labels[i])
        };
        (0..labels.len()).all(alike)
    }
}
