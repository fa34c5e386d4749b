//! The models as plugins.

mod host;
mod random_forest;
mod xgboost;

pub use random_forest::{RandomForest, RandomForestParams};
pub use xgboost::{Xgboost, XgboostParams};

xbench_plugin::export! {
    model Xgboost: Weights, Fit, Trees;
    model RandomForest: Weights, Fit, Trees;
}
