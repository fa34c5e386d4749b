//! Fashion-MNIST: found, verified against the official content, read.
//!
//! Digests of the four files' raw content are pinned, so that recompressed or unpacked
//! copies are as good as the official archives, and a mirror or plain HTTP can be
//! trusted no more than needed. Xiao, Rasul, Vollgraf, arXiv:1708.07747.

use std::path::{Path, PathBuf};

use crate::catalogue::{FileReport, SetInfo};
use crate::digest;
use crate::error::{DataError, Result};
use crate::fetch::{self, Remote};
use crate::idx;
use crate::locate::{Locate, Splits};
use crate::photos;
use crate::set::{DataSet, Masks, Origin, Split, Values};

pub(crate) const ID: &str = "fashion-mnist";
pub(crate) const VERSION: u32 = 1;
pub(crate) const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const BASE_URL: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";
const REMEDY: &str = "delete it, then run `xbench data fetch fashion-mnist`";

struct Official {
    name: &'static str,
    /// SHA-256 of the decompressed content: decides what is official.
    raw: &'static str,
    /// The archive as distributed.
    archive: Remote,
}

const TRAIN_IMAGES: Official = Official {
    name: "train-images-idx3-ubyte",
    raw: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    archive: Remote {
        name: "train-images-idx3-ubyte.gz",
        bytes: 26_421_880,
        sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
};
const TRAIN_LABELS: Official = Official {
    name: "train-labels-idx1-ubyte",
    raw: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    archive: Remote {
        name: "train-labels-idx1-ubyte.gz",
        bytes: 29_515,
        sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
};
const TEST_IMAGES: Official = Official {
    name: "t10k-images-idx3-ubyte",
    raw: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    archive: Remote {
        name: "t10k-images-idx3-ubyte.gz",
        bytes: 4_422_102,
        sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
};
const TEST_LABELS: Official = Official {
    name: "t10k-labels-idx1-ubyte",
    raw: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    archive: Remote {
        name: "t10k-labels-idx1-ubyte.gz",
        bytes: 5_148,
        sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
};
const ALL: [&Official; 4] = [&TRAIN_IMAGES, &TRAIN_LABELS, &TEST_IMAGES, &TEST_LABELS];

pub(crate) fn info() -> SetInfo {
    SetInfo {
        id: ID.to_owned(),
        summary:
            "photographs of garments, 28x28 grey on black; masks by rule; photos: garment-photos"
                .to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        features: Vec::new(),
        shape: vec![1, 28, 28],
        table: false,
        train: Some(60_000),
        validation: Some(0),
        test: Some(10_000),
        photos: Some(photos::COUNT),
        licence: "MIT".to_owned(),
        citation: "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017"
            .to_owned(),
        needs_files: true,
        downloadable: true,
    }
}

fn needed(splits: Splits) -> &'static [&'static Official] {
    match splits {
        Splits::All => &ALL,
        Splits::TestOnly => &ALL[2..],
        Splits::PhotosOnly => &[],
    }
}

pub(crate) fn load(locate: &Locate<'_>) -> Result<DataSet> {
    if locate.splits == Splits::PhotosOnly {
        let (photos, origin, notes) = photos::load(locate)?;
        return Ok(DataSet {
            photos,
            content_hash: photos::content_hash(),
            notes,
            ..set(origin, none(), none())
        });
    }
    let (folder, origin) = match find(locate) {
        Some((folder, origin)) => (folder, origin),
        None if locate.download => {
            let folder = download(locate, needed(locate.splits))?;
            (folder.clone(), Origin::Downloaded { folder })
        }
        None => return Err(not_found(locate, "downloading was not allowed")),
    };
    let train = if locate.splits == Splits::All {
        split(&folder, &TRAIN_IMAGES, &TRAIN_LABELS)?
    } else {
        none()
    };
    let test = split(&folder, &TEST_IMAGES, &TEST_LABELS)?;
    Ok(set(origin, train, test))
}

fn set(origin: Origin, train: Split, test: Split) -> DataSet {
    DataSet {
        id: ID.to_owned(),
        version: VERSION,
        classes: CLASSES.map(str::to_owned).to_vec(),
        features: Vec::new(),
        shape: vec![1, 28, 28],
        train,
        validation: none(),
        test,
        photos: photos::none(),
        content_hash: content_hash(Splits::All),
        origin,
        notes: Vec::new(),
    }
}

/// A split without an image.
fn none() -> Split {
    Split {
        shape: vec![1, 28, 28],
        masks: Masks::Rule,
        ..Split::default()
    }
}

pub(crate) fn content_hash(splits: Splits) -> [u8; 32] {
    if splits == Splits::PhotosOnly {
        return photos::content_hash();
    }
    digest::content_hash(ID, VERSION, &ALL.map(|file| file.raw))
}

/// The first folder of the search order with all files needed.
fn find(locate: &Locate<'_>) -> Option<(PathBuf, Origin)> {
    locate.folders(ID).into_iter().find_map(|(place, folder)| {
        let complete = needed(locate.splits)
            .iter()
            .all(|f| existing(&folder, f).is_some());
        complete.then(|| (folder.clone(), Origin::Files { folder, place }))
    })
}

/// The unpacked file, else the archive. A file that cannot be looked at counts as
/// there, so that the reason is told when it is opened.
fn existing(folder: &Path, file: &Official) -> Option<PathBuf> {
    let plain = folder.join(file.name);
    let archive = folder.join(file.archive.name);
    [plain, archive]
        .into_iter()
        .find(|path| path.try_exists().unwrap_or(true))
}

fn not_found(locate: &Locate<'_>, why: &str) -> DataError {
    DataError::NotFound {
        id: ID.to_owned(),
        looked: locate
            .folders(ID)
            .into_iter()
            .map(|(_, folder)| folder)
            .collect(),
        remedy: format!(
            "{why}; with a network run `xbench data fetch fashion-mnist`, without one put the \
             official {} here or point $XBENCH_DATA at the folder above them",
            if locate.splits == Splits::All {
                "four files"
            } else {
                "two t10k files"
            }
        ),
    }
}

fn split(folder: &Path, images: &Official, labels: &Official) -> Result<Split> {
    let missing = |file: &Official| {
        let path = folder.join(file.archive.name);
        DataError::io("open", &path, std::io::ErrorKind::NotFound.into())
    };
    let images_path = existing(folder, images).ok_or_else(|| missing(images))?;
    let labels_path = existing(folder, labels).ok_or_else(|| missing(labels))?;
    let classes = u8::try_from(CLASSES.len()).ok();
    let read_labels = idx::labels(&labels_path, classes, REMEDY)?;
    let read_images = idx::images(&images_path, Some([28, 28]), REMEDY)?;
    let counts = (read_images.count, read_labels.values.len());
    idx::counts((&images_path, counts.0), (&labels_path, counts.1), REMEDY)?;
    official(&labels_path, labels, &read_labels.digest)?;
    official(&images_path, images, &read_images.digest)?;
    Ok(Split {
        values: Values::Pixels(read_images.pixels),
        labels: read_labels.values.into_iter().map(u16::from).collect(),
        ..none()
    })
}

fn official(path: &Path, file: &Official, found: &[u8; 32]) -> Result<()> {
    let found = digest::hex(found);
    if found == file.raw {
        return Ok(());
    }
    Err(DataError::ChecksumMismatch {
        path: path.to_owned(),
        expected: file.raw.to_owned(),
        found,
        remedy: REMEDY.to_owned(),
    })
}

/// Downloads what the cache does not hold intact; gives the folder.
fn download(locate: &Locate<'_>, files: &[&Official]) -> Result<PathBuf> {
    let Some(folder) = locate.cache_folder(ID) else {
        return Err(not_found(locate, "there is no cache folder to download to"));
    };
    let base = locate.base_url.as_deref().unwrap_or(BASE_URL);
    for file in files {
        if !intact(&folder, file) {
            fetch::fetch(base, &file.archive, &folder, locate.progress).map_err(
                |error| match error {
                    DataError::Download { url, reason, .. } => DataError::Download {
                        url,
                        reason,
                        remedy: not_found_remedy(locate),
                    },
                    other => other,
                },
            )?;
        }
    }
    Ok(folder)
}

fn not_found_remedy(locate: &Locate<'_>) -> String {
    let looked: Vec<String> = locate
        .folders(ID)
        .iter()
        .map(|(_, folder)| folder.display().to_string())
        .collect();
    format!(
        "try again with a network, or put the official files in one of the places looked at: {}",
        looked.join(", ")
    )
}

fn intact(folder: &Path, file: &Official) -> bool {
    let Some(path) = existing(folder, file) else {
        return false;
    };
    check(&path, file).is_ok()
}

fn check(path: &Path, file: &Official) -> Result<()> {
    let digest = if file.name.ends_with("idx3-ubyte") {
        idx::images(path, Some([28, 28]), REMEDY)?.digest
    } else {
        idx::labels(path, u8::try_from(CLASSES.len()).ok(), REMEDY)?.digest
    };
    official(path, file, &digest)
}

pub(crate) fn fetch_all(locate: &Locate<'_>) -> Result<PathBuf> {
    download(locate, &ALL)
}

pub(crate) fn verify_all(locate: &Locate<'_>) -> Result<Vec<FileReport>> {
    if locate.splits == Splits::PhotosOnly {
        return Ok(vec![FileReport {
            name: photos::FOLDER.to_owned(),
            path: None,
            outcome: photos::load(locate).map(drop),
        }]);
    }
    let Some((folder, _)) = find(locate) else {
        return Err(not_found(locate, "nothing to verify"));
    };
    let report = |file: &&Official| {
        let path = existing(&folder, file);
        let outcome = match &path {
            Some(path) => check(path, file),
            None => Err(not_found(locate, "the file is gone")),
        };
        FileReport {
            name: file.name.to_owned(),
            path,
            outcome,
        }
    };
    Ok(needed(locate.splits).iter().map(report).collect())
}
