//! Feature ablation, RISE, Sobol, HSIC and extremal perturbation against closed forms.

mod ablation;
mod common;
mod extremal;
mod hsic;
mod models;
mod rise;
mod sobol;
