//! The fixture's files, and our plugins.

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;
use xbench_host::{CallSettings, Library, LoadedModel};
use xbench_tests::{release_dir, root};

pub(crate) const MODELS: [&str; 2] = ["cnn-gap", "lenet"];
pub(crate) const SIDE: usize = 28;
pub(crate) const IMAGE: usize = SIDE * SIDE;

/// A file of the fixture.
pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = root().join("tests/fixtures/reference").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of named values.
pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The tensor's values, [rows, ...].
pub(crate) fn floats(tensors: &[u8], name: &str) -> Vec<f32> {
    let bytes = data(tensors, name).as_chunks::<4>().0;
    bytes.iter().map(|&four| f32::from_le_bytes(four)).collect()
}

/// The tensor's values, [rows].
pub(crate) fn integers(tensors: &[u8], name: &str) -> Vec<i64> {
    let bytes = data(tensors, name).as_chunks::<8>().0;
    bytes
        .iter()
        .map(|&eight| i64::from_le_bytes(eight))
        .collect()
}

fn data<'t>(tensors: &'t [u8], name: &str) -> &'t [u8] {
    let tensors = SafeTensors::deserialize(tensors).expect("tensors");
    match tensors.tensor(name) {
        Ok(tensor) => tensor.data(),
        Err(error) => panic!("{name}: {error}"),
    }
}

/// The assembled libraries.
pub(crate) fn libraries() -> Vec<Library> {
    let folder = release_dir().join("plugins");
    let listed = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run `cargo xtask test`, which assembles it",
            folder.display()
        )
    });
    let mut found: Vec<PathBuf> = listed
        .flat_map(|entry| std::fs::read_dir(entry.expect("an entry").path()).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == std::env::consts::DLL_EXTENSION)
        })
        .collect();
    found.sort();
    let open = |path: &PathBuf| {
        Library::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    found.iter().map(open).collect()
}

/// The library that has the plugin.
pub(crate) fn holder<'l>(libraries: &'l [Library], id: &str) -> Option<&'l Library> {
    let holds = |library: &&Library| library.descriptors().iter().any(|one| one.id == id);
    libraries.iter().find(holds)
}

/// A network with its committed weights.
pub(crate) fn network(libraries: &[Library], name: &str) -> LoadedModel {
    let id = format!("org.xbench.{name}");
    let settings = CallSettings::default();
    let library = holder(libraries, &id).expect("the networks are assembled");
    let mut model = library.create_model(&id, "{}", &settings).expect("a model");
    let path = format!("plugins/models/neural/weights/fashion-mnist/{name}-best.safetensors");
    let weights = std::fs::read(root().join(path)).expect("committed weights");
    model.load(&settings, &weights).expect("weights that fit");
    model
}
