//! Where the files of a set are looked for, and in which order.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::set::Place;

/// Which splits to load. What is not loaded is left empty, and its files need not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Splits {
    /// Training, validation and test split. Not the photographs: they lie in files of
    /// their own, whose absence keeps nobody from training.
    #[default]
    All,
    /// The test split. The content hash of the set is that of [`Splits::All`].
    TestOnly,
    /// The out-of-sample photographs; an error for a set that has none.
    PhotosOnly,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name of the file.
    pub file: String,
    /// Bytes received so far.
    pub done: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

/// Where to look for a set's files: [`root`](Self::root),
/// [`environment`](Self::environment), [`local`](Self::local),
/// [`cache`](Self::cache), in this order; then, if allowed, download into the cache.
///
/// The environment is read once, by [`Locate::from_environment`], so that a search
/// depends on nothing but this value.
#[derive(Clone)]
pub struct Locate<'a> {
    /// Folder named by the user (a suite's `root`): holds `<set id>/` or the files
    /// themselves.
    pub root: Option<&'a Path>,
    /// Folder from `$XBENCH_DATA`, holding `<set id>/`.
    pub environment: Option<PathBuf>,
    /// `./data`, holding `<set id>/`.
    pub local: Option<PathBuf>,
    /// The user's cache, holding `data/<set id>/`; downloads go here.
    pub cache: Option<PathBuf>,
    /// Whether to download what was found nowhere.
    pub download: bool,
    /// Another address to download from, for mirrors; files are verified all the same.
    pub base_url: Option<String>,
    /// Which splits to load.
    pub splits: Splits,
    /// Told about downloads while they run.
    pub progress: &'a dyn Fn(Progress),
}

impl<'a> Locate<'a> {
    /// The search order of the program: `$XBENCH_DATA`, `./data`, the cache
    /// (`$XBENCH_CACHE`, else the user's cache folder), then download.
    pub fn from_environment() -> Self {
        let folder = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            environment: folder("XBENCH_DATA"),
            local: Some(PathBuf::from("data")),
            cache: folder("XBENCH_CACHE").or_else(|| Some(dirs::cache_dir()?.join("xbench"))),
            download: true,
            ..Self::offline()
        }
    }

    /// Looks nowhere and downloads nothing: enough for generated sets, and a start for
    /// callers that name each place themselves.
    pub fn offline() -> Self {
        Self {
            root: None,
            environment: None,
            local: None,
            cache: None,
            download: false,
            base_url: None,
            splits: Splits::All,
            progress: &|_| {},
        }
    }

    /// Looks in `root` first.
    #[must_use]
    pub fn with_root(mut self, root: &'a Path) -> Self {
        self.root = Some(root);
        self
    }

    /// The folders that may hold the files of set `id`, in search order.
    pub fn folders(&self, id: &str) -> Vec<(Place, PathBuf)> {
        let mut folders = Vec::new();
        if let Some(root) = self.root {
            folders.push((Place::Root, root.join(id)));
            folders.push((Place::Root, root.to_owned()));
        }
        if let Some(environment) = &self.environment {
            folders.push((Place::Environment, environment.join(id)));
        }
        if let Some(local) = &self.local {
            folders.push((Place::Local, local.join(id)));
        }
        folders.extend(self.cache_folder(id).map(|folder| (Place::Cache, folder)));
        folders
    }

    /// The folder in the cache that holds the files of set `id`.
    pub fn cache_folder(&self, id: &str) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join("data").join(id))
    }
}

impl fmt::Debug for Locate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locate")
            .field("root", &self.root)
            .field("environment", &self.environment)
            .field("local", &self.local)
            .field("cache", &self.cache)
            .field("download", &self.download)
            .field("base_url", &self.base_url)
            .field("splits", &self.splits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_order_is_root_environment_local_cache() {
        let locate = Locate {
            root: Some(Path::new("r")),
            environment: Some("e".into()),
            local: Some("l".into()),
            cache: Some("c".into()),
            ..Locate::offline()
        };
        let expected = [
            (Place::Root, "r/x"),
            (Place::Root, "r"),
            (Place::Environment, "e/x"),
            (Place::Local, "l/x"),
            (Place::Cache, "c/data/x"),
        ];
        let expected = expected.map(|(place, path)| (place, PathBuf::from(path)));
        assert_eq!(locate.folders("x"), expected);
        assert!(Locate::offline().folders("x").is_empty());
    }
}
