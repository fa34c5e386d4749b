//! A description read from its TOML and checked as far as it can be without the data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::document::{
    Class, Description, Division, Idx, Images, Index, Kind, MaskFiles, Presence, Size, Source,
    Table, TableClass, relative, same_value, too_many,
};
use super::fit::{Colour, Fit};
use crate::error::Result;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Spanned<String>,
    kind: Spanned<KindName>,
    #[serde(default = "one")]
    version: u32,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    licence: String,
    #[serde(default)]
    citation: String,
    #[serde(default)]
    source: String,
    folder: Option<Spanned<String>>,
    sums: Option<Spanned<String>>,
    division: Option<Spanned<String>>,
    #[serde(default)]
    divisions: BTreeMap<String, Spanned<DivisionDocument>>,
    images: Option<Spanned<ImagesDocument>>,
    table: Option<Spanned<Table>>,
    idx: Option<Spanned<Idx>>,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Images,
    Table,
    Idx,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImagesDocument {
    folder: Option<Spanned<String>>,
    #[serde(default)]
    colour: Colour,
    size: Spanned<Size>,
    #[serde(default)]
    fit: Fit,
    extensions: Option<Spanned<Vec<String>>>,
    #[serde(default, rename = "class")]
    classes: Vec<Spanned<ClassDocument>>,
    masks: Option<Spanned<MaskFiles>>,
    index: Option<Spanned<Index>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassDocument {
    folder: String,
    name: Option<String>,
    images: Option<usize>,
    pin: Option<String>,
    masks: Option<Presence>,
    #[serde(default = "yes")]
    default: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DivisionDocument {
    seed: Option<u64>,
    lists: Option<String>,
    mask: Option<String>,
    train: Option<Part>,
    validation: Option<Part>,
    test: Option<Part>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a share, as in 0.8, or a list of names, as in [\"val\"]"
)]
enum Part {
    Share(f64),
    Lists(Vec<String>),
}

impl Description {
    /// Checks what its file says.
    pub(super) fn check(source: Source) -> Result<Self> {
        let document: Document = toml::from_str(&source.text).map_err(|error| {
            source.refuse(
                error.span(),
                error.message().trim(),
                "compare it with core/data/examples/birds.toml, which shows every key",
            )
        })?;
        let name = document.name.get_ref();
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.len() <= 64
            && name.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
            });
        if !valid {
            return Err(source.refuse(
                Some(document.name.span()),
                format!("name: \"{name}\" cannot name a set"),
                "use lower-case letters, digits, '-', '_' and '.', starting with a letter or digit",
            ));
        }
        let path = |field: &str, path: &Spanned<String>| {
            relative(path.get_ref()).map_err(|reason| {
                source.refuse(
                    Some(path.span()),
                    format!("{field}: {reason}"),
                    "name a place within the data folder",
                )
            })
        };
        let folder = match &document.folder {
            Some(folder) => path("folder", folder)?,
            None => PathBuf::new(),
        };
        if let Some(sums) = &document.sums {
            path("sums", sums)?;
        }
        let kind_name = *document.kind.get_ref();
        let sections = [
            (KindName::Images, "images", document.images.is_some()),
            (KindName::Table, "table", document.table.is_some()),
            (KindName::Idx, "idx", document.idx.is_some()),
        ];
        for (section, text, there) in sections {
            if there != (section == kind_name) {
                let reason = if there {
                    format!("there is a section [{text}], but the kind is another")
                } else {
                    format!("the section [{text}] is missing")
                };
                let remedy = "give the one section that the kind names";
                return Err(source.refuse(Some(document.kind.span()), reason, remedy));
            }
        }
        let kind = match (document.images, document.table, document.idx) {
            (Some(images), ..) => Kind::Images(source.images(images)?),
            (_, Some(table), _) => Kind::Table(source.table(table)?),
            (.., Some(idx)) => Kind::Idx(source.idx(idx)?),
            (None, None, None) => {
                return Err(source.refuse(None, "there is no section", "add one"));
            }
        };
        let mut divisions = BTreeMap::new();
        for (name, division) in document.divisions {
            let checked = source.division(&name, division, &kind)?;
            divisions.insert(name, checked);
        }
        if divisions.is_empty() {
            let shares = default_shares(&kind);
            divisions.insert(
                "stratified".to_owned(),
                Division::Stratified { shares, seed: 0 },
            );
        }
        let division = match document.division {
            Some(name) if divisions.contains_key(name.get_ref()) => name.into_inner(),
            Some(name) => {
                return Err(source.refuse(
                    Some(name.span()),
                    format!("division: there is no [divisions.{}]", name.get_ref()),
                    "add it, or name another",
                ));
            }
            None => divisions.keys().next().cloned().unwrap_or_default(),
        };
        Ok(Self {
            name: document.name.into_inner(),
            version: document.version,
            summary: document.summary,
            licence: document.licence,
            citation: document.citation,
            comes_from: document.source,
            folder,
            sums: document.sums.map(Spanned::into_inner),
            kind,
            division,
            divisions,
            source,
        })
    }
}

/// Shares of train, validation and test where none are named.
fn default_shares(kind: &Kind) -> [f64; 3] {
    match kind {
        Kind::Table(_) => [0.8, 0.0, 0.2],
        Kind::Images(_) | Kind::Idx(_) => [0.8, 0.1, 0.1],
    }
}

impl Source {
    fn images(&self, images: Spanned<ImagesDocument>) -> Result<Images> {
        let at = images.span();
        let images = images.into_inner();
        let inside = |span: Range<usize>, field: &str, path: &str| {
            relative(path).map_err(|reason| {
                let remedy = "name a place within the data folder";
                self.refuse(Some(span), format!("{field}: {reason}"), remedy)
            })
        };
        let folder = match &images.folder {
            Some(folder) => inside(folder.span(), "images.folder", folder.get_ref())?,
            None => PathBuf::new(),
        };
        let size = images.size.get_ref().sides().map_err(|reason| {
            self.refuse(
                Some(images.size.span()),
                format!("images.size: {reason}"),
                "give a side such as 64",
            )
        })?;
        let extensions = match images.extensions {
            Some(extensions) if extensions.get_ref().is_empty() => {
                return Err(self.refuse(
                    Some(extensions.span()),
                    "images.extensions: there are none",
                    "name one, or leave it out",
                ));
            }
            Some(extensions) => extensions
                .into_inner()
                .iter()
                .map(|extension| extension.trim_start_matches('.').to_ascii_lowercase())
                .collect(),
            None => ["png", "jpg", "jpeg"].map(str::to_owned).to_vec(),
        };
        if let Some(masks) = &images.masks {
            let span = masks.span();
            match (&masks.get_ref().suffix, &masks.get_ref().folder) {
                (Some(suffix), None) if !suffix.is_empty() && !suffix.contains('/') => {}
                (None, Some(folder)) => drop(inside(span, "images.masks.folder", folder)?),
                _ => {
                    return Err(self.refuse(
                        Some(span),
                        "images.masks: neither or both of suffix and folder are given",
                        "give one: a suffix such as \"_mask\", or a folder",
                    ));
                }
            }
        }
        if let Some(index) = &images.index {
            inside(index.span(), "images.index.file", &index.get_ref().file)?;
            if images.classes.is_empty() {
                let remedy = "list the classes in [[images.class]]";
                return Err(self.refuse(
                    Some(index.span()),
                    "images.index: there are no classes",
                    remedy,
                ));
            }
        }
        let mut classes: Vec<Class> = Vec::with_capacity(images.classes.len());
        for class in images.classes {
            let span = class.span();
            let class = class.into_inner();
            if images.index.is_none() {
                inside(span.clone(), "images.class.folder", &class.folder)?;
            }
            let checked = Class {
                name: class.name.unwrap_or_else(|| class.folder.clone()),
                images: class.images,
                pin: class.pin,
                masks: if images.masks.is_some() {
                    class.masks.unwrap_or_default()
                } else {
                    Presence::None
                },
                default: class.default,
                folder: class.folder,
            };
            if classes
                .iter()
                .any(|other| other.folder == checked.folder || other.name == checked.name)
            {
                return Err(self.refuse(
                    Some(span),
                    format!("images.class: \"{}\" stands here twice", checked.name),
                    "give each class one entry, with a name of its own",
                ));
            }
            classes.push(checked);
        }
        self.limit(at, classes.len())?;
        Ok(Images {
            folder,
            colour: images.colour,
            size,
            fit: images.fit,
            extensions,
            classes,
            masks: images.masks.map(Spanned::into_inner),
            index: images.index.map(Spanned::into_inner),
        })
    }

    fn table(&self, table: Spanned<Table>) -> Result<Table> {
        let at = table.span();
        let table = table.into_inner();
        let wrong = |reason: String, remedy: &str| self.refuse(Some(at.clone()), reason, remedy);
        relative(&table.file).map_err(|reason| {
            wrong(
                format!("table.file: {reason}"),
                "name a file within the data folder",
            )
        })?;
        if !table.separator.is_ascii() || table.separator == '"' {
            return Err(wrong(
                "table.separator: not a plain character".to_owned(),
                "use ',', ';' or a tab",
            ));
        }
        for (i, class) in table.classes.iter().enumerate() {
            let same = |other: &TableClass| {
                other.name == class.name || same_value(&other.value, &class.value)
            };
            if table.classes[..i].iter().any(same) {
                return Err(wrong(
                    format!("table.class: \"{}\" stands here twice", class.name),
                    "give each class one entry, with a name and a value of its own",
                ));
            }
        }
        self.limit(at.clone(), table.classes.len())?;
        Ok(table)
    }

    fn idx(&self, idx: Spanned<Idx>) -> Result<Idx> {
        let at = idx.span();
        let idx = idx.into_inner();
        for path in [
            &idx.train_images,
            &idx.train_labels,
            &idx.test_images,
            &idx.test_labels,
        ] {
            relative(path).map_err(|reason| {
                let remedy = "name a file within the data folder";
                self.refuse(Some(at.clone()), format!("idx: {reason}"), remedy)
            })?;
        }
        if idx.classes.is_empty() || idx.classes.len() + usize::from(idx.first_label) > 256 {
            return Err(self.refuse(
                Some(at),
                format!("idx.classes: {} names do not fit", idx.classes.len()),
                "give one name per class; labels are bytes",
            ));
        }
        Ok(idx)
    }

    /// Labels are 16 bits.
    fn limit(&self, at: Range<usize>, classes: usize) -> Result<()> {
        too_many(classes).map_err(|reason| self.refuse(Some(at), reason, "use fewer classes"))
    }

    fn division(
        &self,
        name: &str,
        division: Spanned<DivisionDocument>,
        kind: &Kind,
    ) -> Result<Division> {
        let at = division.span();
        let division = division.into_inner();
        let wrong = |reason: &str, remedy: &str| {
            let reason = format!("divisions.{name}: {reason}");
            self.refuse(Some(at.clone()), reason, remedy)
        };
        if matches!(kind, Kind::Idx(_)) {
            return Err(wrong("IDX files are divided already", "leave it out"));
        }
        let parts = [division.train, division.validation, division.test];
        if let Some(file) = division.lists {
            if matches!(kind, Kind::Table(_)) {
                return Err(wrong("lists are for images", "divide a table by shares"));
            }
            relative(&file).map_err(|reason| wrong(&reason, "name a file beside it"))?;
            let mut lists: [Vec<String>; 3] = Default::default();
            for (list, part) in lists.iter_mut().zip(parts) {
                match part {
                    None => {}
                    Some(Part::Lists(names)) => *list = names,
                    Some(Part::Share(_)) => {
                        return Err(wrong(
                            "a share stands where lists are in use",
                            "name lists, as in train = [\"train\"]",
                        ));
                    }
                }
            }
            if lists.iter().all(Vec::is_empty) {
                return Err(wrong("no list is named", "name lists for train and test"));
            }
            return Ok(Division::Lists {
                file,
                parts: lists,
                mask: division.mask,
            });
        }
        if division.mask.is_some() {
            return Err(wrong(
                "mask is a column of lists, and there are none",
                "leave it out",
            ));
        }
        let mut shares = default_shares(kind);
        if parts.iter().any(Option::is_some) {
            for (share, part) in shares.iter_mut().zip(parts) {
                *share = match part {
                    None => 0.0,
                    Some(Part::Share(share)) => share,
                    Some(Part::Lists(_)) => {
                        return Err(wrong(
                            "lists are named, but not the file they stand in",
                            "add lists = \"splits.csv\"",
                        ));
                    }
                };
            }
        }
        let valid = shares.iter().all(|share| (0.0..=1.0).contains(share))
            && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if !valid {
            return Err(wrong(
                &format!("the shares {shares:?} do not sum to 1"),
                "give train, validation and test shares that sum to 1",
            ));
        }
        Ok(Division::Stratified {
            shares,
            seed: division.seed.unwrap_or(0),
        })
    }
}
