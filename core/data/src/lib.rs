//! Data sets: found, verified, read, generated, selected, and photographs
//! prepared like them.
//!
//! A benchmark is only as good as the certainty that two people scored the same
//! bytes. So a set is identified by [`DataSet::content_hash`], a SHA-256 of its
//! content and of nothing else (no path, no date, no compression), every file is
//! checked against a pinned digest before a single pixel is used, and a file that
//! does not fit gives a [`DataError`] that says what, where, and what to do.
//!
//! Three kinds of set are known ([`known`], [`SetRef`]): Fashion-MNIST, which lies in files
//! that are looked for in a fixed order ([`Locate`]) and fetched if allowed; the built-in
//! `garments` family, drawn by this crate, which needs no file and whose object masks are
//! exact; and sets that a description in TOML explains: folders of images with masks,
//! tables, IDX files. Ours (`busi`, `flowers17`, `fetal-health`, `garment-photos`) are
//! embedded in the program; anyone's own are named by path, and take the same way. The
//! format is documented in [`described`], with an example in `examples/birds.toml`.
//!
//! ```
//! use xbench_data::{Locate, Selection, Splits, load, select};
//!
//! let locate = Locate { splits: Splits::TestOnly, ..Locate::offline() };
//! let set = load(&"garments".into(), &locate)?;
//! let rows = select(&set.test, set.classes.len(), &Selection::Balanced(20))?;
//! let mut pixels = Vec::new();
//! set.test.rows_f32(&rows, &mut pixels);
//! assert_eq!(pixels.len(), 20 * 28 * 28);
//! # Ok::<(), xbench_data::DataError>(())
//! ```

mod catalogue;
mod describe;
pub mod described;
mod digest;
mod duplicates;
mod error;
mod fashion_mnist;
mod fetch;
mod garments;
pub mod idx;
mod locate;
pub mod mask;
pub mod photo;
mod photos;
mod picture;
mod random;
mod select;
mod set;
mod set_ref;
mod table_file;

pub use catalogue::{FileReport, SetInfo, content_hash, fetch, info, known, load, verify};
pub use describe::{ClassShare, object_share};
pub use duplicates::{Duplicate, NEAR_DUPLICATE, Part, duplicates, near_duplicates};
pub use error::{DataError, Result};
pub use locate::{Locate, Progress, Splits};
pub use select::{Selection, select};
pub use set::{DataSet, Masks, Origin, Place, Split, Values};
pub use set_ref::SetRef;
pub use table_file::{TableRows, read_table};
