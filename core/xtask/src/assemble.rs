//! Puts plugin folders together: manifest, library and weights in one place that the host finds.
//!
//! Libraries are replaced by renaming, never written in place: a process that has the old one
//! mapped goes on with the old one.

use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "xbench-plugin.toml";

/// Assembles every Rust plugin crate under `sources` into `<release>/plugins/<crate folder>`.
pub(crate) fn plugins(sources: &Path, release: &Path) -> Result<(), String> {
    plugins_into(sources, release, &release.join("plugins"))
}

/// As [`plugins`], into a folder of choice.
pub(crate) fn plugins_into(sources: &Path, release: &Path, into: &Path) -> Result<(), String> {
    let mut known: Vec<PathBuf> = Vec::new();
    for folder in crates_with_manifest(sources)? {
        let name = folder.file_name().ok_or("a plugin folder has no name")?;
        if let Some(other) = known.iter().find(|other| other.file_name() == Some(name)) {
            return Err(format!(
                "{} and {} would be put together in one folder; rename one of them",
                other.display(),
                folder.display()
            ));
        }
        known.push(folder.clone());
        assemble(&folder, release, &into.join(name))
            .map_err(|error| format!("cannot assemble the plugin {}: {error}", folder.display()))?;
    }
    Ok(())
}

/// Folders, at any depth, that hold both a plugin manifest and a `Cargo.toml`.
fn crates_with_manifest(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot read the folder {}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        if path.join(MANIFEST).is_file() && path.join("Cargo.toml").is_file() {
            found.push(path);
        } else {
            found.extend(crates_with_manifest(&path)?);
        }
    }
    Ok(found)
}

fn assemble(source: &Path, release: &Path, target: &Path) -> Result<(), String> {
    let manifest = source.join(MANIFEST);
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    let library = text
        .lines()
        .find_map(|line| line.strip_prefix("library")?.trim_start().strip_prefix('='))
        .and_then(|value| value.trim().trim_matches('"').split('"').next())
        .ok_or("the manifest has no `library = \"…\"`")?;
    let file = format!(
        "{}{library}{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    fs::create_dir_all(target).map_err(|error| error.to_string())?;
    copy(&release.join(&file), &target.join(&file))?;
    copy(&manifest, &target.join(MANIFEST))?;
    copy_tree(&source.join("weights"), &target.join("weights"))
}

fn copy_tree(source: &Path, target: &Path) -> Result<(), String> {
    if !source.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(target).map_err(|error| error.to_string())?;
    for entry in fs::read_dir(source).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_dir() {
            copy_tree(&path, &target.join(name))?;
        } else {
            copy(&path, &target.join(name))?;
        }
    }
    Ok(())
}

/// Copies a file whole, and only where it differs in length or is newer than the copy.
fn copy(source: &Path, target: &Path) -> Result<(), String> {
    let place = |error: std::io::Error| format!("{}: {error}", source.display());
    let from = fs::metadata(source).map_err(place)?;
    if let Ok(to) = fs::metadata(target)
        && to.len() == from.len()
        && matches!((to.modified(), from.modified()), (Ok(to), Ok(from)) if to >= from)
    {
        return Ok(());
    }
    let temporary = target.with_extension(format!("{}.tmp", std::process::id()));
    fs::copy(source, &temporary).map_err(place)?;
    fs::rename(&temporary, target).map_err(place)
}
