//! What a command tells while it runs.

use xbench_data::Progress;

use crate::task::TrainingStep;

/// Told what happens; all methods may be called from any thread.
pub trait Observer: Sync {
    /// Something the user should know though nothing failed: a substitute data set, say.
    fn notice(&self, text: &str);
    /// Something that changes what the results mean, or that was lost: told even when quiet.
    fn warning(&self, text: &str);
    /// A stretch of work of so many units begins; the one before it is over.
    fn begin(&self, what: &str, units: u64);
    /// So many more units are done.
    fn advance(&self, units: u64);
    /// The current stretch is over.
    fn end(&self);
    /// A download goes on.
    fn download(&self, progress: &Progress);
    /// A batch or an epoch of training is done.
    fn training(&self, model: &str, step: &TrainingStep);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn notice(&self, _: &str) {}
    fn warning(&self, _: &str) {}
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn download(&self, _: &Progress) {}
    fn training(&self, _: &str, _: &TrainingStep) {}
}
