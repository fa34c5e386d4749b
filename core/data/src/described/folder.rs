//! The image files of a set: which there are, of which class, with which masks.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::document::{Class, Images, Index, MaskFiles, Presence, relative};
use super::text::{self, Csv, MAX_CSV};
use crate::error::{DataError, Result};

/// An image file with its masks.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) class: u16,
    /// File name without its extension.
    pub(crate) stem: String,
    /// Path in the data folder, `/` between its parts.
    pub(crate) path: String,
    /// Paths of its masks in the data folder; their union counts.
    pub(crate) masks: Vec<String>,
}

/// What lies in the folder.
pub(crate) struct Listing {
    pub(crate) classes: Vec<Class>,
    /// Class by class, in the order of the bytes of their names.
    pub(crate) items: Vec<Item>,
    pub(crate) notes: Vec<String>,
}

/// Lists the files of the classes in use.
pub(crate) fn list(spec: &Images, folder: &Path) -> Result<Listing> {
    let mut listing = Listing {
        classes: spec.classes.clone(),
        items: Vec::new(),
        notes: Vec::new(),
    };
    if listing.classes.is_empty() {
        listing.classes = sub_folders(spec, &folder.join(&spec.folder))?;
    }
    super::document::too_many(listing.classes.len())
        .map_err(|reason| DataError::files(folder, reason, "use fewer classes"))?;
    match &spec.index {
        Some(index) => from_index(spec, index, folder, &mut listing)?,
        None => from_folders(spec, folder, &mut listing)?,
    }
    for (number, class) in listing.classes.iter().enumerate() {
        let of_class = |item: &&Item| usize::from(item.class) == number;
        let found = listing.items.iter().filter(of_class).count();
        let place = folder.join(&spec.folder).join(&class.folder);
        if found == 0 {
            let reason = format!(
                "the class \"{}\" has no image (.{})",
                class.name,
                spec.extensions.join(", .")
            );
            return Err(DataError::files(
                &place,
                reason,
                "put its images there (not in folders below), or take the class out",
            ));
        }
        if let Some(images) = class.images.filter(|&images| images != found) {
            let reason = format!(
                "the class \"{}\" has {found} images, {images} are expected",
                class.name
            );
            return Err(DataError::files(
                &place,
                reason,
                "restore the distribution's files",
            ));
        }
        if class.masks == Presence::All
            && let Some(item) = listing
                .items
                .iter()
                .filter(of_class)
                .find(|item| item.masks.is_empty())
        {
            return Err(DataError::files(
                &folder.join(&item.path),
                "it has no mask",
                "add the mask, or say masks = \"some\" of the class",
            ));
        }
    }
    Ok(listing)
}

/// Names in a folder, sorted by their bytes; hidden ones are left out.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|e| DataError::io("list", folder, e))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| DataError::io("list", folder, e))?;
        let name = entry.file_name().into_string().map_err(|name| {
            let path = folder.join(name);
            DataError::files(&path, "its name is not UTF-8", "give it another name")
        })?;
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn sub_folders(spec: &Images, folder: &Path) -> Result<Vec<Class>> {
    let masks = spec.masks.as_ref().and_then(|masks| masks.folder.as_ref());
    let mut classes = Vec::new();
    for name in names(folder)? {
        if folder.join(&name).is_dir() && masks.is_none_or(|masks| *masks != name) {
            classes.push(Class {
                folder: name.clone(),
                name,
                images: None,
                pin: None,
                masks: if spec.masks.is_some() {
                    Presence::All
                } else {
                    Presence::None
                },
                default: true,
            });
        }
    }
    if classes.is_empty() {
        return Err(DataError::files(
            folder,
            "it has no sub-folder, so there is no class",
            "put the images of each class into a folder of its own",
        ));
    }
    Ok(classes)
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

/// Name without extension, when the extension is one of those.
fn stem<'n>(name: &'n str, extensions: &[String]) -> Option<&'n str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    extensions.contains(&extension).then_some(stem)
}

/// The stem of the image whose mask has this stem: `a_mask`, `a_mask_1` give `a`.
fn masked<'n>(stem: &'n str, suffix: &str) -> Option<&'n str> {
    if let Some(image) = stem.strip_suffix(suffix) {
        return Some(image);
    }
    let (rest, number) = stem.rsplit_once('_')?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    rest.strip_suffix(suffix).filter(|_| digits)
}

/// Image files of a folder by stem.
fn by_stem(
    folder: &Path,
    extensions: &[String],
    other: &mut usize,
) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in names(folder)? {
        let Some(stem) = stem(&name, extensions) else {
            *other += 1;
            continue;
        };
        if let Some(first) = found.insert(stem.to_owned(), name.clone()) {
            return Err(DataError::files(
                &folder.join(&name),
                format!("{first} has the same name without its extension"),
                "give one of the two another name",
            ));
        }
    }
    Ok(found)
}

fn from_folders(spec: &Images, folder: &Path, listing: &mut Listing) -> Result<()> {
    let mut other = 0;
    let mut orphans = 0;
    for (number, class) in listing.classes.iter().enumerate() {
        let inside = |root: &Path| {
            relative(&class.folder)
                .map(|class| root.join(class))
                .map_err(|reason| DataError::files(folder, reason, "name a folder within it"))
        };
        let own = inside(&spec.folder)?;
        let mut images = by_stem(&folder.join(&own), &spec.extensions, &mut other)?;
        let mut masks = masks_of(spec, class, folder, &own, &inside, &mut images)?;
        for (stem, file) in images {
            listing.items.push(Item {
                class: number as u16,
                path: slashed(&own.join(file)),
                masks: masks.remove(&stem).unwrap_or_default(),
                stem,
            });
        }
        orphans += masks.values().map(Vec::len).sum::<usize>();
    }
    let notes = [
        (other, "files with other extensions were left out"),
        (orphans, "masks belong to no image and were left out"),
    ];
    for (count, what) in notes {
        if count > 0 {
            listing.notes.push(format!("{count} {what}"));
        }
    }
    Ok(())
}

/// Mask files by the stem of their image; taken out of `images` where they lie among them.
fn masks_of(
    spec: &Images,
    class: &Class,
    folder: &Path,
    own: &Path,
    inside: &dyn Fn(&Path) -> Result<PathBuf>,
    images: &mut BTreeMap<String, String>,
) -> Result<HashMap<String, Vec<String>>> {
    let mut masks: HashMap<String, Vec<String>> = HashMap::new();
    match &spec.masks {
        Some(MaskFiles {
            suffix: Some(suffix),
            ..
        }) => {
            let all: Vec<String> = images.keys().cloned().collect();
            for stem in all {
                if let Some(image) = masked(&stem, suffix)
                    && let Some(file) = images.remove(&stem)
                {
                    let path = slashed(&own.join(file));
                    masks.entry(image.to_owned()).or_default().push(path);
                }
            }
        }
        Some(MaskFiles {
            folder: Some(parallel),
            ..
        }) => {
            let parallel = inside(Path::new(parallel))?;
            let place = folder.join(&parallel);
            if class.masks == Presence::All || place.is_dir() {
                for (stem, file) in by_stem(&place, &spec.extensions, &mut 0)? {
                    masks.insert(stem, vec![slashed(&parallel.join(file))]);
                }
            }
        }
        _ => {}
    }
    if class.masks == Presence::None {
        masks.clear();
    }
    Ok(masks)
}

fn from_index(spec: &Images, index: &Index, folder: &Path, listing: &mut Listing) -> Result<()> {
    let path = folder.join(&index.file);
    let csv = Csv::parse(&path, &text::read(&path, MAX_CSV)?, b',')?;
    let (path_column, class_column) = (csv.column(&index.path)?, csv.column(&index.class)?);
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut without = 0;
    for (line, row) in &csv.rows {
        let refuse = |column: &str, reason: String, remedy: &str| {
            DataError::table(&path, *line, column, reason, remedy)
        };
        let (file, class) = (&row[path_column], &row[class_column]);
        let inside = relative(file)
            .map_err(|reason| refuse(&index.path, reason, "name a file within the folder"))?;
        if class.is_empty() {
            without += 1;
            continue;
        }
        let Some(number) = listing.classes.iter().position(|c| c.folder == class) else {
            // A class that exists but is not in use.
            if spec.classes.iter().any(|c| c.folder == class) {
                continue;
            }
            let reason = format!("there is no class \"{class}\"");
            return Err(refuse(
                &index.class,
                reason,
                "add the class to the description",
            ));
        };
        let relative_path = slashed(&spec.folder.join(&inside));
        if let Some(first) = seen.insert(relative_path.clone(), *line) {
            let reason = format!("\"{file}\" stands in line {first} too");
            return Err(refuse(&index.path, reason, "list each file once"));
        }
        let name = inside
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        listing.items.push(Item {
            class: number as u16,
            stem: stem.to_owned(),
            masks: index_masks(spec, folder, &inside)?,
            path: relative_path,
        });
    }
    listing
        .items
        .sort_by(|a, b| (a.class, &a.path).cmp(&(b.class, &b.path)));
    if without > 0 {
        let note = format!(
            "{without} images without a class in {} were left out",
            index.file
        );
        listing.notes.push(note);
    }
    Ok(())
}

/// Masks of an image that an index lists: beside it, or in the parallel folder.
fn index_masks(spec: &Images, folder: &Path, image: &Path) -> Result<Vec<String>> {
    let Some(masks) = &spec.masks else {
        return Ok(Vec::new());
    };
    let stem = image.file_stem().unwrap_or_default().to_string_lossy();
    let suffix = masks.suffix.as_deref().unwrap_or_default();
    let root = match &masks.folder {
        Some(parallel) => relative(parallel)
            .map_err(|reason| DataError::files(folder, reason, "name a folder within it"))?,
        None => spec.folder.clone(),
    };
    let candidates = spec.extensions.iter().map(|extension| {
        let name = format!("{stem}{suffix}.{extension}");
        root.join(image.with_file_name(name))
    });
    Ok(candidates
        .filter(|path| folder.join(path).exists())
        .map(|path| slashed(&path))
        .take(1)
        .collect())
}
