//! What a person sees while a command runs: bars on a terminal, lines in a log.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use xbench_data::Progress as Download;
use xbench_report::{Style, TrainingProgress, training_line};
use xbench_run::{Observer, TrainingStep};

use crate::terminal::complain;

/// Work shorter than this is not worth a line in a log.
const WORTH_TELLING: Duration = Duration::from_secs(2);

/// Tells on standard error, unless quiet.
pub(crate) struct Progress {
    quiet: bool,
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
    stage: Mutex<Option<(String, u64, Instant)>>,
    training: Mutex<Option<Training>>,
    download: Mutex<Option<String>>,
}

/// The clock of a training run.
struct Training {
    begun: Instant,
    last: Option<TrainingStep>,
    told: Option<Instant>,
}

impl Training {
    /// Whether an epoch that is done is worth a line: the first and the last are, and of quick ones
    /// (the trees of a forest) one a second.
    fn worth_telling(&mut self, step: &TrainingStep) -> bool {
        let now = Instant::now();
        let waited = |told: Instant| now.duration_since(told) >= Duration::from_secs(1);
        let worth = self.told.is_none_or(waited) || step.epoch == step.epochs;
        if worth {
            self.told = Some(now);
        }
        worth
    }
}

impl Progress {
    /// Silent if `quiet`; else bars on a terminal, lines elsewhere.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
            stage: Mutex::new(None),
            training: Mutex::new(None),
            download: Mutex::new(None),
        }
    }

    fn set_bar(&self, bar: Option<ProgressBar>) {
        let mut current = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = current.take() {
            old.finish_and_clear();
        }
        *current = bar;
    }

    fn with_bar(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            act(bar);
        }
    }

    /// A line that stays, above the bar if there is one.
    fn line(&self, text: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bar {
            Some(bar) if self.terminal => bar.suspend(|| complain(text)),
            _ => complain(text),
        }
    }

    fn new_bar(&self, template: &str, units: u64) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(units), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

impl Drop for Progress {
    /// An error's text is not to stand behind a bar.
    fn drop(&mut self) {
        self.set_bar(None);
    }
}

impl Observer for Progress {
    fn notice(&self, text: &str) {
        if !self.quiet {
            self.line(&format!("note: {text}"));
        }
    }

    fn warning(&self, text: &str) {
        self.line(&format!("WARNING: {text}"));
    }

    fn begin(&self, what: &str, units: u64) {
        if self.quiet || units == 0 {
            return;
        }
        let stage = Some((what.to_owned(), units, Instant::now()));
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        if self.terminal {
            let template = "{prefix:>11} {bar:32} {pos}/{len}  {elapsed} so far, {eta} left";
            let bar = self.new_bar(template, units);
            bar.set_prefix(what.to_owned());
            self.set_bar(Some(bar));
        }
    }

    fn advance(&self, units: u64) {
        self.with_bar(|bar| bar.inc(units));
    }

    fn end(&self) {
        self.set_bar(None);
        let stage = self
            .stage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((what, units, begun)) = stage
            && (self.terminal || begun.elapsed() >= WORTH_TELLING)
        {
            let seconds = begun.elapsed().as_secs_f64();
            complain(&format!("{what:>11}: {units} done in {seconds:.1} s"));
        }
        *self.training.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn download(&self, progress: &Download) {
        if self.quiet {
            return;
        }
        let mut current = self.download.lock().unwrap_or_else(PoisonError::into_inner);
        let total = progress.total.unwrap_or(0);
        if current.as_deref() != Some(progress.file.as_str()) {
            *current = Some(progress.file.clone());
            if self.terminal {
                let template =
                    "{prefix:>11} {bar:32} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left";
                let bar = self.new_bar(template, total);
                bar.set_prefix(format!("fetching {}", progress.file));
                self.set_bar(Some(bar));
            } else {
                complain(&format!("fetching {} ({total} bytes)", progress.file));
            }
        }
        self.with_bar(|bar| bar.set_position(progress.done));
        if progress.total == Some(progress.done) {
            self.set_bar(None);
        }
    }

    fn training(&self, model: &str, step: &TrainingStep) {
        if self.quiet {
            return;
        }
        let mut training = self.training.lock().unwrap_or_else(PoisonError::into_inner);
        let state = training.get_or_insert_with(|| Training {
            begun: Instant::now(),
            last: None,
            told: None,
        });
        let share = if step.epoch_done {
            1.0
        } else {
            f64::from(step.batch) / f64::from(step.batches.max(1))
        };
        let done = f64::from(step.epoch.saturating_sub(1)) + share;
        let spent = state.begun.elapsed().as_secs_f64();
        let last = state.last.as_ref();
        let view = TrainingProgress {
            model: model.to_owned(),
            epoch: step.epoch as usize,
            epochs: step.epochs as usize,
            epoch_share: share,
            loss: step.loss,
            validation_accuracy: step
                .validation_accuracy
                .or_else(|| last.and_then(|step| step.validation_accuracy)),
            seconds_left: (done > 0.0).then(|| spent / done * (f64::from(step.epochs) - done)),
        };
        let text = training_line(&view, &Style::plain(100));
        let mut tell = false;
        if step.epoch_done {
            state.last = Some(step.clone());
            tell = state.worth_telling(step);
        }
        drop(training);
        if self.terminal {
            if self.bar.lock().is_ok_and(|bar| bar.is_none()) {
                self.set_bar(Some(self.new_bar("{msg}", 0)));
            }
            self.with_bar(|bar| bar.set_message(text.clone()));
        }
        if tell {
            self.line(&text);
        }
    }
}
