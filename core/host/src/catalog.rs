//! Which plugins there are.
//!
//! Every library is scanned in a worker process and compared with its manifest field by field. A
//! folder that is refused becomes a [`Problem`] and never stops the others.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::discover::{SearchPath, plugin_folders};
use crate::info::PluginInfo;
use crate::manifest::{Kind, MANIFEST_FILE, Manifest, ManifestPlugin};
use crate::scan::ScannedPlugin;
use crate::schema::{self, nearest};

/// Why a folder or a plugin in it is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The folder of the search path or of the plugin.
    pub folder: PathBuf,
    /// The kind of problem.
    pub kind: ProblemKind,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// The kind of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// A folder that somebody named cannot be read.
    Unreadable,
    /// The plugin folder was refused as a whole.
    Refused,
    /// An earlier folder has a plugin of the same id; this one is not used.
    Shadowed,
}

/// No plugin, or more than one, goes by a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No plugin of the kind has this id or short name.
    #[error("there is no {kind} {name:?}{}", did_you_mean(suggestion.as_deref(), known))]
    Unknown {
        /// The kind that was asked for.
        kind: Kind,
        /// The name that was asked for.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<String>,
        /// Short names of all plugins of the kind.
        known: Vec<String>,
    },
    /// Several plugins of the kind have this short name.
    #[error("{name:?} could be any of the {kind}s {}; write the whole id", ids.join(", "))]
    Ambiguous {
        /// The kind that was asked for.
        kind: Kind,
        /// The name that was asked for.
        name: String,
        /// The ids it could mean.
        ids: Vec<String>,
    },
}

fn did_you_mean(suggestion: Option<&str>, known: &[String]) -> String {
    match suggestion {
        Some(name) => format!("; did you mean {name}?"),
        None if known.is_empty() => "; no plugin of that kind was found".to_owned(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// All plugins along a search path.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    plugins: Vec<PluginInfo>,
    problems: Vec<Problem>,
}

impl Catalog {
    /// Finds the plugins along `search`; `scan` reads a library's descriptors, in a worker process
    /// (see [`Scanner`](crate::Scanner)).
    pub fn discover(
        search: &SearchPath,
        scan: &mut dyn FnMut(&Path) -> Result<Vec<ScannedPlugin>, String>,
    ) -> Self {
        let mut catalog = Self::default();
        let mut seen: Vec<PathBuf> = Vec::new();
        for (origin, entry) in search.entries() {
            let folders = match plugin_folders(entry) {
                Ok(folders) => folders,
                Err(error) => {
                    if origin.is_explicit() {
                        let message = format!("{} names it, but: {error}", origin.describe());
                        catalog.report(entry, ProblemKind::Unreadable, message);
                    }
                    continue;
                }
            };
            for folder in folders {
                // The same folder by two ways is not a plugin that shadows itself.
                let identity = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                if seen.contains(&identity) {
                    continue;
                }
                seen.push(identity);
                match read_folder(&folder, scan) {
                    Ok(plugins) => plugins.into_iter().for_each(|plugin| catalog.add(plugin)),
                    Err(message) => catalog.report(&folder, ProblemKind::Refused, message),
                }
            }
        }
        catalog
    }

    fn add(&mut self, plugin: PluginInfo) {
        match self.plugins.iter().find(|earlier| earlier.id == plugin.id) {
            Some(earlier) => {
                let message = format!(
                    "{} is already had from {}",
                    plugin.id,
                    earlier.folder.display()
                );
                self.report(&plugin.folder, ProblemKind::Shadowed, message);
            }
            None => self.plugins.push(plugin),
        }
    }

    fn report(&mut self, folder: &Path, kind: ProblemKind, message: String) {
        self.problems.push(Problem {
            folder: folder.to_owned(),
            kind,
            message,
        });
    }

    /// The plugins in the order in which they were found.
    #[must_use]
    pub fn plugins(&self) -> &[PluginInfo] {
        &self.plugins
    }

    /// What was refused or shadowed, and why.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The plugin of `kind` with the id or short name `name`.
    ///
    /// # Errors
    ///
    /// [`LookupError`] when there is none or a short name is ambiguous.
    pub fn find(&self, kind: Kind, name: &str) -> Result<&PluginInfo, LookupError> {
        let of_kind = || {
            self.plugins
                .iter()
                .filter(move |plugin| plugin.kind == kind)
        };
        if let Some(plugin) = of_kind().find(|plugin| plugin.id == name) {
            return Ok(plugin);
        }
        let matches: Vec<&PluginInfo> = of_kind().filter(|plugin| plugin.short == name).collect();
        match matches.as_slice() {
            [one] => Ok(one),
            [] => {
                let mut known: Vec<String> = of_kind().map(|plugin| plugin.short.clone()).collect();
                known.sort();
                known.dedup();
                let names =
                    of_kind().flat_map(|plugin| [plugin.short.as_str(), plugin.id.as_str()]);
                let suggestion = nearest(name, names);
                Err(LookupError::Unknown {
                    kind,
                    name: name.to_owned(),
                    suggestion,
                    known,
                })
            }
            several => Err(LookupError::Ambiguous {
                kind,
                name: name.to_owned(),
                ids: several.iter().map(|plugin| plugin.id.clone()).collect(),
            }),
        }
    }
}

/// Everything in one plugin folder, or why it is refused as a whole.
fn read_folder(
    folder: &Path,
    scan: &mut dyn FnMut(&Path) -> Result<Vec<ScannedPlugin>, String>,
) -> Result<Vec<PluginInfo>, String> {
    let manifest =
        Manifest::read(&folder.join(MANIFEST_FILE)).map_err(|e| format!("{MANIFEST_FILE}: {e}"))?;
    let file = manifest.library_file();
    // Absolute, since the worker that loads it may run elsewhere.
    let library =
        std::path::absolute(folder.join(&file)).map_err(|error| format!("{file}: {error}"))?;
    let library_sha256 = sha256_of(&library)
        .map_err(|error| format!("{file}, which the manifest names, cannot be read: {error}"))?;
    let scanned = scan(&library).map_err(|error| format!("{file}: {error}"))?;

    if let Some(extra) = scanned
        .iter()
        .find(|found| manifest.plugins.iter().all(|listed| listed.id != found.id))
    {
        return Err(format!(
            "{file} holds {}, which the manifest does not list",
            extra.id
        ));
    }
    let mut plugins = Vec::with_capacity(manifest.plugins.len());
    for listed in manifest.plugins {
        let found = scanned
            .iter()
            .find(|found| found.id == listed.id)
            .ok_or_else(|| format!("{file} holds no {}, which the manifest lists", listed.id))?;
        compare(&listed, found).map_err(|error| format!("{}: {error}", listed.id))?;
        schema::check_schema(&found.params_schema)
            .map_err(|error| format!("{}: {error}", listed.id))?;
        plugins.push(PluginInfo {
            short: listed
                .id
                .rsplit('.')
                .next()
                .unwrap_or(&listed.id)
                .to_owned(),
            id: listed.id,
            name: found.name.clone(),
            version: listed.version,
            license: found.license.clone(),
            citation: found.citation.clone(),
            summary: found.summary.clone(),
            kind: listed.kind,
            flags: found.flags,
            max_batch: found.max_batch,
            provides: sorted(&found.provides),
            requires_model: sorted(&found.requires_model),
            presets: listed.presets,
            params_schema: found.params_schema.clone(),
            library: library.clone(),
            library_sha256: library_sha256.clone(),
            folder: folder.to_owned(),
        });
    }
    Ok(plugins)
}

/// The manifest must say what the library says.
fn compare(listed: &ManifestPlugin, found: &ScannedPlugin) -> Result<(), String> {
    let differs = |field: &str, manifest: String, library: String| {
        Err(format!(
            "{field}: the manifest says {manifest}, the library {library}"
        ))
    };
    if listed.kind != found.kind {
        return differs("kind", listed.kind.to_string(), found.kind.to_string());
    }
    if listed.version != found.version {
        return differs("version", listed.version.clone(), found.version.clone());
    }
    if listed.control != found.flags.control {
        let (manifest, library) = (listed.control.to_string(), found.flags.control.to_string());
        return differs("control", manifest, library);
    }
    for (field, manifest, library) in [
        ("provides", &listed.provides, &found.provides),
        (
            "requires_model",
            &listed.requires_model,
            &found.requires_model,
        ),
    ] {
        let (manifest, library) = (sorted(manifest), sorted(library));
        if manifest != library {
            return differs(field, format!("{manifest:?}"), format!("{library:?}"));
        }
    }
    Ok(())
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

/// SHA-256 of a file's bytes in lower-case hexadecimal.
fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            count => hasher.update(&chunk[..count]),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::info::PluginFlags;

    fn scanned(id: &str, kind: Kind) -> ScannedPlugin {
        ScannedPlugin {
            id: id.to_owned(),
            name: "A name".to_owned(),
            version: "0.1.0".to_owned(),
            license: "MIT".to_owned(),
            citation: String::new(),
            summary: String::new(),
            kind,
            flags: PluginFlags::default(),
            max_batch: 0,
            provides: vec![
                match kind {
                    Kind::Model => "xbench.model.predict/1",
                    Kind::Explainer => "xbench.explainer.explain/1",
                }
                .to_owned(),
            ],
            requires_model: Vec::new(),
            params_schema: json!({"type": "object"}),
        }
    }

    fn folder(root: &Path, name: &str, plugins: &[(&str, Kind)]) {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut text = "abi = 1\nlibrary = \"lib\"\n".to_owned();
        for (id, kind) in plugins {
            let provides = scanned(id, *kind).provides;
            text += &format!(
                "[[plugin]]\nid = {id:?}\nversion = \"0.1.0\"\nkind = \"{kind}\"\nprovides = {provides:?}\n"
            );
        }
        std::fs::write(folder.join(MANIFEST_FILE), text).unwrap();
        let library = Manifest::read(&folder.join(MANIFEST_FILE))
            .unwrap()
            .library_file();
        std::fs::write(folder.join(library), "abc").unwrap();
    }

    #[test]
    fn earlier_folders_win_and_names_are_looked_up() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        let (first, second) = ("org.one.gradcam", "org.two.gradcam");
        folder(
            &a,
            "x",
            &[(first, Kind::Explainer), ("org.one.lenet", Kind::Model)],
        );
        folder(
            &b,
            "y",
            &[(first, Kind::Explainer), (second, Kind::Explainer)],
        );
        std::fs::create_dir_all(b.join("broken")).unwrap();
        std::fs::write(
            b.join("broken").join(MANIFEST_FILE),
            "abi = 7\nlibrary = \"x\"",
        )
        .unwrap();
        let mut search = SearchPath::new();
        for folder in [a.clone(), b.clone(), a.join("x"), root.path().join("none")] {
            search.push(crate::Origin::Flag, folder);
        }
        let catalog = Catalog::discover(&search, &mut |library| {
            Ok(if library.starts_with(&a) {
                vec![
                    scanned(first, Kind::Explainer),
                    scanned("org.one.lenet", Kind::Model),
                ]
            } else {
                vec![
                    scanned(first, Kind::Explainer),
                    scanned(second, Kind::Explainer),
                ]
            })
        });
        let ids: Vec<&str> = catalog
            .plugins()
            .iter()
            .map(|plugin| plugin.id.as_str())
            .collect();
        assert_eq!(ids, [first, "org.one.lenet", second]);
        let kinds: Vec<ProblemKind> = catalog.problems().iter().map(|p| p.kind).collect();
        assert_eq!(
            kinds,
            [
                ProblemKind::Refused,
                ProblemKind::Shadowed,
                ProblemKind::Unreadable
            ],
            "{:?}",
            catalog.problems()
        );
        // SHA-256 of "abc", from FIPS 180-4.
        assert_eq!(
            catalog.plugins()[0].library_sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );

        assert_eq!(
            catalog.find(Kind::Model, "lenet").unwrap().id,
            "org.one.lenet"
        );
        assert_eq!(catalog.find(Kind::Explainer, second).unwrap().id, second);
        let ambiguous = catalog.find(Kind::Explainer, "gradcam").unwrap_err();
        assert!(
            ambiguous.to_string().contains("write the whole id"),
            "{ambiguous}"
        );
        let unknown = catalog.find(Kind::Model, "lenett").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no model \"lenett\"; did you mean lenet?"
        );
        let far = catalog.find(Kind::Model, "resnet-50").unwrap_err();
        assert_eq!(
            far.to_string(),
            "there is no model \"resnet-50\"; there are lenet"
        );
    }

    #[test]
    fn each_difference_is_named() {
        let listed = ManifestPlugin {
            id: "org.x.e".to_owned(),
            version: "0.1.0".to_owned(),
            kind: Kind::Explainer,
            provides: vec!["xbench.explainer.explain/1".to_owned()],
            requires_model: Vec::new(),
            control: false,
            presets: Vec::new(),
        };
        let honest = scanned("org.x.e", Kind::Explainer);
        compare(&listed, &honest).unwrap();
        let needs = vec!["xbench.model.vjp/1".to_owned()];
        for (field, lie) in [
            (
                "kind",
                ManifestPlugin {
                    kind: Kind::Model,
                    ..listed.clone()
                },
            ),
            (
                "version",
                ManifestPlugin {
                    version: "0.1.1".to_owned(),
                    ..listed.clone()
                },
            ),
            (
                "control",
                ManifestPlugin {
                    control: true,
                    ..listed.clone()
                },
            ),
            (
                "provides",
                ManifestPlugin {
                    provides: needs.clone(),
                    ..listed.clone()
                },
            ),
            (
                "requires_model",
                ManifestPlugin {
                    requires_model: needs,
                    ..listed.clone()
                },
            ),
        ] {
            assert!(
                compare(&lie, &honest).unwrap_err().starts_with(field),
                "{field}"
            );
        }
    }
}
