//! Decision trees as model plugins: gradient boosting with XGBoost's objective and files, and
//! Breiman's random forest.
//!
//! Both end in an [`xbench_plugin::TreeEnsemble`], which [`tree`] builds, [`predict`] runs,
//! [`importance`] measures, [`store`] keeps in a small file and [`xgboost_format`] exchanges with
//! XGBoost. [`boost`] and [`forest`] train, and [`plugin`] shows both to a host.

pub mod boost;
pub mod data;
pub mod forest;
pub mod importance;
pub mod plugin;
pub mod predict;
pub mod settings;
pub mod state;
pub mod store;
pub mod tree;
pub mod xgboost_format;
