//! Explainers and scores against the reference packages, on the committed networks:
//! `fixtures/reference/README.md` says how the values were made and how far off they are.

mod fixture;
mod maps;
mod scores;
