//! Training as it goes, and its curve afterwards.

use crate::number::{duration_text, fixed, signed};
use crate::style::{Emphasis, Style, clean};

/// Where a training stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingProgress {
    /// The model.
    pub model: String,
    /// Epochs finished before this one, plus one.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Share of this epoch done, 0–1.
    pub epoch_share: f64,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Accuracy on the validation split after the last finished epoch, 0–1.
    pub validation_accuracy: Option<f64>,
    /// Estimated seconds left; `None` before there is anything to estimate from.
    pub seconds_left: Option<f64>,
}

/// One line of progress, no newline: bar, epoch, loss, accuracy, time left.
#[must_use]
pub fn training_line(progress: &TrainingProgress, style: &Style) -> String {
    let finished = progress.epoch.saturating_sub(1) as f64 + progress.epoch_share.clamp(0.0, 1.0);
    let share = finished / progress.epochs.max(1) as f64;
    let mut parts = vec![
        format!("epoch {}/{}", progress.epoch, progress.epochs),
        format!("loss {}", fixed(progress.loss, 4, style)),
    ];
    if let Some(accuracy) = progress.validation_accuracy {
        parts.push(format!("val acc {}", fixed(accuracy, 4, style)));
    }
    if let Some(seconds) = progress.seconds_left {
        parts.push(format!("{} left", duration_text(seconds)));
    }
    let words = parts.join("  ");
    let name = clean(&progress.model);
    let used = crate::style::width_of(&name) + crate::style::width_of(&words) + 4;
    let bar = bar(share, style.width.saturating_sub(used).min(24), style);
    let line = format!("{}  {bar}  {words}", style.paint(&name, Emphasis::Bold));
    if bar.is_empty() {
        format!("{}  {words}", style.paint(&name, Emphasis::Bold))
    } else {
        line
    }
}

fn bar(share: f64, width: usize, style: &Style) -> String {
    if width < 6 {
        return String::new();
    }
    let full = (share.clamp(0.0, 1.0) * width as f64).floor() as usize;
    let (done, rest) = (style.pick("━", "#"), style.pick("─", "."));
    done.repeat(full) + &style.paint(&rest.repeat(width - full), Emphasis::Dim)
}

/// `values` as a line of bars, at most `width` wide, scaled from their smallest to their largest.
///
/// More values than columns are averaged in equal groups; what is not finite is a blank.
#[must_use]
pub fn sparkline(values: &[f64], width: usize, style: &Style) -> String {
    let columns = values.len().min(width);
    if columns == 0 {
        return String::new();
    }
    let grouped: Vec<f64> = (0..columns)
        .map(|i| {
            let group = &values[i * values.len() / columns..(i + 1) * values.len() / columns];
            group.iter().sum::<f64>() / group.len() as f64
        })
        .collect();
    let finite = || grouped.iter().copied().filter(|v| v.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let steps: Vec<char> = style.pick("▁▂▃▄▅▆▇█", "_.-=+*#@").chars().collect();
    grouped
        .iter()
        .map(|&value| {
            if !value.is_finite() {
                return ' ';
            }
            let share = if high > low {
                (value - low) / (high - low)
            } else {
                0.5
            };
            steps[((share * steps.len() as f64) as usize).min(steps.len() - 1)]
        })
        .collect()
}

/// One epoch of a finished training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochPoint {
    /// Mean training loss.
    pub loss: f64,
    /// Accuracy on the validation split, 0–1; NaN where there was none.
    pub validation_accuracy: f64,
}

/// The curve of a finished training: loss and validation accuracy as sparklines with their first
/// and last values, and the epoch that was kept (counted from 1).
#[must_use]
pub fn training_summary(
    model: &str,
    curve: &[EpochPoint],
    kept_epoch: usize,
    style: &Style,
) -> String {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
        return format!("{}: no epoch was trained\n", clean(model));
    };
    let width = style.width.saturating_sub(36).min(60);
    let line = |name: &str, values: Vec<f64>, from: f64, to: f64| {
        let spark = sparkline(&values, width, style);
        let arrow = style.pick("→", "->");
        format!(
            "  {name:<8} {spark}  {} {arrow} {}",
            fixed(from, 4, style),
            fixed(to, 4, style)
        )
    };
    let mut text = style.paint(&clean(model), Emphasis::Bold) + "\n";
    text.push_str(&line(
        "loss",
        curve.iter().map(|p| p.loss).collect(),
        first.loss,
        last.loss,
    ));
    text.push('\n');
    if curve.iter().any(|p| p.validation_accuracy.is_finite()) {
        let values = curve.iter().map(|p| p.validation_accuracy).collect();
        let (from, to) = (first.validation_accuracy, last.validation_accuracy);
        text.push_str(&line("val acc", values, from, to));
        text.push('\n');
    }
    match kept_epoch.checked_sub(1).and_then(|i| curve.get(i)) {
        Some(kept) if kept.validation_accuracy.is_finite() => {
            let behind = kept.validation_accuracy - last.validation_accuracy;
            text.push_str(&format!(
                "  kept epoch {kept_epoch} of {}: val acc {} ({} against the last)\n",
                curve.len(),
                fixed(kept.validation_accuracy, 4, style),
                signed(behind, 4, style),
            ));
        }
        _ => text.push_str(&format!("  kept epoch {kept_epoch} of {}\n", curve.len())),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::plain(80);

    #[test]
    fn progress_is_one_line() {
        let progress = TrainingProgress {
            model: "cnn-gap".to_owned(),
            epoch: 3,
            epochs: 10,
            epoch_share: 0.5,
            loss: 0.34567,
            validation_accuracy: Some(0.8712),
            seconds_left: Some(95.0),
        };
        insta::assert_snapshot!(training_line(&progress, &STYLE), @"
        cnn-gap  ━━━────────────  epoch 3/10  loss .3457  val acc .8712  1 min 35 s left
        ");
        insta::assert_snapshot!(training_line(&progress, &Style { unicode: false, ..STYLE }), @"
        cnn-gap  ###............  epoch 3/10  loss .3457  val acc .8712  1 min 35 s left
        ");
        let early = TrainingProgress {
            validation_accuracy: None,
            seconds_left: None,
            ..progress
        };
        insta::assert_snapshot!(training_line(&early, &Style::plain(30)), @"
        cnn-gap  epoch 3/10  loss .3457
        ");
    }

    #[test]
    fn sparklines_span_their_range() {
        assert_eq!(
            sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8, &STYLE),
            "▁▂▃▄▅▆▇█"
        );
        assert_eq!(sparkline(&[1.0, 3.0, 5.0, 7.0], 2, &STYLE), "▁█");
        assert_eq!(sparkline(&[2.0, 2.0], 8, &STYLE), "▅▅");
        assert_eq!(sparkline(&[0.0, f64::NAN, 1.0], 8, &STYLE), "▁ █");
        assert_eq!(sparkline(&[], 8, &STYLE), "");
        assert_eq!(sparkline(&[1.0], 0, &STYLE), "");
    }

    #[test]
    fn the_summary_names_the_epoch_that_was_kept() {
        let curve =
            [(0.9, 0.80), (0.5, 0.88), (0.4, 0.87)].map(|(loss, validation_accuracy)| EpochPoint {
                loss,
                validation_accuracy,
            });
        insta::assert_snapshot!(training_summary("lenet", &curve, 2, &STYLE), @"
        lenet
          loss     █▂▁  .9000 → .4000
          val acc  ▁█▇  .8000 → .8700
          kept epoch 2 of 3: val acc .8800 (+.0100 against the last)
        ");
        assert_eq!(
            training_summary("lenet", &[], 0, &STYLE),
            "lenet: no epoch was trained\n"
        );
    }
}
