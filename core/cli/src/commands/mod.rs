//! One file a command: flags in, request out, answer printed.

pub(crate) mod data;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod scores;
pub(crate) mod suite;
pub(crate) mod train;

use xbench_run::Search;

use crate::args::SearchArgs;

impl From<&SearchArgs> for Search {
    fn from(args: &SearchArgs) -> Self {
        Self {
            plugin_path: args.plugin_path.clone(),
            offline: args.offline,
        }
    }
}
