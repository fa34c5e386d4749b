//! Exploratory analysis of data sets.
