//! Where plugins are looked for.

use std::path::{Path, PathBuf};

use crate::manifest::MANIFEST_FILE;

/// Environment variable with folders to search, separated as in `PATH`.
pub const PLUGIN_PATH_VARIABLE: &str = "XBENCH_PLUGIN_PATH";

/// Where an entry of the search path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `--plugin-path` on the command line.
    Flag,
    /// The suite's `plugins:` list.
    Suite,
    /// `XBENCH_PLUGIN_PATH`.
    Environment,
    /// Beside the executable.
    Executable,
    /// The user's data folder.
    UserData,
}

impl Origin {
    /// For messages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Flag => "--plugin-path",
            Self::Suite => "the suite's plugins",
            Self::Environment => PLUGIN_PATH_VARIABLE,
            Self::Executable => "the folder of the program",
            Self::UserData => "the user's data folder",
        }
    }

    /// A folder that somebody named must exist; the standard places need not.
    pub(crate) fn is_explicit(self) -> bool {
        matches!(self, Self::Flag | Self::Suite | Self::Environment)
    }
}

/// The folders to search, first wins. Never the working folder unless somebody names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPath {
    entries: Vec<(Origin, PathBuf)>,
}

impl SearchPath {
    /// An empty path.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The documented order: `flags`, `suite`, `$XBENCH_PLUGIN_PATH`, `plugins` beside the
    /// executable, `xbench/plugins` in the user's data folder.
    #[must_use]
    pub fn standard(flags: &[PathBuf], suite: &[PathBuf]) -> Self {
        let mut path = Self::new();
        flags
            .iter()
            .for_each(|folder| path.push(Origin::Flag, folder.clone()));
        suite
            .iter()
            .for_each(|folder| path.push(Origin::Suite, folder.clone()));
        if let Some(value) = std::env::var_os(PLUGIN_PATH_VARIABLE) {
            // An empty part would mean the working folder.
            std::env::split_paths(&value)
                .filter(|folder| !folder.as_os_str().is_empty())
                .for_each(|folder| path.push(Origin::Environment, folder));
        }
        if let Some(folder) = std::env::current_exe()
            .ok()
            .as_deref()
            .and_then(Path::parent)
        {
            path.push(Origin::Executable, folder.join("plugins"));
        }
        if let Some(data) = dirs::data_dir() {
            path.push(Origin::UserData, data.join("xbench").join("plugins"));
        }
        path
    }

    /// Appends a folder.
    pub fn push(&mut self, origin: Origin, folder: PathBuf) {
        self.entries.push((origin, folder));
    }

    /// The folders in order.
    #[must_use]
    pub fn entries(&self) -> &[(Origin, PathBuf)] {
        &self.entries
    }
}

/// The plugin folders under one entry: the entry itself where it holds a manifest, else those of
/// its direct children that do, sorted by name.
pub(crate) fn plugin_folders(entry: &Path) -> std::io::Result<Vec<PathBuf>> {
    if entry.join(MANIFEST_FILE).is_file() {
        return Ok(vec![entry.to_owned()]);
    }
    let mut folders = Vec::new();
    for child in std::fs::read_dir(entry)? {
        let folder = child?.path();
        if folder.join(MANIFEST_FILE).is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_one_level_deep_and_sorted() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["b", "a", "c/deeper", "empty"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for folder in ["b", "a", "c/deeper"] {
            std::fs::write(root.path().join(folder).join(MANIFEST_FILE), "").unwrap();
        }
        let found = plugin_folders(root.path()).unwrap();
        assert_eq!(found, [root.path().join("a"), root.path().join("b")]);
        assert_eq!(
            plugin_folders(&root.path().join("a")).unwrap(),
            [root.path().join("a")]
        );
        assert!(plugin_folders(&root.path().join("none")).is_err());
    }

    #[test]
    fn the_standard_order_begins_with_what_was_named() {
        let path = SearchPath::standard(&["f".into()], &["s".into()]);
        assert_eq!(path.entries()[0], (Origin::Flag, "f".into()));
        assert_eq!(path.entries()[1], (Origin::Suite, "s".into()));
        assert!(
            path.entries()
                .iter()
                .any(|(origin, _)| *origin == Origin::Executable)
        );
    }
}
