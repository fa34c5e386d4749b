//! The choice of segments, as parameters and files spell it.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::quickshift::{QuickshiftParams, quickshift};
use crate::segments::{Segments, Shape, grid};
use crate::slic::{SlicParams, slic};

/// How an input is cut into segments.
///
/// Serialised as `{"method": "slic", "segments": 50}` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum Segmentation {
    /// Square cells; see [`grid`].
    Grid {
        /// Side in pixels.
        cell: usize,
    },
    /// SLIC superpixels; see [`slic`].
    Slic(SlicParams),
    /// Quickshift; see [`quickshift`].
    Quickshift(QuickshiftParams),
    /// The columns of a table, each on its own.
    Columns,
}

/// The values that [`Segmentation::named`] picks from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Side of a grid's cells, in pixels.
    pub cell: usize,
    /// For SLIC.
    pub slic: SlicParams,
    /// For quickshift.
    pub quickshift: QuickshiftParams,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cell: 4,
            slic: SlicParams::default(),
            quickshift: QuickshiftParams::default(),
        }
    }
}

impl Segmentation {
    /// The segmentation called `grid`, `slic`, `quickshift` or `columns`, with its part of the options.
    ///
    /// # Errors
    /// When the name is none of these, or an option it uses is out of range.
    pub fn named(name: &str, options: &Options) -> Result<Self, Error> {
        let choice = match name {
            "grid" => Self::Grid { cell: options.cell },
            "slic" => Self::Slic(options.slic),
            "quickshift" => Self::Quickshift(options.quickshift),
            "columns" => Self::Columns,
            other => return Err(Error::Unknown(other.to_owned())),
        };
        match &choice {
            Self::Grid { cell } => grid(1, 1, *cell).map(drop)?,
            Self::Slic(params) => params.check()?,
            Self::Quickshift(params) => params.check()?,
            Self::Columns => {}
        }
        Ok(choice)
    }

    /// Do the segments depend on the values, or on the shape alone?
    #[must_use]
    pub const fn depends_on_values(&self) -> bool {
        matches!(self, Self::Slic(_) | Self::Quickshift(_))
    }

    /// The segments of one input: an image `[channels, height, width]` or, for [`Self::Columns`], the
    /// columns `[columns]` of a table.
    ///
    /// # Errors
    /// When the shape is empty, does not fit the values or the choice, or a value has no colour.
    pub fn segment(&self, values: &[f32], shape: &[usize]) -> Result<Segments, Error> {
        if let (Self::Columns, &[columns]) = (self, shape) {
            if columns != values.len() {
                return Err(Error::Length {
                    shape: shape.to_vec(),
                    found: values.len(),
                });
            }
            return Segments::new((0..columns as u32).collect());
        }
        let &[channels, height, width] = shape else {
            return Err(self.refuse("images [channels, height, width]", shape));
        };
        let image = Shape {
            channels,
            height,
            width,
        };
        match self {
            Self::Grid { cell } => grid(height, width, *cell),
            Self::Slic(params) => slic(values, image, params),
            Self::Quickshift(params) => quickshift(values, image, params),
            Self::Columns => Err(self.refuse("tables [columns]", shape)),
        }
    }

    fn refuse(&self, takes: &'static str, shape: &[usize]) -> Error {
        Error::Shape {
            choice: match self {
                Self::Grid { .. } => "grid",
                Self::Slic(_) => "slic",
                Self::Quickshift(_) => "quickshift",
                Self::Columns => "columns",
            },
            takes,
            shape: shape.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_spell_the_same() {
        let options = Options::default();
        for (name, json) in [
            ("grid", r#"{"method":"grid","cell":4}"#),
            (
                "slic",
                r#"{"method":"slic","segments":50,"compactness":10.0,"rounds":10}"#,
            ),
            (
                "quickshift",
                r#"{"method":"quickshift","kernel_size":0.0,"max_distance":200.0,"colour_ratio":0.2}"#,
            ),
            ("columns", r#"{"method":"columns"}"#),
        ] {
            let choice = Segmentation::named(name, &options).expect(name);
            assert_eq!(serde_json::to_string(&choice).expect("JSON"), json);
            let back: Segmentation = serde_json::from_str(json).expect("a choice");
            assert_eq!(back, choice);
        }
        let short: Segmentation = serde_json::from_str(r#"{"method":"slic"}"#).expect("defaults");
        assert_eq!(short, Segmentation::Slic(SlicParams::default()));
        assert!(Segmentation::named("felzenszwalb", &options).is_err());
        let nothing = Options { cell: 0, ..options };
        assert!(Segmentation::named("grid", &nothing).is_err());
        assert!(Segmentation::named("slic", &nothing).is_ok());
    }

    #[test]
    fn choices_take_what_they_are_for() {
        let columns = Segmentation::Columns.segment(&[1.0, 2.0, 3.0], &[3]);
        assert_eq!(columns.expect("columns").labels(), [0, 1, 2]);
        assert!(
            Segmentation::Columns
                .segment(&[0.0; 4], &[1, 2, 2])
                .is_err()
        );
        assert!(Segmentation::Columns.segment(&[0.0; 4], &[3]).is_err());
        assert!(Segmentation::Columns.segment(&[], &[0]).is_err());
        let cells = Segmentation::Grid { cell: 1 };
        assert_eq!(
            cells.segment(&[0.0; 8], &[2, 2, 2]).expect("cells").count(),
            4
        );
        assert!(cells.segment(&[0.0; 4], &[4]).is_err());
    }
}
