//! Settings of a random forest, under scikit-learn's names and with its defaults.

use xbench_plugin::params;

params! {
    /// Settings of a random forest.
    pub struct ForestSettings {
        /// Number of trees.
        n_trees: u32 = 100, 1..=100_000;
        /// Features that a node may split on: "sqrt", "log2", "all", or a share such as "0.5".
        max_features: String = "sqrt";
        /// Most levels below a root; none for no limit.
        max_depth: Option<u32> = None, 1..=10_000;
        /// Least rows of a node that is split.
        min_samples_split: u32 = 2, 2..=1_000_000;
        /// Least rows of a leaf.
        min_samples_leaf: u32 = 1, 1..=1_000_000;
        /// Weights of the classes in the trees: all alike, such that all classes weigh the same in
        /// the training rows, or such that they do in each tree's draw. Rows are drawn alike in any
        /// case (scikit-learn 1.9 draws by weight where this says balanced, earlier versions as here).
        class_weight: String = "none", ["none", "balanced", "balanced_subsample"];
        /// Grow each tree on as many rows as there are, drawn with replacement.
        bootstrap: bool = true;
        /// Share of every class held out, to be scored only, if the data have no validation split
        /// of their own.
        validation_share: f64 = 0.0, 0.0..=0.9;
        /// Decides rows, features and held-out rows.
        seed: u64 = 0;
    }
}

/// Name of the setting that counts the steps.
pub const TREES: &str = "n_trees";

/// The presets: name, and what it replaces.
pub const PRESETS: [(&str, &str); 2] = [
    ("default", "{}"),
    // As the study's forest: scikit-learn's defaults.
    ("published", "{}"),
];

impl ForestSettings {
    /// Features that a node may split on, of so many; none for text that says nothing of the kind.
    pub(super) fn features(&self, all: usize) -> Option<usize> {
        let wanted = match self.max_features.as_str() {
            "all" => all as f64,
            "sqrt" => (all as f64).sqrt(),
            "log2" => (all as f64).log2(),
            share => {
                let share: f64 = share.parse().ok()?;
                if !(share > 0.0 && share <= 1.0) {
                    return None;
                }
                share * all as f64
            }
        };
        Some((wanted as usize).clamp(1, all.max(1)))
    }
}
