//! Why there are no segments.

/// Why an image or a choice of segments is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No pixel, no channel or no column.
    #[error("an input of shape {0:?} has nothing to segment; give extents of at least 1")]
    Empty(Vec<usize>),
    /// The values do not fill the shape.
    #[error("{found} values do not fill the shape {shape:?}")]
    Length {
        /// The shape that was given.
        shape: Vec<usize>,
        /// Values that were given.
        found: usize,
    },
    /// NaN or infinite values have no colour.
    #[error("value {0} of the image is not finite, so that it has no colour; use the grid instead")]
    NotFinite(usize),
    /// A parameter has no meaning.
    #[error("{name} is {value}, but must be {allowed}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        allowed: &'static str,
    },
    /// The choice does not fit the input's shape.
    #[error("{choice} segments {takes}, not an input of shape {shape:?}")]
    Shape {
        /// The segmentation.
        choice: &'static str,
        /// What it is for.
        takes: &'static str,
        /// What was given.
        shape: Vec<usize>,
    },
    /// No segmentation of this name.
    #[error("there is no segmentation `{0}`; there are grid, slic, quickshift and columns")]
    Unknown(String),
}
