//! Sets that a description in TOML explains: our own (embedded in the program) and those
//! of users, by one way.
//!
//! # The format
//!
//! Every key that is not known is an error. Paths are relative, with `/` between their
//! parts, and may not leave the data folder: no `..`, no absolute path.
//!
//! | key | what |
//! |---|---|
//! | `name` | the set's name: lower-case letters, digits, `-`, `.`, `_`; starts with a letter or digit. Not the name of a built-in set |
//! | `kind` | `images`, `table` or `idx`; the section of that name follows |
//! | `version`, `summary`, `licence`, `citation` | for people; raise `version` when the files change |
//! | `source` | where the files come from and where to put them: shown where they are not found |
//! | `folder` | the data folder; default `.`, the description's own. Where `root` is named (in a suite, or [`Locate::root`](crate::Locate::root)), `root/<name>` and `root` are looked at next |
//! | `sums` | a file in the format of `sha256sum`, in the data folder: every file that is read must stand in it and agree |
//! | `division` | which of `[divisions.*]` is used by default; else the first in alphabetical order |
//!
//! `[images]`: a folder of pictures.
//!
//! | key | what |
//! |---|---|
//! | `folder` | folder of the class folders; default `.` |
//! | `colour` | `grey` or `rgb` (default) |
//! | `size` | side in pixels, or `[height, width]`; 1 to 4096 |
//! | `fit` | `stretch` (default), `pad` (keeps the aspect; black, not object, around) or `crop` (keeps the aspect; the middle) |
//! | `extensions` | default `["png", "jpg", "jpeg"]`, in any case; files with others are left out, and counted in a note |
//! | `[[images.class]]` | one per class, in label order: `folder`, `name` (default: the folder's), `images` (how many there must be), `pin`, `masks` (`all`: each image must have one; `some`; `none`), `default = false` (used only when the option `classes` names it). Without any: each sub-folder is a class, in the order of their bytes |
//! | `[images.masks]` | `suffix`: the mask of `a.png` is `a<suffix>.png` beside it, or several, `a<suffix>_1.png`, whose union counts; or `folder`: a folder parallel to `images.folder`. `object`: pixel values that are object; default: 128 and above. `unlabelled`: values that are counted as not object; values that are neither these nor 0 are then an error |
//! | `[images.index]` | a CSV that lists the images instead of class folders: `file`, `path` and `class` (names of columns); the class cell is compared with each class's `folder`; rows with an empty one are left out, and counted in a note |
//!
//! `[table]`: one CSV with a header. `file`; `separator` (default `,`); `label` (its
//! column); `features` (columns, in this order; default: all others), `pin`;
//! `[[table.class]]` with `value` (the cell; numbers are compared as numbers), `name` and
//! `rows` (how many there must be), in label order. Without classes: the values there are,
//! ascending. Every feature must be a finite number in every row.
//!
//! `[idx]`: IDX files, plain or gzip: `train_images`, `train_labels`, `test_images`,
//! `test_labels`, `classes` (names), `first_label` (default 0), `transposed` (columns
//! stored first, as in EMNIST), `masks` (`none`, or `rule` where the ground is black).
//!
//! `[divisions.NAME]`, for images and tables, is one of
//! - *stratified*: `train`, `validation`, `test` are shares that sum to 1 (default 0.8,
//!   0.1, 0.1; tables 0.8, 0, 0.2) and `seed` a number (default 0). Within each class the
//!   rows are shuffled by (seed, class name) and cut; `round(n·share)` rows go to test,
//!   then to validation, the rest to training. What a class gets does not depend on the
//!   other classes.
//! - *lists*: `lists` names a CSV beside the description with the columns `list`, `class`
//!   and `name` (file name with or without its extension; class folder), and `train`,
//!   `validation`, `test` say which lists each is made of. `mask`: a column; where it
//!   holds `0` the image counts as having no mask in this division. Rows in no list are
//!   left out; rows in several splits are a leak, and are told in a note.
//!
//! # What is done to pictures
//!
//! PNG and JPEG, told by content, not by name; at most 50 million pixels. Turned upright
//! as EXIF says. 16 bits a channel are scaled to 8. Palettes are resolved, CMYK is
//! converted to RGB by the decoder without a colour profile, transparent pixels are laid
//! on white. Grey is luma by ITU-R BT.709's weights (0.2126, 0.7152, 0.0722) of the stored
//! values. Resized with a triangle filter whose support grows with the reduction (so that
//! nothing is skipped); masks by the nearest pixel. A mask must have its image's size, or
//! its aspect to within a pixel. A 1×1 picture is enlarged like any other.
//!
//! # Pins
//!
//! A `pin` is the SHA-256 of lines `<SHA-256>  <path in the data folder>\n`, sorted by
//! path, of all files of the class (images and masks): what `sha256sum` prints. For a
//! table, of its one file. A pinned set's content hash is known without reading it.

mod check;
mod content;
mod decode;
mod divide;
mod document;
mod fit;
mod folder;
mod idx;
mod images;
pub(crate) mod pins;
mod settings;
mod table;
pub(crate) mod text;

pub(crate) use content::{content_hash, info, load, verify};
pub(crate) use document::{Description, relative};
pub(crate) use fit::{Colour, Fit, pixels};
pub(crate) use settings::apply;
pub(crate) use table::number;
