//! The curve of a training as a picture: loss and accuracy over epochs.

use image::{Rgb, RgbImage};
use thiserror::Error;

use crate::canvas::{Canvas, FAINT_INK, Font, INK};
use crate::chart::{Axes, BELOW, legend, ticks, whole_ticks};
use crate::colour::series;
use crate::figure::FigureError;

/// A training, epoch by epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingCurve {
    /// What was trained.
    pub title: String,
    /// One per epoch (or round, or whatever the model counts), in order.
    pub epochs: Vec<CurvePoint>,
    /// Number of the epoch whose weights were kept, where it is known.
    pub kept_epoch: Option<u64>,
}

/// What was measured after an epoch. What was not measured is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Its number, from 1.
    pub epoch: u64,
    /// Mean loss over the training examples, as they were trained on.
    pub train_loss: Option<f64>,
    /// Share of them classified right, 0–1.
    pub train_accuracy: Option<f64>,
    /// Mean loss over the validation split.
    pub validation_loss: Option<f64>,
    /// Share of it classified right, 0–1.
    pub validation_accuracy: Option<f64>,
}

/// Why a curve's file could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CurveError {
    /// A column is missing.
    #[error("the curve has no column \"{0}\"; a curve begins with a line of column names")]
    NoColumn(&'static str),
    /// A line does not fit the first.
    #[error("line {line} of the curve: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl TrainingCurve {
    /// Reads the file that `xbench train` writes beside the weights: comma-separated, a first
    /// line of names among which are `epoch`, `train_loss`, `train_accuracy`, `validation_loss`
    /// and `validation_accuracy`, and a line per epoch, in which an empty field was not measured.
    ///
    /// # Errors
    ///
    /// [`CurveError`] for a missing column, a line with another number of fields, or a field that
    /// is no finite number.
    pub fn from_csv(title: &str, text: &str, kept_epoch: Option<u64>) -> Result<Self, CurveError> {
        let mut lines = text.lines().enumerate();
        let header: Vec<&str> = lines
            .next()
            .map(|(_, line)| line.split(',').map(str::trim).collect())
            .unwrap_or_default();
        let column = |name: &'static str| {
            let place = header.iter().position(|known| *known == name);
            place.ok_or(CurveError::NoColumn(name))
        };
        let epoch_column = column("epoch")?;
        let others = [
            column("train_loss")?,
            column("train_accuracy")?,
            column("validation_loss")?,
            column("validation_accuracy")?,
        ];
        let mut epochs = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |what: String| CurveError::Line {
                line: number + 1,
                what,
            };
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            if fields.len() != header.len() {
                let (found, expected) = (fields.len(), header.len());
                return Err(wrong(format!("{found} fields, expected {expected}")));
            }
            let epoch = fields[epoch_column];
            let epoch = epoch
                .parse()
                .map_err(|_| wrong(format!("epoch \"{epoch}\" is no whole number")))?;
            let mut values = [None; 4];
            for (value, place) in values.iter_mut().zip(others) {
                let field = fields[place];
                if !field.is_empty() {
                    let number: Option<f64> = field.parse().ok();
                    let number = number.filter(|number| number.is_finite());
                    *value = Some(
                        number.ok_or_else(|| wrong(format!("\"{field}\" is no finite number")))?,
                    );
                }
            }
            epochs.push(CurvePoint {
                epoch,
                train_loss: values[0],
                train_accuracy: values[1],
                validation_loss: values[2],
                validation_accuracy: values[3],
            });
        }
        Ok(Self {
            title: title.to_owned(),
            epochs,
            kept_epoch,
        })
    }
}

const MARGIN: u32 = 20;
const TITLE_BLOCK: u32 = Font::TITLE.height() + 14;
const LEGEND_BLOCK: u32 = Font::BODY.height() + 12;
const PLOT_WIDTH: u32 = 440;
const PLOT_HEIGHT: u32 = 300;
/// The axis' name and its numbers.
const LEFT_BLOCK: u32 = Font::BODY.height() + 8 + 56;

fn train_colour() -> Rgb<u8> {
    series(0)
}

fn validation_colour() -> Rgb<u8> {
    series(1)
}

/// Draws the curve: loss at the left, accuracy at the right, training blue and validation orange,
/// the kept epoch marked by a dashed line.
///
/// # Errors
///
/// [`FigureError::Empty`] without epochs.
pub fn training_image(curve: &TrainingCurve) -> Result<RgbImage, FigureError> {
    let (Some(first), Some(last)) = (curve.epochs.first(), curve.epochs.last()) else {
        return Err(FigureError::Empty {
            what: format!("the curve of {}", curve.title),
        });
    };
    let panel = LEFT_BLOCK + PLOT_WIDTH;
    let width = 2 * MARGIN + 2 * panel + 36;
    let top = MARGIN + TITLE_BLOCK + LEGEND_BLOCK;
    let height = top + PLOT_HEIGHT + BELOW + MARGIN;
    let mut canvas = Canvas::new("the training curve", width.into(), height.into())?;
    let title = Font::TITLE.elide(&curve.title, width - 2 * MARGIN);
    canvas.text(MARGIN, MARGIN, &title, Font::TITLE, INK);
    let mut entries = vec![("training", train_colour())];
    if curve
        .epochs
        .iter()
        .any(|point| point.validation_loss.is_some() || point.validation_accuracy.is_some())
    {
        entries.push(("validation", validation_colour()));
    }
    let legend_y = MARGIN + TITLE_BLOCK - 4;
    let behind = legend(&mut canvas, (MARGIN + LEFT_BLOCK, legend_y), &entries);
    let kept = curve
        .kept_epoch
        .filter(|kept| (first.epoch..=last.epoch).contains(kept));
    if let Some(kept) = kept {
        let y = f64::from(legend_y) + 8.0;
        let (from, to) = (f64::from(behind), f64::from(behind) + 24.0);
        canvas.dashes((from, y), (to, y), 2.0, FAINT_INK);
        let text = format!("kept epoch {kept}");
        canvas.text(behind + 32, legend_y, &text, Font::BODY, INK);
    }
    type Read = fn(&CurvePoint) -> Option<f64>;
    let panels: [(&str, [Read; 2]); 2] = [
        (
            "loss",
            [|point| point.train_loss, |point| point.validation_loss],
        ),
        (
            "accuracy",
            [
                |point| point.train_accuracy,
                |point| point.validation_accuracy,
            ],
        ),
    ];
    for (number, (name, reads)) in panels.iter().enumerate() {
        let start = MARGIN + number as u32 * (panel + 36);
        let values = curve
            .epochs
            .iter()
            .flat_map(|point| reads.iter().filter_map(|read| read(point)));
        let axes = Axes {
            left: start + LEFT_BLOCK,
            top,
            width: PLOT_WIDTH,
            height: PLOT_HEIGHT,
            x: (first.epoch as f64 - 0.5, last.epoch as f64 + 0.5),
            y: range(values),
        };
        axes.draw_rows(&mut canvas, &ticks(axes.y.0, axes.y.1, 6));
        axes.draw_columns(
            &mut canvas,
            &whole_ticks(first.epoch as f64, last.epoch as f64, 8),
        );
        axes.draw_names(&mut canvas, "epoch", name, start);
        if let Some(kept) = kept {
            let column = axes.column(kept as f64);
            let ends = [f64::from(axes.top), f64::from(axes.bottom())];
            canvas.dashes((column, ends[1]), (column, ends[0]), 2.0, FAINT_INK);
        }
        for (read, colour) in reads.iter().zip([train_colour(), validation_colour()]) {
            let points = curve
                .epochs
                .iter()
                .map(|point| (point.epoch as f64, read(point).unwrap_or(f64::NAN)));
            axes.draw_line(&mut canvas, &points.collect::<Vec<_>>(), colour);
        }
    }
    Ok(canvas.finish())
}

/// Smallest to largest finite value with a little air; 0–1 for none.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let air = if high > low {
        0.05 * (high - low)
    } else {
        0.5 * high.abs().max(0.1)
    };
    // No loss or accuracy lies below nothing.
    let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
    ((low - air).max(floor), high + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate\n";

    fn read(rows: &str) -> Result<TrainingCurve, CurveError> {
        TrainingCurve::from_csv("lenet", &format!("{HEADER}{rows}"), Some(2))
    }

    #[test]
    fn a_curve_is_read_as_it_was_written() {
        let curve = read("1,0.9,0.7,0.6,0.8,0.001\n2,0.5,0.85,,,0.001\n").unwrap();
        assert_eq!(curve.epochs.len(), 2);
        assert_eq!(curve.epochs[0].validation_accuracy, Some(0.8));
        assert_eq!(curve.epochs[1].validation_loss, None);
        assert_eq!(curve.epochs[1].train_accuracy, Some(0.85));
    }

    #[test]
    fn what_is_no_curve_is_refused_with_its_line() {
        assert_eq!(
            TrainingCurve::from_csv("m", "", None),
            Err(CurveError::NoColumn("epoch"))
        );
        for (rows, place) in [
            ("1,0.9\n", "line 2"),
            ("1,0.9,0.7,0.6,0.8,0\nx,0,0,0,0,0\n", "line 3"),
            ("1,NaN,0.7,0.6,0.8,0\n", "\"NaN\""),
        ] {
            let message = read(rows).unwrap_err().to_string();
            assert!(message.contains(place), "{message}");
        }
    }

    #[test]
    fn the_best_accuracy_is_drawn_above_the_worst() {
        let rows = "1,0.9,0.1,0.9,0.1,0\n2,0.5,0.5,0.5,0.5,0\n3,0.1,0.9,0.1,0.9,0\n";
        let mut curve = read(rows).unwrap();
        curve.epochs.iter_mut().for_each(|point| {
            point.train_accuracy = None;
            point.train_loss = None;
        });
        let picture = training_image(&curve).unwrap();
        let rows_of = |columns: std::ops::Range<u32>| -> Vec<u32> {
            let dots = picture.enumerate_pixels();
            let own = dots.filter(|(x, y, pixel)| {
                columns.contains(x)
                    && *y > MARGIN + TITLE_BLOCK + LEGEND_BLOCK
                    && **pixel == validation_colour()
            });
            own.map(|(_, y, _)| y).collect()
        };
        let right = picture.width() - MARGIN;
        let early = rows_of(right - PLOT_WIDTH..right - PLOT_WIDTH / 2 - 40);
        let late = rows_of(right - PLOT_WIDTH / 2 + 40..right);
        assert!(early.iter().min() > late.iter().max());
        // And the loss falls.
        let middle = MARGIN + LEFT_BLOCK + PLOT_WIDTH / 2;
        let early = rows_of(MARGIN + LEFT_BLOCK..middle - 40);
        let late = rows_of(middle + 40..MARGIN + LEFT_BLOCK + PLOT_WIDTH);
        assert!(early.iter().max() < late.iter().min());
    }

    #[test]
    fn odd_curves_are_drawn_or_refused() {
        let none = read("").unwrap();
        assert!(matches!(
            training_image(&none),
            Err(FigureError::Empty { .. })
        ));
        assert!(training_image(&read("1,0.9,0.7,,,0\n").unwrap()).is_ok());
        assert!(training_image(&read("1,,,,,\n2,,,,,\n").unwrap()).is_ok());
    }
}
