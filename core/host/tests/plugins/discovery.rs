//! Discovery: folders scanned in a worker, every field of a manifest held against its library.

use std::path::Path;

use serde_json::json;
use xbench_host::{Catalog, Kind, Origin, ProblemKind, Scanner, SearchPath};

use crate::Test;
use crate::support::{self, config, fixture};

pub(crate) const TESTS: &[Test] = &[(
    "discovery_scans_in_a_worker_and_checks_every_field",
    discovery,
)];

/// A plugin folder with the fixture library and this manifest.
fn plugin_folder(root: &Path, name: &str, manifest: &str) {
    let folder = root.join(name);
    std::fs::create_dir(&folder).expect("a folder");
    let library = fixture();
    let file = library.file_name().expect("a name");
    std::fs::copy(&library, folder.join(file)).expect("the library");
    std::fs::write(folder.join("xbench-plugin.toml"), manifest).expect("the manifest");
}

fn discovery() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let manifest = support::fixture_folder().join("xbench-plugin.toml");
    let honest = std::fs::read_to_string(manifest).expect("the manifest");
    let lies = [
        (
            "version",
            "0.1.0",
            "0.2.0",
            "version: the manifest says 0.2.0, the library 0.1.0",
        ),
        ("id", "fixture.nan\"", "fixture.none\"", "does not list"),
        (
            "provides",
            "    \"xbench.model.vjp/1\",\n",
            "",
            "provides: the manifest says",
        ),
        (
            "requires",
            "model.vjp/1\"]\n",
            "model.linear/1\"]\n",
            "requires_model: the manifest",
        ),
        (
            "control",
            "requires_model = [\"xbench.model.vjp/1\"]",
            "requires_model = [\"xbench.model.vjp/1\"]\ncontrol = true",
            "control: the manifest says true, the library false",
        ),
        (
            "kind",
            "kind = \"explainer\"\nprovides = [\"xbench.explainer.explain/1\"]\n\n",
            "kind = \"model\"\nprovides = [\"xbench.model.predict/1\"]\n\n",
            "kind: the manifest says model, the library explainer",
        ),
        (
            "missing",
            "[[plugin]]",
            "[[plugin]]\nid = \"org.xbench.fixture.ghost\"\nversion = \"0.1.0\"\nkind = \"explainer\"\nprovides = [\"xbench.explainer.explain/1\"]\n\n[[plugin]]",
            "holds no org.xbench.fixture.ghost",
        ),
        (
            "library",
            "xbench_fixture_misbehaving",
            "xbench_fixture_elsewhere",
            "cannot be read",
        ),
    ];
    for (name, from, to, _) in lies {
        // The comment on the first line names the library too.
        let (comment, rest) = honest.split_once('\n').expect("lines");
        let text = format!("{comment}\n{}", rest.replacen(from, to, 1));
        assert_ne!(text, honest, "{name}");
        plugin_folder(root.path(), name, &text);
    }
    plugin_folder(root.path(), "zz-honest", &honest);

    let mut search = SearchPath::new();
    search.push(Origin::Flag, root.path().to_owned());
    let mut scanner = Scanner::new(config("worker"));
    let catalog = Catalog::discover(&search, &mut |library| scanner.scan(library));
    for (name, _, _, expected) in lies {
        let problem = catalog
            .problems()
            .iter()
            .find(|problem| problem.folder.ends_with(name))
            .expect("each lie is found");
        assert_eq!(problem.kind, ProblemKind::Refused);
        assert!(
            problem.message.contains(expected),
            "{name}: {}",
            problem.message
        );
    }
    assert_eq!(catalog.problems().len(), lies.len());
    let linear = catalog
        .find(Kind::Model, "linear")
        .expect("the honest folder");
    assert!(linear.folder.ends_with("zz-honest"));
    assert_eq!(linear.presets, ["means"]);
    assert_eq!(linear.library_sha256.len(), 64);
    let checked = linear
        .check_params(&json!({"classes": 3}))
        .expect("good parameters");
    assert_eq!(
        checked,
        json!({"input": [1, 28, 28], "classes": 3, "seed": 0})
    );
    let error = linear
        .check_params(&json!({"clases": 3}))
        .expect_err("a slip");
    assert_eq!(error.suggestion.as_deref(), Some("classes"));
    let gradient = catalog
        .find(Kind::Explainer, "gradient")
        .expect("the explainer");
    assert!(gradient.missing_from(linear).is_empty());
    let nan = catalog
        .find(Kind::Model, "nan-model")
        .expect("the other model");
    assert_eq!(gradient.missing_from(nan), ["xbench.model.vjp/1"]);
}
