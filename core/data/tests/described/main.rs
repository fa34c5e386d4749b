//! Sets that a description explains: what is read, and what is refused.

mod division;
mod documents;
mod folders;
mod pictures;
mod real;
mod support;
mod tables;
